//! The same agent over an allocator that returns null past 64 MiB: what we exist to end.

use std::alloc::System;
use std::process::ExitCode;

use cap::Cap;

#[global_allocator]
static ALLOC: Cap<System> = Cap::new(System, 64 << 20);

fn main() -> ExitCode {
    js_agent::main()
}
