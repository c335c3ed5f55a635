//! Each cause, alone and from many threads at once.

use std::sync::{Arc, Barrier};

use failfast_alloc::fail_fast;
use failfast_alloc_rows::witness::{self, FORBIDDEN, FREE};
use failfast_alloc_rows::{End, Row};

use crate::tools::*;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::dies("requested", "requested", FAILED, || fail()).check(|outcome| {
            let report = outcome.report();
            assert_eq!(report["message"], "enough");
            assert_eq!(report["pid"], outcome.pid);
            assert_eq!((&report["tid"], &report["thread"]), (&report["pid"], &"main".into()));
            assert!(report["resident_bytes"].as_u64() > Some(100_000));
            assert!(report["backtrace"].as_array().is_some_and(|frames| frames.len() > 3));
        }),
        Row::dies(
            "requested_with_a_message_that_breaks_lines",
            "requested",
            "failfast: requested: a\\nb (thread `main`, pid <pid>)",
            || fail_fast("a\nb"),
        ),
        Row::dies(
            "requested_in_a_named_thread",
            "requested",
            "failfast: requested: enough (thread `worker-3`, pid <pid>)",
            || in_thread("worker-3", || fail()),
        ),
        Row::dies("heap_budget", "heap-budget", OVER_BUDGET, || {
            std::hint::black_box(vec![1_u8; 2 << 20]);
            witness::count(FORBIDDEN);
        })
        .env("FAILFAST_BUDGET", "1MiB"),
        Row::dies("sixty_four_threads_at_once", "requested", REQUESTED_ANYWHERE, || {
            set_hook(|_| {});
            many(&[|| fail()]);
        })
        .hook_ran()
        .check(|outcome| assert_eq!(outcome.report()["threads"]["seen"], 64)),
        Row::dies("sixty_four_threads_each_in_its_way", "", "failfast: <any>", || {
            set_hook(|_| {});
            many(&[
                || fail(),
                || drop(std::hint::black_box(vec![1_u8; 64 << 20])),
                || overflow_by_small_frames(),
                || overflow_by_allocation(),
            ]);
        })
        .env("FAILFAST_BUDGET", "32MiB")
        .hook_ran(),
        nothing_else_runs(),
        Row::dies("a_backtrace_begins_where_it_failed", "requested", FAILED, || {
            set_hook(|report| {
                let caller = fail as fn() -> ! as usize;
                let place = report
                    .backtrace()
                    .iter()
                    .position(|&address| address.wrapping_sub(caller) < 256);
                // The frames of `terminate` and of `fail_fast`, and none of the emergency stack.
                assert!(place.is_some_and(|place| place < 6), "{place:?}");
            });
            std::hint::black_box(fail as fn() -> !)();
        })
        .hook_ran(),
        Row::dies("requested_by_a_cancelled_thread", "requested", REQUESTED_ANYWHERE, || {
            set_hook(|_| {});
            in_thread("cancelled", || {
                // It ends at the next function of the C library that may end it.
                // SAFETY: this thread's own handle.
                unsafe { libc::pthread_cancel(libc::pthread_self()) };
                fail();
            });
        })
        .hook_ran(),
        Row::silent("observed_in_a_cancelled_thread", End::Exit(0), || {
            witness::open();
            let thread = std::thread::spawn(|| {
                // SAFETY: this thread's own handle.
                unsafe { libc::pthread_cancel(libc::pthread_self()) };
                drop(std::hint::black_box(vec![1_u8; 2 << 20]));
                // To say so was no place for it to end.
                witness::note(FREE, 1);
            });
            let _ = thread.join();
            assert_eq!(witness::read(FREE), 1, "it ended inside the allocation");
        })
        .env("FAILFAST_MODE", "observe")
        .env("FAILFAST_BUDGET", "1MiB")
        .lines(&["failfast: observe: heap budget: <any>"]),
        #[cfg(target_arch = "x86_64")]
        over_a_broken_stack(),
    ]
}

const OVER_BUDGET: &str = "failfast: heap budget: cluster `root` asked for 2097152 bytes with <n> \
    of 1048576 live (thread `main`, pid <pid>)";
const REQUESTED_ANYWHERE: &str = "failfast: requested: enough (thread `<name>`, pid <pid>)";

fn in_thread(name: &str, f: fn()) {
    let thread = std::thread::Builder::new().name(name.into()).spawn(f);
    let _ = thread.expect("a thread").join();
    witness::count(FORBIDDEN);
}

/// Runs all of `ways` in 64 threads, at once. None returns.
fn many(ways: &'static [fn()]) {
    let barrier = Arc::new(Barrier::new(64));
    let threads: Vec<_> = (0..64)
        .map(|i| {
            let barrier = Arc::clone(&barrier);
            std::thread::spawn(move || {
                barrier.wait();
                ways[i % ways.len()]();
                witness::count(FORBIDDEN);
            })
        })
        .collect();
    for thread in threads {
        let _ = thread.join();
    }
}

/// The failing call never returns, and nothing of the program runs.
fn nothing_else_runs() -> Row {
    struct Witness;
    impl Drop for Witness {
        fn drop(&mut self) {
            witness::count(FORBIDDEN);
        }
    }
    extern "C" fn at_exit() {
        witness::count(FORBIDDEN);
    }
    thread_local!(static LOCAL: Witness = const { Witness });
    Row::dies("nothing_of_the_program_runs", "requested", FAILED, || {
        witness::open();
        // SAFETY: a function of the right type.
        unsafe { libc::atexit(at_exit) };
        LOCAL.with(|_| {});
        std::panic::set_hook(Box::new(|_| witness::count(FORBIDDEN)));
        let _on_the_stack = Witness;
        let _ = std::panic::catch_unwind(|| fail());
        witness::count(FORBIDDEN);
    })
}

/// A fault while walking the stack costs the rest of the backtrace, and nothing else.
#[cfg(target_arch = "x86_64")]
fn over_a_broken_stack() -> Row {
    /// Calls `f` from a frame that says of itself that it is at an address where nothing is.
    #[unsafe(naked)]
    unsafe extern "C" fn lie(f: extern "C" fn()) {
        std::arch::naked_asm!(
            ".cfi_startproc",
            "push rbx",
            "mov rbx, 4096",
            ".cfi_def_cfa rbx, 16",
            "call rdi",
            "ud2",
            ".cfi_endproc",
        )
    }
    extern "C" fn fail_here() {
        fail()
    }
    Row::dies("requested_over_a_broken_stack", "requested", FAILED, || {
        set_hook(|_| {});
        // SAFETY: `fail_here` does not return.
        unsafe { lie(fail_here) };
    })
    .hook_ran()
    .check(|outcome| assert_ne!(outcome.report()["backtrace"].as_array().unwrap().len(), 0))
}
