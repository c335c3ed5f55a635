//! The server. Declaring the allocator is all that is needed for its budgets to hold.

use std::process::ExitCode;

use failfast_alloc::FailFast;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() -> ExitCode {
    tenants::main(std::env::args_os())
}
