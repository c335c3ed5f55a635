//! The line on standard error.
//!
//! Layer 2.  Plane: data.
//!
//! It is for people: what was asked for, by whom, and what stood in the way. Its forms are part of
//! the crate's interface and do not change.

use super::text::{ELLIPSIS, OneLine};
use super::writer::FixedWriter;
use super::{Account, Cause, Report, StackSpan};
use core::fmt::{self, Write as _};

/// A buffer of this size takes every line whole, newline included. A pipe takes as much in one
/// piece.
pub(crate) const LINE_BYTES_MAX: usize = 4096;

/// The most bytes a message is given on the line.
const MESSAGE_SHOWN_BYTES_MAX: usize = 2048;

/// What the line says, from the cause on. A report has it all; what is said without a report
/// (`observe`) needs no more than this.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) cause: Cause,
    pub(crate) message: Option<&'a str>,
    /// Whether the message went on.
    pub(crate) message_is_cut: bool,
    pub(crate) account: &'a Account,
    pub(crate) requested: usize,
    pub(crate) stack: Option<StackSpan>,
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    pub(crate) thread: Option<&'a str>,
}

impl Report {
    /// The line, with its newline.
    pub(crate) fn line(&self, out: &mut FixedWriter<'_>) {
        // A `FixedWriter` cuts; it never fails.
        let _ = write!(out, "{self}");
        out.end_line();
    }

    fn as_line(&self) -> Line<'_> {
        Line {
            cause: self.cause,
            message: self.message(),
            message_is_cut: self.message.dropped() > 0,
            account: &self.account,
            requested: self.requested,
            stack: self.stack,
            pid: self.pid,
            tid: self.tid,
            thread: self.thread(),
        }
    }
}

/// The line on standard error, without its newline.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failfast: {}", self.as_line())
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.cause)?;
        let (who, pid) = (Who(self), self.pid);
        match self.cause {
            Cause::HeapBudget | Cause::AllocatorRefused => {
                self.write_request(f)?;
                write!(f, " with {} ({who}, pid {pid})", Live(self.account))
            }
            Cause::LedgerUnsettled => {
                self.write_request(f)?;
                f.write_str(" and the kernel refuses membarrier and sched_setaffinity, ")?;
                write!(f, "so its budget cannot be checked ({who}, pid {pid})")
            }
            Cause::StackBudget => {
                self.write_stack_used(f)?;
                write!(f, " (pid {pid})")
            }
            Cause::StackOverflow => {
                self.write_stack_end(f)?;
                write!(f, " (pid {pid})")
            }
            Cause::Requested => {
                self.write_message(f)?;
                write!(f, " ({who}, pid {pid})")
            }
        }
    }
}

impl Line<'_> {
    fn write_request(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cluster = OneLine::whole(self.account.name.as_str());
        write!(f, "cluster `{cluster}` asked for {} bytes", self.requested)
    }

    fn write_stack_used(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(stack) = self.stack else { return write!(f, "{} used up its stack", Who(self)) };
        let may_use = stack.budget.unwrap_or(stack.size());
        write!(f, "{} used {} of {may_use} bytes of stack", Who(self), stack.used)
    }

    fn write_stack_end(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(stack) = self.stack else { return write!(f, "{} hit its guard page", Who(self)) };
        let (address, size) = (stack.address, stack.size());
        write!(f, "{} hit its guard page at {address:#x}, {size} bytes of stack", Who(self))
    }

    fn write_message(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(text) = self.message else { return f.write_str("no message") };
        write!(f, "{}", OneLine { text, bytes_max: MESSAGE_SHOWN_BYTES_MAX })?;
        if self.message_is_cut { f.write_char(ELLIPSIS) } else { Ok(()) }
    }
}

/// The thread, by name or else by number.
struct Who<'a>(&'a Line<'a>);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.thread {
            Some(name) => write!(f, "thread `{}`", OneLine::whole(name)),
            None => write!(f, "thread {}", self.0.tid),
        }
    }
}

/// What is live, and of how much.
struct Live<'a>(&'a Account);

impl fmt::Display for Live<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.budget {
            Some(budget) => write!(f, "{} of {budget} live", self.0.live),
            None => write!(f, "{} live, no budget", self.0.live),
        }
    }
}
