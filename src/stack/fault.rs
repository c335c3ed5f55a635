//! Whether a fault is the end of a stack, and of which.
//!
//! Layer 5.  Plane: failure.
//!
//! It runs on whatever alternate stack the thread has, which may be small: no large buffers.

use crate::report::{FoundBy, StackKind, StackSpan};
use crate::sys::fault::Fault;
use crate::sys::memory::{is_readable, page_bytes};
use crate::sys::stack::Bounds;
use crate::sys::{signal, stack};
use crate::thread::Record;

use super::zone;

/// The stack that has ended, if that is what the fault is.
///
/// On Linux that end is always a SIGSEGV. SIGBUS is handled so that the runtime leaves it alone.
pub(super) fn overflowed(record: &Record, fault: &Fault) -> Option<StackSpan> {
    if !fault.is_by_instruction() || fault.signal != signal::SIGSEGV {
        return None;
    }
    let (at, known) = (At::of(fault), zone::bounds(record));
    if !at.is_near() && !(at.lowest()..known.high).contains(&at.address) {
        return None; // Most other faults end here, before the kernel is asked where the stack is.
    }
    let own = if zone::is_first(record) { stack::of_first().unwrap_or(known) } else { known };
    if !is_overflow(&at, &own, is_readable) {
        return None;
    }
    let (kind, bounds) = which(&at, own, fault.alternate_stack());
    Some(StackSpan {
        address: at.address,
        pointer: at.stack_pointer,
        low: bounds.low,
        high: bounds.high,
        used: bounds.high.saturating_sub(at.stack_pointer),
        budget: zone::budget().filter(|_| kind == StackKind::Thread),
        found_by: FoundBy::Guard,
        kind,
    })
}

/// How far below the stack pointer an instruction may reach: what a leaf function may use without
/// moving it (128 bytes on x86-64), or what one instruction stores before it moves it (512 bytes on
/// aarch64).
const BELOW: usize = 512;

/// How far above the stack pointer a frame is expected to reach that is touched for the first time.
const ABOVE: usize = 64 * 1024;

/// What the classification looks at.
#[derive(Clone, Copy, Debug)]
struct At {
    address: usize,
    stack_pointer: usize,
    instruction: usize,
}

impl At {
    fn of(fault: &Fault) -> Self {
        Self {
            address: fault.address(),
            stack_pointer: fault.stack_pointer(),
            instruction: fault.instruction(),
        }
    }

    /// The lowest address that the instruction may have meant as a part of its frame.
    fn lowest(&self) -> usize {
        self.stack_pointer.saturating_sub(BELOW)
    }

    /// Whether the address is next to the stack pointer.
    fn is_near(&self) -> bool {
        (self.lowest()..self.stack_pointer.saturating_add(ABOVE)).contains(&self.address)
    }
}

/// Whether a fault is the end of a stack.
///
/// A stack that is mapped does not fault. So a fault just below the stack pointer is the end of
/// whatever stack that is: the thread's, a fiber's, an alternate one; and, on the first thread's,
/// the place where the kernel refuses to let it grow. One above the stack pointer is a frame that
/// is touched for the first time, if the stack pointer itself has left the stack; else somebody
/// writes past the stack's upper end. A frame larger than `ABOVE` may be touched first anywhere in
/// it: the stack pointer then is where nothing is, and the address between it and the stack; or it
/// is in memory that is others', and the address must be in the guard.
fn is_overflow(at: &At, own: &Bounds, is_readable: impl Fn(usize) -> bool) -> bool {
    if at.address == at.instruction {
        return false; // A jump to where no code is.
    }
    let guard = own.low.saturating_sub(own.guard_bytes)..own.low;
    let is_in_guard = at.address >= at.lowest() && guard.contains(&at.address);
    let has_left = at.stack_pointer < own.low.saturating_add(page_bytes());
    let is_below = (at.lowest()..at.stack_pointer).contains(&at.address);
    let is_of_frame = at.is_near() || (at.stack_pointer..own.low).contains(&at.address);
    is_below || (is_of_frame && !is_readable(at.stack_pointer)) || (is_in_guard && has_left)
}

/// Which stack has ended, and its bounds. Without a sign of another it is the thread's own.
fn which(at: &At, own: Bounds, alternate: Option<(usize, usize)>) -> (StackKind, Bounds) {
    let page = page_bytes();
    if let Some((low, high)) = alternate
        && (low.saturating_sub(2 * page)..high).contains(&at.address)
        && (low.saturating_sub(ABOVE)..=high).contains(&at.stack_pointer)
    {
        return (StackKind::Signal, Bounds { low, high, guard_bytes: page });
    }
    let around_own = own.low.saturating_sub(own.guard_bytes.max(page))..own.high;
    if !around_own.contains(&at.address)
        && let Some(other) = stack::just_above(at.address, ABOVE)
        && other.low != own.low
    {
        return (StackKind::Other, other);
    }
    (StackKind::Thread, own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: usize = 0x7f00_0000_0000;
    const BOUNDS: Bounds = Bounds { low: LOW, high: LOW + (2 << 20), guard_bytes: 4096 };
    const CODE: usize = 0x5555_0000_0000;
    const FIBER: usize = 0x6000_0000_0000;

    /// The stack, and a fiber's of 64 KiB.
    fn is_mapped(address: usize) -> bool {
        (LOW..BOUNDS.high).contains(&address) || (FIBER..FIBER + (64 << 10)).contains(&address)
    }

    fn overflows(address: usize, stack_pointer: usize) -> bool {
        is_overflow(&At { address, stack_pointer, instruction: CODE }, &BOUNDS, is_mapped)
    }

    #[test]
    fn s4_the_end_of_the_stack() {
        assert!(overflows(LOW - 8, LOW), "a push");
        assert!(overflows(LOW - 128, LOW), "a leaf's red zone");
        assert!(overflows(LOW - 4000, LOW - 4000), "a probed frame");
        assert!(overflows(LOW - 8, LOW - 4000), "a frame touched from above");
        assert!(overflows(LOW - (100 << 20), LOW - (100 << 20)), "a frame that leaps over all");
        assert!(overflows(LOW - 100, LOW - (3 << 20)), "a frame touched in the guard first");
        assert!(overflows(LOW - (2 << 20), LOW - (9 << 20)), "a frame touched in its middle");
    }

    #[test]
    fn s4_the_end_of_another_stack() {
        assert!(overflows(FIBER - 8, FIBER));
        assert!(overflows(FIBER - 100, FIBER - 2000));
    }

    #[test]
    fn s4_anything_else() {
        let deep = LOW + (1 << 20);
        assert!(!overflows(0, deep), "null");
        assert!(!overflows(8, LOW + 16), "null, at the end of the stack");
        assert!(!overflows(0x1234_5678_9000, deep), "wild");
        assert!(!overflows(LOW - 100, deep), "into the guard, from elsewhere");
        assert!(!overflows(LOW - 3000, LOW + 2000), "into the guard, from a frame next to it");
        assert!(!overflows(LOW - (2 << 20), FIBER + 100), "below the stack, from a fiber");
        assert!(!overflows(BOUNDS.high, BOUNDS.high - 100), "past the upper end");
        assert!(!overflows(FIBER + (64 << 10), FIBER + (63 << 10)), "past a fiber's");
        let jump = At { address: deep, stack_pointer: deep, instruction: deep };
        assert!(!is_overflow(&jump, &BOUNDS, is_mapped), "a jump onto the stack");
    }

    #[test]
    fn s4_which_stack_it_was() {
        let at = |address| At { address, stack_pointer: address + 8, instruction: CODE };
        assert_eq!(which(&at(LOW - 8), BOUNDS, None).0, StackKind::Thread);
        assert_eq!(which(&at(LOW - 8), BOUNDS, Some((FIBER, FIBER + 4096))).0, StackKind::Thread);
        let (kind, bounds) = which(&at(FIBER - 600), BOUNDS, Some((FIBER, FIBER + 9000)));
        assert_eq!((kind, bounds.low, bounds.high), (StackKind::Signal, FIBER, FIBER + 9000));
    }
}
