//! A thread's account with a cluster.
//!
//! Layer 6.  Plane: data.
//!
//! A seat is a ledger's slot and what belongs to it. A thread gets one when it first enters a
//! cluster, or first frees one of its blocks; it keeps it until the cluster or the thread ends.
//!
//! A seat that its cluster has no more use for goes back to *its own thread*, which alone may use
//! it again: that thread may be about to fold it, and then finds zeroes, or an account of its own
//! to fold, which does no harm. The seats of a thread that has ended go to everybody.

use core::ptr;

use super::block::{Block, THREADS_MAX};
use super::machine::LEDGER;
use crate::ledger::{Machine as _, Slot};
use crate::sync::{AtomicPtr, AtomicU64, AtomicUsize, Guarded, Ordering::*};
use crate::sys::memory;
use crate::thread::{Record, Stage};

/// A thread's account with a cluster.
#[repr(C, align(64))]
pub(crate) struct Seat {
    /// First, so that a slot's address is its seat's.
    pub(super) slot: Slot,
    /// The cluster, or null while the seat is free. Lock.
    block: AtomicPtr<Block>,
    /// The cluster's number.
    id: Guarded,
    /// How many guards of the thread say that it is in the cluster. Owner.
    pub(super) entered: AtomicUsize,
    /// The thread's record, or null. Lock.
    home: AtomicPtr<Record>,
    /// The next one of the same thread, or of everybody's. Lock.
    next: Guarded,
    /// The next free one of the same thread. Lock.
    next_free: Guarded,
}

/// Mapped at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// The first seat that is everybody's. Lock.
static POOL: Guarded = Guarded::new(0);
/// What is left of the last chunk. Lock.
static FRESH: Guarded = Guarded::new(0);
static FRESH_END: Guarded = Guarded::new(0);

/// The numbers of threads that are taken: number n is bit n - 1. Lock.
static TAKEN: [AtomicU64; THREADS_MAX.div_ceil(64)] =
    [const { AtomicU64::new(0) }; THREADS_MAX.div_ceil(64)];

impl Seat {
    /// The cluster's number.
    #[inline(always)]
    pub(super) fn id(&self) -> u16 {
        self.id.get() as u16
    }

    /// The cluster.
    pub(super) fn block(&self) -> Option<&'static Block> {
        // ORDER: Relaxed. Written under the lock, by the owner or while it does not use the seat.
        let block = self.block.load(Relaxed);
        // SAFETY: null, or a block, which stays.
        unsafe { block.as_ref() }
    }

    /// The record of its thread, which has not ended; none, if it is for a visit. Lock, or by that
    /// thread.
    pub(super) fn home(&self) -> Option<&Record> {
        // SAFETY: null, or a record of a thread that would have given the seat away at its end.
        unsafe { self.home.load(Relaxed).as_ref() } // ORDER: Relaxed. As in `block`.
    }

    /// Whether it is one that a thread has for a visit, without a place to keep it.
    pub(super) fn is_visitors(&self) -> bool {
        self.home.load(Relaxed).is_null() // ORDER: Relaxed. As in `block`.
    }

    /// Whether it is the thread's with this record.
    pub(super) fn is_of(&self, record: &Record) -> bool {
        ptr::eq(self.home.load(Relaxed), record) // ORDER: Relaxed. As in `block`.
    }

    /// The seat whose slot this is.
    ///
    /// # Safety
    ///
    /// It is the slot of a seat.
    pub(super) unsafe fn of(slot: &Slot) -> &'static Seat {
        let at = ptr::from_ref(slot).expose_provenance();
        // SAFETY: the slot is a seat's first field, by the caller's promise, and seats stay.
        unsafe { &*ptr::with_exposed_provenance::<Seat>(at) }
    }
}

/// The seat at an address that was noted; none at zero.
#[inline(always)]
pub(super) fn at(address: usize) -> Option<&'static Seat> {
    // SAFETY: only addresses of seats are noted, and seats stay.
    unsafe { ptr::with_exposed_provenance::<Seat>(address).as_ref() }
}

pub(super) fn address(seat: &Seat) -> usize {
    ptr::from_ref(seat).expose_provenance()
}

/// This thread's seat in a cluster, if it has one.
#[inline(always)]
pub(super) fn find(record: &Record, block: &Block) -> Option<&'static Seat> {
    // ORDER: Relaxed. The thread's own word.
    let place = block.seat_of(record.clusters.index.load(Relaxed))?;
    // ORDER: Relaxed. Written for this thread by this thread; or taken away while it has no use
    // for it.
    let seat = place.load(Relaxed);
    // SAFETY: null, or a seat, which stays.
    unsafe { seat.as_ref() }
}

/// This thread's seat in a cluster, new if it has none. `None` if it cannot have one: it has ended,
/// or is being armed, or there is no memory.
pub(super) fn find_or_make(
    record: &'static Record,
    block: &'static Block,
) -> Option<&'static Seat> {
    if let Some(seat) = find(record, block) {
        return Some(seat);
    }
    if record.stage() != Stage::Armed {
        return None;
    }
    LEDGER.machine().locked(|| find(record, block).or_else(|| make(record, block)))
}

/// Lock.
fn make(record: &'static Record, block: &'static Block) -> Option<&'static Seat> {
    let thread = number(record)?;
    block.make_room(thread);
    let place = block.seat_of(thread)?;
    let words = &record.clusters;
    let seat = match at(words.free.get() as usize) {
        Some(seat) => {
            words.free.set(seat.next_free.get());
            seat
        }
        None => {
            let seat = take()?;
            seat.home.store(ptr::from_ref(record).cast_mut(), Relaxed); // ORDER: Relaxed. Lock.
            seat.next.set(words.first.get());
            words.first.set(address(seat) as isize);
            seat
        }
    };
    assign(seat, record, block);
    // Whoever looks whether somebody is in the cluster looks at the slots that are linked.
    LEDGER.begin(&seat.slot);
    place.store(ptr::from_ref(seat).cast_mut(), Relaxed); // ORDER: Relaxed. See `find`.
    Some(seat)
}

/// A seat for one visit, that settles each operation centrally. Lock.
pub(super) fn make_visitors(record: &Record, block: &'static Block) -> Option<&'static Seat> {
    let seat = take()?;
    seat.home.store(ptr::null_mut(), Relaxed); // ORDER: Relaxed. Lock.
    assign(seat, record, block);
    seat.slot.settle_centrally();
    Some(seat)
}

fn assign(seat: &Seat, record: &Record, block: &'static Block) {
    // SAFETY: the block stays; the slot is not linked, and this is its owner, doing this.
    unsafe { seat.slot.renew(&block.account) };
    seat.slot.set_stack_limit(record.slot.stack_limit());
    seat.block.store(ptr::from_ref(block).cast_mut(), Relaxed); // ORDER: Relaxed. Lock.
    seat.id.set(block.id() as isize);
    seat.entered.store(0, Relaxed); // ORDER: Relaxed. The owner's own word.
}

/// One of everybody's. Lock.
fn take() -> Option<&'static Seat> {
    if let Some(seat) = at(POOL.get() as usize) {
        POOL.set(seat.next.get());
        return Some(seat);
    }
    if FRESH.get() + size_of::<Seat>() as isize > FRESH_END.get() {
        let mapping = memory::map(CHUNK_BYTES)?;
        FRESH.set(mapping.base as isize);
        FRESH_END.set(mapping.end() as isize);
    }
    // Zeroes, aligned as the mapping is: a seat's size is a multiple of its alignment.
    let seat = at(FRESH.get() as usize);
    FRESH.add(size_of::<Seat>() as isize);
    seat
}

/// Gives a seat to everybody. Lock.
pub(super) fn give(seat: &Seat) {
    // ORDER: Relaxed, both. Lock.
    seat.block.store(ptr::null_mut(), Relaxed);
    seat.home.store(ptr::null_mut(), Relaxed);
    seat.next.set(POOL.get());
    POOL.set(address(seat) as isize);
}

/// Gives a seat, whose slot was unlinked, back to its thread. Lock.
pub(super) fn give_back(seat: &'static Seat) {
    let Some(home) = seat.home() else { return };
    leave_block(seat, home);
    seat.next_free.set(home.clusters.free.get());
    home.clusters.free.set(address(seat) as isize);
}

fn leave_block(seat: &Seat, home: &Record) {
    // ORDER: Relaxed, all here. Lock.
    if let Some(block) = seat.block()
        && let Some(place) = block.seat_of(home.clusters.index.load(Relaxed))
    {
        place.store(ptr::null_mut(), Relaxed);
    }
    seat.block.store(ptr::null_mut(), Relaxed);
}

/// The thread's number, new if it has none. Lock.
fn number(record: &Record) -> Option<usize> {
    // ORDER: Relaxed, all. Lock.
    let known = record.clusters.index.load(Relaxed);
    if known != 0 {
        return Some(known);
    }
    for (place, word) in TAKEN.iter().enumerate() {
        let taken = word.load(Relaxed);
        let bit = taken.trailing_ones() as usize;
        let number = place * 64 + bit + 1;
        if bit < 64 && number <= THREADS_MAX {
            word.store(taken | 1 << bit, Relaxed);
            record.clusters.index.store(number, Relaxed);
            return Some(number);
        }
    }
    None
}

/// Ends all seats of a thread that is ending. By that thread.
pub(super) fn leave_all(record: &Record) {
    for seat in all(record) {
        if seat.block().is_some() {
            LEDGER.retire(&seat.slot);
        }
    }
    LEDGER.machine().locked(|| forget(record));
}

/// Gives away the seats of a thread that is no more, none of which is linked. Lock.
pub(super) fn forget(record: &Record) {
    for seat in all(record) {
        leave_block(seat, record);
        give(seat);
    }
    record.clusters.first.set(0);
    record.clusters.free.set(0);
    // ORDER: Relaxed, all. Lock.
    let number = record.clusters.index.swap(0, Relaxed);
    if let Some(place) = number.checked_sub(1)
        && let Some(word) = TAKEN.get(place / 64)
    {
        word.store(word.load(Relaxed) & !(1 << (place % 64)), Relaxed);
    }
}

/// The seats of a thread. The one that was yielded last may be given away meanwhile.
fn all(record: &Record) -> impl Iterator<Item = &'static Seat> + use<> {
    let mut next = record.clusters.first.get();
    core::iter::from_fn(move || {
        let seat = at(next as usize)?;
        next = seat.next.get();
        Some(seat)
    })
}

/// In a forked child: the other threads are gone, and their numbers free. Lock, or alone.
pub(super) fn keep_only(record: &Record) {
    // ORDER: Relaxed, all. There is no other thread.
    let mine = record.clusters.index.load(Relaxed);
    for (place, word) in TAKEN.iter().enumerate() {
        let bit = mine.wrapping_sub(1 + place * 64);
        word.store(if bit < 64 { 1 << bit } else { 0 }, Relaxed);
    }
}
