//! The record that each thread has.
//!
//! Layer 3.  Plane: data.
//!
//! One block of zeroed thread-local storage, without a constructor or a destructor of its own, so
//! that it is there in the first and in the last instruction of a thread, and in signal handlers.
//! The fast path's words come first; the stack's, and those of dying, follow.

mod record;

#[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
mod portable;
#[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
pub(crate) use portable::record;

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86_64;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
pub(crate) use x86_64::{offset, record};

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
pub(crate) use record::ClusterWords;
pub(crate) use record::{Record, Stage};
