//! The part of a stack that must not be entered.
//!
//! Layer 5.  Plane: data.

use crate::sync::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use crate::sys::stack::{Bounds, mark_of_first};
use crate::thread::Record;

/// What is kept free at a stack's end, for the inner allocator and for whatever it calls.
const RED_ZONE_BYTES: usize = 32 * 1024;

/// The stack budget of every thread; `usize::MAX` for none.
static BUDGET_BYTES: AtomicUsize = AtomicUsize::new(usize::MAX);
/// Whether a thread that is over its budget goes on.
static OBSERVING: AtomicBool = AtomicBool::new(false);

/// Sets the budget of every thread that is armed from now on.
pub(super) fn set_budget(bytes: usize, observing: bool) {
    // ORDER: Relaxed, both. Written at start, before any thread is armed.
    BUDGET_BYTES.store(bytes, Relaxed);
    OBSERVING.store(observing, Relaxed);
}

/// The budget of every thread, if there is one.
pub(super) fn budget() -> Option<usize> {
    // ORDER: Relaxed. As in `set_budget`.
    Some(BUDGET_BYTES.load(Relaxed)).filter(|&bytes| bytes != usize::MAX)
}

/// Whether a thread that is over its budget goes on.
pub(super) fn is_observing() -> bool {
    OBSERVING.load(Relaxed) // ORDER: Relaxed. As in `set_budget`.
}

/// How much of a stack of `size` bytes is kept free.
pub(super) fn red_zone(size: usize) -> usize {
    RED_ZONE_BYTES.min(size / 4)
}

/// Whether the budget of this thread was lifted: it has been over it, in observe mode.
pub(super) fn is_lifted(record: &Record) -> bool {
    let bounds = bounds(record);
    let len = record.stack.zone_len.load(Relaxed); // ORDER: Relaxed. The thread's own word.
    is_observing() && is_known(record) && len == red_zone(bounds.high - bounds.low)
}

/// Sets the thread's bounds, and the zone within them.
pub(super) fn set(record: &Record, bounds: Bounds, budget: Option<usize>) {
    let size = bounds.high - bounds.low;
    let over_budget = budget.map_or(0, |budget| size.saturating_sub(budget));
    let len = red_zone(size).max(over_budget);
    let words = &record.stack;
    // ORDER: Relaxed, all. The thread's own words.
    words.low.store(bounds.low, Relaxed);
    words.high.store(bounds.high, Relaxed);
    words.guard_bytes.store(bounds.guard_bytes, Relaxed);
    words.zone_base.store(bounds.low, Relaxed);
    words.zone_len.store(len, Relaxed);
    record.set_stack_limit(bounds.low + len);
}

/// The thread's bounds; all zero if they are unknown.
pub(super) fn bounds(record: &Record) -> Bounds {
    let words = &record.stack;
    // ORDER: Relaxed, all. The thread's own words.
    Bounds {
        low: words.low.load(Relaxed),
        high: words.high.load(Relaxed),
        guard_bytes: words.guard_bytes.load(Relaxed),
    }
}

/// Whether the thread's bounds are known.
#[inline]
pub(super) fn is_known(record: &Record) -> bool {
    record.stack.zone_len.load(Relaxed) != 0 // ORDER: Relaxed. The thread's own word.
}

/// Where the zone ends: the lowest stack pointer that is allowed.
#[inline]
pub(super) fn end(record: &Record) -> usize {
    // ORDER: Relaxed, both. The thread's own words.
    record.stack.zone_base.load(Relaxed) + record.stack.zone_len.load(Relaxed)
}

/// Whether `address` is within the zone.
pub(super) fn contains(record: &Record, address: usize) -> bool {
    // ORDER: Relaxed, both. The thread's own words.
    let (base, len) = (record.stack.zone_base.load(Relaxed), record.stack.zone_len.load(Relaxed));
    address.wrapping_sub(base) < len
}

/// Whether `address` is on the thread's own stack.
pub(super) fn is_on(record: &Record, address: usize) -> bool {
    let bounds = bounds(record);
    (bounds.low..bounds.high).contains(&address)
}

/// Whether the stack is the one that the process was started with.
pub(super) fn is_first(record: &Record) -> bool {
    is_on(record, mark_of_first())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: usize = 0x10_0000;

    fn zone_of(size: usize, budget: Option<usize>) -> usize {
        let record = Record::new();
        set(&record, Bounds { low: LOW, high: LOW + size, guard_bytes: 4096 }, budget);
        assert!(contains(&record, LOW) && contains(&record, end(&record) - 1));
        assert!(!contains(&record, LOW - 1) && !contains(&record, end(&record)));
        end(&record) - LOW
    }

    #[test]
    fn s2_a_red_zone_is_kept_of_every_stack() {
        assert_eq!(zone_of(8 << 20, None), 32 << 10);
        assert_eq!(zone_of(16 << 10, None), 4 << 10);
    }

    #[test]
    fn a_budget_below_the_stack_widens_the_zone() {
        assert_eq!(zone_of(8 << 20, Some(1 << 20)), 7 << 20);
    }

    #[test]
    fn a_budget_that_reaches_the_red_zone_changes_nothing() {
        for budget in [(8 << 20) - (32 << 10), 8 << 20, 64 << 20, usize::MAX - 1] {
            assert_eq!(zone_of(8 << 20, Some(budget)), 32 << 10);
        }
    }
}
