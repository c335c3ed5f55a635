//! The C library's `malloc` as an inner allocator.
//!
//! Layer 6.  Plane: data.

use core::alloc::{GlobalAlloc, Layout};

use crate::sys::heap;

/// The C library's `malloc` family, called directly; also a [`GlobalAlloc`] of its own.
///
/// What [`std::alloc::System`] is on Unix, with two instructions less per call where the alignment
/// is an ordinary one. It keeps no account: wrap it in [`FailFast`](crate::FailFast) for that.
///
/// # Examples
///
/// ```
/// use std::alloc::{GlobalAlloc, Layout};
/// use failfast_alloc::Malloc;
///
/// let layout = Layout::new::<[u64; 4]>();
/// // SAFETY: the layout is not empty, and the block is freed once, with its own layout.
/// unsafe {
///     let block = Malloc.alloc_zeroed(layout);
///     assert_eq!(*block, 0);
///     Malloc.dealloc(block, layout);
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Malloc;

// SAFETY: blocks come from the C library, which gives memory of the size and alignment asked for,
// keeps it until `free`, and unwinds never; `sys::heap` handles what it cannot align itself.
unsafe impl GlobalAlloc for Malloc {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the same.
        unsafe { heap::alloc(layout) }
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the same.
        unsafe { heap::alloc_zeroed(layout) }
    }

    #[inline(always)]
    unsafe fn dealloc(&self, ptr: *mut u8, _: Layout) {
        // SAFETY: the caller's contract is the same.
        unsafe { heap::dealloc(ptr) }
    }

    #[inline(always)]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract is the same.
        unsafe { heap::realloc(ptr, layout, new_size) }
    }
}
