//! The heap of a dying process.
//!
//! Layer 4.  Plane: failure.
//!
//! Mapped and touched at start, so that it is there however full the machine is. The allocator
//! serves the elected thread from here, whatever that thread's inner allocator is in the middle
//! of. Blocks are cut off one after the other and never come back: there is not much time left.

use core::alloc::Layout;
use core::ptr;

use crate::sync::Ordering::Relaxed;
use crate::sys::memory::{self, Known, Mapping};

use super::page::page;
use super::{chain, end, hook};

static MEMORY: Known = Known::new();

/// Sets `bytes` aside. `false` if the kernel has no room for them.
pub(super) fn prepare(bytes: usize) -> bool {
    let Some(mapping) = set_aside(bytes) else { return false };
    MEMORY.set(mapping);
    true
}

fn set_aside(bytes: usize) -> Option<Mapping> {
    let mapping = memory::map_guarded(bytes)?;
    memory::wipe_on_fork(mapping);
    memory::make_resident(mapping);
    Some(mapping)
}

/// A block for the elected thread, all zeroes. Any alignment.
///
/// If there is no room, dying has failed: then it does not return, but goes to the last step.
pub(crate) fn alloc(layout: Layout) -> *mut u8 {
    if chain::has_escaped() {
        end::finish();
    }
    let used = &page().reserve_used;
    // ORDER: Relaxed. Only the elected thread is served from here; a handler on top of it that
    // allocates as well never comes back to a call that it interrupted.
    match cut(used.load(Relaxed), layout) {
        Some((block, now_used)) => {
            used.store(now_used, Relaxed); // ORDER: Relaxed. As above.
            ptr::with_exposed_provenance_mut(block)
        }
        None => end::nested(hook::failure_for_want_of_room()),
    }
}

/// Where the next block is, and how much is used with it.
fn cut(used: usize, layout: Layout) -> Option<(usize, usize)> {
    let memory = MEMORY.get()?;
    let block = memory.base.checked_add(used)?.checked_next_multiple_of(layout.align())?;
    let end = block.checked_add(layout.size())?;
    (end <= memory.end()).then_some((block, end - memory.base))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mappings lie side by side: without a guard there would be something to read.
    #[test]
    fn a_guard_is_on_either_side() {
        for _ in 0..4 {
            let _above = memory::map(1).unwrap();
            let reserve = set_aside(64 * 1024).unwrap();
            let _below = memory::map(1).unwrap();
            assert!(!memory::is_readable(reserve.base - 1) && !memory::is_readable(reserve.end()));
        }
    }

    #[test]
    fn blocks_are_apart_and_aligned_and_end_with_the_reserve() {
        assert!(prepare(64 * 1024));
        let memory = MEMORY.get().unwrap();
        let (mut used, mut last_end) = (0, memory.base);
        for round in 0.. {
            let layout = Layout::from_size_align(1 + round % 700, 1 << (round % 13)).unwrap();
            let Some((block, now_used)) = cut(used, layout) else { break };
            assert_eq!(block % layout.align(), 0);
            assert!(block >= last_end && block + layout.size() <= memory.end());
            (used, last_end) = (now_used, block + layout.size());
        }
        assert!(last_end > memory.end() - 8192, "the reserve was left half empty");
        let whole = Layout::from_size_align(memory.len, 1).unwrap();
        assert_eq!(cut(0, whole), Some((memory.base, memory.len)));
        assert_eq!(cut(1, whole), None);
        let huge = Layout::from_size_align(isize::MAX as usize, 1).unwrap();
        assert_eq!(cut(0, huge), None);
    }
}
