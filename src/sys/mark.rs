//! What copies of this crate know each other by.
//!
//! Layer 1.  Plane: failure.
//!
//! A program, and each library that it loads, may have a copy of its own, none of which sees
//! another's symbols. What each of them sees is who handles faults.

use super::signal::{self, Action, Handler, SIGBUS, SIGSEGV, bit};

/// What a handler of faults has blocked: four signals for no other purpose than to be known by it;
/// and faults, until it knows what it was called for. On an alternate stack that is too small for
/// it the kernel then ends the process, and does not call it there again, and again.
const MARK: u64 = bit(41) | bit(47) | bit(53) | bit(59) | bit(SIGSEGV) | bit(SIGBUS);

/// Whether `action` was installed by `install`, of this copy of the crate or of another.
pub(crate) fn is_on(action: &Action) -> bool {
    !matches!(action.handler, libc::SIG_DFL | libc::SIG_IGN) && action.mask == MARK
}

/// As `signal::install`, with the mark. What marks it is blocked meanwhile: a handler that calls
/// others restores the mask of what it interrupted first.
///
/// # Safety
///
/// As `signal::install`.
pub(crate) unsafe fn install(signal: i32, handler: Handler) -> bool {
    // SAFETY: the caller's clause.
    unsafe { signal::install_with(signal, handler, MARK) }
}

#[cfg(test)]
mod tests {
    use core::ffi::{c_int, c_void};

    use super::*;

    unsafe extern "C" fn nothing(_: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {}

    #[test]
    fn copies_of_the_crate_know_each_other() {
        let now = || signal::action(libc::SIGXCPU).unwrap(); // A signal that no other test uses.
        // SAFETY: the handler does nothing.
        assert!(unsafe { signal::install(libc::SIGXCPU, nothing) });
        assert!(!is_on(&now()));
        // SAFETY: as above.
        assert!(unsafe { install(libc::SIGXCPU, nothing) });
        assert!(is_on(&now()));
        // SAFETY: the default action.
        assert!(unsafe { signal::set_action(libc::SIGXCPU, &Action::DEFAULT) });
        assert!(!is_on(&now()));
    }
}
