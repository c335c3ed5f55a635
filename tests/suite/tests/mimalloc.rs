//! The suite over mimalloc.

use failfast_alloc::FailFast;

#[global_allocator]
static ALLOC: FailFast<mimalloc::MiMalloc> = FailFast::new(mimalloc::MiMalloc);

fn main() -> std::process::ExitCode {
    failfast_alloc_suite::main(failfast_alloc_suite::Program::Default)
}
