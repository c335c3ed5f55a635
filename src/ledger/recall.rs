//! What a thread does that needs the credit of others.
//!
//! Layer 2.  Plane: data.
//!
//! Everything here runs under the lock.

use core::cmp::{max, min};
use core::ptr;

use super::account::Account;
use super::cold::{Figures, Ledger, Refusal};
use super::machine::Machine;
use super::mutant::{Mutant, mutant};
use super::slot::{FROZEN, Slot};
use crate::sync::{Ordering::*, fence};

/// How often an owner is waited for that seems to be between a charge and its publication, once it
/// has published another one: then it is a signal handler that waits for us.
const UNPUBLISHED_TRIES: u32 = if cfg!(loom) { 1 } else { 16 };

impl<M: Machine> Ledger<M> {
    /// Makes room for `need` bytes in the account of `slot` and all its ancestors, out of what
    /// other slots do not use. `own` is the credit that `slot` itself had before its charge.
    pub(super) fn recall(&self, slot: &Slot, need: isize, own: isize) -> Result<(), Refusal> {
        let account = slot.account(&self.root);
        let Some(top) = account.upward().filter(|a| a.own_room() < need).last() else {
            return Ok(());
        };
        if let Some(short) = account.upward().find(|a| a.budget() < need) {
            return Err(Refusal::OverBudget(self.figures_of(short, own)));
        }
        let top = if mutant(Mutant::OwnClusterOnly) { account } else { top };
        // 1. What is freed already needs no freeze, and no fence.
        self.harvest(slot, top);
        if account.room() >= need {
            return Ok(());
        }
        // 2. Nobody charges on the fast path from here on.
        let seen = self.freeze(slot, top);
        self.collect(slot, top);
        if self.shortest(slot, account, need).is_none() {
            self.take(slot, top);
            return Ok(());
        }
        if !seen {
            // 3. Some accounts could not be seen: by other means, before anything is refused.
            if !self.machine.handshake() {
                return Err(Refusal::Unsettled(self.figures_of(top, own)));
            }
            self.slots.iter().for_each(|v| v.unacked.set(0));
            self.collect(slot, top);
        }
        match self.shortest(slot, account, need) {
            None => {
                self.take(slot, top);
                Ok(())
            }
            Some(short) => Err(Refusal::OverBudget(self.collected_figures(slot, short, own))),
        }
    }

    /// The linked slots, other than `slot`, that charge `top` or a descendant of it.
    fn others<'a>(&'a self, slot: &'a Slot, top: &'a Account) -> impl Iterator<Item = &'a Slot> {
        let within = move |v: &&Slot| v.account(&self.root).is_within(top);
        self.slots.iter().filter(move |v| !ptr::eq(*v, slot)).filter(within)
    }

    /// Returns to the room what others have freed.
    fn harvest(&self, slot: &Slot, top: &Account) {
        for v in self.others(slot, top) {
            self.harvest_one(v);
        }
    }

    fn harvest_one(&self, v: &Slot) {
        let bytes = v.unbooked();
        v.harvested.add(bytes);
        v.account(&self.root).lease(-bytes);
    }

    /// Freezes the others, and passes the heavy fence. `false`: some of them may not have seen it.
    fn freeze(&self, slot: &Slot, top: &Account) -> bool {
        // ORDER: Relaxed, all stores here; the fences order them.
        self.others(slot, top).for_each(|v| v.frozen.store(1, Relaxed));
        if !mutant(Mutant::NoLocalFence) {
            // ORDER: SeqCst, with the ones in `frozen_after_fence` and `crossed`: an owner that
            // puts its limit back after our store sees `frozen`.
            fence(SeqCst);
        }
        self.others(slot, top).for_each(|v| v.limit.store(FROZEN, Relaxed));
        if self.is_fenced() {
            return self.others(slot, top).all(|v| v.unacked.get() == 0);
        }
        // ORDER: the heavy half, with the light one in `Slot::charge_hot`.
        self.machine.heavy() || {
            self.heavy_failed(slot);
            false
        }
    }

    /// The kernel has begun to refuse the heavy fence. Every slot, of whatever cluster, is frozen,
    /// and nothing is taken from it before its owner has passed here; from then on owners fence.
    fn heavy_failed(&self, slot: &Slot) {
        // ORDER: Relaxed, all here. An owner sees the freeze in its own time; until then it is
        // `unacked`, and only `handshake` may hurry it.
        for v in self.others(slot, &self.root) {
            v.unacked.set(1);
            v.frozen.store(1, Relaxed);
            v.limit.store(FROZEN, Relaxed);
        }
        self.fenced.store(true, Relaxed);
    }

    /// One collect: every `avail` first, every `freed` after. The other order would count bytes as
    /// live twice that were freed and charged again meanwhile.
    fn collect(&self, slot: &Slot, top: &Account) {
        if mutant(Mutant::FreedFirst) {
            self.harvest(slot, top);
        }
        for v in self.others(slot, top) {
            let hidden = v.unacked.get() != 0 && !mutant(Mutant::TakeUnfenced);
            v.found.set(if hidden { 0 } else { self.slack(v, true) });
        }
        if !mutant(Mutant::FreedFirst) {
            self.harvest(slot, top);
        }
    }

    /// The innermost account that lacks room for `need` even with all that was found.
    fn shortest<'a>(&self, slot: &Slot, account: &'a Account, need: isize) -> Option<&'a Account> {
        account.upward().find(|a| a.own_room() + self.found_in(slot, a) < need)
    }

    /// What the last collect found in the slots of `account` and its descendants.
    fn found_in(&self, slot: &Slot, account: &Account) -> isize {
        self.others(slot, account).map(|v| v.found.get()).sum()
    }

    /// Takes all that was found: the surplus goes to the room, where the next request finds it
    /// without another fence.
    fn take(&self, slot: &Slot, top: &Account) {
        for v in self.others(slot, top) {
            let found = v.found.get();
            v.taken.add(found);
            v.share.set(0);
            v.account(&self.root).lease(-found);
        }
    }

    /// Credit of a slot that no charge of its owner covers or will cover.
    ///
    /// In a frozen slot it is exact. `pending` is read before `avail`: a charge that is counted in
    /// it is then in `avail` too, and the sum never exceeds the truth. `wait`: for an owner between
    /// its charge and the publication of it.
    fn slack(&self, v: &Slot, wait: bool) -> isize {
        let mut round = 0;
        loop {
            let early = self.credit(v);
            // ORDER: Acquire, with the Release in `charge_cold`.
            let pending = v.pending.load(Acquire);
            if mutant(Mutant::AvailBeforePending) && early < 0 && early + pending >= 0 {
                return early + pending;
            }
            let credit = self.credit(v);
            if credit >= 0 {
                return credit; // Every charge in it is granted, or will be.
            }
            if credit + pending >= 0 {
                return credit + pending; // The last one is not covered: it is not live.
            }
            if mutant(Mutant::NoPending) || mutant(Mutant::EarlyRollback) || !wait {
                return 0;
            }
            if pending != 0 && round >= UNPUBLISHED_TRIES {
                return 0; // A signal handler waits for us, over a charge not yet published.
            }
            if !self.machine.wait_for_owner(round) {
                return 0; // The owner is dying, or waits for that; so shall we.
            }
            round += 1;
        }
    }

    fn credit(&self, v: &Slot) -> isize {
        // ORDER: Acquire, both: with the Release stores of the owner, so that a refund which came
        // before a charge seen here is seen by the harvest that follows.
        let inside = v.inside.load(Acquire) != 0 && !mutant(Mutant::NoParking);
        let word = if inside { &v.parked } else { &v.avail };
        word.load(Acquire) - v.taken.get()
    }

    /// Figures after a collect that led to a refusal: live at an instant inside the request.
    fn collected_figures(&self, slot: &Slot, short: &Account, own: isize) -> Figures {
        self.with_live(short, short.leased() - self.found_in(slot, short) - max(own, 0))
    }

    /// Figures without a freeze: exact while the other threads are at rest, and never more live
    /// than leased. `own` is the credit of the calling thread.
    fn figures_of(&self, account: &Account, own: isize) -> Figures {
        let unused: isize = self
            .slots
            .iter()
            .filter(|v| v.account(&self.root).is_within(account))
            .map(|v| max(self.slack(v, false), 0) + max(v.unbooked(), 0))
            .sum();
        self.with_live(account, account.leased() - unused - max(own, 0))
    }

    fn with_live(&self, account: &Account, live: isize) -> Figures {
        let live = max(live, 0);
        Figures { live, peak: max(account.peak(), live), budget: account.budget() }
    }

    /// The root's figures.
    pub(crate) fn figures(&self) -> Figures {
        self.machine.locked(|| self.figures_of(&self.root, 0))
    }

    /// The root's figures for a report, from whoever must not wait. If the lock is held, what is
    /// leased bounds what is live from above.
    #[cfg(not(loom))]
    pub(crate) fn figures_without_waiting(&self) -> Figures {
        let exact = self.machine.try_locked(|| self.figures_of(&self.root, 0));
        exact.unwrap_or_else(|| self.with_live(&self.root, self.root.leased()))
    }

    /// Sets the root's budget: before the first charge, or to lift it.
    #[cfg(not(loom))]
    pub(crate) fn set_root_budget(&self, bytes: isize) {
        self.machine.locked(|| self.root.set_budget(bytes));
    }

    /// In a forked child, the lock held since before the fork: the other threads are gone. What
    /// they had not used goes back; a charge in flight counts as made, as its block may be.
    #[cfg(not(loom))]
    pub(crate) fn forked(&self, survivor: &Slot) {
        for v in self.slots.iter() {
            if !ptr::eq(v, survivor) {
                let credit = self.slack(v, false) + v.unbooked();
                v.account(&self.root).lease(-min(credit, v.account(&self.root).leased()));
                self.slots.unlink(v);
            }
        }
    }
}
