//! A cluster's account: its budget, and what of it is leased.
//!
//! Layer 2.  Plane: data.
//!
//! The lock's holder alone touches an account. Nothing is ever spent from one: bytes are *leased*
//! to slots, at once from the account and each of its ancestors, and live bytes are the leased ones
//! less what the slots have not used (L1, L2).

use core::ptr;

use crate::sync::Guarded;

/// No budget.
pub(crate) const UNLIMITED: isize = isize::MAX;

/// The account of one cluster.
pub(crate) struct Account {
    /// The most bytes that may be leased. [`UNLIMITED`] where there is no budget, and once an
    /// observed budget has been exceeded.
    budget: Guarded,
    /// Bytes leased to the slots of this cluster and of its descendants.
    leased: Guarded,
    /// The most that `leased` was, as of its last fall.
    peak: Guarded,
    /// The account that this one is part of; null in the root.
    parent: *const Account,
}

// SAFETY: `parent` is never written after construction, and points to an account that outlives
// this one (`Account::new`); the words are safe to share.
unsafe impl Sync for Account {}
// SAFETY: as for `Sync`; nothing in an account belongs to a thread.
unsafe impl Send for Account {}

impl Account {
    /// The root: an account with no parent and no budget yet.
    pub(crate) const fn root() -> Self {
        Self {
            budget: Guarded::new(UNLIMITED),
            leased: Guarded::new(0),
            peak: Guarded::new(0),
            parent: ptr::null(),
        }
    }

    /// An account inside another.
    ///
    /// # Safety
    ///
    /// `parent` outlives the new account.
    #[cfg(loom)]
    pub(crate) unsafe fn inside(parent: *const Account) -> Self {
        Self { parent, ..Self::root() }
    }

    /// This account and its ancestors, innermost first.
    pub(crate) fn upward(&self) -> impl Iterator<Item = &Account> {
        // SAFETY: `parent` is null or outlives `self`, as `inside` demands.
        core::iter::successors(Some(self), |account| unsafe { account.parent.as_ref() })
    }

    /// Whether this account is `other`, or lies inside it.
    pub(crate) fn is_within(&self, other: &Account) -> bool {
        self.upward().any(|account| ptr::eq(account, other))
    }

    /// The budget; [`UNLIMITED`] where there is none.
    pub(crate) fn budget(&self) -> isize {
        self.budget.get()
    }

    /// Sets the budget. The caller has seen to it that it covers what is leased.
    pub(crate) fn set_budget(&self, bytes: isize) {
        self.budget.set(bytes);
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
        self.budget() - self.leased()
    }

    /// Bytes that this account and all its ancestors could still lease.
    pub(crate) fn room(&self) -> isize {
        self.upward().map(Account::own_room).min().unwrap_or(0)
    }

    /// Leases `delta` bytes more (or less) from this account and each ancestor.
    pub(crate) fn lease(&self, delta: isize) {
        for account in self.upward() {
            if delta < 0 {
                account.note_peak();
            }
            let leased = account.leased.add(delta);
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
