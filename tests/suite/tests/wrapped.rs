//! The suite over a `FailFast` that another allocator wraps.

use std::alloc::{GlobalAlloc, Layout};

use failfast_alloc::FailFast;

/// Hands everything on.
struct Wrapper(FailFast);

// SAFETY: all is the inner allocator's.
unsafe impl GlobalAlloc for Wrapper {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.0.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.0.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { self.0.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.0.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static ALLOC: Wrapper = Wrapper(FailFast::system());

fn main() -> std::process::ExitCode {
    failfast_alloc_suite::main(failfast_alloc_suite::Program::Default)
}
