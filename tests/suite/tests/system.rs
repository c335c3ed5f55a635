//! The suite over the C library's malloc, called directly.

use failfast_alloc::{FailFast, Malloc};

#[global_allocator]
static ALLOC: FailFast<Malloc> = FailFast::system();

fn main() -> std::process::ExitCode {
    failfast_alloc_suite::main(failfast_alloc_suite::Program::Default)
}
