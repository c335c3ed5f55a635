//! A thread is in a cluster.
//!
//! Layer 6.  Plane: data.

use super::block::Block;
use super::clusters::Which;
use super::machine::LEDGER;
use super::seat::{self, Seat};
use super::start;
use crate::ledger::{Machine as _, Place};
use crate::sync::{Ordering::*, compiler_fence};
use crate::thread::{Record, record};

/// The cluster that this thread is in.
pub(crate) fn current() -> Which {
    current_seat(record()).and_then(Seat::block)
}

#[inline(always)]
pub(super) fn current_seat(record: &Record) -> Option<&'static Seat> {
    seat::at(record.clusters.current.load(Relaxed)) // ORDER: Relaxed. The thread's own word.
}

/// What a thread was in before it entered a cluster, and what it has entered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    before: usize,
    now: usize,
    /// The number of the cluster that it was in; none if it was on its way.
    id_before: usize,
    /// Whether that has led from the root into a cluster, or back.
    crosses: bool,
}

/// Has this thread be in a cluster. `None` if there is no memory for that.
///
/// A signal handler on top of a thread that is just crossing the root's border stays there: its
/// blocks are the root's.
pub(crate) fn enter(to: Which) -> Option<Entry> {
    let record = record();
    // ORDER: Relaxed, both. The thread's own words.
    let before = record.clusters.current.load(Relaxed);
    let id_before = record.clusters.id.load(Relaxed);
    let place = record.slot.place();
    if place == Place::Moving {
        return Some(Entry { before, now: before, id_before, crosses: false });
    }
    let seat = match to {
        None => None,
        Some(block) => Some(seat::find(record, block).or_else(|| arrive(record, block))?),
    };
    if let Some(seat) = seat {
        // ORDER: Relaxed, both. The owner's own word.
        seat.entered.store(seat.entered.load(Relaxed) + 1, Relaxed);
    }
    let (now, id) = seat.map_or((0, 0), |seat| (seat::address(seat), seat.id().into()));
    let crosses = (now == 0) != (place == Place::Out);
    switch(record, now, id, crosses);
    Some(Entry { before, now, id_before, crosses })
}

#[cold]
fn arrive(record: &'static Record, block: &'static Block) -> Option<&'static Seat> {
    start::arrive(record);
    seat::find_or_make(record, block).or_else(|| {
        // ORDER: Relaxed. Read under the lock.
        block.visitors.fetch_add(1, Relaxed);
        let seat = LEDGER.machine().locked(|| seat::make_visitors(record, block));
        if seat.is_none() {
            block.visitors.fetch_sub(1, Relaxed); // ORDER: Relaxed. As above.
        }
        seat
    })
}

/// Has this thread be where it was. `false` if it is not where the entry led: guards were dropped
/// in the wrong order.
pub(crate) fn leave(entry: Entry) -> bool {
    let record = record();
    // ORDER: Relaxed. The thread's own word.
    if record.clusters.current.load(Relaxed) != entry.now {
        return false;
    }
    switch(record, entry.before, entry.id_before, entry.crosses);
    if let Some(seat) = seat::at(entry.now) {
        // ORDER: Relaxed, both. The owner's own word.
        seat.entered.store(seat.entered.load(Relaxed) - 1, Relaxed);
        if seat.is_visitors() {
            depart_visitor(seat);
        }
    }
    true
}

#[cold]
fn depart_visitor(seat: &'static Seat) {
    let Some(block) = seat.block() else { return };
    LEDGER.machine().locked(|| seat::give(seat));
    block.visitors.fetch_sub(1, Relaxed); // ORDER: Relaxed. Read under the lock.
}

/// The root slot is parked first, and comes back last: what a signal handler charges in between is
/// the root's. Whatever a handler changes in between it changes back.
#[inline]
fn switch(record: &Record, now: usize, id: usize, crosses: bool) {
    let was_out = record.slot.place() == Place::Out;
    if crosses && was_out {
        LEDGER.enter(&record.slot);
    }
    // ORDER: Relaxed, all. The thread's own words; the fences are for a signal handler in between,
    // which finds no number, or the right one.
    record.clusters.id.store(0, Relaxed);
    compiler_fence(SeqCst);
    record.clusters.current.store(now, Relaxed);
    compiler_fence(SeqCst);
    record.clusters.id.store(id, Relaxed);
    if crosses && !was_out {
        LEDGER.leave(&record.slot);
    }
}

/// A thread is ending: it leaves all clusters, and gives back what it has of them.
pub(super) fn depart(record: &Record) {
    // ORDER: Relaxed. The thread's own word.
    let current = record.clusters.current.load(Relaxed);
    switch(record, 0, 0, record.slot.place() == Place::In);
    if let Some(seat) = seat::at(current).filter(|seat| seat.is_visitors()) {
        depart_visitor(seat);
    }
    if record.clusters.first.get() != 0 {
        seat::leave_all(record);
    }
}
