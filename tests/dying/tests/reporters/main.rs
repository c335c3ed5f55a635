//! Beside the handlers of `crash-handler`, attached before ours and after: who is told of what, in
//! which order, and how the process ends whatever the other one does.

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a case is a way to fail, and most are several system calls"
)]

mod cases;
mod child;

use failfast_alloc::FailFast;
use failfast_alloc_dying::{requested, run};
use libtest_mimic::{Arguments, Trial};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() {
    let cases = cases::all();
    if let Some(name) = requested() {
        let case = cases.iter().find(|case| case.name == name).expect("a case of this name");
        return child::run(case);
    }
    let trials = cases.into_iter().map(|case| {
        let name = case.name.clone();
        Trial::test(name, move || check(&case).map_err(Into::into))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// Runs a case, and says what was not as it should be.
fn check(case: &cases::Case) -> Result<(), String> {
    let mut env = vec![("FAILFAST_BUDGET", "32MiB")];
    // A hanging callback is held to its own time, which is half a second, and not to this.
    env.push(("FAILFAST_HOOK_TIMEOUT", "10m"));
    env.extend(case.env);
    let seen = run(&case.name, &env)?;
    let cause = seen.reported("cause");
    let is_right = seen.signal() == Some(case.end) && seen.said == case.says && cause == case.cause;
    if is_right { Ok(()) } else { Err(format!("{seen:#?}")) }
}
