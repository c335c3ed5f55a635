//! The C library's heap.
//!
//! Layer 1.  Plane: data.

use core::alloc::Layout;
use core::ptr;

/// The alignment that `malloc` gives to every block of at least that size: `max_align_t`'s, on all
/// 64-bit targets (C11 7.22.3, and the psABIs).
const MALLOC_ALIGN: usize = 16;

/// Whether plain `malloc` suffices. Smaller blocks may have a smaller alignment in some libraries.
#[inline(always)]
fn is_plain(size: usize, align: usize) -> bool {
    // Two branches, and not one combined condition: they are predicted, and it is not computed.
    if align > MALLOC_ALIGN {
        return false;
    }
    align <= size
}

/// `malloc`, or an aligned form of it.
///
/// # Safety
///
/// That of [`core::alloc::GlobalAlloc::alloc`].
#[inline(always)]
pub(crate) unsafe fn alloc(layout: Layout) -> *mut u8 {
    if is_plain(layout.size(), layout.align()) {
        // SAFETY: `malloc` takes any size.
        unsafe { libc::malloc(layout.size()).cast() }
    } else {
        aligned(layout)
    }
}

/// `calloc`, which knows which pages are zero already, or an aligned form.
///
/// # Safety
///
/// That of [`core::alloc::GlobalAlloc::alloc_zeroed`].
#[inline(always)]
pub(crate) unsafe fn alloc_zeroed(layout: Layout) -> *mut u8 {
    if is_plain(layout.size(), layout.align()) {
        // SAFETY: `calloc` takes any sizes.
        unsafe { libc::calloc(layout.size(), 1).cast() }
    } else {
        aligned_zeroed(layout)
    }
}

/// `free`.
///
/// # Safety
///
/// The pointer came from a function of this module and was not freed.
#[inline(always)]
pub(crate) unsafe fn dealloc(ptr: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { libc::free(ptr.cast()) }
}

/// `realloc`, or an aligned form.
///
/// # Safety
///
/// That of [`core::alloc::GlobalAlloc::realloc`], with a block of this module's.
#[inline(always)]
pub(crate) unsafe fn realloc(ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    if is_plain(new_size, layout.align()) {
        // SAFETY: the caller's promise; its alignment is one that `realloc` keeps.
        unsafe { libc::realloc(ptr.cast(), new_size).cast() }
    } else {
        // SAFETY: the caller's promise.
        unsafe { aligned_realloc(ptr, layout, new_size) }
    }
}

#[cold]
#[inline(never)]
fn aligned(layout: Layout) -> *mut u8 {
    let mut block = ptr::null_mut();
    let align = layout.align().max(size_of::<usize>());
    // SAFETY: `block` is writable; the alignment is a power of two and a multiple of a pointer's
    // size; posix_memalign(3).
    match unsafe { libc::posix_memalign(&raw mut block, align, layout.size()) } {
        0 => block.cast(),
        _ => ptr::null_mut(),
    }
}

#[cold]
#[inline(never)]
fn aligned_zeroed(layout: Layout) -> *mut u8 {
    let block = aligned(layout);
    if !block.is_null() {
        // SAFETY: the block has that many bytes.
        unsafe { ptr::write_bytes(block, 0, layout.size()) };
    }
    block
}

/// The C library has no aligned `realloc`: allocate, copy, free.
///
/// # Safety
///
/// That of [`realloc`].
#[cold]
#[inline(never)]
unsafe fn aligned_realloc(ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    // SAFETY: the caller promises that `new_size`, rounded up to the alignment, does not overflow.
    let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
    let block = aligned(new_layout);
    if !block.is_null() {
        // SAFETY: both blocks have at least that many bytes, and are distinct.
        unsafe { ptr::copy_nonoverlapping(ptr, block, layout.size().min(new_size)) };
        // SAFETY: the caller's promise; it is freed once.
        unsafe { dealloc(ptr) };
    }
    block
}
