//! A program that is configured in code.

use failfast_alloc::{FailFast, Limit};

#[global_allocator]
static ALLOC: FailFast = FailFast::system().budget(Limit::mib(16));

fn main() -> std::process::ExitCode {
    failfast_alloc_suite::main(failfast_alloc_suite::Program::InCode)
}
