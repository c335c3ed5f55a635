//! Pairs of allocating and freeing.

use std::time::{Duration, Instant};

use super::block;

const WARM_UP: usize = 2_000;

pub(super) fn run(operations: usize) -> Duration {
    pairs(WARM_UP);
    let start = Instant::now();
    pairs(operations);
    start.elapsed()
}

fn pairs(operations: usize) {
    for _ in 0..operations {
        drop(block(64));
    }
}
