//! The C library's malloc, bare.

use std::alloc::System;

#[global_allocator]
static ALLOC: System = System;

fn main() {
    failfast_alloc_bench::subject(failfast_alloc_bench::Door::NONE);
}
