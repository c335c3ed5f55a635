//! A task is in a cluster while it is polled.
//!
//! Layer 7.  Plane: control.

use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::error::OverBudget;
use super::handle::Cluster;
use super::watch::Place;
use crate::alloc::{budgets, clusters};

/// A future that is inside a cluster whenever it is polled, and when it is dropped: see
/// [`Cluster::scope`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct Scoped<F> {
    cluster: Cluster,
    inner: Inner<F>,
}

/// A future that ends when its cluster is over its soft budget: see [`Cluster::limited`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct Limited<F> {
    /// Dropped before the cluster: that stays as long as somebody may ask for it.
    place: Place,
    cluster: Cluster,
    inner: Inner<F>,
}

/// A future, until it is dropped.
#[derive(Debug)]
struct Inner<F> {
    future: ManuallyDrop<F>,
    is_there: bool,
}

impl<F> Inner<F> {
    fn new(future: F) -> Self {
        Self { future: ManuallyDrop::new(future), is_there: true }
    }

    /// The future, if it was not dropped.
    fn get(self: Pin<&mut Self>) -> Option<Pin<&mut F>> {
        // SAFETY: the future is not moved: it is only handed on pinned, or dropped where it is.
        let this = unsafe { self.get_unchecked_mut() };
        if !this.is_there {
            return None;
        }
        let future: &mut F = &mut this.future;
        // SAFETY: it is a part of what is pinned, and stays there until it is dropped.
        Some(unsafe { Pin::new_unchecked(future) })
    }

    /// Drops the future where it is, inside the cluster; once.
    fn end(self: Pin<&mut Self>, cluster: &Cluster) {
        // SAFETY: as in `get`.
        let this = unsafe { self.get_unchecked_mut() };
        if core::mem::replace(&mut this.is_there, false) {
            // SAFETY: it was there, and is not used again: `is_there` says so from now on.
            cluster.run(|| unsafe { ManuallyDrop::drop(&mut this.future) });
        }
    }
}

impl<F: Future> Scoped<F> {
    pub(super) fn new(cluster: Cluster, future: F) -> Self {
        Self { cluster, inner: Inner::new(future) }
    }
}

impl<F: Future> Limited<F> {
    pub(super) fn new(cluster: Cluster, future: F) -> Self {
        Self { place: Place::default(), cluster, inner: Inner::new(future) }
    }
}

impl<F> Scoped<F> {
    /// Its parts.
    fn project(self: Pin<&mut Self>) -> (&Cluster, Pin<&mut Inner<F>>) {
        // SAFETY: nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: `inner` is pinned as long as the whole is, and handed out in no other way.
        (&this.cluster, unsafe { Pin::new_unchecked(&mut this.inner) })
    }
}

impl<F> Limited<F> {
    /// Its parts.
    fn project(self: Pin<&mut Self>) -> (&mut Place, &Cluster, Pin<&mut Inner<F>>) {
        // SAFETY: nothing is moved out of it but its place, which is never pinned.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: `inner` is pinned as long as the whole is, and handed out in no other way.
        (&mut this.place, &this.cluster, unsafe { Pin::new_unchecked(&mut this.inner) })
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let (cluster, inner) = self.project();
        match inner.get() {
            Some(future) => cluster.run(|| future.poll(context)),
            None => Poll::Pending, // Never: only the whole's end drops it.
        }
    }
}

impl<F: Future> Future for Limited<F> {
    type Output = Result<F::Output, OverBudget>;

    /// # Panics
    ///
    /// If it is polled again after it has resolved to [`OverBudget`].
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (place, cluster, mut inner) = self.project();
        if let Some(over) = over(cluster) {
            *place = Place::default();
            inner.end(cluster);
            return Poll::Ready(Err(over));
        }
        let Some(future) = inner.as_mut().get() else {
            panic!("`Limited` was polled after it had ended");
        };
        if let Poll::Ready(output) = cluster.run(|| future.poll(context)) {
            *place = Place::default();
            return Poll::Ready(Ok(output));
        }
        // Now it is over, or it will be told.
        if place.register(cluster.0, context.waker()) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// What is said of a cluster that is over its soft budget; `None` if it is not.
pub(super) fn over(cluster: &Cluster) -> Option<OverBudget> {
    if !cluster.over_soft_budget() {
        return None;
    }
    // Both once: they may change meanwhile, and what is said must be so.
    let (live, soft) = (budgets::figures(cluster.0).live, clusters::account(cluster.0).soft());
    let (live, budget) = (live as usize, soft as usize);
    (live > budget).then(|| OverBudget {
        cluster: cluster.name().to_owned(),
        live,
        budget,
        requested: None,
    })
}

impl<F> Drop for Scoped<F> {
    fn drop(&mut self) {
        // SAFETY: what is being dropped does not move any more.
        unsafe { Pin::new_unchecked(&mut self.inner) }.end(&self.cluster);
    }
}

impl<F> Drop for Limited<F> {
    fn drop(&mut self) {
        // SAFETY: what is being dropped does not move any more.
        unsafe { Pin::new_unchecked(&mut self.inner) }.end(&self.cluster);
    }
}
