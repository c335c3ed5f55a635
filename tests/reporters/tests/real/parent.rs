//! Runs a case in a child process, and judges how it ended.

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cases::Case;

/// Names the case, in a child's environment.
pub(crate) const CASE: &str = "REPORTERS_CASE";
pub(crate) const CASE_C: &CStr = c"REPORTERS_CASE";
/// A child that takes longer hangs. Generous: only a bound.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// The case that this process is to run, if it is a child.
pub(crate) fn requested() -> Option<String> {
    std::env::var(CASE).ok()
}

/// Runs a case, and says what was not as it should be.
pub(crate) fn check(case: &Case) -> Result<(), String> {
    let name = case.name.replace(' ', "-");
    let folder = std::env::temp_dir().join(format!("reporters-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let checked = run(case, &folder);
    let _ = std::fs::remove_dir_all(folder);
    checked
}

fn run(case: &Case, folder: &Path) -> Result<(), String> {
    let report = folder.join("report.json");
    let file =
        |name| File::options().create_new(true).read(true).write(true).open(folder.join(name));
    let (mut said, mut wrote) = (file("said").unwrap(), file("wrote").unwrap());
    let mut child = command(case, &report, &said, &wrote).spawn().map_err(|e| e.to_string())?;
    let status = wait(&mut child)?;
    let (said, wrote) = (text(&mut said), text(&mut wrote));
    let report = std::fs::read_to_string(report).ok().map(|text| {
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    });
    let cause = report.as_ref().map_or("", |report| report["cause"].as_str().unwrap_or("?"));
    let said = said.lines().collect::<Vec<_>>();
    if (status.signal(), &*said, cause) == (Some(case.end), case.says, case.cause) {
        return Ok(());
    }
    Err(format!(
        "ended with {status}; it said {said:?}; the cause is `{cause}`; it wrote:\n{wrote}"
    ))
}

fn command(case: &Case, report: &Path, said: &File, wrote: &File) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(CASE, &case.name).env("RUST_BACKTRACE", "0");
    command.env("FAILFAST_BUDGET", "32MiB").env("FAILFAST_REPORT", report);
    // A hanging callback is held to its own time, which is half a second, and not to this.
    command.env("FAILFAST_HOOK_TIMEOUT", "10m").envs(case.env.iter().copied());
    command.stdin(Stdio::null());
    command.stdout(said.try_clone().unwrap()).stderr(wrote.try_clone().unwrap());
    // SAFETY: `setrlimit` is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &none);
            Ok(())
        });
    }
    command
}

fn wait(child: &mut Child) -> Result<ExitStatus, String> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        if start.elapsed() > HANGS_AFTER {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("hung for {HANGS_AFTER:?}"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a file of ours");
    String::from_utf8_lossy(&bytes).into_owned()
}
