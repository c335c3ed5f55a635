//! A pool of rayon's inside a cluster.

use failfast_alloc::{Cluster, FailFast, Limit};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// A pool whose threads are inside a cluster as long as they live.
///
/// By the spawn handler: `start_handler` returns before the thread works, so a guard made there
/// would have to be forgotten.
fn pool_in(cluster: &Cluster, threads: usize) -> ThreadPool {
    let pool = ThreadPoolBuilder::new().num_threads(threads).spawn_handler(|worker| {
        let mut builder = std::thread::Builder::new();
        if let Some(bytes) = worker.stack_size() {
            builder = builder.stack_size(bytes);
        }
        let cluster = cluster.clone();
        builder.spawn(move || cluster.run(|| worker.run())).map(drop)
    });
    pool.build().unwrap()
}

#[test]
fn work_of_a_pool_is_the_clusters() {
    let job = Cluster::builder("job").budget(Limit::mib(64)).build().unwrap();
    let pool = pool_in(&job, 3);
    let made: Vec<Vec<u8>> =
        pool.install(|| (0..100).into_par_iter().map(|n| vec![n; 10_000]).collect());
    assert!(job.usage().live >= 1_000_000);
    assert!(pool.broadcast(|_| Cluster::current()).iter().all(|current| *current == job));
    let before = job.usage().live;
    drop(made);
    assert_eq!(before - job.usage().live, 1_000_000 + 100 * size_of::<Vec<u8>>());
}

/// A pool for all, and the cluster of whoever asks: each closure enters for itself, because what
/// rayon does with the closures of others, on the same threads, is not this one's.
#[test]
fn one_pool_for_many_clusters() {
    let pool = ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let jobs = ["a", "b"].map(|name| Cluster::builder(name).build().unwrap());
    for job in &jobs {
        let each = |n: u8| job.run(|| vec![n; 1000]);
        let made: Vec<_> = pool.install(|| (0..50).into_par_iter().map(each).collect());
        assert_eq!(job.usage().live, 50_000);
        drop(made);
        assert_eq!(job.usage().live, 0);
    }
}
