//! Threads of the standard library.

use failfast_alloc::{Cluster, FailFast, Limit, OverBudget, fallible};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// A thread inside a cluster.
#[test]
fn a_thread_in_a_cluster() {
    let job = Cluster::builder("job").budget(Limit::mib(16)).build().unwrap();
    let thread = job.spawn(|| vec![0_u8; 10_000]).unwrap();
    let made = thread.join().unwrap();
    assert_eq!(job.usage().live, 10_000);
    drop(made);
    assert_eq!(job.usage().live, 0);
}

/// The same, where the thread is to have a name, or a stack of some size.
#[test]
fn a_thread_with_a_name() {
    let job = Cluster::builder("job").build().unwrap();
    let inside = job.clone();
    let builder = std::thread::Builder::new().name("parser".into()).stack_size(256 << 10);
    let thread = builder.spawn(move || inside.run(|| Cluster::current().name().to_owned()));
    assert_eq!(thread.unwrap().join().unwrap(), "job");
}

/// Threads that are started inside a cluster are in the root, unless they are told otherwise.
#[test]
fn a_thread_does_not_inherit() {
    let job = Cluster::builder("job").build().unwrap();
    job.run(|| {
        let plain = std::thread::spawn(Cluster::current);
        assert_eq!(plain.join().unwrap(), Cluster::root());
        let told = Cluster::current().spawn(Cluster::current).unwrap();
        assert_eq!(told.join().unwrap(), job);
        let scoped =
            std::thread::scope(|scope| scope.spawn(|| job.run(Cluster::current)).join().unwrap());
        assert_eq!(scoped, job);
    });
}

/// A loop that asks for itself.
#[test]
fn a_loop_that_stops_in_time() {
    fn squares(job: &Cluster) -> Result<Vec<u64>, OverBudget> {
        let mut squares = Vec::new();
        for n in 0_u64.. {
            if n % 64 == 0 {
                job.check_soft_budget()?;
            }
            squares.push(n * n);
        }
        Ok(squares)
    }
    let job = Cluster::builder("job").soft_budget(Limit::kib(64)).build().unwrap();
    let over = job.run(|| squares(&job)).unwrap_err();
    assert!(over.live() > 64 << 10, "{over}");
    assert_eq!(job.usage().live, over.cluster().len(), "the error itself, made inside");
    drop(over);
    assert_eq!(job.usage().live, 0);
}

/// One request that may fail.
#[test]
fn a_request_that_may_fail() {
    let job = Cluster::builder("job").budget(Limit::kib(64)).build().unwrap();
    let mut bytes: Vec<u8> = Vec::new();
    assert!(job.run(|| fallible(|| bytes.try_reserve_exact(100_000))).is_err());
    assert!(job.run(|| fallible(|| bytes.try_reserve_exact(10_000))).is_ok());
    // What grows is charged to whose it is, wherever that is done.
    assert!(fallible(|| bytes.try_reserve_exact(100_000)).is_err());
    assert_eq!(job.usage().live, 10_000);
}

/// What a process keeps from the first time on is of whoever was there: here, what symbols are
/// looked up in. Have it made in the root if a panic inside must not cost a cluster anything.
#[test]
fn a_backtrace_keeps_what_it_looked_up() {
    let show = || std::backtrace::Backtrace::force_capture().to_string().len();
    let [first, second] = ["a", "b"].map(|name| Cluster::builder(name).build().unwrap());
    assert!(first.run(show) > 0 && first.usage().live > 0);
    assert!(second.run(show) > 0);
    assert!(second.usage().live < first.usage().live);
    println!("{} bytes, then {}", first.usage().live, second.usage().live);
}
