//! Does a limit hold, while requests come that can never be met?

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::Door;

/// What can never be met.
const HUGE: usize = 1 << 30;
/// What is kept.
const KEPT: usize = 64 << 10;
/// Where the race ends whose limit does not hold.
const CEILING: usize = 1 << 30;
/// When it ends whose limit holds.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// How a race ended.
pub struct Outcome {
    /// Bytes that were live at once, in blocks that were kept.
    pub held: usize,
    /// How many of the huge requests were granted.
    pub granted: u64,
    /// How long it took.
    pub millis: u128,
}

/// Sets the limit; then one thread asks for 1 GiB over and over, and gives it back if it gets it,
/// while another takes blocks of 64 KiB and keeps them.
pub fn run(door: &Door, limit: usize) -> Outcome {
    (door.set_limit)(limit);
    let over = AtomicBool::new(false);
    let start = Instant::now();
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut granted = 0;
            // ORDER: Relaxed. The flag says nothing of other memory.
            while !over.load(Relaxed) {
                granted += u64::from(attempt(door, HUGE).is_some());
            }
            granted
        });
        let mut kept = Vec::with_capacity(CEILING / KEPT);
        while kept.len() * KEPT < CEILING && start.elapsed() < LONG_ENOUGH {
            kept.extend(attempt(door, KEPT));
        }
        over.store(true, Relaxed); // ORDER: Relaxed. As above.
        let granted = asking.join().expect("no panic");
        Outcome { held: kept.len() * KEPT, granted, millis: start.elapsed().as_millis() }
    })
}

/// A block of `bytes` bytes, or none if that is refused. Its contents are not touched.
fn attempt(door: &Door, bytes: usize) -> Option<Vec<u8>> {
    let mut block = Vec::new();
    let mut granted = false;
    (door.attempt)(&mut || granted = block.try_reserve_exact(bytes).is_ok());
    let block = std::hint::black_box(block);
    granted.then_some(block)
}
