//! A vector that grows.

use std::hint::black_box;
use std::time::{Duration, Instant};

const FIRST: usize = 4;
const LAST: usize = 16_384;
const WARM_UP: usize = 4;

pub(super) fn run(operations: usize) -> Duration {
    grow(WARM_UP);
    let start = Instant::now();
    grow(operations);
    start.elapsed()
}

/// What `push` would do, without the pushing: the elements are not written.
fn grow(operations: usize) {
    for _ in 0..operations {
        let mut vector: Vec<u64> = Vec::new();
        let mut capacity = FIRST;
        while capacity <= LAST {
            vector.reserve_exact(capacity);
            black_box(&mut vector);
            capacity *= 2;
        }
    }
}
