//! What hooks do, and fail to do.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use failfast_alloc_rows::Row;
use failfast_alloc_rows::witness::{self, FREE};

use crate::tools::*;

/// An address on the stack that fails.
static HERE: AtomicUsize = AtomicUsize::new(0);

fn row(name: &'static str, body: fn()) -> Row {
    Row::dies(name, "requested", FAILED, body)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = working();
    rows.push(told());
    rows.extend(replaced());
    rows.extend(panicking());
    rows.extend(crashing());
    rows.extend(overflowing());
    rows
}

/// A hook that looks at the registers of its thread, as a crash reporter does.
fn told() -> Row {
    row("hook_is_told_where_it_failed", || {
        let here = black_box([0_u8; 1]);
        HERE.store(here.as_ptr().addr(), Relaxed);
        set_hook(|report| {
            let (pointer, here) = (stack_pointer_in(report.context()), HERE.load(Relaxed));
            witness::note(FREE, u64::from(pointer < here && here - pointer < 64 << 10));
        });
        fail();
    })
    .hook_ran()
    .check(|outcome| assert_eq!(outcome.page.get(FREE), 1))
}

/// Hooks that do what a hook may do.
fn working() -> Vec<Row> {
    vec![
        row("hook_that_allocates", || {
            set_hook(|report| {
                let mut map = HashMap::new();
                for i in 0..100 {
                    map.insert(i, format!("{i}: {report}"));
                }
                let mut all: Vec<String> = map.into_values().collect();
                all.sort();
                let ordered = all.windows(2).all(|pair| pair[0] < pair[1]);
                witness::note(FREE, u64::from(ordered && all.len() == 100));
            });
            fail();
        })
        .hook_ran()
        .check(|outcome| assert_eq!(outcome.page.get(FREE), 1)),
        row("hook_sees_what_the_report_says", || {
            set_hook(|report| {
                let mut json = String::new();
                report.write_json(&mut json).unwrap();
                assert!(json.contains("\"hook\":\"pending\""));
                assert_eq!(report.message(), Some("enough"));
                assert_eq!(report.pid(), std::process::id());
                assert!(!report.backtrace().is_empty());
                witness::note(FREE, 1);
            });
            fail();
        })
        .hook_ran()
        .check(|outcome| assert_eq!(outcome.page.get(FREE), 1)),
        row("hook_that_aligns", || {
            set_hook(|_| {
                for shift in 0..13 {
                    let layout = std::alloc::Layout::from_size_align(24, 1 << shift).unwrap();
                    // SAFETY: the layout has a size.
                    let block = unsafe { std::alloc::alloc(layout) };
                    assert_eq!(block as usize % layout.align(), 0);
                }
                let zeroed = black_box(vec![0_u8; 4096]);
                assert!(zeroed.iter().all(|&byte| byte == 0));
            });
            fail();
        })
        .hook_ran(),
        row("hook_that_needs_its_own_stack", || {
            set_hook(|_| {
                let large = black_box([1_u8; 48 << 10]);
                assert!(large.iter().all(|&byte| byte == 1));
            });
            on_fiber(16 << 10, fail_here);
        })
        .hook_ran(),
        row("hook_that_starts_a_program", || {
            set_hook(|_| {
                let status = std::process::Command::new("true").status();
                witness::note(FREE, u64::from(status.is_ok_and(|status| status.success())));
            });
            fail();
        })
        .hook_ran()
        .check(|outcome| assert_eq!(outcome.page.get(FREE), 1)),
        row("no_hook", || fail()),
    ]
}

/// Which hook it is that runs.
fn replaced() -> Vec<Row> {
    vec![
        row("hook_that_was_taken_away", || {
            set_hook(|_| {});
            assert!(failfast_alloc::take_abort_hook().is_some());
            fail();
        }),
        row("hook_that_was_replaced", || {
            set_hook(|_| witness::count(witness::FORBIDDEN));
            set_hook(|_| {});
            fail();
        })
        .hook_ran(),
        row("hook_that_sets_a_hook", || {
            set_hook(|_| set_hook(|_| witness::count(witness::FORBIDDEN)));
            fail();
        })
        .hook_ran(),
    ]
}

/// Hooks that fail. The process dies of SIGABRT all the same.
fn crash(name: &'static str, body: fn()) -> Row {
    row(name, body).hook_crashed()
}

fn panicking() -> Vec<Row> {
    vec![
        crash("hook_that_panics", || {
            std::panic::set_hook(Box::new(|_| {}));
            set_hook(|_| panic!("no"));
            fail();
        }),
        crash("hook_that_panics_aloud", || {
            set_hook(|_| panic!("no"));
            fail();
        })
        .lines(&[FAILED, "", "thread 'main' (<n>) panicked at <name>", "no", NOTE]),
        crash("hook_that_panics_with_a_payload_that_panics", || {
            struct Bomb;
            impl Drop for Bomb {
                fn drop(&mut self) {
                    panic!("and no");
                }
            }
            set_hook(|_| std::panic::resume_unwind(Box::new(Bomb)));
            fail();
        }),
    ]
}

fn crashing() -> Vec<Row> {
    vec![
        crash("hook_that_aborts", || {
            set_hook(|_| std::process::abort());
            fail();
        }),
        crash("hook_that_exits", || {
            set_hook(|_| std::process::exit(3));
            fail();
        }),
        crash("hook_that_fails_fast", || {
            set_hook(|_| failfast_alloc::fail_fast("again"));
            fail();
        }),
        crash("hook_that_dereferences_null", || {
            set_hook(|_| {
                // SAFETY: there is none; that is the point.
                unsafe { black_box(std::ptr::null_mut::<u8>()).write_volatile(1) };
            });
            fail();
        }),
        crash("hook_that_raises_sigsegv", || {
            set_hook(|_| {
                // SAFETY: no preconditions.
                unsafe { libc::raise(libc::SIGSEGV) };
            });
            fail();
        }),
        crash("hook_that_executes_nonsense", || {
            set_hook(|_| undefined_instruction());
            fail();
        }),
    ]
}

/// Hooks that need more than was set aside.
fn overflowing() -> Vec<Row> {
    vec![
        crash("hook_that_overflows_the_emergency_stack", || {
            set_hook(|_| overflow_by_small_frames());
            fail();
        }),
        crash("hook_that_overflows_in_a_thread_without_an_alternate_stack", || {
            set_hook(|_| overflow_by_small_frames());
            // SAFETY: zeroes are a stack; it is only taken away.
            let mut none: libc::stack_t = unsafe { std::mem::zeroed() };
            none.ss_flags = libc::SS_DISABLE;
            // SAFETY: as above.
            assert_eq!(unsafe { libc::sigaltstack(&none, std::ptr::null_mut()) }, 0);
            fail();
        }),
        crash("hook_that_overflows_by_big_frames", || {
            set_hook(|_| overflow_by_big_frames());
            fail();
        }),
        crash("hook_that_exhausts_the_reserve", || {
            set_hook(|_| {
                let mut all = Vec::new();
                loop {
                    all.push(black_box(vec![1_u8; 1000]));
                }
            });
            fail();
        }),
        crash("hook_that_asks_for_too_much_at_once", || {
            set_hook(|_| drop(black_box(vec![1_u8; 1 << 20])));
            fail();
        }),
        crash("hook_that_overflows_in_a_handler", || {
            set_hook(|_| {
                on_signal(libc::SIGUSR1, overflow as *const () as usize, 0);
                // SAFETY: no preconditions.
                unsafe {
                    let mut all = std::mem::zeroed();
                    libc::sigemptyset(&mut all);
                    libc::sigprocmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
                    libc::raise(libc::SIGUSR1);
                }
            });
            fail();
        }),
    ]
}

extern "C" fn fail_here() {
    fail()
}

fn undefined_instruction() {
    // SAFETY: a trap, which is what the row is about.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("ud2");
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("udf #0");
    }
}

extern "C" fn overflow(_: i32) {
    overflow_by_small_frames();
}

const NOTE: &str = "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
