//! jemalloc under FailFast, its fast path in plain Rust.

use failfast_alloc::{FailFast, fallible, usage};
use failfast_alloc_bench::Door;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOC: FailFast<Jemalloc> = FailFast::new(Jemalloc);

fn main() {
    failfast_alloc_bench::subject(Door {
        set_limit: |_| (), // FAILFAST_BUDGET has set it.
        attempt: |request| fallible(request),
        live: || usage().live,
    });
}
