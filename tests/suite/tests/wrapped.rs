//! The suite over a `FailFast` that another allocator wraps.

use failfast_alloc::FailFast;
use failfast_alloc_suite::{Program, Shared};

static WRAPPED: FailFast = FailFast::system();

#[global_allocator]
static ALLOC: Shared<FailFast> = Shared(&WRAPPED);

fn main() -> std::process::ExitCode {
    failfast_alloc_suite::main(Program::Default)
}
