//! The fast path in clusters, and of frees once there are some, in plain Rust.
//!
//! Layer 6.  Plane: data.

use super::super::owners::Leaf;
use super::portable::light;
use crate::ledger::{Hot, Slot};
use crate::sync::{AtomicIsize, AtomicU16, AtomicUsize, Ordering::*};
use crate::sys::registers::stack_pointer;
use crate::thread::{Record, record};

/// Charges `size` bytes to a slot that is no root's. `false`: it is entered, and must go on out of
/// line.
#[inline(always)]
pub(in crate::alloc) fn charge_in(slot: &Slot, size: usize) -> bool {
    slot.charge_hot(size as isize, stack_pointer(), light) == Hot::Done
}

/// Refunds `size` bytes to a slot that is no root's. `false`: it is entered, and must go on out of
/// line.
#[inline(always)]
pub(in crate::alloc) fn refund_in(slot: &Slot, size: usize) -> bool {
    !slot.refund(size as isize)
}

/// Adds to a word of this thread's.
#[inline(always)]
pub(in crate::alloc) fn add(word: &AtomicIsize, delta: isize) {
    // ORDER: Relaxed, both. The thread's own word.
    word.store(word.load(Relaxed).wrapping_add(delta), Relaxed);
}

/// Where this thread's record is.
#[derive(Clone, Copy)]
pub(in crate::alloc) struct Here(&'static Record);

/// Where this thread's record is.
#[inline(always)]
pub(in crate::alloc) fn here() -> Here {
    Here(record())
}

impl Here {
    /// The address of the thread's seat in the cluster that it is in, or zero.
    #[inline(always)]
    pub(in crate::alloc) fn seat(self) -> usize {
        self.0.clusters.current.load(Relaxed) // ORDER: Relaxed. Own word.
    }

    /// Whether that is the cluster with this number.
    #[inline(always)]
    pub(in crate::alloc) fn is_in(self, id: usize) -> bool {
        self.0.clusters.id.load(Relaxed) == id // ORDER: Relaxed. Own word.
    }

    /// The address of the leaf of the map of owners that the thread used last.
    #[inline(always)]
    pub(in crate::alloc) fn leaf(self) -> usize {
        self.0.clusters.leaf.load(Relaxed) // ORDER: Relaxed. Own word.
    }

    /// Remembers a request, in case the inner allocator refuses.
    #[inline(always)]
    pub(in crate::alloc) fn note_asked(self, size: usize, align: usize) {
        // ORDER: Relaxed, both. The thread's own words.
        self.0.asked_size.store(size, Relaxed);
        self.0.asked_align.store(align, Relaxed);
    }

    /// Whether the stack pointer is where it may be.
    #[inline(always)]
    pub(in crate::alloc) fn is_stack_good(self) -> bool {
        stack_pointer() >= self.0.slot.stack_limit()
    }
}

/// How far an address is from the first one of a leaf of the map of owners.
#[inline(always)]
pub(in crate::alloc) fn distance(leaf: usize, address: usize) -> usize {
    let start = core::ptr::with_exposed_provenance::<AtomicUsize>(leaf.wrapping_add(Leaf::START));
    // SAFETY: a word that is there: see `owners::near`.
    let start = unsafe { &*start };
    address.wrapping_sub(start.load(Relaxed)) // ORDER: Relaxed. Written before it was published.
}

/// An entry of the map of owners.
#[inline(always)]
pub(in crate::alloc) fn owner(entries: *const AtomicU16, at: usize) -> usize {
    // SAFETY: a word that is there: see `owners::Entry`.
    let entry = unsafe { &*entries.wrapping_add(at) };
    entry.load(Relaxed).into() // ORDER: Relaxed. See `owners`.
}
