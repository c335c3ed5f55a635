//! Alternate stacks of threads that are gone, for threads to come.
//!
//! Layer 5.  Plane: data.
//!
//! A thread may run code of the program after its last destructor of ours: other destructors, of
//! which POSIX grants several rounds. Its alternate stack has to be there until the kernel has seen
//! the last of it, when there is nobody left to unmap it. So a thread that leaves puts it here,
//! with its own number; and a new one takes it, once there is no thread of that number any more.
//!
//! No lock, since a signal handler may come between any two steps: a place is claimed before
//! anything about it is read or written, and whoever finds no free place goes without.

use crate::sync::{AtomicU32, AtomicUsize, Ordering::*};
use crate::sys::memory::{self, Mapping};
use crate::sys::process;

/// How many threads may be between their last destructor of ours and their end. More of them lose
/// their alternate stack that much earlier.
const PLACES: usize = 256;

/// How many places a new thread looks at: each costs a system call. The next thread goes on from
/// there.
const LOOKS: usize = 4;

/// A place.
///
/// | `owner` | means | next |
/// |---|---|---|
/// | 0 | it is free | `CLAIMED` |
/// | a thread number | its stack is here; it may still use it | `CLAIMED` |
/// | `CLAIMED` | somebody is at it | 0, a thread number |
struct Place {
    owner: AtomicU32,
    base: AtomicUsize,
    len: AtomicUsize,
}

/// No thread's number: those are below 2^22.
const CLAIMED: u32 = u32::MAX;

static ALL: [Place; PLACES] = [const { Place::new() }; PLACES];
/// Where the next look begins.
static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Place {
    const fn new() -> Self {
        Self { owner: AtomicU32::new(0), base: AtomicUsize::new(0), len: AtomicUsize::new(0) }
    }

    /// Claims the place if `owner` has it.
    fn claim(&self, owner: u32) -> bool {
        // ORDER: Acquire, with the Release of `give`: what the last claimer wrote.
        self.owner.compare_exchange(owner, CLAIMED, Acquire, Relaxed).is_ok()
    }

    /// Claims the place if a stack is in it whose thread is gone.
    fn claim_of_the_gone(&self) -> bool {
        let owner = self.owner.load(Relaxed); // ORDER: Relaxed. `claim` looks again.
        if owner == 0 || owner == CLAIMED || !self.claim(owner) {
            return false;
        }
        // Asked only now that it is claimed: before, another thread of that number may have come.
        if process::is_gone(owner) {
            return true;
        }
        self.give(owner);
        false
    }

    /// What is in a claimed place.
    fn mapping(&self) -> Mapping {
        // ORDER: Relaxed, both. Ordered by the claim.
        Mapping { base: self.base.load(Relaxed), len: self.len.load(Relaxed) }
    }

    /// Writes into a claimed place.
    fn set(&self, mapping: Mapping) {
        // ORDER: Relaxed, both. Published by `give`.
        self.base.store(mapping.base, Relaxed);
        self.len.store(mapping.len, Relaxed);
    }

    /// Ends a claim.
    fn give(&self, owner: u32) {
        self.owner.store(owner, Release); // ORDER: Release, with the Acquire of `claim`.
    }
}

/// An alternate stack that nobody uses any more, if one is quickly found.
pub(super) fn take() -> Option<Mapping> {
    // ORDER: Relaxed, both. A hint.
    let from = NEXT.load(Relaxed);
    let looks = (from..).map(|i| &ALL[i % PLACES]).take(PLACES);
    let mut asked = 0;
    for (i, place) in looks.enumerate() {
        // ORDER: Relaxed. A hint.
        if place.owner.load(Relaxed) == 0 {
            continue;
        }
        if place.claim_of_the_gone() {
            NEXT.store(from.wrapping_add(i), Relaxed); // ORDER: Relaxed. A hint.
            let mapping = place.mapping();
            place.give(0);
            return Some(mapping);
        }
        asked += 1;
        if asked == LOOKS {
            NEXT.store(from.wrapping_add(i + 1), Relaxed); // ORDER: Relaxed. A hint.
            return None;
        }
    }
    None
}

/// Keeps the alternate stack of the running thread, which is ending, and may use it until then.
/// `false` if there is no place.
pub(super) fn keep(mapping: Mapping) -> bool {
    let me = process::tid();
    if let Some(free) = ALL.iter().find(|place| place.claim(0)) {
        free.set(mapping);
        free.give(me);
        return true;
    }
    let Some(old) = ALL.iter().find(|place| place.claim_of_the_gone()) else { return false };
    let unused = old.mapping();
    old.set(mapping);
    old.give(me);
    // SAFETY: a mapping of `memory::map_guarded` that only its thread used, which is gone.
    unsafe { memory::unmap_guarded(unused) };
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_not_taken_before_its_thread_is_gone() {
        let base = memory::map_guarded(4096).unwrap();
        let (kept, is_kept) = std::sync::mpsc::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            assert!(keep(base));
            kept.send(process::tid()).unwrap();
            let _ = ends.recv();
        });
        let tid = is_kept.recv().unwrap();
        // Others may be here too: this process's tests have threads that end.
        let mut others = Vec::new();
        for _ in 0..PLACES {
            others.extend(take());
        }
        assert!(!others.contains(&base));
        drop(end);
        thread.join().unwrap();
        while !process::is_gone(tid) {
            std::thread::yield_now();
        }
        let found = (0..PLACES).filter_map(|_| take()).any(|mapping| mapping == base);
        assert!(found, "it was lost");
    }
}
