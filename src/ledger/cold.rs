//! What the owner of a slot does off the fast path.
//!
//! Layer 2.  Plane: data.

use core::cmp::{max, min};

use super::account::Account;
use super::machine::Machine;
use super::mutant::{Mutant, mutant};
use super::slot::{FROZEN, Place, Slot, State, bump};
use crate::sync::{AtomicBool, Ordering::*, fence};

/// The first lease of a thread, beyond its need: small, because `peak` counts leases.
const SHARE_MIN: isize = if cfg!(loom) { 0 } else { 16 << 10 };
/// The largest lease beyond need, and the most that is freed before a fold.
const SHARE_MAX: isize = if cfg!(loom) { 0 } else { 4 << 20 };
/// Bytes freed before the owner folds them, at least.
const FOLD_MIN: isize = if cfg!(loom) { 64 } else { 16 << 10 };

/// The accounts of a process.
pub(crate) struct Ledger<M> {
    pub(super) machine: M,
    pub(super) root: Account,
    /// Whether blocks may have other owners than the root. Never unset.
    pub(super) has_clusters: AtomicBool,
    /// There is no heavy fence: owners fence, each charge, and the recaller need not.
    pub(super) fenced: AtomicBool,
}

/// Why a charge was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// The innermost account that lacked room had these figures at an instant of the request.
    OverBudget(Figures),
    /// The kernel refuses every means to see the other threads' accounts.
    Unsettled(Figures),
}

/// An account's figures at one instant, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Figures {
    pub(crate) live: isize,
    pub(crate) peak: isize,
    /// [`super::UNLIMITED`] where there is none.
    pub(crate) budget: isize,
    /// Whose they are. Only to be compared, unless its owner knows that it is alive.
    pub(crate) of: *const Account,
}

impl Refusal {
    /// The figures of the account that lacked room.
    pub(crate) fn figures(&self) -> &Figures {
        let (Self::OverBudget(figures) | Self::Unsettled(figures)) = self;
        figures
    }

    /// The account itself. Lock, held since the refusal.
    pub(super) fn account(&self) -> Option<&Account> {
        // SAFETY: under the lock under which it was refused no account ends.
        unsafe { self.figures().of.as_ref() }
    }
}

impl<M: Machine> Ledger<M> {
    /// A ledger with a root account that has no budget. `fenced`: there is no heavy fence.
    #[cfg(not(loom))]
    pub(crate) const fn new(machine: M) -> Self {
        let (has_clusters, fenced) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { machine, root: Account::root(), has_clusters, fenced }
    }

    /// As above, in a model.
    #[cfg(loom)]
    pub(crate) fn new(machine: M, fenced: bool) -> Self {
        let (has_clusters, fenced) = (AtomicBool::new(false), AtomicBool::new(fenced));
        Self { machine, root: Account::root(), has_clusters, fenced }
    }

    /// The machine.
    #[cfg(not(loom))]
    pub(crate) fn machine(&self) -> &M {
        &self.machine
    }

    /// The root's account.
    pub(crate) fn root(&self) -> &Account {
        &self.root
    }

    /// Whether there is no heavy fence.
    pub(super) fn is_fenced(&self) -> bool {
        // ORDER: Relaxed. It turns true under the lock, after every slot was frozen; an owner that
        // still reads false takes the lock.
        self.fenced.load(Relaxed)
    }

    /// From now on owners fence. For a machine without membarrier, before the first charge.
    #[cfg(not(loom))]
    pub(crate) fn set_fenced(&self) {
        // ORDER: Relaxed. As in `is_fenced`.
        self.fenced.store(true, Relaxed);
    }

    /// Goes on with a charge that left the fast path: `avail` already holds `-bytes`.
    ///
    /// # Errors
    ///
    /// Refused, and the slot is as it was before the charge.
    pub(crate) fn charge_diverted(&self, slot: &Slot, bytes: isize) -> Result<(), Refusal> {
        let left = match slot.place() {
            Place::Out => slot.avail.load(Relaxed), // ORDER: Relaxed. The owner's own word.
            Place::In => {
                // The thread is in a cluster, and the charge is the root's all the same.
                slot.wipe_scratch();
                let left = bump(&slot.parked, -bytes);
                self.machine.light();
                left
            }
            Place::Moving => {
                self.machine.add(&slot.avail, bytes);
                return self.charge_account(slot.account(&self.root), bytes);
            }
        };
        if left >= 0 && self.is_thawed(slot) {
            return Ok(()); // The stack was a foreign one, and the charge is complete.
        }
        self.charge_cold(slot, bytes)
    }

    /// Whether a charge that the credit covers is complete: no recaller has taken of that credit.
    fn is_thawed(&self, slot: &Slot) -> bool {
        // ORDER: Relaxed; the light fence of the hot path lies between this and the charge.
        slot.limit.load(Relaxed) != FROZEN || self.is_fenced() && !self.frozen_after_fence(slot)
    }

    /// The owner's whole fence, where nobody else has a heavy one.
    fn frozen_after_fence(&self, slot: &Slot) -> bool {
        if !mutant(Mutant::NoRealFence) {
            // ORDER: SeqCst, with the one in `Ledger::freeze`: either the recaller sees the charge,
            // or this thread sees the freeze.
            fence(SeqCst);
        }
        // ORDER: Relaxed, after the fence.
        slot.frozen.load(Relaxed) != 0
    }

    /// The one cold path of a charge. Nothing is rolled back before the lock is held: the charge
    /// stays in `avail`, and `pending` tells recallers that it is not granted yet.
    fn charge_cold(&self, slot: &Slot, bytes: isize) -> Result<(), Refusal> {
        let word = slot.credit();
        if mutant(Mutant::EarlyRollback) {
            bump(word, bytes);
        } else if !mutant(Mutant::NoPending) {
            self.publish(slot, bytes);
        }
        self.machine.locked(|| {
            if mutant(Mutant::EarlyRollback) {
                bump(word, -bytes);
            } else if !mutant(Mutant::NoPending) {
                // ORDER: Relaxed. Lowered, and read by recallers, under the lock.
                slot.pending.fetch_sub(bytes, Relaxed);
            }
            if mutant(Mutant::ThawUnbooked) && word.load(Relaxed) >= 0 {
                self.thaw(slot);
                return Ok(());
            }
            let credit = self.absorb(slot);
            let granted = if credit >= 0 { Ok(0) } else { self.cover(slot, credit, bytes) };
            let credit = match granted {
                Ok(need) => credit + need,
                Err(_) => credit + bytes,
            };
            // ORDER: Relaxed. The owner's own word, under the lock.
            word.store(credit, Relaxed);
            self.top_up(slot);
            self.settle(slot);
            granted.map(|_| ())
        })
    }

    /// Tells recallers of a charge in `avail` that is not granted yet; or, in the thread that ends
    /// the process, never will be.
    pub(crate) fn publish(&self, slot: &Slot, bytes: isize) {
        // ORDER: Release, with the Acquire in `slack`: who sees it sees the charge in `avail`. A
        // read-modify-write, so that a signal handler may come between.
        slot.pending.fetch_add(bytes, Release);
    }

    /// Leases what a charge of `bytes` lacks, and returns that. `credit` is negative. An
    /// interrupted charge of this thread, below the signal handler that we may be in, pays for
    /// itself.
    fn cover(&self, slot: &Slot, credit: isize, bytes: isize) -> Result<isize, Refusal> {
        let need = min(bytes, credit.saturating_neg());
        let account = slot.account(&self.root);
        if account.room() < need {
            slot.share.set(0);
            self.make_room(slot, account, need, credit + bytes)?;
        }
        account.upward().for_each(Account::note_peak); // Nothing may come of it: see `uncharge`.
        account.lease(need);
        Ok(need)
    }

    /// Goes on with a refund whose fold is due.
    pub(crate) fn fold(&self, slot: &Slot) {
        if slot.place() == Place::Moving {
            return; // It stays due.
        }
        self.machine.locked(|| self.begin(slot));
    }

    /// Links a new slot of the calling thread's, and leases ahead. Lock.
    pub(crate) fn begin(&self, slot: &Slot) {
        self.absorb(slot);
        self.top_up(slot);
        self.settle(slot);
    }

    /// Takes a granted charge back: the inner allocator refused. A refund, and never a raise of
    /// `avail`, which only falls outside the lock.
    pub(crate) fn uncharge(&self, slot: &Slot, bytes: isize) {
        if mutant(Mutant::UnchargeAvail) {
            bump(&slot.avail, bytes);
            return;
        }
        slot.refund(bytes);
        if slot.place() == Place::Moving {
            return; // A refund like any other.
        }
        self.machine.locked(|| {
            // A recaller may have harvested it meanwhile.
            let back = min(max(self.absorb(slot), 0), bytes);
            // More than any lease has ahead was leased for this charge, and does not count.
            if bytes > 2 * SHARE_MAX {
                slot.account(&self.root).retract(back);
            } else {
                slot.account(&self.root).lease(-back);
            }
            let word = slot.credit();
            // ORDER: Relaxed, both. The owner's own word, under the lock.
            word.store(word.load(Relaxed) - back, Relaxed);
            self.settle(slot);
        });
    }

    /// Books what recallers took, folds `freed`, registers a new slot. Returns the credit. Lock.
    fn absorb(&self, slot: &Slot) -> isize {
        let word = slot.credit();
        // ORDER: Relaxed. The owner's own word.
        let credit = word.load(Relaxed) - slot.taken.get() + slot.unbooked();
        if slot.state() == State::New {
            slot.set_state(State::Live);
            // SAFETY: the thread's record lives until its end, and `retire` unlinks the slot then.
            unsafe { slot.account(&self.root).link(slot) };
        }
        let bias = if slot.state() == State::Live { max(FOLD_MIN, slot.share.get()) } else { 0 };
        slot.taken.set(0);
        slot.harvested.set(0);
        slot.unacked.set(0);
        slot.bias.set(bias);
        // ORDER: Relaxed, both. The owner's own words; recallers read them under the lock.
        slot.freed.store(-bias, Relaxed);
        word.store(credit, Relaxed);
        credit
    }

    /// Leases ahead where there is room, and gives back what is too much. Lock.
    fn top_up(&self, slot: &Slot) {
        let word = slot.credit();
        let credit = word.load(Relaxed); // ORDER: Relaxed. The owner's own word.
        if credit < 0 || slot.state() != State::Live {
            return;
        }
        let account = slot.account(&self.root);
        let share = (2 * slot.share.get()).clamp(SHARE_MIN, SHARE_MAX);
        let fair = max(account.fair_share(), 0);
        let delta = match credit {
            _ if credit > 2 * share && !cfg!(loom) => share - credit,
            _ if credit < share => min(share - credit, fair),
            _ => 0,
        };
        account.lease(delta);
        // ORDER: Relaxed. As above.
        word.store(credit + delta, Relaxed);
        slot.share.set(share);
    }

    /// The last act under the lock: thaws, unless an interrupted charge of this thread is not
    /// covered, which must then go the cold way too; and keeps no lease in a dead slot.
    fn settle(&self, slot: &Slot) {
        // ORDER: Relaxed, all here. The owner's own words, under the lock.
        let word = slot.credit();
        let credit = word.load(Relaxed);
        if credit >= 0 && slot.state() == State::Dead {
            slot.account(&self.root).lease(-credit);
            word.store(0, Relaxed);
        }
        if !cfg!(loom) {
            slot.free_limit.store(self.free_limit(slot), Relaxed); // Constant in a model.
        }
        if credit >= 0 || mutant(Mutant::ThawInDebt) {
            self.thaw(slot);
        }
    }

    fn thaw(&self, slot: &Slot) {
        if mutant(Mutant::NoThaw) {
            return;
        }
        // ORDER: Relaxed, all: the owner's own view of its own slot, changed under the lock.
        slot.frozen.store(0, Relaxed);
        let limit = if self.is_fenced() { FROZEN } else { slot.stack_limit.load(Relaxed) };
        if !cfg!(loom) {
            // For growth a cluster's existence is one more reason to divert.
            slot.grow_limit.store(max(limit, self.free_limit(slot)), Relaxed);
        }
        slot.set_limit(limit);
    }

    /// The stack pointer below which a refund leaves the fast path.
    fn free_limit(&self, slot: &Slot) -> usize {
        // ORDER: Relaxed, both. Set under the lock, or before this thread could get to know of a
        // cluster's block; the second is the owner's word.
        if self.has_clusters.load(Relaxed) { FROZEN } else { slot.stack_limit.load(Relaxed) }
    }

    /// Takes back a charge, entered in `avail`, that belongs to another slot: by a refund, if it is
    /// complete. Never a raise of
    /// `avail` outside the lock: a recaller may be looking at it.
    pub(crate) fn cancel(&self, slot: &Slot, bytes: isize) {
        if slot.place() == Place::In {
            return slot.wipe_scratch();
        }
        if slot.place() == Place::Moving {
            return self.machine.add(&slot.avail, bytes);
        }
        // ORDER: Relaxed. The owner's own word.
        if slot.avail.load(Relaxed) >= 0 && self.is_thawed(slot) {
            if slot.refund(bytes) {
                self.fold(slot);
            }
        } else {
            self.publish(slot, bytes);
            self.machine.locked(|| {
                // ORDER: Relaxed, both. As in `charge_cold`.
                slot.pending.fetch_sub(bytes, Relaxed);
                let credit = self.absorb(slot) + bytes;
                slot.avail.store(credit, Relaxed);
                self.settle(slot);
            });
        }
    }

    /// Ends a slot: folds it, gives everything back, unlinks it. Later charges and refunds, by the
    /// destructors that still run, find zero words and settle one by one.
    pub(crate) fn retire(&self, slot: &Slot) {
        self.machine.locked(|| {
            let was = slot.state();
            if mutant(Mutant::ExitUnfolded) {
                slot.avail.store(0, Relaxed);
            } else {
                self.absorb(slot);
            }
            slot.set_state(State::Dead);
            slot.bias.set(0);
            // ORDER: Relaxed. The owner's own word, under the lock.
            slot.freed.store(0, Relaxed);
            self.settle(slot);
            if was != State::Dead {
                slot.account(&self.root).unlink(slot);
            }
        });
    }

    /// The thread enters a cluster: its root slot's credit is set aside, and `avail` is made
    /// negative, so that its charges leave the fast path.
    ///
    /// No fence: `limit` is not touched, so a freeze holds whatever the owner does; and of the two
    /// words one always has the credit, while the other is negative, which has a recaller wait.
    pub(crate) fn enter(&self, root_slot: &Slot) {
        // ORDER: Relaxed, all here but the last. The owner's own words.
        root_slot.inside.store(Place::Moving as usize, Relaxed);
        let credit = root_slot.avail.load(Relaxed);
        if mutant(Mutant::ParkLate) {
            root_slot.inside.store(Place::In as usize, Release);
        }
        // What a signal handler charges before this is found in `avail` afterwards; what it charges
        // from then on is settled centrally.
        self.machine.add(&root_slot.avail, -(credit + 1));
        let charged = root_slot.avail.load(Relaxed) + 1;
        root_slot.parked.store(credit + charged, Relaxed);
        // ORDER: Release, with the Acquire in `Ledger::slack`: who sees it sees `parked`.
        root_slot.inside.store(Place::In as usize, Release);
    }

    /// The thread leaves its outermost cluster.
    pub(crate) fn leave(&self, root_slot: &Slot) {
        // ORDER: Relaxed, both. The owner's own words.
        root_slot.inside.store(Place::Moving as usize, Relaxed);
        let credit = root_slot.parked.load(Relaxed);
        // ORDER: Release, both, with the Acquire loads in `Ledger::slack`.
        root_slot.avail.store(credit, Release);
        root_slot.inside.store(Place::Out as usize, Release);
    }
}
