//! The one way to die.
//!
//! Layer 4.  Plane: failure.
//!
//! * `sequence`: `terminate`, whose body is the list of what happens.
//! * `page`: what a forked child must not inherit; `election`: who dies for all.
//! * `emergency`: the stack, and `reserve`: the heap, that are used from then on.
//! * `steps`: what is said, and the hook, one step after the other; `facts`, `output`, `hook`.
//! * `end`: the last step, and all that leads straight to it.
//!
//! # Promises
//!
//! * **T1** Of all threads that fail, exactly one is elected; in the others the failing call never
//!   returns.
//! * **T2** The elected thread never returns either: it leaves its stack for good.
//! * **T3** Whatever fails in the elected thread, the process ends by SIGABRT: a fault while
//!   walking the stack costs the backtrace, any other failure goes to the last step.
//! * **T4** Nothing here allocates, waits for a lock, or waits for a reader. The hook may.
//! * **T5** A forked child has its own death; a child that shares our memory (`vfork`) dies alone.
//!
//! Not promised yet: that other threads stand still, and that the hook has an end.

mod election;
#[cfg(all(loom, test))]
mod models;

#[cfg(not(loom))]
mod emergency;
#[cfg(not(loom))]
mod end;
#[cfg(not(loom))]
mod facts;
#[cfg(not(loom))]
pub(crate) mod hook;
#[cfg(not(loom))]
mod observe;
#[cfg(not(loom))]
mod output;
#[cfg(not(loom))]
mod page;
#[cfg(not(loom))]
pub(crate) mod reserve;
#[cfg(not(loom))]
mod sequence;
#[cfg(not(loom))]
mod steps;

#[cfg(not(loom))]
pub(crate) use {
    end::intercept,
    facts::{account, account_from},
    observe::observe,
    page::is_dying,
    sequence::{Death, prepare, terminate},
};
#[cfg(not(loom))]
pub use {
    hook::{AbortHook, set_abort_hook, take_abort_hook},
    sequence::fail_fast,
};
