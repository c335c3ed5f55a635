//! Who owns a block: a map beside the heap.
//!
//! Layer 6.  Plane: data.
//!
//! Two bytes for each 16 bytes of addresses, at the block's first: the number of the cluster that
//! owns it, or 0 for the root. Written for blocks of other clusters alone, cleared before such a
//! block is freed, and looked at once such a cluster exists: the root's blocks cost nothing.
//!
//! Two tiny blocks could begin in the same 16 bytes. So blocks of clusters are at least 16 bytes
//! long and as much aligned ([`widen`]); then nothing else begins in their first 16.
//!
//! Entries are Relaxed: whoever has a block writes its entry, and tells others of both.

use core::alloc::Layout;
use core::mem::offset_of;

use crate::sync::{AtomicPtr, AtomicU16, AtomicUsize, Ordering::*};
use crate::sys::memory;
use crate::thread::Record;

use super::hot::{self, Here};

/// The bytes of addresses that one entry is for.
pub(super) const GRANULE: usize = 16;
/// The bytes of addresses that one leaf is for, as a power of two.
const LEAF_SHIFT: u32 = 26;
const LEAF_LEN: usize = 1 << (LEAF_SHIFT - GRANULE.ilog2());
/// User space ends there on x86-64 and aarch64, unless a program asks for more.
const ADDRESS_BITS: u32 = 48;
const TOP_LEN: usize = 1 << (ADDRESS_BITS - LEAF_SHIFT);

/// The map of 64 MiB of addresses.
#[repr(C)]
pub(super) struct Leaf {
    entries: [AtomicU16; LEAF_LEN],
    /// The first of the addresses.
    start: AtomicUsize,
    /// The leaf that was made before this one.
    next: AtomicPtr<Leaf>,
}

impl Leaf {
    /// Where `start` is, for assembly.
    pub(super) const START: usize = offset_of!(Leaf, start);
}

/// The `start` of a leaf that no address is in: what a thread has until it uses another one.
static NOWHERE: AtomicUsize = AtomicUsize::new(1 << 63);

type Top = [AtomicPtr<Leaf>; TOP_LEN];

/// The first level, once there is a cluster.
static TOP: AtomicPtr<Top> = AtomicPtr::new(core::ptr::null_mut());
/// The leaf that was made last.
static LEAVES: AtomicPtr<Leaf> = AtomicPtr::new(core::ptr::null_mut());

/// Maps the first level, if that was not done. `false` if there is no room for it. Lock.
pub(super) fn prepare() -> bool {
    // ORDER: Relaxed. Written under the lock, which we hold.
    if !TOP.load(Relaxed).is_null() {
        return true;
    }
    let Some(mapping) = memory::map_sparse(size_of::<Top>()) else { return false };
    // ORDER: Release, with the Acquire of `leaf`.
    TOP.store(core::ptr::with_exposed_provenance_mut(mapping.base), Release);
    true
}

/// The layout in which a cluster's block is asked for.
#[inline(always)]
pub(super) fn widen(layout: Layout) -> Layout {
    let (size, align) = (layout.size().max(GRANULE), layout.align().max(GRANULE));
    // SAFETY: `align` is a power of two. `size`, rounded up to it, is at most what the caller's
    // layout came to, or 16: a size of up to `isize::MAX - 15` stays so; above that it is refused
    // by `fits` before.
    unsafe { Layout::from_size_align_unchecked(size, align) }
}

/// Whether a layout of this size can be widened.
#[inline(always)]
pub(super) fn fits(size: usize) -> bool {
    size <= isize::MAX as usize - (GRANULE - 1)
}

/// A thread is being armed: it has used no leaf yet.
pub(super) fn arrive(record: &Record) {
    let nowhere = core::ptr::from_ref(&NOWHERE).expose_provenance().wrapping_sub(Leaf::START);
    record.clusters.leaf.store(nowhere, Relaxed); // ORDER: Relaxed. The thread's own word.
}

/// The entry of a block: the address of the leaf, and the place in it. No reference: the compiler
/// would compare it with null, where none is.
#[derive(Clone, Copy)]
pub(super) struct Entry(usize, usize);

/// The entry of the block at `block`, if it is in the leaf that this thread used last; never for a
/// null. The thread is being armed, at least.
///
/// One word says which leaf that is, so that a signal handler which changes it comes before or
/// after.
#[inline(always)]
pub(super) fn near(here: Here, block: *mut u8) -> Option<Entry> {
    let leaf = here.leaf();
    let at = hot::distance(leaf, block.addr());
    if at >= 1 << LEAF_SHIFT {
        return None;
    }
    // No address is in the leaf that threads begin with.
    Some(Entry(leaf, at / GRANULE))
}

/// The entry of the block at `block`, if there is a map where it lies.
pub(super) fn entry(record: &Record, block: *mut u8) -> Option<Entry> {
    let leaf = core::ptr::from_ref(leaf(block.addr())?).expose_provenance();
    // The first one is nobody's: it has the null in it.
    if block.addr() >> LEAF_SHIFT != 0 {
        record.clusters.leaf.store(leaf, Relaxed); // ORDER: Relaxed. The thread's own word.
    }
    Some(Entry(leaf, block.addr() / GRANULE % LEAF_LEN))
}

impl Entry {
    /// The number of the cluster that owns the block; 0 for the root.
    #[inline(always)]
    pub(super) fn owner(self) -> usize {
        hot::owner(core::ptr::with_exposed_provenance(self.0), self.1)
    }

    /// Makes a cluster the owner; with 0 the root.
    #[inline(always)]
    pub(super) fn set(self, id: u16) {
        let entries = core::ptr::with_exposed_provenance::<AtomicU16>(self.0);
        // SAFETY: within the leaf, which stays: both ways to an entry see to that.
        let word = unsafe { &*entries.wrapping_add(self.1) };
        word.store(id, Relaxed); // ORDER: Relaxed. See the head.
    }
}

/// The number of the cluster that owns the block at `block`; 0 for the root.
pub(super) fn owner_of(record: &Record, block: *mut u8) -> u16 {
    entry(record, block).map_or(0, |entry| entry.owner() as u16)
}

/// Makes the root the owner.
pub(super) fn clear(record: &Record, block: *mut u8) {
    if let Some(entry) = entry(record, block) {
        entry.set(0);
    }
}

/// Makes a cluster the owner. `false` if there is no room to note it, or the address is beyond the
/// map.
pub(super) fn set_owner(record: &Record, block: *mut u8, id: u16) -> bool {
    match entry(record, block) {
        Some(entry) => {
            entry.set(id);
            true
        }
        None => set_owner_in_new_leaf(record, block, id),
    }
}

#[cold]
#[inline(never)]
fn set_owner_in_new_leaf(record: &Record, block: *mut u8, id: u16) -> bool {
    let is_made = make_leaf(block.addr());
    if let (true, Some(entry)) = (is_made, entry(record, block)) {
        entry.set(id);
        return true;
    }
    false
}

#[inline(always)]
fn place(address: usize) -> Option<&'static AtomicPtr<Leaf>> {
    // ORDER: Acquire, with the Release of `prepare`: zeroes, mapped.
    // SAFETY: null, or a mapping of zeroes that is never undone, which are a valid `Top`.
    let top = unsafe { TOP.load(Acquire).as_ref() }?;
    top.get(address >> LEAF_SHIFT)
}

#[inline(always)]
fn leaf(address: usize) -> Option<&'static Leaf> {
    // ORDER: Acquire, with the Release of `make_leaf`: zeroes, mapped.
    // SAFETY: as in `place`, for a `Leaf`.
    unsafe { place(address)?.load(Acquire).as_ref() }
}

/// Maps the leaf for an address. `false` if there is no room.
fn make_leaf(address: usize) -> bool {
    let Some(place) = place(address) else { return false };
    let Some(mapping) = memory::map_sparse(size_of::<Leaf>()) else { return false };
    let leaf: *mut Leaf = core::ptr::with_exposed_provenance_mut(mapping.base);
    // SAFETY: just mapped; zeroes are a valid `Leaf`.
    let made = unsafe { &*leaf };
    // ORDER: Relaxed, published below.
    made.start.store(address >> LEAF_SHIFT << LEAF_SHIFT, Relaxed);
    let expected = core::ptr::null_mut();
    // ORDER: Release, with the Acquire of `leaf`; Relaxed, since the other one is not looked at.
    if place.compare_exchange(expected, leaf, Release, Relaxed).is_err() {
        // SAFETY: just mapped, and nobody else has seen it.
        unsafe { memory::unmap_sparse(mapping) };
        return true;
    }
    // ORDER: Relaxed; the exchange below looks again.
    let mut before = LEAVES.load(Relaxed);
    loop {
        made.next.store(before, Relaxed); // ORDER: Relaxed, published by the next line.
        // ORDER: Release, with the Acquire in `release`.
        match LEAVES.compare_exchange_weak(before, leaf, Release, Relaxed) {
            Ok(_) => return true,
            Err(now) => before = now,
        }
    }
}

/// Gives the memory of the map back, all of whose entries are zero: nothing of any cluster is live,
/// and nobody makes one meanwhile. Lock.
pub(super) fn release() {
    // ORDER: Acquire, with the Release of `make_leaf`.
    let mut at = LEAVES.load(Acquire);
    // SAFETY: null, or a leaf, which stays.
    while let Some(leaf) = unsafe { at.as_ref() } {
        let base = core::ptr::from_ref(leaf).expose_provenance();
        // SAFETY: its entries, whole pages that hold zeroes, and go on doing so.
        unsafe { memory::empty(base, size_of_val(&leaf.entries)) };
        at = leaf.next.load(Relaxed); // ORDER: Relaxed. Written before it was published.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_can_be_widened() {
        let most = isize::MAX as usize;
        for size in [1, 15, 16, 17, most - 17, most - 16, most - 15, most - 14, most - 1, most] {
            let is_layout = Layout::from_size_align(size.max(GRANULE), GRANULE).is_ok();
            assert_eq!(fits(size), is_layout, "{size:#x}");
        }
        for (size, align) in [(1, 1), (15, 8), (16, 16), (3, 64), (most - 15, 1), (100, 4096)] {
            let wide = widen(Layout::from_size_align(size, align).unwrap());
            assert!(Layout::from_size_align(wide.size(), wide.align()).is_ok());
            assert!(wide.size() >= size.max(GRANULE) && wide.align() >= align.max(GRANULE));
        }
    }
}
