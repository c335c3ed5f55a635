//! Tasks of tokio's. Also: whose what is, found by measuring.

use std::task::Poll;
use std::time::Duration;

use failfast_alloc::{Cluster, FailFast, Limit};
use tokio::task::{JoinSet, spawn_blocking, yield_now};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Runs a recipe on a runtime with two workers.
fn on_tokio<F: Future>(what: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(what)
}

/// A task in a cluster is one whose future is scoped.
#[test]
fn a_spawned_task_is_scoped() {
    on_tokio(async {
        let job = Cluster::builder("job").build().unwrap();
        let task = tokio::spawn(job.scope(async {
            let kept = vec![0_u8; 5000];
            yield_now().await;
            assert_eq!(Cluster::current().name(), "job");
            kept
        }));
        let kept = task.await.unwrap();
        assert!(job.usage().live >= kept.len());
    });
}

/// A task that a scoped one spawns is in the root, unless it is scoped too.
#[test]
fn a_task_does_not_inherit() {
    on_tokio(async {
        let job = Cluster::builder("job").build().unwrap();
        let names = job.scope(async {
            let plain = tokio::spawn(async { Cluster::current().name().to_owned() });
            let current = Cluster::current();
            let told = tokio::spawn(current.scope(async { Cluster::current().name().to_owned() }));
            (plain.await.unwrap(), told.await.unwrap())
        });
        assert_eq!(names.await, ("root".to_owned(), "job".to_owned()));
    });
}

/// What tokio keeps for a task, its future included, is of the cluster in which it is spawned.
#[test]
fn a_tasks_own_memory_is_its_spawners() {
    on_tokio(async {
        let job = Cluster::builder("job").build().unwrap();
        let future = || async {
            let large = [1_u8; 10_000];
            std::future::pending::<()>().await;
            std::hint::black_box(&large);
        };
        let plain = tokio::spawn(job.scope(future()));
        assert!(job.usage().live < 10_000);
        let inside = job.run(|| tokio::spawn(job.scope(future())));
        assert!(job.usage().live >= 10_000);
        for task in [plain, inside] {
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
        assert_eq!(job.usage().live, 0);
    });
}

/// Work that blocks: it enters for itself, and is handed over in the root, since a new thread of
/// the pool would be allocated by whoever needs it first.
#[test]
fn blocking_work() {
    on_tokio(async {
        let job = Cluster::builder("job").build().unwrap();
        let made = job.scope(async {
            let inside = Cluster::current();
            let work = move || inside.run(|| vec![0_u8; 5000]);
            Cluster::root().run(|| spawn_blocking(work)).await.unwrap()
        });
        let made = made.await;
        assert_eq!(job.usage().live, made.len());
        drop(made);
        assert_eq!(job.usage().live, 0);
    });
}

/// Many tasks of one cluster.
#[test]
fn a_join_set() {
    on_tokio(async {
        let job = Cluster::builder("job").build().unwrap();
        let mut tasks = JoinSet::new();
        for n in 0..20_u8 {
            tasks.spawn(job.scope(async move { vec![n; 1000] }));
        }
        let mut made = Vec::new();
        while let Some(done) = tasks.join_next().await {
            made.push(done.unwrap());
        }
        assert_eq!(job.usage().live, 20_000);
        drop(made);
        assert_eq!(job.usage().live, 0);
    });
}

/// Where ending is not enough: something is done first when the soft budget is crossed.
#[test]
fn something_is_done_first() {
    on_tokio(async {
        let job = Cluster::builder("job").soft_budget(Limit::kib(64)).build().unwrap();
        let kept = job.scope(async {
            let mut kept = Vec::with_capacity(1000);
            loop {
                tokio::select! {
                    biased;
                    () = job.until_over_soft_budget() => break kept.len(),
                    () = yield_now() => kept.push(vec![0_u8; 10_000]),
                }
            }
        });
        assert!((4..=7).contains(&kept.await));
    });
}

/// A request that is ended, with all that it has.
#[test]
fn a_limited_task() {
    on_tokio(async {
        let job = Cluster::builder("job").soft_budget(Limit::kib(64)).build().unwrap();
        let task = tokio::spawn(job.limited(async {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![0_u8; 10_000]);
                Cluster::root().scope(yield_now()).await;
            }
        }));
        let ended: Result<(), _> = task.await.unwrap();
        assert_eq!(ended.unwrap_err().cluster(), "job");
        assert_eq!(job.usage().live, 0);
    });
}

/// A thread of the pool's stays on the account of whoever needed it first, for as long as it lives:
/// the reason for the root in `blocking_work`.
#[test]
fn a_new_thread_of_the_pool_is_its_first_users() {
    let job = Cluster::builder("job").build().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let task = job.scope(async { spawn_blocking(|| ()).await.unwrap() });
    runtime.block_on(async { tokio::spawn(task).await.unwrap() });
    assert!(job.usage().live > 0);
    drop(runtime);
    assert_eq!(job.usage().live, 0);
}

/// Timers and notifications are parts of the task that waits.
#[test]
fn waiting_takes_no_memory() {
    on_tokio(async {
        let job = Cluster::builder("job").build().unwrap();
        let notify = tokio::sync::Notify::new();
        let live = job.scope(async {
            let mut sleep = std::pin::pin!(tokio::time::sleep(Duration::from_secs(3600)));
            let mut notified = std::pin::pin!(notify.notified());
            std::future::poll_fn(|context| {
                assert!(sleep.as_mut().poll(context).is_pending());
                assert!(notified.as_mut().poll(context).is_pending());
                Poll::Ready(job.usage().live)
            })
            .await
        });
        assert_eq!(live.await, 0);
    });
}

/// Lists of the runtime's grow on the account of whoever is there when they do: here, of the tasks
/// that yield. In the root it costs the cluster nothing.
#[test]
fn yielding_belongs_in_the_root() {
    on_tokio(async {
        let job = Cluster::builder("job").build().unwrap();
        tokio::spawn(job.scope(Cluster::root().scope(yield_now()))).await.unwrap();
        assert_eq!(job.usage().live, 0);
        // A fresh runtime, whose worker has not seen anybody yield.
        let runtime = std::thread::spawn({
            let job = job.clone();
            move || {
                let mut runtime = tokio::runtime::Builder::new_multi_thread();
                let runtime = runtime.worker_threads(1).build().unwrap();
                runtime.block_on(async { tokio::spawn(job.scope(yield_now())).await.unwrap() });
                let live = job.usage().live;
                drop(runtime);
                (live, job.usage().live)
            }
        });
        let (live, after) = runtime.join().unwrap();
        assert_eq!((live, after), (4 * size_of::<std::task::Waker>(), 0));
    });
}
