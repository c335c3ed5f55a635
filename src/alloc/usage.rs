//! Looking.
//!
//! Layer 6.  Plane: data.

use super::clusters::{self, Which};
use super::{budgets, start};
use crate::ledger::UNLIMITED;

/// What a cluster uses, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// The sizes of all blocks that are handed out and not yet freed. Exact while no thread is
    /// inside the allocator; never above the budget.
    pub live: usize,
    /// The most that was ever live, or leased to threads for their next allocations: never less
    /// than the most that was ever live, and above it by no more than what those leases were (at
    /// most 4 MiB a thread, for those that allocate much), and by requests that the inner
    /// allocator refused at just that moment.
    pub peak: usize,
    /// The budget, or `None` if there is none.
    pub budget: Option<usize>,
    /// The soft budget, or `None` if there is none.
    pub soft_budget: Option<usize>,
}

/// What the process uses: the root cluster.
///
/// All zero in a program whose global allocator is not a [`FailFast`](crate::FailFast).
///
/// # Cost
///
/// Takes the ledger's lock, and looks at each thread that has allocated. No allocation.
///
/// # Examples
///
/// ```
/// use failfast_alloc::{FailFast, usage};
///
/// #[global_allocator]
/// static ALLOC: FailFast = FailFast::system();
///
/// let before = usage().live;
/// let kept = vec![0_u8; 4096];
/// assert_eq!(usage().live - before, kept.len());
/// ```
pub fn usage() -> Usage {
    of(None)
}

/// What a cluster uses.
pub(crate) fn of(which: Which) -> Usage {
    if !start::is_installed() {
        return Usage::default();
    }
    let figures = budgets::figures(which);
    let budget = budgets::budget(which);
    let soft = clusters::account(which).soft();
    let soft_budget = (soft != UNLIMITED).then_some(soft as usize);
    Usage { live: figures.live as usize, peak: figures.peak as usize, budget, soft_budget }
}
