//! Memory to share with a child.
//!
//! Layer 1.  Plane: control.
//!
//! A file in memory, sealed so that nobody can cut it short: that would be SIGBUS for the child,
//! which maps it. We read it once, when the child has ended, and need no mapping.

use std::fs::File;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::{io, ptr};

use super::super::memory::{self, Mapping};
use super::above_standard;

/// How many bytes there are: whole pages.
const BYTES: usize = 8192;

/// The same in words.
const WORDS: usize = BYTES / size_of::<u64>();

/// How many words are written by a program that does not fail, or a few more.
const BEGINNING: usize = 32;

/// A file of memory that nobody executes: kernels that insist on it (`vm.memfd_noexec=2`) give no
/// other. The C library's headers do not have it everywhere.
const MFD_NOEXEC_SEAL: libc::c_uint = 8;

/// The memory.
#[derive(Debug)]
pub(crate) struct SharedPage {
    file: File,
    ino: u64,
}

impl SharedPage {
    /// `header`, then zeroes. The memory is there from now on, and not only once it is written to.
    pub(crate) fn new(header: &[u64; 3]) -> io::Result<Self> {
        let fd = match create(MFD_NOEXEC_SEAL) {
            // Before Linux 6.3.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => create(0)?,
            result => result?,
        };
        let file = File::from(above_standard(fd)?);
        file.write_all_at(&[0; BYTES], 0)?;
        file.write_all_at(header.map(u64::to_ne_bytes).as_flattened(), 0)?;
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: numbers only.
        check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
        let ino = file.metadata()?.ino();
        Ok(Self { file, ino })
    }

    /// Copies it. Allocates nothing.
    pub(crate) fn read(&self, to: &mut Room) -> io::Result<()> {
        let mut bytes = [0; BYTES];
        self.file.read_exact_at(&mut bytes, 0)?;
        let from = bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word));
        to.is_whole = from.clone().skip(BEGINNING).any(|word| word != 0);
        to.words_mut().iter_mut().zip(from).for_each(|(to, from)| *to = from);
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

fn create(more: libc::c_uint) -> io::Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | more;
    // SAFETY: a C string, and flags.
    let fd = check(unsafe { libc::memfd_create(c"failfast-record".as_ptr(), flags) })?;
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Room for a copy of a page, or of its beginning if there is nothing behind that, as of a program
/// that has not failed. The rest is pages of its own, and no memory in use before it is needed.
#[derive(Debug)]
pub(crate) struct Room {
    beginning: [u64; BEGINNING],
    rest: Mapping,
    is_whole: bool,
}

impl Room {
    /// `None` if the kernel has none.
    pub(crate) fn new() -> Option<Self> {
        let rest = memory::map(BYTES)?;
        Some(Self { beginning: [0; BEGINNING], rest, is_whole: false })
    }

    /// What was copied.
    pub(crate) fn words(&self) -> &[u64] {
        if !self.is_whole {
            return &self.beginning;
        }
        // SAFETY: our own mapping, as long as that and aligned to pages; all its bytes are
        // initialised, and it is there as long as `self` is.
        unsafe { &*self.rest() }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        if !self.is_whole {
            return &mut self.beginning;
        }
        // SAFETY: as above; `self` is ours alone.
        unsafe { &mut *self.rest() }
    }

    /// Makes it a copy of what nobody can have written.
    pub(crate) fn spoil(&mut self) {
        self.words_mut().fill(u64::MAX);
    }

    fn rest(&self) -> *mut [u64; WORDS] {
        ptr::with_exposed_provenance_mut(self.rest.base)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which nobody can name any more.
        unsafe { libc::munmap(self.rest().cast(), self.rest.len) };
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pages of it are memory in use.
    fn in_use(room: &Room) -> usize {
        let mut pages = [0_u8; BYTES / 4096];
        let (at, len) = (room.rest().cast(), room.rest.len);
        // SAFETY: our own mapping, and as many bytes as it has pages at least.
        assert_eq!(unsafe { libc::mincore(at, len, pages.as_mut_ptr()) }, 0);
        pages.iter().filter(|page| **page & 1 != 0).count()
    }

    #[test]
    fn a_copy_takes_no_more_memory_than_there_is_to_copy() {
        let page = SharedPage::new(&[1, 2, 3]).unwrap();
        let mut room = Room::new().unwrap();
        page.file.write_all_at(&[1], 8 * BEGINNING as u64 - 1).unwrap();
        page.read(&mut room).unwrap();
        let mut expected = vec![0; BEGINNING];
        expected[..3].copy_from_slice(&[1, 2, 3]);
        expected[BEGINNING - 1] = u64::from_ne_bytes([0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((room.words(), in_use(&room)), (&expected[..], 0));
        for at in [8 * BEGINNING, BYTES - 1] {
            let page = SharedPage::new(&[1, 2, 3]).unwrap();
            let mut room = Room::new().unwrap();
            page.file.write_all_at(&[7], at as u64).unwrap();
            page.read(&mut room).unwrap();
            let written = room.words().iter().filter(|word| **word != 0).count();
            assert_eq!((room.words().len(), written), (WORDS, 4));
            let mut bytes = [0; 8];
            bytes[at % 8] = 7;
            assert_eq!(room.words()[at / 8], u64::from_ne_bytes(bytes));
            room.spoil();
            assert!(room.words().iter().all(|word| *word == u64::MAX));
        }
    }

    /// Neither the child nor anybody else can cut it short, or, where the kernel knows that, run
    /// it.
    #[test]
    fn it_is_sealed() {
        let page = SharedPage::new(&[1, 2, 3]).unwrap();
        for length in [0, 4096, 3 * 4096] {
            let error = page.file.set_len(length).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        }
        // SAFETY: no argument.
        let seals = unsafe { libc::fcntl(page.fd(), libc::F_GET_SEALS) };
        let seal_exec = 0x20;
        assert_eq!(seals & seal_exec != 0, create(MFD_NOEXEC_SEAL).is_ok());
    }
}
