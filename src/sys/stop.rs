//! Signals that stop threads.
//!
//! Layer 1.  Plane: failure.
//!
//! Both C libraries keep the lowest real-time signals to themselves, and leave them out of every
//! mask and every set that a program gives them. So a program that blocks everything, or waits for
//! every signal, still takes number 33, unless it goes past its C library. It is set only when a
//! thread has been elected to end the process, when nobody needs it any more.
//!
//! A real-time signal takes a place in the user's queue of pending signals, which may be full
//! (RLIMIT_SIGPENDING). A standard one never does: one of those is tried then.

use super::process::pid;
use super::raw;
use super::signal::{Action, Handler, action, bit, exchange_action, set_action};

/// The signal of the C library's that threads are stopped by.
pub(crate) const STOP: i32 = 33;

/// `SA_RESTORER` of the kernel's headers: `restorer` is set.
const SA_RESTORER: usize = 0x0400_0000;

/// What stops a thread where `STOP` cannot be sent: signals that a program has the least use for
/// come first.
pub(crate) const SPARE: [i32; 4] = [libc::SIGPWR, libc::SIGXCPU, libc::SIGVTALRM, libc::SIGURG];

/// Has `handler` called on `signal`, in any thread, on the alternate stack and with every other
/// signal blocked. `false` if the kernel refuses.
///
/// # Safety
///
/// `handler` is sound wherever a signal may strike, with no thread-local storage there; and it
/// never returns.
pub(crate) unsafe fn install(signal: i32, handler: Handler) -> bool {
    // SAFETY: a complete action; the handler is the caller's clause.
    unsafe { set_action(signal, &stopping(handler)) }
}

/// Has `handler` called on `STOP`, unless another copy of this crate has its own called: a program,
/// and each library that it loads, may have one, and of all of them the first to ask ends the
/// process. `false` if that was another.
///
/// # Safety
///
/// As `install`.
pub(crate) unsafe fn claim(handler: Handler) -> bool {
    let ours = stopping(handler);
    let is_anothers = |now: Action| is_stopping(&now) && now.handler != ours.handler;
    if action(STOP).is_some_and(is_anothers) {
        return false;
    }
    // SAFETY: as in `install`.
    let Some(before) = (unsafe { exchange_action(STOP, &ours) }) else { return true };
    if is_anothers(before) {
        // SAFETY: as read.
        unsafe { set_action(STOP, &before) };
        return false;
    }
    true
}

fn stopping(handler: Handler) -> Action {
    Action {
        handler: handler as usize,
        flags: (libc::SA_SIGINFO | libc::SA_ONSTACK) as usize | SA_RESTORER,
        restorer: raw::restorer(),
        mask: !0,
    }
}

/// Whether a copy of this crate has set it. The C library's own blocks nothing.
fn is_stopping(action: &Action) -> bool {
    let flags = (libc::SA_SIGINFO | libc::SA_ONSTACK) as usize;
    // The kernel leaves out what cannot be blocked.
    let all = !(bit(libc::SIGKILL) | bit(libc::SIGSTOP));
    action.handler != libc::SIG_DFL && action.flags & flags == flags && action.mask & all == all
}

/// Sends `signal` to a thread of this process: 0, or `-errno`.
pub(crate) fn send(thread: i32, signal: i32) -> isize {
    let args = [pid() as usize, thread as usize, signal as usize, 0, 0, 0];
    // SAFETY: numbers only.
    unsafe { raw::call(libc::SYS_tgkill, args) }
}

/// Whether there is such a thread in this process, whose number is `process`.
pub(crate) fn is_there(process: u32, thread: i32) -> bool {
    // SAFETY: numbers only; 0 is no signal.
    unsafe { raw::call(libc::SYS_tgkill, [process as usize, thread as usize, 0, 0, 0, 0]) == 0 }
}

/// One of `SPARE` that is not in `blocked`, a mask.
pub(crate) fn spare(blocked: u64) -> Option<i32> {
    SPARE.into_iter().find(|&signal| blocked & bit(signal) == 0)
}

/// The number of the calling thread, from the kernel.
pub(crate) fn thread() -> u32 {
    // SAFETY: no arguments.
    unsafe { raw::call(libc::SYS_gettid, [0; 6]) as u32 }
}
