//! What became of a program.
//!
//! Layer 8.  Plane: control.

use std::sync::Arc;

use crate::cause::Cause;
use crate::record::read::Record;
use crate::sys::supervise::{End, Room};

use super::attached::Attached;
use super::death::Death;
use super::error::StartError;

/// Why a program has ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Our allocator has ended it. What became of the dying is in [`Verdict::death`].
    Failed(Cause),
    /// The kernel's out-of-memory killer, by its own count.
    KernelOomKill,
    /// A signal, which our allocator did not send: somebody else's, or a fault or an abort of the
    /// program's own.
    Signal(i32),
    /// It has exited, with this status.
    Exit(i32),
    /// It could not be started, and has not run.
    NotStarted,
    /// It cannot be known: somebody else has reaped it, or its record is damaged.
    Unknown,
}

/// What a death says about the next try.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Class {
    /// It has exited with 0.
    Clean,
    /// The program did it to itself, and would again with the same input: a budget, a stack, a
    /// fault, a status other than 0.
    SelfInflicted,
    /// Its surroundings did it: the machine's memory, somebody's signal. Another try may do.
    Environmental,
    /// It cannot be known.
    Unknown,
}

impl Reason {
    /// Its name for programs: for logs, metrics, alerts. A code never changes its meaning; a later
    /// version may add more of them.
    ///
    /// ```
    /// use failfast_alloc::{Cause, supervise::Reason};
    ///
    /// assert_eq!(Reason::Failed(Cause::HeapBudget).code(), "heap-budget");
    /// assert_eq!(Reason::Signal(9).code(), "signal");
    /// ```
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Failed(cause) => cause.code(),
            Self::KernelOomKill => "kernel-oom-kill",
            Self::Signal(_) => "signal",
            Self::Exit(_) => "exit",
            Self::NotStarted => "not-started",
            Self::Unknown => "unknown",
        }
    }

    /// What it says about the next try.
    ///
    /// ```
    /// use failfast_alloc::{Cause, supervise::{Class, Reason}};
    ///
    /// assert_eq!(Reason::Failed(Cause::StackOverflow).class(), Class::SelfInflicted);
    /// assert_eq!(Reason::KernelOomKill.class(), Class::Environmental);
    /// ```
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Failed(Cause::AllocatorRefused | Cause::LedgerUnsettled)
            | Self::KernelOomKill => Class::Environmental,
            Self::Failed(_) => Class::SelfInflicted,
            Self::Exit(0) => Class::Clean,
            Self::Exit(_) => Class::SelfInflicted,
            // What a thread does to itself (SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV,
            // SIGSYS), and the limits that it was given (SIGXCPU, SIGXFSZ).
            Self::Signal(4 | 5 | 6 | 7 | 8 | 11 | 24 | 25 | 31) => Class::SelfInflicted,
            Self::Signal(_) => Class::Environmental,
            Self::NotStarted | Self::Unknown => Class::Unknown,
        }
    }
}

/// What became of a program: which way it ended, and all that its record says.
///
/// [`Display`](std::fmt::Display) is a line for people. A clone costs a reference count.
///
/// ```no_run
/// use failfast_alloc::Cause;
/// use failfast_alloc::supervise::{Command, Reason};
///
/// let verdict = Command::new("./server").spawn()?.wait()?;
/// match verdict.reason() {
///     Reason::Failed(Cause::HeapBudget) => {
///         let death = verdict.death().expect("it has failed");
///         println!("{} had {} bytes", death.cluster(), death.live());
///     }
///     reason => println!("{}", reason.code()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Verdict(Arc<Facts>);

/// All of it.
#[derive(Debug)]
pub(super) struct Facts {
    /// The record's copy. None if it was not started.
    pub(super) copy: Option<Room>,
    nonce: u64,
    pid: u32,
    end: Option<End>,
    kills: u64,
    reason: Reason,
    start: Option<StartError>,
}

impl Facts {
    /// None yet.
    pub(super) fn new(copy: Option<Room>, nonce: u64) -> Self {
        Self { copy, nonce, pid: 0, end: None, kills: 0, reason: Reason::Unknown, start: None }
    }

    fn record(&self) -> Record<'_> {
        Record { words: self.copy.as_ref().map_or(&[], Room::words), nonce: self.nonce }
    }

    /// Notes how it ended, and judges. Of the out-of-memory killer's `kills` in its group, those
    /// `before` are known not to have been its own.
    pub(super) fn settle(&mut self, pid: u32, end: Option<End>, (kills, before): (u64, u64)) {
        (self.pid, self.end, self.kills) = (pid, end, kills);
        self.reason = judge(self.record(), end, kills.saturating_sub(before));
    }
}

/// Why the process has ended. What our allocator has begun it has also finished, whatever the
/// kernel says the end was; and a page that makes no sense makes a guess of all else.
fn judge(record: Record<'_>, end: Option<End>, kills: u64) -> Reason {
    if let Ok(Some(elected)) = record.elected() {
        return Reason::Failed(elected.cause);
    }
    match end {
        _ if record.is_damaged() => Reason::Unknown,
        None => Reason::Unknown,
        Some(End::Exited(status)) => Reason::Exit(status),
        Some(End::Killed { signal: 9, .. }) if kills > 0 => Reason::KernelOomKill,
        Some(End::Killed { signal, .. }) => Reason::Signal(signal),
    }
}

impl Verdict {
    pub(super) fn new(facts: Arc<Facts>) -> Self {
        Self(facts)
    }

    /// Why the program has ended.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// [`Reason::code`].
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.reason.code()
    }

    /// What it says about the next try: [`Reason::class`]; for a program that could not be started,
    /// [`StartError::class`].
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.start.as_ref().map_or(self.0.reason.class(), StartError::class)
    }

    /// Whether the same input would end the same way.
    #[must_use]
    pub fn is_deterministic(&self) -> bool {
        matches!(self.class(), Class::Clean | Class::SelfInflicted)
    }

    /// Whether it has exited with 0, without having failed before.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.class() == Class::Clean
    }

    /// The number that the program had; 0 if it was not started.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// The exit status, as the kernel says: of the program that ours has become, if it has become
    /// another (see [`Hook::Replaced`](super::Hook::Replaced)); 134 if it has died as pid 1.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        let Some(End::Exited(status)) = self.0.end else { return None };
        Some(status)
    }

    /// The signal that has ended it, as the kernel says.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        let Some(End::Killed { signal, .. }) = self.0.end else { return None };
        Some(signal)
    }

    /// Whether the kernel has written a core dump.
    #[must_use]
    pub fn has_dumped_core(&self) -> bool {
        matches!(self.0.end, Some(End::Killed { core: true, .. }))
    }

    /// How many processes of the program's control group the kernel has killed for want of memory.
    #[must_use]
    pub fn kernel_oom_kills(&self) -> u64 {
        self.0.kills
    }

    /// What our allocator said when the program had started. `None` for a program that does not
    /// have it, has another version of the record, or has not got so far.
    #[must_use]
    pub fn attached(&self) -> Option<Attached> {
        self.0.record().attached().ok().flatten().map(Attached)
    }

    /// How it has failed, if our allocator has ended it.
    #[must_use]
    pub fn death(&self) -> Option<Death<'_>> {
        Death::new(self.0.record())
    }

    /// Why it could not be started, if it could not.
    #[must_use]
    pub fn start_error(&self) -> Option<&StartError> {
        self.0.start.as_ref()
    }

    /// Whether something is on the record that our allocator does not write: the program has
    /// written to memory that was not its own. Parts that are whole still count.
    #[must_use]
    pub fn is_record_damaged(&self) -> bool {
        self.0.record().is_damaged()
    }
}

/// A program that could not be started is one verdict among others.
impl From<StartError> for Verdict {
    fn from(error: StartError) -> Self {
        let mut facts = Facts::new(None, 0);
        facts.reason = Reason::NotStarted;
        facts.start = Some(error);
        Self(Arc::new(facts))
    }
}

#[cfg(test)]
mod tests;
