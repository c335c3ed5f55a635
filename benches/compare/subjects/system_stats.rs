//! The C library's malloc under `stats_alloc`.

use std::alloc::System;

use failfast_alloc_bench::Door;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOC: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    failfast_alloc_bench::subject(Door::NONE);
}
