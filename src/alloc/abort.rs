//! SIGABRT over a null that was ours.
//!
//! Layer 6.  Plane: failure.
//!
//! Inside `fallible` a request that does not fit gets null, and code that cannot take it, such as
//! `Vec::push`, has the standard library abort the process: "memory allocation of 1048576 bytes
//! failed", and nothing else. So from the first such null on we listen to SIGABRT. If the thread
//! that aborts is still inside the call in which it got a null, the process dies in our way,
//! naming the budget; any other SIGABRT goes to whoever was there before.

use core::ffi::{c_int, c_void};

use crate::cause::Cause;
use crate::ledger::{Figures, UNLIMITED};
use crate::sync::{AtomicBool, Ordering::Relaxed};
use crate::sys::fault::Fault;
use crate::sys::signal::{self, Action, Info, SIGABRT, Saved};
use crate::terminate::{Death, terminate};
use crate::thread::{Record, record};

use super::{fallible, slow};

static LISTENING: AtomicBool = AtomicBool::new(false);
static BEFORE: Saved = Saved::new();

/// Listens to SIGABRT from now on. Once.
pub(super) fn listen() {
    // ORDER: Relaxed. Whoever is second finds a handler that is there, or about to be.
    if LISTENING.swap(true, Relaxed) {
        return;
    }
    BEFORE.set(&signal::action(SIGABRT).unwrap_or(Action::DEFAULT));
    // SAFETY: `on_abort` is sound wherever a thread may abort: it calls nothing but system calls,
    // and the dying sequence, which is made for handlers.
    unsafe { signal::install(SIGABRT, on_abort) };
}

/// # Safety
///
/// As the kernel calls it.
unsafe extern "C" fn on_abort(number: c_int, info: *mut Info, context: *mut c_void) {
    if let Some(death) = unanswered(record()) {
        terminate(&death);
    }
    // SAFETY: the kernel's arguments, of a handler that has not returned.
    let fault = unsafe { Fault::new(number, info, context) };
    // SAFETY: what was in force before `on_abort`.
    unsafe { fault.pass_on(&BEFORE) };
}

/// The request that this thread got null for, in the `fallible` call that it is still inside.
fn unanswered(record: &Record) -> Option<Death<'static>> {
    // ORDER: Relaxed, all. The thread's own words.
    let size = record.null.size.load(Relaxed);
    if size == 0 || !fallible::is_inside(record) {
        return None;
    }
    let (live, peak) = (record.null.live.load(Relaxed), record.null.peak.load(Relaxed));
    let of = core::ptr::with_exposed_provenance(record.null.of.load(Relaxed));
    let (live, peak) = (live as isize, peak as isize);
    let figures = Figures { live, peak, budget: UNLIMITED, of };
    let over_budget = record.null.why.load(Relaxed) == 1;
    Some(Death {
        cause: if over_budget { Cause::HeapBudget } else { Cause::AllocatorRefused },
        requested: size,
        align: record.null.align.load(Relaxed),
        account: Some(slow::account_of(figures)),
        stack: None,
        message: None,
        context: core::ptr::null_mut(),
    })
}
