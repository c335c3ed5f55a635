//! Death is certain: by when, and who sees to it.
//!
//! Layer 4.  Plane: failure.
//!
//! The deadline is fixed before anything that could hang. From then on three parties hold to it,
//! none of which needs another:
//!
//! * every thread that has stopped for the dying one: it sleeps until then, and the first awake
//!   ends the process ([`enforce`]);
//! * a sentinel, a thread made for this alone, since there may be no other: it goes ahead of them;
//! * a timer of the kernel's, [`BACKSTOP`] later, whose SIGKILL needs nobody.
//!
//! The kernel's queue of timers may be full, and as pid 1 no signal kills; a sentinel may be
//! refused for want of a process number. The hook runs if anybody is left.

use core::time::Duration;

use crate::sync::{AtomicU32, AtomicU64, Ordering::*};
use crate::sys::clock::{self, KillTimer};
use crate::sys::memory::Known;
use crate::sys::{clone, exit, memory, process, sanitizer, stop, switch};

use super::page::page;
use super::{end, halt};

/// How long SIGABRT handlers of others have, after the hook.
const CHAIN: Duration = Duration::from_millis(500);

/// How long after the deadline the kernel kills, if nobody else has.
const BACKSTOP: Duration = Duration::from_millis(200);

/// How long whoever has begun the last step may take, before another one ends the process as it is.
const GRACE: Duration = Duration::from_millis(100);

/// How much earlier than others the sentinel ends the process: its stack has room for all there is
/// to do, and theirs may have little.
const AHEAD: Duration = Duration::from_millis(40);

/// The sentinel's stack: enough to write the line and the report.
const STACK_BYTES: usize = 32 * 1024;

static STACK: Known = Known::new();

/// How long dying may take, in nanoseconds.
static TIMEOUT: AtomicU64 = AtomicU64::new(5_000_000_000);

/// By when.
pub(super) struct Deadline {
    /// On the monotonic clock, in nanoseconds; 0 until it is fixed.
    at: AtomicU64,
    /// Counts how often it was moved; those who sleep wait here.
    moves: AtomicU32,
    /// The sentinel's number, or 0.
    sentinel: AtomicU32,
    /// Whether anybody but stopped threads holds to it.
    is_held: AtomicU32,
    backstop: KillTimer,
}

/// Notes how long dying may take. At start.
pub(super) fn prepare(timeout: Duration) {
    // ORDER: Relaxed. A number; start-up comes before any death that it is for.
    TIMEOUT.store(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX / 4), Relaxed);
    prepare_sentinel();
}

/// Maps the sentinel's stack, unless that was done.
pub(super) fn prepare_sentinel() {
    if STACK.get().is_none()
        && let Some(mapping) = memory::map_guarded(STACK_BYTES)
    {
        memory::wipe_on_fork(mapping);
        memory::make_resident(mapping);
        STACK.set(mapping);
    }
}

impl Deadline {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            at: AtomicU64::new(0),
            moves: AtomicU32::new(0),
            sentinel: AtomicU32::new(0),
            is_held: AtomicU32::new(0),
            backstop: KillTimer::new(),
        }
    }

    /// Fixes it, and sees to it that somebody holds to it. Once, by the elected thread.
    pub(super) fn fix(&self) {
        // ORDER: Relaxed. See `prepare`.
        let at = clock::now().saturating_add(TIMEOUT.load(Relaxed));
        self.set(at);
        let by_kernel = self.backstop.set(at + nanoseconds(BACKSTOP)) && process::pid() != 1;
        // A sanitizer would take the sentinel, which has no storage of its own, for this thread.
        let by_sentinel = !sanitizer::is_there() && self.post_sentinel();
        // ORDER: Relaxed. The elected thread's own word.
        self.is_held.store(u32::from(by_kernel || by_sentinel), Relaxed);
    }

    /// Gives the SIGABRT handlers of others a time of their own, from now on. Only the elected
    /// thread.
    pub(super) fn extend_for_chain(&self) {
        let at = clock::now() + nanoseconds(CHAIN);
        if page().halted.stopped() > 0 || !self.is_sentinel(0) {
            // A handler may have the process dump core, which the kernel's timer would cut short.
            self.backstop.cancel();
        } else {
            self.backstop.set(at + nanoseconds(BACKSTOP));
        }
        self.set(at);
    }

    /// Whether anybody holds to it. Only the elected thread, after the halt.
    pub(super) fn is_held(&self) -> bool {
        // ORDER: Relaxed. The elected thread's own word.
        self.is_held.load(Relaxed) != 0 || page().halted.stopped() > 0
    }

    /// How long a part of dying may take: a quarter of what is left in all, and one second at most.
    pub(super) fn part(&self) -> u64 {
        // ORDER: Relaxed. See `prepare`.
        (TIMEOUT.load(Relaxed) / 4).min(1_000_000_000)
    }

    /// Whether `thread` is the sentinel.
    pub(super) fn is_sentinel(&self, thread: u32) -> bool {
        // ORDER: Relaxed. The kernel has written it before the sentinel existed.
        thread == self.sentinel.load(Relaxed)
    }

    /// Whether the calling thread is the one to end the process, if anybody has to.
    fn is_first(&self) -> bool {
        self.is_sentinel(stop::thread()) || self.is_sentinel(0)
    }

    /// Calls the kernel's timer off: a core dump may take longer than it would wait. Only whoever
    /// is about to end the process.
    pub(super) fn call_off(&self) {
        self.backstop.cancel();
    }

    fn set(&self, at: u64) {
        // ORDER: Relaxed, published by the next line.
        self.at.store(at, Relaxed);
        // ORDER: Release, with the Acquire of `enforce`.
        self.moves.fetch_add(1, Release);
        // One that wakes up early is enough to hold to an earlier time.
        clock::wake(&self.moves, 2);
    }

    fn post_sentinel(&self) -> bool {
        prepare_sentinel();
        let Some(stack) = STACK.get() else { return false };
        let number = &page().deadline.sentinel;
        // SAFETY: the mapping is nobody else's, and the election lets this happen once in a
        // process; `keep_watch` uses no thread-local storage but `errno`, which nobody reads here.
        unsafe { clone::thread(stack, keep_watch, number) }
    }
}

/// What the sentinel does.
unsafe extern "C" fn keep_watch() -> ! {
    enforce()
}

/// Waits until the deadline, and then ends the process. Any thread but the elected one; for ever.
pub(super) fn enforce() -> ! {
    let deadline = &page().deadline;
    loop {
        // ORDER: Acquire, with the Release of `set`.
        let moves = deadline.moves.load(Acquire);
        // ORDER: Relaxed, after the Acquire.
        let at = deadline.at.load(Relaxed);
        let at = if at == 0 || deadline.is_first() { at } else { at + nanoseconds(AHEAD) };
        if at != 0 && clock::now() >= at {
            end::time_is_up();
            // Somebody else is at it. If that one hangs as well, nothing more is written.
            clock::pause(nanoseconds(GRACE));
            end::now();
        }
        clock::wait(&deadline.moves, moves, (at != 0).then_some(at));
    }
}

/// Goes on with `entry` where there is room for it: on the sentinel's stack, unless there is a
/// sentinel.
///
/// # Safety
///
/// Only whoever has claimed the last step calls it, and needs nothing of this stack any more.
pub(super) unsafe fn leave_small_stack(entry: switch::Entry) -> ! {
    let is_free = page().deadline.is_sentinel(0) && !sanitizer::is_there();
    match STACK.get().filter(|_| is_free) {
        // SAFETY: a page-aligned end of our own mapping, which nobody uses: one thread alone claims
        // the last step, and no sentinel is made any more.
        Some(stack) => unsafe { switch::call_on(stack.end(), entry, core::ptr::null()) },
        // SAFETY: the caller's clause.
        None => unsafe { entry(core::ptr::null()) },
    }
}

/// Stops the elected thread, as far as it lets itself be stopped, in less than the grace.
pub(super) fn stop_elected(elected: u32) {
    stop::send(elected as i32, stop::STOP);
    // By the clock: on a busy machine each pause may take many times as long.
    let until = clock::now() + nanoseconds(GRACE) / 2;
    while !page().halted.has_stopped(elected) && clock::now() < until {
        clock::pause(500_000);
    }
}

/// Waits for another copy of the crate, which stops this thread, to end the process; longer than
/// its deadline and its backstop only if there is none: the process was forked while its parent
/// died.
pub(super) fn leave_to_another_copy() -> ! {
    // ORDER: Relaxed. See `prepare`.
    clock::pause(TIMEOUT.load(Relaxed).saturating_add(5 * nanoseconds(BACKSTOP)));
    exit::die()
}

/// Stops the calling thread for good: it is known to have stopped, and enforces the deadline.
pub(super) fn park() -> ! {
    halt::stopped(stop::thread());
    enforce()
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos() as u64
}
