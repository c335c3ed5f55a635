//! snmalloc under `tracking-allocator`, which counts live bytes.

use failfast_alloc_bench::Door;
use snmalloc_rs::SnMalloc;
use tracking_allocator::Allocator;

#[path = "shared/live_bytes.rs"]
mod live_bytes;

#[global_allocator]
static ALLOC: Allocator<SnMalloc> = Allocator::from_allocator(SnMalloc);

fn main() {
    live_bytes::count();
    failfast_alloc_bench::subject(Door::NONE);
}
