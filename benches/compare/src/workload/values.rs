//! Whole data structures, built and dropped.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const ORDERS: u64 = 2_650;
const ENTRIES: u64 = 10_000;

pub(super) fn run_json(operations: usize) -> Duration {
    let document = document();
    repeat(operations, || parse(&document))
}

fn parse(document: &str) -> Value {
    serde_json::from_str(document).expect("it was written as JSON")
}

/// A document of some 700 KB: orders of a shop, with strings, numbers, lists and objects in them.
fn document() -> String {
    let mut random = fastrand::Rng::with_seed(1);
    let orders: Vec<Value> = (0..ORDERS).map(|number| order(number, &mut random)).collect();
    Value::from(orders).to_string()
}

fn order(number: u64, random: &mut fastrand::Rng) -> Value {
    let mut word = |letters| (0..letters).map(|_| random.lowercase()).collect::<String>();
    let (name, street, city) = (word(9), word(14), word(7));
    let items = [word(5), word(11), word(8)].map(|article| {
        json!({ "article": article, "amount": random.u8(1..9), "price": random.u32(..9_999) })
    });
    json!({
        "number": number,
        "paid": random.bool(),
        "customer": { "name": name, "address": [street, city] },
        "items": items,
        "weight": random.f64(),
        "note": null,
    })
}

pub(super) fn run_btree(operations: usize) -> Duration {
    repeat(operations, map)
}

fn map() -> BTreeMap<String, String> {
    let mut random = fastrand::Rng::with_seed(1);
    let entry = |number| (format!("key {:08x}", random.u32(..)), format!("the value of {number}"));
    (0..ENTRIES).map(entry).collect()
}

/// Builds and drops so many times, once before the time is taken.
fn repeat<T>(operations: usize, build: impl Fn() -> T) -> Duration {
    drop(black_box(build()));
    let start = Instant::now();
    for _ in 0..operations {
        drop(black_box(build()));
    }
    start.elapsed()
}
