//! jemalloc under `cap`.

use cap::Cap;
use failfast_alloc_bench::Door;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOC: Cap<Jemalloc> = Cap::new(Jemalloc, usize::MAX);

fn main() {
    failfast_alloc_bench::subject(Door {
        set_limit: |bytes| ALLOC.set_limit(bytes).expect("less than that is live"),
        attempt: |request| request(),
        live: || ALLOC.allocated(),
        ..Door::NONE
    });
}
