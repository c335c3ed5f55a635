//! Soft budgets: crossed exactly, and told to whoever waits.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use failfast_alloc::{Cluster, Limit, fallible};

use crate::tools::{Block, Witness, block_on, cluster, counting, live, poll, poll_idle, soft};
use crate::{Scenario, plain};

pub(crate) const SCENARIOS: &[Scenario] = &[
    plain("soft_budgets_are_crossed_exactly", exact),
    plain("one_request_crosses_from_far_below", crosses_at_once),
    plain("a_soft_budget_refuses_nothing", soft_refuses_nothing),
    plain("a_crossing_wakes", wakes),
    plain("a_limited_future_ends", limited),
    plain("futures_that_wait_leave_nothing", waits_leave_nothing),
    plain("a_crossing_wakes_nobody_elses_task", wakes_its_own),
];

fn exact() {
    let job = soft("job", 50_000);
    let other = job.clone();
    let credit = thread::spawn(move || other.run(|| Block::new(10_000, 8))).join().unwrap();
    let first = job.run(|| Block::new(40_000, 8));
    assert!(!job.over_soft_budget());
    let second = job.run(|| Block::new(1, 8));
    assert!(job.over_soft_budget());
    drop(second);
    assert!(!job.over_soft_budget());
    drop((first, credit));
    job.set_soft_budget(Limit::bytes(10)).unwrap();
    let third = job.run(|| Block::new(11, 8));
    assert!(job.over_soft_budget());
    drop(third);
    assert!(!job.over_soft_budget());
    job.set_soft_budget(Limit::Unlimited).unwrap();
    assert!(!job.over_soft_budget());
}

/// Does `f` while another thread has a block, and credit, in a cluster; and has it freed.
fn beside_another_account(cluster: &Cluster, f: impl FnOnce()) {
    let all_here = &Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(move || {
            let block = cluster.run(|| Block::new(100, 8));
            all_here.wait();
            all_here.wait();
            drop(block);
        });
        all_here.wait();
        f();
        all_here.wait();
    });
}

/// One request goes from far below a soft budget to far above it, while others have accounts.
fn crosses_at_once() {
    let job = soft("job", 50_000);
    beside_another_account(&job, || {
        for _ in 0..3 {
            let block = job.run(|| Block::new(60_000, 8));
            assert!(job.over_soft_budget());
            drop(block);
            assert!(!job.over_soft_budget());
        }
    });
    assert_eq!(live(&job), 0);
}

/// A request that fits in the budget, once others' credit is recalled, is not refused because it is
/// the soft budget that lacks room first; and one that does not fit crosses nothing.
fn soft_refuses_nothing() {
    let job = cluster("job", 50_000);
    job.set_soft_budget(Limit::bytes(25_000)).unwrap();
    beside_another_account(&job, || {
        let mut list: Vec<u8> = Vec::new();
        assert!(job.run(|| fallible(|| list.try_reserve_exact(49_901))).is_err());
        assert!(!job.over_soft_budget());
        assert!(job.run(|| fallible(|| list.try_reserve_exact(49_900))).is_ok());
        assert!(job.over_soft_budget());
        drop(list);
    });
    assert_eq!(live(&job), 0);
}

fn wakes() {
    let job = soft("job", 50_000);
    for _ in 0..20 {
        let all_here = Barrier::new(3);
        thread::scope(|scope| {
            let waits = scope.spawn(|| {
                all_here.wait();
                job.wait_over_soft_budget(Duration::from_secs(60))
            });
            let polls = scope.spawn(|| {
                all_here.wait();
                block_on(job.until_over_soft_budget());
            });
            all_here.wait();
            let mut blocks: Vec<_> = (0..51).map(|_| job.run(|| Block::new(1000, 8))).collect();
            assert!(waits.join().unwrap());
            polls.join().unwrap();
            // Within the hysteresis: who asks anew is told of the next crossing all the same.
            blocks.truncate(49);
            thread::scope(|scope| {
                let waits = scope.spawn(|| job.wait_over_soft_budget(Duration::from_secs(60)));
                blocks.extend((0..2).map(|_| job.run(|| Block::new(1000, 8))));
                assert!(waits.join().unwrap());
            });
        });
    }
    assert!(!job.wait_over_soft_budget(Duration::from_millis(1)));
}

fn limited() {
    let request = soft("request", 64 << 10);
    let dropped = AtomicUsize::new(0);
    // It sleeps; another thread crosses, and that ends it.
    let other = request.clone();
    let crosser = thread::spawn(move || other.run(|| Block::new(100_000, 8)));
    let witness = Witness("request", &dropped);
    let answer = block_on(request.limited(async {
        std::future::pending::<()>().await;
        drop(witness);
    }));
    let over = answer.unwrap_err();
    assert_eq!((over.cluster(), over.live(), over.budget()), ("request", 100_000, 65_536));
    let says = "cluster `request` is over its soft budget: 100000 bytes are live of 65536";
    assert_eq!(over.to_string(), says);
    // Over already: it is not polled, but dropped inside.
    let witness = Witness("request", &dropped);
    let answer = block_on(request.limited(async {
        drop(witness);
        unreachable!("polled");
    }));
    let _: Result<(), _> = answer;
    drop(crosser.join().unwrap());
    assert_eq!(block_on(request.limited(async { 7 })), Ok(7));
    assert_eq!(dropped.load(Relaxed), 2);
    // Dropped unpolled, a scoped future is dropped inside too.
    let witness = Witness("request", &dropped);
    drop(request.scope(async move { drop(witness) }));
    assert_eq!(dropped.load(Relaxed), 3);
    assert_eq!((live(&request), Cluster::current()), (0, Cluster::root()));
}

fn poll_once<F: Future>(future: Pin<&mut F>, waker: &Waker) {
    assert!(poll(future, waker).is_pending());
}

fn waits_leave_nothing() {
    let request = soft("request", 64 << 10);
    let (limited, until) =
        (|| request.limited(until_polled_often()), || request.until_over_soft_budget());
    let wait = |_| {
        let (count, waker) = counting();
        let (mut limited, mut until) = (Box::pin(limited()), Box::pin(until()));
        for _ in 0..3 {
            poll_once(limited.as_mut(), &waker);
            poll_once(until.as_mut(), &waker);
        }
        (Arc::downgrade(&count), limited, until)
    };
    let (wakers, futures): (Vec<_>, Vec<_>) =
        (0..1000).map(wait).map(|(w, l, u)| (w, (l, u))).unzip();
    assert!(wakers.iter().all(|waker| waker.strong_count() == 2));
    drop(futures);
    assert!(wakers.iter().all(|waker| waker.strong_count() == 0), "some task is still on the list");
    // One that has come to its end waits no longer, though it is still there.
    let (waker, mut limited, until) = wait(0);
    drop(until);
    assert!(poll_idle(limited.as_mut()).is_ready());
    assert_eq!(waker.strong_count(), 0);
}

/// Ready at the fourth poll.
async fn until_polled_often() {
    let mut polls = 0;
    std::future::poll_fn(|_| {
        polls += 1;
        if polls < 4 { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

fn wakes_its_own() {
    let [first, other, last] = ["first", "other", "last"].map(|name| soft(name, 64 << 10));
    let mut waiting: Vec<_> = [&other, &first, &last, &first]
        .map(|cluster| (counting(), Box::pin(cluster.until_over_soft_budget())))
        .into_iter()
        .collect();
    for ((_, waker), future) in &mut waiting {
        poll_once(future.as_mut(), waker);
    }
    let block = first.run(|| Block::new(100_000, 8));
    // They are woken in the order in which they came.
    while waiting[3].0.0.0.load(Relaxed) == 0 {
        thread::park_timeout(Duration::from_secs(60));
    }
    let woken: Vec<_> = waiting.iter().map(|((count, _), _)| count.0.load(Relaxed)).collect();
    // Whoever looks while the crossing charge is under way has it told once more.
    assert!(woken[0] == 0 && woken[1] >= 1 && woken[2] == 0 && woken[3] >= 1, "{woken:?}");
    drop(block);
}
