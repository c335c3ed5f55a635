//! Runs a case in a child process, which is the same program again, and tells how it ended.
//!
//! What happens in the child, it says on standard output, a word a line.

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "tests make their troubles by runs of system calls, of which none is argued alone"
)]

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Names the case, in a child's environment.
const CASE: &str = "DYING_CASE";
/// The same, for who must not allocate.
pub const CASE_C: &CStr = c"DYING_CASE";
/// A child that takes longer hangs. Generous: only a bound.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// The case that this process is to run, if it is a child.
pub fn requested() -> Option<String> {
    std::env::var(CASE).ok()
}

/// How a child has ended.
#[derive(Debug)]
pub struct Seen {
    status: ExitStatus,
    /// The words it said.
    pub said: Vec<String>,
    /// What it wrote to standard error.
    pub wrote: String,
    /// Its report, if there is one.
    pub report: Option<Value>,
}

impl Seen {
    /// The signal that has ended it.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// What the report says under this name; empty if there is no report.
    pub fn reported(&self, name: &str) -> &str {
        self.report.as_ref().map_or("", |report| report[name].as_str().unwrap_or("?"))
    }
}

/// Runs the case of this name in a child.
///
/// # Errors
///
/// In words, if the child cannot be run or hangs, or its report is no JSON.
pub fn run(name: &str, env: &[(&str, &str)]) -> Result<Seen, String> {
    let folder = format!("dying-{}-{}", std::process::id(), name.replace(' ', "-"));
    let folder = std::env::temp_dir().join(folder);
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let seen = run_in(&folder, name, env);
    let _ = std::fs::remove_dir_all(folder);
    seen
}

fn run_in(folder: &Path, name: &str, env: &[(&str, &str)]) -> Result<Seen, String> {
    let report = folder.join("report.json");
    let file =
        |name| File::options().create_new(true).read(true).write(true).open(folder.join(name));
    let (mut said, mut wrote) = (file("said").unwrap(), file("wrote").unwrap());
    let mut command = command(name, &report, &said, &wrote);
    let mut child = command.envs(env.iter().copied()).spawn().map_err(|e| e.to_string())?;
    let status = wait(&mut child)?;
    let said = text(&mut said).lines().map(str::to_owned).collect();
    let report = match std::fs::read_to_string(report) {
        Ok(text) => Some(serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?),
        Err(_) => None,
    };
    Ok(Seen { status, said, wrote: text(&mut wrote), report })
}

fn command(name: &str, report: &Path, said: &File, wrote: &File) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(CASE, name).env("RUST_BACKTRACE", "0").env("FAILFAST_REPORT", report);
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

/// In a child: says a word, by one system call and without the heap.
pub fn say(word: &str) {
    let mut line = [0_u8; 64];
    line[..word.len()].copy_from_slice(word.as_bytes());
    line[word.len()] = b'\n';
    // SAFETY: so many bytes are readable.
    unsafe { libc::write(1, line.as_ptr().cast(), word.len() + 1) };
}
