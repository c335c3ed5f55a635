//! Saying something while dying.
//!
//! Layer 1.  Plane: failure.
//!
//! Nothing here waits: a full pipe or a slow reader must not keep a dying process alive. And
//! nothing is written where it was not meant to go: a descriptor's number may have been closed and
//! given to a file of the user's, so it is compared with what it was at start.
//!
//! `write(2)` can raise SIGPIPE; the caller has blocked it.

use core::ffi::CStr;

use super::file::{self, Kind};
use super::raw;

/// Whether `fd` still is the file `ino` of the device `dev`.
pub(crate) fn is_still(fd: i32, dev: u64, ino: u64) -> bool {
    file::stat(fd).is_ok_and(|now| (now.dev, now.ino) == (dev, ino))
}

/// Writes `bytes` at once, if they can be taken without waiting. `false` unless all were.
pub(crate) fn write_now(fd: i32, bytes: &[u8]) -> bool {
    is_ready(fd) && {
        // One call, and not the C library's `write`, at which a thread may be cancelled.
        // SAFETY: the bytes are readable.
        let wrote = unsafe { libc::syscall(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) };
        usize::try_from(wrote) == Ok(bytes.len())
    }
}

/// Makes `bytes` the whole content of a plain file that was just opened. Nothing of what was in it
/// before is ever seen with them.
pub(crate) fn set_content(fd: i32, bytes: &[u8]) -> bool {
    // SAFETY: numbers only.
    let cut = unsafe { libc::ftruncate64(fd, 0) } == 0;
    // SAFETY: the bytes are readable.
    let wrote = unsafe { libc::syscall(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) };
    cut && usize::try_from(wrote) == Ok(bytes.len())
}

/// Writes `bytes` over a plain file's beginning, by one call.
pub(crate) fn write_over(fd: i32, bytes: &[u8]) -> bool {
    // SAFETY: the bytes are readable.
    let wrote =
        unsafe { libc::syscall(libc::SYS_pwrite64, fd, bytes.as_ptr(), bytes.len(), 0_i64) };
    usize::try_from(wrote) == Ok(bytes.len())
}

/// Opens the plain file `name` in `folder` for writing, and makes it if need be. A link is not
/// followed, a pipe without a reader not waited for; anything but a plain file is refused.
pub(crate) fn create_in(folder: i32, name: &CStr) -> Option<i32> {
    let flags =
        libc::O_NOFOLLOW | libc::O_CREAT | libc::O_WRONLY | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: the name is a C string; the mode is there because the file may be made.
    let fd = unsafe { libc::syscall(libc::SYS_openat, folder, name.as_ptr(), flags, 0o600) };
    let fd = i32::try_from(fd).ok().filter(|&fd| fd >= 0)?;
    if file::stat(fd).is_ok_and(|now| now.kind == Kind::Regular) {
        return Some(fd);
    }
    // SAFETY: ours to close, once.
    unsafe { libc::syscall(libc::SYS_close, fd) };
    None
}

fn is_ready(fd: i32) -> bool {
    let mut asked = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    let entries = (&raw mut asked).expose_provenance();
    // Not the C library's, at which a thread may be cancelled: some write here, and go on.
    #[cfg(target_arch = "x86_64")]
    let (number, args) = (libc::SYS_poll, [entries, 1, 0, 0, 0, 0]);
    // There is none elsewhere.
    #[cfg(not(target_arch = "x86_64"))]
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[cfg(not(target_arch = "x86_64"))]
    let (number, args) =
        (libc::SYS_ppoll, [entries, 1, (&raw const at_once).expose_provenance(), 0, 0, 0]);
    // SAFETY: one entry, writable, and a time; it does not wait.
    let ready = unsafe { raw::call(number, args) };
    // SAFETY: the kernel has written it, behind the compiler's back.
    let revents = unsafe { core::ptr::read_volatile(&raw const asked.revents) };
    ready == 1 && revents & libc::POLLOUT != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn a_full_pipe_is_not_waited_for() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let fd = writer.as_raw_fd();
        let page = [b'x'; 4096];
        let mut pages = 0;
        while write_now(fd, &page) {
            pages += 1;
        }
        assert!(pages > 0);
        let mut start = [0; 4];
        reader.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"xxxx");
    }

    #[test]
    fn a_file_is_told_from_another() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let file = std::fs::File::open("Cargo.toml").unwrap();
        let now = file::stat(file.as_raw_fd()).unwrap();
        assert!(is_still(file.as_raw_fd(), now.dev, now.ino));
        assert!(!is_still(reader.as_raw_fd(), now.dev, now.ino));
        assert!(!is_still(-1, now.dev, now.ino));
    }
}
