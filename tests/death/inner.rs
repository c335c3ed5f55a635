//! The inner allocator: the C library's, which a row can have locked for ever.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use failfast_alloc::Malloc;
use failfast_alloc_rows::witness::{self, COUNTERS};

/// The C library's `malloc`.
pub(crate) struct Inner;

/// Whether there is a lock around every call.
static IS_LOCKED: AtomicBool = AtomicBool::new(false);
static LOCK: AtomicBool = AtomicBool::new(false);

/// From the next call on nobody gets any further: its thread keeps the lock, and counts.
pub(crate) fn park_the_next_caller() {
    witness::open();
    IS_LOCKED.store(true, SeqCst);
}

fn enter() {
    if !IS_LOCKED.load(SeqCst) {
        return;
    }
    let is_first = !LOCK.swap(true, SeqCst);
    loop {
        if is_first {
            witness::count(COUNTERS);
        }
        std::hint::spin_loop();
    }
}

// SAFETY: all is the C library's.
unsafe impl GlobalAlloc for Inner {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        enter();
        // SAFETY: the caller's clauses.
        unsafe { Malloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        enter();
        // SAFETY: the caller's clauses.
        unsafe { Malloc.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        enter();
        // SAFETY: the caller's clauses.
        unsafe { Malloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        enter();
        // SAFETY: the caller's clauses.
        unsafe { Malloc.realloc(block, layout, size) }
    }
}
