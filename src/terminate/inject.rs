//! Faults on purpose.
//!
//! Layer 4.  Plane: failure.
//!
//! What is promised of a death that goes wrong is tested by having it go wrong, at every phase and
//! in every way (`tests/faults`). Without the feature `fault-injection` nothing of it is there.

use super::steps::Step;

/// A place on the way to the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Elected, still on the failing stack.
    Elected,
    /// On the emergency stack and the reserve, without a deadline yet.
    Left,
    /// With a deadline; nothing is noted yet.
    Fixed,
    /// At the beginning of a step.
    In(Step),
    /// In the last step.
    Ending,
    /// The deadline has passed: in whoever holds to it, when the elected thread was stopped.
    Overdue,
}

/// Nothing happens.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub(super) fn at(_: Phase) {}

#[cfg(feature = "fault-injection")]
pub(super) use on_purpose::at;
#[cfg(feature = "fault-injection")]
pub use on_purpose::{PHASES, inject};

#[cfg(feature = "fault-injection")]
mod on_purpose {
    use super::{Phase, Step};
    use crate::sync::{AtomicBool, AtomicUsize, Ordering::Relaxed};

    /// The phases by name, in their order (`exec` comes before `halt` where there is a program).
    pub const PHASES: [&str; 15] = [
        "elected", "left", "fixed", "before", "halt", "exec", "trace", "modules", "line", "report",
        "hook", "chain", "end", "ending", "overdue",
    ];

    /// The phase at which something happens, as its place in `PHASES`, plus one; or 0.
    static PHASE: AtomicUsize = AtomicUsize::new(0);
    /// What happens: a `fn()`.
    static FAULT: AtomicUsize = AtomicUsize::new(0);
    /// Whether it happens at every later phase too.
    static AGAIN: AtomicBool = AtomicBool::new(false);

    /// Has `fault` called when a death comes to the phase of this name, and if `again`, at every
    /// later one too. `false` if there is no such phase.
    pub fn inject(phase: &str, fault: fn(), again: bool) -> bool {
        let Some(place) = PHASES.iter().position(|name| *name == phase) else { return false };
        // ORDER: Relaxed, all. A test sets them before it fails, in the thread that fails.
        FAULT.store(fault as usize, Relaxed);
        AGAIN.store(again, Relaxed);
        PHASE.store(place + 1, Relaxed);
        true
    }

    fn place(phase: Phase) -> usize {
        match phase {
            Phase::Elected => 0,
            Phase::Left => 1,
            Phase::Fixed => 2,
            Phase::In(Step::Unnoted | Step::Before) => 3,
            Phase::In(Step::Halt) => 4,
            Phase::In(Step::Exec) => 5,
            Phase::In(Step::Trace) => 6,
            Phase::In(Step::Modules) => 7,
            Phase::In(Step::Line) => 8,
            Phase::In(Step::Report) => 9,
            Phase::In(Step::Hook) => 10,
            Phase::In(Step::Chain) => 11,
            Phase::In(Step::End) => 12,
            Phase::Ending => 13,
            Phase::Overdue => 14,
        }
    }

    /// A death has come to `phase`.
    pub(in super::super) fn at(phase: Phase) {
        // ORDER: Relaxed, all. As in `inject`.
        let (wanted, here) = (PHASE.load(Relaxed), place(phase) + 1);
        let again = AGAIN.load(Relaxed);
        if wanted == 0 || !(here == wanted || again && here > wanted) {
            return;
        }
        if !again {
            PHASE.store(0, Relaxed); // ORDER: Relaxed. As in `inject`.
        }
        let fault = core::ptr::with_exposed_provenance::<()>(FAULT.load(Relaxed));
        // SAFETY: only `inject` writes the word, a `fn()`, and before `PHASE`.
        unsafe { core::mem::transmute::<*const (), fn()>(fault)() }
    }
}
