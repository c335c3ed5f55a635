//! What rows do with the crate; [`failfast_alloc_rows::tools`] has the rest.

use failfast_alloc::{Report, set_abort_hook};

pub(crate) use failfast_alloc_rows::tools::*;

/// Dies.
pub(crate) fn fail() -> ! {
    failfast_alloc::fail_fast("enough")
}

/// The line of `fail` on the main thread.
pub(crate) const FAILED: &str = "failfast: requested: enough (thread `main`, pid <pid>)";

/// Sets a hook, and counts how often it begins and ends.
pub(crate) fn set_hook(hook: impl Fn(&Report) + Send + Sync + 'static) {
    // SAFETY: shared memory, and what the rows are about.
    unsafe { set_abort_hook(counted(hook)) };
}
