//! A working set of mixed sizes, in one thread or in several.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::block;

const LIVE: usize = 1024;
const SIZE_MIN: f64 = 9.0;
const SIZE_MAX: f64 = 4096.0;
/// How many (place, size) are drawn beforehand; they are used over and over.
const DRAWN: usize = 8192;
const WARM_UP: usize = 4_096;

pub(super) fn run(operations: usize) -> Duration {
    let (start, end) = Ring::new(1).warmed_up().turn(operations);
    end - start
}

/// The ring in `threads` threads; together they do `operations`.
pub(super) fn run_in_threads(threads: usize, operations: usize) -> Duration {
    let ready = Barrier::new(threads);
    let spans = thread::scope(|scope| {
        let ready = &ready;
        let each = move |seed| scope.spawn(move || turn_of(seed, ready, operations / threads));
        let threads: Vec<_> = (1..=threads as u64).map(each).collect();
        threads.into_iter().map(|t| t.join().expect("no panic")).collect::<Vec<_>>()
    });
    let first = spans.iter().map(|span| span.0).min();
    let last = spans.iter().map(|span| span.1).max();
    last.zip(first).map_or(Duration::ZERO, |(last, first)| last - first)
}

/// One thread's part of a ring in several: it waits at `ready` once warmed up. When it began, and
/// when it ended.
pub(super) fn turn_of(seed: u64, ready: &Barrier, operations: usize) -> (Instant, Instant) {
    let mut ring = Ring::new(seed).warmed_up();
    ready.wait();
    ring.turn(operations)
}

struct Ring {
    live: Vec<Vec<u8>>,
    drawn: Vec<(u16, u16)>,
    at: usize,
}

impl Ring {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let drawn: Vec<(u16, u16)> =
            (0..DRAWN).map(|_| (random.u16(..LIVE as u16), size(random.f64()))).collect();
        let live = drawn[..LIVE].iter().map(|&(_, size)| block(size.into())).collect();
        Self { live, drawn, at: 0 }
    }

    fn warmed_up(mut self) -> Self {
        self.turn(WARM_UP);
        self
    }

    /// When it began, and when it ended.
    fn turn(&mut self, operations: usize) -> (Instant, Instant) {
        let start = Instant::now();
        for _ in 0..operations {
            let (place, size) = self.drawn[self.at % DRAWN];
            self.at += 1;
            let place = &mut self.live[usize::from(place)];
            drop(std::mem::take(place));
            *place = block(size.into());
        }
        (start, Instant::now())
    }
}

/// The size at `part` (0 to 1) of the range, on a logarithmic scale.
fn size(part: f64) -> u16 {
    (SIZE_MIN * (SIZE_MAX / SIZE_MIN).powf(part)) as u16
}
