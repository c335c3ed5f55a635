//! snmalloc under FailFast, its fast path in plain Rust.

use failfast_alloc::{FailFast, fallible, usage};
use failfast_alloc_bench::Door;
use snmalloc_rs::SnMalloc;

#[global_allocator]
static ALLOC: FailFast<SnMalloc> = FailFast::new(SnMalloc);

fn main() {
    failfast_alloc_bench::subject(Door {
        set_limit: |_| (), // FAILFAST_BUDGET has set it.
        attempt: |request| fallible(request),
        live: || usage().live,
    });
}
