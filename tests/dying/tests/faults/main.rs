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

use std::process::ExitCode;

use cases::{Fault, Phase};
use failfast_alloc::FailFast;
use failfast_alloc_dying::run;
use failfast_alloc_rows::Test;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() -> ExitCode {
    let code = failfast_alloc_rows::main(cases::all(), Vec::new());
    if failfast_alloc_rows::requested().is_none() {
        let _ = std::fs::remove_file(cases::no_program_path());
    }
    code
}

impl Test for cases::Case {
    fn name(&self) -> &str {
        &self.name
    }

    fn body(&self) {
        child::run(self);
    }

    fn check(&self) -> Result<(), String> {
        // A quarter of it is for the halt, which is not what this is about: so much even on a busy
        // machine.
        let is_short = self.fault == Fault::Hang || self.phase == Phase::Overdue;
        let timeout = if is_short { "1200ms" } else { "20s" };
        let abort = if self.fault == Fault::Forks { "chain" } else { "plain" };
        let mut env = vec![("FAILFAST_HOOK_TIMEOUT", timeout), ("FAILFAST_ABORT", abort)];
        let program = self.program();
        env.extend(program.iter().map(|program| ("FAILFAST_EXEC", &**program)));
        let seen = run(&self.name, &env)?;
        let said = seen.said();
        let hooks = said.iter().filter(|word| **word == "hook").count();
        let line = seen.wrote().contains("failfast: requested: enough (thread `main`, pid ");
        let hook = (hooks == 1, seen.reported("hook").to_owned());
        let expected = self.expected();
        let is_right = seen.signal() == Some(expected.end)
            && hooks <= 1
            && !said.iter().any(|word| ["handler", "it goes on"].contains(word))
            && must_say(self.fault).iter().all(|word| said.contains(word))
            && (line, hook) == (expected.line, (expected.hook, expected.reported.to_owned()));
        if is_right { Ok(()) } else { Err(format!("expected {expected:#?}, seen {seen:#?}")) }
    }
}

/// What the child says, beside what it is about.
fn must_say(fault: Fault) -> &'static [&'static str] {
    match fault {
        Fault::Looks => &["it stands"],
        Fault::Forks => &["told in the child", "told"],
        _ => &[],
    }
}
