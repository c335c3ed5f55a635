//! Signals: which reach the program, and by whom.
//!
//! Above the layers.  Plane: control.
//!
//! They are blocked and read from a descriptor, beside the program's end; so none is lost, not even
//! between two runs. What the kernel sends because of the terminal (Ctrl-C, a new size, a line that
//! hangs up) it sends to all of the foreground, the program included; sent on, it would come twice.
//! What somebody sends to this process is meant for the program.

use failfast_alloc::supervise::Running;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The signals that pass through.
const PASSED: [Signal; 9] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGTERM,
    Signal::SIGCONT,
    Signal::SIGTSTP,
    Signal::SIGWINCH,
];

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
    wish: Wish,
}

impl Signals {
    /// Blocks the signals, in this thread and all that it starts. The program begins with none
    /// blocked, and ignores those that it would have without us (`nohup`).
    pub(super) fn take() -> io::Result<Self> {
        let set: SigSet = PASSED.into_iter().collect();
        set.thread_block()?;
        let file = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { file, wish: Wish::GoOn })
    }

    /// Whether somebody has asked for the end.
    pub(super) fn wish_to_end(&self) -> bool {
        self.wish == Wish::End
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
            let by_terminal = info.ssi_code == SI_KERNEL;
            let number = info.ssi_signo as i32;
            if !by_terminal && let Some(running) = running {
                // It may just have ended, or have become another user's: then nobody can.
                let _ = running.signal(number);
            }
            match Signal::try_from(number)? {
                Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT => self.wish = Wish::End,
                // There is nobody any more whom it could talk to.
                Signal::SIGHUP if by_terminal => self.wish = Wish::End,
                Signal::SIGTSTP => stop_with(running)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Stops as the program does, so that a shell sees the job stopped; and has it go on afterwards.
fn stop_with(running: Option<&Running>) -> io::Result<()> {
    raise(Signal::SIGSTOP)?;
    if let Some(running) = running {
        let _ = running.signal(Signal::SIGCONT as i32);
    }
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
