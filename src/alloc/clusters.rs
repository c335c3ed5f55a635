//! Clusters come and go.
//!
//! Layer 6.  Plane: data.
//!
//! A cluster whose last handle is gone has *ended*. It goes once nothing of it is live: at once, if
//! only the thread that dropped the handle ever was in it; otherwise with others, in batches, by
//! one fence for all.

use super::block::{self, Block, Life};
use super::machine::LEDGER;
use super::owners;
use super::seat::{self, Seat};
use crate::ledger::{Account, Machine as _};
use crate::sync::{Guarded, Ordering::*};
use crate::thread::{Record, record};

/// A cluster; `None` is the root.
pub(crate) type Which = Option<&'static Block>;

/// The first block that is free. Lock.
static FREE: Guarded = Guarded::new(0);
/// The first cluster that has ended, how many have, and how many ends there were since the last
/// look.
static ENDED: Guarded = Guarded::new(0);
static ENDED_LEN: Guarded = Guarded::new(0);
static ENDED_NEW: Guarded = Guarded::new(0);
/// How many clusters there are, the ended ones included. Lock.
static COUNT: Guarded = Guarded::new(0);
/// What went through the map of owners since its memory was given back: the peaks of the clusters
/// that have gone. Lock.
static GONE: Guarded = Guarded::new(0);

/// How many end before it is looked which of them can go.
const BATCH: isize = 32;
/// How much has to have gone, so that it is worth its while to give the map's memory back: the map
/// of so much is 1 MiB.
const GONE_MIN: isize = 8 << 20;

/// Why there is no new cluster.
pub(crate) enum NoCluster {
    /// 65,535 are there, or there is no memory for the map.
    Full,
}

/// The account of a cluster.
pub(crate) fn account(which: Which) -> &'static Account {
    which.map_or(LEDGER.root(), |block| &block.account)
}

/// Makes a cluster, with one handle.
pub(crate) fn make(
    name: &str,
    parent: Which,
    budget: isize,
    soft: isize,
) -> Result<&'static Block, NoCluster> {
    LEDGER.machine().locked(|| {
        if !owners::prepare() {
            return Err(NoCluster::Full);
        }
        let block = take().ok_or(NoCluster::Full)?;
        block.set_name(name);
        // SAFETY: blocks stay; a parent closes after its children; this one is new or was closed.
        unsafe { LEDGER.open(&block.account, account(parent)) };
        // Nothing is live in it yet.
        block.account.set_budget(budget);
        block.account.set_soft(soft);
        block.note_budget(budget);
        COUNT.add(1);
        block.set_life(Life::Open);
        block.handles.store(1, Relaxed); // ORDER: Relaxed. Nobody else has it yet.
        Ok(block)
    })
}

fn take() -> Option<&'static Block> {
    if let Some(block) = free() {
        return Some(block);
    }
    block::make().or_else(|| {
        settle_ended();
        free()
    })
}

fn free() -> Option<&'static Block> {
    let block = block::by_id(FREE.get() as u16).filter(|_| FREE.get() != 0)?;
    FREE.set(block.next.get());
    Some(block)
}

/// One handle more, of a cluster that somebody has, or is in.
pub(crate) fn retain(block: &'static Block) {
    // ORDER: Relaxed, all here. Whoever has a handle has all that it stands for.
    let mut handles = block.handles.load(Relaxed);
    while handles != 0 {
        match block.handles.compare_exchange_weak(handles, handles + 1, Relaxed, Relaxed) {
            Ok(_) => return,
            Err(now) => handles = now,
        }
    }
    // It has ended, while a thread is still in it whose guard was forgotten.
    LEDGER.machine().locked(|| {
        // ORDER: Relaxed. Under the lock only we raise it from zero.
        block.handles.fetch_add(1, Relaxed);
        block.set_life(Life::Open);
    });
}

/// One handle less.
pub(crate) fn release(block: &'static Block) {
    // ORDER: Release, with the Acquire below: what was done through other handles comes before the
    // cluster's end.
    if block.handles.fetch_sub(1, AcqRel) == 1 {
        LEDGER.machine().locked(|| end(block));
    }
}

/// Lock.
fn end(block: &'static Block) {
    // ORDER: Relaxed. Raised from zero under the lock only.
    if block.handles.load(Relaxed) != 0 || block.life() != Life::Open {
        return;
    }
    if block.is_listed.get() != 0 {
        block.set_life(Life::Ended); // It had got a handle again, and stands there still.
    } else if !is_only(block, record()) || !close(block) {
        list(block);
    }
    // Those that go at once count too: others may wait for this.
    if ENDED.get() != 0 && ENDED_NEW.add(1) >= BATCH.max(ENDED_LEN.get() / 2) {
        settle_ended();
    }
}

/// Puts a cluster on the list of those that have ended. Lock.
fn list(block: &'static Block) {
    block.set_life(Life::Ended);
    block.is_listed.set(1);
    block.next.set(ENDED.get());
    ENDED.set(block.id() as isize);
    ENDED_LEN.add(1);
}

/// Whether all seats in a cluster are of this thread. Lock.
fn is_only(block: &Block, me: &Record) -> bool {
    let mine = seat::find(me, block);
    block.account.slots_are(|slot| mine.is_some_and(|seat| core::ptr::eq(&seat.slot, slot)))
}

/// Whether nobody is in a cluster. Lock.
fn is_empty(block: &Block) -> bool {
    // ORDER: Relaxed, both. Whoever was in it came before the last handle went, or the fence.
    // SAFETY: all slots of clusters are seats'.
    let entered = |slot: &_| unsafe { Seat::of(slot) }.entered.load(Relaxed);
    block.visitors.load(Relaxed) == 0 && block.account.slots_are(|slot| entered(slot) == 0)
}

/// Has a cluster go, if nothing of it is live. Its slots are frozen, or all the caller's. Lock.
fn close(block: &'static Block) -> bool {
    let peak = block.account.peak();
    let closed = is_empty(block)
        && LEDGER.close(&block.account, |slot| {
            // SAFETY: all slots of clusters are seats'.
            seat::give_back(unsafe { Seat::of(slot) });
        });
    if closed {
        block.set_life(Life::Free);
        block.next.set(FREE.get());
        FREE.set(block.id() as isize);
        GONE.set(GONE.get().saturating_add(peak));
        if COUNT.add(-1) == 0 && GONE.get() >= GONE_MIN {
            GONE.set(0);
            owners::release();
        }
    }
    closed
}

/// Looks which of those that have ended can go. Lock.
fn settle_ended() {
    ENDED_NEW.set(0);
    if !LEDGER.freeze_all(ended().map(|block| &block.account)) {
        return;
    }
    loop {
        let (first, mut closed) = (ENDED.get(), 0);
        ENDED.set(0);
        ENDED_LEN.set(0);
        for block in from(first) {
            block.is_listed.set(0);
            if block.life() == Life::Ended && close(block) {
                closed += 1;
            } else if block.life() == Life::Ended {
                list(block);
            }
        }
        if closed == 0 || ENDED.get() == 0 {
            return;
        }
    }
}

fn ended() -> impl Iterator<Item = &'static Block> + Clone {
    from(ENDED.get())
}

/// The list that begins with this number. The one that was yielded last may move meanwhile.
fn from(first: isize) -> impl Iterator<Item = &'static Block> + Clone {
    let mut next = first;
    core::iter::from_fn(move || {
        let block = block::by_id(next as u16).filter(|_| next != 0)?;
        next = block.next.get();
        Some(block)
    })
}

/// The clusters that somebody has, each with one handle more.
pub(crate) fn for_each_open(mut f: impl FnMut(&'static Block)) {
    for id in block::ids() {
        let block = block::by_id(id);
        let retained = LEDGER.machine().locked(|| {
            let open = block.filter(|block| block.life() == Life::Open)?;
            // ORDER: Relaxed, both. It is raised from zero under the lock only.
            let alive = open.handles.fetch_add(1, Relaxed) != 0;
            if !alive {
                open.handles.fetch_sub(1, Relaxed);
            }
            alive.then_some(open)
        });
        if let Some(block) = retained {
            f(block);
        }
    }
}

/// In a forked child: the seats of the threads that are gone are everybody's. Those that were free
/// are lost. Lock, or alone.
pub(super) fn adopt(record: &Record) {
    let mine = record.clusters.index.load(Relaxed); // ORDER: Relaxed. There is no other thread.
    for block in block::ids().filter_map(block::by_id) {
        for place in block.places().filter(|(thread, _)| *thread != mine).map(|(_, place)| place) {
            // ORDER: Relaxed, both. There is no other thread. Not written if there is nothing: the
            // page would be copied.
            if let Some(seat) = seat::at(place.load(Relaxed).addr()) {
                place.store(core::ptr::null_mut(), Relaxed);
                seat::give(seat);
            }
        }
        // Whoever has a number needs no visitor's seat.
        if mine != 0 {
            block.visitors.store(0, Relaxed); // ORDER: Relaxed. As above.
        }
    }
    seat::keep_only(record);
}
