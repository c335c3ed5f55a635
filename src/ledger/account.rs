//! A cluster's account: its budget, and what of it is leased.
//!
//! Layer 2.  Plane: data.
//!
//! The lock's holder alone touches an account. Nothing is ever spent from one: bytes are *leased*
//! to slots, at once from the account and each of its ancestors, and live bytes are the leased ones
//! less what the slots have not used (L1, L2).

use core::ptr;

use super::list::List;
use super::slot::Slot;
use crate::sync::Guarded;

/// What `crossed` is while a request is looked at that crosses the soft budget if it is granted.
const TRIED: isize = 2;

/// No budget.
pub(crate) const UNLIMITED: isize = isize::MAX;

/// The account of one cluster.
///
/// All zero but for the budgets is an account with no parent, no children and no slots.
pub(crate) struct Account {
    /// The most bytes that may be leased. [`UNLIMITED`] where there is no budget, and once an
    /// observed budget has been exceeded.
    budget: Guarded,
    /// The most bytes that may be leased before somebody is told; [`UNLIMITED`] if nobody asked.
    soft: Guarded,
    /// Non-zero once live bytes have crossed `soft`, until they are well below it again.
    crossed: Guarded,
    /// Bytes leased to the slots of this cluster and of its descendants.
    leased: Guarded,
    /// The most that `leased` was, as of its last fall.
    peak: Guarded,
    /// The slots that charge this account.
    pub(super) slots: List,
    /// How many slots charge this account or a descendant.
    slot_count: Guarded,
    /// The account that this one is part of; zero in the root.
    parent: Guarded,
    /// The first of those that are part of this one, ...
    first_child: Guarded,
    /// ... and the others of the same parent.
    next: Guarded,
    prev: Guarded,
}

impl Account {
    /// The root: an account with no parent and no budget yet.
    pub(crate) const fn root() -> Self {
        Self {
            budget: Guarded::new(UNLIMITED),
            soft: Guarded::new(UNLIMITED),
            crossed: Guarded::new(0),
            leased: Guarded::new(0),
            peak: Guarded::new(0),
            slots: List::new(),
            slot_count: Guarded::new(0),
            parent: Guarded::new(0),
            first_child: Guarded::new(0),
            next: Guarded::new(0),
            prev: Guarded::new(0),
        }
    }

    /// Makes this account part of `parent`, with nothing in it. Lock.
    ///
    /// # Safety
    ///
    /// * Both stay where they are, and alive, until [`part`](Self::part).
    /// * This account is new, or has parted.
    pub(super) unsafe fn join(&self, parent: &Account) {
        for word in [&self.crossed, &self.leased, &self.peak, &self.first_child, &self.prev] {
            word.set(0);
        }
        self.budget.set(UNLIMITED);
        self.soft.set(UNLIMITED);
        self.parent.set(address(parent));
        let first = parent.first_child.get();
        self.next.set(first);
        if let Some(first) = account_at(first) {
            first.prev.set(address(self));
        }
        parent.first_child.set(address(self));
    }

    /// Ends being part of a parent. Nothing is leased, and nothing is part of it. Lock.
    pub(super) fn part(&self) {
        let (next, prev) = (self.next.get(), self.prev.get());
        match (account_at(prev), self.parent()) {
            (Some(before), _) => before.next.set(next),
            (None, Some(parent)) => parent.first_child.set(next),
            (None, None) => {}
        }
        if let Some(after) = account_at(next) {
            after.prev.set(prev);
        }
        self.parent.set(0);
    }

    /// The account that this one is part of.
    pub(crate) fn parent(&self) -> Option<&Account> {
        account_at(self.parent.get())
    }

    /// Whether other accounts are part of this one.
    pub(crate) fn has_children(&self) -> bool {
        self.first_child.get() != 0
    }

    /// This account and its ancestors, innermost first.
    pub(crate) fn upward(&self) -> impl Iterator<Item = &Account> {
        core::iter::successors(Some(self), |account| account.parent())
    }

    /// This account and its descendants.
    pub(crate) fn downward(&self) -> impl Iterator<Item = &Account> {
        core::iter::successors(Some(self), move |account| account.next_within(self))
    }

    fn next_within(&self, top: &Account) -> Option<&Account> {
        if let Some(child) = account_at(self.first_child.get()) {
            return Some(child);
        }
        let mut at = self;
        while !ptr::eq(at, top) {
            if let Some(next) = account_at(at.next.get()) {
                return Some(next);
            }
            at = at.parent()?;
        }
        None
    }

    /// The slots that charge this account or a descendant.
    pub(super) fn all_slots(&self) -> impl Iterator<Item = &Slot> {
        self.downward().flat_map(|account| account.slots.iter())
    }

    /// Whether all slots that charge this account are so. Lock.
    pub(crate) fn slots_are(&self, so: impl Fn(&Slot) -> bool) -> bool {
        self.slots.iter().all(so)
    }

    /// Has `slot` charge this account. Lock.
    ///
    /// # Safety
    ///
    /// The slot stays where it is, and alive, until it is unlinked.
    pub(super) unsafe fn link(&self, slot: &Slot) {
        // SAFETY: the caller's promise.
        unsafe { self.slots.link(slot) };
        self.upward().for_each(|account| _ = account.slot_count.add(1));
    }

    /// Ends that. Lock.
    pub(super) fn unlink(&self, slot: &Slot) {
        self.slots.unlink(slot);
        self.upward().for_each(|account| _ = account.slot_count.add(-1));
    }

    /// The budget; [`UNLIMITED`] where there is none.
    pub(crate) fn budget(&self) -> isize {
        self.budget.get()
    }

    /// Sets the budget. The caller has seen to it that it covers what is leased.
    pub(crate) fn set_budget(&self, bytes: isize) {
        self.budget.set(bytes);
    }

    /// The soft budget; [`UNLIMITED`] where there is none.
    pub(crate) fn soft(&self) -> isize {
        self.soft.get()
    }

    /// Sets the soft budget, as if it had not been crossed.
    pub(crate) fn set_soft(&self, bytes: isize) {
        self.soft.set(bytes);
        self.crossed.set(0);
    }

    /// Whether live bytes have crossed the soft budget, and were not seen well below it since.
    pub(crate) fn has_crossed(&self) -> bool {
        self.crossed.get() != 0
    }

    /// Takes the soft budget out of the way of a request, if it is that which lacks room for it,
    /// and not the budget: for as long as it is not known whether the request is granted. Lock.
    pub(super) fn try_crossing(&self) -> bool {
        let by_soft = !self.has_crossed() && self.soft() < self.budget();
        if by_soft {
            self.crossed.set(TRIED);
        }
        by_soft
    }

    /// Now it is known. Whether that was a crossing. Lock.
    pub(super) fn end_crossing(&self, granted: bool) -> bool {
        let tried = self.crossed.get() == TRIED;
        if tried {
            self.crossed.set(if granted { 1 } else { 0 });
        }
        tried && granted
    }

    /// Notes that more is live than the soft budget. Lock.
    pub(super) fn cross(&self) {
        self.crossed.set(1);
    }

    /// What may be leased before the ledger has to look closer.
    pub(super) fn bound(&self) -> isize {
        if self.has_crossed() { self.budget() } else { self.budget().min(self.soft()) }
    }

    /// Bytes leased, by this account alone.
    pub(crate) fn leased(&self) -> isize {
        self.leased.get()
    }

    /// The most bytes that were ever leased: never less than were ever live.
    pub(crate) fn peak(&self) -> isize {
        self.peak.get().max(self.leased())
    }

    /// Bytes that this account alone could still lease.
    pub(crate) fn own_room(&self) -> isize {
        self.bound() - self.leased()
    }

    /// Bytes that this account and all its ancestors could still lease.
    pub(crate) fn room(&self) -> isize {
        self.upward().map(Account::own_room).min().unwrap_or(0)
    }

    /// The part of the room that one slot may lease ahead: the others must find some too, or they
    /// recall.
    pub(super) fn fair_share(&self) -> isize {
        let share = |account: &Account| account.own_room() / (2 * (account.slot_count.get() + 1));
        self.upward().map(share).min().unwrap_or(0)
    }

    /// Leases `delta` bytes more (or less) from this account and each ancestor.
    pub(crate) fn lease(&self, delta: isize) {
        if delta == 0 {
            return; // In a deep chain the way up is long.
        }
        for account in self.upward() {
            if delta < 0 {
                account.note_peak();
            }
            let leased = account.leased.add(delta);
            // Not while it is tried: the request for which room is made would try over and over.
            if account.crossed.get() == 1 && leased < account.soft() - account.soft() / 8 {
                account.crossed.set(0);
            }
            debug_assert!(leased <= account.budget(), "L1: {leased} > {}", account.budget());
        }
    }

    /// Notes what is leased now, before it changes in a way that may not count.
    pub(crate) fn note_peak(&self) {
        self.peak.set(self.peak());
    }

    /// Takes back a lease that nothing came of: the inner allocator had no memory. It does not
    /// count for the peak, of which what was leased before it was noted.
    pub(crate) fn retract(&self, bytes: isize) {
        for account in self.upward() {
            let leased = account.leased.add(-bytes);
            account.peak.set(account.peak.get().max(leased));
        }
    }
}

fn address(account: &Account) -> isize {
    ptr::from_ref(account).expose_provenance() as isize
}

/// The account at a link.
fn account_at<'a>(link: isize) -> Option<&'a Account> {
    // SAFETY: null, or an account that is alive, as `Account::join` demands; only shared references
    // to accounts are ever made.
    unsafe { ptr::with_exposed_provenance::<Account>(link as usize).as_ref() }
}
