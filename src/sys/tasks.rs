//! The threads of this process, as the kernel lists them.
//!
//! Layer 1.  Plane: failure.

/// Calls `f` with the number of each thread in `/proc/self/task`. `false` if there is no such
/// list. No allocation: `opendir` would make one.
pub(crate) fn for_each(mut f: impl FnMut(i32)) -> bool {
    // SAFETY: the path is a C string.
    let folder = unsafe {
        libc::open(
            c"/proc/self/task".as_ptr(),
            libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC,
        )
    };
    if folder < 0 {
        return false;
    }
    let mut buffer = [0_u64; 256];
    loop {
        // SAFETY: the buffer is writable, aligned for entries, and as long as given.
        let got = unsafe {
            libc::syscall(libc::SYS_getdents64, folder, buffer.as_mut_ptr(), size_of_val(&buffer))
        };
        if got <= 0 {
            // SAFETY: ours to close, once.
            unsafe { libc::close(folder) };
            return got == 0;
        }
        // SAFETY: the kernel has written `got` bytes of the buffer, which outlives the slice.
        let entries =
            unsafe { core::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), got as usize) };
        entries_of(entries, &mut f);
    }
}

/// Walks the entries that getdents64(2) wrote: inode (8 bytes), offset (8), length (2), type (1),
/// name.
fn entries_of(mut entries: &[u8], f: &mut impl FnMut(i32)) {
    while let Some(&[low, high]) = entries.get(16..18) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let (Some(name), Some(rest)) = (entries.get(19..length), entries.get(length..)) else {
            return;
        };
        if let Some(number) = number(name) {
            f(number);
        }
        entries = rest;
    }
}

/// A name that is a number, up to its zero; `.` and `..` are not.
fn number(name: &[u8]) -> Option<i32> {
    let digits = name.split(|&byte| byte == 0).next()?;
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i32, |sum, &digit| {
        let digit = digit.is_ascii_digit().then(|| i32::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_this_thread() {
        let (me, mut seen) = (crate::sys::process::tid() as i32, 0);
        assert!(super::for_each(|thread| seen += u32::from(thread == me)));
        assert_eq!(seen, 1);
    }
}
