//! Files, without the heap: open, look at, read, write.
//!
//! Layer 1.  Plane: failure.
//!
//! Most calls go to the kernel directly. The C library's `open`, `read`, `write` and `close` are
//! cancellation points, and a thread that is cancelled inside an allocation would unwind through
//! us; its `faccessat` may fork (musl). None of these functions is used on a hot path.

use core::ffi::CStr;
use core::fmt;

use super::process::errno;

/// What the kernel answered instead of doing it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Errno(pub(crate) i32);

impl Errno {
    pub(crate) const NOT_FOUND: Self = Self(libc::ENOENT);

    fn last() -> Self {
        Self(errno())
    }

    /// In words, for the answers that a wrong path can get. (`strerror` may allocate.)
    pub(crate) fn text(self) -> &'static str {
        match self.0 {
            libc::ENOENT => "no such file or folder",
            libc::EACCES | libc::EPERM => "permission denied",
            libc::ENOTDIR => "not a folder",
            libc::EISDIR => "a folder",
            libc::ELOOP => "too many links",
            libc::ENAMETOOLONG => "the name is too long",
            libc::EROFS => "a read-only file system",
            libc::EBADF => "not an open descriptor",
            libc::EMFILE | libc::ENFILE => "too many open files",
            libc::ENOMEM => "out of memory",
            _ => "the system refuses",
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "errno {} ({})", self.0, self.text())
    }
}

/// What is found at a path or behind a descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Regular,
    Folder,
    Link,
    Fifo,
    Socket,
    Device,
}

/// Which file it is, and of what kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) kind: Kind,
}

/// What may be done with a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    Write,
    Execute,
    /// In a folder: make a file.
    WriteAndSearch,
}

/// How a file is opened. All are closed on `execve`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Open {
    /// For reading.
    Read,
    /// A folder, to reach what is in it: needs no permission to read it.
    Folder,
}

/// An open descriptor that is closed when dropped.
#[derive(Debug)]
pub(crate) struct File(i32);

impl File {
    /// Opens `path`.
    pub(crate) fn open(path: &CStr, how: Open) -> Result<Self, Errno> {
        open_at(libc::AT_FDCWD, path, how)
    }

    /// Opens `name` in this folder.
    pub(crate) fn open_at(&self, name: &CStr, how: Open) -> Result<Self, Errno> {
        open_at(self.0, name, how)
    }

    /// The descriptor's number.
    pub(crate) fn fd(&self) -> i32 {
        self.0
    }

    /// The descriptor's number, which is now the caller's to close.
    pub(crate) fn into_fd(self) -> i32 {
        let fd = self.0;
        core::mem::forget(self);
        fd
    }

    /// The file, to be read from its beginning.
    pub(crate) fn rewound(&self) -> Result<&Self, Errno> {
        // SAFETY: numbers only.
        retry(|| unsafe { libc::syscall(libc::SYS_lseek, self.0, 0, libc::SEEK_SET) })?;
        Ok(self)
    }

    /// Reads once; 0 is the end.
    pub(crate) fn read(&self, buf: &mut [u8]) -> Result<usize, Errno> {
        retry(|| {
            // SAFETY: the kernel writes at most `buf.len()` bytes to `buf`.
            unsafe { libc::syscall(libc::SYS_read, self.0, buf.as_mut_ptr(), buf.len()) }
        })
    }

    /// Reads to the end of the file, or of `buf`.
    pub(crate) fn read_into<'a>(&self, buf: &'a mut [u8]) -> Result<&'a [u8], Errno> {
        let mut len = 0;
        while let Some(rest) = buf.get_mut(len..).filter(|rest| !rest.is_empty()) {
            match self.read(rest)? {
                0 => break,
                read => len += read,
            }
        }
        Ok(buf.get(..len).unwrap_or(&[]))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours alone (`File` is neither cloned nor made from a number
        // outside this file). An error leaves nothing to do; the number is free either way.
        unsafe { libc::syscall(libc::SYS_close, self.0) };
    }
}

fn open_at(folder: i32, path: &CStr, how: Open) -> Result<File, Errno> {
    let flags = libc::O_CLOEXEC
        | match how {
            Open::Read => libc::O_RDONLY,
            Open::Folder => libc::O_PATH | libc::O_DIRECTORY,
        };
    retry(|| {
        // SAFETY: `path` ends with a NUL; no flag here asks for a mode.
        unsafe { libc::syscall(libc::SYS_openat, folder, path.as_ptr(), flags) }
    })
    .map(|fd| File(fd as i32))
}

/// Writes all of `bytes`. On an error some of them may have been written.
pub(crate) fn write_all(fd: i32, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let written = retry(|| {
            // SAFETY: `bytes` is valid for reads of its length.
            unsafe { libc::syscall(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) }
        })?;
        match bytes.get(written..).filter(|_| written > 0) {
            Some(rest) => bytes = rest,
            // A device that takes nothing: an error by any other name, and no reason to spin.
            None => return Err(Errno(libc::EIO)),
        }
    }
    Ok(())
}

/// What is behind the descriptor `fd`.
pub(crate) fn stat(fd: i32) -> Result<Stat, Errno> {
    let mut stat = core::mem::MaybeUninit::uninit();
    // SAFETY: `stat` is valid for writes of a `stat64`.
    let status = unsafe { libc::fstat64(fd, stat.as_mut_ptr()) };
    if status != 0 {
        return Err(Errno::last());
    }
    // SAFETY: the call succeeded, so it wrote all of it.
    Ok(convert(unsafe { stat.assume_init() }))
}

/// What is at `name` in `folder`; a link is not followed.
pub(crate) fn stat_at(folder: &File, name: &CStr) -> Result<Stat, Errno> {
    stat_of(folder.0, name, libc::AT_SYMLINK_NOFOLLOW)
}

/// What is at `path`, links followed.
pub(crate) fn stat_path(path: &CStr) -> Result<Stat, Errno> {
    stat_of(libc::AT_FDCWD, path, 0)
}

fn stat_of(folder: i32, name: &CStr, flags: i32) -> Result<Stat, Errno> {
    let mut stat = core::mem::MaybeUninit::uninit();
    // SAFETY: `name` ends with a NUL and `stat` is valid for writes of a `stat64`.
    let status = unsafe { libc::fstatat64(folder, name.as_ptr(), stat.as_mut_ptr(), flags) };
    if status != 0 {
        return Err(Errno::last());
    }
    // SAFETY: the call succeeded, so it wrote all of it.
    Ok(convert(unsafe { stat.assume_init() }))
}

fn convert(stat: libc::stat64) -> Stat {
    let kind = match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG => Kind::Regular,
        libc::S_IFDIR => Kind::Folder,
        libc::S_IFLNK => Kind::Link,
        libc::S_IFIFO => Kind::Fifo,
        libc::S_IFSOCK => Kind::Socket,
        _ => Kind::Device,
    };
    Stat { dev: stat.st_dev, ino: stat.st_ino, kind }
}

/// Whether the descriptor `fd` is open for writing.
pub(crate) fn is_writable(fd: i32) -> Result<bool, Errno> {
    // SAFETY: `F_GETFL` takes no argument and any number may be asked about.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags < 0 {
        return Err(Errno::last());
    }
    // (A descriptor of `O_PATH` has neither of these flags.)
    Ok(matches!(flags & libc::O_ACCMODE, libc::O_WRONLY | libc::O_RDWR))
}

/// Whether this process, with the identity it acts under, may do `access` to `name` in `folder`
/// (`None`: to the path `name`).
pub(crate) fn may(folder: Option<&File>, name: &CStr, access: Access) -> Result<(), Errno> {
    let folder = folder.map_or(libc::AT_FDCWD, |folder| folder.0);
    let mode = match access {
        Access::Write => libc::W_OK,
        Access::Execute => libc::X_OK,
        Access::WriteAndSearch => libc::W_OK | libc::X_OK,
    };
    let (nr, path, flags) = (libc::SYS_faccessat2, name.as_ptr(), libc::AT_EACCESS);
    let asked = retry(|| {
        // SAFETY: `name` ends with a NUL.
        unsafe { libc::syscall(nr, folder, path, mode, flags) }
    });
    // Before Linux 5.8 only the real identity could be asked about. It is the same one, save in
    // set-user-ID programs, and there no path comes from outside. (EPERM is what old seccomp
    // filters answer to calls they do not know.)
    let allowed = match asked {
        Err(Errno(libc::ENOSYS | libc::EPERM)) => retry(|| {
            // SAFETY: as above.
            unsafe { libc::syscall(libc::SYS_faccessat, folder, path, mode) }
        }),
        asked => asked,
    };
    allowed.map(|_| ())
}

/// Repeats `call` while signals interrupt it.
fn retry(mut call: impl FnMut() -> libc::c_long) -> Result<usize, Errno> {
    loop {
        let result = call();
        if let Ok(result) = usize::try_from(result) {
            return Ok(result);
        }
        let errno = Errno::last();
        if errno.0 != libc::EINTR {
            return Err(errno);
        }
    }
}

#[cfg(test)]
mod tests;
