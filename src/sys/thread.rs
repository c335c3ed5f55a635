//! Hooks into the life of threads and processes: a destructor, and fork.
//!
//! Layer 1.  Plane: control.

use core::ffi::c_void;
use core::num::NonZeroUsize;

use once_cell::race::OnceNonZeroUsize;

/// A thread-specific destructor.
///
/// A `pthread` key and not a thread-local with a destructor: all of those run before any key's, so
/// this is the latest that a library can have.
pub(crate) struct AtThreadEnd {
    /// The key, plus one.
    key: OnceNonZeroUsize,
}

impl AtThreadEnd {
    /// No destructor yet.
    pub(crate) const fn new() -> Self {
        Self { key: OnceNonZeroUsize::new() }
    }

    /// Makes `f` the destructor of all threads that ask for it. `false` if there are no keys left.
    pub(crate) fn install(&self, f: unsafe extern "C" fn(*mut c_void)) -> bool {
        let mut key = 0;
        // SAFETY: `key` is writable, `f` has the type of a destructor.
        let done = unsafe { libc::pthread_key_create(&raw mut key, Some(f)) } == 0;
        done && self.key.set(NonZeroUsize::MIN.saturating_add(key as usize)).is_ok()
    }

    /// Asks for the destructor, in this thread, with a value that is not null. `false` if it cannot
    /// be had.
    pub(crate) fn arm(&self, value: *const c_void) -> bool {
        let Some(key) = self.key.get() else { return false };
        let key = (key.get() - 1) as libc::pthread_key_t;
        // SAFETY: the key was created, and is never deleted.
        unsafe { libc::pthread_setspecific(key, value) == 0 }
    }
}

/// Has these called before a fork, and after it in the parent and in the child. `false` if the C
/// library has no room.
pub(crate) fn at_fork(
    prepare: unsafe extern "C" fn(),
    parent: unsafe extern "C" fn(),
    child: unsafe extern "C" fn(),
) -> bool {
    // SAFETY: three functions of the right type, that live as long as the program.
    unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) == 0 }
}

/// Lets other threads run, the longer the more often it was in vain.
pub(crate) fn step_aside(round: u32) {
    if round < 64 {
        // SAFETY: no preconditions.
        unsafe { libc::sched_yield() };
    } else {
        let pause = libc::timespec { tv_sec: 0, tv_nsec: 50_000 };
        // SAFETY: the time is readable; null means that the rest is not wanted.
        unsafe { libc::nanosleep(&raw const pause, core::ptr::null_mut()) };
    }
}
