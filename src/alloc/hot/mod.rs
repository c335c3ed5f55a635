//! The fast path: what each call pays.
//!
//! Layer 6.  Plane: data.
//!
//! A charge takes from the slot's credit, looks at the sign, and compares the stack pointer with a
//! limit that stands for three things at once: the end of the stack (the probe), a recall that
//! wants the slot's credit (the freeze), and whatever else must leave the fast path. No atomic
//! read-modify-write, no shared memory, no branch that is taken. In assembly where there is one,
//! since Rust's atomics cost four instructions more; else in plain Rust, which the loom models run.

#[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
mod here_portable;
#[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
mod portable;
#[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
pub(super) use {
    here_portable::{Here, add, charge_in, distance, here, owner, refund_in},
    portable::{charge, charge_growth, may_free, refund, refund_after},
};

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod here_x86_64;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86_64;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
pub(super) use {
    here_x86_64::{Here, add, charge_in, distance, here, owner, refund_in},
    x86_64::{charge, charge_growth, may_free, refund, refund_after},
};
