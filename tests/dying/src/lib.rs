//! Runs a case in a child process, and tells how it ended.
//!
//! What happens in the child, it says on standard output, a word a line.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use failfast_alloc_rows::child::{self, Ended, HANGS_AFTER};
use serde_json::Value;

/// How a child has ended.
#[derive(Debug)]
pub struct Seen {
    ended: Ended,
    /// Its report, if there is one.
    pub report: Option<Value>,
}

impl Seen {
    /// The signal that has ended it.
    pub fn signal(&self) -> Option<i32> {
        self.ended.status.signal()
    }

    /// The words it said.
    pub fn said(&self) -> Vec<&str> {
        self.ended.out.lines().collect()
    }

    /// What it wrote to standard error.
    pub fn wrote(&self) -> &str {
        &self.ended.err
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
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let report = folder.path().join("report.json");
    let mut command = child::command(name);
    command.env("FAILFAST_REPORT", &report).envs(env.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = child::run(&mut command, HANGS_AFTER)?;
    let report = match std::fs::read_to_string(report) {
        Ok(text) => Some(serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?),
        Err(_) => None,
    };
    Ok(Seen { ended, report })
}

/// In a child: says a word, by one system call and without the heap.
pub fn say(word: &str) {
    let mut line = [0_u8; 64];
    line[..word.len()].copy_from_slice(word.as_bytes());
    line[word.len()] = b'\n';
    // SAFETY: so many bytes are readable.
    unsafe { libc::write(1, line.as_ptr().cast(), word.len() + 1) };
}
