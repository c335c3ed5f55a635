//! The stack on which a thread's signal handlers run.
//!
//! Layer 1.  Plane: failure.

use core::ptr;

use super::memory::Mapping;

/// How large an alternate stack must be: what the kernel pushes on this processor (which grows with
/// the vector registers), and room for a handler of ours and of whoever comes after us.
pub(crate) fn wanted_bytes() -> usize {
    // SAFETY: no preconditions; zero on kernels that do not know the entry.
    let frame = unsafe { libc::getauxval(AT_MINSIGSTKSZ) } as usize;
    (frame + 32 * 1024).max(64 * 1024)
}

/// getauxval(3): the least room that a signal needs.
const AT_MINSIGSTKSZ: libc::c_ulong = 51;

/// Where this thread's alternate stack begins, or `None` if it has none.
pub(crate) fn current() -> Option<usize> {
    let mut now = empty();
    // SAFETY: only reads; the result is writable.
    let known = unsafe { libc::sigaltstack(ptr::null(), &raw mut now) } == 0;
    (known && now.ss_flags & libc::SS_DISABLE == 0).then(|| now.ss_sp.addr())
}

/// Makes `mapping` this thread's alternate stack. `false` if it is running on one now.
///
/// # Safety
///
/// Until `disable`, or the thread's end, nobody else uses the mapping, and nobody unmaps it.
pub(crate) unsafe fn enable(mapping: Mapping) -> bool {
    let stack = libc::stack_t {
        ss_sp: ptr::with_exposed_provenance_mut(mapping.base),
        ss_flags: 0,
        ss_size: mapping.len,
    };
    // SAFETY: the caller gives the memory to the kernel.
    unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) == 0 }
}

/// Takes this thread's alternate stack away. `false` if it is running on it now.
pub(crate) fn disable() -> bool {
    let none = libc::stack_t { ss_flags: libc::SS_DISABLE, ..empty() };
    // SAFETY: only the kernel's knowledge changes.
    unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) == 0 }
}

const fn empty() -> libc::stack_t {
    libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: 0, ss_size: 0 }
}
