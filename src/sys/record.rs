//! The page that is shared with a supervisor, found and mapped.
//!
//! Layer 1.  Plane: failure.

use core::ptr;

use super::file::{self, Kind};
use super::memory::Mapping;

/// What came of looking for the page.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shared {
    /// It is mapped: nobody can cut it short.
    Mapped(Mapping),
    /// The descriptor is none of ours: it was closed, or is another file by now.
    Absent,
    /// The kernel has refused to map it, or to keep it from forked children.
    Refused,
}

/// Maps the first `len` bytes of the file behind `fd` for reading and writing, if it is the one
/// with inode `ino`, and sealed, so that it keeps its length. Forked children do not have it.
pub(crate) fn map(fd: i32, ino: u64, len: usize) -> Shared {
    const SEALS: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    let is_ours = |now: &file::Stat| now.ino == ino && now.kind == Kind::Regular;
    if !file::stat(fd).is_ok_and(|now| is_ours(&now)) {
        return Shared::Absent;
    }
    // SAFETY: `F_GET_SEALS` takes no argument; a file that knows no seals answers with an error.
    if unsafe { libc::fcntl(fd, libc::F_GET_SEALS) } & SEALS != SEALS {
        return Shared::Absent;
    }
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
    // SAFETY: a new mapping where the kernel likes; nothing that exists is touched.
    let at = unsafe { libc::mmap(ptr::null_mut(), len, access, flags, fd, 0) };
    if at == libc::MAP_FAILED {
        return Shared::Refused;
    }
    // SAFETY: the mapping just made.
    if unsafe { libc::madvise(at, len, libc::MADV_DONTFORK) } != 0 {
        // SAFETY: as above; nobody knows it.
        unsafe { libc::munmap(at, len) };
        return Shared::Refused;
    }
    Shared::Mapped(Mapping { base: at.expose_provenance(), len })
}

/// Gives back what `map` has mapped.
///
/// # Safety
///
/// It comes from `map`, was not given back, and nobody uses it any more.
pub(crate) unsafe fn unmap(mapping: Mapping) {
    // SAFETY: the caller's clauses.
    unsafe { libc::munmap(ptr::with_exposed_provenance_mut(mapping.base), mapping.len) };
}

/// Closes the page's descriptor, which nobody else has a use for.
///
/// # Safety
///
/// `fd` is that of the page.
pub(crate) unsafe fn close(fd: i32) {
    // SAFETY: a number; the caller's clause.
    unsafe { libc::syscall(libc::SYS_close, fd) };
}
