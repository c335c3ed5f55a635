//! Whatever a report looks like, explaining it ends, and what it says is text: no control
//! characters but the ends of lines, and those that set colours.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "of the program's modules only those that read reports are in use"
)]

#[path = "../../src/bin/failfast/exit.rs"]
mod exit;
#[path = "../../src/bin/failfast/explain/mod.rs"]
mod explain;
#[path = "../../src/bin/failfast/paint.rs"]
mod paint;
#[path = "../../src/bin/failfast/report/mod.rs"]
mod report;
#[path = "../../src/bin/failfast/symbols/mod.rs"]
mod symbols;
#[path = "../../src/bin/failfast/text.rs"]
mod text;

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use report::{Report, find};
use serde_json::{Map, Value, json};
use symbols::Named;

/// The members that are read, wherever they stand.
const NAMES: [&str; 40] = [
    "failfast",
    "cause",
    "message",
    "cluster",
    "requested_bytes",
    "align",
    "live_bytes",
    "peak_bytes",
    "budget_bytes",
    "resident_bytes",
    "cgroup_current_bytes",
    "cgroup_limit_bytes",
    "stack",
    "pid",
    "tid",
    "thread",
    "time",
    "threads",
    "halt",
    "hook",
    "hook_failure",
    "backtrace",
    "modules",
    "clusters",
    "version",
    "cut",
    "found_by",
    "address",
    "pointer",
    "low",
    "high",
    "used_bytes",
    "name",
    "message_bytes",
    "seen",
    "halted",
    "addr",
    "module",
    "offset",
    "path",
];

/// Words that mean something.
const WORDS: [&str; 14] = [
    "heap-budget",
    "allocator-refused",
    "stack-budget",
    "stack-overflow",
    "requested",
    "ledger-unsettled",
    "root",
    "guard",
    "probe",
    "proven",
    "crashed",
    "reserve",
    "2025-11-23T13:17:05.042Z",
    "\u{1b}[2J\u{202e}",
];

fn value(data: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    Ok(match data.int_in_range(0..=if depth == 0 { 6 } else { 8 })? {
        0 => Value::Null,
        1 => json!(bool::arbitrary(data)?),
        2 => json!(u64::arbitrary(data)?),
        3 => json!(u8::arbitrary(data)?),
        4 => json!(format!("{:#x}", u64::arbitrary(data)?)),
        5 => json!(*data.choose(&WORDS)?),
        6 => json!(String::arbitrary(data)?),
        7 => {
            let length = data.int_in_range(0..=12)?;
            Value::Array((0..length).map(|_| value(data, depth - 1)).collect::<Result<_>>()?)
        }
        _ => Value::Object(object(data, depth - 1)?),
    })
}

fn object(data: &mut Unstructured<'_>, depth: u32) -> Result<Map<String, Value>> {
    let mut map = Map::new();
    for _ in 0..data.int_in_range(0..=26)? {
        let name = *data.choose(&NAMES)?;
        map.insert(name.to_string(), value(data, depth)?);
    }
    Ok(map)
}

/// A report that begins as one.
fn made_up(data: &mut Unstructured<'_>) -> Result<Map<String, Value>> {
    let mut map = object(data, 2)?;
    map.insert("failfast".to_string(), json!(1));
    map.insert("cause".to_string(), json!(*data.choose(&WORDS)?));
    Ok(map)
}

fn explained(map: Map<String, Value>) {
    let Ok(report) = Report::read(map) else { return };
    let mut said = Vec::new();
    explain::write(&mut said, &report, &Named::default()).unwrap();
    let said = String::from_utf8(said).unwrap();
    let plain = anstream::adapter::strip_str(&said).to_string();
    assert!(!plain.chars().any(|c| c.is_control() && c != '\n'), "{plain:?}");
}

fuzz_target!(|data: &[u8]| {
    for found in find(&String::from_utf8_lossy(data)) {
        if let Ok(map) = found.object {
            explained(map);
        }
    }
    if let Ok(map) = made_up(&mut Unstructured::new(data)) {
        explained(map);
    }
});
