//! mimalloc under FailFast.

use failfast_alloc::{FailFast, fallible, usage};
use failfast_alloc_bench::Door;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOC: FailFast<MiMalloc> = FailFast::new(MiMalloc);

fn main() {
    failfast_alloc_bench::subject(Door {
        set_limit: |_| (), // FAILFAST_BUDGET has set it.
        attempt: |request| fallible(request),
        live: || usage().live,
    });
}
