//! What a report says about the process: the kernel's figures, read without allocating.
//!
//! Layer 1.  Plane: failure.

use core::ffi::CStr;

use super::file::{File, Open};
use super::memory::page_bytes;
use super::process::{pid, tid};

/// The longest name that the kernel keeps of a thread, its zero included.
pub(crate) const THREAD_NAME_BYTES: usize = 16;

/// This thread's name, into `buf`. The first thread is `main`, as for `std`: the kernel calls it
/// like the program.
pub(crate) fn thread_name(buf: &mut [u8; THREAD_NAME_BYTES]) -> &[u8] {
    if tid() == pid() {
        return b"main";
    }
    // SAFETY: the kernel writes at most 16 bytes, a zero among them.
    unsafe { libc::prctl(libc::PR_GET_NAME, buf.as_mut_ptr()) };
    CStr::from_bytes_until_nul(buf).map_or(&[], CStr::to_bytes)
}

/// The real-time clock: seconds and nanoseconds since 1970.
pub(crate) fn unix_time() -> (u64, u32) {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the result is writable.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    (now.tv_sec as u64, now.tv_nsec as u32)
}

/// How much of the process is in memory, in bytes.
pub(crate) fn resident_bytes() -> Option<usize> {
    let mut buf = [0; 128];
    let text = File::open(c"/proc/self/statm", Open::Read).ok()?.read_into(&mut buf).ok()?;
    // Pages: all, resident, …; proc_pid_statm(5).
    let pages = text.split(|&byte| byte == b' ').nth(1)?;
    let pages: usize = core::str::from_utf8(pages).ok()?.parse().ok()?;
    pages.checked_mul(page_bytes())
}

/// Gives `f` the kernel's list of this process's mappings (proc_pid_maps(5)), piece by piece.
pub(crate) fn read_maps(f: impl FnMut(&[u8])) -> bool {
    read_file(c"/proc/self/maps", &mut [0; 4096], f)
}

/// Gives `f` the file `path` piece by piece, each at most as long as `buf`. `false` if it cannot be
/// read to the end.
pub(crate) fn read_file(path: &CStr, buf: &mut [u8], mut f: impl FnMut(&[u8])) -> bool {
    let Ok(file) = File::open(path, Open::Read) else { return false };
    loop {
        match file.read(buf) {
            Ok(0) => return true,
            Ok(got) => f(buf.get(..got).unwrap_or_default()),
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_thread() {
        let name = |given: &str| {
            let thread = std::thread::Builder::new().name(given.into());
            let run = || {
                let mut buf = [0; THREAD_NAME_BYTES];
                String::from_utf8(thread_name(&mut buf).to_vec()).unwrap()
            };
            thread.spawn(run).unwrap().join().unwrap()
        };
        assert_eq!(name("worker-3"), "worker-3");
        assert_eq!(name("a name of more than 15 bytes"), "a name of more ");
    }

    #[test]
    fn some_of_the_process_is_resident() {
        assert!(resident_bytes().unwrap() > 64 * 1024);
    }

    #[test]
    fn a_file_comes_whole_whatever_the_buffer() {
        let whole = std::fs::read("Cargo.toml").unwrap();
        let mut pieces = Vec::new();
        assert!(read_file(c"Cargo.toml", &mut [0; 7], |piece| pieces.extend_from_slice(piece)));
        assert_eq!(pieces, whole);
        assert!(!read_file(c"/nowhere", &mut [0; 7], |_| ()));
    }
}
