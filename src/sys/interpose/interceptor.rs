//! Where a sanitizer's `pthread_create` is.
//!
//! Layer 1.  Plane: data.
//!
//! Its name is not there in other programs; Rust has no way yet to name what may be missing.

use core::arch::asm;

/// The address; zero in a program without a sanitizer.
#[cfg(target_arch = "x86_64")]
pub(super) fn address() -> usize {
    let address: usize;
    // SAFETY: reads the global offset table.
    unsafe {
        asm!(
            ".weak __interceptor_pthread_create",
            "mov {}, qword ptr [rip + __interceptor_pthread_create@GOTPCREL]",
            out(reg) address,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    address
}

/// The address; zero in a program without a sanitizer.
#[cfg(target_arch = "aarch64")]
pub(super) fn address() -> usize {
    let address: usize;
    // SAFETY: reads the global offset table.
    unsafe {
        asm!(
            ".weak __interceptor_pthread_create",
            "adrp {0}, :got:__interceptor_pthread_create",
            "ldr {0}, [{0}, :got_lo12:__interceptor_pthread_create]",
            out(reg) address,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    address
}
