//! What is known about a death.
//!
//! Layer 2.  Plane: data.
//!
//! A [`Report`] is plain data of fixed size. `terminate` fills it, phase by phase; this module
//! formats it, and never writes anywhere. All of it runs while the process dies, so none of it
//! allocates, locks or panics: the lints below hold the last.
//!
//! * `line`: the line on standard error.
//! * `json`: the report itself.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod backtrace;
mod clusters;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod json;
mod line;
mod members;
mod modules;
mod stack;
mod text;
mod time;
pub(crate) mod writer;

pub(crate) use backtrace::Backtrace;
pub use backtrace::BacktraceGap;
pub(crate) use clusters::{Account, Clusters, NAME_BYTES_MAX};
pub(crate) use json::JSON_BYTES_MAX;
pub(crate) use line::{LINE_BYTES_MAX, Line};
pub use stack::{FoundBy, StackKind, StackSpan};
pub(crate) use text::Text;
pub(crate) use time::Timestamp;

use crate::cause::Cause;

/// The most bytes that are kept of a message.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1024;

/// The most bytes that are kept of a thread's name. The kernel keeps 15.
pub(crate) const THREAD_BYTES_MAX: usize = 64;

/// What is known about a death.
///
/// An abort hook is given one; [`Display`](core::fmt::Display) is the line that went to standard
/// error, without its newline, and [`write_json`](Self::write_json) the report in JSON.
#[derive(Clone, Debug)]
pub struct Report {
    pub(crate) cause: Cause,
    pub(crate) message: Text<MESSAGE_BYTES_MAX>,
    /// The cluster that failed: of several without room, the innermost.
    pub(crate) account: Account,
    pub(crate) requested: usize,
    pub(crate) align: usize,
    pub(crate) resident: Option<usize>,
    pub(crate) cgroup_current: Option<u64>,
    pub(crate) cgroup_limit: Option<u64>,
    pub(crate) stack: Option<StackSpan>,
    /// The address of a `ucontext_t`, or zero; a number, so that a report may be sent and shared.
    pub(crate) context: usize,
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    pub(crate) thread: Text<THREAD_BYTES_MAX>,
    pub(crate) time: Timestamp,
    pub(crate) threads: Option<Threads>,
    pub(crate) halt: Halt,
    pub(crate) hook: HookOutcome,
    pub(crate) backtrace: Backtrace,
    pub(crate) clusters: Clusters,
}

/// The other threads of the process, as they were told to stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Threads {
    /// How many there were.
    pub(crate) seen: u32,
    /// How many are known to have stopped.
    pub(crate) halted: u32,
}

/// Whether every other thread is known to have stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Halt {
    /// Every one has.
    Proven,
    /// Some may still run.
    Unproven,
}

/// What became of the abort hook, as far as the report can know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HookOutcome {
    /// There was none.
    None,
    /// It is to run, or is running.
    Pending,
    /// It returned.
    Ran,
    /// It failed.
    Crashed(Failure),
    /// It had not returned by the deadline.
    Timeout,
    /// Another program takes its place.
    Replaced,
    /// It did not run: other threads could not be shown to have stopped, nobody was there to hold
    /// to the deadline, or that had passed before.
    Skipped,
}

/// How an abort hook has failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    Panic,
    /// `abort`, or `fail_fast`.
    Abort,
    /// `exit`.
    Exit,
    /// A fault: the signal's number.
    Signal(i32),
    /// It needed more than the reserve.
    Reserve,
    /// It overflowed the emergency stack.
    Overflow,
    /// A thread that it had started asked for memory.
    Thread,
}

impl Report {
    /// A report that knows nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            cause: Cause::Requested,
            message: Text::new(),
            account: Account::NONE,
            requested: 0,
            align: 0,
            resident: None,
            cgroup_current: None,
            cgroup_limit: None,
            stack: None,
            context: 0,
            pid: 0,
            tid: 0,
            thread: Text::new(),
            time: Timestamp { seconds: 0, nanoseconds: 0 },
            threads: None,
            halt: Halt::Unproven,
            hook: HookOutcome::None,
            backtrace: Backtrace::new(),
            clusters: Clusters::new(),
        }
    }

    /// Why the cluster died.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// What the program said, if it [asked for the end](crate::fail_fast). At most 1,024 bytes are
    /// kept.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.get()
    }

    /// The name of the cluster that died.
    #[must_use]
    pub fn cluster(&self) -> &str {
        self.account.name.as_str()
    }

    /// How many bytes were asked for. Zero if the cause is no request. For a block that was to
    /// grow: the difference, if the budget had no room for it; the new size, if the inner allocator
    /// refused.
    #[must_use]
    pub fn requested(&self) -> usize {
        self.requested
    }

    /// The alignment that was asked for. Zero if the cause is no request.
    #[must_use]
    pub fn align(&self) -> usize {
        self.align
    }

    /// How many bytes the cluster had live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.account.live
    }

    /// The most bytes the cluster ever had live.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.account.peak
    }

    /// The cluster's budget, if it has one.
    #[must_use]
    pub fn budget(&self) -> Option<usize> {
        self.account.budget
    }

    /// The name of the thread that failed, if it has one. What the kernel held that is not UTF-8
    /// is replaced.
    #[must_use]
    pub fn thread(&self) -> Option<&str> {
        self.thread.get()
    }

    /// The kernel's number of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The kernel's number of the thread that failed.
    #[must_use]
    pub fn tid(&self) -> u32 {
        self.tid
    }

    /// The thread's stack, if that is what ran out.
    #[must_use]
    pub fn stack(&self) -> Option<StackSpan> {
        self.stack
    }
}

#[cfg(test)]
mod tests;
