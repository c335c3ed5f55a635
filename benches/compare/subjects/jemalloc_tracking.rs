//! jemalloc under `tracking-allocator`, which counts live bytes.

use failfast_alloc_bench::Door;
use tikv_jemallocator::Jemalloc;
use tracking_allocator::Allocator;

#[path = "shared/live_bytes.rs"]
mod live_bytes;

#[global_allocator]
static ALLOC: Allocator<Jemalloc> = Allocator::from_allocator(Jemalloc);

fn main() {
    live_bytes::count();
    failfast_alloc_bench::subject(Door::NONE);
}
