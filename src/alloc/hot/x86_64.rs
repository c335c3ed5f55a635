//! The fast path in assembly.
//!
//! Layer 6.  Plane: data.
//!
//! One instruction per word is more than speed: it cannot be torn by a signal handler that
//! allocates on the same thread. Loads and stores to the record go through `fs`, the thread
//! pointer. A block of assembly that is not `nomem` is a compiler fence, the light half of the
//! ledger's; x86 itself keeps all orders but store to load, which is the heavy half's business.

use core::arch::asm;
use core::mem::offset_of;

use crate::ledger::{Hot, Slot};
use crate::thread::{Record, offset};

pub(super) const SLOT: usize = offset_of!(Record, slot);
const AVAIL: usize = SLOT + Slot::AVAIL;
const FREED: usize = SLOT + Slot::FREED;
const LIMIT: usize = SLOT + Slot::LIMIT;
const FREE_LIMIT: usize = SLOT + Slot::FREE_LIMIT;
const GROW_LIMIT: usize = SLOT + Slot::GROW_LIMIT;
pub(super) const ASKED_SIZE: usize = offset_of!(Record, asked_size);
pub(super) const ASKED_ALIGN: usize = offset_of!(Record, asked_align);

/// Assembly that aligns the function it is in to a cache line, without padding on its way: what is
/// out of the way needs the alignment, so the function's section has it. A fast path that straddles
/// two lines costs up to 1 ns more.
macro_rules! aligned {
    () => {
        ".subsection 1\n.p2align 6\n.subsection 0"
    };
}

/// The instructions of a charge; `$limit` is the word that the stack pointer is compared with.
macro_rules! charge {
    ($size:ident, $align:ident, $limit:ident) => {{
        // SAFETY: writes only words of this thread's record, whose fields have interior mutability
        // and are written by this thread alone, each by one instruction; the stack is only compared
        // with.
        unsafe {
            asm!(
                aligned!(),
                offset!(),
                "sub qword ptr fs:[{t} + {avail}], {size}",
                "js {entered}",
                "cmp rsp, qword ptr fs:[{t} + {limit}]",
                "jb {entered}",
                "mov qword ptr fs:[{t} + {asked_size}], {size}",
                "mov qword ptr fs:[{t} + {asked_align}], {align}",
                t = out(reg) _,
                size = in(reg) $size,
                align = in(reg) $align,
                avail = const AVAIL,
                limit = const $limit,
                asked_size = const ASKED_SIZE,
                asked_align = const ASKED_ALIGN,
                entered = label { return false },
                options(nostack),
            );
        }
        true
    }};
}

/// Charges `size` bytes. `false`: the charge is entered, and must go on out of line.
///
/// Seven instructions, two of them branches that are not taken.
#[inline(always)]
pub(in crate::alloc) fn charge(size: usize, align: usize) -> bool {
    charge!(size, align, LIMIT)
}

/// The same for a block that grows by `size` bytes, whose owner may be a cluster.
#[inline(always)]
pub(in crate::alloc) fn charge_growth(size: usize, align: usize) -> bool {
    charge!(size, align, GROW_LIMIT)
}

/// Refunds `size` bytes. Compares first: what is diverted has nothing to undo.
///
/// Five instructions, two of them branches that are not taken.
#[inline(always)]
pub(in crate::alloc) fn refund(size: usize) -> Hot {
    // SAFETY: as in `charge`.
    unsafe {
        asm!(
            aligned!(),
            offset!(),
            "cmp rsp, qword ptr fs:[{t} + {free_limit}]",
            "jb {diverted}",
            "add qword ptr fs:[{t} + {freed}], {size}",
            "jns {entered}",
            t = out(reg) _,
            size = in(reg) size,
            freed = const FREED,
            free_limit = const FREE_LIMIT,
            entered = label { return Hot::Entered },
            diverted = label { return Hot::Diverted },
            options(nostack),
        );
    }
    Hot::Done
}

/// Whether nothing diverts a refund.
#[inline(always)]
pub(in crate::alloc) fn may_free() -> bool {
    // SAFETY: reads a word of this thread's record.
    unsafe {
        asm!(
            offset!(),
            "cmp rsp, qword ptr fs:[{t} + {free_limit}]",
            "jb {diverted}",
            t = out(reg) _,
            free_limit = const FREE_LIMIT,
            diverted = label { return false },
            options(nostack, readonly),
        );
    }
    true
}

/// Refunds `size` bytes, after `may_free`. `false`: it is entered, and must go on out of line.
#[inline(always)]
pub(in crate::alloc) fn refund_after(size: usize) -> bool {
    // SAFETY: as in `charge`.
    unsafe {
        asm!(
            offset!(),
            "add qword ptr fs:[{t} + {freed}], {size}",
            "jns {entered}",
            t = out(reg) _,
            size = in(reg) size,
            freed = const FREED,
            entered = label { return false },
            options(nostack),
        );
    }
    true
}
