//! The last step, and all that leads straight to it.
//!
//! Layer 4.  Plane: failure.

use core::ffi::{c_int, c_void};

use crate::report::HookOutcome;
use crate::sync::Ordering::Relaxed;
use crate::sys::fault::Fault;
use crate::sys::signal::{self, OWN_FAULTS, Saved};
use crate::sys::{exit, process};

use super::output;
use super::page::page;
use super::steps::{self, Step};

/// What was in force for `OWN_FAULTS` before the death.
static BEFORE: [Saved; OWN_FAULTS.len()] = [const { Saved::new() }; OWN_FAULTS.len()];

/// Has `exit` noticed. At start, so that all other handlers of `exit` run before ours.
pub(super) fn prepare() {
    exit::at_exit(on_exit);
}

/// Ends the process. Only the elected thread.
pub(super) fn finish() -> ! {
    // ORDER: Relaxed. The elected thread's own word, which a handler on top of it sees.
    if !page().ended.swap(true, Relaxed) {
        output::rewrite_report();
    }
    exit::die()
}

/// The elected thread has failed again.
pub(super) fn nested() -> ! {
    match Step::now() {
        Step::Trace => steps::run_without_trace(),
        Step::Hook => steps::note_outcome(HookOutcome::Crashed),
        _ => {}
    }
    finish()
}

/// Another thread was elected: what this one was about to do never happens.
///
/// (Here a thread that waits will come to enforce the deadline.)
pub(super) fn wait_for_ever() -> ! {
    signal::refuse_cancellation();
    // The C library stops other threads by this signal while one of them changes the user; to
    // block it would be to have that thread wait for us.
    const SIGSETXID: i32 = 33;
    signal::block_all_but(signal::bit(SIGSETXID));
    loop {
        signal::doze();
    }
}

/// Has every fault of any thread come to `on_fault` from now on. Only the elected thread.
pub(super) fn handle_faults() {
    for (&number, before) in OWN_FAULTS.iter().zip(&BEFORE) {
        before.set(&signal::action(number).unwrap_or(signal::Action::DEFAULT));
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
        nested();
    }
    // Somebody who sends SIGABRT to a process that is dying wants it to be dead.
    if fault.is_sent_to_process() {
        exit::die();
    }
    wait_for_ever()
}

/// Somebody has called `exit`.
extern "C" fn on_exit() {
    let page = page();
    if page.is_elected() {
        nested();
    }
    if page.is_dying() {
        wait_for_ever();
    }
}
