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
use super::hot::{self, Here};
use super::machine::LEDGER;
use super::seat::{self, Seat};
use super::slow::{self, Admit, Entry};
use super::{FailFast, owners, refused};
use crate::sync::Ordering::Relaxed;
use crate::thread::{Record, record};

/// A charge to the root has left the fast path: mostly since the thread is in a cluster. Then this
/// is its fast path there.
///
/// Takes its layout in the registers in which it came.
///
/// # Safety
///
/// That of `alloc`, or of `alloc_zeroed`.
#[inline(never)]
pub(super) unsafe fn alloc<A: GlobalAlloc, const ZEROED: bool>(
    size: usize,
    align: usize,
    allocator: &FailFast<A>,
) -> *mut u8 {
    let here = hot::here();
    // SAFETY: the caller's layout.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    let seat = seat::at(here.seat()).filter(|_| align <= owners::GRANULE);
    let Some(seat) = seat else {
        // SAFETY: the caller's contract.
        return unsafe { allocator.alloc_diverted::<ZEROED>(layout, Entry::Entered) };
    };
    if !hot::charge_in(&seat.slot, size) {
        // SAFETY: the caller's contract.
        return unsafe { allocator.alloc_diverted::<ZEROED>(layout, Entry::EnteredInside) };
    }
    here.note_asked(size, align);
    if size < owners::GRANULE {
        // SAFETY: the caller's contract.
        return unsafe { allocator.get_noted::<ZEROED>(owners::GRANULE) };
    }
    // SAFETY: the caller's contract. A lease covers the size, so it is no huge one.
    unsafe { allocator.get_noted_here::<ZEROED>(here, size) }
}

/// A refund has left the fast path: mostly since there are clusters, and it has to be looked whose
/// the block is. Then this is its fast path, in the root too.
///
/// # Safety
///
/// That of `dealloc`.
#[inline(never)]
pub(super) unsafe fn dealloc<A: GlobalAlloc>(
    ptr: *mut u8,
    size: usize,
    align: usize,
    allocator: &FailFast<A>,
) {
    let here = hot::here();
    // SAFETY: the caller's layout.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // A dying thread's limit is the highest.
    if !here.is_stack_good() {
        // SAFETY: the caller's contract.
        return unsafe { allocator.dealloc_judged(ptr, layout) };
    }
    let Some(entry) = owners::near(here, ptr) else {
        // SAFETY: the caller's contract.
        return unsafe { allocator.dealloc_far(ptr, layout) };
    };
    let id = entry.owner();
    if id == 0 {
        if !hot::refund_after(size) {
            // SAFETY: the caller's contract; the refund is entered.
            return unsafe { allocator.dealloc_entered(ptr, layout) };
        }
        // SAFETY: the caller's contract.
        return unsafe { allocator.inner.dealloc(ptr, layout) };
    }
    if !here.is_in(id) {
        // SAFETY: the caller's contract.
        return unsafe { allocator.dealloc_elsewhere(ptr, layout) };
    }
    entry.set(0);
    // SAFETY: the thread's cluster has a number, so the thread has a seat in it.
    let seat = unsafe { seat::at(here.seat()).unwrap_unchecked() };
    if !hot::refund_in(&seat.slot, size) {
        // SAFETY: the caller's contract; the block is nobody's any more.
        return unsafe { allocator.dealloc_folding(seat, ptr, layout) };
    }
    // SAFETY: the caller's contract; the block was asked for in this layout.
    unsafe { allocator.inner.dealloc(ptr, owners::widen(layout)) }
}

/// Takes a block that is about to be freed from the cluster that owns it, and refunds its bytes
/// there. `false`: it is the root's, and nothing was done.
pub(super) fn disown(record: &'static Record, block: *mut u8, bytes: usize) -> bool {
    let Some(entry) = owners::entry(record, block) else { return false };
    let id = entry.owner();
    if id == 0 {
        return false;
    }
    entry.set(0);
    if let Some(owner) = block::by_id(id as u16) {
        refund(owner, bytes);
    }
    true
}

fn refund_to(seat: &Seat, bytes: usize) {
    if !hot::refund_in(&seat.slot, bytes) {
        LEDGER.fold(&seat.slot);
    }
}

pub(super) fn refund(owner: &'static Block, bytes: usize) {
    match seat::find_or_make(record(), owner) {
        Some(seat) => refund_to(seat, bytes),
        None => LEDGER.refund_account(&owner.account, bytes as isize),
    }
}

/// Charges a block of this thread's to its seat in a cluster.
#[inline(always)]
pub(super) fn charge(seat: &'static Seat, bytes: usize, layout: Layout) -> Admit {
    if hot::charge_in(&seat.slot, bytes) {
        return Admit::Inner;
    }
    slow::charge_inside(seat, bytes, layout)
}

impl<A: GlobalAlloc> FailFast<A> {
    /// A block for the cluster in which this thread is, off the fast path.
    ///
    /// # Safety
    ///
    /// That of `alloc`, or of `alloc_zeroed`.
    pub(super) unsafe fn alloc_inside<const ZEROED: bool>(
        &self,
        seat: &'static Seat,
        layout: Layout,
        entry: Entry,
    ) -> *mut u8 {
        if let Entry::Stranger(asks) = entry {
            slow::agree(&self.config, asks);
        } else {
            // It has gone through the root's words, which are parked.
            record().slot.wipe_scratch();
        }
        let admitted = match entry {
            Entry::EnteredInside => slow::charge_inside(seat, layout.size(), layout),
            _ => charge(seat, layout.size(), layout),
        };
        let Admit::Inner = admitted else { return core::ptr::null_mut() };
        // SAFETY: the caller's contract.
        let block = unsafe { self.get::<ZEROED>(owners::widen(layout)) };
        if block.is_null() || !owners::set_owner(record(), block, seat.id()) {
            return self.refused_inside(seat, block, layout);
        }
        block
    }

    /// A block of `size` bytes, 16 at least, for a charge to this thread's seat that is complete,
    /// and that the record remembers.
    ///
    /// # Safety
    ///
    /// That of `alloc`, or of `alloc_zeroed`; the thread is in a cluster.
    #[inline(always)]
    unsafe fn get_noted_here<const ZEROED: bool>(&self, here: Here, size: usize) -> *mut u8 {
        // SAFETY: as `owners::widen`.
        let wide = unsafe { Layout::from_size_align_unchecked(size, owners::GRANULE) };
        // SAFETY: the caller's contract.
        let block = unsafe { self.get::<ZEROED>(wide) };
        // SAFETY: what was asked for; or null, which is too.
        unsafe { core::hint::assert_unchecked(block.addr().is_multiple_of(owners::GRANULE)) };
        let Some(entry) = owners::near(here, block) else { return self.note_far(block) };
        // SAFETY: the thread is in a cluster, by the caller's promise; it is read again, since to
        // keep it across the call would take longer.
        let seat = unsafe { seat::at(here.seat()).unwrap_unchecked() };
        entry.set(seat.id());
        block
    }

    /// The same, out of line.
    ///
    /// # Safety
    ///
    /// The same.
    #[inline(never)]
    unsafe fn get_noted<const ZEROED: bool>(&self, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.get_noted_here::<ZEROED>(hot::here(), size) }
    }

    /// Notes the owner of a block, just allocated for the charge that the record remembers; or
    /// there is none.
    #[inline(never)]
    fn note_far(&self, block: *mut u8) -> *mut u8 {
        let record = record();
        let Some(seat) = current_seat(record) else { return block };
        if !block.is_null() && owners::set_owner(record, block, seat.id()) {
            return block;
        }
        // ORDER: Relaxed, both. The thread's own words.
        let (size, align) = (record.asked_size.load(Relaxed), record.asked_align.load(Relaxed));
        // SAFETY: what `alloc` was asked for.
        let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
        self.refused_inside(seat, block, layout)
    }

    /// Frees a block that is elsewhere than those before.
    ///
    /// # Safety
    ///
    /// That of `dealloc`.
    #[inline(never)]
    unsafe fn dealloc_far(&self, ptr: *mut u8, layout: Layout) {
        if disown(record(), ptr, layout.size()) {
            // SAFETY: the caller's contract; the block was asked for in this layout.
            return unsafe { self.inner.dealloc(ptr, owners::widen(layout)) };
        }
        if !hot::refund_after(layout.size()) {
            // SAFETY: the caller's contract; the refund is entered.
            return unsafe { self.dealloc_entered(ptr, layout) };
        }
        // SAFETY: the caller's contract.
        unsafe { self.inner.dealloc(ptr, layout) }
    }

    /// Frees a block of a cluster that this thread is not in.
    ///
    /// # Safety
    ///
    /// That of `dealloc`.
    #[inline(never)]
    unsafe fn dealloc_elsewhere(&self, ptr: *mut u8, layout: Layout) {
        disown(record(), ptr, layout.size());
        // SAFETY: the caller's contract; the block was asked for in this layout.
        unsafe { self.inner.dealloc(ptr, owners::widen(layout)) }
    }

    /// Frees a block whose refund is entered in this seat, where a fold is due.
    ///
    /// # Safety
    ///
    /// That of `dealloc`.
    #[cold]
    #[inline(never)]
    unsafe fn dealloc_folding(&self, seat: &'static Seat, ptr: *mut u8, layout: Layout) {
        LEDGER.fold(&seat.slot);
        // SAFETY: the caller's contract; the block was asked for in this layout.
        unsafe { self.inner.dealloc(ptr, owners::widen(layout)) }
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
}
