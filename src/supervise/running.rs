//! A program that was started.
//!
//! Layer 8.  Plane: control.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::time::Duration;

use crate::sync::{AtomicU64, Ordering::Relaxed};
use crate::sys::supervise::{End, Polled, Room, SharedPage, poll, send, take_end};

use super::group::Group;
use super::verdict::{Facts, Verdict};

/// How long a child that was sent SIGKILL is waited for when its handle is dropped.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Everything that a verdict needs, made before it is needed.
pub(super) struct Prepared(Arc<Facts>);

/// What SIGKILL is, on every machine.
const SIGKILL: i32 = 9;

/// A program that was started by [`Command::spawn`](super::Command::spawn).
///
/// When it is dropped, the program is killed (SIGKILL) and reaped, unless it has ended.
///
/// [`AsFd`] gives a descriptor that is readable once the program has ended, for `poll`, `epoll` or
/// an asynchronous reactor; [`try_wait`](Self::try_wait) then has the verdict.
///
/// ```no_run
/// use failfast_alloc::supervise::Command;
/// use std::time::Duration;
///
/// let mut running = Command::new("./server").spawn()?;
/// if running.wait_timeout(Duration::from_secs(60))?.is_none() {
///     running.terminate()?;
///     println!("{}", running.wait()?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Running {
    pid: u32,
    process: OwnedFd,
    /// The program's standard input, if it was set to a pipe.
    pub stdin: Option<ChildStdin>,
    /// The program's standard output, if it was set to a pipe.
    pub stdout: Option<ChildStdout>,
    /// The program's standard error, if it was set to a pipe.
    pub stderr: Option<ChildStderr>,
    page: SharedPage,
    group: Option<Group>,
    keeps_descendants: bool,
    facts: Arc<Facts>,
    /// How many members of the group the kernel had killed when we sent the last SIGKILL: others
    /// than the program, which was there to be sent it.
    kills_before: AtomicU64,
    is_over: bool,
}

impl Running {
    /// Allocates what a verdict will need.
    pub(super) fn prepare(nonce: u64) -> io::Result<Prepared> {
        let room = Room::new().ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Prepared(Arc::new(Facts::new(Some(room), nonce))))
    }

    /// The program's number. It may be another process's once the verdict is there.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the program has ended, and says what became of it. Closes its standard input
    /// first, if that is a pipe that was not taken. Asked again, it answers at once.
    ///
    /// # Errors
    ///
    /// Those of `poll(2)` and `waitid(2)`, which have none on a process descriptor. That somebody
    /// else has reaped the program is no error: [`Verdict::exit_code`] and [`Verdict::signal`] are
    /// `None` then.
    pub fn wait(&mut self) -> io::Result<Verdict> {
        self.stdin = None;
        loop {
            self.is_ready(None)?;
            if let Some(verdict) = self.try_wait()? {
                return Ok(verdict);
            }
        }
    }

    /// The verdict, if the program has ended.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> io::Result<Option<Verdict>> {
        if !self.is_over {
            let end = match take_end(self.process.as_fd()) {
                Ok(None) => return Ok(None),
                Ok(end) => end,
                // ECHILD: taken by somebody else. The record still tells.
                Err(error) if error.raw_os_error() == Some(10) => {
                    if !self.is_ready(Some(Duration::ZERO))? {
                        return Ok(None);
                    }
                    None
                }
                Err(error) => return Err(error),
            };
            self.conclude(end);
        }
        Ok(Some(Verdict::new(Arc::clone(&self.facts))))
    }

    /// The verdict, if the program ends within `timeout`. Its standard input stays open.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<Verdict>> {
        if !self.is_over {
            self.is_ready(Some(timeout))?;
        }
        self.try_wait()
    }

    fn is_ready(&self, timeout: Option<Duration>) -> io::Result<bool> {
        if self.is_over {
            return Ok(true);
        }
        poll(&mut [Polled::new(self.process.as_fd())], timeout)
    }

    /// Copies what there is to know. No allocation from here to the verdict.
    fn conclude(&mut self, end: Option<End>) {
        let kills = self.group.as_ref().and_then(Group::kills).unwrap_or(0);
        // ORDER: Relaxed. Whoever has us `&mut` comes after all who had us `&`.
        let before = self.kills_before.load(Relaxed);
        // Nobody has a copy of it before there is a verdict.
        if let Some(facts) = Arc::get_mut(&mut self.facts) {
            if let Some(copy) = &mut facts.copy
                && self.page.read(copy).is_err()
            {
                // Not what nobody has written: what cannot be known.
                copy.spoil();
            }
            facts.settle(self.pid, end, (kills, before));
        }
        self.is_over = true;
    }

    /// Asks the program to end: SIGTERM.
    ///
    /// # Errors
    ///
    /// Those of `pidfd_send_signal(2)`: the program may not be signalled, since it has become
    /// another user's. That it has ended is none.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(15)
    }

    /// Ends the program: SIGKILL.
    ///
    /// # Errors
    ///
    /// As [`terminate`](Self::terminate).
    pub fn kill(&self) -> io::Result<()> {
        self.signal(SIGKILL)
    }

    /// Sends the signal with this number to the program, and to no process that has got its number
    /// since.
    ///
    /// # Errors
    ///
    /// As [`terminate`](Self::terminate); or there is no such signal.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        if signal == SIGKILL
            && let Some(kills) = self.group.as_ref().and_then(Group::kills)
        {
            // ORDER: Relaxed. See `conclude`.
            self.kills_before.fetch_max(kills, Relaxed);
        }
        match send(self.process.as_fd(), signal) {
            // ESRCH: it has ended.
            Err(error) if error.raw_os_error() == Some(3) => Ok(()),
            result => result,
        }
    }
}

impl Prepared {
    /// The program runs.
    pub(super) fn start(
        self,
        mut child: Child,
        process: OwnedFd,
        page: SharedPage,
        group: Option<Group>,
        keeps_descendants: bool,
    ) -> Running {
        Running {
            pid: child.id(),
            process,
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            page,
            group,
            keeps_descendants,
            facts: self.0,
            kills_before: AtomicU64::new(0),
            is_over: false,
        }
    }
}

/// Readable once the program has ended.
impl AsFd for Running {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over && self.kill().is_ok() {
            // What is left of it after that hangs in the kernel, and is nobody's.
            let _ = self.wait_timeout(LAST_WAIT);
        }
        if let Some(group) = self.group.as_ref().filter(|_| !self.keeps_descendants) {
            group.kill_all();
        }
    }
}
