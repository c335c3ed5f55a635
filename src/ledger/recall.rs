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
#[cfg(not(loom))]
use super::slot::State;
use super::slot::{FROZEN, Place, Slot};
use crate::sync::{Ordering::*, fence};

/// How often an owner is waited for that seems to be between a charge and its publication, once it
/// has published another one: then it is a signal handler that waits for us.
const UNPUBLISHED_TRIES: u32 = if cfg!(loom) { 1 } else { 16 };
/// How often who must not wait looks at an owner that is on its way into a cluster or out of it.
const GLANCES: u32 = if cfg!(loom) { 0 } else { 64 };

impl<M: Machine> Ledger<M> {
    /// Makes room for `need` bytes in `account` and all its ancestors, out of what other slots do
    /// not use. `me` is the caller's slot, or null, and `own` the credit that it had before its
    /// charge. Crosses soft budgets that are in the way.
    pub(super) fn make_room(
        &self,
        me: *const Slot,
        account: &Account,
        need: isize,
        own: isize,
    ) -> Result<(), Refusal> {
        let result = loop {
            if account.room() >= need {
                break Ok(());
            }
            // What is taken back may bring an account well below a soft budget that was crossed:
            // then this request crosses it anew.
            let Err(refusal) = self.recall(me, account, need, own) else { continue };
            if !refusal.account().is_some_and(Account::try_crossing) {
                break Err(refusal);
            }
        };
        let ended = account.upward().filter(|a| a.end_crossing(result.is_ok()));
        if ended.count() != 0 {
            self.machine.crossed();
        }
        result
    }

    /// The same, once: up to the first soft budget or budget that lacks room.
    fn recall(
        &self,
        me: *const Slot,
        account: &Account,
        need: isize,
        own: isize,
    ) -> Result<(), Refusal> {
        let Some(top) = account.upward().filter(|a| a.own_room() < need).last() else {
            return Ok(());
        };
        // Beyond a whole budget: nothing need be looked at, unless one further in is short as well.
        let hopeless = account.upward().find(|a| a.bound() < need || a.own_room() < need);
        if let Some(short) = hopeless.filter(|a| a.bound() < need) {
            return Err(Refusal::OverBudget(self.figures_of(short, own)));
        }
        let top = if mutant(Mutant::OwnClusterOnly) { account } else { top };
        // 1. What is freed already needs no freeze, and no fence.
        self.harvest(me, top);
        if account.room() >= need {
            return Ok(());
        }
        // 2. Nobody charges on the fast path from here on.
        let seen = self.freeze(me, top);
        self.collect(me, top);
        if self.shortest(me, account, need).is_none() {
            self.take(me, top);
            return Ok(());
        }
        if !seen {
            // 3. Some accounts could not be seen: by other means, before anything is refused.
            if !self.machine.handshake() {
                return Err(Refusal::Unsettled(self.figures_of(top, own)));
            }
            self.root.all_slots().for_each(|v| v.unacked.set(0));
            self.collect(me, top);
        }
        match self.shortest(me, account, need) {
            None => {
                self.take(me, top);
                Ok(())
            }
            Some(short) => Err(Refusal::OverBudget(self.collected_figures(me, short, own))),
        }
    }

    /// Takes back all credit that lies unused in the slots of `account` and its descendants, so
    /// that what is leased is what is live. `false` if some could not be seen. Lock.
    pub(super) fn gather(&self, account: &Account) -> bool {
        let nobody = ptr::null();
        if !self.freeze(nobody, account) {
            if !self.machine.handshake() {
                return false;
            }
            self.root.all_slots().for_each(|v| v.unacked.set(0));
        }
        self.collect(nobody, account);
        self.take(nobody, account);
        true
    }

    /// The linked slots, other than `me`, that charge `top` or a descendant of it.
    fn others<'a>(&self, me: *const Slot, top: &'a Account) -> impl Iterator<Item = &'a Slot> {
        top.all_slots().filter(move |v| !ptr::eq(*v, me))
    }

    /// Returns to the room what others have freed.
    fn harvest(&self, me: *const Slot, top: &Account) {
        for v in self.others(me, top) {
            self.harvest_one(v);
        }
    }

    fn harvest_one(&self, v: &Slot) {
        let bytes = v.unbooked();
        v.harvested.add(bytes);
        v.account(&self.root).lease(-bytes);
    }

    /// Freezes the others, and passes the heavy fence. `false`: some of them may not have seen it.
    fn freeze(&self, me: *const Slot, top: &Account) -> bool {
        self.freeze_each(me, || self.others(me, top))
    }

    /// Freezes slots, and passes the heavy fence. `false`: some of them may not have seen it.
    pub(super) fn freeze_each<'a, I>(&self, me: *const Slot, all: impl Fn() -> I) -> bool
    where
        I: Iterator<Item = &'a Slot>,
    {
        // ORDER: Relaxed, all stores here; the fences order them.
        all().for_each(|v| v.frozen.store(1, Relaxed));
        if !mutant(Mutant::NoLocalFence) {
            // ORDER: SeqCst, with the one in `frozen_after_fence`: if we do not see a charge, its
            // owner sees `frozen`.
            fence(SeqCst);
        }
        all().for_each(|v| v.set_limit(FROZEN));
        if self.is_fenced() {
            return all().all(|v| v.unacked.get() == 0);
        }
        // ORDER: the heavy half, with the light one in `Slot::charge_hot`.
        self.machine.heavy() || {
            self.heavy_failed(me);
            false
        }
    }

    /// The kernel has begun to refuse the heavy fence. Every slot, of whatever cluster, is frozen,
    /// and nothing is taken from it before its owner has passed here; from then on owners fence.
    fn heavy_failed(&self, me: *const Slot) {
        // ORDER: Relaxed, all here. An owner sees the freeze in its own time; until then it is
        // `unacked`, and only `handshake` may hurry it.
        for v in self.others(me, &self.root) {
            v.unacked.set(1);
            v.frozen.store(1, Relaxed);
            v.set_limit(FROZEN);
        }
        self.fenced.store(true, Relaxed);
    }

    /// One collect: every `avail` first, every `freed` after. The other order would count bytes as
    /// live twice that were freed and charged again meanwhile.
    fn collect(&self, me: *const Slot, top: &Account) {
        if mutant(Mutant::FreedFirst) {
            self.harvest(me, top);
        }
        for v in self.others(me, top) {
            let hidden = v.unacked.get() != 0 && !mutant(Mutant::TakeUnfenced);
            v.found.set(if hidden { 0 } else { self.slack(v, true) });
        }
        if !mutant(Mutant::FreedFirst) {
            self.harvest(me, top);
        }
    }

    /// The innermost account that lacks room for `need` even with all that was found. (What slots
    /// above the top of a recall say was found another time; there is room of their own there.)
    fn shortest<'a>(
        &self,
        me: *const Slot,
        account: &'a Account,
        need: isize,
    ) -> Option<&'a Account> {
        let mut lacking = account.upward().filter(|a| a.own_room() < need);
        lacking.find(|a| a.own_room() + self.found_in(me, a) < need)
    }

    /// What the last collect found in the slots of `account` and its descendants.
    fn found_in(&self, me: *const Slot, account: &Account) -> isize {
        self.others(me, account).map(|v| v.found.get()).sum()
    }

    /// Takes all that was found: the surplus goes to the room, where the next request finds it
    /// without another fence.
    fn take(&self, me: *const Slot, top: &Account) {
        for v in self.others(me, top) {
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
    /// its charge and the publication of it, or on its way into a cluster or out of it. A signal
    /// handler on top of that may wait for us, or be us: then nothing is found.
    fn slack(&self, v: &Slot, wait: bool) -> isize {
        let mut round = 0;
        loop {
            // First: what its owner published before it began to wait is seen by what follows.
            let waits =
                round != 0 && wait && !mutant(Mutant::HandlerUnseen) && self.machine.is_waiting(v);
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
            if mutant(Mutant::NoPending) || mutant(Mutant::EarlyRollback) {
                return 0;
            }
            if !wait && round >= GLANCES {
                return 0;
            }
            if !wait {
                core::hint::spin_loop();
                round += 1;
                continue;
            }
            if (pending != 0 || waits) && round >= UNPUBLISHED_TRIES {
                return 0; // A signal handler waits for us, over a charge not yet published.
            }
            if !self.machine.wait_for_owner(round) {
                return 0; // The owner is dying, or waits for that; so shall we.
            }
            round += 1;
        }
    }

    fn credit(&self, v: &Slot) -> isize {
        // ORDER: Acquire, all: with the Release stores of the owner, so that a refund which came
        // before a charge seen here is seen by the harvest that follows.
        if mutant(Mutant::PlaceLate) {
            let early = [v.avail.load(Acquire), v.parked.load(Acquire)];
            return early[usize::from(v.inside.load(Acquire) == Place::In as usize)]
                - v.taken.get();
        }
        let inside = v.inside.load(Acquire) == Place::In as usize && !mutant(Mutant::NoParking);
        let word = if inside { &v.parked } else { &v.avail };
        word.load(Acquire) - v.taken.get()
    }

    /// Figures after a collect that led to a refusal: live at an instant inside the request.
    fn collected_figures(&self, me: *const Slot, short: &Account, own: isize) -> Figures {
        self.with_live(short, short.leased() - self.found_in(me, short) - max(own, 0))
    }

    /// Figures without a freeze: exact while the other threads are at rest, and never more live
    /// than leased. `own` is the credit of the calling thread.
    pub(super) fn figures_of(&self, account: &Account, own: isize) -> Figures {
        let unused: isize =
            account.all_slots().map(|v| max(self.slack(v, false), 0) + max(v.unbooked(), 0)).sum();
        self.with_live(account, account.leased() - unused - max(own, 0))
    }

    pub(super) fn with_live(&self, account: &Account, live: isize) -> Figures {
        let live = max(live, 0);
        let peak = max(account.peak(), live);
        Figures { live, peak, budget: account.budget(), of: account }
    }

    /// In a forked child, the lock held since before the fork: the other threads are gone. What
    /// they had not used goes back; a charge in flight counts as made, as its block may be.
    /// `is_mine` says which slots are the surviving thread's, told whether they are the root's.
    #[cfg(not(loom))]
    pub(crate) fn forked(&self, is_mine: impl Fn(&Slot, bool) -> bool) {
        for v in self.root.all_slots() {
            let account = v.account(&self.root);
            if is_mine(v, ptr::eq(account, &self.root)) {
                continue;
            }
            let credit = self.slack(v, false) + v.unbooked();
            account.lease(-min(credit, account.leased()));
            account.unlink(v);
            v.set_state(State::Dead);
        }
    }
}
