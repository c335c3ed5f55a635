//! A library with the crate inside, for a program in C or in Rust.

mod deaths;

use failfast_alloc::{FailFast, usage};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Allocates and frees, and says what the budget is.
#[unsafe(no_mangle)]
pub extern "C" fn library_work() {
    let sum: usize = (0..1000).map(|n| vec![n; n % 100 + 1].len()).sum();
    eprintln!("library: {sum} {:?}", usage().budget);
}

/// Sets a hook.
#[unsafe(no_mangle)]
pub extern "C" fn library_hook() {
    deaths::set_hook("library");
}

/// Comes to the end of the stack, without allocating.
#[unsafe(no_mangle)]
pub extern "C" fn library_overflow() {
    deaths::overflow();
}

/// Comes to the end of the stack, allocating.
#[unsafe(no_mangle)]
pub extern "C" fn library_overflow_by_allocation() {
    deaths::overflow_by_allocation();
}

/// Ends the process.
#[unsafe(no_mangle)]
pub extern "C" fn library_fail() {
    failfast_alloc::fail_fast("enough");
}

/// Allocates more than there may be.
#[unsafe(no_mangle)]
pub extern "C" fn library_exceed_budget() {
    deaths::exceed_budget();
}
