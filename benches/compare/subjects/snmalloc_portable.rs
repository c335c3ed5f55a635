//! snmalloc under FailFast, its fast path in plain Rust.

#[path = "shared/failfast.rs"]
mod failfast;

use failfast_alloc::FailFast;
use snmalloc_rs::SnMalloc;

#[global_allocator]
static ALLOC: FailFast<SnMalloc> = FailFast::new(SnMalloc);

fn main() {
    failfast::run();
}
