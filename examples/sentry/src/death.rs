//! How a program died, from its status and from the report that it left.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use serde_json::Value;

/// How a program died. What is not known is never guessed: SIGKILL may have been the kernel, for
/// want of memory, or anybody.
pub(crate) enum Death {
    /// By our allocator, which says why.
    FailFast(Value),
    /// By a signal of somebody else's.
    Signal(i32),
    /// It has ended itself, and says that it has failed.
    Exit(i32),
}

impl Death {
    /// `None` if all went well. `pid` is what the process was called, `file` where its report is,
    /// if it wrote one.
    pub(crate) fn of(status: ExitStatus, pid: u32, file: &Path) -> Option<Self> {
        if status.success() {
            return None;
        }
        let report = std::fs::read(file).ok().and_then(|json| serde_json::from_slice(&json).ok());
        // A child of the program that died before it has left one too; it is not this death.
        if let Some(report) = report.filter(|report: &Value| report["pid"] == pid) {
            return Some(Self::FailFast(report));
        }
        Some(status.signal().map_or_else(|| Self::Exit(status.code().unwrap_or(-1)), Self::Signal))
    }

    pub(crate) fn report(&self) -> Option<&Value> {
        if let Self::FailFast(report) = self { Some(report) } else { None }
    }

    /// Whether it would happen again: with the same input, the program would do the same to itself.
    /// The other deaths are by what was around it, and may never happen again.
    pub(crate) fn is_deterministic(&self) -> bool {
        match self {
            Self::FailFast(report) => report["cause"] != "allocator-refused",
            Self::Signal(_) => false,
            Self::Exit(_) => true,
        }
    }

    /// One word.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::FailFast(report) => text(report, "cause").to_string(),
            Self::Signal(number) => format!("signal-{number}"),
            Self::Exit(code) => format!("exit-{code}"),
        }
    }
}

/// A member of a report, empty if it is no text.
pub(crate) fn text<'a>(report: &'a Value, member: &str) -> &'a str {
    report[member].as_str().unwrap_or_default()
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = match self {
            Self::FailFast(report) => report,
            Self::Signal(number) => return write!(f, "killed by signal {number}"),
            Self::Exit(code) => return write!(f, "exited with {code}"),
        };
        write!(f, "{} in cluster `{}`", text(report, "cause"), text(report, "cluster"))?;
        match (report["message"].as_str(), report["requested_bytes"].as_u64()) {
            (Some(message), _) => write!(f, ": {message}"),
            (None, Some(bytes)) if bytes > 0 => {
                write!(f, ": {bytes} bytes with {} live", report["live_bytes"])
            }
            _ => Ok(()),
        }
    }
}
