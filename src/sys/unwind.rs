//! The addresses that led here.
//!
//! Layer 1.  Plane: failure.
//!
//! The unwinder is the one that `std` links anyway. It allocates nothing. With a C library that has
//! `_dl_find_object` (glibc since 2.35) it takes no lock either; with an older one it takes the
//! loader's, which the same thread may hold already.
//!
//! It reads the failing stack, which may be damaged. A fault in it is for the caller to survive.

use core::ffi::{c_int, c_void};

/// The unwinder's view of a frame.
enum Context {}

type Visit = unsafe extern "C" fn(*mut Context, *mut c_void) -> c_int;

unsafe extern "C" {
    fn _Unwind_Backtrace(visit: Visit, argument: *mut c_void) -> c_int;
    fn _Unwind_GetIP(context: *mut Context) -> usize;
    fn _Unwind_GetCFA(context: *mut Context) -> usize;
}

/// A call that has not returned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Where it will return to.
    pub(crate) address: usize,
    /// Where on its stack it is.
    pub(crate) stack_pointer: usize,
}

/// `_URC_NO_REASON` of the unwinder's ABI: go on.
const GO_ON: c_int = 0;
/// `_URC_END_OF_STACK`: enough.
const ENOUGH: c_int = 5;

/// Calls `f` with each frame, the innermost first, until `f` says `false` or there are no more.
#[inline(never)]
pub(crate) fn for_each_frame<F: FnMut(Frame) -> bool>(mut f: F) {
    // SAFETY: `visit::<F>` gets the pointer to `f` that it expects, while `f` is alive.
    unsafe { _Unwind_Backtrace(visit::<F>, (&raw mut f).cast()) };
}

/// # Safety
///
/// `argument` points to an `F` that nobody else uses.
unsafe extern "C" fn visit<F: FnMut(Frame) -> bool>(
    context: *mut Context,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the caller's clause.
    let f = unsafe { &mut *argument.cast::<F>() };
    // SAFETY: the unwinder gives a valid context.
    let address = unsafe { _Unwind_GetIP(context) };
    // SAFETY: as above.
    let stack_pointer = unsafe { _Unwind_GetCFA(context) };
    if address != 0 && f(Frame { address, stack_pointer }) { GO_ON } else { ENOUGH }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{memory, switch};

    #[test]
    fn sees_more_than_itself() {
        let mut frames = 0;
        for_each_frame(|_| {
            frames += 1;
            true
        });
        assert!(frames > 3);
    }

    #[test]
    fn goes_on_over_the_stack_that_was_left() {
        unsafe extern "C" fn entry(argument: *const c_void) -> ! {
            let wanted = argument.addr();
            let mut found = false;
            for_each_frame(|frame| {
                // The address after a call in `leave` is within its few hundred bytes.
                found |= frame.address.wrapping_sub(wanted) < 512;
                true
            });
            // This stack cannot be left but by the end of the process.
            // SAFETY: no preconditions.
            unsafe { libc::_exit(if found { 0 } else { 1 }) }
        }
        #[inline(never)]
        fn leave() {
            let stack = memory::map_guarded(64 * 1024).unwrap();
            let here = leave as fn() as *const c_void;
            // SAFETY: a fresh mapping, page-aligned; `entry` only looks at the address.
            unsafe { switch::call_on(stack.end(), entry, here) };
        }
        // SAFETY: the child makes no use of anything that another thread may have held.
        let child = unsafe { libc::fork() };
        if child == 0 {
            leave();
        }
        let mut status = 0;
        // SAFETY: our own child; the status is writable.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the backtrace ended at the border of the stacks");
    }
}
