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

use crate::sync::{AtomicPtr, AtomicU16, Ordering::*, compiler_fence};
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

/// The entry of the block at `block`, if there is a map where it lies: 0 for the root, else the
/// number of the cluster that owns it. `record` is the calling thread's.
pub(super) fn entry(record: &Record, block: *mut u8) -> Option<&'static AtomicU16> {
    if !is_near(hot::here(), block) {
        let base = find_base(record, block.addr())?;
        // SAFETY: the leaf in which the block lies, which stays.
        return Some(unsafe { entry_from(base, block) });
    }
    // SAFETY: just looked.
    Some(unsafe { near_entry(hot::here(), block) })
}

/// Whether a block is where this thread was in the map when it last looked for a leaf. Never for a
/// null.
#[inline(always)]
pub(super) fn is_near(here: Here, block: *mut u8) -> bool {
    here.is_leaf(key(block.addr()))
}

/// The entry of a block.
///
/// # Safety
///
/// It [is near](is_near).
#[inline(always)]
pub(super) unsafe fn near_entry(here: Here, block: *mut u8) -> &'static AtomicU16 {
    // SAFETY: the base of the leaf in which the block lies, which stays.
    unsafe { entry_from(here.leaf_base(), block) }
}

/// # Safety
///
/// `base` is that of the leaf in which the block lies.
#[inline(always)]
unsafe fn entry_from(base: usize, block: *mut u8) -> &'static AtomicU16 {
    let entries = core::ptr::with_exposed_provenance::<AtomicU16>(base);
    // SAFETY: within the leaf, by the caller's promise; a leaf is mapped, and stays.
    unsafe { &*entries.wrapping_add(block.addr() / GRANULE) }
}

/// The leaf that an address is in, from 1, so that zero is none.
#[inline(always)]
fn key(address: usize) -> usize {
    address.wrapping_add(1 << LEAF_SHIFT) >> LEAF_SHIFT
}

/// Where the entries of the leaf that an address is in would begin, if it began at address zero.
#[cold]
#[inline(never)]
fn find_base(record: &Record, address: usize) -> Option<usize> {
    let leaf = leaf(address)?;
    let skipped = (address >> LEAF_SHIFT) * size_of::<Leaf>();
    let base = core::ptr::from_ref(leaf).expose_provenance().wrapping_sub(skipped);
    let words = &record.clusters;
    // A signal handler in between finds nothing here, and leaves it so.
    // ORDER: Relaxed, all. The thread's own words; the fences are for such a handler.
    // The first leaf, which has the null in it, is nobody's.
    if words.leaf_moves.load(Relaxed) == 0 && key(address) != key(0) {
        words.leaf_moves.store(1, Relaxed);
        compiler_fence(SeqCst);
        words.leaf.store(0, Relaxed);
        compiler_fence(SeqCst);
        words.leaf_base.store(base, Relaxed);
        compiler_fence(SeqCst);
        words.leaf.store(key(address), Relaxed);
        compiler_fence(SeqCst);
        words.leaf_moves.store(0, Relaxed);
    }
    Some(base)
}

/// The number of the cluster that owns the block at `block`; 0 for the root.
pub(super) fn owner_of(record: &Record, block: *mut u8) -> u16 {
    entry(record, block).map_or(0, |entry| entry.load(Relaxed)) // ORDER: Relaxed. See the head.
}

/// Makes the root the owner.
pub(super) fn clear(record: &Record, block: *mut u8) {
    if let Some(entry) = entry(record, block) {
        entry.store(0, Relaxed); // ORDER: Relaxed. See the head.
    }
}

/// Makes a cluster the owner. `false` if there is no room to note it, or the address is beyond the
/// map.
pub(super) fn set_owner(record: &Record, block: *mut u8, id: u16) -> bool {
    match entry(record, block) {
        Some(entry) => {
            entry.store(id, Relaxed); // ORDER: Relaxed. See the head.
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
        entry.store(id, Relaxed); // ORDER: Relaxed. See the head.
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
    let leaf = core::ptr::with_exposed_provenance_mut(mapping.base);
    let expected = core::ptr::null_mut();
    // ORDER: Release, with the Acquire of `leaf`; Relaxed, since the other one is not looked at.
    if place.compare_exchange(expected, leaf, Release, Relaxed).is_err() {
        // SAFETY: just mapped, and nobody else has seen it.
        unsafe { memory::unmap_sparse(mapping) };
    }
    true
}
