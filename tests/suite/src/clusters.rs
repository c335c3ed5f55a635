//! Clusters: whose bytes are whose.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::cell::RefCell;
use std::hint::black_box;
use std::sync::{Barrier, mpsc};
use std::thread;

use failfast_alloc::{Cluster, Limit, fallible, usage};

use crate::tools::{Block, Random, cluster, live};
use crate::{End, Scenario, plain};

pub(crate) const SCENARIOS: &[Scenario] = &[
    plain("a_block_is_its_makers", owners),
    plain("realloc_keeps_the_owner", realloc_keeps),
    plain("tiny_blocks_have_owners_of_their_own", tiny),
    plain("a_new_thread_may_free_first", new_thread),
    plain("a_thread_inside_may_end", threads_end),
    plain("a_block_outlives_its_clusters_handle", outlives),
    plain("clusters_nest", nest),
    plain("clusters_are_exact_against_an_oracle", oracle),
    plain("a_cluster_budget_is_exact_to_the_byte", to_the_byte),
    plain("fifty_thousand_clusters_leave_nothing", many),
    plain("the_map_of_owners_is_given_back", map_given_back),
    plain("a_cluster_stays_while_a_thread_is_in_it", forgotten),
    Scenario {
        env: &[("FAILFAST_MODE", "observe")],
        end: End::SaysOnly("failfast: observe: heap budget: cluster `outer` asked for 100000"),
        ..plain("a_part_of_an_observed_budget", || {
            let outer = cluster("outer", 65_536);
            outer.run(|| black_box(vec![0_u8; 100_000]));
            let part = Cluster::builder("part").parent(&outer).budget(Limit::percent(50));
            assert_eq!(part.build().unwrap().usage().budget, Some(32_768));
        })
    },
    plain("clusters_end_while_others_free_their_blocks", ends_under_fire),
    plain("there_is_an_end_to_clusters", full),
    plain("a_budget_below_what_is_live_changes_nothing", set_budget),
    plain("external_bytes_are_charged", external),
    plain("destructors_of_threads_are_in_the_root", destructors),
    plain("a_forked_child_has_its_clusters", forked),
    plain("panics_leave_the_cluster", unwinds),
    Scenario {
        end: End::Abort("failfast: heap budget: cluster `inner` asked for 70000 bytes with "),
        ..plain("the_innermost_without_room_is_named", || over("inner"))
    },
    Scenario {
        end: End::Abort("failfast: heap budget: cluster `outer` asked for 70000 bytes with "),
        ..plain("an_outer_one_without_room_is_named", || over("outer"))
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "4MiB")],
        end: End::Abort("failfast: heap budget: cluster `root` asked for 8388608 bytes with "),
        ..plain("the_root_without_room_is_named", || {
            let job = Cluster::builder("job").build().unwrap();
            job.run(|| black_box(vec![0_u8; 8 << 20]));
        })
    },
    Scenario {
        end: End::Abort("failfast: requested: guards of clusters were dropped in another order"),
        ..plain("guards_in_the_wrong_order_end_the_process", wrong_order)
    },
    Scenario {
        end: End::Abort("failfast: requested: here (thread `main`, "),
        ..plain("a_request_inside_names_the_cluster", requested)
    },
    Scenario {
        env: &[("FAILFAST_CLUSTER_BUDGETS", "parser=64KiB,cache=10%")],
        ..plain("budgets_by_name", by_name)
    },
    Scenario {
        env: &[("FAILFAST_CLUSTER_BUDGETS", "parser=64KiB,parsre=1MiB")],
        end: End::SaysOnly("failfast: FAILFAST_CLUSTER_BUDGETS: no cluster is named `parsre`"),
        ..plain("a_budget_for_nobody_is_told", || {
            drop(Cluster::builder("parser").build().unwrap());
        })
    },
    Scenario {
        env: &[("FAILFAST_MODE", "observe")],
        end: End::SaysOnly("failfast: observe: heap budget: cluster `job` asked for 100000 bytes"),
        ..plain("clusters_are_observed", || {
            let job = cluster("job", 65_536);
            for _ in 0..3 {
                job.run(|| black_box(vec![0_u8; 100_000]));
            }
        })
    },
    plain("null_inside_fallible", null),
    plain("a_request_beyond_everything_comes_round", comes_round),
    Scenario {
        end: End::Abort("heap budget: cluster `one` asked for 9223372036854775807 bytes with 1000"),
        ..plain("a_request_beyond_everything_names_the_cluster", || {
            let one = cluster("one", 65_536);
            one.run(|| {
                let _kept = Block::new(1000, 8);
                huge();
            });
        })
    },
];

fn owners() {
    let (one, two) = (cluster("one", 1 << 20), cluster("two", 1 << 20));
    let root = usage().live;
    let block = one.run(|| Block::new(5000, 8));
    assert_eq!((live(&one), live(&two), usage().live - root), (5000, 0, 5000));
    let other = one.run(|| two.run(|| Block::new(700, 8)));
    assert_eq!((live(&one), live(&two), usage().live - root), (5000, 700, 5700));
    two.run(|| drop(block));
    assert_eq!((live(&one), live(&two), usage().live - root), (0, 700, 700));
    thread::spawn(move || drop(other)).join().unwrap();
    assert_eq!((live(&one), live(&two)), (0, 0));
    // The root's block is the root's, freed anywhere.
    let roots = Block::new(900, 8);
    one.run(|| drop(roots));
    assert_eq!((live(&one), live(&two)), (0, 0));
    // SAFETY: the layout has a size.
    let zeroed = one.run(|| unsafe { alloc_zeroed(Layout::new::<[u64; 8]>()) });
    // SAFETY: just made, zeroed.
    assert_eq!(unsafe { *zeroed.cast::<[u64; 8]>() }, [0; 8]);
    assert_eq!(live(&one), 64);
    // SAFETY: in its layout.
    unsafe { dealloc(zeroed, Layout::new::<[u64; 8]>()) };
    assert_eq!(live(&one), 0);
}

fn realloc_keeps() {
    let (one, two) = (cluster("one", 64 << 20), cluster("two", 64 << 20));
    for align in [1, 8, 16, 64, 4096] {
        let mut block = one.run(|| Block::new(10, align));
        for (step, size) in [100, 5000, 3, 1 << 20, 70_000, 16, 1, 300_000].into_iter().enumerate()
        {
            match step % 4 {
                0 => block.resize(size),
                1 => one.run(|| block.resize(size)),
                2 => two.run(|| block.resize(size)),
                _ => {
                    block = thread::spawn(move || {
                        block.resize(size);
                        block
                    })
                    .join()
                    .unwrap();
                }
            }
            assert_eq!((live(&one), live(&two)), (size, 0), "align {align}, step {step}");
        }
        let mut roots = Block::new(10, align);
        let before = usage().live;
        two.run(|| roots.resize(100_000));
        assert_eq!((live(&two), usage().live - before), (0, 99_990));
        one.run(|| roots.resize(50));
        assert_eq!((live(&one) - block.1.size(), usage().live - before), (0, 40));
    }
    assert_eq!(live(&one), 0);
}

fn tiny() {
    let (one, two) = (cluster("one", 1 << 20), cluster("two", 1 << 20));
    let mut kept = Vec::with_capacity(30_000);
    let mut sum = [0; 3];
    for n in 0..30_000_usize {
        let (size, align) = (n % 9 + 1, 1 << (n % 4));
        let make = || Block::new(size, align);
        kept.push(match n % 3 {
            0 => make(),
            1 => one.run(make),
            _ => two.run(make),
        });
        sum[n % 3] += size;
    }
    assert_eq!([live(&one), live(&two)], sum[1..]);
    for (n, block) in kept.into_iter().enumerate() {
        sum[n % 3] -= block.1.size();
        drop(block);
        if n % 1000 == 0 {
            assert_eq!([live(&one), live(&two)], sum[1..]);
        }
    }
    assert_eq!((live(&one), live(&two)), (0, 0));
}

/// A thread's first call, made by C code's means: nothing of Rust's has allocated in it.
fn first_call(what: impl FnOnce() + Send + 'static) {
    extern "C" fn start(call: *mut libc::c_void) -> *mut libc::c_void {
        // SAFETY: the box that `first_call` gave away; its contents are not freed here.
        let call = unsafe { &mut *call.cast::<Option<Box<dyn FnOnce() + Send>>>() };
        (call.take().unwrap())();
        std::ptr::null_mut()
    }
    let mut call: Option<Box<dyn FnOnce() + Send>> = Some(Box::new(what));
    let mut thread = 0;
    let at = (&raw mut call).cast();
    // SAFETY: `call` outlives the thread, which is joined.
    unsafe {
        assert_eq!(libc::pthread_create(&mut thread, std::ptr::null(), start, at), 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
    }
}

fn new_thread() {
    let one = cluster("one", 1 << 20);
    let root = usage().live;
    for first in 0..4 {
        let mut block = one.run(|| Block::new(1000, 8));
        first_call(move || {
            match first {
                0 => {}
                1 => block.resize(5000),
                2 => block.resize(10),
                _ => drop(Block::new(10, 8)),
            }
            drop(block);
        });
        assert_eq!((live(&one), usage().live - root), (0, 0), "{first}");
    }
    // The first thing it does is to enter.
    let cluster = one.clone();
    first_call(move || drop(cluster.run(|| Block::new(300, 8))));
    assert_eq!(live(&one), 0);
}

fn threads_end() {
    let one = cluster("one", 64 << 20);
    let (to, from) = mpsc::channel();
    for round in 0..50 {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let to = to.clone();
                one.spawn(move || {
                    let blocks: Vec<_> = (1..100).map(|k| Block::new(k * (n + 1), 8)).collect();
                    to.send(blocks).unwrap();
                    std::mem::forget(if round % 2 == 0 { Some(Cluster::current()) } else { None });
                })
                .unwrap()
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let sent: Vec<_> = (0..4).map(|_| from.recv().unwrap()).collect();
        let bytes: usize = sent.iter().flatten().map(|block| block.1.size()).sum();
        assert!(live(&one) >= bytes, "{} {bytes}", live(&one));
        drop(sent);
    }
    // What the channel has left.
    drop((to, from));
    assert_eq!(live(&one), 0);
    // A thread that ends inside, its guard forgotten.
    let cluster = one.clone();
    thread::spawn(move || std::mem::forget(Box::leak(Box::new(cluster)).enter())).join().unwrap();
    assert_eq!(live(&one), 0);
}

fn outlives() {
    let one = cluster("one", 1 << 20);
    let root = usage().live;
    let block = one.run(|| Block::new(4000, 8));
    drop(one);
    assert_eq!(usage().live - root, 4000);
    // Its number is not used anew meanwhile: the block would be somebody else's.
    let others: Vec<_> = (0..200).map(|_| cluster("other", 1000)).collect();
    drop(block);
    assert!(others.iter().all(|other| live(other) == 0));
    drop(others);
    assert_eq!(usage().live, root);
}

fn nest() {
    let mut chain = vec![cluster("c0", 1 << 20)];
    for n in 1..40 {
        let parent = chain.last().unwrap();
        let child = Cluster::builder(format!("c{n}")).parent(parent).build().unwrap();
        assert_eq!(child.parent().as_ref(), Some(parent));
        chain.push(child);
    }
    let blocks: Vec<_> = chain.iter().map(|c| c.run(|| Block::new(100, 8))).collect();
    for (n, c) in chain.iter().enumerate() {
        assert_eq!(live(c), 100 * (40 - n), "{n}");
    }
    // Parents' handles may go first; the current one is the parent unless another is named.
    let last = chain.pop().unwrap();
    drop(chain);
    assert_eq!(last.parent().unwrap().name(), "c38");
    let inner = last.run(|| Cluster::builder("inner").build().unwrap());
    assert_eq!(inner.parent(), Some(last));
    drop(blocks);
    assert_eq!(live(&inner), 0);
}

/// A block, and the number of its cluster.
type Owned = (usize, Block);

/// What one thread of [`oracle`] does.
fn churn(me: usize, all: &[Cluster], inboxes: &[std::sync::Mutex<Vec<Owned>>]) -> Vec<Owned> {
    let mut random = Random(me as u64 * 77 + 1);
    let mut mine: Vec<Owned> = Vec::new();
    for _ in 0..40_000 {
        match random.below(8) {
            0..3 if mine.len() < 300 => {
                let c = random.below(all.len());
                let size = 1 << random.below(13);
                let size = size + random.below(size);
                mine.push((c, all[c].run(|| Block::new(size, 1 << (size % 6)))));
            }
            3 if !mine.is_empty() => {
                let at = random.below(mine.len());
                let to = random.below(20_000) + 1;
                let inside = random.below(all.len() + 1);
                let block = &mut mine[at].1;
                match all.get(inside) {
                    Some(cluster) => cluster.run(|| block.resize(to)),
                    None => block.resize(to),
                }
            }
            4 if !mine.is_empty() => {
                let at = random.below(mine.len());
                let block = mine.swap_remove(at);
                inboxes[random.below(inboxes.len())].lock().unwrap().push(block);
            }
            5 => {
                let got = std::mem::take(&mut *inboxes[me].lock().unwrap());
                all[random.below(all.len())].run(|| drop(got));
            }
            6 if random.below(50) == 0 => {
                let c = &all[random.below(all.len())];
                let usage = c.usage();
                assert!(usage.live <= usage.budget.unwrap());
            }
            _ if !mine.is_empty() => drop(mine.swap_remove(random.below(mine.len()))),
            _ => {}
        }
    }
    mine
}

/// Threads × clusters × frees elsewhere × realloc × nesting; then all is counted.
fn oracle() {
    const CLUSTERS: usize = 6;
    const THREADS: usize = 4;
    let parents = [None, Some(0), Some(1), None, Some(3), Some(1)];
    let mut all: Vec<Cluster> = Vec::new();
    for (n, parent) in parents.into_iter().enumerate() {
        let builder = Cluster::builder(format!("c{n}")).budget(Limit::mib(64 >> (n / 2)));
        let parent = parent.map_or(Cluster::root(), |p: usize| all[p].clone());
        all.push(builder.parent(&parent).build().unwrap());
    }
    let all = &all;
    let inboxes: &Vec<_> = &(0..THREADS).map(|_| std::sync::Mutex::new(Vec::new())).collect();
    let kept: Vec<Vec<Owned>> = thread::scope(|scope| {
        let run = |me: usize| scope.spawn(move || churn(me, all, inboxes));
        let threads: Vec<_> = (0..THREADS).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut expected = [0; CLUSTERS];
    let sent: Vec<_> =
        inboxes.iter().map(|inbox| std::mem::take(&mut *inbox.lock().unwrap())).collect();
    for (c, block) in kept.iter().chain(&sent).flatten() {
        let mut at = Some(*c);
        while let Some(n) = at {
            expected[n] += block.1.size();
            at = parents[n];
        }
    }
    let found: Vec<_> = all.iter().map(live).collect();
    assert_eq!(found, expected);
    drop((kept, sent));
    assert!(all.iter().all(|c| live(c) == 0));
}

fn to_the_byte() {
    let one = cluster("one", 100_000);
    let others: Vec<_> = (0..3).map(|_| one.run(|| Block::new(20_000, 8))).collect();
    // Another thread has credit of the same cluster: it is recalled.
    let (to_thread, go) = mpsc::channel::<()>();
    let (to_us, done) = mpsc::channel();
    let inside = one.clone();
    let thread = thread::spawn(move || {
        let block = inside.run(|| Block::new(1000, 8));
        to_us.send(()).unwrap();
        go.recv().unwrap();
        drop(block);
    });
    done.recv().unwrap();
    let room = 100_000 - 61_000;
    let mut probe: Vec<u8> = Vec::new();
    assert!(one.run(|| fallible(|| probe.try_reserve_exact(room + 1))).is_err());
    assert!(one.run(|| fallible(|| probe.try_reserve_exact(room))).is_ok());
    assert_eq!(live(&one), 100_000);
    to_thread.send(()).unwrap();
    thread.join().unwrap();
    drop((probe, others));
    assert_eq!((live(&one), one.usage().budget), (0, Some(100_000)));
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

fn many() {
    let end_many = |n: usize| {
        for k in 0..n {
            let one = cluster("one", 1 << 20);
            let block = one.run(|| Block::new(1000, 8));
            if k % 3 == 0 {
                drop(one);
                drop(block);
            } else if k % 3 == 1 {
                one.spawn(|| drop(Block::new(10, 8))).unwrap().join().unwrap();
            }
        }
    };
    end_many(3000);
    let (live, resident) = (usage().live, resident_kib());
    end_many(50_000);
    assert_eq!(usage().live, live);
    assert!(resident_kib() < resident + 1024, "{} was {resident}", resident_kib());
    assert_eq!(Cluster::list().len(), 1);
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

/// What is resident of mappings that must have no huge pages, in KiB: they are the map's.
fn map_kib() -> usize {
    let (mut sum, mut resident) = (0, 0);
    for line in std::fs::read_to_string("/proc/self/smaps").unwrap().lines() {
        if let Some(kib) = line.strip_prefix("Rss:") {
            resident = kib.trim().trim_end_matches(" kB").parse().unwrap();
        }
        if line.starts_with("VmFlags:") && line.contains(" nh") {
            sum += resident;
        }
    }
    sum
}

fn map_given_back() {
    let blocks = || (0..400_000).map(|_| Block::new(24, 8)).collect::<Vec<_>>();
    // The root's blocks are in no map.
    drop(cluster("one", 1));
    let (roots, before) = (blocks(), map_kib());
    drop(roots);
    assert!(before < 300, "{before}");
    let mapped = mappings();
    for _ in 0..5 {
        let one = cluster("one", 1 << 30);
        let all = one.run(blocks);
        drop(one);
        // Two bytes for each 16.
        let (most, bytes) = (map_kib(), all.len() * 48);
        assert!(most > all.len() * 24 / 8 / 1024, "{most} is too little to be the map");
        assert!(most < bytes / 8 / 1024 + 600, "{most} KiB for blocks in {bytes} bytes");
        drop(all);
        drop(cluster("two", 1));
        (0..50).for_each(|_| drop(cluster("two", 1)));
        assert!(map_kib() < before + 100, "{} was {before}", map_kib());
    }
    // Its address space stays: a leaf for each 64 MiB of heap.
    assert!(mappings() < mapped + 16, "{} were {mapped}", mappings());
    // And it is good for the next.
    let one = cluster("one", 1 << 20);
    let block = one.run(|| Block::new(1000, 8));
    assert_eq!(live(&one), 1000);
    drop(block);
    assert_eq!(live(&one), 0);
}

/// A thread whose guard was forgotten is in the cluster still, though it has allocated nothing.
fn forgotten() {
    thread::spawn(|| {
        let one = cluster("one", 1 << 20);
        std::mem::forget(one.enter());
        drop(one);
        let others: Vec<_> =
            Cluster::root().run(|| (0..3).map(|_| cluster("other", 999)).collect());
        let current = Cluster::current();
        assert_eq!(current.name(), "one");
        assert!(!others.contains(&current));
        drop(current);
        drop(others);
        assert_eq!(Cluster::current().name(), "one");
    })
    .join()
    .unwrap();
    // It is gone with the thread; what remains of it is found with the next batch.
    (0..100).for_each(|_| drop(cluster("other", 999)));
    assert_eq!(Cluster::list().len(), 1);
    let next: Vec<_> = (0..2).map(|_| cluster("next", 999)).collect();
    assert!(next.iter().all(|one| live(one) == 0 && one.run(|| Block::new(9, 8)).1.size() == 9));
}

fn ends_under_fire() {
    let all_here = &Barrier::new(4);
    let inboxes: &Vec<_> = &(0..4).map(|_| std::sync::Mutex::new(Vec::new())).collect();
    thread::scope(|scope| {
        for me in 0..4 {
            scope.spawn(move || {
                all_here.wait();
                let mut random = Random(me as u64 + 5);
                for _ in 0..3000 {
                    let one = cluster("one", 1 << 20);
                    let blocks: Vec<_> = (0..8).map(|k| one.run(|| Block::new(k + 1, 8))).collect();
                    for block in blocks {
                        inboxes[random.below(4)].lock().unwrap().push(block);
                    }
                    drop(one);
                    let got = std::mem::take(&mut *inboxes[me].lock().unwrap());
                    drop(got);
                }
            });
        }
    });
    inboxes.iter().for_each(|inbox| inbox.lock().unwrap().clear());
    assert_eq!(Cluster::list().len(), 1);
}

fn full() {
    let mut all = Vec::with_capacity(70_000);
    let error = loop {
        match Cluster::builder("one").build() {
            Ok(one) => all.push(one),
            Err(error) => break error,
        }
    };
    assert!(error.is_out_of_clusters(), "{error}");
    assert_eq!(all.len(), 65_535);
    all.truncate(60_000);
    all.extend((0..5535).map(|_| Cluster::builder("two").build().unwrap()));
    let block = all[65_534].run(|| Block::new(100, 8));
    assert_eq!(live(&all[65_534]), 100);
    drop((all, block));
    assert!(Cluster::builder("three").build().is_ok());
}

fn set_budget() {
    let one = cluster("one", 1 << 20);
    let block = one.run(|| Block::new(5000, 8));
    let error = one.set_budget(Limit::bytes(4999)).unwrap_err();
    assert!(error.is_below_live(), "{error}");
    let says = "cluster `one`: `4999` is less than the 5000 bytes that are live; expected ";
    assert!(error.to_string().starts_with(says), "{error}");
    assert_eq!(one.usage().budget, Some(1 << 20));
    one.set_budget(Limit::bytes(5000)).unwrap();
    let refused = one.run(|| fallible(|| Vec::<u8>::new().try_reserve_exact(1)));
    assert!(refused.is_err());
    one.set_budget(Limit::Unlimited).unwrap();
    assert!(one.run(|| fallible(|| Vec::<u8>::new().try_reserve_exact(1 << 24))).is_ok());
    for wrong in [Limit::Bytes(0), Limit::Percent(0), Limit::Percent(101), Limit::Auto] {
        assert!(one.set_budget(wrong).unwrap_err().is_invalid_limit(), "{wrong:?}");
    }
    assert!(one.set_budget(Limit::Percent(10)).unwrap_err().is_invalid_limit(), "of no budget");
    drop(block);
    Cluster::root().set_budget(Limit::mib(64)).unwrap();
    assert_eq!(usage().budget, Some(64 << 20));
    one.set_budget(Limit::Percent(10)).unwrap();
    assert_eq!(one.usage().budget, Some((64 << 20) / 10));
    assert!(Cluster::root().set_budget(Limit::bytes(1)).unwrap_err().is_below_live());
}

fn external() {
    let outer = cluster("outer", 100_000);
    let inner = Cluster::builder("inner").parent(&outer).build().unwrap();
    let block = inner.run(|| Block::new(10_000, 8));
    let charge = inner.charge_external(90_000).unwrap();
    assert_eq!((live(&inner), live(&outer)), (100_000, 100_000));
    let over = inner.charge_external(1).unwrap_err();
    assert_eq!((over.cluster(), over.live(), over.budget()), ("outer", 100_000, 100_000));
    let says = "1 bytes do not fit in cluster `outer`: 100000 of 100000 are live";
    assert_eq!(over.to_string(), says);
    assert!(inner.charge_external(usize::MAX).is_err());
    drop(inner);
    thread::spawn(move || drop(charge)).join().unwrap();
    drop(block);
    assert_eq!(live(&outer), 0);
}

fn destructors() {
    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    struct Late(Cluster, mpsc::Sender<String>);
    impl Drop for Late {
        fn drop(&mut self) {
            let name = Cluster::current().name().to_owned();
            let kept = self.0.run(|| Block::new(100, 8));
            assert_eq!(self.0.usage().live, 100);
            drop(kept);
            self.1.send(name).unwrap();
        }
    }
    let one = cluster("one", 1 << 20);
    let (to, from) = mpsc::channel();
    let late = Late(one.clone(), to);
    one.spawn(move || LATE.with(|cell| *cell.borrow_mut() = Some(late))).unwrap().join().unwrap();
    assert_eq!(from.recv().unwrap(), "root");
    drop(from);
    assert_eq!(live(&one), 0);
}

fn forked() {
    let one = cluster("one", 1 << 20);
    let mine = one.run(|| Block::new(1000, 8));
    let (to, from) = mpsc::channel::<()>();
    let (to_us, ready) = mpsc::channel();
    let inside = one.clone();
    let thread = thread::spawn(move || {
        let block = inside.run(|| Block::new(2000, 8));
        to_us.send(()).unwrap();
        let _ = from.recv();
        drop(block);
    });
    ready.recv().unwrap();
    let guard = one.enter();
    let before = live(&one);
    // SAFETY: the child does what a program does that has one thread, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let good = live(&one) == before && Cluster::current() == one && {
            drop(mine);
            let half = live(&one) == before - 1000;
            let again = Block::new(500_000, 8);
            let thread = one.spawn(|| Block::new(300, 8)).unwrap().join().unwrap();
            let whole = live(&one) == before - 1000 + 500_300;
            drop((again, thread));
            half && whole && live(&one) == before - 1000
        };
        // SAFETY: ends the child.
        unsafe { libc::_exit(if good { 0 } else { 3 }) };
    }
    let mut status = 0;
    // SAFETY: our child.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    drop(guard);
    drop(to);
    thread.join().unwrap();
    drop(mine);
    assert_eq!(live(&one), 0);
}

fn unwinds() {
    let one = cluster("one", 1 << 20);
    std::panic::set_hook(Box::new(|_| ()));
    let caught = std::panic::catch_unwind(|| {
        let one = cluster("inner", 1 << 20);
        one.run(|| panic!("within"));
    });
    assert!(caught.is_err());
    assert_eq!(Cluster::current(), Cluster::root());
    drop(caught);
    assert_eq!(live(&one), 0);
}

fn over(short: &str) {
    let budgets = if short == "inner" { (1 << 20, 65_536) } else { (65_536, 1 << 20) };
    let outer = cluster("outer", budgets.0);
    let inner = Cluster::builder("inner").parent(&outer);
    let inner = inner.budget(Limit::bytes(budgets.1)).build().unwrap();
    inner.run(|| black_box(vec![0_u8; 70_000]));
}

fn wrong_order() {
    let (one, two) = (cluster("one", 1 << 20), cluster("two", 1 << 20));
    let first = one.enter();
    let second = two.enter();
    drop(first);
    drop(second);
}

fn requested() {
    let job = cluster("job", 1 << 20);
    // SAFETY: the hook allocates nothing, and takes no lock.
    unsafe { failfast_alloc::set_abort_hook(|report| assert_eq!(report.cluster(), "job")) };
    job.run(|| failfast_alloc::fail_fast("here"));
}

fn by_name() {
    let parser = Cluster::builder("parser").budget(Limit::mib(1)).build().unwrap();
    assert_eq!(parser.usage().budget, Some(65_536));
    let cache = Cluster::builder("cache").parent(&parser).build().unwrap();
    assert_eq!(cache.usage().budget, Some(6553));
    let error = Cluster::builder("cache").build().unwrap_err();
    assert!(error.is_invalid_limit(), "{error}");
    // Who wrote that is told, since it is not who called.
    let said = error.to_string();
    let says = "FAILFAST_CLUSTER_BUDGETS: cluster `cache`: `10%` is a percentage of a budget that ";
    assert!(said.starts_with(says), "{said}");
}

/// As much as can be asked for.
fn huge() -> *mut u8 {
    // SAFETY: the layout has a size.
    unsafe { alloc(Layout::from_size_align(isize::MAX as usize, 1).unwrap()) }
}

/// What a thread leaves behind in the root's words, while it is in a cluster, must not make room
/// for a request that no word can hold.
fn comes_round() {
    let one = cluster("one", 1 << 20);
    let root = usage().live;
    let kept = one.run(|| {
        let kept: Vec<_> = (0..100).map(|k| Block::new(k + 1000, 8)).collect();
        assert!(fallible(huge).is_null());
        assert!(fallible(huge).is_null());
        kept
    });
    let all = one.usage().live;
    assert_eq!(usage().live - root, all);
    // The root's blocks may grow inside, on the root's account.
    let mut roots = Block::new(10, 8);
    let before = usage().live;
    one.run(|| {
        for size in [100, 70_000, 3 << 20, 50] {
            roots.resize(size);
            assert_eq!((live(&one), usage().live - before), (all, size - 10), "{size}");
        }
        // SAFETY: of the block's layout; it stays as it is.
        let grown = fallible(|| unsafe { realloc(roots.0, roots.1, isize::MAX as usize - 7) });
        assert!(grown.is_null());
    });
    drop((kept, roots));
    assert_eq!((live(&one), usage().live), (0, root));
}

fn null() {
    let one = cluster("one", 65_536);
    let mut list: Vec<u8> = Vec::new();
    assert!(one.run(|| fallible(|| list.try_reserve_exact(70_000))).is_err());
    assert!(one.run(|| fallible(|| list.try_reserve_exact(60_000))).is_ok());
    assert!(fallible(|| list.try_reserve_exact(70_000)).is_err(), "it grows where it belongs");
    drop(list);
    assert_eq!(live(&one), 0);
}
