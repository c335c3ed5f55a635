//! Time that only goes forward, waiting for it, and a timer that kills.
//!
//! Layer 1.  Plane: failure.
//!
//! All by raw system calls: threads wait here that were stopped in the middle of anything.

use core::ptr;

use crate::sync::{AtomicI32, AtomicU32, Ordering::Relaxed};

use super::raw;

const NANOSECONDS: u64 = 1_000_000_000;

/// The monotonic clock, in nanoseconds.
pub(crate) fn now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let args = [libc::CLOCK_MONOTONIC as usize, (&raw mut now).expose_provenance(), 0, 0, 0, 0];
    // SAFETY: the result is writable.
    if unsafe { raw::call(libc::SYS_clock_gettime, args) } != 0 {
        // A filter may refuse the call; the C library reads the clock without one.
        // SAFETY: the result is writable.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    }
    // The kernel has written it, behind the compiler's back: an address went out as a number.
    // SAFETY: as above, initialised.
    let now = unsafe { ptr::read_volatile(&raw const now) };
    now.tv_sec as u64 * NANOSECONDS + now.tv_nsec as u64
}

fn timespec(nanoseconds: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (nanoseconds / NANOSECONDS) as i64,
        tv_nsec: (nanoseconds % NANOSECONDS) as i64,
    }
}

/// Waits while `word` is `value`, until `until` on the clock of [`now`], or for ever; or a little
/// less, for any reason.
pub(crate) fn wait(word: &AtomicU32, value: u32, until: Option<u64>) {
    let until = until.map(timespec);
    let time = until.as_ref().map_or(ptr::null(), ptr::from_ref);
    let operation = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
    let any = u32::MAX as usize;
    let args = [
        word.as_ptr().expose_provenance(),
        operation as usize,
        value as usize,
        time.expose_provenance(),
        0,
        any,
    ];
    // SAFETY: the word is there, and the time, for as long as the call.
    let result = unsafe { raw::call(libc::SYS_futex, args) };
    if result == -(libc::ENOSYS as isize) || result == -(libc::EPERM as isize) {
        pause(1_000_000); // A filter that knows no futex: look at the word from time to time.
    }
}

/// Wakes up to `threads` threads that wait at `word`.
pub(crate) fn wake(word: &AtomicU32, threads: u32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    let args = [word.as_ptr().expose_provenance(), operation as usize, threads as usize, 0, 0, 0];
    // SAFETY: the word is there.
    unsafe { raw::call(libc::SYS_futex, args) };
}

/// Sleeps so many nanoseconds, or until a signal.
pub(crate) fn pause(nanoseconds: u64) {
    let time = timespec(nanoseconds);
    let args = [(&raw const time).expose_provenance(), 0, 0, 0, 0, 0];
    // SAFETY: the time is readable; the rest is not wanted.
    unsafe { raw::call(libc::SYS_nanosleep, args) };
}

/// A timer of the kernel's that sends SIGKILL to the process.
pub(crate) struct KillTimer {
    /// Its number, plus one; 0 while there is none.
    timer: AtomicI32,
}

impl KillTimer {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self { timer: AtomicI32::new(0) }
    }

    /// Has the process killed at `at`, whatever was set before. `false` if the kernel refuses: each
    /// timer takes a place among the user's pending signals (RLIMIT_SIGPENDING).
    pub(crate) fn set(&self, at: u64) -> bool {
        let Some(timer) = self.get().or_else(create) else { return false };
        // ORDER: Relaxed. Who cancels it has learnt of the death that it is for.
        self.timer.store(timer + 1, Relaxed);
        let never = timespec(0);
        let when = libc::itimerspec { it_interval: never, it_value: timespec(at) };
        let absolute = libc::TIMER_ABSTIME as usize;
        let args = [timer as usize, absolute, (&raw const when).expose_provenance(), 0, 0, 0];
        // SAFETY: the time is readable; the old one is not wanted.
        unsafe { raw::call(libc::SYS_timer_settime, args) == 0 }
    }

    /// Has it not happen.
    pub(crate) fn cancel(&self) {
        if let Some(timer) = self.get() {
            // SAFETY: numbers only.
            unsafe { raw::call(libc::SYS_timer_delete, [timer as usize, 0, 0, 0, 0, 0]) };
        }
    }

    fn get(&self) -> Option<i32> {
        // ORDER: Relaxed. See `set`; a stale answer costs a timer that was deleted twice.
        self.timer.load(Relaxed).checked_sub(1).filter(|&timer| timer >= 0)
    }
}

fn create() -> Option<i32> {
    // The kernel's `struct sigevent`: 64 bytes, whose first words are value, signal, kind.
    let event: [u32; 16] = {
        let mut event = [0; 16];
        event[2] = libc::SIGKILL as u32;
        event[3] = libc::SIGEV_SIGNAL as u32;
        event
    };
    let mut timer = 0_i32;
    let args = [
        libc::CLOCK_MONOTONIC as usize,
        (&raw const event).expose_provenance(),
        (&raw mut timer).expose_provenance(),
        0,
        0,
        0,
    ];
    // SAFETY: the event is readable and the number writable.
    let result = unsafe { raw::call(libc::SYS_timer_create, args) };
    // SAFETY: initialised above, or by the kernel since.
    (result == 0).then(|| unsafe { ptr::read_volatile(&raw const timer) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_and_waiting_ends() {
        let start = now();
        let word = AtomicU32::new(7);
        wait(&word, 8, None); // It is not 8.
        while now() < start + 2_000_000 {
            wait(&word, 7, Some(start + 2_000_000));
        }
        pause(1);
        assert!(now() > start);
    }

    #[test]
    fn a_timer_can_be_moved_and_cancelled() {
        let timer = KillTimer::new();
        assert!(timer.set(now() + 3600 * NANOSECONDS));
        assert!(timer.set(now() + 7200 * NANOSECONDS));
        timer.cancel();
    }
}
