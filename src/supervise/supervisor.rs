//! Programs that are started again.
//!
//! Layer 8.  Plane: control.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sync::{AtomicBool, AtomicU64, Ordering::*};
use crate::sys::supervise::{Polled, Waker, poll};

use super::command::Command;
use super::plan::{Action, Event, Finish, Plan};
use super::policy::Policy;
use super::running::Running;
use super::verdict::Verdict;

/// What a supervisor tells of while it runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Happening<'a> {
    /// A child was started.
    Started {
        /// Its name.
        child: &'a str,
        /// Its number.
        pid: u32,
    },
    /// A child has ended, or could not be started.
    Ended {
        /// Its name.
        child: &'a str,
        /// What became of it.
        verdict: &'a Verdict,
    },
    /// A child is asked to end.
    Terminating {
        /// Its name.
        child: &'a str,
    },
    /// A child that was asked to end, and has not, is killed.
    Killing {
        /// Its name.
        child: &'a str,
    },
}

/// Runs programs, and starts them again by a [`Policy`].
///
/// ```no_run
/// use failfast_alloc::Limit;
/// use failfast_alloc::supervise::{Command, Finish, Happening, Policy, Restart, Supervisor};
///
/// let mut server = Command::new("./server");
/// server.budget(Limit::mib(512));
/// let mut supervisor = Supervisor::new(Policy { restart: Restart::Always, ..Policy::default() })?;
/// supervisor.child("server", server);
/// let finish = supervisor.run(|happening| {
///     if let Happening::Ended { child, verdict } = happening {
///         eprintln!("{child}: {verdict}");
///     }
/// })?;
/// if let Finish::GaveUp { restarts, within, .. } = finish {
///     eprintln!("given up: {restarts} restarts in {within:?} did not help");
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// When it is dropped, children that still run are killed and reaped.
#[derive(Debug)]
pub struct Supervisor {
    policy: Policy,
    children: Vec<Child>,
    remote: Remote,
}

#[derive(Debug)]
struct Child {
    name: String,
    command: Command,
    running: Option<Running>,
}

/// Reaches a [`Supervisor`] that runs, from any thread. Its methods make system calls alone, so
/// signal handlers may call them.
#[derive(Clone, Debug)]
pub struct Remote(Arc<Asked>);

#[derive(Debug)]
struct Asked {
    stop: AtomicBool,
    /// Signals to pass on, a bit each.
    signals: AtomicU64,
    waker: Waker,
}

impl Remote {
    fn new() -> io::Result<Self> {
        let (stop, signals) = (AtomicBool::new(false), AtomicU64::new(0));
        Ok(Self(Arc::new(Asked { stop, signals, waker: Waker::new()? })))
    }

    /// Has all children end: SIGTERM, and SIGKILL after [`Policy::grace`]. None is started again,
    /// nor for the first time if it does not run yet. The next [`run`](Supervisor::run) is another.
    pub fn stop(&self) {
        // ORDER: Release, with the Acquire of `Supervisor::run`.
        self.0.stop.store(true, Release);
        self.0.waker.wake();
    }

    /// Sends the signal with this number, 1 to 64, to every child that runs. The same signal, sent
    /// again before it was passed on, is passed on once.
    pub fn signal(&self, signal: u32) {
        if let 1..=64 = signal {
            // ORDER: Release, with the Acquire of `Supervisor::pass_signals`.
            self.0.signals.fetch_or(1 << (signal - 1), Release);
            self.0.waker.wake();
        }
    }
}

impl Supervisor {
    /// A supervisor without children.
    ///
    /// # Errors
    ///
    /// If no descriptor is left.
    pub fn new(policy: Policy) -> io::Result<Self> {
        Ok(Self { policy, children: Vec::new(), remote: Remote::new()? })
    }

    /// Adds a child, which is started after those before it. The name is for [`Happening`]s.
    pub fn child(&mut self, name: impl Into<String>, command: Command) -> &mut Self {
        self.children.push(Child { name: name.into(), command, running: None });
        self
    }

    /// What reaches it while it runs.
    #[must_use]
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Runs all children, and those that end again by the policy, until none is left. `tell` is
    /// told what happens.
    ///
    /// # Errors
    ///
    /// Those of `poll(2)`. That a child cannot be started is none: it is a verdict.
    pub fn run(&mut self, mut tell: impl FnMut(Happening<'_>)) -> io::Result<Finish> {
        let begin = Instant::now();
        let mut plan = Plan::new(self.children.len(), self.policy);
        let mut events = vec![Event::Tick];
        loop {
            // ORDER: Acquire, with the Release of `Remote::stop`.
            if self.remote.0.stop.swap(false, Acquire) {
                events.insert(0, Event::Stop);
            }
            for event in std::mem::take(&mut events) {
                let actions = plan.handle(event, begin.elapsed());
                self.act(&actions, &mut events, &mut tell);
            }
            if !events.is_empty() {
                continue; // Of children that could not be started.
            }
            if let Some(finish) = plan.finish() {
                return Ok(finish);
            }
            let timeout = plan.wake().map(|at| at.saturating_sub(begin.elapsed()));
            self.wait(timeout, &mut events, &mut tell)?;
            events.push(Event::Tick);
        }
    }

    fn act(
        &mut self,
        actions: &[Action],
        events: &mut Vec<Event>,
        tell: &mut impl FnMut(Happening<'_>),
    ) {
        for action in actions {
            let (Action::Start(at) | Action::Terminate(at) | Action::Kill(at)) = *action;
            let Some(child) = self.children.get_mut(at) else { continue };
            match (action, &child.running) {
                (Action::Start(_), _) => match child.command.spawn() {
                    Ok(running) => {
                        tell(Happening::Started { child: &child.name, pid: running.pid() });
                        child.running = Some(running);
                    }
                    Err(error) => {
                        let class = error.class();
                        let verdict = &Verdict::from(error);
                        tell(Happening::Ended { child: &child.name, verdict });
                        events.push(Event::Ended { child: at, class });
                    }
                },
                // That one may not be signalled, being another user's by now, has no other answer.
                (Action::Terminate(_), Some(running)) => {
                    tell(Happening::Terminating { child: &child.name });
                    let _ = running.terminate();
                }
                (Action::Kill(_), Some(running)) => {
                    tell(Happening::Killing { child: &child.name });
                    let _ = running.kill();
                }
                (Action::Terminate(_) | Action::Kill(_), None) => {}
            }
        }
    }

    /// Waits for a child to end, for the remote, or for `timeout`.
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        events: &mut Vec<Event>,
        tell: &mut impl FnMut(Happening<'_>),
    ) -> io::Result<()> {
        let remote = Polled::new(self.remote.0.waker.as_fd());
        let running = self.children.iter().filter_map(|child| child.running.as_ref());
        let running = running.map(|running| Polled::new(running.as_fd()));
        let mut all = Vec::with_capacity(1 + self.children.len());
        all.push(remote);
        all.extend(running);
        poll(&mut all, timeout)?;
        if all.first().is_some_and(Polled::is_ready) {
            self.pass_signals();
        }
        let mut ready = all.iter().skip(1).map(Polled::is_ready);
        for (at, child) in self.children.iter_mut().enumerate() {
            let Some(running) = &mut child.running else { continue };
            if ready.next() != Some(true) {
                continue;
            }
            if let Some(verdict) = running.try_wait()? {
                events.push(Event::Ended { child: at, class: verdict.class() });
                tell(Happening::Ended { child: &child.name, verdict: &verdict });
                child.running = None;
            }
        }
        Ok(())
    }

    fn pass_signals(&mut self) {
        self.remote.0.waker.calm();
        // ORDER: Acquire, with the Release of `Remote::signal`.
        let signals = self.remote.0.signals.swap(0, Acquire);
        for signal in (1..=64).filter(|signal| signals >> (signal - 1) & 1 != 0) {
            for running in self.children.iter().filter_map(|child| child.running.as_ref()) {
                // As in `act`.
                let _ = running.signal(signal);
            }
        }
    }
}
