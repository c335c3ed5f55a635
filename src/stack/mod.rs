//! Stacks: where they end, and how much is left.
//!
//! Layer 5.  Plane: data.
//!
//! Two guards watch every thread's stack. The *probe* looks at the stack pointer: on entry to every
//! method of the allocator, and in [`probe`]. It comes first, while there still is room, so that no
//! thread meets the end of its stack inside the inner allocator, with its lock held. The *guard
//! page* catches what never allocates, by a signal handler on a stack of its own. Threads are armed
//! before the program's code runs in them, those that C code starts as well (feature `c-threads`).
//!
//! ```text
//!        high ┌──────────────┐
//!             │ frames, used │        `remaining` counts from the stack pointer
//!             │      ↓       │        down to the end of the zone
//!             ├──────────────┤ zone_base + zone_len
//!             │     zone     │        the red zone, or all that is over the budget
//!         low ├──────────────┤ zone_base
//!             │    guard     │
//!             └──────────────┘
//! ```
//!
//! * **S1** The zone is a range, not a line: a stack pointer that is outside the bounds is on a
//!   stack that is none of ours (a fiber's, a signal handler's), and never judged.
//! * **S2** The red zone is at most 32 KiB, and a quarter of a smaller stack.
//! * **S3** The first thread's stack ends where its limit says *now*: it is worked out anew before
//!   the thread is condemned.
//! * **S4** A fault is an overflow only if address and stack pointer agree; any other goes to
//!   whoever was there before us, as if we were not.

mod arm;
mod fault;
mod handler;
mod judge;
mod spare;
mod zone;

pub(crate) use arm::{arm_process, arm_thread, disarm_thread};
pub(crate) use judge::judge;

use crate::sys::registers::stack_pointer;
use crate::thread::{Record, record};

/// Ends the process, as the end of the stack would, unless `bytes` more can be used.
///
/// For code that recurses without allocating, and for calls into code that cannot check its stack
/// itself. What is counted is what lies above the red zone (32 KiB at the stack's end, or a quarter
/// of a smaller stack), or above the stack budget (`FAILFAST_STACK_BUDGET`), whichever ends first.
///
/// On a stack that is not the thread's own (a fiber's, an alternate signal stack) it does nothing.
/// It costs a few instructions; the first call of a thread that has never allocated looks up where
/// its stack is.
///
/// # Examples
///
/// ```
/// fn depth(tree: &[Vec<usize>], node: usize) -> usize {
///     failfast_alloc::stack::probe(4096);
///     1 + tree[node].iter().map(|&child| depth(tree, child)).max().unwrap_or(0)
/// }
///
/// assert_eq!(depth(&[vec![1, 2], vec![], vec![3], vec![]], 0), 3);
/// ```
#[inline]
pub fn probe(bytes: usize) {
    let wanted = stack_pointer().saturating_sub(bytes);
    let record = record();
    if !zone::is_known(record) || wanted < zone::end(record) {
        judge::judge_reach(record, stack_pointer(), wanted);
    }
}

/// How many bytes of stack this thread may still use, down to the red zone or to its stack budget,
/// whichever ends first. `None` on a stack that is not the thread's own (a fiber's, an alternate
/// signal stack), or if the system does not say where it is.
///
/// The first thread's stack may end elsewhere once `RLIMIT_STACK` is changed; until the probe has
/// noticed, this counts to the former end.
///
/// # Examples
///
/// ```
/// use failfast_alloc::stack;
///
/// fn nest(level: u32) -> u32 {
///     match stack::remaining() {
///         // Enough for this level and what it calls.
///         Some(bytes) if bytes > 64 * 1024 && level < 100 => nest(level + 1),
///         _ => level,
///     }
/// }
///
/// assert_eq!(nest(0), 100);
/// ```
#[must_use]
pub fn remaining() -> Option<usize> {
    let (record, here) = (record(), stack_pointer());
    look_up(record);
    zone::is_on(record, here).then(|| here.saturating_sub(zone::end(record)))
}

/// Makes sure that the thread's bounds are known, if they can be.
#[inline]
fn look_up(record: &Record) {
    if !zone::is_known(record) {
        arm::find_bounds(record);
    }
}
