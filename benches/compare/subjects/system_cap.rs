//! The C library's malloc under `cap`.

use cap::Cap;
use failfast_alloc_bench::Door;
use std::alloc::System;

#[global_allocator]
static ALLOC: Cap<System> = Cap::new(System, usize::MAX);

fn main() {
    failfast_alloc_bench::subject(Door {
        set_limit: |bytes| ALLOC.set_limit(bytes).expect("less than that is live"),
        attempt: |request| request(),
        live: || ALLOC.allocated(),
        ..Door::NONE
    });
}
