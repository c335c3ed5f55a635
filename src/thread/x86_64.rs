//! Where the record is, for assembly.
//!
//! Layer 3.  Plane: data.
//!
//! Rust's own thread-locals have no name that assembly could use. So the block is defined here, in
//! the initial-exec model: an offset from `fs` that is read from the global offset table, which
//! links in executables and in shared libraries alike. The name carries the version, since two
//! versions of the crate may meet in one program.

use core::arch::{asm, global_asm};
use core::mem::{align_of, size_of};

use super::Record;

/// Assembly that loads the record's offset from `fs` into the register operand `t`; or, with
/// `@symbol`, the block's name alone.
macro_rules! offset {
    () => {
        concat!("mov {t}, qword ptr [rip + ", $crate::thread::offset!(@symbol), "@gottpoff]")
    };
    (@symbol) => {
        concat!(
            "failfast_alloc_record_",
            env!("CARGO_PKG_VERSION_MAJOR"),
            "_",
            env!("CARGO_PKG_VERSION_MINOR"),
            "_",
            env!("CARGO_PKG_VERSION_PATCH")
        )
    };
}
pub(crate) use offset;

global_asm!(
    ".pushsection .tbss.failfast, \"awT\", @nobits",
    ".balign {align}",
    concat!(".globl ", offset!(@symbol)),
    concat!(".hidden ", offset!(@symbol)),
    concat!(".type ", offset!(@symbol), ", @object"),
    concat!(".size ", offset!(@symbol), ", {size}"),
    concat!(offset!(@symbol), ": .zero {size}"),
    ".popsection",
    align = const align_of::<Record>(),
    size = const size_of::<Record>(),
);

/// This thread's record. Valid until the thread's end, in its destructors too.
#[inline(always)]
pub(crate) fn record() -> &'static Record {
    let record: *const Record;
    // SAFETY: reads the thread pointer, which the ABI keeps at `fs:0`, and the block's offset; no
    // memory is written, no flag is promised, the stack is not used.
    unsafe {
        asm!(
            "mov {r}, qword ptr fs:[0]",
            concat!("add {r}, qword ptr [rip + ", offset!(@symbol), "@gottpoff]"),
            r = out(reg) record,
            options(pure, nomem, nostack),
        );
    }
    // SAFETY: the block is `size_of::<Record>()` bytes of thread-local storage, aligned for it, and
    // zero, which is a valid record. It is alive as long as the thread, which is as long as the
    // reference is used: it is never handed to another thread but through the ledger, which
    // forgets it at the thread's end. All its fields have interior mutability.
    unsafe { &*record }
}
