//! What a process, and each of its threads, needs to notice the end of a stack.
//!
//! Layer 5.  Plane: data.

use crate::config::{Mode, Settings};
use crate::sync::Ordering::Relaxed;
use crate::sys::memory::Mapping;
use crate::sys::registers::stack_pointer;
use crate::sys::stack::{self, Bounds};
use crate::sys::{altstack, memory, process};
use crate::thread::Record;

use super::{handler, spare, zone};

/// Has overflows noticed in this process. At start, before the runtime looks for handlers of
/// others: it leaves alone what it finds.
pub(crate) fn arm_process(settings: &Settings) {
    zone::set_budget(settings.stack_budget_bytes, settings.mode == Mode::Observe);
    handler::install();
}

/// Finds the running thread's bounds, and gives it an alternate stack unless it has one. At its
/// first allocation.
pub(crate) fn arm_thread(record: &Record) {
    find_bounds(record);
    if altstack::is_set() {
        return; // Somebody else's, who will take it away again.
    }
    let mapping = spare::take().or_else(|| memory::map_guarded(altstack::wanted_bytes()));
    let Some(mapping) = mapping else { return };
    // A thread that is told to stop must not need memory for that.
    memory::make_end_resident(mapping, altstack::needed_bytes());
    // SAFETY: a fresh mapping, or one whose thread is gone; this thread's until it is gone itself.
    if unsafe { altstack::enable(mapping) } {
        // ORDER: Relaxed, both. The thread's own words.
        record.stack.altstack.store(mapping.base, Relaxed);
        record.stack.altstack_len.store(mapping.len, Relaxed);
    } else {
        // SAFETY: made by `map_guarded`, and used by nobody.
        unsafe { memory::unmap_guarded(mapping) };
    }
}

/// The running thread is ending. Its alternate stack stays until it has ended, for destructors that
/// come later; even if somebody has put another in its place, who may put it back.
pub(crate) fn disarm_thread(record: &Record) {
    // ORDER: Relaxed, both. The thread's own words.
    let base = record.stack.altstack.swap(0, Relaxed);
    let len = record.stack.altstack_len.swap(0, Relaxed);
    let mapping = Mapping { base, len };
    if base == 0 || spare::keep(mapping) {
        return;
    }
    if altstack::is(mapping) && altstack::disable() {
        // SAFETY: made by `map_guarded`; the kernel does not know it any more, and this thread,
        // whose only it was, is not on it: `disable` would have been refused.
        unsafe { memory::unmap_guarded(mapping) };
    }
}

/// Finds the running thread's bounds, as they are now. Without them nothing is judged.
pub(super) fn find_bounds(record: &Record) {
    let errno = process::errno();
    let lifted = zone::is_lifted(record);
    if let Some(bounds) = bounds_now(record) {
        zone::set(record, bounds, zone::budget().filter(|_| !lifted));
    }
    process::set_errno(errno);
}

fn bounds_now(record: &Record) -> Option<Bounds> {
    // In a child forked by another thread, that thread's stack is the first one's, but by number.
    if zone::is_first(record) || (!zone::is_known(record) && process::tid() == process::pid()) {
        let first = stack::of_first();
        if first.is_some_and(|first| (first.low..first.high).contains(&stack_pointer())) {
            return first;
        }
        if zone::is_first(record) {
            return first;
        }
    }
    stack::of_this_thread()
}
