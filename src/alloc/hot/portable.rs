//! The fast path in plain Rust.
//!
//! Layer 6.  Plane: data.

use crate::ledger::Hot;
use crate::sync::{Ordering::*, compiler_fence};
use crate::sys::registers::stack_pointer;
use crate::thread::{Record, record};

/// Charges `size` bytes. `false`: the charge is entered, and must go on out of line.
#[inline(always)]
pub(in crate::alloc) fn charge(size: usize, align: usize) -> bool {
    let record = record();
    let entered = record.slot.charge_hot(size as isize, stack_pointer(), light);
    complete(record, entered, size, align)
}

/// The same for a block that grows by `size` bytes, whose owner may be a cluster.
#[inline(always)]
pub(in crate::alloc) fn charge_growth(size: usize, align: usize) -> bool {
    let record = record();
    let entered = record.slot.charge_growth_hot(size as isize, stack_pointer(), light);
    complete(record, entered, size, align)
}

#[inline(always)]
pub(super) fn light() {
    // ORDER: the light half of the asymmetric fence; see `ledger::Machine`.
    compiler_fence(SeqCst);
}

#[inline(always)]
fn complete(record: &Record, charged: Hot, size: usize, align: usize) -> bool {
    if charged != Hot::Done {
        return false;
    }
    // ORDER: Relaxed, both. The thread's own words.
    record.asked_size.store(size, Relaxed);
    record.asked_align.store(align, Relaxed);
    true
}

/// Refunds `size` bytes.
#[inline(always)]
pub(in crate::alloc) fn refund(size: usize) -> Hot {
    record().slot.refund_hot(size as isize, stack_pointer())
}

/// Whether nothing diverts a refund.
#[inline(always)]
pub(in crate::alloc) fn may_free() -> bool {
    record().slot.refund_hot_allowed(stack_pointer())
}

/// Refunds `size` bytes, after `may_free`. `false`: it is entered, and must go on out of line.
#[inline(always)]
pub(in crate::alloc) fn refund_after(size: usize) -> bool {
    !record().slot.refund(size as isize)
}
