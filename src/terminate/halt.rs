//! Every other thread stops, and is known to have stopped.
//!
//! Layer 4.  Plane: failure.
//!
//! A thread that has stopped says so itself (`halted`), in a signal handler that never returns; or
//! where it enters the allocator, or fails in its turn. What cannot say so is looked at, as the
//! kernel shows it (`look`), and traced if it heeds no signal (`tracer`). The halt is proven when
//! one whole pass over the list finds nobody new and nobody who may still run.

use core::ffi::{c_int, c_void};

use crate::report::{Halt, Threads};
use crate::sync::{AtomicU32, Ordering::Relaxed};
use crate::sys::signal::Info;
use crate::sys::stop::{self, STOP};
use crate::sys::tasks::{self, Task, Tasks};
use crate::sys::{clock, process};

use super::deadline;
use super::look::{Look, Seen};
use super::page::{Page, page};
use super::tracer;

/// How long to wait before the list is read again.
const PAUSE: u64 = 200_000;
/// After how many of those a signal is sent again, if nothing was heard.
const AGAIN: u32 = 50;

/// How long a thread may block the signal: the C library does, for as long as it makes a thread.
const TRACE_AFTER: u64 = 10_000_000;

/// The largest number that a thread may have, as it was at start.
static LARGEST: AtomicU32 = AtomicU32::new(0);

/// Notes what may not be there to be read any more. At start.
pub(super) fn prepare() {
    // ORDER: Relaxed. A number.
    LARGEST.store(tasks::largest_number() as u32, Relaxed);
    tracer::prepare();
}

/// What came of it.
pub(super) struct Outcome {
    pub(super) halt: Halt,
    /// `None` where the kernel shows no list.
    pub(super) threads: Option<Threads>,
}

/// Whether it is this copy of the crate that ends the process: there may be others, in libraries.
pub(super) fn claim() -> bool {
    // SAFETY: `on_stop` asks for no thread-local storage, and never returns.
    unsafe { stop::claim(on_stop) }
}

/// Has the stop signal stop the thread that it strikes. Before the deadline is fixed: whoever holds
/// to it stops the elected thread, for which the signal must not mean anything else any more.
/// `false` if the kernel refuses. Only the elected thread.
pub(super) fn handle_stops() -> bool {
    // SAFETY: `on_stop` asks for no thread-local storage, and never returns.
    unsafe { stop::install(STOP, on_stop) }
}

/// Stops every other thread. Only the elected thread; takes no longer than a part of the deadline.
pub(super) fn others() -> Outcome {
    let page = page();
    if !handle_stops() {
        return Outcome { halt: Halt::Unproven, threads: None };
    }
    let (now, part) = (clock::now(), page.deadline.part());
    let until = now.saturating_add(part);
    let mut halting = Halting {
        page,
        me: stop::thread(),
        look: Look::new(),
        spare: false,
        passes: 0,
        trace_from: now.saturating_add(TRACE_AFTER.min(part / 8)),
        trace_all_from: now.saturating_add(part / 3),
    };
    match Tasks::open() {
        Some(tasks) => halting.by_list(&tasks, until),
        None => halting.by_number(until),
    }
}

/// Notes that `thread`, which is the calling one, runs no instruction of the program any more.
pub(super) fn stopped(thread: u32) {
    page().halted.stop(thread);
}

/// Stops the thread that it strikes, for good.
///
/// # Safety
///
/// As the kernel calls it.
unsafe extern "C" fn on_stop(_: c_int, _: *mut Info, _: *mut c_void) {
    deadline::park()
}

/// A halt that is under way.
struct Halting {
    page: &'static Page,
    me: u32,
    look: Look,
    /// Whether handlers for the spare signals were set.
    spare: bool,
    passes: u32,
    /// When to have those traced that block even the C library's signals, ...
    trace_from: u64,
    /// ... and all that may be deaf.
    trace_all_from: u64,
}

/// What one pass has seen.
#[derive(Clone, Copy, Default)]
struct Pass {
    /// Threads other than this one and the sentinel.
    seen: u32,
    /// Of those, known to have stopped.
    stopped: u32,
    /// Some had not been told before, or the list was not whole.
    found_new: bool,
}

impl Pass {
    fn is_proof(&self) -> bool {
        !self.found_new && self.seen == self.stopped
    }
}

impl Halting {
    /// By the kernel's list of threads.
    fn by_list(&mut self, tasks: &Tasks, until: u64) -> Outcome {
        // Everybody is told before anybody is looked at: to look takes longer.
        let mut pass = self.tell(tasks);
        loop {
            self.wait_for(pass.seen, until);
            pass = self.pass(tasks);
            // The list is read while threads come and go: what it left out is in the count.
            if pass.is_proof() && tasks::count() == Some(u64::from(pass.seen) + self.own()) {
                return pass.outcome(Halt::Proven);
            }
            if clock::now() >= until {
                return pass.outcome(Halt::Unproven);
            }
        }
    }

    /// This thread, and the sentinel if there is one.
    fn own(&self) -> u64 {
        1 + u64::from(!self.page.deadline.is_sentinel(0))
    }

    fn is_other(&self, thread: i32) -> bool {
        let thread = thread as u32;
        thread != self.me && !self.page.deadline.is_sentinel(thread)
    }

    /// Tells every thread on the list to stop.
    fn tell(&mut self, tasks: &Tasks) -> Pass {
        let mut pass = Pass::default();
        let whole = tasks.for_each(|thread| {
            if self.is_other(thread) {
                pass.seen += 1;
                pass.found_new |= self.page.halted.note(thread as u32) != Some(false);
                self.send(thread);
            }
        });
        pass.found_new |= !whole;
        pass
    }

    /// Looks at every thread on the list; tells those that are new.
    fn pass(&mut self, tasks: &Tasks) -> Pass {
        self.passes += 1;
        let (mut pass, again) = (Pass::default(), self.passes.is_multiple_of(AGAIN));
        let whole = tasks.for_each(|thread| {
            if !self.is_other(thread) {
                return;
            }
            pass.seen += 1;
            let is_new = self.page.halted.note(thread as u32) != Some(false);
            match self.look.at(self.page, thread) {
                Seen::Stopped => pass.stopped += 1,
                Seen::Deaf if clock::now() >= self.trace_from => {
                    self.page.tracer.order(thread as u32);
                }
                Seen::Silent if clock::now() >= self.trace_all_from => {
                    self.page.tracer.order(thread as u32);
                }
                _ if is_new || again => self.send(thread),
                _ => {}
            }
            pass.found_new |= is_new;
        });
        pass.found_new |= !whole;
        pass
    }

    /// Waits until as many have stopped, or for a moment.
    fn wait_for(&self, threads: u32, until: u64) {
        let moment = (clock::now() + 10 * PAUSE).min(until);
        let mut heard = self.page.halted.stopped();
        while heard < threads && clock::now() < moment {
            clock::pause(PAUSE);
            let now = self.page.halted.stopped();
            if now == heard && self.passes > 0 {
                return;
            }
            heard = now;
        }
    }

    fn send(&mut self, thread: i32) {
        const EAGAIN: isize = -11;
        if stop::send(thread, STOP) == EAGAIN {
            // No place is left in the queue of signals. Standard ones need none.
            self.take_spare();
            let blocked = Task::of(thread).map_or(0, |task| task.blocked);
            if let Some(signal) = stop::spare(blocked) {
                stop::send(thread, signal);
            }
        }
    }

    fn take_spare(&mut self) {
        if !core::mem::replace(&mut self.spare, true) {
            for signal in stop::SPARE {
                // SAFETY: as in `handle_stops`.
                unsafe { stop::install(signal, on_stop) };
            }
        }
    }

    /// Without a list: by trying every number that a thread may have. Where not even that is known,
    /// they are so many that the time may be over first.
    fn by_number(&mut self, until: u64) -> Outcome {
        // ORDER: Relaxed. A number.
        let largest = LARGEST.load(Relaxed).max(1) as i32;
        let process = process::pid();
        loop {
            let mut pass = Pass::default();
            for thread in 1..=largest {
                if thread % 1024 == 0 && clock::now() >= until {
                    return Outcome { halt: Halt::Unproven, threads: None };
                }
                if self.is_other(thread) && stop::is_there(process, thread) {
                    self.look_without_list(thread, &mut pass);
                }
            }
            if pass.is_proof() {
                return pass.outcome(Halt::Proven);
            }
            if clock::now() >= until {
                return pass.outcome(Halt::Unproven);
            }
            clock::pause(PAUSE);
        }
    }

    fn look_without_list(&mut self, thread: i32, pass: &mut Pass) {
        pass.seen += 1;
        if self.page.halted.has_stopped(thread as u32) {
            pass.stopped += 1;
            return;
        }
        pass.found_new |= self.page.halted.note(thread as u32) != Some(false);
        self.send(thread);
        // Which of them heed the signal is not to be seen here.
        if clock::now() >= self.trace_all_from {
            self.page.tracer.order(thread as u32);
        }
    }
}

impl Pass {
    fn outcome(self, halt: Halt) -> Outcome {
        let threads = Threads { seen: self.seen, halted: self.stopped };
        Outcome { halt, threads: Some(threads) }
    }
}
