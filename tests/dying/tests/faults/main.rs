//! Dying goes wrong: at every phase, in every way.
//!
//! The process ends all the same, by SIGABRT, within its deadline; a failure costs the step that it
//! is in, and no more.

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a case is a way to fail, and most are several system calls"
)]

mod cases;
mod child;

use cases::{Fault, Phase};
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
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    let _ = std::fs::remove_file(cases::no_program_path());
    conclusion.exit();
}

/// What the child says, beside what it is about.
fn must_say(fault: Fault) -> &'static [&'static str] {
    match fault {
        Fault::Looks => &["it stands"],
        Fault::Forks => &["told in the child", "told"],
        _ => &[],
    }
}

/// Runs a case, and says what was not as it should be.
fn check(case: &cases::Case) -> Result<(), String> {
    // A quarter of it is for the halt, which is not what this is about: so much even on a busy
    // machine.
    let timeout =
        if case.fault == Fault::Hang || case.phase == Phase::Overdue { "1200ms" } else { "20s" };
    let abort = if case.fault == Fault::Forks { "chain" } else { "plain" };
    let mut env = vec![("FAILFAST_HOOK_TIMEOUT", timeout), ("FAILFAST_ABORT", abort)];
    let program = case.program();
    env.extend(program.iter().map(|program| ("FAILFAST_EXEC", &**program)));
    let seen = run(&case.name, &env)?;
    let hooks = seen.said.iter().filter(|word| *word == "hook").count();
    let line = seen.wrote.contains("failfast: requested: enough (thread `main`, pid ");
    let hook = (hooks == 1, seen.reported("hook").to_owned());
    let expected = case.expected();
    let is_right = seen.signal() == Some(expected.end)
        && hooks <= 1
        && !seen.said.iter().any(|word| ["handler", "it goes on"].contains(&&**word))
        && must_say(case.fault).iter().all(|word| seen.said.iter().any(|said| said == word))
        && (line, hook) == (expected.line, (expected.hook, expected.reported.to_owned()));
    if is_right { Ok(()) } else { Err(format!("expected {expected:#?}, seen {seen:#?}")) }
}
