//! A process namespace for a child.
//!
//! Layer 1.  Plane: control.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::process::Child;

/// Runs `start` so that the process it forks is the first of a new namespace. Concerns the calling
/// thread alone.
pub(crate) fn in_new_namespace(start: impl FnOnce() -> io::Result<Child>) -> io::Result<Child> {
    // Where the thread's children go now; to be restored, since a namespace whose first process
    // has ended takes no more.
    let now = File::open("/proc/thread-self/ns/pid_for_children")?;
    // SAFETY: flags.
    if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let started = start();
    // SAFETY: numbers.
    if unsafe { libc::setns(now.as_raw_fd(), libc::CLONE_NEWPID) } != 0 {
        let error = io::Error::last_os_error();
        if let Ok(mut child) = started {
            // Whoever asked is told that it was not started.
            let _ = (child.kill(), child.wait());
        }
        return Err(error);
    }
    started
}
