//! How a cluster is made.
//!
//! Layer 7.  Plane: control.

use super::error::Error;
use super::handle::Cluster;
use crate::alloc::clusters::{self, NoCluster};
use crate::alloc::{budgets, start};
use crate::config::{self, Limit, Source};
use crate::ledger::UNLIMITED;

/// What a new cluster is to be: see [`Cluster::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ClusterBuilder {
    name: String,
    parent: Option<Cluster>,
    budget: Limit,
    soft_budget: Limit,
}

impl ClusterBuilder {
    pub(super) fn new(name: String) -> Self {
        Self { name, parent: None, budget: Limit::Unlimited, soft_budget: Limit::Unlimited }
    }

    /// The cluster that it is to be part of; the one that the thread is in unless this is called.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let tenant = Cluster::builder("tenant").build()?;
    /// let request = Cluster::builder("request").parent(&tenant).build()?;
    /// assert_eq!(request.parent(), Some(tenant));
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn parent(mut self, parent: &Cluster) -> Self {
        self.parent = Some(parent.clone());
        self
    }

    /// The most bytes that may be live in it, its descendants included. A percentage is of the
    /// parent's budget as it is now. Unlimited unless this is called; a budget for its name, in
    /// `FAILFAST_CLUSTER_BUDGETS` or by
    /// [`FailFast::cluster_budgets`](crate::FailFast::cluster_budgets), takes the place of this
    /// one.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let tenant = Cluster::builder("tenant").budget(Limit::mib(64)).build()?;
    /// let cache = Cluster::builder("cache").parent(&tenant).budget(Limit::percent(25)).build()?;
    /// assert_eq!(cache.usage().budget, Some(16 << 20));
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn budget(mut self, budget: Limit) -> Self {
        self.budget = budget;
        self
    }

    /// How many bytes may be live in it before somebody is told: see [`Cluster::limited`]. A
    /// percentage is of its own budget.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let job = Cluster::builder("job")
    ///     .budget(Limit::mib(64))
    ///     .soft_budget(Limit::percent(50))
    ///     .build()?;
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn soft_budget(mut self, budget: Limit) -> Self {
        self.soft_budget = budget;
        self
    }

    /// Makes the cluster.
    ///
    /// # Errors
    ///
    /// See [`Error`]: the global allocator is no `FailFast`; the name is none; a budget is zero, or
    /// a percentage of nothing; 65,535 clusters are there.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let wrong = Cluster::builder("job").budget(Limit::bytes(0)).build().unwrap_err();
    /// assert!(wrong.is_invalid_limit());
    /// ```
    pub fn build(self) -> Result<Cluster, Error> {
        if !start::is_installed() {
            return Err(Error::not_installed());
        }
        if !config::is_cluster_name(&self.name) {
            return Err(Error::invalid_name(&self.name));
        }
        let parent = self.parent.unwrap_or_else(Cluster::current);
        let (limit, by) =
            start::budget_by_name(&self.name).unwrap_or((self.budget, Source::Default));
        let wrong = |why| Error::invalid_limit(&self.name, limit, why, by);
        let budget = bytes_of(limit, budgets::budget(parent.0)).map_err(wrong)?;
        let whole = usize::try_from(budget).ok().filter(|_| budget != UNLIMITED);
        let wrong = |why| Error::invalid_limit(&self.name, self.soft_budget, why, Source::Default);
        let soft = bytes_of(self.soft_budget, whole).map_err(wrong)?;
        let block = clusters::make(&self.name, parent.0, budget, soft);
        block.map(|block| Cluster(Some(block))).map_err(|NoCluster::Full| Error::full())
    }
}

/// What a limit comes to, of which percentages are of `whole` bytes; or why to nothing.
pub(super) fn bytes_of(limit: Limit, whole: Option<usize>) -> Result<isize, &'static str> {
    config::check_cluster_limit(limit)?;
    match limit {
        Limit::Unlimited => Ok(UNLIMITED),
        Limit::Bytes(bytes) => Ok(isize::try_from(bytes).unwrap_or(UNLIMITED)),
        Limit::Percent(percent) => {
            let Some(bytes) = whole else {
                return Err("is a percentage of a budget that is not there");
            };
            // Up to 100: no larger than `bytes`.
            let part =
                bytes / 100 * usize::from(percent) + bytes % 100 * usize::from(percent) / 100;
            Ok(isize::try_from(part.max(1)).unwrap_or(UNLIMITED))
        }
        Limit::Auto => Err("has no meaning for a cluster"),
    }
}
