//! A program that ignores the environment.

use failfast_alloc::{FailFast, Limit};

#[global_allocator]
static ALLOC: FailFast = FailFast::system().budget(Limit::mib(16)).ignore_env();

fn main() -> std::process::ExitCode {
    failfast_alloc_suite::main(failfast_alloc_suite::Program::IgnoresEnvironment)
}
