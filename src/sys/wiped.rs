//! A word that a forked child sees as zero.
//!
//! Layer 1.  Plane: data.

use core::ptr;

use super::memory;
use crate::sync::AtomicU32;

/// A word that is zero, and zero again in every child, forked by whatever means
/// (`MADV_WIPEONFORK`, madvise(2)). `None` if the kernel has no page to give for it.
pub(crate) fn word() -> Option<&'static AtomicU32> {
    let page = memory::map(size_of::<AtomicU32>())?;
    if !memory::wipe_on_fork(page) {
        return None; // One page is not worth taking back.
    }
    // SAFETY: aligned, zero, as long as a page, and mapped for good.
    Some(unsafe { &*ptr::with_exposed_provenance::<AtomicU32>(page.base) })
}
