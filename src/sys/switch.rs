//! Leaving one stack for another, for good.
//!
//! Layer 1.  Plane: failure.
//!
//! The frame that stays behind is described to unwinders (the `.cfi` lines), so that a backtrace
//! taken on the new stack goes on over the old one.

use core::arch::naked_asm;
use core::ffi::c_void;

/// What runs on the new stack.
pub(crate) type Entry = unsafe extern "C" fn(*const c_void) -> !;

/// Calls `entry(argument)` on the stack that ends at `top`.
///
/// # Safety
///
/// * `top` is the end of writable memory that nobody uses, enough for `entry`, and a multiple of
///   16.
/// * `entry(argument)` is sound; what `argument` points to stays where it is for ever: this frame
///   and those below it are never left.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn call_on(top: usize, entry: Entry, argument: *const c_void) -> ! {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        // From here on the frame is found through rbp, which the callee saves, wherever rsp is.
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdi",
        "mov rdi, rdx",
        "call rsi",
        "ud2",
        ".cfi_endproc",
    )
}

/// Calls `entry(argument)` on the stack that ends at `top`.
///
/// # Safety
///
/// * `top` is the end of writable memory that nobody uses, enough for `entry`, and a multiple of
///   16.
/// * `entry(argument)` is sound; what `argument` points to stays where it is for ever: this frame
///   and those below it are never left.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn call_on(top: usize, entry: Entry, argument: *const c_void) -> ! {
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset w29, -16",
        ".cfi_offset w30, -8",
        "mov x29, sp",
        // From here on the frame is found through x29, which the callee saves, wherever sp is.
        ".cfi_def_cfa w29, 16",
        "mov sp, x0",
        "mov x0, x2",
        "blr x1",
        "brk #1",
        ".cfi_endproc",
    )
}
