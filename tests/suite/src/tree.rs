//! A tree of clusters under stress, against an oracle that is a mutex.
//!
//! Threads × clusters × frees elsewhere × realloc × nesting × ends × threads' ends. Nothing but the
//! blocks that are counted is ever allocated inside, so that the oracle is exact: no budget is
//! exceeded by a byte, and no request is refused that fitted at every instant.
//! `SUITE_STRESS_SECONDS` sets how long it goes on; else it is one short round.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::sync::{Arc, Barrier, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use failfast_alloc::{Cluster, Limit, fallible, usage};

use crate::tools::Random;
use crate::{Scenario, plain};

pub(crate) const SCENARIOS: &[Scenario] = &[plain("a_tree_of_clusters_under_stress", stress)];

/// The variable that sets how long it goes on.
pub(crate) const SECONDS: &str = "SUITE_STRESS_SECONDS";

const THREADS: usize = 4;
const STEPS: usize = 20_000;
/// Each place in the tree: its parent, and its clusters' budget. In the second and the last the
/// parent is what is short.
const PLACES: [(Option<usize>, usize); 9] = [
    (None, 300_000),
    (Some(0), 120_000),
    (Some(0), 400_000),
    (Some(1), 70_000),
    (Some(3), 60_000),
    (None, 90_000),
    (Some(5), 50_000),
    (Some(5), 50_000),
    (None, usize::MAX >> 2),
];

/// What the oracle knows of a cluster, for as long as a block of it is there.
struct Node {
    budget: usize,
    parent: Option<Arc<Node>>,
    counts: Mutex<Counts>,
}

/// What surely is live, and what at most is; and the most that was since a thread's request began.
#[derive(Default)]
struct Counts {
    low: usize,
    high: usize,
    most: [usize; THREADS],
}

impl Node {
    fn upward(self: &Arc<Node>) -> impl Iterator<Item = &Arc<Node>> {
        std::iter::successors(Some(self), |node| node.parent.as_ref())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap()
    }

    /// A thread is about to ask for so much.
    fn ask(self: &Arc<Node>, me: usize, bytes: usize) {
        for node in self.upward() {
            let mut counts = node.counts();
            counts.most[me] = counts.high;
            counts.high += bytes;
            let high = counts.high;
            counts.most.iter_mut().for_each(|most| *most = high.max(*most));
        }
    }

    /// It has got it.
    fn got(self: &Arc<Node>, bytes: usize) {
        for node in self.upward() {
            let mut counts = node.counts();
            counts.low += bytes;
            assert!(counts.low <= node.budget, "A1: {} live of {}", counts.low, node.budget);
        }
    }

    /// It was refused: some budget must have been short at some instant since.
    fn refused(self: &Arc<Node>, me: usize, bytes: usize) {
        let is_short = self.upward().any(|node| node.counts().most[me] > node.budget);
        assert!(is_short, "A2: {bytes} refused, though they fitted everywhere");
        self.upward().for_each(|node| node.counts().high -= bytes);
    }

    /// It is about to be freed, ...
    fn frees(self: &Arc<Node>, bytes: usize) {
        self.upward().for_each(|node| node.counts().low -= bytes);
    }

    /// ... and it has been.
    fn freed(self: &Arc<Node>, bytes: usize) {
        self.upward().for_each(|node| node.counts().high -= bytes);
    }
}

/// A block, and whose it is.
struct Owned {
    at: *mut u8,
    layout: Layout,
    node: Arc<Node>,
}
// SAFETY: whoever has it owns it; nothing is done through a shared reference.
unsafe impl Send for Owned {}

impl Owned {
    /// A block of the cluster's, or none.
    fn new(
        me: usize,
        (cluster, node): &(Cluster, Arc<Node>),
        layout: Layout,
        zeroed: bool,
    ) -> Option<Self> {
        node.ask(me, layout.size());
        let get = if zeroed { alloc_zeroed } else { alloc };
        // SAFETY: the layout is not empty.
        let at = fallible(|| cluster.run(|| unsafe { get(layout) }));
        if at.is_null() {
            node.refused(me, layout.size());
            return None;
        }
        node.got(layout.size());
        let last = at.wrapping_add(layout.size() - 1);
        // SAFETY: of that size.
        unsafe {
            assert!(!zeroed || *at == 0 && *last == 0);
            at.write(7);
            last.write(7);
        }
        Some(Self { at, layout, node: node.clone() })
    }

    /// Resizes it, wherever the thread is.
    fn resize(&mut self, me: usize, size: usize) {
        let (old, node) = (self.layout.size(), self.node.clone());
        if size > old {
            node.ask(me, size - old);
        } else {
            node.frees(old - size);
        }
        // SAFETY: ours, in its layout.
        let at = fallible(|| unsafe { realloc(self.at, self.layout, size) });
        match (at.is_null(), size > old) {
            (true, true) => return node.refused(me, size - old),
            (true, false) => panic!("a block may always shrink"),
            (false, true) => node.got(size - old),
            (false, false) => node.freed(old - size),
        }
        // SAFETY: of that size, and with what it had.
        unsafe {
            assert_eq!(*at, 7);
            at.wrapping_add(size - 1).write(7);
        }
        self.at = at;
        self.layout = Layout::from_size_align(size, self.layout.align()).unwrap();
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.node.frees(self.layout.size());
        // SAFETY: ours, in its layout.
        unsafe { dealloc(self.at, self.layout) };
        self.node.freed(self.layout.size());
    }
}

/// What all threads share: the tree, and what each is to free.
struct World {
    places: Vec<Mutex<(Cluster, Arc<Node>)>>,
    inboxes: Vec<Mutex<Vec<Owned>>>,
}

impl World {
    fn new() -> Self {
        let mut world = Self { places: Vec::new(), inboxes: Vec::new() };
        for place in 0..PLACES.len() {
            let made = Mutex::new(world.make(place));
            world.places.push(made);
        }
        world.inboxes.extend((0..THREADS).map(|_| Mutex::default()));
        world
    }

    /// A cluster for this place, in the one that is now at its parent's.
    fn make(&self, place: usize) -> (Cluster, Arc<Node>) {
        let (parent, budget) = PLACES[place];
        let parent = parent.map(|parent| self.at(parent));
        let of = parent.as_ref().map_or_else(Cluster::root, |(cluster, _)| cluster.clone());
        let soft = Limit::bytes(budget / 2);
        let built = Cluster::builder(format!("place-{place}")).parent(&of).soft_budget(soft);
        let cluster = built.budget(Limit::bytes(budget)).build().unwrap();
        let parent = parent.map(|(_, node)| node);
        (cluster, Arc::new(Node { budget, parent, counts: Mutex::default() }))
    }

    fn at(&self, place: usize) -> (Cluster, Arc<Node>) {
        self.places[place].lock().unwrap().clone()
    }

    /// Ends the cluster at this place, whatever is live in it, and makes another.
    fn replace(&self, place: usize) {
        let new = self.make(place);
        let old = std::mem::replace(&mut *self.places[place].lock().unwrap(), new);
        drop(old);
    }
}

fn layout(random: &mut Random) -> Layout {
    let most = [16, 100, 5_000, 40_000][random.below(4)];
    Layout::from_size_align(1 + random.below(most), 1 << random.below(8)).unwrap()
}

fn churn(me: usize, seed: u64, world: &World) -> usize {
    let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed * 64 + me as u64 + 1) | 1);
    let (mut kept, mut refused) = (Vec::<Owned>::with_capacity(256), 0);
    for _ in 0..STEPS {
        let place = world.at(random.below(PLACES.len()));
        let at = random.below(kept.len().max(1));
        match random.below(16) {
            0..6 if kept.len() < 200 => {
                match Owned::new(me, &place, layout(&mut random), random.below(4) == 0) {
                    Some(block) => kept.push(block),
                    None => refused += 1,
                }
            }
            6 | 7 if at < kept.len() => {
                let size = layout(&mut random).size();
                kept[at].resize(me, size);
            }
            8 | 9 if at < kept.len() => {
                let block = kept.swap_remove(at);
                world.inboxes[random.below(THREADS)].lock().unwrap().push(block);
            }
            10 => {
                let got = std::mem::take(&mut *world.inboxes[me].lock().unwrap());
                if random.below(2) == 0 { place.0.run(|| drop(got)) } else { drop(got) }
            }
            11 if random.below(20) == 0 => world.replace(random.below(PLACES.len())),
            12 if random.below(200) == 0 => {
                let got: Vec<Owned> = kept.drain(at..).collect();
                let thread = place.0.spawn(move || drop(got)).unwrap();
                thread.join().unwrap();
            }
            13 => {
                let usage = place.0.usage();
                assert!(usage.live <= usage.budget.unwrap() && usage.live <= usage.peak);
                let _ = place.0.over_soft_budget();
            }
            _ if at < kept.len() => drop(kept.swap_remove(at)),
            _ => {}
        }
    }
    world.inboxes[me].lock().unwrap().append(&mut kept);
    refused
}

fn round(seed: u64) -> usize {
    let (world, all_here) = (&World::new(), &Barrier::new(THREADS));
    let refused = thread::scope(|scope| {
        let start = |me| {
            scope.spawn(move || {
                all_here.wait();
                churn(me, seed, world)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // At rest, the figures are the oracle's.
    for place in 0..PLACES.len() {
        let (cluster, node) = world.at(place);
        assert_eq!(cluster.usage().live, node.counts().high, "place {place}");
    }
    for inbox in &world.inboxes {
        inbox.lock().unwrap().clear();
    }
    for place in &world.places {
        let (cluster, node) = &*place.lock().unwrap();
        assert_eq!((cluster.usage().live, node.counts().low), (0, 0));
    }
    refused
}

fn stress() {
    let seconds = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
    let (mut rounds, mut refused, mut before) = (0, 0, 0);
    loop {
        refused += round(rounds);
        rounds += 1;
        assert_eq!(Cluster::list().len(), 1);
        // The first round has made what the test and its runtime keep.
        assert!(rounds < 3 || usage().live == before, "{} were {before}", usage().live);
        before = usage().live;
        if Instant::now() >= until && rounds >= 1 {
            break;
        }
    }
    assert!(refused > 0, "no budget was ever short: the test is idle");
    eprintln!("{rounds} rounds of {STEPS} steps in {THREADS} threads, {refused} refusals");
}
