//! Does nothing, over the C library's malloc under FailFast.

use failfast_alloc::FailFast;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() {}
