//! How much memory this process and this machine may use, as far as a system call tells; and how
//! many descriptors.
//!
//! Layer 1.  Plane: failure.

use crate::sync::{AtomicU64, Ordering::Relaxed};

/// A limit that a process inherits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resource {
    /// Of all that is mapped (`RLIMIT_AS`).
    AddressSpace,
    /// Of private writable memory (`RLIMIT_DATA`).
    Data,
}

/// The soft limit in bytes; `None` if there is none.
pub(crate) fn soft_limit(resource: Resource) -> Option<u64> {
    let resource = match resource {
        Resource::AddressSpace => libc::RLIMIT_AS,
        Resource::Data => libc::RLIMIT_DATA,
    };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes of an `rlimit`.
    let status = unsafe { libc::getrlimit(resource, &mut limit) };
    (status == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// The soft limit of descriptors before it was raised; 0 if it was not.
static DESCRIPTORS: AtomicU64 = AtomicU64::new(0);

/// Lets the process open as many files as it may at most: a process that dies for want of
/// everything may have none left to say so.
pub(crate) fn raise_descriptors() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes of an `rlimit`.
    let is_known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } == 0;
    if is_known && limit.rlim_cur < limit.rlim_max {
        // ORDER: Relaxed. Read by the same thread.
        DESCRIPTORS.store(limit.rlim_cur, Relaxed);
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: a complete limit.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    }
}

/// Sets that limit back, for a program that inherits it.
pub(crate) fn restore_descriptors() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // ORDER: Relaxed. Written by the same thread.
    let before = DESCRIPTORS.load(Relaxed);
    // SAFETY: as above.
    if before != 0 && unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } == 0 {
        limit.rlim_cur = before;
        // SAFETY: a complete limit.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    }
}

/// The bytes of physical memory; `None` if the kernel does not say.
pub(crate) fn physical_memory() -> Option<u64> {
    let mut info = core::mem::MaybeUninit::<libc::sysinfo>::zeroed();
    // SAFETY: `info` is valid for writes of a `sysinfo`.
    let status = unsafe { libc::sysinfo(info.as_mut_ptr()) };
    // SAFETY: all fields are integers, for which the zeroes it began with are valid.
    let info = unsafe { info.assume_init() };
    let bytes = info.totalram.checked_mul(u64::from(info.mem_unit));
    bytes.filter(|bytes| status == 0 && *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn physical_memory_is_what_proc_says() {
        let Ok(text) = std::fs::read_to_string("/proc/meminfo") else {
            return eprintln!("SKIPPED: there is no /proc/meminfo to compare with");
        };
        let line = text.lines().find(|line| line.starts_with("MemTotal:")).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert_eq!(physical_memory(), Some(kib * 1024));
    }
}
