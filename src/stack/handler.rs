//! Faults: the end of a stack, or none of ours.
//!
//! Layer 5.  Plane: failure.

use core::ffi::{c_int, c_void};

use crate::cause::Cause;
use crate::sys::fault::Fault;
use crate::sys::signal::{self, Action, Info, Saved};
use crate::sys::{mark, process};
use crate::terminate::{self, Death};
use crate::thread::record;

use super::fault;
use super::judge::death;

/// The signals by which a stack's end is noticed, and who was there before us.
static HANDLED: [(i32, Saved); 2] =
    [(signal::SIGSEGV, Saved::new()), (signal::SIGBUS, Saved::new())];

/// Installs the handler; in a library not where another copy of this crate has done so before. That
/// one sees the end of every stack as well, and what the program wants done then, it knows.
pub(super) fn install() {
    let present = signal::action(signal::SIGSEGV);
    if !process::in_executable() && present.is_some_and(|action| mark::is_on(&action)) {
        return;
    }
    for (number, before) in &HANDLED {
        before.set(&signal::action(*number).unwrap_or(Action::DEFAULT));
        // SAFETY: the handler is sound wherever a fault may strike.
        unsafe { mark::install(*number, on_fault) };
    }
}

/// # Safety
///
/// As the kernel calls it.
unsafe extern "C" fn on_fault(number: c_int, info: *mut Info, context: *mut c_void) {
    let errno = process::errno();
    // SAFETY: the kernel's arguments.
    let fault = unsafe { Fault::new(number, info, context) };
    terminate::intercept(&fault);
    if let Some(span) = fault::overflowed(record(), &fault) {
        let death = death(Cause::StackOverflow, span);
        terminate::terminate(&Death { context: fault.context(), ..death });
    }
    if let Some((_, before)) = HANDLED.iter().find(|(handled, _)| *handled == number) {
        fault.restore_mask(); // The mark is none of theirs.
        // SAFETY: saved when this handler was installed.
        unsafe { fault.pass_on(before) };
    }
    process::set_errno(errno);
}
