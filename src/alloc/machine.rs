//! Linux, as the ledger wants to see it.
//!
//! Layer 6.  Plane: data.

use crate::ledger::{Ledger, Machine, Slot};
use crate::sync::{AtomicIsize, Ordering::*, compiler_fence};
use crate::sys::lock::Lock;
use crate::sys::{clock, membarrier, thread::step_aside};
use crate::terminate;
use crate::thread::{Record, record};

use super::seat::Seat;
use super::{budgets, hot};

/// The process's one ledger.
pub(super) static LEDGER: Ledger<Linux> = Ledger::new(Linux { lock: Lock::new() });

/// A futex, and `membarrier`.
pub(super) struct Linux {
    pub(super) lock: Lock,
}

impl Machine for Linux {
    fn locked<R>(&self, f: impl FnOnce() -> R) -> R {
        super::fork::notice();
        record().locking(|| self.lock.with(f))
    }

    fn try_locked<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        if super::fork::is_unnoticed() { None } else { self.lock.try_with(f) }
    }

    #[inline(always)]
    fn light(&self) {
        // ORDER: SeqCst for the compiler, with the heavy fence for the machine.
        compiler_fence(SeqCst);
    }

    #[inline(always)]
    fn add(&self, word: &AtomicIsize, delta: isize) {
        hot::add(word, delta);
    }

    fn heavy(&self) -> bool {
        membarrier::fence()
    }

    fn handshake(&self) -> bool {
        membarrier::fence_by_migration()
    }

    fn is_waiting(&self, slot: &Slot) -> bool {
        if slot.is_roots() {
            // SAFETY: a root slot that is linked is of a thread that has not ended.
            return unsafe { Record::of(slot) }.is_locking();
        }
        // SAFETY: all other slots are seats'.
        unsafe { Seat::of(slot) }.home().is_none_or(Record::is_locking)
    }

    fn wait_for_owner(&self, round: u32) -> bool {
        step_aside(round);
        !terminate::is_dying()
    }

    fn crossed(&self) {
        // ORDER: Relaxed. The kernel orders it against who waits; see `cluster::watch`.
        budgets::CROSSINGS.fetch_add(1, Relaxed);
        clock::wake(&budgets::CROSSINGS, i32::MAX as u32);
    }
}
