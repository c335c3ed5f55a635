//! jemalloc, bare.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOC: Jemalloc = Jemalloc;

fn main() {
    failfast_alloc_bench::subject(failfast_alloc_bench::Door::NONE);
}
