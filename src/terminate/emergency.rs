//! The stack on which dying happens.
//!
//! Layer 4.  Plane: failure.
//!
//! The failing stack may have no room left; it may be a fiber's, or a small alternate one. So the
//! elected thread leaves it at once, for one that was mapped and touched at start. Faults up there
//! are handled on an alternate stack of its own: the thread may have none, and the one it has may
//! hold the frames of the handler that led here.

use core::ffi::c_void;

use crate::sys::memory::{self, Known};
use crate::sys::registers::stack_pointer;
use crate::sys::{altstack, sanitizer, switch};

/// How large it is. The hook runs on it.
const STACK_BYTES: usize = 256 * 1024;

static STACK: Known = Known::new();
static ALTSTACK: Known = Known::new();

/// Maps both stacks, unless that was done before.
pub(super) fn prepare() {
    for (known, bytes) in [(&STACK, STACK_BYTES), (&ALTSTACK, altstack::wanted_bytes())] {
        if known.get().is_some() {
            continue;
        }
        if let Some(mapping) = memory::map_guarded(bytes) {
            // Otherwise a child that is forked meanwhile could make us copy the pages, which the
            // machine may have no room for.
            memory::wipe_on_fork(mapping);
            memory::make_resident(mapping);
            known.set(mapping);
        }
    }
}

/// Goes on with `entry(argument)` on the emergency stack; if there is none, where it is.
///
/// # Safety
///
/// * Only the elected thread calls it.
/// * `entry(argument)` is sound, and the frames on the emergency stack, if it is there that we are
///   called from a signal handler, are not needed any more.
pub(super) unsafe fn go_on(entry: switch::Entry, argument: *const c_void) -> ! {
    match STACK.get() {
        Some(stack) if !is_on(stack_pointer()) => {
            let going = Going { entry, argument };
            sanitizer::leave_for(stack);
            // SAFETY: a page-aligned end of our own mapping, which only the elected thread uses;
            // `arrive` takes a `Going`, which lies in this frame, and nothing here returns.
            unsafe { switch::call_on(stack.end(), arrive, (&raw const going).cast()) }
        }
        _ => {
            // SAFETY: the caller's clause.
            unsafe { entry(argument) }
        }
    }
}

/// What goes on there.
struct Going {
    entry: switch::Entry,
    argument: *const c_void,
}

/// # Safety
///
/// `going` is a `Going`, whose `entry(argument)` is sound.
unsafe extern "C" fn arrive(going: *const c_void) -> ! {
    sanitizer::arrive();
    // SAFETY: the first clause.
    let Going { entry, argument } = unsafe { going.cast::<Going>().read() };
    // SAFETY: the second.
    unsafe { entry(argument) }
}

/// Whether `address` is on the emergency stack.
pub(super) fn is_on(address: usize) -> bool {
    STACK.get().is_some_and(|stack| (stack.base..=stack.end()).contains(&address))
}

/// Whether `address` is in the guard below the emergency stack.
pub(super) fn is_below(address: usize) -> bool {
    STACK.get().is_some_and(|stack| {
        (stack.base.saturating_sub(memory::page_bytes())..stack.base).contains(&address)
    })
}

/// Has faults of this thread handled on the alternate stack that goes with the emergency stack.
pub(super) fn handle_faults_apart() {
    if let Some(mapping) = ALTSTACK.get() {
        // If the thread still is on its old one, that one has to do.
        // SAFETY: only the elected thread uses it, and it is never unmapped.
        let _ = unsafe { altstack::enable(mapping) };
    }
}
