//! The C library's malloc under FailFast, its fast path in plain Rust.

use failfast_alloc::{FailFast, fallible, usage};
use failfast_alloc_bench::Door;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() {
    failfast_alloc_bench::subject(Door {
        set_limit: |_| (), // FAILFAST_BUDGET has set it.
        attempt: |request| fallible(request),
        live: || usage().live,
    });
}
