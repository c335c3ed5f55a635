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

use failfast_alloc::FailFast;
use failfast_alloc_dying::run;
use failfast_alloc_rows::Test;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() -> ExitCode {
    failfast_alloc_rows::main(cases::all(), Vec::new())
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
        let timeout = if self.fault == cases::Fault::Hang { "1200ms" } else { "20s" };
        let mut env = vec![("FAILFAST_HOOK_TIMEOUT", timeout)];
        env.extend(self.phase.program().map(|program| ("FAILFAST_EXEC", program)));
        let seen = run(&self.name, &env)?;
        let hooks = seen.said().iter().filter(|word| **word == "hook").count();
        let line = seen.wrote().contains("failfast: requested: enough (thread `main`, pid ");
        let hook = (hooks == 1, seen.reported("hook").to_owned());
        let expected = self.expected();
        let is_right = seen.signal() == Some(expected.end)
            && hooks <= 1
            && (line, hook) == (expected.line, (expected.hook, expected.reported.to_owned()));
        if is_right { Ok(()) } else { Err(format!("expected {expected:#?}, seen {seen:#?}")) }
    }
}
