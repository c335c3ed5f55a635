//! Faults: the end of a stack, or none of ours.
//!
//! Layer 5.  Plane: failure.

use core::ffi::{c_int, c_void};

use crate::cause::Cause;
use crate::report::{FoundBy, StackSpan};
use crate::sys::fault::Fault;
use crate::sys::memory::page_bytes;
use crate::sys::signal::{self, Action, Info, Saved};
use crate::sys::stack::Bounds;
use crate::sys::{process, stack};
use crate::terminate::{self, Death};
use crate::thread::{Record, record};

use super::judge::death;
use super::zone;

/// The signals by which a stack's end is noticed, and who was there before us.
static HANDLED: [(i32, Saved); 2] =
    [(signal::SIGSEGV, Saved::new()), (signal::SIGBUS, Saved::new())];

/// Installs the handler.
pub(super) fn install() {
    for (number, before) in &HANDLED {
        before.set(&signal::action(*number).unwrap_or(Action::DEFAULT));
        // SAFETY: the handler is sound wherever a fault may strike.
        unsafe { signal::install(*number, on_fault) };
    }
}

/// # Safety
///
/// As the kernel calls it.
unsafe extern "C" fn on_fault(number: c_int, info: *mut Info, context: *mut c_void) {
    let errno = process::errno();
    // SAFETY: the kernel's arguments.
    let fault = unsafe { Fault::new(number, info, context) };
    terminate::intercept(&fault);
    if let Some(bounds) = overflowed(record(), &fault) {
        let death = death(Cause::StackOverflow, span(&fault, &bounds));
        terminate::terminate(&Death { context: fault.context(), ..death });
    }
    if let Some((_, before)) = HANDLED.iter().find(|(handled, _)| *handled == number) {
        // SAFETY: saved when this handler was installed.
        unsafe { fault.pass_on(before) };
    }
    process::set_errno(errno);
}

/// The stack of the thread, if the fault is the end of some stack.
///
/// On Linux that end is always a SIGSEGV. SIGBUS is handled so that the runtime leaves it alone.
fn overflowed(record: &Record, fault: &Fault) -> Option<Bounds> {
    if !fault.is_by_instruction() || fault.signal != signal::SIGSEGV {
        return None;
    }
    let (at, known) = (At::of(fault), zone::bounds(record));
    if !at.is_near() && !(at.lowest()..known.high).contains(&at.address) {
        return None; // Most other faults end here, before the kernel is asked where the stack is.
    }
    let bounds = if zone::is_first(record) { stack::of_first().unwrap_or(known) } else { known };
    is_overflow(&at, &bounds).then_some(bounds)
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

/// How far below the first thread's stack the kernel keeps others away.
const FIRST_GUARD_BYTES: usize = 1024 * 1024;

/// Whether a fault is the end of a stack.
///
/// A stack that is mapped does not fault. So a fault next to the stack pointer is the end of
/// whatever stack that is: the thread's, a fiber's, an alternate one; and, on the first thread's,
/// the place where the kernel refuses to let it grow. A frame larger than `ABOVE` may be touched
/// first anywhere in it; then the address must be in the guard, and the stack pointer below the
/// stack.
fn is_overflow(at: &At, bounds: &Bounds) -> bool {
    if at.address == at.instruction {
        return false; // A jump to where no code is.
    }
    let guard_bytes = match bounds.guard_bytes {
        0 => FIRST_GUARD_BYTES,
        bytes => bytes,
    };
    let is_in_guard = (bounds.low.saturating_sub(guard_bytes)..bounds.low).contains(&at.address);
    let is_at_end = at.stack_pointer < bounds.low.saturating_add(page_bytes());
    at.is_near() || (is_in_guard && is_at_end && at.address >= at.lowest())
}

fn span(fault: &Fault, bounds: &Bounds) -> StackSpan {
    let (address, pointer) = (fault.address(), fault.stack_pointer());
    StackSpan {
        address,
        pointer,
        low: bounds.low,
        high: bounds.high,
        used: bounds.high.saturating_sub(pointer),
        budget: zone::budget(),
        found_by: FoundBy::Guard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: usize = 0x7f00_0000_0000;
    const BOUNDS: Bounds = Bounds { low: LOW, high: LOW + (2 << 20), guard_bytes: 4096 };
    const CODE: usize = 0x5555_0000_0000;

    fn overflows(address: usize, stack_pointer: usize) -> bool {
        is_overflow(&At { address, stack_pointer, instruction: CODE }, &BOUNDS)
    }

    #[test]
    fn s4_the_end_of_the_stack() {
        assert!(overflows(LOW - 8, LOW), "a push");
        assert!(overflows(LOW - 128, LOW), "a leaf's red zone");
        assert!(overflows(LOW - 4000, LOW - 4000), "a probed frame");
        assert!(overflows(LOW - (100 << 20), LOW - (100 << 20)), "a frame that leaps over all");
        assert!(overflows(LOW - 100, LOW - (3 << 20)), "a frame touched in the guard first");
    }

    #[test]
    fn s4_the_end_of_another_stack() {
        let fiber = 0x6000_0000_0000;
        assert!(overflows(fiber - 8, fiber));
    }

    #[test]
    fn s4_anything_else() {
        let deep = LOW + (1 << 20);
        assert!(!overflows(0, deep), "null");
        assert!(!overflows(8, LOW + 16), "null, at the end of the stack");
        assert!(!overflows(0x1234_5678_9000, deep), "wild");
        assert!(!overflows(LOW - 100, deep), "into the guard, from elsewhere");
        assert!(!overflows(LOW - 3000, LOW + 2000), "into the guard, from a frame next to it");
        let jump = At { address: deep, stack_pointer: deep, instruction: deep };
        assert!(!is_overflow(&jump, &BOUNDS), "a jump onto the stack");
    }
}
