//! Clusters: used in every way that is not meant, and in every order.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::task::{Poll, Wake};
use std::thread;
use std::time::Duration;

use failfast_alloc::{Cluster, Limit, OverBudget, fallible, usage};

use crate::tools::{Witness, block_on, cluster, counting, live, poll, poll_idle, soft};
use crate::{End, Scenario, plain};

pub(crate) const SCENARIOS: &[Scenario] = &[
    plain("pending_futures_are_dropped_where_they_belong", pending_dropped),
    plain("limited_futures_that_panic", panicking),
    plain("a_future_whose_end_panics_ends_once", panicking_end),
    plain("limits_nest", nested_limits),
    plain("a_task_moves_and_the_last_waker_is_woken", moved),
    plain("a_waker_that_panics_keeps_nobody_from_waking", panicking_waker),
    plain("a_forked_child_has_somebody_to_wake_its_tasks", forked),
    plain("the_root_is_a_cluster_like_others", root_as_cluster),
    plain("a_guard_is_forgotten_and_the_handle_dropped", forgotten),
    plain("names_at_the_edge", names),
    plain("budgets_at_the_edge", budgets),
    plain("budgets_change_under_fire", budgets_under_fire),
    plain("the_budget_that_is_shown_is_the_one_that_holds", budgets_race),
    plain("waiting_does_not_undo_a_new_soft_budget", soft_races),
    Scenario {
        env: &[("FAILFAST_BUDGET", "4MiB")],
        ..plain("a_block_grows_on_an_account_that_was_recalled", grows_after_recall)
    },
    plain("a_block_cannot_grow_beyond_everything", grows_beyond),
    plain("the_innermost_is_named_though_an_outer_one_is_hopeless", innermost),
    plain("what_was_found_long_ago_is_not_counted", found_long_ago),
    plain("many_threads_wait_for_one_crossing", many_wait),
    plain("parents_end_first", parents_first),
    plain("clusters_nest_a_thousand_deep", deep),
    plain("a_deep_chain_whose_parents_end_first", deep_ends),
    plain("external_charges_race_allocations", external_races),
    plain("an_external_charge_crosses", external_crosses),
    plain("over_budget_says_what_is_so", says_what_is_so),
    Scenario {
        env: &[("RUST_MIN_STACK", "100000000000000")],
        ..plain("no_thread_can_be_started", no_threads)
    },
    Scenario {
        end: End::Abort("failfast: requested: guards of clusters were dropped in another order"),
        ..plain("a_guard_across_an_await_ends_the_process", guard_across_await)
    },
];

/// So many bytes.
fn block(size: usize) -> Box<[u8]> {
    black_box(vec![1_u8; size].into_boxed_slice())
}

fn pending_dropped() {
    let (job, other) = (soft("job", 1 << 20), cluster("other", 1 << 20));
    let dropped: &'static AtomicUsize = Box::leak(Box::new(AtomicUsize::new(0)));
    let make = || {
        let future = job.limited(async {
            let kept = block(5000);
            let _witness = Witness("job", dropped);
            std::future::pending::<()>().await;
            drop(kept);
        });
        let mut future = Box::pin(future);
        assert!(poll_idle(future.as_mut()).is_pending());
        future
    };
    drop(make());
    let inside = make();
    other.run(|| {
        drop(inside);
        assert_eq!(Cluster::current(), other);
    });
    let elsewhere = make();
    thread::spawn(move || drop(elsewhere)).join().unwrap();
    // While unwinding.
    let unwound = make();
    std::panic::set_hook(Box::new(|_| ()));
    let caught = catch_unwind(AssertUnwindSafe(move || {
        let _unwound = unwound;
        panic!("with it");
    }));
    assert!(caught.is_err());
    assert_eq!((dropped.load(Relaxed), live(&job), live(&other)), (4, 0, 0));
    assert_eq!(Cluster::current(), Cluster::root());
}

fn panicking() {
    std::panic::set_hook(Box::new(|_| ()));
    let job = soft("job", 1 << 20);
    let dropped = AtomicUsize::new(0);
    for _ in 0..3 {
        let mut future = Box::pin(job.limited(async {
            let _witness = Witness("job", &dropped);
            let _kept = block(5000);
            panic!("in a task");
        }));
        let caught = catch_unwind(AssertUnwindSafe(|| poll_idle(future.as_mut()).is_ready()));
        assert!(caught.is_err());
        assert_eq!(Cluster::current(), Cluster::root());
        drop((future, caught));
    }
    assert_eq!((dropped.load(Relaxed), live(&job)), (3, 0));
}

fn panicking_end() {
    struct Bad<'a>(&'a AtomicUsize);
    impl Drop for Bad<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
            panic!("at the end");
        }
    }
    std::panic::set_hook(Box::new(|_| ()));
    let job = soft("job", 1000);
    let ends = AtomicUsize::new(0);
    let over = job.run(|| block(2000));
    let bad = Bad(&ends);
    let mut future = Box::pin(job.limited(async move {
        let _bad = bad;
    }));
    let caught = catch_unwind(AssertUnwindSafe(|| poll_idle(future.as_mut()).is_ready()));
    assert!(caught.is_err());
    drop(future);
    assert_eq!((ends.load(Relaxed), Cluster::current()), (1, Cluster::root()));
    drop((over, caught));
    assert_eq!(live(&job), 0);
}

fn nested_limits() {
    let tenant = soft("tenant", 100_000);
    let request = Cluster::builder("request").parent(&tenant);
    let request = request.soft_budget(Limit::bytes(10_000)).build().unwrap();
    let work = |bytes: usize| async move {
        let kept = block(bytes);
        assert_eq!(Cluster::current().name(), "request");
        std::future::poll_fn(|_| Poll::<()>::Pending).await;
        drop(kept);
    };
    let nested = |bytes| tenant.limited(request.limited(work(bytes)));
    let name = |over: OverBudget| over.cluster().to_owned();
    // It returns to its executor once, and is ended by the next poll, by whichever is over first.
    let ended = |bytes| match block_on(nested(bytes)) {
        Err(over) => name(over),
        Ok(inner) => name(inner.unwrap_err()),
    };
    assert_eq!(ended(20_000), "request");
    assert_eq!(ended(200_000), "tenant");
    let kept = tenant.run(|| block(100_001));
    assert_eq!(ended(1), "tenant");
    drop(kept);
    // A crossing of the outer one, by somebody else, ends the inner one.
    let other = tenant.clone();
    let mut waits = Box::pin(nested(1));
    assert!(poll_idle(waits.as_mut()).is_pending());
    let crosses = thread::spawn(move || other.run(|| block(100_001)));
    assert_eq!(block_on(waits).unwrap_err().cluster(), "tenant");
    drop(crosses.join().unwrap());
    // The same cluster twice, and one that is no relative.
    let twice = block_on(request.scope(request.limited(request.scope(async { 7 }))));
    assert_eq!(twice, Ok(7));
    let stranger = soft("stranger", 10);
    assert_eq!(block_on(request.limited(stranger.limited(async { 7 }))), Ok(Ok(7)));
    assert_eq!((live(&request), live(&tenant), live(&stranger)), (0, 0, 0));
    assert_eq!(Cluster::current(), Cluster::root());
}

fn moved() {
    let job = soft("job", 10_000);
    let mut future = Box::pin(job.limited(std::future::pending::<()>()));
    let (first, first_waker) = counting();
    assert!(poll(future.as_mut(), &first_waker).is_pending());
    let (last, mut future) = thread::scope(|scope| {
        let moves = scope.spawn(move || {
            let (last, waker) = counting();
            assert!(poll(future.as_mut(), &waker).is_pending());
            (last, future)
        });
        moves.join().unwrap()
    });
    let kept = job.run(|| block(20_000));
    while last.0.load(Relaxed) == 0 {
        thread::yield_now();
    }
    assert_eq!(first.0.load(Relaxed), 0);
    assert!(poll(future.as_mut(), &first_waker).is_ready());
    drop(kept);
}

fn panicking_waker() {
    struct Bad(AtomicBool);
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
            panic!("in a waker");
        }
    }
    std::panic::set_hook(Box::new(|_| ()));
    let job = soft("job", 10_000);
    let (bad, good) = (Arc::new(Bad(AtomicBool::new(false))), counting());
    let mut futures = [(); 2].map(|()| Box::pin(job.until_over_soft_budget()));
    assert!(poll(futures[0].as_mut(), &bad.clone().into()).is_pending());
    assert!(poll(futures[1].as_mut(), &good.1).is_pending());
    let kept = job.run(|| block(20_000));
    while good.0.0.load(Relaxed) == 0 {
        thread::park_timeout(Duration::from_secs(60));
    }
    assert!(bad.0.load(Relaxed));
    drop((kept, futures));
    // Another crossing, later.
    let other = soft("other", 10_000);
    let crosses = other.clone();
    let mut waits = Box::pin(other.until_over_soft_budget());
    assert!(poll_idle(waits.as_mut()).is_pending());
    let crosses = thread::spawn(move || crosses.run(|| block(20_000)));
    block_on(waits);
    drop(crosses.join().unwrap());
}

fn forked() {
    let job = soft("job", 10_000);
    let wait_for_crossing = || {
        let mut waits = Box::pin(job.until_over_soft_budget());
        let (_, waker) = counting();
        let pending = poll(waits.as_mut(), &waker).is_pending();
        let crosses = job.clone();
        let crosses = thread::spawn(move || crosses.run(|| block(20_000)));
        block_on(waits);
        drop(crosses.join().unwrap());
        pending
    };
    // Once here, so that this process has its thread.
    assert!(wait_for_crossing());
    // SAFETY: the other thread of this process sleeps, and holds nothing; the child ends by
    // `_exit`, or by the alarm.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a number.
        unsafe { libc::alarm(30) };
        let good = wait_for_crossing();
        // SAFETY: ends the child.
        unsafe { libc::_exit(if good { 0 } else { 3 }) };
    }
    let mut status = 0;
    // SAFETY: our child.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    assert_eq!(live(&job), 0);
}

fn root_as_cluster() {
    let (root, job) = (Cluster::root(), cluster("job", 1 << 20));
    let before = usage().live;
    // From within, what is done in the root is the root's.
    let kept = job.run(|| root.run(|| block(5000)));
    assert_eq!((live(&job), usage().live - before), (0, 5000));
    let scoped = job.scope(root.scope(async { (Cluster::current(), block(70)) }));
    let (current, more) = block_on(scoped);
    assert_eq!((current, live(&job), usage().live - before), (Cluster::root(), 0, 5070));
    drop((kept, more));
    root.set_soft_budget(Limit::bytes(usage().live + 100_000)).unwrap();
    assert!(!root.over_soft_budget());
    let kept = job.run(|| block(200_000));
    assert!(root.over_soft_budget() && root.wait_over_soft_budget(Duration::ZERO));
    assert_eq!(block_on(root.limited(async {})).unwrap_err().cluster(), "root");
    assert_eq!(root.check_soft_budget().unwrap_err().cluster(), "root");
    drop(kept);
    assert_eq!(block_on(root.limited(async { 7 })), Ok(7));
    root.set_soft_budget(Limit::Unlimited).unwrap();
    assert_eq!(usage().soft_budget, None);
}

fn forgotten() {
    let root = usage().live;
    let thread = thread::spawn(|| {
        let job = cluster("job", 1 << 20);
        std::mem::forget(job.enter());
        drop(job);
        // It has ended, and we are still in it.
        let kept = block(5000);
        let again = Cluster::current();
        assert_eq!((again.name(), live(&again)), ("job", 5000));
        let inner = cluster("inner", 1000);
        assert_eq!(inner.parent().as_ref(), Some(&again));
        assert_eq!(inner.run(Cluster::current), inner);
        assert_eq!(Cluster::current(), again);
        drop(again);
        kept
    });
    drop(thread.join().unwrap());
    // What was `std`'s for that thread is gone, too.
    assert!(usage().live <= root + 1000, "{} {root}", usage().live);
    assert_eq!(Cluster::list().len(), 1);
    let others: Vec<_> = (0..100).map(|_| cluster("other", 1000)).collect();
    assert!(others.iter().all(|other| live(other) == 0));
}

fn names() {
    let longest = "x".repeat(64);
    for name in ["a", "A.b_c-9", ".", "Root", "roots", &longest] {
        let job = Cluster::builder(name).build().unwrap();
        assert_eq!(job.name(), name);
    }
    let too_long = "x".repeat(65);
    for name in ["", " ", "a b", "ä", "a\0", "a/b", "a=b", "a,b", "root", &too_long] {
        let error = Cluster::builder(name).build().unwrap_err();
        assert!(error.is_invalid_name(), "{name}: {error}");
    }
    assert_eq!(Cluster::list().len(), 1);
}

fn budgets() {
    let most = isize::MAX as usize;
    for (limit, expected) in [(Limit::bytes(1), Some(1)), (Limit::Unlimited, None)] {
        let job = Cluster::builder("job").budget(limit).soft_budget(limit).build().unwrap();
        assert_eq!((job.usage().budget, job.usage().soft_budget), (expected, expected));
    }
    assert!(Cluster::builder("job").budget(Limit::bytes(most)).build().is_ok());
    let wrong = [
        Limit::bytes(0),
        Limit::bytes(most + 1),
        Limit::bytes(usize::MAX),
        Limit::percent(0),
        Limit::percent(101),
        Limit::Auto,
        Limit::percent(50), // Of a root, or of itself, without a budget.
    ];
    let job = cluster("job", 1000);
    for limit in wrong {
        for builder in
            [Cluster::builder("wrong").budget(limit), Cluster::builder("wrong").soft_budget(limit)]
        {
            let error = builder.build().unwrap_err();
            assert!(error.is_invalid_limit(), "{limit:?}: {error}");
            let line = error.to_string();
            assert!(line.starts_with("cluster `wrong`: ") && !line.contains('\n'), "{line}");
        }
        assert!(job.set_budget(limit).unwrap_err().is_invalid_limit(), "{limit:?}");
        assert_eq!(job.usage().budget, Some(1000));
        if limit != Limit::percent(50) {
            assert!(job.set_soft_budget(limit).unwrap_err().is_invalid_limit(), "{limit:?}");
            assert_eq!(job.usage().soft_budget, None);
        }
    }
    // A hundredth of little is one byte, not none.
    let tiny = Cluster::builder("tiny").parent(&job).budget(Limit::percent(1)).build().unwrap();
    assert_eq!(tiny.usage().budget, Some(10));
    let child = Cluster::builder("child").parent(&tiny).budget(Limit::percent(1)).build().unwrap();
    assert_eq!(child.usage().budget, Some(1));
    let one = child.run(|| fallible(|| Vec::<u8>::new().try_reserve_exact(1)));
    let two = child.run(|| fallible(|| Vec::<u8>::new().try_reserve_exact(2)));
    assert!(one.is_ok() && two.is_err());
    // A soft budget above the budget is never crossed; what was a percentage stays what it was.
    job.set_soft_budget(Limit::bytes(5000)).unwrap();
    let full = job.run(|| block(1000));
    assert!(!job.over_soft_budget());
    job.set_soft_budget(Limit::percent(50)).unwrap();
    assert!(job.over_soft_budget());
    job.set_budget(Limit::Unlimited).unwrap();
    assert_eq!((job.usage().soft_budget, job.over_soft_budget()), (Some(500), true));
    drop(full);
    assert_eq!(Cluster::list().len(), 4);
}

/// What a recall found in clusters that the next one has nothing to do with once made more of the
/// root's room than there are numbers.
fn found_long_ago() {
    const CLUSTERS: usize = 40;
    let all = Barrier::new(CLUSTERS + 2);
    let others: Vec<_> = (0..CLUSTERS).map(|_| cluster("other", 1 << 30)).collect();
    let narrow = cluster("narrow", 100_000);
    thread::scope(|scope| {
        for cluster in others.iter().chain([&narrow]) {
            scope.spawn(|| {
                (0..1000).for_each(|_| cluster.run(|| drop(black_box(vec![0_u8; 100]))));
                let kept = cluster.run(|| Box::new(1_u8));
                all.wait(); // Each has leased ahead,
                all.wait(); // and keeps that until it is taken back.
                drop(kept);
            });
        }
        all.wait();
        for cluster in &others {
            cluster.set_budget(Limit::bytes(100)).unwrap();
        }
        // What the other thread has leased ahead is needed, and found.
        let rest = narrow.run(|| vec![0_u8; 99_999]);
        assert_eq!(narrow.usage().live, 100_000);
        drop(rest);
        all.wait();
    });
}

/// A thread whose credit was taken lets a cluster's block grow, and sleeps: the next recall must
/// not wait for it, nor count those bytes as free.
fn grows_after_recall() {
    let (job, all_here) = (cluster("job", 1 << 20), &Barrier::new(2));
    let recall = || {
        let now = usage();
        let room = now.budget.unwrap() - now.live;
        let mut list = Vec::<u8>::new();
        assert!(fallible(|| list.try_reserve_exact(room + 1)).is_err());
        assert!(fallible(|| list.try_reserve_exact(room)).is_ok());
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut kept = job.run(|| vec![1_u8; 100]);
            drop(block(1000)); // It has leased ahead in the root.
            all_here.wait();
            all_here.wait();
            kept.reserve_exact(200);
            all_here.wait();
            all_here.wait();
        });
        all_here.wait();
        recall();
        all_here.wait();
        all_here.wait();
        assert_eq!(live(&job), 300);
        recall();
        all_here.wait();
    });
    assert_eq!(live(&job), 0);
}

/// By a thread that has an account with the cluster, and by one that can have none.
fn grows_beyond() {
    struct Late(Cluster, Vec<u8>);
    impl Late {
        fn grow(&mut self) {
            for size in [0, 15, 16, 100].map(|less| isize::MAX as usize - less) {
                assert!(fallible(|| self.1.try_reserve_exact(size - 100)).is_err(), "{size}");
            }
            assert_eq!((self.1.capacity(), live(&self.0)), (100, 100));
        }
    }
    impl Drop for Late {
        fn drop(&mut self) {
            self.grow();
        }
    }
    thread_local! {
        static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) };
    }
    let job = Cluster::builder("job").build().unwrap();
    let mut late = Late(job.clone(), job.run(|| vec![1_u8; 100]));
    late.grow();
    job.run(|| late.grow());
    thread::spawn(move || LATE.with_borrow_mut(|kept| *kept = Some(late))).join().unwrap();
    assert_eq!(live(&job), 0);
}

fn innermost() {
    let outer = cluster("outer", 95_000);
    let inner = Cluster::builder("inner").parent(&outer).budget(Limit::bytes(100_000));
    let inner = inner.build().unwrap();
    let kept = inner.charge_external(90_000).unwrap();
    let over = inner.charge_external(96_000).unwrap_err();
    assert_eq!((over.cluster(), over.live(), over.budget()), ("inner", 90_000, 100_000));
    drop(kept);
    assert_eq!(inner.charge_external(96_000).unwrap_err().cluster(), "outer");
}

/// Two threads set a budget at once, again and again.
fn budgets_race() {
    const ROUNDS: usize = 20_000;
    let (job, both) = (&cluster("job", 1000), &Barrier::new(2));
    let mut wrong = 0;
    thread::scope(|scope| {
        let set = |bytes| {
            both.wait();
            job.set_budget(Limit::bytes(bytes)).unwrap();
            both.wait();
        };
        scope.spawn(move || (0..ROUNDS).for_each(|_| set(1000)));
        for _ in 0..ROUNDS {
            set(2000);
            let shown = job.usage().budget.unwrap();
            wrong += usize::from(job.charge_external(1500).is_ok() != (shown == 2000));
        }
    });
    assert_eq!(wrong, 0);
}

/// A task that asks to be told again, while the soft budget is changed.
fn soft_races() {
    let (job, stop) = (soft("job", 10_000), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                let _ = poll_idle(pin!(job.until_over_soft_budget()));
            }
        });
        for round in 0..20_000 {
            let bytes = 10_000 + round % 2 * 1000;
            job.set_soft_budget(Limit::bytes(bytes)).unwrap();
            // It is crossed, and is so still when less is live again.
            let mut charges = [bytes - 500, 501].map(|bytes| job.charge_external(bytes).ok());
            charges[1] = None;
            assert_eq!(job.usage().soft_budget, Some(bytes));
            drop(charges);
        }
        stop.store(true, Relaxed);
    });
}

/// Budgets go up and down while threads fill them: never is more live than the budget that holds.
fn budgets_under_fire() {
    let (outer, stop) = (cluster("outer", 1 << 20), AtomicBool::new(false));
    let inner = Cluster::builder("inner").parent(&outer).build().unwrap();
    thread::scope(|scope| {
        for n in 0..3 {
            let (stop, outer, inner) = (&stop, &outer, &inner);
            scope.spawn(move || {
                let mut kept: Vec<Vec<u8>> = Vec::with_capacity(100);
                let mut round = n;
                while !stop.load(Relaxed) {
                    round += 1;
                    if kept.len() == 100 {
                        kept.clear();
                    }
                    let mut bytes = Vec::new();
                    let cluster = if round % 3 == 0 { outer } else { inner };
                    let size = round * 37 % 5000 + 1;
                    if cluster.run(|| fallible(|| bytes.try_reserve_exact(size))).is_ok() {
                        kept.push(bytes);
                    } else {
                        kept.clear();
                    }
                }
            });
        }
        let mut set = [0, 0];
        for round in 0..4000 {
            let cluster = if round % 2 == 0 { &outer } else { &inner };
            let budget = if round % 5 == 0 { 1 << 20 } else { 1000 + round * 97 % 600_000 };
            match cluster.set_budget(Limit::bytes(budget)) {
                Ok(()) => {
                    set[0] += 1;
                    let usage = cluster.usage();
                    assert!(usage.live <= budget && usage.budget == Some(budget), "{usage:?}");
                }
                Err(error) => {
                    set[1] += 1;
                    assert!(error.is_below_live(), "{error}");
                }
            }
        }
        stop.store(true, Relaxed);
        assert!(set[0] > 0, "{set:?}");
    });
    assert_eq!((live(&outer), live(&inner)), (0, 0));
}

fn many_wait() {
    let clusters = ["a", "b", "c"].map(|name| soft(name, 10_000));
    let returned = AtomicUsize::new(0);
    let all_here = Barrier::new(13);
    thread::scope(|scope| {
        let wait = |n: usize| {
            let (clusters, returned, all_here) = (&clusters, &returned, &all_here);
            move || {
                all_here.wait();
                let is_over = clusters[n % 3].wait_over_soft_budget(Duration::MAX);
                (returned.fetch_add(1, Relaxed), is_over)
            }
        };
        let waits: Vec<_> = (0..12).map(|n| scope.spawn(wait(n))).collect();
        all_here.wait();
        let mut kept = Vec::new();
        let mut waits: Vec<_> = waits.into_iter().enumerate().collect();
        for (at, cluster) in clusters.iter().enumerate() {
            kept.push(cluster.run(|| block(20_000)));
            let (theirs, others): (Vec<_>, Vec<_>) =
                waits.into_iter().partition(|(n, _)| n % 3 == at);
            for (_, thread) in theirs {
                assert!(thread.join().unwrap().1);
            }
            // Nobody else's was crossed.
            assert_eq!(returned.load(Relaxed), 4 * (at + 1));
            waits = others;
        }
    });
    assert!(clusters.iter().all(|cluster| live(cluster) == 0));
}

fn parents_first() {
    for round in 0..70_000 {
        let parent = cluster("parent", 100_000);
        let child = Cluster::builder("child").parent(&parent).build().unwrap();
        let kept = if round % 7 == 0 { Some(parent.run(|| block(100))) } else { None };
        drop(parent);
        // It is still what the child is part of, and its budget holds.
        if round % 11 == 0 {
            let refused = child.run(|| fallible(|| Vec::<u8>::new().try_reserve_exact(100_001)));
            assert!(refused.is_err());
            let parent = child.parent().unwrap();
            assert_eq!((parent.name(), Cluster::list().len()), ("parent", 3));
            parent.set_budget(Limit::bytes(200_000)).unwrap();
            assert!(child.run(|| fallible(|| Vec::<u8>::new().try_reserve_exact(100_001))).is_ok());
        }
        if round % 13 == 0 {
            let child = child.clone();
            thread::spawn(move || drop(child.run(|| block(300)))).join().unwrap();
        }
        drop((child, kept));
    }
    assert_eq!(Cluster::list().len(), 1);
}

fn deep() {
    let mut chain = vec![Cluster::builder("it").budget(Limit::mib(1)).build().unwrap()];
    for _ in 1..1000 {
        let parent = chain.last().unwrap();
        chain.push(Cluster::builder("it").parent(parent).build().unwrap());
    }
    let innermost = chain.last().unwrap().clone();
    let kept = innermost.run(|| block(5000));
    assert!(chain.iter().all(|cluster| live(cluster) == 5000));
    let refused = innermost.run(|| fallible(|| Vec::<u8>::new().try_reserve_exact(1 << 20)));
    assert!(refused.is_err());
    drop(chain);
    assert_eq!(Cluster::list().len(), 2);
    drop(innermost);
    drop(kept);
    let many: Vec<_> =
        (0..65_535 - 1000).map(|_| Cluster::builder("it").build().unwrap()).collect();
    drop(many);
    assert_eq!(Cluster::list().len(), 1);
}

/// Each of so many ends costs the same, however deep: else this would take minutes.
fn deep_ends() {
    const DEPTH: usize = 30_000;
    let mut chain = vec![Cluster::builder("it").build().unwrap()];
    for _ in 1..DEPTH {
        let parent = chain.last().unwrap();
        chain.push(Cluster::builder("it").parent(parent).build().unwrap());
    }
    let innermost = chain.last().unwrap().clone();
    drop(chain);
    assert_eq!(Cluster::list().len(), 2);
    drop(innermost);
    // All of them can go, or there is no room for these.
    let many = (0..65_535).map(|_| Cluster::builder("it").build().unwrap());
    assert_eq!(many.collect::<Vec<_>>().len(), 65_535);
}

fn external_races() {
    const BUDGET: usize = 1 << 20;
    let job = cluster("job", BUDGET);
    let (granted, held) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Counted after it was granted, and no more before it is given back: so much is live for sure.
    let hold = |bytes: usize| {
        granted.fetch_add(bytes, Relaxed);
        let together = held.fetch_add(bytes, SeqCst) + bytes;
        assert!(together <= BUDGET, "{together} at once");
        let usage = job.usage();
        assert!(usage.live <= BUDGET, "{usage:?}");
        held.fetch_sub(bytes, SeqCst);
    };
    thread::scope(|scope| {
        for n in 0..4_usize {
            let (job, hold) = (&job, &hold);
            scope.spawn(move || {
                for round in 0..20_000 {
                    let size = (round * 331 + n * 7919) % 400_000 + 1;
                    if n % 2 == 0 {
                        let Ok(charge) = job.charge_external(size) else { continue };
                        hold(charge.bytes());
                    } else {
                        let mut bytes = Vec::<u8>::new();
                        if job.run(|| fallible(|| bytes.try_reserve_exact(size))).is_ok() {
                            hold(size);
                        }
                    }
                }
            });
        }
    });
    assert!(granted.load(Relaxed) > 0);
    assert_eq!(live(&job), 0);
    // Alone, all of it is to be had, to the byte.
    let all = job.charge_external(1 << 20).unwrap();
    let over = job.charge_external(1).unwrap_err();
    assert_eq!((over.live(), over.budget()), (1 << 20, 1 << 20));
    assert!(job.charge_external(0).is_ok());
    drop(all);
    for wrong in [usize::MAX, isize::MAX as usize + 1, isize::MAX as usize] {
        assert!(job.charge_external(wrong).is_err());
    }
    let free = Cluster::builder("free").build().unwrap();
    assert!(free.charge_external(usize::MAX).is_err());
    assert_eq!((live(&job), live(&free)), (0, 0));
}

fn external_crosses() {
    let job = soft("job", 10_000);
    let crosses = job.clone();
    let mut waits = Box::pin(job.limited(std::future::pending::<()>()));
    assert!(poll_idle(waits.as_mut()).is_pending());
    let charge = thread::spawn(move || crosses.charge_external(20_000).unwrap());
    let over = block_on(waits).unwrap_err();
    assert_eq!((over.live(), over.budget()), (20_000, 10_000));
    drop(charge.join().unwrap());
    assert!(!job.over_soft_budget());
}

/// What an error says was so at one instant, while others come and go.
fn says_what_is_so() {
    let job = soft("job", 10_000);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    drop(job.run(|| block(9000)));
                }
            });
        }
        for _ in 0..20_000 {
            let checked = job.check_soft_budget().err();
            let limited = block_on(job.limited(async {})).err();
            for over in checked.into_iter().chain(limited) {
                assert!(over.live() > over.budget(), "{over}");
            }
        }
        stop.store(true, Relaxed);
    });
}

/// No thread: neither ours, nor that which would wake tasks.
fn no_threads() {
    let job = soft("job", 10_000);
    let dropped: &'static AtomicUsize = Box::leak(Box::new(AtomicUsize::new(0)));
    let kept = job.run(|| block(500));
    let given = (kept, Witness("root", dropped));
    let error = job.spawn(move || drop(given)).unwrap_err();
    assert_eq!(dropped.load(Relaxed), 1, "{error}");
    assert_eq!(live(&job), 0);
    // The task looks by itself.
    let (count, waker) = counting();
    let mut waits = Box::pin(job.until_over_soft_budget());
    let mut limited = Box::pin(job.limited(std::future::pending::<()>()));
    assert!(poll(waits.as_mut(), &waker).is_pending());
    assert!(poll(limited.as_mut(), &waker).is_pending());
    assert_eq!(count.0.load(Relaxed), 2, "it is woken at once, to look again");
    let kept = job.run(|| block(20_000));
    assert!(poll(waits.as_mut(), &waker).is_ready());
    assert!(poll(limited.as_mut(), &waker).is_ready());
    drop(kept);
}

fn guard_across_await() {
    let (job, other) = (cluster("job", 1 << 20), cluster("other", 1 << 20));
    let mut future = Box::pin(job.scope(async {
        let _guard = other.enter();
        std::future::poll_fn(|_| Poll::<()>::Pending).await;
    }));
    assert!(poll_idle(future.as_mut()).is_pending());
}
