//! Judges how a scenario's child has ended.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;
use std::time::Duration;

use failfast_alloc_rows::Test;
use failfast_alloc_rows::child::{self, Ended, HANGS_AFTER};

use crate::{End, Scenario};

impl Test for &'static Scenario {
    fn name(&self) -> &str {
        self.name
    }

    fn body(&self) {
        (self.run)();
    }

    fn check(&self) -> Result<(), String> {
        let mut command = child::command(self.name);
        command.envs(self.env.iter().chain(&self.set).copied()).stderr(Stdio::piped());
        if let Some(f) = self.before_exec {
            // SAFETY: what scenarios do there is async-signal-safe.
            unsafe {
                command.pre_exec(move || {
                    f();
                    Ok(())
                });
            }
        }
        judge(self.end, &child::run(&mut command, hangs_after())?)
    }
}

fn judge(end: End, ended: &Ended) -> Result<(), String> {
    let (status, text) = (ended.status, &ended.err);
    let last = text.lines().last().unwrap_or_default();
    let right = match end {
        End::Success => status.success(),
        End::Says(line) => status.success() && last.contains(line),
        End::SaysOnly(line) => status.success() && text.lines().count() == 1 && last.contains(line),
        End::Abort(line) => status.signal() == Some(libc::SIGABRT) && last.contains(line),
        End::Exit(code, line) => status.code() == Some(code) && last.contains(line),
        End::Killed(signal) => status.signal() == Some(signal) && text.is_empty(),
        End::AbortAnd(judge) => {
            judge(text).map_err(|wrong| format!("{wrong}; {status}; it wrote:\n{text}"))?;
            status.signal() == Some(libc::SIGABRT)
        }
    };
    if right { Ok(()) } else { Err(format!("ended with {status}; it wrote:\n{text}")) }
}

/// A scenario may be asked to take longer.
fn hangs_after() -> Duration {
    let asked = std::env::var(crate::tree::SECONDS).ok().and_then(|text| text.parse().ok());
    HANGS_AFTER + Duration::from_secs(asked.unwrap_or(0))
}
