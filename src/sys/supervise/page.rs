//! Memory to share with a child.
//!
//! Layer 1.  Plane: control.
//!
//! A file in memory, sealed so that nobody can cut it short: that would be SIGBUS for the child,
//! which maps it. We read it once, when the child has ended, and need no mapping.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

/// How many bytes there are: whole pages.
const BYTES: usize = 8192;

/// The memory.
#[derive(Debug)]
pub(crate) struct SharedPage {
    file: File,
    ino: u64,
}

impl SharedPage {
    /// `header`, then zeroes. The memory is there from now on, and not only once it is written to.
    pub(crate) fn new(header: &[u64; 3]) -> io::Result<Self> {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: a C string, and flags.
        let fd = check(unsafe { libc::memfd_create(c"failfast-record".as_ptr(), flags) })?;
        // SAFETY: just opened, and nobody else's.
        let file = unsafe { File::from_raw_fd(fd) };
        file.write_all_at(&[0; BYTES], 0)?;
        file.write_all_at(header.map(u64::to_ne_bytes).as_flattened(), 0)?;
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: numbers only.
        check(unsafe { libc::fcntl(fd, libc::F_ADD_SEALS, seals) })?;
        let ino = file.metadata()?.ino();
        Ok(Self { file, ino })
    }

    /// Copies it. Allocates nothing.
    pub(crate) fn read(&self, to: &mut [u64; BYTES / 8]) -> io::Result<()> {
        let mut bytes = [0; BYTES];
        self.file.read_exact_at(&mut bytes, 0)?;
        for (to, from) in to.iter_mut().zip(bytes.as_chunks().0) {
            *to = u64::from_ne_bytes(*from);
        }
        Ok(())
    }

    /// Its file's inode.
    pub(crate) fn ino(&self) -> u64 {
        self.ino
    }

    /// Its file's descriptor.
    pub(crate) fn fd(&self) -> i32 {
        self.file.as_raw_fd()
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
