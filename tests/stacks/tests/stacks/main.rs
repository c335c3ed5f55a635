//! The ends of stacks that the standard library knows nothing of: rows as in `tests/death`.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a row is a way to fail, and most are several system calls"
)]

mod rows;
#[path = "../../../death/tools.rs"]
mod tools;

use std::process::ExitCode;

use failfast_alloc::FailFast;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() -> ExitCode {
    failfast_alloc_rows::main(rows::all(), Vec::new())
}
