//! The one way to die.
//!
//! Layer 4.  Plane: failure.
//!
//! * `sequence`: `terminate`, whose body is the list of what happens.
//! * `page`: what a forked child must not inherit; `election`: who dies for all.
//! * `emergency`: the stack, and `reserve`: the heap, that are used from then on.
//! * `deadline`: by when it is over, and who sees to it; `halt`, `halted`, `look`, `tracer`: the
//!   other threads stop.
//! * `steps`: what is said, and the hook, one step after the other; `facts`, `output`, `exec`,
//!   `hook`, `chain`.
//! * `tell`: what a supervisor learns of all this.
//! * `end`: the last step, and all that leads straight to it.
//! * `inject`: faults on purpose, in builds for tests.
//!
//! # Promises
//!
//! * **T1** Of all threads that fail, exactly one is elected; in the others the failing call never
//!   returns.
//! * **T2** The elected thread never returns either: it leaves its stack for good.
//! * **T3** Whatever fails in the elected thread, the process ends by SIGABRT: a failure costs the
//!   step that it is in; one of the program's own code, in the hook or after it, goes to the last.
//! * **T4** Nothing here allocates, waits for a lock, or waits for a reader. The hook may.
//! * **T5** Once the hook begins, no other thread runs an instruction of the program: each has said
//!   that it stopped, or is seen where it cannot go on. Where that is not known, no hook runs.
//! * **T6** The process is dead by the deadline, whatever the hook does.
//! * **T7** A forked child has its own death; a child that shares our memory (`vfork`) dies alone.

mod election;
#[cfg(any(test, not(loom)))]
mod halted;
#[cfg(all(loom, test))]
mod models;

#[cfg(not(loom))]
mod chain;
#[cfg(not(loom))]
mod deadline;
#[cfg(not(loom))]
mod emergency;
#[cfg(not(loom))]
mod end;
#[cfg(not(loom))]
mod exec;
#[cfg(not(loom))]
mod facts;
#[cfg(not(loom))]
mod halt;
#[cfg(not(loom))]
pub(crate) mod hook;
#[cfg(not(loom))]
mod inject;
#[cfg(not(loom))]
mod look;
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
mod tell;
#[cfg(not(loom))]
mod tracer;

#[cfg(feature = "fault-injection")]
pub use inject::{PHASES, inject};
#[cfg(not(loom))]
pub(crate) use {
    end::intercept,
    facts::accounts_from,
    observe::observe,
    page::{adopt, is_dying, pass_gate},
    sequence::{Death, prepare, terminate},
    tell::attach_record,
};
#[cfg(not(loom))]
pub use {
    hook::{AbortHook, set_abort_hook, take_abort_hook},
    sequence::fail_fast,
};
