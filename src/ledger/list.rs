//! The slots of an account, as a list through the slots themselves.
//!
//! Layer 2.  Plane: data.
//!
//! A slot is in thread-local storage, or in a seat: whoever frees that has unlinked it.

use core::ptr;

use super::slot::Slot;
use crate::sync::Guarded;

/// Doubly linked, in a word of the ledger's. Lock.
pub(super) struct List {
    head: Guarded,
}

impl List {
    pub(super) const fn new() -> Self {
        Self { head: Guarded::new(0) }
    }

    /// Links `slot`, which is not linked.
    ///
    /// # Safety
    ///
    /// The slot stays where it is, and alive, until it is unlinked.
    pub(super) unsafe fn link(&self, slot: &Slot) {
        let head = self.head.get();
        slot.next.set(head);
        slot.prev.set(0);
        if let Some(old) = slot_at(head) {
            old.prev.set(address(slot));
        }
        self.head.set(address(slot));
    }

    /// Unlinks `slot`, which is linked.
    pub(super) fn unlink(&self, slot: &Slot) {
        let (next, prev) = (slot.next.get(), slot.prev.get());
        match slot_at(prev) {
            Some(before) => before.next.set(next),
            None => self.head.set(next),
        }
        if let Some(after) = slot_at(next) {
            after.prev.set(prev);
        }
    }

    /// The linked slots. The one that was yielded last may be unlinked meanwhile.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        let mut at = self.head.get();
        core::iter::from_fn(move || {
            let slot = slot_at(at)?;
            at = slot.next.get();
            Some(slot)
        })
    }
}

fn address(slot: &Slot) -> isize {
    ptr::from_ref(slot).expose_provenance() as isize
}

/// The slot at a link.
fn slot_at<'a>(link: isize) -> Option<&'a Slot> {
    // SAFETY: null, or a linked slot, which is alive as `List::link` demands; only shared
    // references to slots are ever made.
    unsafe { ptr::with_exposed_provenance::<Slot>(link as usize).as_ref() }
}
