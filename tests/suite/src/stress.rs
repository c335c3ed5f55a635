//! Many threads at once, against an oracle that is a mutex.

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
// The standard library's: others allocate when they are contended.
use std::sync::{Barrier, Mutex};
use std::thread;

use failfast_alloc::{fallible, usage};

use crate::tools::Random;
use crate::{Scenario, plain};

/// One more test's environment: little room, and much contention for it.
const SMALL: &[(&str, &str)] = &[("FAILFAST_BUDGET", "4MiB")];

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { env: SMALL, ..plain("stress_against_an_oracle", oracle) },
    Scenario { env: SMALL, ..plain("the_token_is_always_granted", || token(false)) },
    Scenario { env: SMALL, ..plain("the_token_freed_by_another_thread", || token(true)) },
    Scenario { env: SMALL, ..plain("a_hopeless_request_hurts_nobody", hopeless) },
    Scenario { env: SMALL, ..plain("the_race_that_breaks_single_counters", race) },
];

/// Bytes that the process may have beside what the tests count: names of threads, their packets.
const SLACK: usize = 64 << 10;

/// What surely is live, and what at most is; and the most that could be since a request began.
#[derive(Default)]
struct Oracle {
    low: usize,
    high: usize,
    most: [usize; 8],
}

impl Oracle {
    fn raise(&mut self, bytes: usize) {
        self.high += bytes;
        for most in &mut self.most {
            *most = (*most).max(self.high);
        }
    }
}

/// A block that another thread may free.
struct Block(*mut u8, Layout);
// SAFETY: whoever has it owns it; nothing is done through a shared reference.
unsafe impl Send for Block {}

/// Where others put what a thread is to free. Made before the room is measured.
type Inbox = Mutex<Vec<Block>>;

fn oracle() {
    let kept: Vec<Vec<Block>> = (0..4).map(|_| Vec::with_capacity(4096)).collect();
    let inboxes: &Vec<Inbox> = &(0..4).map(|_| Mutex::new(Vec::with_capacity(4096))).collect();
    let room = usage().budget.unwrap() - usage().live;
    let oracle = &Mutex::new(Oracle::default());
    let all_here = &Barrier::new(kept.len());
    let _kept: Vec<Vec<Block>> = thread::scope(|scope| {
        // To start a thread takes memory: nobody begins before all are there.
        let churn = |(me, kept)| {
            scope.spawn(move || {
                all_here.wait();
                churn(me, room, oracle, kept, inboxes)
            })
        };
        let threads: Vec<_> = kept.into_iter().enumerate().map(churn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for inbox in inboxes {
        inbox.lock().unwrap().drain(..).for_each(|block| release(oracle, block));
    }
    let oracle = oracle.lock().unwrap();
    assert_eq!((oracle.low, oracle.high), (0, 0));
}

fn churn(
    me: usize,
    room: usize,
    oracle: &Mutex<Oracle>,
    mut kept: Vec<Block>,
    inboxes: &[Inbox],
) -> Vec<Block> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(me as u64 + 1));
    let mut refused = 0;
    for _ in 0..60_000 {
        while let Some(block) = { inboxes[me].lock().unwrap().pop() } {
            release(oracle, block);
        }
        match random.below(8) {
            0..4 if kept.len() < 4000 => match request(me, room, oracle, &mut random) {
                Some(block) => kept.push(block),
                None => refused += 1,
            },
            4 if !kept.is_empty() => {
                let block = kept.swap_remove(random.below(kept.len()));
                hand_over(oracle, &inboxes[random.below(inboxes.len())], block);
            }
            5 if !kept.is_empty() => {
                let at = random.below(kept.len());
                resize(oracle, &mut kept[at], 1 + random.below(60_000));
            }
            _ if !kept.is_empty() => {
                release(oracle, kept.swap_remove(random.below(kept.len())));
            }
            _ => {}
        }
    }
    assert!(refused > 0, "the budget was never short: the test is idle");
    kept.drain(..).for_each(|block| release(oracle, block));
    kept // Freed only when nobody counts any more.
}

/// Gives a block to another thread to free; nothing here may allocate.
fn hand_over(oracle: &Mutex<Oracle>, inbox: &Inbox, block: Block) {
    let mut inbox = inbox.lock().unwrap();
    if inbox.len() < inbox.capacity() {
        inbox.push(block);
    } else {
        drop(inbox);
        release(oracle, block);
    }
}

/// Asks for a block. A refusal must be true: at some instant since, at most could not fit.
fn request(me: usize, room: usize, oracle: &Mutex<Oracle>, random: &mut Random) -> Option<Block> {
    let most = if random.below(50) == 0 { 900_000 } else { 20_000 };
    let size = 1 + random.below(most);
    let layout = Layout::from_size_align(size, 1 << random.below(6)).unwrap();
    {
        let mut oracle = oracle.lock().unwrap();
        oracle.most[me] = oracle.high;
        oracle.raise(size);
    }
    // SAFETY: the layout is not empty.
    let block = fallible(|| unsafe { alloc(layout) });
    let mut oracle = oracle.lock().unwrap();
    if block.is_null() {
        let most = oracle.most[me];
        assert!(most + SLACK > room, "A2: {size} refused with at most {most} of {room} live");
        oracle.high -= size;
        return None;
    }
    oracle.low += size;
    assert!(oracle.low <= room + SLACK, "A1: {} live of {room}", oracle.low);
    Some(Block(block, layout))
}

fn release(oracle: &Mutex<Oracle>, block: Block) {
    oracle.lock().unwrap().low -= block.1.size();
    // SAFETY: ours, with its own layout.
    unsafe { dealloc(block.0, block.1) };
    oracle.lock().unwrap().high -= block.1.size();
}

fn resize(oracle: &Mutex<Oracle>, block: &mut Block, size: usize) {
    let old = block.1.size();
    if size > old {
        oracle.lock().unwrap().raise(size - old);
    } else {
        oracle.lock().unwrap().low -= old - size;
    }
    // SAFETY: ours, with its own layout.
    let moved = fallible(|| unsafe { realloc(block.0, block.1, size) });
    let mut oracle = oracle.lock().unwrap();
    if moved.is_null() {
        if size > old {
            oracle.high -= size - old;
        } else {
            oracle.low += old - size;
        }
        return;
    }
    if size > old {
        oracle.low += size - old;
    } else {
        oracle.high -= old - size;
    }
    *block = Block(moved, Layout::from_size_align(size, block.1.align()).unwrap());
}

/// All that needs recalls.
pub(crate) fn hard() {
    token(false);
    hopeless();
    oracle();
}

/// Threads that lease and end.
pub(crate) fn short() {
    token(true);
}

/// Two threads hold at most half of the room each, over and over: neither is ever refused.
fn token(freed_elsewhere: bool) {
    let half = (usage().budget.unwrap() - usage().live - SLACK) / 2;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || {
                let layout = Layout::from_size_align(half, 16).unwrap();
                for n in 0..10_000 {
                    // SAFETY: the layout is not empty.
                    let block = Block(fallible(|| unsafe { alloc(layout) }), layout);
                    assert!(!block.0.is_null(), "A2: refused in round {n}");
                    if freed_elsewhere && n % 20 == 0 {
                        thread::scope(|scope| drop(scope.spawn(move || free(block)).join()));
                    } else {
                        free(block);
                    }
                }
            });
        }
    });
}

fn free(block: Block) {
    // SAFETY: ours, with its own layout.
    unsafe { dealloc(block.0, block.1) }
}

/// One thread asks for more than the budget, over and over; the other's requests all fit.
fn hopeless() {
    let room = usage().budget.unwrap() - usage().live - SLACK;
    let stop = &AtomicBool::new(false);
    let refusals = &AtomicU64::new(0);
    thread::scope(|scope| {
        for huge in [8 << 20, room + SLACK] {
            scope.spawn(move || {
                let layout = Layout::from_size_align(huge, 1).unwrap();
                while !stop.load(Relaxed) {
                    // SAFETY: the layout is not empty.
                    assert!(fallible(|| unsafe { alloc(layout) }).is_null(), "A1");
                    refusals.fetch_add(1, Relaxed);
                }
            });
        }
        let mut random = Random(77);
        let mut rounds = 0;
        while rounds < 3000 || refusals.load(Relaxed) < 200 {
            let size = room - random.below(room / 4);
            let mut kept: Vec<u8> = Vec::new();
            assert!(fallible(|| kept.try_reserve_exact(size)).is_ok(), "A2: in round {rounds}");
            rounds += 1;
        }
        stop.store(true, Relaxed);
    });
}

/// The race in which a single counter that is subtracted from first, and corrected later, grants
/// without bound: huge requests beside small ones that are kept.
fn race() {
    let budget = usage().budget.unwrap();
    let stop = &AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(move || {
            let layout = Layout::from_size_align(1 << 30, 1).unwrap();
            while !stop.load(Relaxed) {
                // SAFETY: the layout is not empty.
                assert!(fallible(|| unsafe { alloc(layout) }).is_null(), "A1: granted 1 GiB");
            }
        });
        for _ in 0..200 {
            let mut kept: Vec<Vec<u8>> = Vec::with_capacity(1024);
            loop {
                let mut block = Vec::new();
                if fallible(|| block.try_reserve_exact(16 << 10)).is_err() {
                    break;
                }
                kept.push(block);
                assert!(kept.len() * (16 << 10) <= budget, "A1: over the budget");
            }
            assert!(kept.len() * (16 << 10) + SLACK > budget, "A2: {} blocks", kept.len());
        }
        stop.store(true, Relaxed);
    });
}
