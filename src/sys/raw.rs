//! System calls, by the instruction itself.
//!
//! Layer 1.  Plane: failure.
//!
//! For code that runs on a thread which has no thread-local storage, or whose own is in the middle
//! of something: the C library's wrappers write `errno`, and some are points of cancellation. No
//! C library is asked for anything here.

use core::arch::asm;
#[cfg(target_arch = "x86_64")]
use core::arch::naked_asm;

/// A system call with up to six arguments. Failures are `-errno`, as the kernel returns them.
///
/// # Safety
///
/// That of the call: what its arguments point to is there for as long as the kernel uses it.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn call(number: libc::c_long, a: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel's convention: it keeps all registers but these three, and the stack; what
    // it reads and writes is the caller's clause.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// A system call with up to six arguments. Failures are `-errno`, as the kernel returns them.
///
/// # Safety
///
/// That of the call: what its arguments point to is there for as long as the kernel uses it.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn call(number: libc::c_long, a: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel's convention: it keeps all registers but the first; what it reads and
    // writes is the caller's clause.
    unsafe {
        asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") a[0] as isize => result,
            in("x1") a[1], in("x2") a[2], in("x3") a[3], in("x4") a[4], in("x5") a[5],
            options(nostack),
        );
    }
    result
}

/// Where a signal handler of ours returns to, on a processor whose kernel has to be told.
#[cfg(target_arch = "x86_64")]
pub(super) fn restorer() -> usize {
    /// # Safety
    ///
    /// Only a handler's return leads here.
    #[unsafe(naked)]
    unsafe extern "C" fn restore() {
        // 15 is rt_sigreturn.
        naked_asm!("mov eax, 15", "syscall", "ud2")
    }
    restore as unsafe extern "C" fn() as usize
}

/// The kernel knows where handlers return to.
#[cfg(target_arch = "aarch64")]
pub(super) fn restorer() -> usize {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers() {
        // SAFETY: no arguments.
        let pid = unsafe { call(libc::SYS_getpid, [0; 6]) };
        assert_eq!(pid, std::process::id() as isize);
        // SAFETY: closes nothing.
        let error = unsafe { call(libc::SYS_close, [usize::MAX, 0, 0, 0, 0, 0]) };
        assert_eq!(error, -(libc::EBADF as isize));
    }

    #[test]
    fn six_arguments_arrive() {
        let file = std::fs::File::open("Cargo.toml").unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&file) as usize;
        let page = super::super::memory::page_bytes();
        let (read, private) = (libc::PROT_READ as usize, libc::MAP_PRIVATE as usize);
        // SAFETY: a new mapping, of nothing that exists.
        let at = unsafe { call(libc::SYS_mmap, [0, page, read, private, fd, 0]) };
        let text = core::ptr::with_exposed_provenance::<u8>(at as usize);
        // SAFETY: just mapped, and the file is longer.
        assert_eq!(unsafe { *text }, std::fs::read("Cargo.toml").unwrap()[0]);
    }
}
