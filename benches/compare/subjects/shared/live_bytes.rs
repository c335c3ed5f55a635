//! The least that `tracking-allocator` can be asked to do: one relaxed counter of live bytes.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tracking_allocator::{AllocationGroupId, AllocationRegistry, AllocationTracker};

static LIVE: AtomicUsize = AtomicUsize::new(0);

struct LiveBytes;

impl AllocationTracker for LiveBytes {
    fn allocated(&self, _: usize, size: usize, _: usize, _: AllocationGroupId) {
        LIVE.fetch_add(size, Relaxed); // ORDER: Relaxed. A figure.
    }

    fn deallocated(
        &self,
        _: usize,
        size: usize,
        _: usize,
        _: AllocationGroupId,
        _: AllocationGroupId,
    ) {
        LIVE.fetch_sub(size, Relaxed); // ORDER: Relaxed. A figure.
    }
}

/// Counts from now on.
pub(crate) fn count() {
    AllocationRegistry::set_global_tracker(LiveBytes).expect("the first tracker");
    AllocationRegistry::enable_tracking();
}
