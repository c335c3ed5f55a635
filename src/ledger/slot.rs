//! A thread's account with one cluster: the words of the fast path.
//!
//! Layer 2.  Plane: data.
//!
//! All words are zero in a thread that never allocated, and zero words divert the first call: a
//! charge makes `avail` negative, a refund leaves `freed` non-negative. So there is no initial
//! state to check for.
//!
//! | word | written by | moves |
//! |---|---|---|
//! | `avail` | its owner, by one `sub` | only falls, except under the lock |
//! | `freed` | its owner, by one `add` | only rises, except under the lock |
//! | `limit` | the lock's holder | stack limit, or `FROZEN` |
//! | `free_limit` | the lock's holder | stack limit; `FROZEN` in all once a cluster was made |
//! | `grow_limit` | as `limit` | `limit`; `FROZEN` in all once a cluster was made |
//! | `pending` | its owner, on the cold path | falls only under the lock |
//! | `inside`, `parked` | its owner, at a cluster's border | see there |
//! | `frozen` | the lock's holder; the owner under the lock | see there |
//!
//! The `Guarded` words are the lock holder's.

#[cfg(not(loom))]
use core::mem::offset_of;
use core::ptr;

use super::account::Account;
#[cfg(loom)]
use super::mutant::{Mutant, mutant};
use crate::sync::{AtomicIsize, AtomicUsize, Guarded, Ordering::*};

/// The limit of a slot whose every charge must leave the fast path: no stack pointer is above it.
pub(crate) const FROZEN: usize = usize::MAX;

/// What became of a hot charge or refund.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub(crate) enum Hot {
    /// It is complete.
    Done,
    /// It is entered in the words, and must go on out of line.
    Entered,
    /// The stack pointer was below the limit: nothing is entered.
    Diverted,
}

/// Where a slot is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(isize)]
pub(crate) enum State {
    /// Zeroed words: no lease, not in the ledger's list.
    New = 0,
    /// In the list.
    Live = 1,
    /// Not in the list any more, or never: each operation settles centrally and keeps no lease.
    Dead = 2,
}

/// Where a thread is, by its root slot's `inside`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub(crate) enum Place {
    /// In the root.
    Out = 0,
    /// In a cluster: `parked` holds the credit. `avail` is scratch, and negative, so that every
    /// charge leaves the fast path.
    In = 1,
    /// On its way: for the owner alone, that is, for a signal handler on top of it. What it charges
    /// is settled centrally, and leaves `avail` and `parked` as they were.
    Moving = 2,
}

/// One thread's account with one cluster.
#[repr(C)]
pub(crate) struct Slot {
    /// Credit left. Owner.
    pub(super) avail: AtomicIsize,
    /// Bytes freed since the last fold, less `bias`. Owner.
    pub(super) freed: AtomicIsize,
    /// A stack pointer below this leaves the fast path of a charge.
    pub(super) limit: AtomicUsize,
    /// A stack pointer below this leaves the fast path of a refund.
    pub(super) free_limit: AtomicUsize,
    /// A stack pointer below this leaves the fast path of a charge for a block that grows.
    pub(super) grow_limit: AtomicUsize,
    /// What `limit` is when the slot is not frozen.
    pub(super) stack_limit: AtomicUsize,
    /// The sum of the charges that wait for the lock. Owner.
    pub(super) pending: AtomicIsize,
    /// Non-zero while a recaller may take from `avail`. Lock.
    pub(super) frozen: AtomicUsize,
    /// A [`Place`]. Owner.
    pub(super) inside: AtomicUsize,
    /// The credit while the thread is in a cluster. Owner.
    pub(super) parked: AtomicIsize,

    /// Taken from `avail` by recallers, not yet booked by the owner.
    pub(super) taken: Guarded,
    /// What `freed` started from, negated: its sign says when to fold.
    pub(super) bias: Guarded,
    /// Harvested from `freed` by recallers, not yet booked by the owner.
    pub(super) harvested: Guarded,
    /// What this recall found in the slot.
    pub(super) found: Guarded,
    /// The heavy fence failed while this slot was frozen, and its owner has not been here since.
    pub(super) unacked: Guarded,
    /// How much to lease beyond need; grows with use.
    pub(super) share: Guarded,
    state: Guarded,
    /// The account charged; 0 stands for the root's.
    account: Guarded,
    pub(super) next: Guarded,
    pub(super) prev: Guarded,
}

/// `const`, except in a model: loom's atomics are made at run time.
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* fn $name:ident() -> $result:ty $body:block) => {
        $(#[$meta])*
        #[cfg(not(loom))]
        pub(crate) const fn $name() -> $result $body
        $(#[$meta])*
        #[cfg(loom)]
        pub(crate) fn $name() -> $result $body
    };
}

#[cfg(not(loom))]
#[cfg_attr(
    any(feature = "portable", not(target_arch = "x86_64")),
    allow(dead_code, reason = "only assembly needs offsets")
)]
impl Slot {
    /// Where `avail` is, for assembly.
    pub(crate) const AVAIL: usize = offset_of!(Slot, avail);
    /// Where `freed` is.
    pub(crate) const FREED: usize = offset_of!(Slot, freed);
    /// Where `limit` is.
    pub(crate) const LIMIT: usize = offset_of!(Slot, limit);
    /// Where `stack_limit` is.
    pub(crate) const STACK_LIMIT: usize = offset_of!(Slot, stack_limit);
    /// Where `free_limit` is.
    pub(crate) const FREE_LIMIT: usize = offset_of!(Slot, free_limit);
    /// Where `grow_limit` is.
    pub(crate) const GROW_LIMIT: usize = offset_of!(Slot, grow_limit);

    /// From now on each operation settles centrally and leaves no lease: the thread is not armed
    /// yet, or cannot be.
    pub(crate) fn settle_centrally(&self) {
        self.set_state(State::Dead);
    }

    /// The thread is armed: the next cold operation registers the slot.
    pub(crate) fn set_armed(&self) {
        self.set_state(State::New);
    }
}

impl Slot {
    const_unless_loom! {
        /// The slot of a thread that never allocated.
        fn new() -> Slot {
            const fn zero() -> Guarded {
                Guarded::new(0)
            }
            Slot {
                avail: AtomicIsize::new(0),
                freed: AtomicIsize::new(0),
                limit: AtomicUsize::new(0),
                free_limit: AtomicUsize::new(0),
                grow_limit: AtomicUsize::new(0),
                stack_limit: AtomicUsize::new(0),
                pending: AtomicIsize::new(0),
                frozen: AtomicUsize::new(0),
                inside: AtomicUsize::new(0),
                parked: AtomicIsize::new(0),
                taken: zero(),
                bias: zero(),
                harvested: zero(),
                found: zero(),
                unacked: zero(),
                share: zero(),
                state: zero(),
                account: zero(),
                next: zero(),
                prev: zero(),
            }
        }
    }

    /// Charges `bytes` on the fast path: what the assembly in `alloc::hot` does, in Rust.
    ///
    /// `light` is the owner's half of the asymmetric fence. `stack_pointer` is the caller's.
    #[inline(always)]
    pub(crate) fn charge_hot(
        &self,
        bytes: isize,
        stack_pointer: usize,
        light: impl FnOnce(),
    ) -> Hot {
        self.charge_hot_below(&self.limit, bytes, stack_pointer, light)
    }

    /// The same for a block that grows, whose owner may be a cluster.
    #[cfg_attr(not(feature = "portable"), allow(dead_code, reason = "see the assembly"))]
    #[inline(always)]
    pub(crate) fn charge_growth_hot(
        &self,
        bytes: isize,
        stack_pointer: usize,
        light: impl FnOnce(),
    ) -> Hot {
        self.charge_hot_below(&self.grow_limit, bytes, stack_pointer, light)
    }

    #[inline(always)]
    fn charge_hot_below(
        &self,
        limit: &AtomicUsize,
        bytes: isize,
        stack_pointer: usize,
        light: impl FnOnce(),
    ) -> Hot {
        if bump(&self.avail, -bytes) < 0 {
            return Hot::Entered;
        }
        light();
        // ORDER: Relaxed; after `light`, whose partner is the heavy fence of a freeze: either this
        // load sees the freeze, or the recaller sees the charge.
        if stack_pointer < limit.load(Relaxed) { Hot::Entered } else { Hot::Done }
    }

    /// Refunds `bytes` on the fast path. Compares first, so that there is nothing to undo.
    #[cfg_attr(not(any(loom, feature = "portable")), allow(dead_code, reason = "see the assembly"))]
    #[inline(always)]
    pub(crate) fn refund_hot(&self, bytes: isize, stack_pointer: usize) -> Hot {
        if !self.refund_hot_allowed(stack_pointer) {
            return Hot::Diverted;
        }
        if self.refund(bytes) { Hot::Entered } else { Hot::Done }
    }

    /// Whether a refund may take the fast path.
    #[cfg_attr(not(any(loom, feature = "portable")), allow(dead_code, reason = "see the assembly"))]
    #[inline(always)]
    pub(crate) fn refund_hot_allowed(&self, stack_pointer: usize) -> bool {
        // ORDER: Relaxed. Only this thread's own past stores matter: frees are never frozen.
        stack_pointer >= self.free_limit.load(Relaxed)
    }

    /// Enters a refund. `true` asks for a fold.
    #[inline(always)]
    pub(crate) fn refund(&self, bytes: isize) -> bool {
        bump(&self.freed, bytes) >= 0
    }

    /// Takes back a refund that belongs elsewhere. By the owner of a slot that is not linked, so
    /// that nobody can have harvested it.
    pub(crate) fn take_back(&self, bytes: isize) {
        bump(&self.freed, -bytes);
    }

    /// Where the thread is, if this is its root slot. Owner.
    #[inline(always)]
    pub(crate) fn place(&self) -> Place {
        // ORDER: Relaxed. The owner's own word.
        match self.inside.load(Relaxed) {
            0 => Place::Out,
            1 => Place::In,
            _ => Place::Moving,
        }
    }

    /// The word that holds the credit. Owner.
    pub(super) fn credit(&self) -> &AtomicIsize {
        if self.place() == Place::In { &self.parked } else { &self.avail }
    }

    /// Forgets what was charged to `avail` in a cluster, where it counts for nothing. What the fast
    /// path leaves there is less than its leases; so it is enough if slow paths come here.
    pub(crate) fn wipe_scratch(&self) {
        self.avail.store(-1, Relaxed); // ORDER: Relaxed. Recallers look at `parked`.
    }

    /// Sets the stack limit. By the owner, while it is not on the fast path; the ledger's `settle`
    /// puts it in force for charges.
    pub(crate) fn set_stack_limit(&self, limit: usize) {
        // ORDER: Relaxed, all: read by the owner, and by the owner as the lock's holder. An
        // exchange, since another thread may be about to divert all frees for good.
        let former = self.stack_limit.swap(limit, Relaxed);
        let _ = self.free_limit.compare_exchange(former, limit, Relaxed, Relaxed);
    }

    /// The stack limit.
    #[inline(always)]
    pub(crate) fn stack_limit(&self) -> usize {
        // ORDER: Relaxed. The owner's own word.
        self.stack_limit.load(Relaxed)
    }

    /// Diverts every further call of this thread, for good. By the owner.
    pub(crate) fn divert_all(&self) {
        self.set_stack_limit(FROZEN);
        // ORDER: Relaxed, all. For this thread's own fast path.
        self.free_limit.store(FROZEN, Relaxed);
        self.set_limit(FROZEN);
    }

    /// Sets the stack pointer below which a charge leaves the fast path.
    pub(super) fn set_limit(&self, limit: usize) {
        // ORDER: Relaxed, both; see the callers.
        self.limit.store(limit, Relaxed);
        // No model has blocks that grow.
        if limit == FROZEN && !cfg!(loom) {
            self.grow_limit.store(FROZEN, Relaxed);
        }
    }

    /// Makes the slot as new, to charge `account`. Lock.
    ///
    /// # Safety
    ///
    /// * The account outlives the slot's use.
    /// * The slot is not linked, and its owner is not inside an operation on it.
    pub(crate) unsafe fn renew(&self, account: &Account) {
        // ORDER: Relaxed, all. The owner's own words, under the lock.
        for word in [&self.avail, &self.freed, &self.pending, &self.parked] {
            word.store(0, Relaxed);
        }
        for word in [&self.limit, &self.free_limit, &self.grow_limit, &self.frozen, &self.inside] {
            word.store(0, Relaxed);
        }
        for word in [&self.taken, &self.bias, &self.harvested, &self.unacked, &self.share] {
            word.set(0);
        }
        // SAFETY: the caller's promise.
        unsafe { self.bind(account) };
        self.set_state(State::New);
    }

    pub(super) fn state(&self) -> State {
        match self.state.get() {
            0 => State::New,
            1 => State::Live,
            _ => State::Dead,
        }
    }

    pub(super) fn set_state(&self, state: State) {
        self.state.set(state as isize);
    }

    /// Whether this slot charges the root's account.
    pub(crate) fn is_roots(&self) -> bool {
        self.account.get() == 0
    }

    /// The account that this slot charges, or null for the root's.
    fn account_ptr(&self) -> *const Account {
        ptr::with_exposed_provenance(self.account.get() as usize)
    }

    /// The account that this slot charges.
    pub(super) fn account<'a>(&'a self, root: &'a Account) -> &'a Account {
        // SAFETY: null, or what `bind` was given, which outlives the slot.
        unsafe { self.account_ptr().as_ref() }.unwrap_or(root)
    }

    /// Makes the slot charge `account` instead of the root's.
    ///
    /// # Safety
    ///
    /// The account outlives the slot's use, and the slot is not linked.
    pub(crate) unsafe fn bind(&self, account: *const Account) {
        self.account.set(account.expose_provenance() as isize);
    }

    /// Bytes freed that neither the owner nor a recaller has booked. Lock.
    pub(super) fn unbooked(&self) -> isize {
        // ORDER: Acquire, with the Release of `bump`: a charge that the owner made elsewhere, told
        // of this refund, is not older than it.
        // In this order: bytes that were harvested are no part of what is leased, and could be
        // more than there are numbers together with it.
        self.freed.load(Acquire) - self.harvested.get() + self.bias.get()
    }
}

/// Adds to a word that the calling thread alone writes, and returns the sum. No atomic
/// read-modify-write. Its Release is with the Acquire loads of `Ledger::slack` and
/// `Slot::unbooked`: who sees a charge also sees the refunds that came before it.
///
/// Wrapping: two charges of `isize::MAX` may meet here, one in a signal handler; neither can be
/// granted, and both are taken back.
#[cfg(not(loom))]
pub(super) use crate::sync::add_own as bump;

#[cfg(loom)]
pub(super) fn bump(word: &AtomicIsize, delta: isize) -> isize {
    // ORDER: Release, as above; Relaxed in a mutant. One step, as on x86: loom looks for a conflict
    // with the last access to a word alone, so a load of our own would hide that another thread has
    // read it.
    let order = if mutant(Mutant::RelaxedWords) { Relaxed } else { Release };
    word.fetch_add(delta, order).wrapping_add(delta)
}
