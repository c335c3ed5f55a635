//! Memory to share with a child.
//!
//! Layer 1.  Plane: control.
//!
//! A file in memory, sealed so that nobody can cut it short: that would be SIGBUS for the other.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr;

use super::super::file;
use super::super::memory::Mapping;

/// The memory, and its file.
#[derive(Debug)]
pub(crate) struct SharedPage {
    file: Option<OwnedFd>,
    mapping: Mapping,
    ino: u64,
}

impl SharedPage {
    /// `len` bytes, which are whole pages: `header`, then zeroes.
    pub(crate) fn new(len: usize, header: &[u64]) -> io::Result<Self> {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: a C string, and flags.
        let fd = check(unsafe { libc::memfd_create(c"failfast-record".as_ptr(), flags) })?;
        // SAFETY: just opened, and nobody else's.
        let file = unsafe { OwnedFd::from_raw_fd(fd) };
        let bytes = libc::off_t::try_from(len).map_err(io::Error::other)?;
        // SAFETY: numbers only.
        check(unsafe { libc::ftruncate(fd, bytes) })?;
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: numbers only.
        check(unsafe { libc::fcntl(fd, libc::F_ADD_SEALS, seals) })?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        // SAFETY: a new mapping where the kernel likes; nothing that exists is touched.
        let at = unsafe { libc::mmap(ptr::null_mut(), len, access, flags, fd, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let ino = file::stat(fd).map_err(|errno| io::Error::from_raw_os_error(errno.0))?.ino;
        for (place, value) in header.iter().enumerate() {
            let to = at.cast::<u64>().wrapping_add(place);
            // SAFETY: within the mapping, which nobody else has yet.
            unsafe { to.write(*value) };
        }
        let mapping = Mapping { base: at.expose_provenance(), len };
        Ok(Self { file: Some(file), mapping, ino })
    }

    /// Where it is; for as long as `self` is there.
    pub(crate) fn base(&self) -> usize {
        self.mapping.base
    }

    /// Its file's inode.
    pub(crate) fn ino(&self) -> u64 {
        self.ino
    }

    /// Its file's descriptor, or -1 once that was closed.
    pub(crate) fn fd(&self) -> i32 {
        self.file.as_ref().map_or(-1, |file| file.as_raw_fd())
    }

    /// Closes the file. The memory stays.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }
}

impl Drop for SharedPage {
    fn drop(&mut self) {
        let at = ptr::with_exposed_provenance_mut(self.mapping.base);
        // SAFETY: mapped by `new`; who got `base` knows for how long.
        unsafe { libc::munmap(at, self.mapping.len) };
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
