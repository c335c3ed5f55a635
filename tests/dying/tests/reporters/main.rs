//! Beside the handlers of `crash-handler`, attached before ours and after: who is told of what, in
//! which order, and how the process ends whatever the other one does.

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
        let mut env = vec![("FAILFAST_BUDGET", "32MiB")];
        // A hanging callback is held to its own time, which is half a second, and not to this.
        env.push(("FAILFAST_HOOK_TIMEOUT", "10m"));
        env.extend(self.env);
        let seen = run(&self.name, &env)?;
        let cause = seen.reported("cause");
        let is_right =
            seen.signal() == Some(self.end) && seen.said() == self.says && cause == self.cause;
        if is_right { Ok(()) } else { Err(format!("{seen:#?}")) }
    }
}
