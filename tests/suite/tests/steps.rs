//! A signal handler between any two instructions of the allocator.

use std::process::ExitCode;

use failfast_alloc::FailFast;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() -> ExitCode {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    return failfast_alloc_suite::main(failfast_alloc_suite::Program::StepByStep);
    // Elsewhere a charge takes more than one instruction.
    #[allow(unreachable_code, reason = "the other half of the condition")]
    ExitCode::SUCCESS
}
