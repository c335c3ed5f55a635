//! A program that dies as it is told to.

use std::hint::black_box;

use failfast_alloc::{Cluster, FailFast, Limit};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("heap-budget") => {
            let cluster = Cluster::builder("parser").budget(Limit::mib(1)).build();
            cluster.expect("a cluster").run(|| drop(black_box(vec![0_u8; 2 << 20])));
        }
        Some("hook-hangs") => {
            let hook = |_: &_| loop {
                std::hint::spin_loop();
            };
            // SAFETY: the hook relies on nothing.
            unsafe { failfast_alloc::set_abort_hook(hook) };
            failfast_alloc::fail_fast("with a hook that hangs");
        }
        Some("hook-leaves") => {
            let hook = |_: &_| {
                // SAFETY: it takes any number.
                unsafe { libc::_exit(0) }
            };
            // SAFETY: the hook relies on nothing.
            unsafe { failfast_alloc::set_abort_hook(hook) };
            failfast_alloc::fail_fast("with a hook that says that all is well");
        }
        Some("stack-overflow") => {
            black_box(recurse(1));
        }
        Some("requested") => failfast_alloc::fail_fast("the ledger of orders is inconsistent"),
        Some("allocator-refused") => {
            let bytes = 64 << 20;
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            // SAFETY: a whole limit.
            unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) };
            drop(black_box(vec![0_u8; bytes as usize]));
        }
        Some("killed") => {
            // SAFETY: numbers.
            unsafe { libc::raise(libc::SIGKILL) };
        }
        Some("abort") => std::process::abort(),
        Some("exit") => std::process::exit(3),
        _ => {}
    }
}

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if frame[0] == u64::MAX { 0 } else { recurse(depth + 1) + frame[1] }
}
