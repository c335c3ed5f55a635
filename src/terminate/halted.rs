//! Which threads have stopped.
//!
//! Layer 4.  Plane: failure.
//!
//! A table by thread number, of fixed size: there is no memory to be had while dying. A thread that
//! has stopped for good says so here itself; nothing else that it does can be seen afterwards.
//!
//! | word | means | next |
//! |---|---|---|
//! | 0 | free | a number, by whoever needs the place |
//! | a number | that thread was told to stop | the same with `STOPPED`, by that thread |
//! | with `STOPPED` | it runs no instruction of the program any more | for ever |

use crate::sync::{AtomicU32, Ordering::*};

use super::election::mutant;

/// How many threads it has room for: a power of two. Where there are more, they are not known to
/// have stopped. 32 KiB.
#[cfg(not(loom))]
const PLACES: usize = 8192;
#[cfg(loom)]
const PLACES: usize = 4;

/// Above every number of a thread: those have 22 bits (`PID_MAX_LIMIT`).
const STOPPED: u32 = 1 << 31;

/// The table. All zero while all is well.
pub(super) struct Halted {
    places: [AtomicU32; PLACES],
    /// How many have `STOPPED`, and said so themselves.
    stopped: AtomicU32,
}

impl Halted {
    /// Nobody.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self { places: core::array::from_fn(|_| AtomicU32::new(0)), stopped: AtomicU32::new(0) }
    }

    /// Nobody.
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self { places: [const { AtomicU32::new(0) }; PLACES], stopped: AtomicU32::new(0) }
    }

    /// Notes that `thread` is told to stop. `None` if there is no room, `Some(false)` if that was
    /// noted before.
    pub(super) fn note(&self, thread: u32) -> Option<bool> {
        loop {
            // ORDER: Relaxed, both. The number is the whole message.
            match self.place(thread)?.compare_exchange(0, thread, Relaxed, Relaxed) {
                Ok(_) => return Some(true),
                Err(now) if now & !STOPPED == thread => return Some(false),
                Err(_) => {} // Another thread was faster.
            }
        }
    }

    /// Notes that `thread`, which is the calling one, has stopped.
    pub(super) fn stop(&self, thread: u32) {
        if self.set_stopped(thread) {
            // ORDER: Release, with the Acquire of `stopped`.
            self.stopped.fetch_add(1, Release);
        }
    }

    /// Notes that `thread` was stopped by a tracer. It holds to no deadline.
    #[cfg(not(loom))]
    pub(super) fn stop_traced(&self, thread: u32) {
        self.set_stopped(thread);
    }

    /// Whether `thread` was not known to have stopped, and is now.
    fn set_stopped(&self, thread: u32) -> bool {
        loop {
            let Some(place) = self.place(thread) else { return false };
            if mutant("StoppedTakesAnyPlace") {
                // ORDER: Release. A mutant.
                return place.swap(thread | STOPPED, Release) & STOPPED == 0;
            }
            for now in [thread, 0] {
                // An exchange: a place that was free may be another thread's by now.
                // ORDER: Release, with the Acquire of `has_stopped`: all that the thread has done
                // is done. Relaxed, if it fails: then it says nothing.
                if place.compare_exchange(now, thread | STOPPED, Release, Relaxed).is_ok() {
                    return true;
                }
            }
            // ORDER: Relaxed. The number is the whole message.
            if place.load(Relaxed) == thread | STOPPED {
                return false;
            }
        }
    }

    /// Whether `thread` has stopped.
    pub(super) fn has_stopped(&self, thread: u32) -> bool {
        // ORDER: Acquire, with the Release of `stop`.
        self.place(thread).is_some_and(|place| place.load(Acquire) & STOPPED != 0)
    }

    /// Whether `thread` was told to stop, or has.
    #[cfg(not(loom))]
    pub(super) fn knows(&self, thread: u32) -> bool {
        // ORDER: Relaxed. The number is the whole message.
        self.place(thread).is_some_and(|place| place.load(Relaxed) != 0)
    }

    /// How many have stopped by themselves, and hold to the deadline.
    pub(super) fn stopped(&self) -> u32 {
        self.stopped.load(Acquire) // ORDER: Acquire, with the Release of `stop`.
    }

    /// The place that holds `thread`, or the first one that is free for it.
    fn place(&self, thread: u32) -> Option<&AtomicU32> {
        // Numbers are given out in turn, so neighbours lie apart already.
        let first = thread as usize % PLACES;
        let mut around = self.places.iter().cycle().skip(first).take(PLACES);
        around.find(|place| {
            // ORDER: Relaxed. A place that is taken stays with its thread; one that is free is
            // taken by an exchange.
            let now = place.load(Relaxed);
            now == 0 || now & !STOPPED == thread
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_a_place_until_there_are_none() {
        static TABLE: Halted = Halted::new();
        let numbers = (1..=PLACES as u32).map(|n| n * 37 % 40_009);
        for number in numbers.clone() {
            assert_eq!(TABLE.note(number), Some(true));
            assert_eq!(TABLE.note(number), Some(false));
            assert!(TABLE.knows(number) && !TABLE.has_stopped(number));
        }
        assert_eq!(TABLE.note(4_000_000), None);
        for (already, number) in numbers.enumerate() {
            assert_eq!(TABLE.stopped(), already as u32);
            TABLE.stop(number);
            TABLE.stop(number);
            assert!(TABLE.has_stopped(number));
        }
        TABLE.stop(4_000_000);
        assert!(!TABLE.knows(4_000_000) && !TABLE.has_stopped(4_000_000));
    }
}
