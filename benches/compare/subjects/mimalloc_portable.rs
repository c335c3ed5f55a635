//! mimalloc under FailFast, its fast path in plain Rust.

#[path = "shared/failfast.rs"]
mod failfast;

use failfast_alloc::FailFast;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOC: FailFast<MiMalloc> = FailFast::new(MiMalloc);

fn main() {
    failfast::run();
}
