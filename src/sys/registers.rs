//! What only assembly can read.
//!
//! Layer 1.  Plane: data.

use core::arch::asm;

/// The stack pointer of the function that this is inlined into.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let sp: usize;
    // SAFETY: copies a register.
    unsafe { asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// The stack pointer of the function that this is inlined into.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let sp: usize;
    // SAFETY: copies a register.
    unsafe { asm!("mov {}, sp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// What a signal handler would be told of the thread that calls this.
pub(crate) type Context = libc::ucontext_t;

/// The registers of the function that this is inlined into: where it is, its stack, and what it
/// must preserve, noted in `context`. Enough for an unwinder; floating point is left out.
///
/// # Safety
///
/// `context` is writable, and all zero: nothing blocked, no floating point.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) unsafe fn note_context(context: *mut Context) {
    // SAFETY: the caller's clause.
    let to = unsafe { &raw mut (*context).uc_mcontext.gregs };
    // SAFETY: copies registers to the places that ucontext.h numbers: r12 is 4, rbp 10, rbx 11,
    // rsp 15, rip 16. The scratch register is an output.
    unsafe {
        asm!(
            "mov [{to} + 32], r12", "mov [{to} + 40], r13",
            "mov [{to} + 48], r14", "mov [{to} + 56], r15",
            "mov [{to} + 80], rbp", "mov [{to} + 88], rbx",
            "mov [{to} + 120], rsp",
            "lea {pc}, [rip]",
            "mov [{to} + 128], {pc}",
            to = in(reg) to, pc = out(reg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// The registers of the function that this is inlined into: where it is, its stack, and what it
/// must preserve, noted in `context`. Enough for an unwinder; floating point is left out.
///
/// # Safety
///
/// `context` is writable, and all zero: nothing blocked, no floating point.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) unsafe fn note_context(context: *mut Context) {
    // SAFETY: the caller's clause.
    let to = unsafe { &raw mut (*context).uc_mcontext.regs };
    let (sp, pc): (u64, u64);
    // SAFETY: copies registers to the places that their numbers say.
    unsafe {
        asm!(
            "stp x19, x20, [{to}, #152]", "stp x21, x22, [{to}, #168]",
            "stp x23, x24, [{to}, #184]", "stp x25, x26, [{to}, #200]",
            "stp x27, x28, [{to}, #216]", "stp x29, x30, [{to}, #232]",
            "mov {sp}, sp", "adr {pc}, .",
            to = in(reg) to, sp = out(reg) sp, pc = out(reg) pc,
            options(nostack, preserves_flags),
        );
    }
    // SAFETY: the caller's clause.
    let machine = unsafe { &mut (*context).uc_mcontext };
    (machine.sp, machine.pc) = (sp, pc);
}
