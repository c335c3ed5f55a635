//! Clusters: budgets inside one process.
//!
//! Layer 7.  Plane: control.
//!
//! Handles, guards and futures over `alloc::clusters`, which has the mechanism. Nothing here runs
//! inside an allocation, so all of it may allocate; what it allocates for itself is the root's.
//!
//! * `handle`: [`Cluster`]; `builder`: how one is made; `error`: what may be wrong with that.
//! * `entered`: a thread is in a cluster; `future`: a task is, while it is polled.
//! * `watch`: soft budgets are crossed, and somebody wakes.
//! * `external`: bytes that do not come through the allocator.

mod builder;
mod entered;
mod error;
mod external;
mod future;
mod handle;
mod watch;

pub use builder::ClusterBuilder;
pub use entered::Entered;
pub use error::{Error, OverBudget};
pub use external::ExternalCharge;
pub use future::{Limited, Scoped};
pub use handle::Cluster;
pub use watch::UntilOverSoftBudget;
