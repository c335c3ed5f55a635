//! The stack on which a thread's signal handlers run.
//!
//! Layer 1.  Plane: failure.

use core::ptr;

use super::memory::Mapping;
use super::registers::stack_pointer;

/// How large an alternate stack must be: what the kernel pushes on this processor (which grows with
/// the vector registers), and room for a handler of ours and of whoever comes after us.
pub(crate) fn wanted_bytes() -> usize {
    // SAFETY: no preconditions; zero on kernels that do not know the entry.
    let frame = unsafe { libc::getauxval(AT_MINSIGSTKSZ) } as usize;
    (frame + 32 * 1024).max(64 * 1024)
}

/// How much of it a handler of ours needs to stop its thread: to be had however full the machine
/// is.
pub(crate) fn needed_bytes() -> usize {
    // SAFETY: no preconditions.
    let frame = unsafe { libc::getauxval(AT_MINSIGSTKSZ) } as usize;
    frame + 2048
}

/// How much of the mapping, at its low end, the kernel is not told of.
///
/// Whether a thread is on its alternate stack the kernel sees from the stack pointer alone; a fault
/// just below what it knows, with the stack pointer still within, would find no room for a handler,
/// and end the process without a word. As it is, the stack pointer has left before the guard is
/// met: no instruction reaches further below it (see `BELOW` in `stack::fault`).
const SLACK: usize = 512;

/// getauxval(3): the least room that a signal needs.
const AT_MINSIGSTKSZ: libc::c_ulong = 51;

/// Whether this thread has an alternate stack. `true` if the kernel does not say.
pub(crate) fn is_set() -> bool {
    current().is_none_or(|now| now.ss_flags & libc::SS_DISABLE == 0)
}

/// Whether `mapping` is this thread's alternate stack.
pub(crate) fn is(mapping: Mapping) -> bool {
    let is_it = |now: libc::stack_t| {
        now.ss_flags & libc::SS_DISABLE == 0 && now.ss_sp.addr() == mapping.base + SLACK
    };
    current().is_some_and(is_it)
}

/// How much is left of the alternate stack that the caller is on. `None` if it is on none.
pub(crate) fn room() -> Option<usize> {
    let now = current().filter(|now| now.ss_flags & libc::SS_ONSTACK != 0)?;
    Some(stack_pointer().saturating_sub(now.ss_sp.addr()))
}

fn current() -> Option<libc::stack_t> {
    let mut now = empty();
    // SAFETY: only reads; the result is writable.
    let known = unsafe { libc::sigaltstack(ptr::null(), &raw mut now) } == 0;
    known.then_some(now)
}

/// Makes `mapping` this thread's alternate stack. `false` if it is running on one now.
///
/// # Safety
///
/// Until `disable`, or the thread's end, nobody else uses the mapping, and nobody unmaps it.
pub(crate) unsafe fn enable(mapping: Mapping) -> bool {
    let stack = libc::stack_t {
        ss_sp: ptr::with_exposed_provenance_mut(mapping.base + SLACK),
        ss_flags: 0,
        ss_size: mapping.len - SLACK,
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
