//! AddressSanitizer, in programs that are built with it: it wants to know on which stack a thread
//! is, or it takes frames there for errors, and says so.
//!
//! Layer 1.  Plane: failure.

use core::ffi::c_void;
use core::mem::transmute;
use core::ptr;

use super::memory::Mapping;

mod symbols;

/// Whether the program is built with it. Then code runs on threads that it knows alone.
pub(crate) fn is_there() -> bool {
    symbols::start_switch() != 0
}

/// Tells that this thread is about to go on on the stack `to`, for good.
pub(crate) fn leave_for(to: Mapping) {
    type Start = unsafe extern "C" fn(*mut *mut c_void, *const c_void, usize);
    let address = symbols::start_switch();
    if address == 0 {
        return;
    }
    let start = ptr::with_exposed_provenance::<()>(address);
    // SAFETY: the function of that name has this type (sanitizer/common_interface_defs.h).
    let start = unsafe { transmute::<*const (), Start>(start) };
    // What is kept here is not given back: then it keeps the frames that stay behind as they are.
    let mut frames = ptr::null_mut();
    // SAFETY: the result is writable; a stack that exists.
    unsafe { start(&raw mut frames, ptr::with_exposed_provenance(to.base), to.len) };
}

/// Tells that it does: the first call there.
pub(crate) fn arrive() {
    type Finish = unsafe extern "C" fn(*mut c_void, *mut *const c_void, *mut usize);
    let address = symbols::finish_switch();
    if address == 0 {
        return;
    }
    let finish = ptr::with_exposed_provenance::<()>(address);
    // SAFETY: as in `leave_for`.
    let finish = unsafe { transmute::<*const (), Finish>(finish) };
    // SAFETY: nothing is to be restored, and nothing told.
    unsafe { finish(ptr::null_mut(), ptr::null_mut(), ptr::null_mut()) };
}
