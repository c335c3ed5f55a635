//! Blocks that a cluster owns grow and shrink.
//!
//! Layer 6.  Plane: data.
//!
//! A block keeps its owner, wherever the thread is that resizes it.

use core::alloc::{GlobalAlloc, Layout};

use super::block::{self, Block};
use super::inside::{charge, refund};
use super::machine::LEDGER;
use super::seat;
use super::slow::{self, Admit};
use super::{FailFast, owners, refused};
use crate::sys::registers::stack_pointer;
use crate::thread::{Record, record};

/// Whether a thread is armed, and its stack pointer where it may be.
pub(super) fn is_ready(record: &Record) -> bool {
    // A limit of zero is that of a thread which is not armed yet; a dying thread's is the highest.
    stack_pointer() > record.slot.stack_limit().wrapping_sub(1)
}

/// The cluster that owns a block; `None` for the root.
#[inline]
pub(super) fn owner_of(block: *mut u8) -> Option<&'static Block> {
    if !LEDGER.has_clusters() || record().is_dying() {
        return None;
    }
    let id = owners::owner_of(record(), block);
    if id == 0 { None } else { block::by_id(id) }
}

impl<A: GlobalAlloc> FailFast<A> {
    /// A block of a cluster grows: the difference is charged to its owner, wherever we are.
    ///
    /// # Safety
    ///
    /// That of `realloc`; the block is the owner's.
    pub(super) unsafe fn grow_inside(
        &self,
        owner: &'static Block,
        ptr: *mut u8,
        layout: Layout,
        new_size: usize,
    ) -> *mut u8 {
        let more = new_size - layout.size();
        // SAFETY: the caller promises that `new_size` is fit for a layout of this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let seat = seat::find_or_make(record(), owner);
        let admitted = match seat {
            Some(seat) => charge(seat, more, new),
            None => slow::charge_centrally(owner, more, new),
        };
        let Admit::Inner = admitted else { return core::ptr::null_mut() };
        // SAFETY: the caller's contract.
        let block = unsafe { self.move_inside(owner, ptr, layout, new_size) };
        if block.is_null() {
            return refused::inner_refused_inside(
                seat,
                Some(owner),
                more,
                new_size,
                layout.align(),
            );
        }
        block
    }

    /// A block of a cluster shrinks.
    ///
    /// # Safety
    ///
    /// That of `realloc`; the block is the owner's.
    pub(super) unsafe fn shrink_inside(
        &self,
        owner: &'static Block,
        ptr: *mut u8,
        layout: Layout,
        new_size: usize,
    ) -> *mut u8 {
        // SAFETY: the caller's contract.
        let block = unsafe { self.move_inside(owner, ptr, layout, new_size) };
        if block.is_null() {
            return refused::inner_refused_inside(None, Some(owner), 0, new_size, layout.align());
        }
        refund(owner, layout.size() - new_size);
        block
    }

    /// The inner allocator's `realloc`, with the owner noted at the new address.
    ///
    /// # Safety
    ///
    /// That of `realloc`; the block is the owner's.
    unsafe fn move_inside(
        &self,
        owner: &'static Block,
        ptr: *mut u8,
        layout: Layout,
        new_size: usize,
    ) -> *mut u8 {
        let record = record();
        owners::clear(record, ptr);
        let new_size = new_size.max(owners::GRANULE);
        // SAFETY: the caller's contract; the block was asked for in this layout.
        let block = unsafe { self.inner.realloc(ptr, owners::widen(layout), new_size) };
        if block.is_null() {
            // It was noted there before, so there is room.
            owners::set_owner(record, ptr, owner.id());
        } else if !owners::set_owner(record, block, owner.id()) {
            // It has moved to where nothing can be noted, and the old one is gone.
            refused::no_map(owner, new_size, layout.align());
        }
        block
    }
}
