//! The agent that ends at its first failed allocation. Declaring the allocator is all it takes.

use std::process::ExitCode;

use failfast_alloc::FailFast;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() -> ExitCode {
    js_agent::main()
}
