//! Starts threads and waits for each, over the C library's malloc under FailFast.

use failfast_alloc::FailFast;

#[path = "shared/threads.rs"]
mod threads;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() {
    threads::run();
}
