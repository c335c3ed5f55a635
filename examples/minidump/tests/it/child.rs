//! Runs the program in a child process.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};

use failfast_alloc_rows::child::{self, HANGS_AFTER};
use serde_json::Value;
use tempfile::TempDir;

/// The program, before it dies.
pub(crate) struct Program {
    child: Child,
    folder: TempDir,
    /// The process that writes the minidump.
    pub(crate) server: i32,
}

/// How it died, and what it left.
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
    folder: TempDir,
}

/// Starts the program, and returns when all is ready for its death.
pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Program {
    let folder = tempfile::tempdir().unwrap();
    let mut command = child::of(env!("CARGO_BIN_EXE_minidump-example"));
    command.arg("die").args(arguments).arg("--wait").arg("--dumps").arg(folder.path());
    command.env("FAILFAST_BUDGET", "16MiB").env("FAILFAST_REPORT", folder.path().join("report"));
    command.envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(File::create(folder.path().join("stderr")).unwrap());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let server = line.trim().rsplit(' ').next().unwrap();
    let server = server.parse().unwrap_or_else(|_| panic!("no server in {line:?}"));
    Program { child, folder, server }
}

impl Program {
    /// The process that dies.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Lets it die.
    pub(crate) fn let_die(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
    }

    /// Waits until its report says what it is about to do.
    pub(crate) fn wait_for_report(&mut self) {
        while self.report().is_none() {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended before its report");
            std::thread::yield_now();
        }
    }

    fn report(&self) -> Option<Value> {
        serde_json::from_str(&std::fs::read_to_string(self.folder.path().join("report")).ok()?).ok()
    }

    /// Waits for its death.
    pub(crate) fn end(mut self) -> Outcome {
        drop(self.child.stdin.take());
        let status = child::wait(&mut self.child, HANGS_AFTER).unwrap_or_else(|error| {
            send(self.server, libc::SIGKILL);
            panic!("the program {error}");
        });
        let stderr = std::fs::read_to_string(self.folder.path().join("stderr")).unwrap();
        Outcome { status, stderr, folder: self.folder }
    }
}

impl Outcome {
    pub(crate) fn dump(&self) -> PathBuf {
        self.folder.path().join("crash.dmp")
    }

    /// The report in the file of `FAILFAST_REPORT`.
    pub(crate) fn report(&self) -> Value {
        let mut text = String::new();
        let file = File::open(self.folder.path().join("report"));
        file.unwrap_or_else(|error| panic!("no report ({error}): {}", self.stderr))
            .read_to_string(&mut text)
            .unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// Starts the program, lets it die, and waits.
pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut program = start(arguments, environment);
    program.let_die();
    program.end()
}

pub(crate) fn send(process: i32, signal: i32) {
    // SAFETY: numbers only.
    assert_eq!(unsafe { libc::kill(process, signal) }, 0, "{}", std::io::Error::last_os_error());
}
