//! Whether a stack pointer is where it must not be, and what follows.
//!
//! Layer 5.  Plane: data.

use crate::cause::Cause;
use crate::report::{FoundBy, StackKind, StackSpan};
use crate::sys::stack;
use crate::terminate::{self, Death};
use crate::thread::Record;

use super::{arm, zone};

/// Judges the running thread's stack pointer, which was below the one word that the fast path
/// compares it with. Returns if that is all right: on another stack, or if there is more room than
/// there was.
pub(crate) fn judge(record: &Record, stack_pointer: usize) {
    if zone::contains(record, stack_pointer) {
        judge_reach(record, stack_pointer, stack_pointer);
    }
}

/// Judges whether the thread, whose stack pointer is `here`, may go down to `wanted`.
#[cold]
pub(super) fn judge_reach(record: &Record, here: usize, wanted: usize) {
    if record.is_dying() {
        return; // It is on the emergency stack, or about to leave for it.
    }
    refresh(record, here);
    if !zone::is_on(record, here) || wanted >= zone::end(record) {
        return;
    }
    condemn(record, here, wanted);
}

/// Finds the bounds if they are not known yet; and, on the first thread, if the stack pointer may
/// be on a stack that was given more room (S3).
fn refresh(record: &Record, here: usize) {
    let high = zone::bounds(record).high;
    let may_be_on = zone::is_on(record, here) || stack::is_within_limit(high.wrapping_sub(here));
    if !zone::is_known(record) || (zone::is_first(record) && may_be_on) {
        arm::find_bounds(record);
    }
}

/// Over the budget, or into the red zone. Returns in observe mode, where there was only a budget to
/// exceed.
fn condemn(record: &Record, here: usize, wanted: usize) {
    let bounds = zone::bounds(record);
    let used = bounds.high - wanted;
    let in_red_zone = wanted < bounds.low.saturating_add(zone::red_zone(bounds.high - bounds.low));
    let budget = zone::budget().filter(|&budget| used > budget && !zone::is_lifted(record));
    let span = StackSpan {
        address: if budget.is_some() { zone::end(record) } else { bounds.low },
        pointer: here,
        low: bounds.low,
        high: bounds.high,
        used,
        budget,
        found_by: FoundBy::Probe,
        kind: StackKind::Thread,
    };
    let death = |cause| death(cause, span);
    match budget {
        Some(_) if zone::is_observing() => {
            terminate::observe(&death(Cause::StackBudget));
            zone::set(record, bounds, None);
            if in_red_zone {
                terminate::terminate(&death(Cause::StackOverflow));
            }
        }
        Some(_) => terminate::terminate(&death(Cause::StackBudget)),
        None => terminate::terminate(&death(Cause::StackOverflow)),
    }
}

/// The death of a thread that has come to the end of a stack.
pub(super) fn death(cause: Cause, span: StackSpan) -> Death<'static> {
    Death {
        cause,
        requested: 0,
        align: 0,
        account: None,
        stack: Some(span),
        message: None,
        context: core::ptr::null_mut(),
    }
}
