//! Signals: which reach the program, and by whom.
//!
//! Above the layers.  Plane: control.
//!
//! They are blocked and read from a descriptor, beside the program's end; so none is lost, not even
//! between two runs. What the kernel sends because of the terminal (Ctrl-C, a new size) it sends to
//! all of the foreground, the program included; sent on, it would come twice. But if the line hangs
//! up it tells the session's leader alone, and that may be us. What somebody sends to this process
//! is meant for the program.
//!
//! Children that are not the program are reaped: as the first process of a container we get all
//! that the program has left behind.

use failfast_alloc::supervise::Running;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, SigSet, Signal, raise, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::{Pid, getpid, getsid};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The signals that do not pass through: faults of this process itself; what the kernel tells
/// whoever writes where it should not, or uses too much; and what tells of children.
const OURS: [Signal; 12] = [
    Signal::SIGILL,
    Signal::SIGTRAP,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGSEGV,
    Signal::SIGSYS,
    Signal::SIGPIPE,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
    Signal::SIGCHLD,
];

/// The signals by which somebody asks for the end.
const ENDS: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP];

/// `si_code` of what the kernel itself sends.
const SI_KERNEL: i32 = 0x80;

/// What somebody wants of us, besides the program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wish {
    /// That it goes on.
    GoOn,
    /// That it ends, and stays so.
    End,
}

/// The signals of this process.
pub(super) struct Signals {
    file: SignalFd,
    /// Those of `ENDS` that whoever started us does not have us ignore (`nohup`).
    heeded: Vec<Signal>,
    wish: Wish,
}

impl Signals {
    /// Blocks the signals, in this thread and all that it starts. The program begins with none
    /// blocked, and ignores those that it would have without us (`nohup`).
    pub(super) fn take() -> io::Result<Self> {
        let mut set = SigSet::all();
        OURS.into_iter().for_each(|signal| set.remove(signal));
        set.add(Signal::SIGCHLD);
        set.thread_block()?;
        let mut heeded = Vec::new();
        for end in ENDS {
            if !is_ignored(end)? {
                heeded.push(end);
            }
        }
        // If it were ignored the kernel would forget how children end.
        let _ = set_default(Signal::SIGCHLD)?;
        let file = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { file, heeded, wish: Wish::GoOn })
    }

    /// Whether somebody has asked for the end.
    pub(super) fn wish_to_end(&self) -> bool {
        self.wish == Wish::End
    }

    /// After the program's end: reaps what stood behind it.
    pub(super) fn reap(&self) {
        reap_others(None);
    }

    /// Waits until the program has ended or a signal has come; passes that on.
    pub(super) fn wait_beside(&mut self, running: &Running) -> io::Result<()> {
        let fds = [self.file.as_fd(), running.as_fd()];
        poll_all(&fds, PollTimeout::NONE)?;
        self.read(Some(running))
    }

    /// Waits for so long, without a program; not any longer once somebody asks for the end.
    pub(super) fn pause(&mut self, time: Duration) -> io::Result<Wish> {
        let end = Instant::now() + time;
        while self.wish == Wish::GoOn {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            // Rounded up, so that it is not asked again and again in the last millisecond.
            let milliseconds = left.as_micros().div_ceil(1000);
            let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
            poll_all(&[self.file.as_fd()], timeout)?;
            self.read(None)?;
        }
        Ok(self.wish)
    }

    fn read(&mut self, running: Option<&Running>) -> io::Result<()> {
        while let Some(info) = self.file.read_signal()? {
            let number = info.ssi_signo as i32;
            // Real-time signals have no name.
            let name = Signal::try_from(number).ok();
            if name == Some(Signal::SIGCHLD) {
                reap_others(running);
                continue;
            }
            let by_terminal = info.ssi_code == SI_KERNEL;
            let is_told_itself = by_terminal && !is_for_the_leader_alone(name);
            if !is_told_itself && let Some(running) = running {
                // It may just have ended, or have become another user's: then nobody can.
                let _ = running.signal(number);
            }
            match name {
                // A hang-up by hand may mean anything; once the terminal is gone there is nobody
                // any more whom it could talk to.
                Some(Signal::SIGHUP) if !by_terminal => {}
                Some(end) if self.heeded.contains(&end) => self.wish = Wish::End,
                Some(Signal::SIGTSTP) => stop()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Sets the default action, which is none while the signal is blocked; answers with what it was.
fn set_default(name: Signal) -> io::Result<SigHandler> {
    // SAFETY: no handler of ours is there, or comes.
    Ok(unsafe { signal(name, SigHandler::SigDfl) }?)
}

/// Whether whoever started us has us ignore a signal, which is blocked.
fn is_ignored(name: Signal) -> io::Result<bool> {
    let is_ignored = matches!(set_default(name)?, SigHandler::SigIgn);
    if is_ignored {
        // SAFETY: as it was.
        unsafe { signal(name, SigHandler::SigIgn) }?;
    }
    Ok(is_ignored)
}

/// Whether the kernel, of its own, sends this signal to the leader of a session and to nobody else:
/// as when the line hangs up.
fn is_for_the_leader_alone(name: Option<Signal>) -> bool {
    matches!(name, Some(Signal::SIGHUP | Signal::SIGCONT)) && getsid(None) == Ok(getpid())
}

/// Reaps children that have ended and are not the program, whose end is its own verdict.
fn reap_others(running: Option<&Running>) {
    let program = running.map(|running| Pid::from_raw(running.pid() as i32));
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Ok(status) = waitid(Id::All, look) {
        match status.pid() {
            // Others that stand behind it in the kernel's list are reaped when it has been.
            Some(pid) if Some(pid) != program => _ = waitpid(pid, Some(WaitPidFlag::WNOHANG)),
            _ => return,
        }
    }
}

/// Stops as the program does, so that a shell sees the job stopped; as the kernel does it, which is
/// not at all if nobody is there who could have us go on. The signal by which we do is passed on
/// like any other.
fn stop() -> io::Result<()> {
    let set = SigSet::from(Signal::SIGTSTP);
    raise(Signal::SIGTSTP)?;
    set.thread_unblock()?;
    set.thread_block()?;
    Ok(())
}

fn poll_all(fds: &[std::os::fd::BorrowedFd<'_>], timeout: PollTimeout) -> io::Result<()> {
    let mut fds: Vec<PollFd<'_>> =
        fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    match poll(&mut fds, timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
