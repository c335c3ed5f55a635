//! mimalloc, bare.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOC: MiMalloc = MiMalloc;

fn main() {
    failfast_alloc_bench::subject(failfast_alloc_bench::Door::NONE);
}
