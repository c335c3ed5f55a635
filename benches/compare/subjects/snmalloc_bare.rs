//! snmalloc, bare.

use snmalloc_rs::SnMalloc;

#[global_allocator]
static ALLOC: SnMalloc = SnMalloc;

fn main() {
    failfast_alloc_bench::subject(failfast_alloc_bench::Door::NONE);
}
