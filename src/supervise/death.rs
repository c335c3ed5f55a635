//! How a program has failed, as its record says.
//!
//! Layer 8.  Plane: control.

use std::time::{Duration, SystemTime};

use crate::cause::Cause;
use crate::record::EndedBy;
use crate::record::read::{Elected, Figures, Record};
use crate::report::{self, HookOutcome, StackSpan};

/// How a program has failed: as far as it got in saying so.
#[derive(Clone, Copy, Debug)]
pub struct Death<'a> {
    record: Record<'a>,
    elected: Elected,
    figures: Option<Figures<'a>>,
}

/// What became of the program's abort hook.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Hook {
    /// There was none.
    None,
    /// It has run, and returned.
    Ran,
    /// It was stopped at the deadline.
    TimedOut,
    /// It has failed: `panic`, `abort`, `exit`, `reserve` (it needed more), `overflow`, `thread`
    /// (it had started one), `signal SIGSEGV`…
    Crashed(&'static str),
    /// It was not run: other threads were not shown to have stopped, or nobody was there to hold to
    /// the deadline.
    Skipped,
    /// The program has become another one instead (`FAILFAST_EXEC`); the exit status is that one's.
    Replaced,
    /// It has begun, and nothing more is known: it has ended the process itself, by `_exit`, or
    /// somebody else has meanwhile.
    Unfinished,
    /// The process was ended before its turn.
    NotReached,
}

impl Hook {
    /// Its name for programs.
    ///
    /// ```
    /// use failfast_alloc::supervise::Hook;
    ///
    /// assert_eq!(Hook::TimedOut.code(), "timeout");
    /// ```
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ran => "ran",
            Self::TimedOut => "timeout",
            Self::Crashed(_) => "crashed",
            Self::Skipped => "skipped",
            Self::Replaced => "replaced",
            Self::Unfinished => "unfinished",
            Self::NotReached => "not-reached",
        }
    }
}

/// Whether the program's other threads had stopped before the hook's turn.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Halt {
    /// All of them.
    Proven,
    /// Some could not be shown to.
    Unproven,
    /// The process was ended, or became another program, before.
    NotReached,
}

impl Halt {
    /// Its name for programs.
    ///
    /// ```
    /// use failfast_alloc::supervise::Halt;
    ///
    /// assert_eq!(Halt::Unproven.code(), "unproven");
    /// ```
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Unproven => "unproven",
            Self::NotReached => "not-reached",
        }
    }
}

impl<'a> Death<'a> {
    /// `None` if nothing had failed.
    pub(super) fn new(record: Record<'a>) -> Option<Self> {
        let elected = record.elected().ok().flatten()?;
        Some(Self { record, elected, figures: record.figures().ok().flatten() })
    }

    /// Why.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.elected.cause
    }

    /// When it failed.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        let time = self.elected.time;
        let since =
            Duration::new(time.seconds.min(u64::MAX >> 20), time.nanoseconds % 1_000_000_000);
        SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The kernel's number of the thread that failed, as the program sees it.
    #[must_use]
    pub fn tid(&self) -> u32 {
        self.elected.tid
    }

    /// Whether the figures are there. If the process was ended by somebody else at the moment when
    /// it failed they are not, and each of them is zero, empty or `None`.
    #[must_use]
    pub fn has_figures(&self) -> bool {
        self.figures.is_some()
    }

    /// The name of the cluster that failed.
    #[must_use]
    pub fn cluster(&self) -> &'a str {
        self.figures.map_or("", |figures| figures.cluster)
    }

    /// How many bytes were asked for; zero if the cause is no request.
    #[must_use]
    pub fn requested(&self) -> usize {
        self.figures.map_or(0, |figures| figures.requested)
    }

    /// The alignment that was asked for; zero if the cause is no request.
    #[must_use]
    pub fn align(&self) -> usize {
        self.figures.map_or(0, |figures| figures.align)
    }

    /// How many bytes the cluster had live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.figures.map_or(0, |figures| figures.live)
    }

    /// The most bytes it ever had live.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.figures.map_or(0, |figures| figures.peak)
    }

    /// Its budget in bytes, if it has one.
    #[must_use]
    pub fn budget(&self) -> Option<usize> {
        self.figures.and_then(|figures| figures.budget)
    }

    /// How many bytes of the process's were in memory, if that could be read.
    #[must_use]
    pub fn resident(&self) -> Option<usize> {
        self.figures.and_then(|figures| figures.resident)
    }

    /// How many bytes its control group had in use, if that could be read.
    #[must_use]
    pub fn cgroup_current(&self) -> Option<u64> {
        self.figures.and_then(|figures| figures.cgroup_current)
    }

    /// How many bytes its control group may have, if that could be read.
    #[must_use]
    pub fn cgroup_limit(&self) -> Option<u64> {
        self.figures.and_then(|figures| figures.cgroup_limit)
    }

    /// The name of the thread that failed, if it has one.
    #[must_use]
    pub fn thread(&self) -> Option<&'a str> {
        self.figures.map(|figures| figures.thread).filter(|name| !name.is_empty())
    }

    /// What the program said, if it asked for the end: up to 1,024 bytes.
    #[must_use]
    pub fn message(&self) -> Option<&'a str> {
        self.figures.map(|figures| figures.message).filter(|text| !text.is_empty())
    }

    /// The stack, if that is what ran out.
    #[must_use]
    pub fn stack(&self) -> Option<StackSpan> {
        self.figures.and_then(|figures| figures.stack)
    }

    /// The report, as one line of JSON, if the process got so far (`docs/report-schema.md`). What
    /// it says of the hook is what was known before its turn; [`hook`](Self::hook) has the rest.
    #[must_use]
    pub fn report_json(&self) -> Option<&'a str> {
        self.record.report().ok().flatten().map(str::trim_end)
    }

    /// What became of the abort hook.
    #[must_use]
    pub fn hook(&self) -> Hook {
        let record = &self.record;
        match record.outcome().ok().flatten() {
            Some(HookOutcome::None) => Hook::None,
            Some(HookOutcome::Ran) => Hook::Ran,
            Some(HookOutcome::Timeout) => Hook::TimedOut,
            Some(HookOutcome::Skipped) => Hook::Skipped,
            Some(outcome @ HookOutcome::Crashed(_)) => {
                Hook::Crashed(outcome.failure().unwrap_or("unknown"))
            }
            Some(HookOutcome::Pending | HookOutcome::Replaced) | None => {
                self.hook_without_outcome()
            }
        }
    }

    fn hook_without_outcome(&self) -> Hook {
        let record = &self.record;
        // If the other program could not be run after all, the threads are halted as usual.
        let went_on = record.ending() != Ok(None) || record.halted() != Ok(None);
        if record.replaced() == Ok(true) && !went_on {
            Hook::Replaced
        } else if record.hook_began() == Ok(true) {
            Hook::Unfinished
        } else {
            Hook::NotReached
        }
    }

    /// Whether the other threads had stopped.
    #[must_use]
    pub fn halt(&self) -> Halt {
        match self.record.halted().ok().flatten().map(|halted| halted.halt) {
            Some(report::Halt::Proven) => Halt::Proven,
            Some(report::Halt::Unproven) => Halt::Unproven,
            None => Halt::NotReached,
        }
    }

    /// How many other threads there were, and how many of them had stopped, where that is known.
    #[must_use]
    pub fn threads(&self) -> Option<(u32, u32)> {
        let threads = self.record.halted().ok().flatten()?.threads?;
        Some((threads.seen, threads.halted))
    }

    /// Whether the deadline had passed, and somebody other than the failing thread has ended the
    /// process: its hook hung, or a step before or after it.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        matches!(self.record.ending(), Ok(Some((EndedBy::Deadline, _))))
    }

    /// Whether the dying has come to its own end. If not, somebody else has ended the process
    /// meanwhile, it has become another program, or the hook has ended it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.record.ending(), Ok(Some(_)))
    }
}
