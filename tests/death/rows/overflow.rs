//! The end of a stack, on every kind of thread and in every way.

use std::cell::Cell;
use std::hint::black_box;
use std::thread::{self, Builder};

use failfast_alloc_rows::witness::{self, FORBIDDEN};
use failfast_alloc_rows::{Outcome, Row};

use crate::tools::*;

macro_rules! line {
    ($thread:literal, $bytes:literal) => {
        concat!(
            "failfast: stack overflow: thread `",
            $thread,
            "` hit its guard page at <hex>, ",
            $bytes,
            " bytes of stack (pid <pid>)"
        )
    };
}

fn row(name: &'static str, line: &'static str, body: fn()) -> Row {
    Row::dies(name, "stack-overflow", line, body)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("main_by_small_frames", line!("main", "<n>"), overflow_by_small_frames).check(by_guard),
        row("main_by_big_frames", line!("main", "<n>"), overflow_by_big_frames).check(by_guard),
        row("main_by_allocation", line!("main", "<n>"), overflow_by_allocation).check(by_probe),
        row("main_with_a_hook", line!("main", "<n>"), || {
            set_hook(|report| {
                let stack = report.stack().unwrap();
                assert!((stack.low..stack.high).contains(&(stack.pointer + 4096)));
                assert_eq!(format!("{report}").matches("overflow").count(), 1);
                assert_eq!(stack_pointer_in(report.context()), stack.pointer);
            });
            overflow_by_small_frames();
        })
        .hook_ran(),
        row("main_backtrace", line!("main", "<n>"), overflow_by_small_frames)
            .check(shows_the_recursion),
        row("thread_backtrace", line!("deep", "2097152"), || {
            spawn("deep", 0, overflow_by_small_frames);
        })
        .check(shows_the_recursion),
        row("by_explicit_probe", line!("main", "<n>"), || {
            failfast_alloc::stack::probe(1 << 30);
            witness::count(FORBIDDEN);
        })
        .check(by_probe),
    ];
    rows.extend(threads());
    rows.extend(places());
    rows
}

fn by_guard(outcome: &Outcome) {
    assert_eq!(outcome.report()["stack"]["found_by"], "guard");
}

fn by_probe(outcome: &Outcome) {
    assert_eq!(outcome.report()["stack"]["found_by"], "probe");
}

/// The backtrace goes on from the handler over the stack that overflowed: the same return address
/// again and again. It begins where the overflow was, ends where the thread began, and says how
/// many frames are left out in the middle.
fn shows_the_recursion(outcome: &Outcome) {
    let report = outcome.report();
    let frames = report["backtrace"].as_array().unwrap();
    let same = |frame: &serde_json::Value| frames.iter().filter(|&other| other == frame).count();
    let most = frames.iter().map(same).max();
    assert!(most > Some(frames.len() / 2), "the recursion is not in {frames:?}");
    let cut = &report["cut"];
    let after = cut["backtrace_after"].as_u64().expect("a place") as usize;
    assert!(cut["backtrace"].as_u64() > Some(10_000), "{cut}");
    assert_eq!(frames[after - 1], frames[after], "the recursion is on both sides");
    let outermost = frames.last().unwrap();
    assert_eq!(same(outermost), 1, "the walk did not reach the beginning");
}

fn spawn(name: &str, stack_bytes: usize, f: fn()) {
    let mut builder = Builder::new();
    if !name.is_empty() {
        builder = builder.name(name.into());
    }
    if stack_bytes > 0 {
        builder = builder.stack_size(stack_bytes);
    }
    let _ = builder.spawn(f).unwrap().join();
    witness::count(FORBIDDEN);
}

fn threads() -> Vec<Row> {
    vec![
        row("named_thread_by_small_frames", line!("worker-3", "2097152"), || {
            spawn("worker-3", 0, overflow_by_small_frames);
        })
        .check(by_guard),
        row("named_thread_by_big_frames", line!("worker-3", "2097152"), || {
            spawn("worker-3", 0, overflow_by_big_frames);
        })
        .check(by_guard),
        row("named_thread_by_allocation", line!("worker-3", "2097152"), || {
            spawn("worker-3", 0, overflow_by_allocation);
        })
        .check(by_probe),
        row("unnamed_thread", line!("<name>", "2097152"), || {
            spawn("", 0, overflow_by_small_frames);
        }),
        row("scoped_thread", line!("<name>", "2097152"), || {
            thread::scope(|scope| {
                scope.spawn(overflow_by_small_frames);
            });
        }),
        row("smallest_thread_by_small_frames", line!("tiny", "<n>"), || {
            spawn("tiny", 1, overflow_by_small_frames);
        })
        .check(by_guard),
        row("smallest_thread_by_allocation", line!("tiny", "<n>"), || {
            spawn("tiny", 1, overflow_by_allocation);
        })
        .check(by_probe),
        row("large_thread_by_small_frames", line!("large", "67108864"), || {
            spawn("large", 64 << 20, overflow_by_small_frames);
        })
        .check(by_guard),
        row("large_thread_by_allocation", line!("large", "67108864"), || {
            spawn("large", 64 << 20, overflow_by_allocation);
        })
        .check(by_probe),
    ]
}

/// A list whose end is freed by recursion.
struct Chain(#[allow(dead_code, reason = "it is dropped")] Option<Box<Chain>>);

fn places() -> Vec<Row> {
    vec![
        row("in_a_chain_of_drops", line!("main", "<n>"), || {
            let mut chain = Chain(None);
            for _ in 0..1_000_000 {
                chain = Chain(Some(Box::new(chain)));
            }
            drop(black_box(chain));
            witness::count(FORBIDDEN);
        }),
        row("in_a_thread_local_destructor", line!("deep", "2097152"), || {
            struct Deep(Cell<u64>);
            impl Drop for Deep {
                fn drop(&mut self) {
                    overflow_by_small_frames();
                }
            }
            thread_local!(static DEEP: Deep = const { Deep(Cell::new(0)) });
            spawn("deep", 0, || DEEP.with(|deep| deep.0.set(1)));
        }),
        row("in_a_thread_local_destructor_by_allocation", line!("deep", "2097152"), || {
            struct Deep(Cell<u64>);
            impl Drop for Deep {
                fn drop(&mut self) {
                    overflow_by_allocation();
                }
            }
            thread_local!(static DEEP: Deep = const { Deep(Cell::new(0)) });
            spawn("deep", 0, || DEEP.with(|deep| deep.0.set(1)));
        }),
        row("in_a_signal_handler", line!("main", "<n>"), || {
            on_signal(libc::SIGUSR1, handler as *const () as usize, 0);
            // SAFETY: no preconditions.
            unsafe { libc::raise(libc::SIGUSR1) };
        }),
        row("on_an_alternate_stack", line!("main", "<n>"), || {
            on_signal(libc::SIGUSR1, handler as *const () as usize, libc::SA_ONSTACK);
            // SAFETY: no preconditions.
            unsafe { libc::raise(libc::SIGUSR1) };
        }),
        row("on_a_fiber", line!("main", "<n>"), || {
            on_fiber(256 * 1024, overflow);
        }),
    ]
}

extern "C" fn handler(_: i32) {
    overflow_by_small_frames();
}

extern "C" fn overflow() {
    overflow_by_small_frames();
}
