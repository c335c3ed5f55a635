//! Runs a scenario in a child process, and judges how it ended.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use crate::{End, Scenario};

/// Names the scenario, in a child's environment.
const NAME: &str = "SUITE_SCENARIO";
/// A child that takes longer hangs. Generous: the machine may be slow, and it is only a bound.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// The scenario that this process is to run, if it is a child.
pub(crate) fn requested() -> Option<String> {
    std::env::var(NAME).ok()
}

/// Runs a scenario in a child, and says what was wrong with its end.
pub(crate) fn check(scenario: &'static Scenario) -> Result<(), Failed> {
    let mut child = spawn(scenario)?;
    let mut stderr = child.stderr.take().expect("piped");
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let status = wait(&mut child)?;
    let text = reader.join().map_err(|_| "the reader panicked")?;
    let last = text.lines().last().unwrap_or_default();
    let right = match scenario.end {
        End::Success => status.success(),
        End::Says(line) => status.success() && last.contains(line),
        End::SaysOnly(line) => status.success() && text.lines().count() == 1 && last.contains(line),
        End::Abort(line) => status.signal() == Some(libc::SIGABRT) && last.contains(line),
        End::Exit(code, line) => status.code() == Some(code) && last.contains(line),
        End::Killed(signal) => status.signal() == Some(signal) && text.is_empty(),
        End::AbortAnd(judge) => {
            judge(&text).map_err(|wrong| format!("{wrong}; {status}; it wrote:\n{text}"))?;
            status.signal() == Some(libc::SIGABRT)
        }
    };
    if right { Ok(()) } else { Err(format!("ended with {status}; it wrote:\n{text}").into()) }
}

fn spawn(scenario: &'static Scenario) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(NAME, scenario.name).envs(scenario.env.iter().chain(&scenario.set).copied());
    command.env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // SAFETY: `setrlimit`, and what scenarios do there, are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &none);
            if let Some(f) = scenario.before_exec {
                f();
            }
            Ok(())
        });
    }
    command.spawn()
}

fn wait(child: &mut Child) -> Result<std::process::ExitStatus, Failed> {
    let start = Instant::now();
    let asked = std::env::var(crate::tree::SECONDS).ok().and_then(|text| text.parse().ok());
    let hangs_after = HANGS_AFTER + Duration::from_secs(asked.unwrap_or(0));
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > hangs_after {
            child.kill()?;
            child.wait()?;
            return Err(format!("hung for {hangs_after:?}").into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
