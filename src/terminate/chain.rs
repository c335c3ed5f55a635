//! SIGABRT handlers of others: crash reporters.
//!
//! Layer 4.  Plane: failure.
//!
//! They run after the hook, while every other thread stands still, with a time of their own. They
//! are told of the failing thread as it was: a fault's own context, or the registers on entry to
//! `terminate`. They may return, die, or jump away; the last step follows in each case.

use core::ffi::c_void;

use crate::config::AbortMode;
use crate::sync::{AtomicBool, Ordering::Relaxed};
use crate::sys::registers::stack_pointer;
use crate::sys::{fault, signal::Saved};

use super::page::page;
use super::steps::Step;
use super::{emergency, output};

/// Whether they are to run.
static IS_WANTED: AtomicBool = AtomicBool::new(false);

/// Notes whether they are to run. At start.
pub(super) fn prepare(mode: AbortMode) {
    // ORDER: Relaxed. A flag; start-up comes before any death that it is for.
    IS_WANTED.store(mode == AbortMode::Chain, Relaxed);
}

/// Runs the handler that was in force for SIGABRT `before`, if there was one. Only the elected
/// thread, when the others are known to stand still.
pub(super) fn run(before: &Saved, context: *mut c_void) {
    // ORDER: Relaxed. See `prepare`.
    if !IS_WANTED.load(Relaxed) || !fault::has_handler(before) {
        return;
    }
    // What is known so far must not depend on them.
    output::rewrite_report();
    page().deadline.extend_for_chain();
    // SAFETY: it was in force for SIGABRT; the context is that of the failing frames, which are
    // never left.
    unsafe { fault::tell_of_abort(before, context) };
}

/// Whether the elected thread has left the handler by a jump, and runs the program's code again.
pub(super) fn has_escaped() -> bool {
    Step::now() == Step::Chain && !emergency::is_on(stack_pointer())
}
