//! Clusters: to be in one, to enter and leave it, to make and end it, and to have many.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::{Workload, block, resident, ring};
use crate::Door;

/// A cluster of the subject's; in a subject that has none, nothing.
pub trait Cluster: Send + Sync {
    /// Runs `work` inside.
    fn run(&self, work: &mut dyn FnMut());
    /// Enters and leaves so many times.
    fn enter_and_leave(&self, times: usize);
    /// Its live bytes.
    fn live(&self) -> usize;
}

/// What a subject has that knows no clusters.
pub struct Nothing;

impl Cluster for Nothing {
    fn run(&self, work: &mut dyn FnMut()) {
        work();
    }

    fn enter_and_leave(&self, _: usize) {}

    fn live(&self) -> usize {
        0
    }
}

/// What is done with clusters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Job {
    /// A workload of one thread, inside a cluster.
    Inside(Workload),
    /// The same in the root, while there is a cluster with a block of its own.
    Beside(Workload),
    /// [`Workload::Ring`] in two threads at once, each in a cluster of its own.
    Siblings,
    /// A cluster is entered and left. An operation is both.
    Enter,
    /// A cluster is made and ended that nobody was in. An operation is both.
    Make,
    /// The same; the thread has allocated a block in it and freed it.
    MakeUsed,
    /// The same; another thread has done so too, and is gone from it: its end is settled in a
    /// batch.
    MakeShared,
}

impl Job {
    /// The job that `Display` writes so.
    pub fn from_name(name: &str) -> Option<Self> {
        let workload = |of: &str| Workload::from_name(name.strip_prefix(of)?);
        Some(match name {
            "siblings" => Self::Siblings,
            "enter" => Self::Enter,
            "make" => Self::Make,
            "make-used" => Self::MakeUsed,
            "make-shared" => Self::MakeShared,
            _ => {
                let inside = workload("inside-").map(Self::Inside);
                return inside.or_else(|| workload("beside-").map(Self::Beside));
            }
        })
    }

    /// Does `operations` operations.
    pub fn run(self, door: &Door, operations: usize) -> Duration {
        match self {
            Self::Inside(workload) => {
                let mut took = Duration::ZERO;
                (door.cluster)().run(&mut || took = workload.run(operations));
                took
            }
            Self::Beside(workload) => {
                let (cluster, mut kept) = ((door.cluster)(), Vec::new());
                cluster.run(&mut || kept = block(64));
                workload.run(operations)
            }
            Self::Siblings => siblings(door, operations),
            Self::Enter => {
                let cluster = (door.cluster)();
                cluster.enter_and_leave(1000);
                timed(|| cluster.enter_and_leave(operations))
            }
            Self::Make => {
                (door.make_and_end)(1000);
                timed(|| (door.make_and_end)(operations))
            }
            Self::MakeUsed => {
                let one = || (door.cluster)().run(&mut || drop(block(64)));
                (0..1000).for_each(|_| one());
                timed(|| (0..operations).for_each(|_| one()))
            }
            Self::MakeShared => make_shared(door, operations),
        }
    }
}

impl std::fmt::Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&match self {
            Self::Inside(workload) => format!("inside-{workload}"),
            Self::Beside(workload) => format!("beside-{workload}"),
            Self::Siblings => "siblings".to_owned(),
            Self::Enter => "enter".to_owned(),
            Self::Make => "make".to_owned(),
            Self::MakeUsed => "make-used".to_owned(),
            Self::MakeShared => "make-shared".to_owned(),
        })
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn siblings(door: &Door, operations: usize) -> Duration {
    let ready = &Barrier::new(2);
    let spans = thread::scope(|scope| {
        let each = |seed| {
            let cluster = (door.cluster)();
            scope.spawn(move || {
                let mut span = None;
                cluster.run(&mut || span = Some(ring::turn_of(seed, ready, operations / 2)));
                span.expect("it ran")
            })
        };
        let threads = [each(1), each(2)];
        threads.map(|thread| thread.join().expect("no panic"))
    });
    spans[0].1.max(spans[1].1) - spans[0].0.min(spans[1].0)
}

/// Batches of 64 clusters, in each of which two threads allocate and free a block; the time of the
/// thread that makes and ends them, while the other one waits.
fn make_shared(door: &Door, operations: usize) -> Duration {
    const BATCH: usize = 64;
    let (to_other, from_us) = std::sync::mpsc::channel::<Vec<Box<dyn Cluster>>>();
    let (to_us, from_other) = std::sync::mpsc::channel();
    let use_all = |all: &[Box<dyn Cluster>]| {
        all.iter().for_each(|cluster| cluster.run(&mut || drop(block(64))));
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            for all in from_us {
                use_all(&all);
                to_us.send(all).expect("somebody waits");
            }
        });
        let mut took = Duration::ZERO;
        for round in 0..operations / BATCH + 16 {
            let start = Instant::now();
            let all: Vec<_> = (0..BATCH).map(|_| (door.cluster)()).collect();
            let made = start.elapsed();
            use_all(&all);
            to_other.send(all).expect("somebody waits");
            let all = from_other.recv().expect("it comes back");
            let ended = timed(|| drop(all));
            if round >= 16 {
                took += made + ended;
            }
        }
        drop(to_other);
        took
    })
}

/// What so many clusters and threads came to: see [`many`].
pub struct Many {
    /// Anonymous memory for each thread in each cluster, in bytes, without the blocks.
    pub bytes: u64,
    /// Nanoseconds to be in a cluster for the first time: to enter, allocate a block, free another
    /// one, and leave.
    pub first: f64,
    /// The same once every thread has been in every cluster.
    pub again: f64,
    /// Milliseconds until all of them have ended, their threads gone.
    pub end: f64,
}

/// How often each thread is in each cluster.
const ROUNDS: usize = 4;

/// So many clusters; so many threads are in one after the other, all at once.
pub fn many(door: &Door, clusters: usize, threads: usize) -> Many {
    let all: Vec<_> = (0..clusters).map(|_| (door.cluster)()).collect();
    let gate = &Barrier::new(threads + 1);
    let mut gates = vec![];
    let mut resident = vec![];
    thread::scope(|scope| {
        for _ in 0..threads {
            let all = &all;
            scope.spawn(move || {
                let mut kept: Vec<_> = (0..clusters).map(|_| block(64)).collect();
                for _ in 0..ROUNDS {
                    gate.wait();
                    gate.wait();
                    for (cluster, kept) in all.iter().zip(&mut kept) {
                        cluster.run(&mut || *kept = block(64));
                    }
                }
                gate.wait();
                gate.wait();
            });
        }
        for _ in 0..=ROUNDS {
            gate.wait();
            resident.push(resident::kib());
            gates.push(Instant::now());
            gate.wait();
        }
    });
    let visits = (clusters * threads) as f64;
    let nanos = |n: usize| (gates[n + 1] - gates[n]).as_nanos() as f64 / visits;
    Many {
        bytes: resident[ROUNDS].saturating_sub(resident[0]) * 1024 / (clusters * threads) as u64,
        first: nanos(0),
        again: nanos(ROUNDS - 1),
        end: timed(|| drop(all)).as_secs_f64() * 1e3,
    }
}

/// What the map of owners takes: `blocks` blocks of `bytes` are allocated inside a cluster, then as
/// many in the root. Both in KiB of anonymous memory.
pub fn map(door: &Door, blocks: usize, bytes: usize) -> [u64; 2] {
    let mut kept = Vec::with_capacity(2 * blocks);
    let cluster = (door.cluster)();
    cluster.run(&mut || kept.push(block(bytes)));
    let start = resident::kib();
    kept.extend((0..blocks).map(|_| touched(bytes)));
    let roots = resident::kib();
    cluster.run(&mut || kept.extend((0..blocks).map(|_| touched(bytes))));
    [resident::kib() - roots, roots - start]
}

/// A block whose every page is written to.
fn touched(bytes: usize) -> Vec<u8> {
    let mut block = block(bytes);
    block.resize(bytes, 1);
    block
}
