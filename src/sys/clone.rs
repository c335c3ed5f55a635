//! A thread, or a process in our memory, that the C library knows nothing of.
//!
//! Layer 1.  Plane: failure.
//!
//! It has no thread-local storage of its own (it sees its maker's), no destructors, no name, and
//! takes no lock to be made. What it runs must not mind.

use core::arch::naked_asm;

use crate::sync::AtomicU32;

use super::memory::Mapping;

/// What it runs. Nothing is there to return to.
pub(crate) type Entry = unsafe extern "C" fn() -> !;

/// Starts `entry` as a thread of this process on `stack`, and stores its number in `number` before
/// this returns. The signals blocked are those of the calling thread. `false` if the kernel
/// refuses.
///
/// # Safety
///
/// * `stack` is writable, enough for `entry`, and nobody else's for ever.
/// * `entry` is sound in a thread that shares the calling thread's thread-local storage.
pub(crate) unsafe fn thread(stack: Mapping, entry: Entry, number: &'static AtomicU32) -> bool {
    let flags = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM
        | libc::CLONE_PARENT_SETTID;
    // SAFETY: the stack ends at a page, its memory and `entry` are the caller's clauses; the word
    // lives for ever.
    unsafe { clone(flags as usize, stack.end(), number.as_ptr(), entry) > 0 }
}

/// Starts `entry` as a process of its own on `stack`, which shares this one's memory and
/// descriptors, and tells nobody when it ends. Else as [`thread`].
///
/// # Safety
///
/// As for [`thread`].
pub(crate) unsafe fn process(stack: Mapping, entry: Entry, number: &'static AtomicU32) -> bool {
    // No signal at its end: whoever waits for children does not see it.
    let flags = libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_PARENT_SETTID;
    // SAFETY: as in `thread`.
    unsafe { clone(flags as usize, stack.end(), number.as_ptr(), entry) > 0 }
}

/// clone(2): in the parent the child's number, or `-errno`; in the child `entry`.
///
/// # Safety
///
/// * `top` is a multiple of 16, the end of a stack for the child.
/// * `number` is writable; `entry` is sound in the child.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn clone(flags: usize, top: usize, number: *mut u32, entry: Entry) -> isize {
    naked_asm!(
        "mov r9, rcx", // The system call takes rcx.
        "xor r10d, r10d",
        "xor r8d, r8d",
        "mov eax, 56", // clone
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        "xor ebp, ebp", // The outermost frame.
        "call r9",
        "ud2",
    )
}

/// clone(2): in the parent the child's number, or `-errno`; in the child `entry`.
///
/// # Safety
///
/// * `top` is a multiple of 16, the end of a stack for the child.
/// * `number` is writable; `entry` is sound in the child.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn clone(flags: usize, top: usize, number: *mut u32, entry: Entry) -> isize {
    naked_asm!(
        "mov x9, x3",
        "mov x3, xzr",
        "mov x4, xzr",
        "mov x8, #220", // clone
        "svc #0",
        "cbz x0, 2f",
        "ret",
        "2:",
        "mov x29, xzr", // The outermost frame.
        "mov x30, xzr",
        "blr x9",
        "brk #1",
    )
}
