//! The ends of stacks that the standard library knows nothing of. Rows as in `tests/death`, whose
//! harness this is.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a row is a way to fail, and most are several system calls"
)]

#[allow(dead_code, reason = "the rows of tests/death use the rest")]
#[path = "../../../death/outcome.rs"]
mod outcome;
mod rows;
#[path = "../../../death/run.rs"]
mod run;
#[allow(dead_code, reason = "the rows of tests/death use the rest")]
#[path = "../../../death/table.rs"]
mod table;
#[allow(dead_code, reason = "the rows of tests/death use the rest")]
#[path = "../../../death/tools.rs"]
mod tools;
#[allow(dead_code, reason = "the rows of tests/death use the rest")]
#[path = "../../../death/witness.rs"]
mod witness;

use failfast_alloc::FailFast;
use libtest_mimic::{Arguments, Trial};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() {
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
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
