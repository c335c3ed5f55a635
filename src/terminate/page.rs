//! What a forked child must not inherit.
//!
//! Layer 4.  Plane: failure.
//!
//! The state of dying lives in memory that the kernel shows to a forked child as zeroes
//! (`MADV_WIPEONFORK`), so a child that is forked while its parent dies is as if nothing had
//! happened, whatever way it was forked. A child that shares our memory (`vfork`) sees our number
//! there and not its own, and keeps its hands off.

use crate::sync::{AtomicPtr, AtomicU32, AtomicUsize, Ordering::*};
use crate::sys::{memory, process};

use super::deadline::Deadline;
use super::election::Election;
use super::end;
use super::halted::Halted;
use super::tell::Told;
use super::tracer::Tracer;

/// The state of dying; all zero while all is well.
pub(super) struct Page {
    /// The process it belongs to; 0 before start, and in a forked child.
    pid: AtomicU32,
    pub(super) election: Election,
    /// The step that the elected thread is in.
    pub(super) step: AtomicU32,
    /// Who has begun the last step: a thread's number, or 0.
    ended: AtomicU32,
    pub(super) deadline: Deadline,
    pub(super) halted: Halted,
    pub(super) tracer: Tracer,
    /// How much of the reserve was handed out.
    pub(super) reserve_used: AtomicUsize,
    /// Where the supervisor's record is.
    pub(super) told: Told,
    /// Whether a forked child does not see any of this.
    is_wiped: AtomicU32,
}

/// Where the page is, once it is mapped.
static MAPPED: AtomicPtr<Page> = AtomicPtr::new(core::ptr::null_mut());

/// What serves a program that dies without having been prepared. A forked child would inherit it:
/// if the parent was dying already, the child ends by SIGABRT without a word.
static UNPREPARED: Page = Page {
    pid: AtomicU32::new(0),
    election: Election::new(),
    step: AtomicU32::new(0),
    ended: AtomicU32::new(0),
    deadline: Deadline::new(),
    halted: Halted::new(),
    tracer: Tracer::new(),
    reserve_used: AtomicUsize::new(0),
    told: Told::new(),
    is_wiped: AtomicU32::new(0),
};

/// Maps the page, and makes it this process's. Once; before anything can fail.
pub(super) fn prepare() {
    // ORDER: Relaxed. Only this function writes the pointer, and it runs in one thread.
    if !MAPPED.load(Relaxed).is_null() {
        return;
    }
    let Some(mapping) = memory::map(size_of::<Page>()) else { return };
    let is_wiped = memory::wipe_on_fork(mapping);
    memory::make_resident(mapping);
    let page = core::ptr::with_exposed_provenance_mut::<Page>(mapping.base);
    // ORDER: Release, with the Acquire of `page`. What it publishes are zeroes.
    MAPPED.store(page, Release);
    self::page().is_ours();
    // ORDER: Relaxed. Read by this thread, at start.
    self::page().is_wiped.store(u32::from(is_wiped), Relaxed);
}

/// The page.
pub(super) fn page() -> &'static Page {
    // ORDER: Acquire, with the Release of `prepare`.
    let mapped = MAPPED.load(Acquire);
    // SAFETY: null, or a mapping that is never undone, aligned to a page, whose zeroes are a valid
    // `Page`; all of its fields have interior mutability.
    unsafe { mapped.as_ref() }.unwrap_or(&UNPREPARED)
}

/// Lets a thread into the allocator, unless another one is ending the process: then it stops here.
#[inline]
pub(crate) fn pass_gate() {
    if page().elected().is_some() && is_dying() && !page().is_elected() {
        end::at_gate();
    }
}

/// Makes the state that of a forked child, before the child can have one of its own in its memory,
/// which would otherwise take it for its own.
pub(crate) fn adopt() {
    page().is_ours();
}

/// Whether some thread is ending this process.
pub(crate) fn is_dying() -> bool {
    page().is_dying()
}

impl Page {
    /// Whether the state is that of the running process. `false` in a child that shares our memory.
    pub(super) fn is_ours(&self) -> bool {
        let me = process::pid();
        // ORDER: Relaxed, both. The number is the whole message: in a forked child the rest of the
        // page is zero, whoever looks.
        match self.pid.compare_exchange(0, me, Relaxed, Relaxed) {
            Ok(_) => true,
            Err(owner) => owner == me,
        }
    }

    /// Whether a forked child sees zeroes in place of all this.
    pub(super) fn is_wiped(&self) -> bool {
        self.is_wiped.load(Relaxed) != 0 // ORDER: Relaxed. As where it is stored.
    }

    /// Whether the running thread is the one that is ending this process.
    pub(super) fn is_elected(&self) -> bool {
        self.is_ours() && self.election.winner() == Some(process::tid())
    }

    /// The number of the thread that is ending this process, whichever process is asking.
    pub(super) fn elected(&self) -> Option<u32> {
        self.election.winner()
    }

    /// Claims the last step for `thread`. One thread's claim succeeds, once.
    pub(super) fn claim_end(&self, thread: u32) -> bool {
        // ORDER: Relaxed, both. The claim is the whole message: what the elected thread has noted
        // is read by another only after that one was stopped.
        self.ended.compare_exchange(0, thread, Relaxed, Relaxed).is_ok()
    }

    /// Whether `thread`, which is the calling one, has begun the last step.
    pub(super) fn has_claimed_end(&self, thread: u32) -> bool {
        self.ended.load(Relaxed) == thread // ORDER: Relaxed. The thread's own claim, or another's.
    }

    /// Whether some thread is ending this process.
    pub(super) fn is_dying(&self) -> bool {
        self.is_ours() && self.election.winner().is_some()
    }
}
