//! How a process dies: each row of the table is run in a child process, whose signal, standard
//! error, report and traces in shared memory are compared with what the row says.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a row is a way to fail, and most are several system calls"
)]

mod inner;
mod others;
mod rows;
mod tools;

use std::process::ExitCode;

use failfast_alloc::FailFast;
use libtest_mimic::Trial;

#[global_allocator]
static ALLOC: FailFast<inner::Inner> = FailFast::new(inner::Inner);

fn main() -> ExitCode {
    rows::exec::recover();
    let listed = Trial::test("system_calls_are_documented", || {
        rows::calls::check_documentation();
        Ok(())
    });
    failfast_alloc_rows::main(rows::all(), vec![listed])
}
