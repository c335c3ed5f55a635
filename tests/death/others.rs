//! Threads that are there while another fails.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use failfast_alloc_rows::witness::{self, COUNTERS, RUNNING};

use crate::tools::*;

/// Starts `n` threads. Each does `first`, counts, and then does `step` and counts, for ever.
/// Returns when each has counted.
pub(crate) fn start(n: usize, first: fn(), step: fn()) {
    // They begin at once: those that run already would have the next one wait.
    static BEGIN: AtomicUsize = AtomicUsize::new(0);
    let from = witness::read(RUNNING) as usize;
    witness::note(RUNNING, (from + n) as u64);
    for i in from..from + n {
        let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(move || {
            while BEGIN.load(SeqCst) <= i {
                std::thread::sleep(Duration::from_millis(1));
            }
            first();
            loop {
                witness::count(COUNTERS + i);
                step();
            }
        });
        drop(thread.expect("a thread"));
    }
    BEGIN.fetch_max(from + n, SeqCst);
    (from..from + n).for_each(|i| witness::wait_for(COUNTERS + i));
}

/// Starts `n` threads that do nothing but count.
pub(crate) fn start_spinning(n: usize) {
    start(n, || {}, || {});
}

/// Starts `n` threads that do nothing but count, with every signal blocked.
pub(crate) fn start_deaf(n: usize) {
    start(n, block_all, || {});
}

/// Sets a hook that writes down how far other threads have counted, and then gives them time.
pub(crate) fn set_watching_hook() {
    set_hook(|_| {
        witness::sample();
        linger();
    });
}
