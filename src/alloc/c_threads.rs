//! Threads that C code starts: armed before their first instruction of the program's.
//!
//! Layer 6.  Plane: data.
//!
//! A thread that never calls the allocator would never be armed: without an alternate stack its
//! overflow is a SIGSEGV that no handler can be told of. So the program has a `pthread_create` and
//! a `thrd_create` of ours (`door`), under which each thread begins at our door, is armed, and goes
//! on to where it was meant to begin by a jump: no frame of ours is on its stack, so that
//! `pthread_exit` and cancellation unwind through nothing but the program's own.
//!
//! Ours are weak. Where another library has one too, that one holds, and threads of C are armed at
//! their first allocation. In a program without a `FailFast` every call is passed on as it is.

use core::alloc::Layout;
use core::ffi::{c_int, c_void};

use crate::sys::interpose::{self, Start};
use crate::sys::{heap, signal};
use crate::terminate::{self, reserve};
use crate::thread::record;

use super::start;

mod door;

/// What a thread is given in place of its own argument.
struct Parcel {
    start: Start,
    argument: *mut c_void,
}

/// Where a thread goes on, in the two registers in which C returns such a pair.
#[repr(C)]
struct Target {
    start: Start,
    argument: *mut c_void,
}

/// Looks for the C library's function. In the constructor, and before anything else there.
pub(super) fn prepare() {
    // An unusual link must not drop our functions while it keeps this.
    core::hint::black_box([door::pthread_create as *const (), door::thrd_create as *const ()]);
    interpose::find();
}

/// pthread_create(3).
///
/// # Safety
///
/// That of `pthread_create`.
unsafe extern "C" fn create(
    thread: *mut c_void,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    if !interpose::is_found() {
        start::constructor(); // Another library's constructor, which runs before ours.
    }
    if start::is_installed()
        && let Some(parcel) = Parcel::pack(start, argument)
    {
        // SAFETY: the caller's clause; the parcel is what a thread that begins there expects.
        let result = unsafe { interpose::create(thread, attributes, door::enter, parcel.cast()) };
        if result != 0 {
            // SAFETY: there is no thread, so that nobody has unpacked it.
            unsafe { Parcel::unpack(parcel) };
        }
        return result;
    }
    // SAFETY: the caller's clause. Without memory for a parcel it is armed later.
    unsafe { interpose::create(thread, attributes, start, argument) }
}

/// thrd_create(3). Its `start` returns an `int`, in the lower half of where others return their
/// pointer; `thrd_join` looks at no more of it.
///
/// # Safety
///
/// That of `thrd_create`.
unsafe extern "C" fn create_of_c11(
    thread: *mut c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the caller's clause: a `thrd_t` is a `pthread_t`.
    let error = unsafe { create(thread, core::ptr::null(), start, argument) };
    interpose::error_of_c11(error)
}

/// The beginning of a thread, on its own stack.
///
/// # Safety
///
/// `parcel` is one that nobody has unpacked.
unsafe extern "C" fn arrive(parcel: *mut c_void) -> Target {
    // SAFETY: the caller's clause.
    let Parcel { start, argument } = unsafe { Parcel::unpack(parcel.cast()) };
    // What it inherits is the mask of its maker. Blocked, a fault kills without a word.
    signal::unblock(signal::SIGSEGV);
    signal::unblock(signal::SIGBUS);
    terminate::pass_gate();
    interpose::without_cancellation(|| start::arrive(record()));
    Target { start, argument }
}

impl Parcel {
    const LAYOUT: Layout = Layout::new::<Self>();

    /// Not by an allocator that keeps accounts: the thread does not exist yet, and may never.
    fn pack(start: Start, argument: *mut c_void) -> Option<*mut Self> {
        let parcel = if record().is_dying() {
            reserve::alloc(Self::LAYOUT)
        } else {
            // SAFETY: a layout that is not empty.
            unsafe { heap::alloc(Self::LAYOUT) }
        };
        let parcel = parcel.cast::<Self>();
        if parcel.is_null() {
            return None;
        }
        // SAFETY: a fresh block of this layout.
        unsafe { parcel.write(Self { start, argument }) };
        Some(parcel)
    }

    /// # Safety
    ///
    /// It was packed, and not unpacked yet.
    unsafe fn unpack(parcel: *mut Self) -> Self {
        // SAFETY: the caller's clause.
        let contents = unsafe { parcel.read() };
        if !terminate::is_dying() {
            // SAFETY: nobody is dying now, so nobody was: it is of the C library's heap; and it
            // was just read for the last time.
            unsafe { heap::dealloc(parcel.cast()) };
        }
        contents
    }
}
