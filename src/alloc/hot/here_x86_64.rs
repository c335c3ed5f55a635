//! The fast path in clusters, and of frees once there are some, in assembly.
//!
//! Layer 6.  Plane: data.
//!
//! What `x86_64` says of the root's holds here too. The compiler makes no atomic load part of
//! another instruction, so that each would be one more.

use core::arch::asm;
use core::mem::offset_of;

use super::super::owners::Leaf;
use super::x86_64::{ASKED_ALIGN, ASKED_SIZE, SLOT};
use crate::ledger::Slot;
use crate::sync::{AtomicIsize, AtomicU16};
use crate::thread::{ClusterWords, Record, offset};

const CLUSTERS: usize = offset_of!(Record, clusters);

/// Charges `size` bytes to a slot that is no root's. `false`: it is entered, and must go on out of
/// line.
#[inline(always)]
pub(in crate::alloc) fn charge_in(slot: &Slot, size: usize) -> bool {
    // SAFETY: as in `charge`, for a slot of this thread's.
    unsafe {
        asm!(
            "sub qword ptr [{slot} + {avail}], {size}",
            "js {entered}",
            "cmp rsp, qword ptr [{slot} + {limit}]",
            "jb {entered}",
            slot = in(reg) core::ptr::from_ref(slot),
            size = in(reg) size,
            avail = const Slot::AVAIL,
            limit = const Slot::LIMIT,
            entered = label { return false },
            options(nostack),
        );
    }
    true
}

/// Refunds `size` bytes to a slot that is no root's. `false`: it is entered, and must go on out of
/// line.
#[inline(always)]
pub(in crate::alloc) fn refund_in(slot: &Slot, size: usize) -> bool {
    // SAFETY: as in `charge`, for a slot of this thread's.
    unsafe {
        asm!(
            "add qword ptr [{slot} + {freed}], {size}",
            "jns {entered}",
            slot = in(reg) core::ptr::from_ref(slot),
            size = in(reg) size,
            freed = const Slot::FREED,
            entered = label { return false },
            options(nostack),
        );
    }
    true
}

/// Adds to a word of this thread's, by one instruction.
#[inline(always)]
pub(in crate::alloc) fn add(word: &AtomicIsize, delta: isize) {
    // SAFETY: the word has interior mutability, and is this thread's.
    unsafe {
        asm!(
            "add qword ptr [{word}], {delta}",
            word = in(reg) word.as_ptr(),
            delta = in(reg) delta,
            options(nostack),
        );
    }
}

/// Where this thread's record is: its offset from `fs`, one instruction less than its address.
#[derive(Clone, Copy)]
pub(in crate::alloc) struct Here(usize);

/// Where this thread's record is.
#[inline(always)]
pub(in crate::alloc) fn here() -> Here {
    let t;
    // SAFETY: reads a constant of the program's.
    unsafe { asm!(offset!(), t = out(reg) t, options(pure, nomem, nostack, preserves_flags)) };
    Here(t)
}

/// Reads a word of the record's.
macro_rules! word {
    ($here:ident, $word:expr) => {{
        let word: usize;
        // SAFETY: reads a word that is there.
        unsafe {
            asm!(
                "mov {word}, qword ptr fs:[{t} + {at}]",
                t = in(reg) $here.0,
                at = const $word,
                word = out(reg) word,
                options(nostack, readonly, preserves_flags),
            );
        }
        word
    }};
}

/// Compares a word of the record's with a value. (A load that is atomic is not made part of a
/// comparison otherwise.)
macro_rules! is_word {
    ($here:ident, $word:expr, $value:ident) => {{
        // SAFETY: reads a word that is there.
        unsafe {
            asm!(
                "cmp qword ptr fs:[{t} + {at}], {value}",
                "jne {other}",
                t = in(reg) $here.0,
                at = const $word,
                value = in(reg) $value,
                other = label { return false },
                options(nostack, readonly),
            );
        }
        true
    }};
}

impl Here {
    /// The address of the thread's seat in the cluster that it is in, or zero.
    #[inline(always)]
    pub(in crate::alloc) fn seat(self) -> usize {
        word!(self, CLUSTERS + offset_of!(ClusterWords, current))
    }

    /// Whether that is the cluster with this number.
    #[inline(always)]
    pub(in crate::alloc) fn is_in(self, id: usize) -> bool {
        is_word!(self, CLUSTERS + offset_of!(ClusterWords, id), id)
    }

    /// The address of the leaf of the map of owners that the thread used last.
    #[inline(always)]
    pub(in crate::alloc) fn leaf(self) -> usize {
        word!(self, CLUSTERS + offset_of!(ClusterWords, leaf))
    }

    /// Remembers a request, in case the inner allocator refuses.
    #[inline(always)]
    pub(in crate::alloc) fn note_asked(self, size: usize, align: usize) {
        // SAFETY: writes words of this thread's record, as in `charge`.
        unsafe {
            asm!(
                "mov qword ptr fs:[{t} + {asked_size}], {size}",
                "mov qword ptr fs:[{t} + {asked_align}], {align}",
                t = in(reg) self.0,
                size = in(reg) size,
                align = in(reg) align,
                asked_size = const ASKED_SIZE,
                asked_align = const ASKED_ALIGN,
                options(nostack, preserves_flags),
            );
        }
    }

    /// Whether the stack pointer is where it may be.
    #[inline(always)]
    pub(in crate::alloc) fn is_stack_good(self) -> bool {
        // SAFETY: reads a word that is there; the stack pointer is only compared with.
        unsafe {
            asm!(
                "cmp rsp, qword ptr fs:[{t} + {limit}]",
                "jb {below}",
                t = in(reg) self.0,
                limit = const SLOT + Slot::STACK_LIMIT,
                below = label { return false },
                options(nostack, readonly),
            );
        }
        true
    }
}

/// How far an address is from the first one of a leaf of the map of owners.
#[inline(always)]
pub(in crate::alloc) fn distance(leaf: usize, address: usize) -> usize {
    let mut distance = address;
    // SAFETY: reads a word that is there: see `owners::near`.
    unsafe {
        asm!(
            "sub {distance}, qword ptr [{leaf} + {start}]",
            distance = inout(reg) distance,
            leaf = in(reg) leaf,
            start = const Leaf::START,
            options(nostack, readonly),
        );
    }
    distance
}

/// An entry of the map of owners, with all its bits: else the compiler widens it twice.
#[inline(always)]
pub(in crate::alloc) fn owner(entries: *const AtomicU16, at: usize) -> usize {
    let id: usize;
    // SAFETY: reads a word that is there.
    unsafe {
        asm!(
            "movzx {id:e}, word ptr [{entries} + 2 * {at}]",
            entries = in(reg) entries,
            at = in(reg) at,
            id = lateout(reg) id,
            options(nostack, readonly, preserves_flags),
        );
    }
    id
}
