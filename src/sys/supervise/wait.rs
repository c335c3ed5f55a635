//! Process descriptors: waiting for a process, and signals to it and to nobody else.
//!
//! Layer 1.  Plane: control.
//!
//! A number may be another process's by the time it is used; a descriptor never is. Nothing here
//! allocates.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::time::Duration;

/// How a process ended, as the kernel says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Exited(i32),
    Killed { signal: i32, core: bool },
}

/// A descriptor of the process `pid`, readable once that has ended.
pub(crate) fn open_process(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: numbers only.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    owned(fd)
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    super::above_standard(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends a signal to a process that may have ended; then that is an error, `ESRCH`.
pub(crate) fn send(process: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let (fd, none) = (process.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
    // SAFETY: numbers, and a null that stands for nothing more to say.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, none, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sends SIGKILL to the process that has the number `pid` while `is_still` says so: asked after the
/// process was taken hold of, so that a number that was given away in between does no harm.
pub(crate) fn send_to_number(pid: u32, is_still: impl FnOnce() -> bool) {
    if let Ok(process) = open_process(pid)
        && is_still()
    {
        // It may have ended meanwhile.
        let _ = send(process.as_fd(), libc::SIGKILL);
    }
}

/// Waits until one of `fds` is readable, or for `timeout`; `ready` says which are. The answer is
/// whether any is.
pub(crate) fn poll(fds: &mut [Polled], timeout: Option<Duration>) -> io::Result<bool> {
    let deadline = timeout.map(|timeout| super::super::clock::now() + nanoseconds(timeout));
    loop {
        let left = deadline.map(|at| at.saturating_sub(super::super::clock::now()));
        let time = left.map(|left| libc::timespec {
            tv_sec: (left / 1_000_000_000) as libc::time_t,
            tv_nsec: (left % 1_000_000_000) as libc::c_long,
        });
        let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let (at, len) = (fds.as_mut_ptr().cast::<libc::pollfd>(), fds.len() as libc::nfds_t);
        // SAFETY: so many of them, and a time or null.
        let result = unsafe { libc::ppoll(at, len, time, std::ptr::null()) };
        match result {
            0 => return Ok(false),
            1.. => return Ok(true),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2).min(u64::MAX / 2)
}

/// A descriptor to wait for.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Polled(libc::pollfd);

impl Polled {
    /// Waits for `fd` to be readable.
    pub(crate) fn new(fd: BorrowedFd<'_>) -> Self {
        Self(libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 })
    }

    /// Whether it was, after `poll`.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.revents != 0
    }
}

/// Takes the end of a child that has ended. `Ok(None)` if it has not; `Err` with `ECHILD` if
/// somebody else has taken it.
pub(crate) fn take_end(process: BorrowedFd<'_>) -> io::Result<Option<End>> {
    // SAFETY: zeroes are a valid value of that struct.
    let mut info = unsafe { std::mem::zeroed::<libc::siginfo_t>() };
    let (id, flags) = (process.as_raw_fd() as libc::id_t, libc::WEXITED | libc::WNOHANG);
    // SAFETY: the result is writable.
    if unsafe { libc::waitid(libc::P_PIDFD, id, &raw mut info, flags) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: of a child's signal, or all zero.
    if unsafe { info.si_pid() } == 0 {
        return Ok(None);
    }
    // SAFETY: of a child's signal.
    let status = unsafe { info.si_status() };
    Ok(match info.si_code {
        libc::CLD_EXITED => Some(End::Exited(status)),
        libc::CLD_KILLED => Some(End::Killed { signal: status, core: false }),
        libc::CLD_DUMPED => Some(End::Killed { signal: status, core: true }),
        _ => None,
    })
}

/// Whether the kernel keeps the ends of children for whoever waits: not if SIGCHLD is ignored.
pub(crate) fn is_waitable() -> bool {
    // SAFETY: zeroes are a valid value of that struct.
    let mut now = unsafe { std::mem::zeroed::<libc::sigaction>() };
    // SAFETY: asks only; the result is writable.
    if unsafe { libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut now) } != 0 {
        return true;
    }
    now.sa_sigaction != libc::SIG_IGN && now.sa_flags & libc::SA_NOCLDWAIT == 0
}

/// Sleeps a moment.
pub(crate) fn pause(time: Duration) {
    super::super::clock::pause(nanoseconds(time));
}

/// Wakes up who waits for a descriptor.
#[derive(Debug)]
pub(crate) struct Waker(OwnedFd);

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: numbers only.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        owned(libc::c_long::from(fd)).map(Self)
    }

    /// Makes it readable.
    pub(crate) fn wake(&self) {
        let one = 1_u64;
        // SAFETY: eight bytes. It can fail only where it is readable already.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    /// Makes it unreadable, until it is woken again.
    pub(crate) fn calm(&self) {
        let mut count = 0_u64;
        // SAFETY: eight bytes. It can fail only where it is unreadable already.
        unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
