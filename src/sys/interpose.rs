//! `pthread_create`, the C library's own, where the program has ours.
//!
//! Layer 1.  Plane: data.

use core::ffi::{c_int, c_void};
use core::mem::transmute;

use super::signal;
use crate::sync::{AtomicUsize, Ordering::*};

mod interceptor;

/// Where a thread begins.
pub(crate) type Start = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

type Create = unsafe extern "C" fn(*mut c_void, *const c_void, Start, *mut c_void) -> c_int;

/// The C library's function; zero until it was looked for.
static REAL: AtomicUsize = AtomicUsize::new(0);

/// Whether it was looked for.
pub(crate) fn is_found() -> bool {
    REAL.load(Relaxed) != 0 // ORDER: Relaxed. An address.
}

/// Looks for it. In a constructor, since the loader may use `malloc` and locks of its own.
pub(crate) fn find() {
    let real = match interceptor::address() {
        0 => of_the_c_library(),
        // A sanitizer's, which has to know of every thread; it calls the C library itself.
        address => address,
    };
    REAL.store(real, Relaxed); // ORDER: Relaxed. An address.
}

/// Not `pthread_create`, which is ours: in an archive both C libraries define it weakly, beside
/// this name.
#[cfg(target_feature = "crt-static")]
fn of_the_c_library() -> usize {
    unsafe extern "C" {
        fn __pthread_create(
            thread: *mut c_void,
            attributes: *const c_void,
            start: Start,
            argument: *mut c_void,
        ) -> c_int;
    }
    __pthread_create as Create as usize
}

/// The next one after ours, in the order in which the loader looks.
#[cfg(not(target_feature = "crt-static"))]
fn of_the_c_library() -> usize {
    // SAFETY: a C string.
    unsafe { libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr()).addr() }
}

/// pthread_create(3), the C library's.
///
/// # Safety
///
/// That of `pthread_create`.
pub(crate) unsafe fn create(
    thread: *mut c_void,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let real = REAL.load(Relaxed); // ORDER: Relaxed. An address.
    if real == 0 {
        // A static program around an archive of ours that was built for a dynamic one.
        let _ = super::file::write_all(
            2,
            b"failfast: the C library's pthread_create is not to be found: for a static program \
            build with `-C target-feature=+crt-static`, or without the feature `c-threads`\n",
        );
        return libc::ENOSYS;
    }
    let real = core::ptr::with_exposed_provenance::<()>(real);
    // SAFETY: found under that name.
    let real = unsafe { transmute::<*const (), Create>(real) };
    // SAFETY: the caller's clause.
    unsafe { real(thread, attributes, start, argument) }
}

/// What `thrd_create` returns where `pthread_create` returns `error`.
pub(crate) fn error_of_c11(error: c_int) -> c_int {
    // threads.h, of both C libraries.
    const THRD_ERROR: c_int = 2;
    const THRD_NOMEM: c_int = 3;
    match error {
        0 => 0,
        libc::ENOMEM => THRD_NOMEM,
        libc::EAGAIN if cfg!(target_env = "musl") => THRD_NOMEM,
        _ => THRD_ERROR,
    }
}

/// Runs `f`, during which nobody's `pthread_cancel` ends this thread.
pub(crate) fn without_cancellation(f: impl FnOnce()) {
    let before = signal::exchange_cancellation(signal::CANCELLATION_OFF);
    f();
    signal::exchange_cancellation(before);
}
