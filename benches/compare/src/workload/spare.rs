//! Two threads near the limit.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::block;
use crate::Door;

const ITEM: usize = 1024;
/// The budget of the process, of which all but what is to spare is used up first.
pub const BUDGET: usize = 64 << 20;

/// What two threads do with blocks of 1 KiB.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// Each allocates one and frees it. An operation is one such pair.
    Pairs,
    /// Each keeps 24, and replaces the oldest. An operation is one replacement.
    Window,
    /// One allocates them, the other frees them; up to 16 wait between them.
    Queue,
    /// As `Window`, with 31 each: 62 of 64 KiB, were that all there is to spare.
    Brim,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pairs, Self::Window, Self::Queue, Self::Brim];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pairs => "spare-pairs",
            Self::Window => "spare-window",
            Self::Queue => "spare-queue",
            Self::Brim => "spare-brim",
        }
    }

    /// The shape of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.name() == name)
    }

    /// Does `operations` operations with `spare` bytes of [`BUDGET`] left.
    pub fn run(self, door: &Door, operations: usize, spare: usize) -> Duration {
        match self {
            Self::Pairs => windows(door, spare, 0, operations / 2),
            Self::Window => windows(door, spare, 24, operations / 2),
            Self::Brim => windows(door, spare, 31, operations / 2),
            Self::Queue => queue(door, spare, operations),
        }
    }
}

/// Uses up the budget but for `spare` bytes, with one block that is never touched.
fn ballast(door: &Door, spare: usize) -> Vec<u8> {
    block(BUDGET - (door.live)() - spare)
}

fn windows(door: &Door, spare: usize, kept: usize, operations: usize) -> Duration {
    let gate = Barrier::new(3);
    thread::scope(|scope| {
        let each = || {
            let mut window: Vec<Vec<u8>> = vec![Vec::new(); kept.max(1)];
            gate.wait();
            gate.wait();
            replace(&mut window, kept != 0, operations);
            Instant::now()
        };
        let threads = [scope.spawn(each), scope.spawn(each)];
        gate.wait();
        let _ballast = ballast(door, spare);
        let start = Instant::now();
        gate.wait();
        let ends = threads.map(|thread| thread.join().expect("no panic"));
        ends[0].max(ends[1]) - start
    })
}

fn replace(window: &mut [Vec<u8>], keep: bool, operations: usize) {
    let places = window.len();
    for n in 0..operations {
        let place = &mut window[n % places];
        // The block in place is freed first: never more than the window's are live.
        drop(std::mem::take(place));
        let new = block(ITEM);
        if keep {
            *place = new;
        }
    }
}

fn queue(door: &Door, spare: usize, operations: usize) -> Duration {
    let (to_consumer, from_producer): (SyncSender<Vec<u8>>, Receiver<_>) = sync_channel(16);
    let gate = &Barrier::new(2);
    thread::scope(|scope| {
        let consumer = scope.spawn(move || {
            gate.wait();
            from_producer.iter().for_each(|item| drop(black_box(item)));
            Instant::now()
        });
        gate.wait();
        let _ballast = ballast(door, spare);
        let start = Instant::now();
        for _ in 0..operations {
            to_consumer.send(block(ITEM)).expect("the consumer waits");
        }
        drop(to_consumer);
        consumer.join().expect("no panic") - start
    })
}
