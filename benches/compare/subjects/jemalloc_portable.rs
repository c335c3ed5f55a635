//! jemalloc under FailFast, its fast path in plain Rust.

#[path = "shared/failfast.rs"]
mod failfast;

use failfast_alloc::FailFast;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOC: FailFast<Jemalloc> = FailFast::new(Jemalloc);

fn main() {
    failfast::run();
}
