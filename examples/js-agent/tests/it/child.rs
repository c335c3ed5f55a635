//! Runs an agent in a child process, with nothing of ours in its environment but what a test says.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use wait_timeout::ChildExt;

/// The agent with `FailFast` as its allocator.
pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_js-agent");

/// A child that takes longer hangs. Generous: the machine may be slow, and it is only a bound.
const HANGS_AFTER: Duration = Duration::from_secs(120);
/// What the children have of stack, whatever the tests were started with.
const STACK_BYTES: u64 = 8 << 20;

/// How a child ended, and what it said.
pub(crate) struct Outcome {
    pub(crate) pid: u32,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A file of the folder `scripts`.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name)
}

/// Runs one of the agents to its end.
pub(crate) fn run(agent: &str, arguments: &[&Path], environment: &[(&str, &str)]) -> Outcome {
    let [mut stdout, mut stderr] = [(); 2].map(|()| tempfile::tempfile().unwrap());
    let mut command = Command::new(agent);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"FAILFAST_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    command.stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    // SAFETY: all that `limit` calls is `setrlimit`, which is async-signal-safe.
    unsafe { command.pre_exec(limit) };
    let mut child = command.spawn().unwrap();
    let status = wait(&mut child);
    let [stdout, stderr] = [&mut stdout, &mut stderr].map(text);
    Outcome { pid: child.id(), status, stdout, stderr }
}

/// No core dumps, which these tests would leave by the dozen, and a stack of a known size.
fn limit() -> io::Result<()> {
    for (resource, bytes) in [(libc::RLIMIT_CORE, 0), (libc::RLIMIT_STACK, STACK_BYTES)] {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: `limit` is a whole `rlimit` that outlives the call.
        if unsafe { libc::setrlimit(resource, &limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn wait(child: &mut Child) -> ExitStatus {
    if let Some(status) = child.wait_timeout(HANGS_AFTER).unwrap() {
        return status;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("the agent hung for {HANGS_AFTER:?}, and was killed");
}

fn text(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
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

    assert_eq!(outcome.stdout, stdout, "standard error: {}", outcome.stderr);
    assert_eq!(outcome.status.signal(), Some(libc::SIGABRT), "{}", outcome.stderr);
    let report = std::fs::read_to_string(&file).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(outcome.stderr, line(&report) + "\n", "the report is {report}");
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
