//! The clusters of the process, other than the root.
//!
//! Layer 6.  Plane: data.
//!
//! A block is what the process knows of a cluster. Blocks lie in chunks that are mapped when first
//! needed and never go, so that a pointer to one is always good; a number finds one without a
//! search. A block is used anew only once nothing of its cluster is live.

use core::cell::UnsafeCell;
use core::ptr;

use super::seat::Seat;
use crate::ledger::{Account, Figures, UNLIMITED};
use crate::report;
use crate::sync::{AtomicBool, AtomicPtr, AtomicUsize, Guarded, Ordering::*};
use crate::sys::memory;

/// The most bytes of a cluster's name.
const NAME_BYTES_MAX: usize = 64;
/// How many threads' accounts a block has room for without further memory, ...
const SEATS_HERE: usize = 64;
/// ... in each further part, ...
const SEATS_PART: usize = 512;
/// ... and in how many parts.
const PARTS: usize = 16;
/// How many threads may have accounts with clusters; those beyond settle centrally.
pub(super) const THREADS_MAX: usize = SEATS_HERE + PARTS * SEATS_PART;

const CHUNK_LEN: usize = 64;
const CHUNKS: usize = (u16::MAX as usize + 1) / CHUNK_LEN;

type Seats<const N: usize> = [AtomicPtr<Seat>; N];

/// What the process knows of a cluster. All zero where there never was one.
#[repr(C)]
pub(crate) struct Block {
    /// First, so that an account's address is its block's.
    pub(crate) account: Account,
    /// How many handles there are.
    pub(super) handles: AtomicUsize,
    /// Its number, from 1.
    pub(super) id: Guarded,
    /// Threads inside that have no seat of their own.
    pub(super) visitors: AtomicUsize,
    /// The next one that has ended, or that is free. Lock.
    pub(super) next: Guarded,
    /// Whether it is on the list of those that have ended: one that has a child, or that a
    /// thread is still in, may have got a handle again since. Lock.
    pub(super) is_listed: Guarded,
    /// Where it is in its life: see [`Life`]. Lock.
    life: Guarded,
    /// The budget as it was set; `account` has none once it was exceeded and only observed.
    budget_set: Guarded,
    /// Whether it was said that the budget is exceeded, and only observed.
    pub(super) observed: AtomicBool,
    name: UnsafeCell<[u8; NAME_BYTES_MAX]>,
    name_len: AtomicUsize,
    seats: Seats<SEATS_HERE>,
    parts: [AtomicPtr<Seats<SEATS_PART>>; PARTS],
}

// SAFETY: `name` is written before the block is handed out, and by nobody while it is used; reports
// may read it at any time, and check what they read. All else is made of atomics.
unsafe impl Sync for Block {}

/// Where a block is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Life {
    /// No cluster.
    Free = 0,
    /// Somebody has a handle.
    Open = 1,
    /// Nobody has, but something of it is live, or may be.
    Ended = 2,
}

static CHUNK_TABLE: [AtomicPtr<[Block; CHUNK_LEN]>; CHUNKS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS];
/// The largest number that was ever given to a cluster. Lock.
static LARGEST: Guarded = Guarded::new(0);

/// The cluster with that number, or the place for it.
#[inline(always)]
pub(super) fn by_id(id: u16) -> Option<&'static Block> {
    let id = usize::from(id);
    // ORDER: Acquire, with the Release of `make`: zeroes, mapped.
    let chunk = CHUNK_TABLE.get(id / CHUNK_LEN)?.load(Acquire);
    // SAFETY: null, or a mapping that is never undone, whose zeroes are valid blocks.
    unsafe { chunk.as_ref() }?.get(id % CHUNK_LEN)
}

/// The numbers that were ever given.
pub(super) fn ids() -> impl Iterator<Item = u16> {
    1..=(LARGEST.get() as u16)
}

/// A place for one cluster more, with a number that was never given. `None` if there are none, or
/// no memory. Lock.
pub(super) fn make() -> Option<&'static Block> {
    let id = u16::try_from(LARGEST.get() + 1).ok()?;
    let place = CHUNK_TABLE.get(usize::from(id) / CHUNK_LEN)?;
    // ORDER: Relaxed. Written under the lock, which we hold.
    if place.load(Relaxed).is_null() {
        let mapping = memory::map_sparse(size_of::<[Block; CHUNK_LEN]>())?;
        // ORDER: Release, with the Acquire of `by_id`.
        place.store(ptr::with_exposed_provenance_mut(mapping.base), Release);
    }
    LARGEST.set(id as isize);
    let block = by_id(id)?;
    block.id.set(id as isize);
    Some(block)
}

impl Block {
    /// The cluster whose account this is; `None` for the root's, `root`.
    pub(super) fn of(account: *const Account, root: &Account) -> Option<&'static Block> {
        if account.is_null() || ptr::eq(account, root) {
            return None;
        }
        // SAFETY: every account but the root's is the first field of a block, and blocks stay.
        unsafe { account.cast::<Block>().as_ref() }
    }

    /// Its number.
    #[inline(always)]
    pub(super) fn id(&self) -> u16 {
        self.id.get() as u16
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        // ORDER: Acquire, with the Release of `set_name`.
        let len = self.name_len.load(Acquire).min(NAME_BYTES_MAX);
        // SAFETY: not written while there is a handle; a report that reads a name at the moment of
        // its writing may see a mixture of bytes, of which each is a plain one.
        let bytes = unsafe { &*self.name.get() };
        core::str::from_utf8(bytes.get(..len).unwrap_or_default()).unwrap_or_default()
    }

    /// Names a cluster that nobody has yet. Lock.
    pub(super) fn set_name(&self, name: &str) {
        let len = name.len().min(NAME_BYTES_MAX);
        let to = self.name.get().cast::<u8>();
        // SAFETY: within both; nobody has a handle, so nobody holds a reference to the old name
        // but a dying thread's report, see `name`.
        unsafe { ptr::copy_nonoverlapping(name.as_ptr(), to, len) };
        // ORDER: Release, with the Acquire of `name`.
        self.name_len.store(len, Release);
    }

    pub(super) fn life(&self) -> Life {
        match self.life.get() {
            0 => Life::Free,
            1 => Life::Open,
            _ => Life::Ended,
        }
    }

    pub(super) fn set_life(&self, life: Life) {
        self.life.set(life as isize);
    }

    /// The cluster that this one is part of; `None` for the root.
    pub(super) fn parent(&self, root: &Account) -> Option<&'static Block> {
        self.account.parent().and_then(|parent| Block::of(parent, root))
    }

    /// The budget as it was set.
    pub(crate) fn budget(&self) -> Option<usize> {
        Some(self.budget_set.get()).filter(|&bytes| bytes != UNLIMITED).map(|bytes| bytes as usize)
    }

    pub(super) fn note_budget(&self, bytes: isize) {
        self.budget_set.set(bytes);
        self.observed.store(false, Relaxed); // ORDER: Relaxed. A hint.
    }

    /// Its account, for a report.
    pub(super) fn report(&self, figures: Figures) -> report::Account {
        let (live, peak) = (figures.live as usize, figures.peak as usize);
        let account = report::Account::new(self.name(), live, peak, self.budget());
        report::Account { id: self.id(), ..account }
    }

    /// Where the seat of the thread with this number is noted, from 1. `None` if there is no room.
    #[inline(always)]
    pub(super) fn seat_of(&self, thread: usize) -> Option<&AtomicPtr<Seat>> {
        let place = thread.wrapping_sub(1);
        if place < SEATS_HERE { self.seats.get(place) } else { self.seat_beyond(place) }
    }

    #[cold]
    fn seat_beyond(&self, place: usize) -> Option<&AtomicPtr<Seat>> {
        let place = place.checked_sub(SEATS_HERE)?;
        let part = self.parts.get(place / SEATS_PART)?;
        // ORDER: Acquire, with the Release of `make_room`.
        let part = part.load(Acquire);
        // SAFETY: null, or a mapping that is never undone, whose zeroes are valid.
        unsafe { part.as_ref() }?.get(place % SEATS_PART)
    }

    /// The numbers of threads, and where their seats are noted, as far as there is room.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, &AtomicPtr<Seat>)> {
        let parts = self.parts.iter().enumerate().flat_map(|(n, part)| {
            // ORDER: Acquire, with the Release of `make_room`.
            // SAFETY: null, or a mapping that is never undone, whose zeroes are valid.
            let part = unsafe { part.load(Acquire).as_ref() };
            let first = 1 + SEATS_HERE + n * SEATS_PART;
            part.into_iter().flatten().enumerate().map(move |(at, place)| (first + at, place))
        });
        self.seats.iter().enumerate().map(|(at, place)| (at + 1, place)).chain(parts)
    }

    /// Makes room to note the seat of the thread with this number. Lock.
    pub(super) fn make_room(&self, thread: usize) {
        let Some(place) = thread.checked_sub(1 + SEATS_HERE) else { return };
        let Some(part) = self.parts.get(place / SEATS_PART) else { return };
        // ORDER: Relaxed. Written under the lock, which we hold.
        if part.load(Relaxed).is_null()
            && let Some(mapping) = memory::map(size_of::<Seats<SEATS_PART>>())
        {
            // ORDER: Release, with the Acquire of `seat_beyond`.
            part.store(ptr::with_exposed_provenance_mut(mapping.base), Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads have numbers in order, and a late one may be the only one in a cluster.
    #[test]
    fn places_beyond_a_gap() {
        let block = make().unwrap();
        let late = SEATS_HERE + SEATS_PART + 7;
        assert_eq!(block.places().count(), SEATS_HERE);
        block.make_room(late);
        let places: Vec<_> = block.places().collect();
        assert_eq!(places.len(), SEATS_HERE + SEATS_PART);
        assert!(places.iter().any(|(number, _)| *number == late));
        for (number, place) in places {
            assert!(block.seat_of(number).is_some_and(|found| ptr::eq(found, place)), "{number}");
        }
        assert!(block.seat_of(0).is_none() && block.seat_of(THREADS_MAX + 1).is_none());
    }
}
