//! The last step, and all that leads straight to it.
//!
//! Layer 4.  Plane: failure.

use core::ffi::{c_int, c_void};

use crate::record::EndedBy;
use crate::report::{Failure, HookOutcome};
use crate::sys::fault::Fault;
use crate::sys::signal::{self, OWN_FAULTS, OWN_FAULTS_MASK, SIGABRT, Saved};
use crate::sys::{altstack, exit, process, stop};

use super::inject::{self, Phase};
use super::page::page;
use super::steps::{self, Step};
use super::{chain, deadline, emergency, output, tell};

/// How much of an alternate stack it takes to write the line and the report.
const ROOM_BYTES: usize = 24 * 1024;

/// What was in force for `OWN_FAULTS` before the death.
static BEFORE: [Saved; OWN_FAULTS.len()] = [const { Saved::new() }; OWN_FAULTS.len()];

/// Has `exit` noticed. At start, so that all other handlers of `exit` run before ours.
pub(super) fn prepare() {
    exit::at_exit(on_exit);
}

/// Ends the process. Only the elected thread.
pub(super) fn finish() -> ! {
    let (page, me) = (page(), process::tid());
    if page.claim_end(me) {
        tell::ending(EndedBy::Elected, me);
        inject::at(Phase::Ending);
        output::rewrite_report();
        now()
    }
    if page.has_claimed_end(me) {
        // It has failed in there: what is written is written.
        now()
    }
    // The deadline has passed, and somebody else is at it.
    deadline::park()
}

/// The deadline has passed. Returns if somebody else has begun the last step. Not the elected
/// thread.
pub(super) fn time_is_up() {
    unsafe extern "C" fn end_it(_: *const c_void) -> ! {
        if let Some(elected) = page().elected() {
            deadline::stop_elected(elected);
        }
        inject::at(Phase::Overdue);
        // A sentinel that is late has left it to a thread that may have little.
        steps::say_what_is_left(altstack::room().is_none_or(|bytes| bytes >= ROOM_BYTES));
        now()
    }
    if !page().claim_end(stop::thread()) {
        return;
    }
    tell::ending(EndedBy::Deadline, stop::thread());
    // SAFETY: the claim has succeeded; nothing that is on this stack is needed any more.
    unsafe { deadline::leave_small_stack(end_it) }
}

/// Ends the process as it is.
pub(super) fn now() -> ! {
    page().deadline.call_off();
    exit::die()
}

/// Runs the SIGABRT handler of others, if there is one. Only the elected thread.
pub(super) fn run_chain(context: *mut c_void) {
    let place = OWN_FAULTS.iter().position(|&number| number == signal::SIGABRT);
    if let Some(before) = place.and_then(|place| BEFORE.get(place)) {
        chain::run(before, context);
    }
}

/// The elected thread has failed again.
pub(super) fn nested(failure: Failure) -> ! {
    if Step::now() == Step::Hook {
        steps::note_outcome(HookOutcome::Crashed(failure));
    }
    steps::go_on_after_failure();
    finish()
}

/// Another thread was elected: what this one was about to do never happens.
pub(super) fn lost() -> ! {
    signal::refuse_cancellation();
    // The C library stops other threads by the same signal while one of them changes the user; to
    // block it would be to have that thread wait for us.
    signal::block_all_but(signal::bit(stop::STOP));
    deadline::park()
}

/// Another copy of the crate ends the process: as above.
pub(super) fn lost_to_another_copy() -> ! {
    signal::refuse_cancellation();
    signal::block_all_but(signal::bit(stop::STOP));
    deadline::leave_to_another_copy()
}

/// A thread enters the allocator while another one is ending the process: it goes no further.
#[cold]
pub(super) fn at_gate() -> ! {
    let page = page();
    let is_new = !page.halted.knows(stop::thread());
    if is_new && Step::now() == Step::Hook && page.claim_end(stop::thread()) {
        // All others stand still: it was the hook that has made this one.
        tell::ending(EndedBy::Gate, stop::thread());
        steps::note_outcome(HookOutcome::Crashed(Failure::Thread));
        output::rewrite_report();
        now()
    }
    lost()
}

/// Has every fault of any thread come to `on_fault` from now on. Only the elected thread.
pub(super) fn handle_faults() {
    for (&number, before) in OWN_FAULTS.iter().zip(&BEFORE) {
        let now = signal::action(number).unwrap_or(signal::Action::DEFAULT);
        // A child that was forked while its parent died has ours, and remembers whose were before.
        if now.handler != on_fault as *const () as usize {
            before.set(&now);
        }
    }
    // SAFETY: `on_fault` is sound anywhere.
    if !unsafe { signal::install(signal::SIGSEGV, on_fault) } {
        return;
    }
    let Some(ours) = signal::action(signal::SIGSEGV) else { return };
    for &number in &OWN_FAULTS {
        // SAFETY: as read; the handler is the same.
        unsafe { signal::set_action(number, &ours) };
    }
}

/// A fault while some thread is dying.
///
/// # Safety
///
/// As the kernel calls it.
unsafe extern "C" fn on_fault(number: c_int, info: *mut signal::Info, context: *mut c_void) {
    // SAFETY: the kernel's arguments.
    let fault = unsafe { Fault::new(number, info, context) };
    let errno = process::errno();
    if !intercept(&fault) {
        // A child that was forked meanwhile: its faults are none of ours.
        let place = OWN_FAULTS.iter().position(|&n| n == number);
        if let Some(before) = place.and_then(|place| BEFORE.get(place)) {
            // SAFETY: saved when `on_fault` was installed.
            unsafe { fault.pass_on(before) };
        }
    }
    process::set_errno(errno);
}

/// Answers a fault if a thread of this process is dying, and then does not return: a fault of the
/// dying thread is a failure to die; a fault of another is too late to be told.
///
/// `false` if nobody is dying.
pub(crate) fn intercept(fault: &Fault) -> bool {
    let page = page();
    if !page.is_dying() {
        return false;
    }
    if page.is_elected() {
        // The handler that we are in may have them blocked; one that is blocked ends us at once.
        signal::open(OWN_FAULTS_MASK & !signal::bit(SIGABRT));
        nested(failure_of(fault));
    }
    // Somebody who sends SIGABRT to a process that is dying wants it to be dead.
    if fault.is_sent_to_process() {
        now();
    }
    lost()
}

/// What a fault of the elected thread is called.
fn failure_of(fault: &Fault) -> Failure {
    match fault.signal {
        signal::SIGABRT => Failure::Abort,
        signal::SIGSEGV if emergency::is_below(fault.address()) => Failure::Overflow,
        number => Failure::Signal(number),
    }
}

/// Somebody has called `exit`.
extern "C" fn on_exit() {
    let page = page();
    if page.is_elected() {
        nested(Failure::Exit);
    }
    if page.is_dying() {
        lost();
    }
}
