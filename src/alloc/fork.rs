//! The accounts of a forked child.
//!
//! Layer 6.  Plane: data.
//!
//! A fork through the C library runs our handlers: the ledger's lock is held across it, and the
//! child puts back what its parent's other threads had leased. Ours are registered by the first
//! constructor, so they are the last to run before the fork and the first to run after it.
//!
//! `_Fork`, or a raw `clone`, runs no handlers. So a word lives in a page that the kernel wipes in
//! every forked child (`MADV_WIPEONFORK`): before the lock is taken, a zero there says that this
//! is a child nobody has told of it.

use once_cell::race::OnceRef;

use crate::sync::{AtomicU32, Ordering::Relaxed};
use crate::sys::{file, process, wiped};
use crate::terminate;
use crate::thread::record;

use super::clusters;
use super::machine::LEDGER;
use super::seat::Seat;

/// The word that is zero in a forked child, where the kernel has one to give.
static BORN: OnceRef<'static, AtomicU32> = OnceRef::new();

/// Registers for forks. `false` if the kernel or the C library refuses.
pub(super) fn install() -> bool {
    if let Some(word) = wiped::word() {
        // It is the first: start-up happens once.
        let _ = BORN.set(word);
        set_born();
    }
    crate::sys::thread::at_fork(prepare, parent, child)
}

fn set_born() {
    if let Some(word) = BORN.get() {
        word.store(1, Relaxed); // ORDER: Relaxed. No other thread looks before it is set.
    }
}

extern "C" fn prepare() {
    record().locking(|| LEDGER.machine().lock.hold_for_fork());
}

extern "C" fn parent() {
    LEDGER.machine().lock.release_after_fork();
}

extern "C" fn child() {
    adopt();
    LEDGER.machine().lock.release_after_fork();
}

/// Makes the accounts those of a process with one thread.
fn adopt() {
    set_born();
    terminate::adopt();
    let record = record();
    record.tid.store(process::tid(), Relaxed); // ORDER: Relaxed. The thread's own word.
    LEDGER.forked(|slot, is_roots| {
        if is_roots {
            core::ptr::eq(slot, &record.slot)
        } else {
            // SAFETY: all slots of clusters are seats'.
            unsafe { Seat::of(slot) }.is_of(record)
        }
    });
    clusters::adopt(record);
}

/// Sees to it that a child which was forked without handlers has accounts of its own. If another
/// thread held the lock at that moment, they are torn, and the child must not go on.
#[inline]
pub(super) fn notice() {
    if is_unnoticed() {
        notice_child();
    }
}

/// Whether this is a child whose accounts are still its parent's.
#[inline]
pub(super) fn is_unnoticed() -> bool {
    // ORDER: Relaxed. Only a child's single thread can find zero.
    BORN.get().is_some_and(|word| word.load(Relaxed) == 0)
}

#[cold]
fn notice_child() {
    // ORDER: Relaxed. The thread's own word, from before the fork.
    let former = record().tid.load(Relaxed);
    if LEDGER.machine().lock.still_held_for_fork(former) {
        // A handler that was registered before ours allocates: ours is still to come.
        return adopt();
    }
    if LEDGER.machine().lock.is_orphaned() {
        const LINE: &[u8] = b"failfast: forked without handlers while another thread was in the \
            ledger: the child cannot know what it owns (use fork(), or exec at once)\n";
        let _ = file::write_all(2, LINE); // There is nobody else to tell.
        process::exit_now(134);
    }
    adopt();
}
