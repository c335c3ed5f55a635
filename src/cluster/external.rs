//! Bytes that do not come through the allocator.
//!
//! Layer 7.  Plane: control.

use super::error::OverBudget;
use super::handle::Cluster;
use crate::alloc::budgets;

/// Bytes charged to a cluster until this is dropped: see [`Cluster::charge_external`].
///
/// # Examples
///
/// ```
/// # use failfast_alloc::{Cluster, FailFast};
/// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
/// let images = Cluster::builder("images").build()?;
/// let charge = images.charge_external(1 << 20).unwrap();
/// assert_eq!(charge.bytes(), 1 << 20);
/// drop(charge);
/// assert_eq!(images.usage().live, 0);
/// # Ok::<(), failfast_alloc::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "the bytes are refunded when this is dropped"]
pub struct ExternalCharge {
    cluster: Cluster,
    bytes: usize,
}

impl ExternalCharge {
    pub(super) fn new(cluster: &Cluster, bytes: usize) -> Result<Self, OverBudget> {
        let charged = match isize::try_from(bytes) {
            Ok(bytes) => budgets::charge_external(cluster.0, bytes).map_err(|r| *r.figures()),
            Err(_) => Err(budgets::figures(cluster.0)),
        };
        match charged {
            Ok(()) => Ok(Self { cluster: cluster.clone(), bytes }),
            Err(figures) => {
                let short = Cluster::retained(budgets::of(&figures));
                let (live, budget) = (figures.live as usize, figures.budget as usize);
                let cluster = short.name().to_owned();
                Err(OverBudget { cluster, live, budget, requested: Some(bytes) })
            }
        }
    }

    /// How many bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for ExternalCharge {
    fn drop(&mut self) {
        budgets::refund_external(self.cluster.0, self.bytes as isize);
    }
}
