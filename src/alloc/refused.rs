//! The inner allocator has returned null.
//!
//! Layer 6.  Plane: data.
//!
//! What was charged is refunded; then it is a death like any other, or null inside `fallible`.

use core::alloc::Layout;
use core::ptr;

use super::block::Block;
use super::clusters::{self, Which};
use super::fallible;
use super::machine::LEDGER;
use super::seat::Seat;
use super::slow::{Admit, death};
use super::{entered, inside};
use crate::cause::Cause;
use crate::ledger::Slot;
use crate::sync::Ordering::Relaxed;
use crate::sys::process;
use crate::terminate;
use crate::thread::{Record, record};

/// The inner allocator returned null for a charge that the record remembers.
#[cold]
#[inline(never)]
pub(super) fn inner_refused() -> *mut u8 {
    let record = record();
    // ORDER: Relaxed, both. The thread's own words.
    let (bytes, align) = (record.asked_size.load(Relaxed), record.asked_align.load(Relaxed));
    if let Some(seat) = entered::current_seat(record) {
        return came_round(record, seat, bytes, align);
    }
    refused_by_inner(Some(&record.slot), None, bytes, bytes, align)
}

/// In a cluster, a request of nearly all that a word can say: `avail`, which is scratch there, has
/// come round to a positive number, so that the charge passed for one of the root's.
fn came_round(record: &Record, seat: &'static Seat, bytes: usize, align: usize) -> *mut u8 {
    record.slot.wipe_scratch();
    // SAFETY: the layout that was asked for.
    let layout = unsafe { Layout::from_size_align_unchecked(bytes, align) };
    match inside::charge(seat, bytes, layout) {
        Admit::Inner => inner_refused_inside(Some(seat), seat.block(), bytes, bytes, align),
        Admit::Reserve | Admit::Null => ptr::null_mut(),
    }
}

/// The same for a block that was to grow to `new_size`.
#[cold]
#[inline(never)]
pub(super) fn inner_refused_growth(new_size: usize) -> *mut u8 {
    let record = record();
    // ORDER: Relaxed, both. The thread's own words.
    let (bytes, align) = (record.asked_size.load(Relaxed), record.asked_align.load(Relaxed));
    if entered::current_seat(record).is_some() {
        record.slot.wipe_scratch(); // As in `came_round`.
        return refused_by_inner(None, None, 0, new_size, align);
    }
    refused_by_inner(Some(&record.slot), None, bytes, new_size, align)
}

/// The same for a block that was to shrink: nothing was charged, and nothing is refunded.
#[cold]
#[inline(never)]
pub(super) fn inner_refused_shrink(new_size: usize, align: usize) -> *mut u8 {
    refused_by_inner(None, None, 0, new_size, align)
}

/// The same for a block of a cluster, `charged` in a seat or, without one, centrally.
#[cold]
#[inline(never)]
pub(super) fn inner_refused_inside(
    seat: Option<&'static Seat>,
    which: Which,
    charged: usize,
    requested: usize,
    align: usize,
) -> *mut u8 {
    refused_by_inner(seat.map(|seat| &seat.slot), which, charged, requested, align)
}

fn refused_by_inner(
    slot: Option<&Slot>,
    which: Which,
    charged: usize,
    requested: usize,
    align: usize,
) -> *mut u8 {
    let (errno, record) = (process::errno(), record());
    // A shrink has charged nothing; and it may be the first call of a thread that is not armed.
    match slot {
        _ if charged == 0 => {}
        Some(slot) => LEDGER.uncharge(slot, charged as isize),
        None => LEDGER.refund_account(clusters::account(which), charged as isize),
    }
    let figures = LEDGER.figures_in(clusters::account(which));
    if fallible::is_inside(record) {
        fallible::note(record, Cause::AllocatorRefused, requested, align, figures);
        process::set_errno(errno); // The inner allocator's, as if we were not there.
        return ptr::null_mut();
    }
    terminate::terminate(&death(Cause::AllocatorRefused, requested, align, figures))
}

/// A block of a cluster has moved where there is no memory to note its owner.
#[cold]
#[inline(never)]
pub(super) fn no_map(owner: &'static Block, requested: usize, align: usize) -> ! {
    let figures = LEDGER.figures_in(&owner.account);
    terminate::terminate(&death(Cause::AllocatorRefused, requested, align, figures))
}
