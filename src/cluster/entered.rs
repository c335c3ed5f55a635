//! A thread is in a cluster.
//!
//! Layer 7.  Plane: control.

use core::marker::PhantomData;

use super::handle::Cluster;
use crate::alloc::entered::{self, Entry};
use crate::terminate;

/// A thread is inside a cluster while it has this: see [`Cluster::enter`].
///
/// It is the thread's, so it is not `Send`. Clippy's `await_holding_invalid_types` can see to it
/// that it is not held across an `.await`.
///
/// # Examples
///
/// ```
/// # use failfast_alloc::{Cluster, FailFast};
/// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
/// let job = Cluster::builder("job").build()?;
/// {
///     let _entered = job.enter();
///     assert_eq!(Cluster::current(), job);
/// }
/// assert_eq!(Cluster::current(), Cluster::root());
/// # Ok::<(), failfast_alloc::Error>(())
/// ```
///
/// It stays in its thread, and in the life of its handle:
///
/// ```compile_fail,E0277
/// # let job = failfast_alloc::Cluster::root();
/// let entered = job.enter();
/// std::thread::scope(|scope| {
///     scope.spawn(move || drop(entered));
/// });
/// ```
///
/// ```compile_fail,E0505
/// # let job = failfast_alloc::Cluster::root();
/// let entered = job.enter();
/// drop(job);
/// drop(entered);
/// ```
#[derive(Debug)]
#[must_use = "the thread leaves the cluster when this is dropped"]
pub struct Entered<'a> {
    entry: Entry,
    /// The handle outlives it; it stays in its thread.
    cluster: PhantomData<(&'a Cluster, *mut ())>,
}

impl<'a> Entered<'a> {
    pub(super) fn new(cluster: &'a Cluster) -> Self {
        let Some(entry) = entered::enter(cluster.0) else {
            terminate::fail_fast("no memory for a thread's account with a cluster");
        };
        Self { entry, cluster: PhantomData }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if !entered::leave(self.entry) {
            terminate::fail_fast("guards of clusters were dropped in another order than entered");
        }
    }
}
