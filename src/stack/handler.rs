//! Faults: the end of a stack, or none of ours.
//!
//! Layer 5.  Plane: failure.

use core::ffi::{c_int, c_void};

use crate::cause::Cause;
use crate::sys::fault::{Fault, has_handler};
use crate::sys::signal::{self, Action, Info, Saved};
use crate::sys::{file, mark, process};
use crate::terminate::{self, Death};
use crate::thread::record;

use super::fault;
use super::judge::death;

/// The signals by which a stack's end is noticed, and who was there before us.
static HANDLED: [(i32, Saved); 2] =
    [(signal::SIGSEGV, Saved::new()), (signal::SIGBUS, Saved::new())];

/// What judging a fault takes of an alternate stack, at most, beside the kernel's own frame.
/// Somebody else's may have less, and no guard: then what lies below would be written over.
const ROOM_BYTES: usize = 3072;

const NO_ROOM: &[u8] =
    b"failfast: a fault was not looked into: the alternate stack that the program \
    gave its thread has less than 3072 bytes beside what the kernel needs\n";

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
    let has_room = fault.room_on_alternate().is_none_or(|bytes| bytes >= ROOM_BYTES);
    if has_room && let Some(span) = fault::overflowed(record(), &fault) {
        let death = death(Cause::StackOverflow, span);
        terminate::terminate(&Death { context: fault.context(), ..death });
    }
    if let Some((_, before)) = HANDLED.iter().find(|(handled, _)| *handled == number) {
        if !has_room && !has_handler(before) {
            let _ = file::write_all(2, NO_ROOM); // Nobody is told if that fails.
        }
        fault.restore_mask(); // The mark is none of theirs.
        // SAFETY: saved when this handler was installed.
        unsafe { fault.pass_on(before) };
    }
    process::set_errno(errno);
}
