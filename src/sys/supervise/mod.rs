//! What running programs from outside needs of the kernel.
//!
//! Layer 1.  Plane: control.
//!
//! * `page`: memory to share with a child.
//! * `child`: what a child does to itself between fork and exec.
//! * `namespace`: a process namespace for a child.
//! * `wait`: process descriptors: waiting, and signals to nobody else.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

mod child;
mod namespace;
mod page;
mod wait;

pub(crate) use child::{Setup, own_oom_score};
pub(crate) use namespace::in_new_namespace;
pub(crate) use page::{Room, SharedPage};
pub(crate) use wait::{
    End, Polled, Waker, is_waitable, open_process, pause, poll, send, send_to_number, take_end,
};

/// The same file under a number that is not one of the standard streams'. Who has closed his own
/// gets those numbers for what he opens next; in a child they are the child's streams before what
/// we have opened for it is used.
pub(crate) fn above_standard(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(fd);
    }
    // SAFETY: numbers.
    let other = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) };
    if other < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(other) })
}
