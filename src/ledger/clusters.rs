//! Accounts come and go, and are asked.
//!
//! Layer 2.  Plane: data.

use core::ptr;

use super::account::Account;
use super::cold::{Figures, Ledger, Refusal};
use super::machine::Machine;
use super::mutant::{Mutant, mutant};
use super::slot::{FROZEN, Slot, State};
use crate::sync::Ordering::Relaxed;

impl<M: Machine> Ledger<M> {
    /// An account's figures: exact while no thread is inside the allocator.
    pub(crate) fn figures_in(&self, account: &Account) -> Figures {
        self.machine.locked(|| self.figures_of(account, 0))
    }

    /// The same, from whoever must not wait. If the lock is held, what is leased bounds what is
    /// live from above.
    #[cfg(not(loom))]
    pub(crate) fn figures_without_waiting(&self, account: &Account) -> Figures {
        let exact = self.machine.try_locked(|| self.figures_of(account, 0));
        exact.unwrap_or_else(|| self.figures_racy(account))
    }

    /// The same. Lock.
    pub(crate) fn figures_locked(&self, account: &Account) -> Figures {
        self.figures_of(account, 0)
    }

    /// What is leased, in place of what is live.
    pub(crate) fn figures_racy(&self, account: &Account) -> Figures {
        self.with_live(account, account.leased())
    }

    /// Sets the root's budget: before the first charge.
    #[cfg(not(loom))]
    pub(crate) fn set_root_budget(&self, bytes: isize) {
        self.machine.locked(|| self.root.set_budget(bytes));
    }

    /// Lifts a budget that was exceeded, and is only observed.
    #[cfg(not(loom))]
    pub(crate) fn lift_budget(&self, account: &Account) {
        self.machine.locked(|| account.set_budget(super::UNLIMITED));
    }

    /// Sets a budget, and calls `note` under the lock, so that what is noted is what holds.
    ///
    /// # Errors
    ///
    /// More is live, or it cannot be seen how much; nothing has changed.
    pub(crate) fn set_budget(
        &self,
        account: &Account,
        bytes: isize,
        note: impl FnOnce(),
    ) -> Result<(), Refusal> {
        self.machine.locked(|| {
            if account.leased() > bytes {
                if !self.gather(account) {
                    return Err(Refusal::Unsettled(self.figures_of(account, 0)));
                }
                if account.leased() > bytes {
                    return Err(Refusal::OverBudget(self.figures_of(account, 0)));
                }
            }
            account.set_budget(bytes);
            note();
            Ok(())
        })
    }

    /// Sets a soft budget. If more is live, it is crossed by the next charge that needs a lease.
    pub(crate) fn set_soft(&self, account: &Account, bytes: isize) {
        self.machine.locked(|| self.begin_soft(account, bytes));
    }

    /// Has the next crossing told, though it was told lately that one was crossed.
    pub(crate) fn tell_again(&self, account: &Account) {
        self.machine.locked(|| {
            // Whatever it is by now: somebody may just have set another.
            if account.has_crossed() {
                self.begin_soft(account, account.soft());
            }
        });
    }

    /// Lock.
    fn begin_soft(&self, account: &Account, bytes: isize) {
        account.set_soft(bytes);
        // Nobody may charge past it on credit from before. What cannot be seen is seen later.
        if account.leased() > bytes - bytes / 8 {
            self.gather(account);
        }
        if account.leased() > bytes {
            account.cross();
            self.machine.crossed();
        }
    }

    /// Charges bytes that no slot is charged for.
    ///
    /// # Errors
    ///
    /// Some account on the way up lacks room.
    pub(crate) fn charge_account(&self, account: &Account, bytes: isize) -> Result<(), Refusal> {
        self.machine.locked(|| {
            self.make_room(ptr::null(), account, bytes, 0)?;
            account.lease(bytes);
            Ok(())
        })
    }

    /// Refunds bytes that no slot is refunded for.
    pub(crate) fn refund_account(&self, account: &Account, bytes: isize) {
        self.machine.locked(|| account.lease(-bytes));
    }

    /// From now on blocks may have other owners than the root: frees and growth look who it is. In
    /// force for a thread before it can get to know of such a block: the stores come before it in
    /// the order of whatever told the thread.
    fn begin_clusters(&self) {
        // ORDER: Relaxed, all; under the lock, see above.
        if !self.has_clusters.swap(true, Relaxed) {
            for slot in self.root.all_slots() {
                slot.free_limit.store(FROZEN, Relaxed);
                slot.grow_limit.store(FROZEN, Relaxed);
            }
        }
    }

    /// Whether blocks may have other owners than the root.
    #[inline(always)]
    pub(crate) fn has_clusters(&self) -> bool {
        // ORDER: Relaxed. See `begin_clusters`.
        self.has_clusters.load(Relaxed)
    }

    /// Whether nothing is live in `account`, of which nobody charges on the fast path. Then its
    /// slots are unlinked, with all their credit returned, and `each` is told of them. Lock.
    pub(crate) fn close(&self, account: &Account, each: impl Fn(&Slot)) -> bool {
        if account.has_children() {
            return false;
        }
        let unused = |slot: &Slot| {
            // ORDER: Relaxed. After the fence of a freeze; or all slots are the caller's own.
            slot.avail.load(Relaxed) - slot.taken.get() + slot.unbooked()
        };
        if account.leased() != account.slots.iter().map(unused).sum::<isize>() {
            return false;
        }
        account.lease(-account.leased());
        for slot in account.slots.iter() {
            account.unlink(slot);
            slot.set_state(State::Dead);
            if mutant(Mutant::EndUnwiped) {
                continue;
            }
            // ORDER: Relaxed, all. Its owner has nothing more to do with it but to fold it, which
            // finds zeroes.
            slot.avail.store(0, Relaxed);
            slot.freed.store(0, Relaxed);
            slot.taken.set(0);
            slot.bias.set(0);
            slot.harvested.set(0);
            each(slot);
        }
        account.part();
        true
    }

    /// Has nobody charge `accounts` on the fast path, by one fence for all. `false` if that cannot
    /// be seen to. Lock.
    pub(crate) fn freeze_all<'a, I>(&self, accounts: I) -> bool
    where
        I: Iterator<Item = &'a Account> + Clone,
    {
        if mutant(Mutant::EndUnfrozen) {
            return true;
        }
        self.freeze_each(ptr::null(), || accounts.clone().flat_map(|account| account.slots.iter()))
    }

    /// Makes `account` part of `parent`. Lock.
    ///
    /// # Safety
    ///
    /// * Both stay where they are, and alive, until [`close`](Self::close) has closed the account.
    /// * The account is new, or was closed.
    pub(crate) unsafe fn open(&self, account: &Account, parent: &Account) {
        self.begin_clusters();
        // SAFETY: the caller's promise.
        unsafe { account.join(parent) };
    }
}
