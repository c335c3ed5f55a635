//! A lock that never allocates, that a signal handler cannot deadlock on, and that survives fork.
//!
//! Layer 1.  Plane: data.
//!
//! | `word` | means | next |
//! |---|---|---|
//! | 0 | free | 1, by whoever takes it |
//! | 1 | held | 0; 2, by whoever waits |
//! | 2 | held, and perhaps waited for | 0, and one waiter is woken |
//!
//! While it is held, the holder's asynchronous signals are blocked: a handler that allocates on top
//! of the holder would wait for itself. Faults stay open, since to block them is to be killed.

use crate::sync::{AtomicU32, AtomicU64, Ordering::*};

use super::process::{errno, set_errno, tid};
use super::signal::{bit, exchange_mask};

/// The signals that a thread brings upon itself.
const FAULTS: u64 = bit(libc::SIGSEGV)
    | bit(libc::SIGBUS)
    | bit(libc::SIGILL)
    | bit(libc::SIGFPE)
    | bit(libc::SIGTRAP)
    | bit(libc::SIGSYS);

/// The lock.
pub(crate) struct Lock {
    word: AtomicU32,
    /// The holder's thread number, while it holds the lock across a fork; else 0.
    forking: AtomicU32,
    /// The signal mask to restore after the fork.
    fork_mask: AtomicU64,
}

impl Lock {
    /// A lock that is free.
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU32::new(0), forking: AtomicU32::new(0), fork_mask: AtomicU64::new(0) }
    }

    /// Runs `f` while the lock is held. `errno` is as before afterwards.
    pub(crate) fn with<R>(&self, f: impl FnOnce() -> R) -> R {
        let saved = errno();
        if self.is_forking_thread() {
            // A handler of `pthread_atfork` that allocates while its thread holds the lock.
            return f();
        }
        let mask = block_signals();
        self.acquire();
        let result = f();
        self.release();
        exchange_mask(mask);
        set_errno(saved);
        result
    }

    /// As [`with`](Self::with), but only if nobody holds the lock: for signal handlers, whose own
    /// thread may be the holder.
    pub(crate) fn try_with<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        let mask = block_signals();
        // ORDER: Acquire, with the Release of `release`.
        let free = self.word.compare_exchange(0, 1, Acquire, Relaxed).is_ok();
        let result = free.then(|| {
            let result = f();
            self.release();
            result
        });
        exchange_mask(mask);
        result
    }

    /// Takes the lock, to hold it across a fork.
    pub(crate) fn hold_for_fork(&self) {
        let mask = block_signals();
        self.acquire();
        // ORDER: Relaxed, both. Under the lock; `is_forking_thread` compares with its own number,
        // which no other thread can have stored.
        self.fork_mask.store(mask, Relaxed);
        self.forking.store(tid(), Relaxed);
    }

    /// Lets go after the fork, in the parent or in the child.
    pub(crate) fn release_after_fork(&self) {
        // ORDER: Relaxed, both. Under the lock.
        let mask = self.fork_mask.load(Relaxed);
        self.forking.store(0, Relaxed);
        self.release();
        exchange_mask(mask);
    }

    /// In a forked child whose handler has not run yet: whether the thread that was `former` in the
    /// parent, and is the only one here, held the lock across the fork. Then it does so still.
    pub(crate) fn still_held_for_fork(&self, former: u32) -> bool {
        // ORDER: Relaxed, both. There is no other thread.
        let is_ours = former != 0 && self.forking.load(Relaxed) == former;
        if is_ours {
            self.forking.store(tid(), Relaxed);
        }
        is_ours
    }

    /// In a child that was forked without handlers: whether somebody held the lock at that moment,
    /// who does not exist here.
    pub(crate) fn is_orphaned(&self) -> bool {
        // ORDER: Relaxed. There is no other thread.
        self.word.load(Relaxed) != 0
    }

    /// Whether the calling thread holds the lock across a fork. In the child, whose thread has
    /// another number, `still_held_for_fork` has been asked before.
    fn is_forking_thread(&self) -> bool {
        // ORDER: Relaxed. See `hold_for_fork`.
        let holder = self.forking.load(Relaxed);
        holder != 0 && holder == tid()
    }

    fn acquire(&self) {
        // ORDER: Acquire, with the Release of `release`.
        if self.word.compare_exchange(0, 1, Acquire, Relaxed).is_ok() {
            return;
        }
        // ORDER: Acquire, as above.
        while self.word.swap(2, Acquire) != 0 {
            self.futex(libc::FUTEX_WAIT, 2);
        }
    }

    fn release(&self) {
        // ORDER: Release, with the Acquire of `acquire`.
        if self.word.swap(0, Release) == 2 {
            self.futex(libc::FUTEX_WAKE, 1);
        }
    }

    /// futex(2): waits while the word has `value`, or wakes so many.
    fn futex(&self, operation: i32, value: u32) {
        let operation = operation | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word outlives the call; a null time means no time-out. Its result is not
        // needed: callers look at the word again.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.word.as_ptr(),
                operation,
                value,
                core::ptr::null::<libc::timespec>(),
            );
        }
    }
}

/// Blocks all signals but faults, the C library's own included. Returns the mask before.
fn block_signals() -> u64 {
    exchange_mask(!FAULTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_errno_and_mask() {
        let lock = Lock::new();
        let before = exchange_mask(0);
        set_errno(42);
        let inside = lock.with(|| {
            set_errno(7);
            exchange_mask(!FAULTS)
        });
        assert_eq!((errno(), inside & !(1 << 8 | 1 << 18)), (42, !FAULTS & !(1 << 8 | 1 << 18)));
        assert_eq!(exchange_mask(before), 0);
    }

    #[test]
    fn excludes() {
        struct Sum(core::cell::Cell<u32>);
        // SAFETY: only touched under the lock; that is what this test is about.
        unsafe impl Sync for Sum {}
        static LOCK: Lock = Lock::new();
        static SUM: Sum = Sum(core::cell::Cell::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    for _ in 0..10_000 {
                        LOCK.with(|| SUM.0.set(SUM.0.get() + 1));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(SUM.0.get(), 40_000);
    }
}
