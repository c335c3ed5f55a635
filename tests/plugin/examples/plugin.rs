//! A shared library whose allocator is a `FailFast`: in a program that knows nothing of it.

use std::hint::black_box;

use failfast_alloc::{FailFast, usage};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Allocates and frees; returns the budget, or 0 if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_work(bytes: usize) -> usize {
    let kept = black_box(vec![1_u8; bytes]);
    assert!(usage().live >= kept.len());
    usage().budget.unwrap_or(0)
}
