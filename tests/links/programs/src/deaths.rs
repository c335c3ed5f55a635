//! What is done to a process: shared by the program and the library.
#![allow(dead_code, reason = "each uses some of it")]

use std::hint::black_box;

/// Recursion by small frames that never allocates, to the guard page. Does not return.
pub(crate) fn overflow() {
    #[inline(never)]
    #[expect(unconditional_recursion, reason = "that is what it is for")]
    fn go_down(depth: u64) -> u64 {
        let here = black_box([depth; 4]);
        go_down(depth + 1) + black_box(here)[0]
    }
    black_box(go_down(0));
}

/// Recursion that allocates in each frame, into the red zone. Does not return.
pub(crate) fn overflow_by_allocation() {
    #[inline(never)]
    #[expect(unconditional_recursion, reason = "that is what it is for")]
    fn go_down(depth: u64) -> u64 {
        let here = black_box(Box::new(depth));
        go_down(depth + 1) + *here
    }
    black_box(go_down(0));
}

/// Allocates far more than any budget of the tests, in pieces. Does not return under a budget.
pub(crate) fn exceed_budget() {
    let mut kept = Vec::new();
    for _ in 0..1024 {
        kept.push(vec![1_u8; 1 << 20]);
        black_box(&kept);
    }
}

/// Sets a hook that allocates, and says who ran.
pub(crate) fn set_hook(whose: &'static str) {
    // SAFETY: it allocates and writes.
    unsafe {
        failfast_alloc::set_abort_hook(move |report| {
            let kept = black_box(vec![1_u8; 1000]);
            eprintln!("hook of the {whose}: {} ({})", report.cause().code(), kept.len());
        });
    }
}

/// What is no overflow, and goes to whoever was there before.
pub(crate) fn read_null() {
    let nowhere = black_box(std::ptr::null::<u64>());
    // SAFETY: none: it is what a sanitizer, or the kernel, is asked about.
    black_box(unsafe { nowhere.read_volatile() });
}

/// What a sanitizer finds.
pub(crate) fn use_after_free() {
    let block = black_box(Box::into_raw(Box::new(7_u64)));
    // SAFETY: freed once.
    drop(unsafe { Box::from_raw(block) });
    // SAFETY: none, as above.
    black_box(unsafe { block.read_volatile() });
}

/// What a sanitizer finds in the end.
pub(crate) fn leak() {
    for n in 0..100_usize {
        std::mem::forget(black_box(vec![n; 100]));
    }
}
