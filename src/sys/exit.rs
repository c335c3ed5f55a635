//! The end of the process.
//!
//! Layer 1.  Plane: failure.

use super::signal::{Action, send_to_self, set_action, unblock};

/// Ends the process by SIGABRT with its default action, whatever was done to that signal.
///
/// As pid 1 no signal ends it; then its exit status says what the signal would have said.
pub(crate) fn die() -> ! {
    // More than once: another thread may set a handler, or block nothing, in between.
    for _ in 0..3 {
        // SAFETY: the default action.
        unsafe { set_action(libc::SIGABRT, &Action::DEFAULT) };
        unblock(libc::SIGABRT);
        send_to_self(libc::SIGABRT);
    }
    send_to_self(libc::SIGKILL);
    loop {
        // SAFETY: numbers only. Not `_exit`, which glibc makes of the same call and a trap.
        unsafe { libc::syscall(libc::SYS_exit_group, 128 + libc::SIGABRT) };
    }
}

/// Has `f` called by `exit`, after everything that asks for it later. `false` if the C library has
/// no room.
pub(crate) fn at_exit(f: extern "C" fn()) -> bool {
    // SAFETY: a function of the right type, that lives as long as the program.
    unsafe { libc::atexit(f) == 0 }
}
