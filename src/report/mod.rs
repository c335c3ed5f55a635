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
    /// It did not run: other threads could not be shown to have stopped, or nobody was there to
    /// hold to the deadline.
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

    /// Where the thread was: return addresses, innermost first; 64 at most. Empty if they could not
    /// be had. Of a longer one the innermost and the outermost frames are there, and
    /// [`backtrace_gap`](Self::backtrace_gap) says what is not.
    #[must_use]
    pub fn backtrace(&self) -> &[usize] {
        self.backtrace.addresses()
    }

    /// What is left out in the middle of [`backtrace`](Self::backtrace). `None` if nothing is; and
    /// if the walk took too long to reach the outermost frames, so that none of those is there.
    ///
    /// # Examples
    ///
    /// ```
    /// fn write_backtrace(report: &failfast_alloc::Report, out: &mut dyn std::fmt::Write) {
    ///     let gap = report.backtrace_gap();
    ///     for (place, address) in report.backtrace().iter().enumerate() {
    ///         if let Some(gap) = gap.filter(|gap| gap.after == place) {
    ///             let _ = writeln!(out, "... {} frames ...", gap.frames);
    ///         }
    ///         let _ = writeln!(out, "{address:#x}");
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn backtrace_gap(&self) -> Option<BacktraceGap> {
        self.backtrace.gap(self.backtrace.addresses().len())
    }

    /// The registers of the thread where it failed: a pointer to a `ucontext_t`, as a signal
    /// handler gets one. For crash reporters, whose own record of a crash is made of it.
    ///
    /// For a fault (a stack that overflowed) it is the kernel's own and complete. Else it holds
    /// what an unwinder needs: the instruction, the stack, and the registers that a call preserves,
    /// of the function that began to end the process; all else in it is zero, and on x86-64
    /// `uc_mcontext.fpregs` is null. Nothing in it may be written.
    ///
    /// In an abort hook it is never null, and what it points to stays until the process has gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use failfast_alloc::Report;
    ///
    /// # #[cfg(target_arch = "x86_64")]
    /// fn stack_pointer(report: &Report) -> usize {
    ///     let context = report.context().cast::<libc::ucontext_t>();
    ///     // SAFETY: a `ucontext_t` while the hook runs.
    ///     let machine = unsafe { &(*context).uc_mcontext };
    ///     machine.gregs[libc::REG_RSP as usize] as usize
    /// }
    ///
    /// // SAFETY: reads one word, which nothing changes.
    /// unsafe {
    ///     failfast_alloc::set_abort_hook(|report| {
    ///         # #[cfg(target_arch = "x86_64")]
    ///         let _at = stack_pointer(report);
    ///     });
    /// }
    /// # failfast_alloc::take_abort_hook();
    /// ```
    #[must_use]
    pub fn context(&self) -> *const core::ffi::c_void {
        core::ptr::with_exposed_provenance(self.context)
    }

    /// The thread's stack, if that is what ran out.
    #[must_use]
    pub fn stack(&self) -> Option<StackSpan> {
        self.stack
    }
}

#[cfg(test)]
mod tests;
