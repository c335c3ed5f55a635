//! What was asked for, in code and in the environment, and what it comes to on this machine.
//!
//! Layer 3.  Plane: data.
//!
//! All of it runs once, inside the first allocation and mostly before `main`: nothing here
//! allocates, locks or panics, and a value that is wrong is answered with a line, never ignored.
//!
//! ```text
//! Config (code) ──────────────┐
//!                             ├─ resolve ─> Settings (numbers, opened and checked files)
//! environment ─ scan ─ value ─┘   │
//!                                 ├─ memory ─ cgroup (only for `75%` and `auto`)
//!                                 └─ group ── cgroup (what the report says of it)
//! ```
//!
//! * **C1** Every wrong value gives one line that names where it stands, what it is and what was
//!   expected, and the answer `Refused`. The caller decides what that means: an executable exits
//!   with 78, a shared library keeps the settings, in which the wrong value has no part.
//! * **C2** The environment wins over code, for each variable by itself; cluster budgets for each
//!   cluster by itself. Values in code are checked also where the environment wins.
//! * **C3** The settings borrow nothing from the environment, which the program may overwrite.

mod asked;
mod cgroup;
mod choice;
mod clusters;
mod group;
mod judge;
mod line;
mod memory;
mod near;
mod options;
#[cfg(feature = "supervise")]
pub(crate) mod own_group;
mod parse;
mod program;
mod report_to;
mod resolve;
mod scan;
mod seen;
#[cfg(feature = "supervise")]
mod setting;
mod settings;
mod settle;
mod text;
mod value;

#[cfg(test)]
mod tests;

#[cfg(any(fuzzing, test))]
pub(crate) use self::resolve::{World, resolve};
#[cfg(feature = "supervise")]
pub use self::setting::{InvalidValue, Setting, duration};
#[cfg(feature = "supervise")]
pub(crate) use self::{
    memory::{MemoryLimit, Origin, each as each_memory_limit},
    seen::{At, Seen},
    settle::AUTO_PERCENT,
};

/// Whether a cluster may be called so.
pub(crate) fn is_cluster_name(name: &str) -> bool {
    clusters::check_name(name.as_bytes()).is_ok()
}

/// What is wrong with a cluster's budget, if something is.
pub(crate) fn check_cluster_limit(limit: Limit) -> Result<(), &'static str> {
    value::check_cluster_limit(limit).map(|_| ()).map_err(|fault| fault.what)
}

/// What is wrong with a budget, if something is.
#[cfg(feature = "supervise")]
pub(crate) fn check_limit(limit: Limit) -> Result<(), &'static str> {
    value::check_limit(limit).map(|_| ()).map_err(|fault| fault.what)
}

/// What is wrong with a stack's budget, if something is.
#[cfg(feature = "supervise")]
pub(crate) fn check_stack_limit(limit: Limit) -> Result<(), &'static str> {
    value::check_stack_limit(limit).map(|_| ()).map_err(|fault| fault.what)
}

/// What is wrong with a time, if something is.
#[cfg(feature = "supervise")]
pub(crate) fn check_time(time: core::time::Duration) -> Result<(), &'static str> {
    value::check_time(time).map(|_| ()).map_err(|fault| fault.what)
}

pub(crate) use self::{
    asked::{Config, complain_of_second},
    group::Group,
    resolve::resolve_here,
    settings::{ReportSink, Settings, Source},
};
#[cfg(fuzzing)]
pub(crate) use self::{
    cgroup::{Below, Version, below, membership, mount},
    near::near,
};
pub use self::{
    choice::{AbortMode, Limit, Mode, ReportTo},
    options::OptionsTable,
    parse::ParseLimitError,
};
