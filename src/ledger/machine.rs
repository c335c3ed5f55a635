//! What the ledger asks of the machine it runs on.
//!
//! Layer 2.  Plane: data.
//!
//! The ledger knows no operating system. `alloc::machine` answers for Linux, `ledger::models` for
//! loom.

use super::slot::Slot;
use crate::sync::AtomicIsize;

/// The lock, and the two halves of an asymmetric fence.
///
/// The fast path must not pay for a fence, so the fence is split: the owner of a slot has a *light*
/// half that only keeps the compiler from reordering, and whoever recalls credit has a *heavy* half
/// that makes every other thread of the process pass a full memory barrier, by `membarrier(2)`.
pub(crate) trait Machine {
    /// Runs `f` under the ledger's one lock, with `errno` kept and with asynchronous signals
    /// blocked, so that a signal handler which allocates cannot wait for its own thread.
    fn locked<R>(&self, f: impl FnOnce() -> R) -> R;

    /// As `locked`, but only if nobody holds the lock: for who must not wait.
    #[cfg(not(loom))]
    fn try_locked<R>(&self, f: impl FnOnce() -> R) -> Option<R>;

    /// The owner's half. No instruction.
    #[cfg_attr(not(loom), allow(dead_code, reason = "the portable fast path is one by itself too"))]
    fn light(&self);

    /// Adds to a word of the calling thread's, so that a signal handler on top of it either comes
    /// before or after, where that can be had.
    fn add(&self, word: &AtomicIsize, delta: isize);

    /// The recaller's half: when this returns `true`, every thread has passed a full barrier since
    /// it was called. `false` if the kernel refused.
    fn heavy(&self) -> bool;

    /// The same by other means, slow, for when the kernel has begun to refuse `heavy`.
    fn handshake(&self) -> bool;

    /// Whether the owner of a slot that is linked is waiting for the lock, or holds it. If it is
    /// not between a charge and its publication then, what it has published is visible afterwards.
    fn is_waiting(&self, slot: &Slot) -> bool;

    /// Lets another thread go on that is a few instructions away from publishing its charge.
    /// `false` if it never may: somebody is ending the process.
    fn wait_for_owner(&self, round: u32) -> bool;

    /// Tells whoever waits for it that live bytes have crossed a soft budget. Under the lock: it
    /// must not wait, nor allocate.
    fn crossed(&self) {}
}
