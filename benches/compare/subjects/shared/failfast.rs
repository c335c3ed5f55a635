//! What FailFast can do beyond allocating.

use failfast_alloc::{Cluster, fallible, usage};
use failfast_alloc_bench::Door;
use failfast_alloc_bench::workload::clusters;

/// Is the program's `main`.
pub(crate) fn run() {
    failfast_alloc_bench::subject(Door {
        set_limit: |_| (), // FAILFAST_BUDGET has set it.
        attempt: |request| fallible(request),
        live: || usage().live,
        cluster: || Box::new(Real(made())),
        make_and_end: |times| (0..times).for_each(|_| drop(made())),
    });
}

fn made() -> Cluster {
    Cluster::builder("one").build().expect("fewer than 65,535")
}

struct Real(Cluster);

impl clusters::Cluster for Real {
    fn run(&self, work: &mut dyn FnMut()) {
        self.0.run(work);
    }

    fn enter_and_leave(&self, times: usize) {
        (0..times).for_each(|_| drop(self.0.enter()));
    }

    fn live(&self) -> usize {
        self.0.usage().live
    }
}
