//! The C library's malloc under `tracking-allocator`, which counts live bytes.

use failfast_alloc_bench::Door;
use std::alloc::System;
use tracking_allocator::Allocator;

#[path = "shared/live_bytes.rs"]
mod live_bytes;

#[global_allocator]
static ALLOC: Allocator<System> = Allocator::from_allocator(System);

fn main() {
    live_bytes::count();
    failfast_alloc_bench::subject(Door::NONE);
}
