//! The program's `pthread_create` and `thrd_create`, and where its threads begin.
//!
//! Layer 6.  Plane: data.
//!
//! Rust can neither define a weak symbol nor leave a function by a jump.

use core::arch::naked_asm;
use core::ffi::{c_int, c_void};

use super::{Start, arrive, create, create_of_c11};

/// The program's `pthread_create`, weak, so that a program may link another one's beside it.
///
/// # Safety
///
/// That of `pthread_create`.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn pthread_create(
    thread: *mut c_void,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    naked_asm!(
        ".weak pthread_create",
        ".type pthread_create, @function",
        "pthread_create:",
        ".cfi_startproc",
        "endbr64",
        "jmp {create}",
        ".cfi_endproc",
        ".size pthread_create, . - pthread_create",
        create = sym create,
    )
}

/// The program's `pthread_create`, weak, so that a program may link another one's beside it.
///
/// # Safety
///
/// That of `pthread_create`.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn pthread_create(
    thread: *mut c_void,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    naked_asm!(
        ".weak pthread_create",
        ".type pthread_create, %function",
        "pthread_create:",
        ".cfi_startproc",
        "hint #34", // bti c
        "b {create}",
        ".cfi_endproc",
        ".size pthread_create, . - pthread_create",
        create = sym create,
    )
}

/// The program's `thrd_create`, weak like `pthread_create`: the C library's own makes threads past
/// any `pthread_create`.
///
/// # Safety
///
/// That of `thrd_create`.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn thrd_create(
    thread: *mut c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    naked_asm!(
        ".weak thrd_create",
        ".type thrd_create, @function",
        "thrd_create:",
        ".cfi_startproc",
        "endbr64",
        "jmp {create}",
        ".cfi_endproc",
        ".size thrd_create, . - thrd_create",
        create = sym create_of_c11,
    )
}

/// The program's `thrd_create`, weak like `pthread_create`: the C library's own makes threads past
/// any `pthread_create`.
///
/// # Safety
///
/// That of `thrd_create`.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn thrd_create(
    thread: *mut c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    naked_asm!(
        ".weak thrd_create",
        ".type thrd_create, %function",
        "thrd_create:",
        ".cfi_startproc",
        "hint #34", // bti c
        "b {create}",
        ".cfi_endproc",
        ".size thrd_create, . - thrd_create",
        create = sym create_of_c11,
    )
}

/// Where a thread begins: it is armed, and goes on to its own beginning as if called from here.
///
/// # Safety
///
/// `parcel` is one that nobody has unpacked.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn enter(parcel: *mut c_void) -> *mut c_void {
    naked_asm!(
        ".cfi_startproc",
        "endbr64",
        "sub rsp, 8",
        ".cfi_def_cfa_offset 16",
        "call {arrive}",
        "add rsp, 8",
        ".cfi_def_cfa_offset 8",
        "mov rdi, rdx",
        "jmp rax",
        ".cfi_endproc",
        arrive = sym arrive,
    )
}

/// Where a thread begins: it is armed, and goes on to its own beginning as if called from here.
///
/// # Safety
///
/// `parcel` is one that nobody has unpacked.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn enter(parcel: *mut c_void) -> *mut c_void {
    naked_asm!(
        ".cfi_startproc",
        "hint #34", // bti c
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset w29, -16",
        ".cfi_offset w30, -8",
        "mov x29, sp",
        "bl {arrive}",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore w29",
        ".cfi_restore w30",
        // By x16, as a call: what it begins with need not be a place to jump to.
        "mov x16, x0",
        "mov x0, x1",
        "br x16",
        ".cfi_endproc",
        arrive = sym arrive,
    )
}
