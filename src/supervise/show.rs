//! Verdicts for people.
//!
//! Layer 8.  Plane: control.

use std::fmt;

use crate::cause::Cause;

use super::death::{Death, Halt, Hook};
use super::verdict::{Reason, Verdict};

/// `heap budget: cluster root asked for 1048576 bytes with 66584576 of 67108864 live (thread main,
/// pid 4711); hook ran`, on one line.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = self.start_error() {
            return write!(f, "not started: {error}");
        }
        if let Some(death) = self.death() {
            show_death(&death, self.pid(), f)?;
            return self.show_end(f);
        }
        match self.reason() {
            Reason::KernelOomKill => write!(f, "killed by the kernel, which was out of memory")?,
            Reason::Signal(signal) => write!(f, "ended by {}", Signal(signal))?,
            Reason::Exit(status) => write!(f, "exited with {status}")?,
            _ if self.is_record_damaged() => {
                write!(f, "unknown: its record is damaged")?;
                self.show_end(f)?;
            }
            _ => write!(f, "unknown: somebody else has reaped it")?,
        }
        write!(f, " (pid {}", self.pid())?;
        if self.attached().is_none() {
            write!(f, ", without failfast-alloc")?;
        }
        write!(f, ")")
    }
}

/// What it comes to. The record that it is of has thousands of words.
impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdict")
            .field("reason", &self.reason())
            .field("class", &self.class())
            .field("pid", &self.pid())
            .field("exit_code", &self.exit_code())
            .field("signal", &self.signal())
            .field("says", &format_args!("{self}"))
            .finish_non_exhaustive()
    }
}

impl Verdict {
    /// How the kernel says it ended, where that is not what the rest lets expect.
    fn show_end(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.signal(), self.exit_code()) {
            (Some(6), _) => Ok(()),
            (Some(signal), _) => write!(f, "; ended by {}", Signal(signal)),
            (_, Some(status)) => write!(f, "; exited with {status}"),
            _ => Ok(()),
        }
    }
}

fn show_death(death: &Death<'_>, pid: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}", death.cause())?;
    if death.has_figures() {
        match death.cause() {
            Cause::StackBudget | Cause::StackOverflow => {
                if let Some(stack) = death.stack() {
                    let of = stack.budget.unwrap_or(stack.size());
                    write!(f, ": {} of {of} bytes of stack in use", stack.used)?;
                }
            }
            Cause::Requested => {
                write!(f, ": {}", death.message().unwrap_or("no message").escape_debug())?;
            }
            _ => show_request(death, f)?,
        }
    }
    match death.thread() {
        Some(thread) => write!(f, " (thread `{}`, pid {pid})", thread.escape_debug())?,
        None => write!(f, " (thread {}, pid {pid})", death.tid())?,
    }
    match death.hook() {
        Hook::None => {}
        Hook::Ran => write!(f, "; the hook has run")?,
        Hook::TimedOut => write!(f, "; the hook was stopped at the deadline")?,
        Hook::Crashed(how) => write!(f, "; the hook has crashed ({how})")?,
        Hook::Skipped => write!(f, "; the hook was skipped")?,
        Hook::Replaced => write!(f, "; it has become another program")?,
        Hook::Unfinished => write!(f, "; the hook has not ended")?,
        Hook::NotReached => write!(f, "; it was ended while dying")?,
    }
    match death.halt() {
        Halt::Unproven => write!(f, "; not all threads were shown to have stopped"),
        _ => Ok(()),
    }
}

fn show_request(death: &Death<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (cluster, live) = (death.cluster().escape_debug(), death.live());
    write!(f, ": cluster `{cluster}` asked for {} bytes with {live}", death.requested())?;
    match death.budget() {
        Some(budget) => write!(f, " of {budget} live"),
        None => write!(f, " live, no budget"),
    }
}

/// A signal, by its name where it has one. Numbers are Linux's on x86-64 and aarch64.
struct Signal(i32);

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 31] = [
            "SIGHUP",
            "SIGINT",
            "SIGQUIT",
            "SIGILL",
            "SIGTRAP",
            "SIGABRT",
            "SIGBUS",
            "SIGFPE",
            "SIGKILL",
            "SIGUSR1",
            "SIGSEGV",
            "SIGUSR2",
            "SIGPIPE",
            "SIGALRM",
            "SIGTERM",
            "SIGSTKFLT",
            "SIGCHLD",
            "SIGCONT",
            "SIGSTOP",
            "SIGTSTP",
            "SIGTTIN",
            "SIGTTOU",
            "SIGURG",
            "SIGXCPU",
            "SIGXFSZ",
            "SIGVTALRM",
            "SIGPROF",
            "SIGWINCH",
            "SIGIO",
            "SIGPWR",
            "SIGSYS",
        ];
        let name = usize::try_from(self.0 - 1).ok().and_then(|at| NAMES.get(at));
        match name {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}
