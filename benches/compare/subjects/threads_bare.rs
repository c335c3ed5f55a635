//! Starts threads and waits for each, over the C library's malloc.

use std::alloc::System;

#[path = "shared/threads.rs"]
mod threads;

#[global_allocator]
static ALLOC: System = System;

fn main() {
    threads::run();
}
