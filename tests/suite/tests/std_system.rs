//! The suite over the standard library's System.

use failfast_alloc::FailFast;

#[global_allocator]
static ALLOC: FailFast<std::alloc::System> = FailFast::new(std::alloc::System);

fn main() -> std::process::ExitCode {
    failfast_alloc_suite::main(failfast_alloc_suite::Program::Default)
}
