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

use crate::sync::{AtomicPtr, AtomicU16, Ordering::*};
use crate::sys::memory;

/// The bytes of addresses that one entry is for.
pub(super) const GRANULE: usize = 16;
/// The bytes of addresses that one leaf is for, as a power of two.
const LEAF_SHIFT: u32 = 26;
const LEAF_LEN: usize = 1 << (LEAF_SHIFT - GRANULE.ilog2());
/// User space ends there on x86-64 and aarch64, unless a program asks for more.
const ADDRESS_BITS: u32 = 48;
const TOP_LEN: usize = 1 << (ADDRESS_BITS - LEAF_SHIFT);

type Leaf = [AtomicU16; LEAF_LEN];
type Top = [AtomicPtr<Leaf>; TOP_LEN];

/// The first level, once there is a cluster.
static TOP: AtomicPtr<Top> = AtomicPtr::new(core::ptr::null_mut());

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

/// The number of the cluster that owns the block at `block`; 0 for the root.
#[inline(always)]
pub(super) fn owner_of(block: *mut u8) -> u16 {
    entry(block).map_or(0, |entry| entry.load(Relaxed)) // ORDER: Relaxed. See the head.
}

/// Makes the root the owner.
#[inline(always)]
pub(super) fn clear(block: *mut u8) {
    if let Some(entry) = entry(block) {
        entry.store(0, Relaxed); // ORDER: Relaxed. See the head.
    }
}

/// Makes a cluster the owner. `false` if there is no room to note it, or the address is beyond the
/// map.
#[inline(always)]
pub(super) fn set_owner(block: *mut u8, id: u16) -> bool {
    match entry(block) {
        Some(entry) => {
            entry.store(id, Relaxed); // ORDER: Relaxed. See the head.
            true
        }
        None => set_owner_in_new_leaf(block, id),
    }
}

#[cold]
#[inline(never)]
fn set_owner_in_new_leaf(block: *mut u8, id: u16) -> bool {
    let is_made = make_leaf(block.addr());
    if let (true, Some(entry)) = (is_made, entry(block)) {
        entry.store(id, Relaxed); // ORDER: Relaxed. See the head.
        return true;
    }
    false
}

#[inline(always)]
fn entry(block: *mut u8) -> Option<&'static AtomicU16> {
    let leaf = leaf(block.addr())?;
    leaf.get(block.addr() / GRANULE % LEAF_LEN)
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
    let leaf = core::ptr::with_exposed_provenance_mut(mapping.base);
    let expected = core::ptr::null_mut();
    // ORDER: Release, with the Acquire of `leaf`; Relaxed, since the other one is not looked at.
    if place.compare_exchange(expected, leaf, Release, Relaxed).is_err() {
        // SAFETY: just mapped, and nobody else has seen it.
        unsafe { memory::unmap_sparse(mapping) };
    }
    true
}
