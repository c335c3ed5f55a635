//! A panic inside a cluster, told outside.

use failfast_alloc::{Cluster, FailFast};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Has panics told in the root: what is looked up for a backtrace is kept as long as the process
/// lasts, and may be more than a cluster's budget.
fn tell_panics_in_the_root() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| Cluster::root().run(|| tell(panic))));
}

#[test]
fn a_panic_costs_a_cluster_nothing() {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}\n{}", std::backtrace::Backtrace::force_capture());
    }));
    tell_panics_in_the_root();
    let job = Cluster::builder("job").build().unwrap();
    let caught = std::panic::catch_unwind(|| job.run(|| panic!("inside")));
    drop(caught.unwrap_err());
    assert_eq!((job.usage().live, Cluster::current()), (0, Cluster::root()));
}
