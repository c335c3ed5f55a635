//! A global allocator that ends the process at the first allocation that fails, of heap or stack.
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(loom))))]
#![doc = ""]
// Where the README's links lead from docs.rs: of two definitions the first one holds.
#![doc = include_str!("links.md")]
#![doc = ""]
#![doc = include_str!("../README.md")]

// Modules in layer order: each may use only those above it (`tests/tidy.rs`).

// Layer 0: words and doors.
mod bytes;
mod sync;

// Layer 1: the machine.
#[cfg(not(loom))]
mod sys;

// Layer 2: pure cores.
mod cause;
mod ledger;
#[cfg(not(loom))]
mod record;
mod report;

// Layer 3: policy, and the record each thread has.
#[cfg(not(loom))]
mod config;
#[cfg(not(loom))]
mod thread;

// Layer 4: the end.
mod terminate;

// Layer 5: the guard of stacks.
#[cfg(not(loom))]
pub mod stack;

// Layer 6: the allocator.
#[cfg(not(loom))]
mod alloc;

// Layer 7: what programs ask for while they run.
#[cfg(not(loom))]
mod cluster;
#[cfg(all(not(loom), feature = "supervise"))]
pub mod limits;

// Layer 8: what runs programs from outside.
#[cfg(all(feature = "supervise", not(loom)))]
pub mod supervise;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;

#[cfg(feature = "fault-injection")]
#[doc(hidden)]
pub mod fault_injection {
    pub use crate::terminate::{PHASES, inject};
}

#[cfg(not(loom))]
#[doc(hidden)]
pub use config::OptionsTable;

/// The settings of a process, for whoever starts it (feature `supervise`).
#[cfg(all(not(loom), feature = "supervise"))]
pub mod settings {
    pub use crate::config::{InvalidValue, Setting, duration};
}

pub use cause::Cause;
pub use report::{BacktraceGap, FoundBy, Report, StackKind, StackSpan};
#[cfg(not(loom))]
pub use {
    alloc::{FailFast, Malloc, Usage, fallible, usage},
    cluster::{
        Cluster, ClusterBuilder, Entered, Error, ExternalCharge, Limited, OverBudget, Scoped,
        UntilOverSoftBudget,
    },
    config::{AbortMode, Limit, Mode, ParseLimitError, ReportTo},
    terminate::{AbortHook, fail_fast, set_abort_hook, take_abort_hook},
};
