//! Blocks that a cluster owns.
//!
//! Layer 6.  Plane: data.
//!
//! The fast path is the root's. A thread that is inside a cluster leaves it at every charge, and,
//! once there is a cluster, every thread does at every refund and at every growth; it comes here.
//!
//! A block's entry in the map (`owners`) is cleared before the inner allocator may hand its address
//! to somebody else, and set again if nothing came of that.

use core::alloc::{GlobalAlloc, Layout};

use super::block::{self, Block};
use super::entered::current_seat;
use super::machine::LEDGER;
use super::seat::{self, Seat};
use super::slow::{self, Admit, Entry};
use super::{FailFast, owners, refused};
use crate::ledger::{Hot, Machine as _};
use crate::sys::registers::stack_pointer;
use crate::thread::record;

/// Whether nothing but the existence of clusters diverts a refund of this thread: it is armed, and
/// its stack pointer is where it may be.
#[inline(always)]
pub(super) fn may_free() -> bool {
    // A limit of zero is that of a thread which is not armed yet; a dying thread's is the highest.
    stack_pointer() > record().slot.stack_limit().wrapping_sub(1)
}

/// The cluster that owns a block; `None` for the root.
#[inline]
pub(super) fn owner_of(block: *mut u8) -> Option<&'static Block> {
    if !LEDGER.has_clusters() || record().is_dying() {
        return None;
    }
    owner_by_id(owners::owner_of(block))
}

#[inline]
fn owner_by_id(id: u16) -> Option<&'static Block> {
    if id == 0 { None } else { block::by_id(id) }
}

/// Takes a block that is about to be freed from the cluster that owns it, refunds its bytes there,
/// and says which it was; `None` for the root, with nothing done.
#[inline]
pub(super) fn disown(block: *mut u8, bytes: usize) -> Option<u16> {
    if !LEDGER.has_clusters() {
        return None;
    }
    let id = owners::owner_of(block);
    if id == 0 {
        return None;
    }
    owners::clear(block);
    match current_seat(record()) {
        Some(seat) if seat.id() == id => refund_to(seat, bytes),
        _ => refund_elsewhere(id, bytes),
    }
    Some(id)
}

#[inline(always)]
fn refund_to(seat: &Seat, bytes: usize) {
    if seat.slot.refund(bytes as isize) {
        LEDGER.fold(&seat.slot);
    }
}

/// To a cluster that this thread is not in.
#[inline(never)]
fn refund_elsewhere(id: u16, bytes: usize) {
    if let Some(owner) = block::by_id(id) {
        refund(owner, bytes);
    }
}

fn refund(owner: &'static Block, bytes: usize) {
    match seat::find_or_make(record(), owner) {
        Some(seat) => refund_to(seat, bytes),
        None => LEDGER.refund_account(&owner.account, bytes as isize),
    }
}

/// Charges a block of this thread's to its seat in a cluster.
#[inline(always)]
fn charge(seat: &'static Seat, bytes: usize, layout: Layout) -> Admit {
    let light = || LEDGER.machine().light();
    if seat.slot.charge_hot(bytes as isize, stack_pointer(), light) == Hot::Done {
        return Admit::Inner;
    }
    slow::charge_inside(seat, bytes, layout)
}

impl<A: GlobalAlloc> FailFast<A> {
    /// A block for the cluster in which this thread is, from `get`.
    #[inline(always)]
    pub(super) fn alloc_inside(
        &self,
        seat: &'static Seat,
        layout: Layout,
        entry: Entry,
        get: impl FnOnce(&A, Layout) -> *mut u8,
    ) -> *mut u8 {
        match entry {
            // It has gone through the root's words, which are parked.
            Entry::Entered => record().slot.restore(layout.size() as isize),
            Entry::Stranger(asks) => slow::agree(&self.config, asks),
        }
        match charge(seat, layout.size(), layout) {
            Admit::Inner => {}
            _ => return core::ptr::null_mut(),
        }
        let block = get(&self.inner, owners::widen(layout));
        if block.is_null() || !owners::set_owner(block, seat.id()) {
            return self.refused_inside(seat, block, layout);
        }
        block
    }

    /// The inner allocator has no memory, or there is none to note the owner.
    #[cold]
    #[inline(never)]
    fn refused_inside(&self, seat: &'static Seat, block: *mut u8, layout: Layout) -> *mut u8 {
        if !block.is_null() {
            // SAFETY: just allocated in this layout, and handed to nobody.
            unsafe { self.inner.dealloc(block, owners::widen(layout)) };
        }
        let (bytes, align) = (layout.size(), layout.align());
        refused::inner_refused_inside(Some(seat), seat.block(), bytes, bytes, align)
    }

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
        owners::clear(ptr);
        let new_size = new_size.max(owners::GRANULE);
        // SAFETY: the caller's contract; the block was asked for in this layout.
        let block = unsafe { self.inner.realloc(ptr, owners::widen(layout), new_size) };
        if block.is_null() {
            // It was noted there before, so there is room.
            owners::set_owner(ptr, owner.id());
        } else if !owners::set_owner(block, owner.id()) {
            // It has moved to where nothing can be noted, and the old one is gone.
            refused::no_map(owner, new_size, layout.align());
        }
        block
    }
}
