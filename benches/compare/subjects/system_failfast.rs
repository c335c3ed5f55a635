//! The C library's malloc under FailFast.

#[path = "shared/failfast.rs"]
mod failfast;

use failfast_alloc::FailFast;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() {
    failfast::run();
}
