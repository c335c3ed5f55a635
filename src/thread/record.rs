//! What is known of a thread.
//!
//! Layer 3.  Plane: data.
//!
//! Every word is written by its own thread, in normal code or in a signal handler on top of it, so
//! all accesses are Relaxed; the words of the ledger's [`Slot`] have rules of their own.

use core::mem::offset_of;

use crate::ledger::Slot;
use crate::sync::{AtomicBool, AtomicU32, AtomicUsize, Guarded, Ordering::*};

/// Where a thread is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub(crate) enum Stage {
    /// It has never called the allocator.
    New = 0,
    /// It is being armed; what that allocates settles centrally.
    Arming = 1,
    /// It has bounds, an alternate stack, and a destructor that returns them.
    Armed = 2,
    /// Its destructor has run, and others may follow; or it has none.
    Left = 3,
}

/// What is known of a thread.
#[repr(C, align(64))]
pub(crate) struct Record {
    /// The size that the last hot charge was for, in case the inner allocator refuses.
    pub(crate) asked_size: AtomicUsize,
    /// And its alignment.
    pub(crate) asked_align: AtomicUsize,
    /// The thread's account with the root cluster; its first words share a cache line with those
    /// above, and the fast path touches no other.
    pub(crate) slot: Slot,
    /// Where the stack is, and what on it is forbidden.
    pub(crate) stack: StackWords,
    /// The kernel's number of the thread.
    pub(crate) tid: AtomicU32,
    stage: AtomicU32,
    /// This thread was elected to end the process: the allocator serves it from the reserve.
    pub(crate) dying: AtomicBool,
    /// How many `fallible` calls it is inside.
    pub(crate) fallible: AtomicU32,
    /// How many of its operations wait for the ledger's lock, or hold it: more than one if a
    /// signal handler has come on top of one that waits.
    pub(crate) locking: AtomicUsize,
    /// Its accounts with clusters.
    pub(crate) clusters: ClusterWords,
    /// The last request that `fallible` answered with null; size zero if none.
    pub(crate) null: NullWords,
}

/// Where a stack is.
#[repr(C)]
pub(crate) struct StackWords {
    /// The lowest address of the stack, above its guard.
    pub(crate) low: AtomicUsize,
    /// The address past its highest byte.
    pub(crate) high: AtomicUsize,
    /// The size of its guard.
    pub(crate) guard_bytes: AtomicUsize,
    /// Where the range begins that the stack pointer must not enter, ...
    pub(crate) zone_base: AtomicUsize,
    /// ... and how long it is; zero while unknown.
    pub(crate) zone_len: AtomicUsize,
    /// The alternate stack that we gave it, or zero.
    pub(crate) altstack: AtomicUsize,
    /// The length of its whole mapping.
    pub(crate) altstack_len: AtomicUsize,
}

/// A thread's accounts with clusters, all made when first needed.
#[repr(C)]
pub(crate) struct ClusterWords {
    /// Where the account with the cluster is that the thread is in; zero for the root. Owner.
    pub(crate) current: AtomicUsize,
    /// That cluster's number. Owner.
    pub(crate) id: AtomicUsize,
    /// The leaf of the map of owners that this thread used last; not zero once it is being armed.
    /// Owner.
    pub(crate) leaf: AtomicUsize,
    /// The thread's number among those that have such accounts, from 1; zero for none. Lock.
    pub(crate) index: AtomicUsize,
    /// The first of all of them, ...
    pub(crate) first: Guarded,
    /// ... and of those that are free. Lock.
    pub(crate) free: Guarded,
}

/// A request that was answered with null.
#[repr(C)]
pub(crate) struct NullWords {
    pub(crate) size: AtomicUsize,
    pub(crate) align: AtomicUsize,
    pub(crate) live: AtomicUsize,
    pub(crate) peak: AtomicUsize,
    /// Whose budget it was; see `ledger::Figures::of`.
    pub(crate) of: AtomicUsize,
    /// 1: it was over the budget. 2: the inner allocator refused.
    pub(crate) why: AtomicU32,
}

impl Record {
    /// The record whose slot this is.
    ///
    /// # Safety
    ///
    /// It is the root slot of a thread that has not ended.
    pub(crate) unsafe fn of(slot: &Slot) -> &Record {
        let at = core::ptr::from_ref(slot).expose_provenance() - offset_of!(Record, slot);
        // SAFETY: the slot is that field of a record, by the caller's promise; only shared
        // references to records are ever made.
        unsafe { &*core::ptr::with_exposed_provenance(at) }
    }

    /// The record of a thread that has done nothing yet: all zero.
    #[allow(clippy::new_without_default, reason = "the assembly has zeroed storage instead")]
    #[cfg_attr(
        all(target_arch = "x86_64", not(feature = "portable")),
        allow(dead_code, reason = "the assembly has zeroed storage instead")
    )]
    pub(crate) const fn new() -> Self {
        const fn zero() -> AtomicUsize {
            AtomicUsize::new(0)
        }
        Self {
            asked_size: zero(),
            asked_align: zero(),
            slot: Slot::new(),
            stack: StackWords {
                low: zero(),
                high: zero(),
                guard_bytes: zero(),
                zone_base: zero(),
                zone_len: zero(),
                altstack: zero(),
                altstack_len: zero(),
            },
            tid: AtomicU32::new(0),
            stage: AtomicU32::new(0),
            dying: AtomicBool::new(false),
            fallible: AtomicU32::new(0),
            locking: zero(),
            clusters: ClusterWords {
                current: zero(),
                id: zero(),
                leaf: zero(),
                index: zero(),
                first: Guarded::new(0),
                free: Guarded::new(0),
            },
            null: NullWords {
                size: zero(),
                align: zero(),
                live: zero(),
                peak: zero(),
                of: zero(),
                why: AtomicU32::new(0),
            },
        }
    }

    /// Where the thread is in its life.
    pub(crate) fn stage(&self) -> Stage {
        // ORDER: Relaxed. The thread's own word.
        match self.stage.load(Relaxed) {
            0 => Stage::New,
            1 => Stage::Arming,
            2 => Stage::Armed,
            _ => Stage::Left,
        }
    }

    /// Begins to arm the thread, if nobody has: a signal handler may come between any two steps.
    pub(crate) fn begin_arming(&self) -> bool {
        // ORDER: Relaxed. The thread's own word; an exchange, so that a handler on top of it
        // either sees it done, or has done it.
        self.stage
            .compare_exchange(Stage::New as u32, Stage::Arming as u32, Relaxed, Relaxed)
            .is_ok()
    }

    /// Sets where the thread is in its life.
    pub(crate) fn set_stage(&self, stage: Stage) {
        // ORDER: Relaxed. The thread's own word.
        self.stage.store(stage as u32, Relaxed);
    }

    /// Sets the stack pointer below which the fast path is left. In force from the next fold or
    /// cold charge on, which every caller is about to make.
    pub(crate) fn set_stack_limit(&self, limit: usize) {
        self.slot.set_stack_limit(limit);
    }

    /// Diverts every further call of this thread into the slow path, for good. It leaves its
    /// cluster for that.
    pub(crate) fn divert_all(&self) {
        // ORDER: Relaxed, both. The thread's own words.
        self.clusters.id.store(0, Relaxed);
        self.clusters.current.store(0, Relaxed);
        self.slot.divert_all();
    }

    /// Runs `f`, which takes the ledger's lock, and says so meanwhile to whoever holds it.
    pub(crate) fn locking<R>(&self, f: impl FnOnce() -> R) -> R {
        let before = self.locking.load(Relaxed); // ORDER: Relaxed. The thread's own word.
        // ORDER: Release, with the Acquire of `is_locking`: what was published before is seen.
        self.locking.store(before + 1, Release);
        let result = f();
        self.locking.store(before, Relaxed); // ORDER: Relaxed. What comes later is seen later.
        result
    }

    /// Whether the thread waits for the ledger's lock, or holds it. For whoever holds it.
    pub(crate) fn is_locking(&self) -> bool {
        // ORDER: Acquire, with the Release of `locking`.
        self.locking.load(Acquire) != 0
    }

    /// Whether the thread is the one that ends the process.
    pub(crate) fn is_dying(&self) -> bool {
        // ORDER: Relaxed. The thread's own word.
        self.dying.load(Relaxed)
    }
}
