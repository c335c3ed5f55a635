//! The same agent without us: what its output is compared with.

use std::alloc::System;
use std::process::ExitCode;

#[global_allocator]
static ALLOC: System = System;

fn main() -> ExitCode {
    js_agent::main()
}
