//! What may be wrong.
//!
//! Layer 7.  Plane: control.

use core::fmt;

use crate::config::{Limit, Source};

/// Why a cluster could not be made, or its budget not be set. Its `Display` is one line that says
/// what was given and what was expected.
///
/// # Examples
///
/// ```
/// # use failfast_alloc::{Cluster, FailFast};
/// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
/// let error = Cluster::builder("two words").build().unwrap_err();
/// assert!(error.is_invalid_name());
/// assert!(error.to_string().starts_with("`two words` is not a cluster's name; expected"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error(Kind);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    NotInstalled,
    InvalidName(String),
    InvalidLimit { name: String, limit: Limit, why: &'static str, by: Source },
    BelowLive { name: String, limit: Limit, live: usize },
    OutOfClusters,
}

impl Error {
    pub(super) fn not_installed() -> Self {
        Self(Kind::NotInstalled)
    }

    pub(super) fn invalid_name(name: &str) -> Self {
        Self(Kind::InvalidName(name.to_owned()))
    }

    pub(super) fn invalid_limit(name: &str, limit: Limit, why: &'static str, by: Source) -> Self {
        Self(Kind::InvalidLimit { name: name.to_owned(), limit, why, by })
    }

    pub(super) fn below_live(name: &str, limit: Limit, live: usize) -> Self {
        Self(Kind::BelowLive { name: name.to_owned(), limit, live })
    }

    pub(super) fn full() -> Self {
        Self(Kind::OutOfClusters)
    }

    /// The global allocator is no [`FailFast`](crate::FailFast), so nothing would be counted.
    pub fn is_not_installed(&self) -> bool {
        self.0 == Kind::NotInstalled
    }

    /// The name is not 1 to 64 characters of `A-Z a-z 0-9 . _ -`, or it is `root`.
    pub fn is_invalid_name(&self) -> bool {
        matches!(self.0, Kind::InvalidName(_))
    }

    /// The budget is zero, or a percentage that is none or of a budget that is not there.
    pub fn is_invalid_limit(&self) -> bool {
        matches!(self.0, Kind::InvalidLimit { .. })
    }

    /// More is live than the budget would be.
    pub fn is_below_live(&self) -> bool {
        matches!(self.0, Kind::BelowLive { .. })
    }

    /// There are 65,535 clusters, or there is no memory for one more.
    pub fn is_out_of_clusters(&self) -> bool {
        self.0 == Kind::OutOfClusters
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::NotInstalled => f.write_str(
                "no cluster can be made: the global allocator is not a FailFast; expected \
                 #[global_allocator] static ALLOC: FailFast = FailFast::system();",
            ),
            Kind::InvalidName(name) => write!(
                f,
                "`{}` is not a cluster's name; expected 1 to 64 characters of A-Z a-z 0-9 . _ -, \
                 and not root",
                name.escape_debug()
            ),
            Kind::InvalidLimit { name, limit, why, by } => {
                let by = match by {
                    // The code that is told of it.
                    Source::Default => "",
                    Source::Code => "FailFast::cluster_budgets: ",
                    Source::Environment => "FAILFAST_CLUSTER_BUDGETS: ",
                };
                write!(
                    f,
                    "{by}cluster `{name}`: `{limit}` {why}; expected bytes, a percentage of 1 to \
                     100 of the parent's budget (of its own, for a soft one), or unlimited"
                )
            }
            Kind::BelowLive { name, limit, live } => write!(
                f,
                "cluster `{name}`: `{limit}` is less than the {live} bytes that are live; expected \
                 at least as much"
            ),
            Kind::OutOfClusters => f.write_str(
                "no cluster can be made: there are 65535, or no memory for one more; expected \
                 fewer at a time",
            ),
        }
    }
}

impl std::error::Error for Error {}

/// A cluster is over its soft budget, or what was asked for does not fit in its budget. Its
/// `Display` is one line that says which, of which cluster, with the numbers.
///
/// # Examples
///
/// ```
/// # use failfast_alloc::{Cluster, FailFast, Limit};
/// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
/// let job = Cluster::builder("job").budget(Limit::kib(1)).build()?;
/// let over = job.charge_external(2000).unwrap_err();
/// assert_eq!((over.cluster(), over.live(), over.budget()), ("job", 0, 1024));
/// assert_eq!(over.to_string(), "2000 bytes do not fit in cluster `job`: 0 of 1024 are live");
/// # Ok::<(), failfast_alloc::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OverBudget {
    pub(super) cluster: String,
    pub(super) live: usize,
    pub(super) budget: usize,
    /// What was asked for and did not fit; `None` if it is over its soft budget.
    pub(super) requested: Option<usize>,
}

impl OverBudget {
    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Bytes that were live in it.
    pub fn live(&self) -> usize {
        self.live
    }

    /// The budget, in bytes: the soft one for a limited future, else the one that lacked room.
    pub fn budget(&self) -> usize {
        self.budget
    }
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, live, budget, requested } = self;
        match requested {
            Some(bytes) => write!(
                f,
                "{bytes} bytes do not fit in cluster `{cluster}`: {live} of {budget} are live"
            ),
            None => write!(
                f,
                "cluster `{cluster}` is over its soft budget: {live} bytes are live of {budget}"
            ),
        }
    }
}

impl std::error::Error for OverBudget {}
