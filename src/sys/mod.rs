//! The only door to the operating system.
//!
//! Layer 1.  Plane: failure.
//!
//! Nothing here knows a budget. No function allocates, takes a lock, or panics, unless its
//! documentation says so.

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!(
    "failfast-alloc is for Linux on x86-64 and aarch64; for other targets, depend on it under \
     [target.'cfg(target_os = \"linux\")'.dependencies]"
);

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
