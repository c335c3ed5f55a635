//! What a call does that leaves the fast path.
//!
//! Layer 6.  Plane: data.
//!
//! In this order, whatever the reason was: a dying thread is served from the reserve; the first
//! call of all starts the process, the first of a thread arms it; the stack pointer is judged by
//! the real range of its stack; the ledger completes the charge or refuses it.

use core::alloc::Layout;
use core::ptr;

use crate::cause::Cause;
use crate::config::{Config, Mode};
use crate::ledger::{Figures, Machine as _, Refusal, Slot, UNLIMITED};
use crate::report::Account;
use crate::stack;
use crate::sync::{AtomicBool, Ordering::Relaxed};
use crate::sys::registers::stack_pointer;
use crate::terminate::{self, Death, reserve};
use crate::thread::{Record, Stage, record};

use super::block::Block;
use super::budgets;
use super::clusters::{self, Which};
use super::machine::LEDGER;
use super::seat::Seat;
use super::{fallible, owners, refused, start};

/// Whether it was said that the budget is exceeded, and only observed.
static OBSERVED: AtomicBool = AtomicBool::new(false);

/// Who serves a call.
#[must_use]
pub(super) enum Admit {
    /// The inner allocator; a charge is complete.
    Inner,
    /// The reserve: this thread is ending the process.
    Reserve,
    /// Nobody: the answer is null.
    Null,
}

/// How a call came here.
#[derive(Clone, Copy)]
pub(super) enum Entry {
    /// Its charge is entered in `avail` already.
    Entered,
    /// Its charge is entered in `avail`, and in the seat's too.
    EnteredInside,
    /// It has not been on the fast path: its allocator may ask for something else than the
    /// process's does. With the digest of what it asks for.
    Stranger(u64),
}

/// Goes on with a charge of `bytes` that left the fast path. `layout` is what was asked for.
pub(super) fn charge(config: &Config, entry: Entry, bytes: usize, layout: Layout) -> Admit {
    let record = record();
    if record.is_dying() {
        if !matches!(entry, Entry::Stranger(_)) {
            // It is in `avail`: others must not wait for it to be explained.
            LEDGER.publish(&record.slot, bytes as isize);
        }
        return Admit::Reserve;
    }
    terminate::pass_gate();
    start::ensure(config);
    ready(record);
    if let Entry::Stranger(asks) = entry {
        start::agree(config, asks);
        enter(record, bytes);
    }
    // ORDER: Relaxed, both. The thread's own words.
    record.asked_size.store(bytes, Relaxed);
    record.asked_align.store(layout.align(), Relaxed);
    match LEDGER.charge_diverted(&record.slot, bytes as isize) {
        Ok(()) => Admit::Inner,
        Err(refusal) => refused(Some(&record.slot), None, refusal, bytes, layout),
    }
}

/// Goes on with a charge to a cluster's account that left the fast path.
#[cold]
#[inline(never)]
pub(super) fn charge_inside(seat: &'static Seat, bytes: usize, layout: Layout) -> Admit {
    let record = record();
    terminate::pass_gate();
    ready(record);
    seat.slot.set_stack_limit(record.slot.stack_limit());
    let result = LEDGER.charge_diverted(&seat.slot, bytes as isize);
    match result {
        Ok(()) if owners::fits(layout.size()) => Admit::Inner,
        Ok(()) => {
            let (size, align) = (layout.size(), layout.align());
            refused::inner_refused_inside(Some(seat), seat.block(), bytes, size, align);
            Admit::Null
        }
        Err(refusal) => refused(Some(&seat.slot), seat.block(), refusal, bytes, layout),
    }
}

/// Charges a cluster's account by a thread that has no seat in it, for a block that grows.
pub(super) fn charge_centrally(owner: &'static Block, bytes: usize, layout: Layout) -> Admit {
    terminate::pass_gate();
    match LEDGER.charge_account(&owner.account, bytes as isize) {
        Ok(()) if owners::fits(layout.size()) => Admit::Inner,
        Ok(()) => {
            let (size, align) = (layout.size(), layout.align());
            refused::inner_refused_inside(None, Some(owner), bytes, size, align);
            Admit::Null
        }
        Err(refusal) => refused(None, Some(owner), refusal, bytes, layout),
    }
}

/// Compares the configuration of a `FailFast` that may be another one with the process's.
#[cold]
pub(super) fn agree(config: &Config, asks: u64) {
    start::agree(config, asks);
}

/// Enters a charge in `avail`, for a call that has not been on the fast path.
fn enter(record: &Record, bytes: usize) {
    enter_in(&record.slot, bytes);
}

fn enter_in(slot: &Slot, bytes: usize) {
    // What `charge_diverted` expects, the light fence included; its answer is found again there.
    let light = || LEDGER.machine().light();
    let _ = slot.charge_hot(bytes as isize, stack_pointer(), light);
}

/// Whether a call that frees may go on to the inner allocator; what left the fast path has entered
/// nothing. `Null` is not among the answers.
pub(super) fn may_free(config: &Config) -> Admit {
    let record = record();
    if record.is_dying() {
        return Admit::Reserve;
    }
    terminate::pass_gate();
    start::ensure(config);
    ready(record);
    Admit::Inner
}

/// Enters a refund, and folds if that is due.
pub(super) fn refund(config: &Config, bytes: usize) {
    if record().slot.refund(bytes as isize) {
        fold(config);
    }
}

/// Goes on with a refund that is entered, and whose fold is due.
#[cold]
#[inline(never)]
pub(super) fn fold(config: &Config) {
    let record = record();
    if !record.is_dying() {
        terminate::pass_gate();
    }
    start::ensure(config);
    ready(record);
    LEDGER.fold(&record.slot);
}

/// Arms the thread if it is new, and judges its stack pointer.
fn ready(record: &'static Record) {
    if record.stage() == Stage::New {
        start::arrive(record);
    }
    stack::judge(record, stack_pointer());
}

/// The ledger refused a charge of `slot`, or a central one of the cluster `which`.
#[cold]
fn refused(
    slot: Option<&Slot>,
    which: Which,
    refusal: Refusal,
    bytes: usize,
    layout: Layout,
) -> Admit {
    let record = record();
    let (figures, cause) = match refusal {
        // More than the address space holds, with no budget: the inner allocator would refuse it.
        Refusal::OverBudget(f) if f.budget == UNLIMITED => (f, Cause::AllocatorRefused),
        Refusal::OverBudget(f) => (f, Cause::HeapBudget),
        Refusal::Unsettled(f) => (f, Cause::LedgerUnsettled),
    };
    let death = death(cause, bytes, layout.align(), figures);
    if cause != Cause::AllocatorRefused && start::settings().mode == Mode::Observe {
        let short = budgets::of(&figures);
        // ORDER: Relaxed. Whoever is first says it, for all.
        if !short.map_or(&OBSERVED, |block| &block.observed).swap(true, Relaxed) {
            terminate::observe(&death);
        }
        LEDGER.lift_budget(clusters::account(short));
        // Without a budget only a request beyond the address space is refused, here as above; or
        // one by a cluster further up.
        let again = match slot {
            Some(slot) => {
                enter_in(slot, bytes);
                LEDGER.charge_diverted(slot, bytes as isize)
            }
            None => LEDGER.charge_account(clusters::account(which), bytes as isize),
        };
        return match again {
            Ok(()) => Admit::Inner,
            Err(refusal) => refused(slot, which, refusal, bytes, layout),
        };
    }
    if fallible::is_inside(record) {
        fallible::note(record, cause, bytes, layout.align(), figures);
        return Admit::Null;
    }
    terminate::terminate(&death)
}

pub(super) fn death(
    cause: Cause,
    requested: usize,
    align: usize,
    figures: Figures,
) -> Death<'static> {
    Death {
        cause,
        requested,
        align,
        account: Some(account_of(figures)),
        stack: None,
        message: None,
        context: ptr::null_mut(),
    }
}

/// The account that figures are of, for a report. The budget is the one configured, even when it is
/// lifted.
pub(super) fn account_of(figures: Figures) -> Account {
    let root = || {
        let (live, peak) = (figures.live as usize, figures.peak as usize);
        Account::new("root", live, peak, start::root_budget())
    };
    budgets::of(&figures).map_or_else(root, |block| block.report(figures))
}

/// A block for the dying thread.
pub(super) fn reserved(layout: Layout) -> *mut u8 {
    reserve::alloc(layout)
}

/// A larger block for the dying thread, with the contents of one of `size` bytes, which may be the
/// inner allocator's.
///
/// # Safety
///
/// `ptr` is readable for `size` bytes.
pub(super) unsafe fn reserved_copy(ptr: *mut u8, size: usize, new: Layout) -> *mut u8 {
    let block = reserve::alloc(new);
    if !block.is_null() {
        // SAFETY: the caller's promise; the new block is larger, and distinct.
        unsafe { ptr::copy_nonoverlapping(ptr, block, size) };
    }
    block
}
