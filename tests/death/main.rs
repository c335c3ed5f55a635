//! How a process dies: each row of the table is run in a child process, whose signal, standard
//! error, report and traces in shared memory are compared with what the row says.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a row is a way to fail, and most are several system calls"
)]

mod inner;
mod others;
mod outcome;
mod rows;
mod run;
mod table;
mod tools;
mod witness;

use failfast_alloc::FailFast;
use libtest_mimic::{Arguments, Trial};

#[global_allocator]
static ALLOC: FailFast<inner::Inner> = FailFast::new(inner::Inner);

fn main() {
    rows::exec::recover();
    let rows = rows::all();
    if let Ok(name) = std::env::var(run::ROW) {
        let row = rows.iter().find(|row| row.name == name).expect("a row of this name");
        (row.body)();
        return;
    }
    let names: std::collections::HashSet<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len(), "two rows of one name");
    let trials = rows
        .into_iter()
        .map(|row| Trial::test(row.name, move || run::check(&row).map_err(Into::into)))
        .collect::<Vec<_>>();
    let listed = Trial::test("system_calls_are_documented", || {
        rows::calls::check_documentation();
        Ok(())
    });
    let trials = [listed].into_iter().chain(trials).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
