//! Budgets and limits of stacks, and stacks that are none of ours.

use std::ffi::c_void;
use std::hint::black_box;
use std::sync::atomic::AtomicU64;

use failfast_alloc::stack;
use failfast_alloc_rows::{End, Outcome, Row, Stderr, witness};

use crate::tools::*;

const OVER: &str =
    "failfast: stack budget: thread `main` used <n> of 1048576 bytes of stack (pid <pid>)";
const OVERFLOW: &str = "failfast: stack overflow: thread `main` hit its guard page at <hex>, \
    <n> bytes of stack (pid <pid>)";

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = budgets();
    rows.extend(limits());
    rows.extend(foreign());
    rows
}

fn budget(name: &'static str, line: &'static str, body: fn()) -> Row {
    Row::dies(name, "stack-budget", line, body).env("FAILFAST_STACK_BUDGET", "1MiB").check(|o| {
        let stack = &o.report()["stack"];
        let used = stack["used_bytes"].as_u64().unwrap();
        assert!(used > 1 << 20, "used {used}");
    })
}

fn budgets() -> Vec<Row> {
    vec![
        budget("budget_of_main", OVER, overflow_by_allocation),
        budget("budget_of_a_thread", IN_THREAD, || {
            let thread = std::thread::Builder::new().name("worker-3".into());
            let _ = thread.spawn(overflow_by_allocation).unwrap().join();
        }),
        budget("budget_by_explicit_probe", OVER, || {
            stack::probe(500 << 10);
            stack::probe(1 << 20);
        }),
        Row::silent("within_the_budget", End::Exit(0), || {
            for _ in 0..3 {
                use_stack(800 << 10);
            }
            assert!(stack::remaining().is_some_and(|bytes| bytes < 1 << 20));
        })
        .env("FAILFAST_STACK_BUDGET", "1MiB"),
        Row::dies("budget_above_the_stack", "stack-overflow", OVERFLOW, || {
            overflow_by_allocation();
        })
        .env("FAILFAST_STACK_BUDGET", "64MiB")
        .check(|outcome| assert!(outcome.report()["stack"]["budget_bytes"].is_null())),
        Row::silent("observed_budget", End::Exit(0), || {
            use_stack(2 << 20);
            use_stack(3 << 20);
        })
        .env("FAILFAST_STACK_BUDGET", "1MiB")
        .env("FAILFAST_MODE", "observe")
        .lines(&[OBSERVED]),
        Row::silent("observed_budget_that_nobody_reads_of", End::Exit(0), || {
            on_signal(libc::SIGPIPE, libc::SIG_DFL, 0);
            use_stack(2 << 20);
        })
        .env("FAILFAST_STACK_BUDGET", "1MiB")
        .env("FAILFAST_MODE", "observe")
        .stderr(Stderr::Broken),
        Row::dies("observed_budget_then_overflow", "stack-overflow", OVERFLOW, || {
            use_stack(2 << 20);
            overflow_by_allocation();
        })
        .env("FAILFAST_STACK_BUDGET", "1MiB")
        .env("FAILFAST_MODE", "observe")
        .lines(&[OBSERVED, OVERFLOW]),
    ]
}

const IN_THREAD: &str =
    "failfast: stack budget: thread `worker-3` used <n> of 1048576 bytes of stack (pid <pid>)";
const OBSERVED: &str =
    "failfast: observe: stack budget: thread `main` used <n> of 1048576 bytes of stack (pid <pid>)";

fn limits() -> Vec<Row> {
    vec![
        Row::dies("unlimited_with_a_budget", "stack-budget", OVER, || {
            overflow_by_allocation();
        })
        .before_exec(|| set_stack_limit(libc::RLIM_INFINITY))
        .env("FAILFAST_STACK_BUDGET", "1MiB"),
        Row::silent("unlimited_and_deep", End::Exit(0), || use_stack(64 << 20))
            .before_exec(|| set_stack_limit(libc::RLIM_INFINITY)),
        Row::dies("lowered_by_small_frames", "stack-overflow", OVERFLOW, || {
            set_stack_limit(1 << 20);
            overflow_by_small_frames();
        })
        .check(of_1_mib),
        Row::dies("lowered_by_allocation", "stack-overflow", OVERFLOW, || {
            set_hook(|_| drop(black_box(vec![1_u8; 1000])));
            set_stack_limit(1 << 20);
            overflow_by_allocation();
        })
        .hook_ran()
        .check(of_1_mib),
        Row::silent("raised", End::Exit(0), || {
            assert!(stack::remaining().is_some_and(|bytes| bytes < 8 << 20));
            set_stack_limit(32 << 20);
            use_stack(20 << 20);
            assert!(stack::remaining().is_some_and(|bytes| bytes > 20 << 20));
        }),
        Row::dies("raised_by_allocation", "stack-overflow", OVERFLOW, || {
            set_stack_limit(32 << 20);
            overflow_by_allocation();
        })
        .check(of_32_mib),
        Row::dies("raised_by_small_frames", "stack-overflow", OVERFLOW, || {
            set_stack_limit(32 << 20);
            overflow_by_small_frames();
        })
        .check(of_32_mib),
        Row::dies("raised_and_probed_beyond", "stack-overflow", OVERFLOW, || {
            set_stack_limit(32 << 20);
            at_depth(12 << 20, || stack::probe(1 << 30));
        })
        .check(of_32_mib),
        Row::dies("lowered_below_what_is_used", "stack-overflow", OVERFLOW, || {
            at_depth(3 << 20, || {
                set_stack_limit(1 << 20);
                overflow_by_small_frames();
            });
        })
        .check(|outcome| {
            let bytes = outcome.report()["stack"]["used_bytes"].as_u64().unwrap();
            assert!((3 << 20..4 << 20).contains(&bytes), "{bytes}");
            assert!(!outcome.stderr.contains(", 1048576 bytes of stack"));
        }),
        Row::dies("a_small_limit", "stack-overflow", OVERFLOW, overflow_by_allocation)
            .before_exec(|| set_stack_limit(256 << 10)),
    ]
}

fn of_1_mib(outcome: &Outcome) {
    assert!(outcome.stderr.contains(", 1048576 bytes of stack"));
}

fn of_32_mib(outcome: &Outcome) {
    assert!(outcome.stderr.contains(", 33554432 bytes of stack"));
}

/// Stacks that are none of ours, and of which nothing must be said.
fn foreign() -> Vec<Row> {
    let fine = |name, body: fn()| Row::silent(name, End::Exit(0), body);
    vec![
        fine("alternate_stack_of_the_user", || {
            let mut memory = vec![0_u8; 64 << 10];
            let stack = libc::stack_t {
                ss_sp: memory.as_mut_ptr().cast(),
                ss_flags: 0,
                ss_size: memory.len(),
            };
            // SAFETY: the memory outlives the signal.
            assert_eq!(unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) }, 0);
            raise_and_allocate();
            let none = libc::stack_t { ss_flags: libc::SS_DISABLE, ..stack };
            // SAFETY: as above.
            unsafe { libc::sigaltstack(&none, std::ptr::null_mut()) };
        }),
        fine("alternate_stack_of_ours", raise_and_allocate),
        fine("alternate_stack_of_the_user_stays", || {
            // A thread of C, which is armed by its first allocation.
            let mut thread = 0;
            // SAFETY: the function is of the right type and takes nothing; no attributes.
            let made = unsafe {
                let (none, nothing) = (std::ptr::null(), std::ptr::null_mut());
                libc::pthread_create(&mut thread, none, set_and_allocate, nothing)
            };
            assert_eq!(made, 0);
            // SAFETY: made above.
            assert_eq!(unsafe { libc::pthread_join(thread, std::ptr::null_mut()) }, 0);
        }),
        fine("threads_leave_no_mapping", || {
            let threads = |count| {
                (0..count).for_each(|_| std::thread::spawn(allocate_some).join().unwrap());
                std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
            };
            let before = threads(10);
            let after = threads(300);
            assert!(after < before + 10, "{before} mappings, then {after}");
        }),
        fine("alternate_stack_of_a_thread", || {
            std::thread::spawn(raise_and_allocate).join().unwrap();
        }),
        fine("fiber_of_main", || on_fiber(128 << 10, allocate)),
        fine("fiber_of_a_thread", || {
            std::thread::spawn(|| on_fiber(128 << 10, allocate)).join().unwrap();
        }),
        fine("fiber_of_main_under_a_budget", || on_fiber(128 << 10, allocate))
            .env("FAILFAST_STACK_BUDGET", "1MiB"),
        fine("fiber_of_main_without_a_limit", || on_fiber(128 << 10, allocate))
            .before_exec(|| set_stack_limit(libc::RLIM_INFINITY))
            .env("FAILFAST_STACK_BUDGET", "1MiB"),
        fine("fiber_on_the_heap_without_a_limit", || {
            // Below the program's break, which may grow into what was free at start.
            let all: Vec<_> = (0..2000).map(|_| vec![0_u8; 64 << 10]).collect();
            drop(black_box(all));
            on_fiber(128 << 10, allocate);
        })
        .before_exec(|| set_stack_limit(libc::RLIM_INFINITY))
        .env("FAILFAST_STACK_BUDGET", "1MiB"),
    ]
}

extern "C" fn set_and_allocate(_: *mut c_void) -> *mut c_void {
    static MEMORY: [AtomicU64; 4096] = [const { AtomicU64::new(0) }; 4096];
    let mut stack = libc::stack_t {
        ss_sp: MEMORY.as_ptr().cast_mut().cast(),
        ss_flags: 0,
        ss_size: size_of_val(&MEMORY),
    };
    // SAFETY: memory that nothing else uses.
    assert_eq!(unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) }, 0);
    allocate_some();
    // SAFETY: the result is writable.
    assert_eq!(unsafe { libc::sigaltstack(std::ptr::null(), &mut stack) }, 0);
    assert_eq!(stack.ss_sp.cast_const(), MEMORY.as_ptr().cast());
    std::ptr::null_mut()
}

fn raise_and_allocate() {
    extern "C" fn handler(_: i32) {
        allocate();
        witness::count(witness::FREE);
    }
    witness::open();
    on_signal(libc::SIGUSR1, handler as *const () as usize, libc::SA_ONSTACK);
    // SAFETY: no preconditions.
    unsafe { libc::raise(libc::SIGUSR1) };
    assert_eq!(witness::read(witness::FREE), 1);
}

extern "C" fn allocate() {
    assert_eq!(stack::remaining(), None);
    stack::probe(1 << 40);
    allocate_some();
}

fn allocate_some() {
    for size in 1..200 {
        let mut block = black_box(vec![1_u8; size]);
        block.reserve(1000);
        drop(black_box(block));
    }
}
