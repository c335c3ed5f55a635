//! What happens between the election and the end.
//!
//! Layer 4.  Plane: failure.
//!
//! One step after the other, never back. The number of the step is in memory, so that a failure in
//! one is known for what it is: it costs that step, and the next one goes on (walking a damaged
//! stack may well fault). Only after the program's own code has failed, in the hook or in a handler
//! of SIGABRT, the last step is all that is left.

use core::ffi::c_void;

use crate::report::{Halt, HookOutcome};
use crate::sync::Ordering::Relaxed;
use crate::sys::facts::read_maps;
use crate::sys::signal::{self, SIGABRT};
use crate::sys::{clock, unwind};

use super::facts::Dying;
use super::inject::{self, Phase};
use super::page::page;
use super::{emergency, end, exec, halt, hook, output, tell};

/// The steps, in their order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub(super) enum Step {
    /// Until what is known of the death is noted.
    Unnoted = 0,
    /// Until the first of the others.
    Before = 10,
    /// Halt the other threads.
    Halt = 7,
    /// Become another program.
    Exec = 8,
    /// The SIGABRT handlers of others.
    Chain = 9,
    /// Walk the failing stack.
    Trace = 1,
    /// Find the files that the addresses are in.
    Modules = 2,
    /// The line on standard error.
    Line = 3,
    /// The report.
    Report = 4,
    /// The abort hook.
    Hook = 5,
    /// The end.
    End = 6,
}

impl Step {
    /// The step that the elected thread is in.
    pub(super) fn now() -> Self {
        // ORDER: Relaxed. Only the elected thread asks, and it alone writes.
        match page().step.load(Relaxed) {
            0 => Self::Unnoted,
            1 => Self::Trace,
            2 => Self::Modules,
            3 => Self::Line,
            4 => Self::Report,
            5 => Self::Hook,
            7 => Self::Halt,
            8 => Self::Exec,
            9 => Self::Chain,
            10 => Self::Before,
            _ => Self::End,
        }
    }

    fn enter(self) {
        // ORDER: Relaxed. A handler on top of this thread sees what the thread has stored.
        page().step.store(self as u32, Relaxed);
        inject::at(Phase::In(self));
    }

    /// What is left to do if this one fails. `None`: nothing but to end it.
    pub(super) fn after_failure(self) -> Option<Self> {
        match self {
            Self::Before if exec::is_set() => Some(Self::Trace),
            Self::Before => Some(Self::Halt),
            // The halt is unproven until somebody says otherwise.
            Self::Halt if exec::is_set() => Some(Self::Hook),
            Self::Halt => Some(Self::Trace),
            Self::Trace => Some(Self::Modules),
            Self::Modules => Some(Self::Line),
            Self::Line => Some(Self::Report),
            Self::Report if exec::is_set() => Some(Self::Exec),
            Self::Report => Some(Self::Hook),
            Self::Exec => Some(Self::Halt),
            Self::Unnoted | Self::Hook | Self::Chain | Self::End => None,
        }
    }
}

/// Takes the steps from `step` on. Only the elected thread.
pub(super) fn run(mut step: Step) -> ! {
    loop {
        step.enter();
        step = match step {
            // The kernel halts them before another program begins.
            Step::Before if exec::is_set() => Step::Trace,
            Step::Before => Step::Halt,
            Step::Halt => {
                let halt::Outcome { halt, threads } = halt::others();
                Dying::with(|dying| (dying.report.halt, dying.report.threads) = (halt, threads));
                tell::halted(halt, threads);
                if exec::is_set() { Step::Hook } else { Step::Trace }
            }
            Step::Trace => {
                trace();
                Step::Modules
            }
            Step::Modules => {
                find_modules();
                Step::Line
            }
            Step::Line => {
                Dying::with(|dying| dying.is_line_begun = true);
                output::write_line(Dying::report());
                Step::Report
            }
            Step::Report => {
                let to_exec = exec::is_set();
                Dying::with(|dying| dying.is_report_begun = true);
                note_outcome(if to_exec { HookOutcome::Replaced } else { prospect() });
                tell::report(Dying::report());
                output::write_report(Dying::report());
                if to_exec { Step::Exec } else { Step::Hook }
            }
            Step::Exec => {
                tell::replaced();
                exec::become_program(Dying::report());
                Step::Halt
            }
            Step::Hook => {
                // Who has sent one meanwhile wants us dead, but nobody else unheard.
                signal::unblock(SIGABRT);
                note_outcome(prospect());
                if prospect() == HookOutcome::Pending {
                    tell::hook_began();
                    note_outcome(hook::run(Dying::report()));
                }
                if stands_still() { Step::Chain } else { Step::End }
            }
            Step::Chain => {
                end::run_chain(Dying::with(|dying| dying.context));
                Step::End
            }
            Step::Unnoted | Step::End => end::finish(),
        };
    }
}

/// What is to become of the hook. It runs only in a process that stands still and will end.
fn prospect() -> HookOutcome {
    if !hook::is_set() {
        return HookOutcome::None;
    }
    if stands_still() { HookOutcome::Pending } else { HookOutcome::Skipped }
}

/// Whether code of the program may run: no other thread does, and it will be ended.
fn stands_still() -> bool {
    Dying::report().halt == Halt::Proven && page().deadline.is_held()
}

/// Goes on after the step that the elected thread is in has failed, if anything is left to do. Only
/// the elected thread.
pub(super) fn go_on_after_failure() {
    unsafe extern "C" fn entry(_: *const c_void) -> ! {
        if Step::now() == Step::Trace {
            Dying::with(|dying| dying.report.backtrace.finish(false));
        }
        run(Step::now().after_failure().unwrap_or(Step::End))
    }
    if Step::now().after_failure().is_some() {
        // SAFETY: the elected thread; the frames of the step that failed are not needed any more.
        unsafe { emergency::go_on(entry, core::ptr::null()) }
    }
}

/// Says what has not been said yet, after a step that has taken too long; where there is no room
/// for that, only to the supervisor. Not the elected thread: whoever ends the process in its place,
/// when it was stopped.
pub(super) fn say_what_is_left(has_room: bool) {
    let step = Step::now();
    if step == Step::Unnoted {
        return; // Nothing is known.
    }
    match (step, Dying::report().hook) {
        (Step::Hook, HookOutcome::Pending) => note_outcome(HookOutcome::Timeout),
        (Step::Hook | Step::Chain | Step::End, _) => {}
        _ if hook::is_set() => note_outcome(HookOutcome::Skipped),
        _ => note_outcome(HookOutcome::None),
    }
    if !has_room {
        return;
    }
    if step == Step::Trace {
        Dying::with(|dying| dying.report.backtrace.finish(false));
    }
    // A step that has begun to say something has done so, or hangs in it.
    if !Dying::with(|dying| dying.is_line_begun) {
        output::write_line(Dying::report());
    }
    if Dying::with(|dying| dying.is_report_begun) {
        output::rewrite_report();
    } else {
        tell::report(Dying::report());
        output::write_report(Dying::report());
    }
}

/// Notes what became of the hook. Only the elected thread, or whoever ends in its place.
pub(super) fn note_outcome(outcome: HookOutcome) {
    Dying::with(|dying| dying.report.hook = outcome);
    tell::outcome(outcome);
}

/// Walks the stacks: past the emergency stack, over what led to the failure.
fn trace() {
    // A frame takes about a microsecond, and an overflowed stack may have hundreds of thousands,
    // or, if it is damaged, no end.
    let until = clock::now().saturating_add(page().deadline.part());
    let mut is_whole = true;
    unwind::for_each_frame(|frame| {
        if !emergency::is_on(frame.stack_pointer) {
            Dying::with(|dying| dying.report.backtrace.push(frame.address));
        }
        is_whole = !Dying::report().backtrace.seen().is_multiple_of(1024) || clock::now() < until;
        is_whole
    });
    Dying::with(|dying| dying.report.backtrace.finish(is_whole));
}

fn find_modules() {
    Dying::with(|dying| {
        let mut resolver = dying.report.backtrace.resolver();
        read_maps(|piece| resolver.feed(piece));
        resolver.finish();
    });
}
