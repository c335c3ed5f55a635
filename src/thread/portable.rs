//! Where the record is, in plain Rust.
//!
//! Layer 3.  Plane: data.

use super::Record;

std::thread_local! {
    // Constant, and nothing to drop: plain thread-local storage, with no registration, no state,
    // and no end before the thread's own.
    static RECORD: Record = const { Record::new() };
}

/// This thread's record. Valid until the thread's end, in its destructors too.
#[inline(always)]
pub(crate) fn record() -> &'static Record {
    RECORD.with(|record| {
        // SAFETY: aligned, initialised, and alive as long as the thread, which is as long as the
        // reference is used: it is never handed to another thread but through the ledger, which
        // forgets it at the thread's end. All its fields have interior mutability.
        unsafe { &*core::ptr::from_ref(record) }
    })
}
