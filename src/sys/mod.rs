//! The only door to the operating system.
//!
//! Layer 1.  Plane: failure.
//!
//! Nothing here knows a budget. No function allocates, takes a lock, or panics, unless its
//! documentation says so.

pub(crate) mod altstack;
pub(crate) mod clock;
pub(crate) mod clone;
pub(crate) mod exec;
pub(crate) mod exit;
pub(crate) mod facts;
pub(crate) mod fault;
pub(crate) mod file;
pub(crate) mod heap;
#[cfg(feature = "c-threads")]
pub(crate) mod interpose;
pub(crate) mod library;
pub(crate) mod limits;
pub(crate) mod lock;
pub(crate) mod mark;
pub(crate) mod membarrier;
pub(crate) mod memory;
pub(crate) mod output;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod record;
pub(crate) mod registers;
pub(crate) mod sanitizer;
pub(crate) mod signal;
pub(crate) mod stack;
pub(crate) mod stop;
#[cfg(feature = "supervise")]
pub(crate) mod supervise;
pub(crate) mod switch;
pub(crate) mod tasks;
pub(crate) mod thread;
pub(crate) mod trace;
pub(crate) mod unwind;
pub(crate) mod wiped;
