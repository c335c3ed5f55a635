//! How much memory this process and this machine may use, as far as a system call tells.
//!
//! Layer 1.  Plane: failure.

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
