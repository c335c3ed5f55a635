//! Runs an agent in a child process, with nothing of ours in its environment but what a test says.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use failfast_alloc_rows::child;
pub(crate) use failfast_alloc_rows::child::Ended;
use failfast_alloc_rows::tools;
use serde_json::Value;

/// The agent with `FailFast` as its allocator.
pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_js-agent");

/// A child that takes longer hangs. Generous: the machine may be slow, and it is only a bound.
const HANGS_AFTER: Duration = Duration::from_secs(120);
/// What the children have of stack, whatever the tests were started with.
const STACK_BYTES: u64 = 8 << 20;

/// A file of the folder `scripts`.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name)
}

/// Runs one of the agents to its end.
pub(crate) fn run(agent: &str, arguments: &[&Path], environment: &[(&str, &str)]) -> Ended {
    let mut command = child::of(agent);
    command.args(arguments).envs(environment.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let limit = || {
        tools::set_limit(libc::RLIMIT_STACK, STACK_BYTES);
        Ok(())
    };
    // SAFETY: all that it calls is `setrlimit`, which is async-signal-safe.
    unsafe { command.pre_exec(limit) };
    child::run(&mut command, HANGS_AFTER).unwrap()
}

/// Runs a script that must die of SIGABRT with its standard output as given and `line` as all that
/// is on standard error; `line` makes it of the report, which is checked as far as all have it.
pub(crate) fn dies(
    arguments: &[&Path],
    environment: &[(&str, &str)],
    stdout: &str,
    line: impl FnOnce(&Value) -> String,
) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let mut environment = environment.to_vec();
    environment.push(("FAILFAST_REPORT", file.to_str().unwrap()));
    let outcome = run(AGENT, arguments, &environment);

    assert_eq!(outcome.out, stdout, "standard error: {}", outcome.err);
    assert_eq!(outcome.status.signal(), Some(libc::SIGABRT), "{}", outcome.err);
    let report = std::fs::read_to_string(&file).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(outcome.err, line(&report) + "\n", "the report is {report}");
    assert_eq!(report["failfast"], 1);
    assert_eq!(report["cluster"], "root");
    assert_eq!(report["thread"], "main");
    assert_eq!(report["pid"], outcome.pid);
    report
}

/// A member of a report that must be there, and a number.
pub(crate) fn number(report: &Value, member: &str) -> u64 {
    report[member].as_u64().unwrap_or_else(|| panic!("no number `{member}` in {report}"))
}
