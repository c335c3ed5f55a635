//! Beside the handlers of `crash-handler`, attached before ours and after: who is told of what, in
//! which order, and how the process ends whatever the other one does.
//!
//! Each case is a child process. What happens in it, it says on standard output, a word a line.

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a case is a way to fail, and most are several system calls"
)]

mod cases;
mod child;
mod parent;

use failfast_alloc::FailFast;
use libtest_mimic::{Arguments, Trial};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() {
    let cases = cases::all();
    if let Some(name) = parent::requested() {
        let case = cases.iter().find(|case| case.name == name).expect("a case of this name");
        return child::run(case);
    }
    let trials = cases.into_iter().map(|case| {
        let name = case.name.clone();
        Trial::test(name, move || parent::check(&case).map_err(Into::into))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
