//! Where functions of AddressSanitizer's are.
//!
//! Layer 1.  Plane: failure.
//!
//! Their names are not there in other programs; Rust has no way yet to name what may be missing.

use core::arch::asm;

/// The address of a function, as a weak reference: zero where nothing defines it.
macro_rules! weak {
    ($name:literal) => {{
        let address: usize;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: reads the global offset table.
        unsafe {
            asm!(
                concat!(".weak ", $name),
                concat!("mov {}, qword ptr [rip + ", $name, "@GOTPCREL]"),
                out(reg) address,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: reads the global offset table.
        unsafe {
            asm!(
                concat!(".weak ", $name),
                concat!("adrp {0}, :got:", $name),
                concat!("ldr {0}, [{0}, :got_lo12:", $name, "]"),
                out(reg) address,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        address
    }};
}

/// `__sanitizer_start_switch_fiber`.
pub(super) fn start_switch() -> usize {
    weak!("__sanitizer_start_switch_fiber")
}

/// `__sanitizer_finish_switch_fiber`.
pub(super) fn finish_switch() -> usize {
    weak!("__sanitizer_finish_switch_fiber")
}
