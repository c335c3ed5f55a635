//! Threads that C code starts: armed before their first instruction.

use std::ffi::{CString, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use failfast_alloc::stack;
use failfast_alloc_rows::witness::{self, FORBIDDEN};
use failfast_alloc_rows::{End, Row};
use failfast_alloc_stacks::{
    LIBRARY, frames_arguments, frames_refused, frames_thrd, frames_thrd_results, frames_thread,
    frames_unwind,
};

use super::hostile::has_alternate_stack;
use super::{by_guard, by_probe, has_bytes, overflows};
use crate::tools::*;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = overflowing();
    rows.extend(living());
    rows
}

fn overflowing() -> Vec<Row> {
    vec![
        overflows("c_thread_that_never_calls_rust", || {
            set_hook(|report| assert!(report.stack().is_some()));
            start(2 << 20, 0);
        })
        .hook_ran()
        .threads(1)
        .check(|outcome| {
            by_guard(outcome);
            has_bytes(outcome, 2 << 20);
        }),
        overflows("c_thread_of_16_kib", || start(16 << 10, 0)).check(|outcome| {
            by_guard(outcome);
            has_bytes(outcome, 16 << 10);
        }),
        overflows("c_thread_that_is_detached", || start(1 << 20, 1)).check(by_guard),
        overflows("c_thread_by_large_frames", || start(8 << 20, 3)).check(by_guard),
        overflows("c_thread_with_sigsegv_blocked_by_its_maker", || {
            block_all();
            start(1 << 20, 0);
        })
        .check(by_guard),
        overflows("c_thread_of_a_library", || {
            let thread = of_library(c"frames_thread");
            // SAFETY: the function's type.
            let thread = unsafe {
                std::mem::transmute::<*mut c_void, extern "C" fn(usize, c_int) -> c_int>(thread)
            };
            thread(1 << 20, 0);
            witness::count(FORBIDDEN);
        })
        .check(by_guard),
        overflows("c_thread_of_thrd_create", || {
            witness::open();
            frames_thrd();
            witness::count(FORBIDDEN);
        })
        .threads(1)
        .check(by_guard),
        overflows("c_thread_of_thrd_create_in_a_library", || {
            witness::open();
            let thread = of_library(c"frames_thrd");
            // SAFETY: the function's type.
            let thread =
                unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> c_int>(thread) };
            thread();
            witness::count(FORBIDDEN);
        })
        .check(by_guard),
        overflows("c_thread_by_allocation", || in_thread_of_c(2 << 20, overflow_by_allocation))
            .check(by_probe),
        overflows("c_thread_of_16_kib_by_allocation", || {
            in_thread_of_c(16 << 10, overflow_by_allocation);
        })
        .check(|outcome| {
            by_probe(outcome);
            has_bytes(outcome, 16 << 10);
        }),
        overflows("c_thread_after_an_allocation", || {
            in_thread_of_c(2 << 20, || {
                drop(std::hint::black_box(vec![1_u8; 100]));
                overflow_by_small_frames();
            });
        })
        .check(by_guard),
        Row::dies(
            "c_thread_over_a_budget",
            "stack-budget",
            "failfast: stack budget: thread `<name>` used <n> of 524288 bytes of stack (pid <pid>)",
            || in_thread_of_c(2 << 20, overflow_by_allocation),
        )
        .env("FAILFAST_STACK_BUDGET", "512KiB"),
        Row::dies(
            "c_thread_over_its_budget_at_its_first_use",
            "stack-budget",
            "failfast: stack budget: thread `<name>` used <n> of 524288 bytes of stack (pid <pid>)",
            || {
                in_thread_of_c(2 << 20, || {
                    at_depth(1 << 20, || drop(std::hint::black_box(Box::new(1))));
                });
            },
        )
        .env("FAILFAST_STACK_BUDGET", "512KiB"),
        overflows("c_thread_of_a_constructor", || {
            GO.store(true, SeqCst);
            wait_for_ever();
        })
        .env(EARLY, "65535")
        .check(by_guard),
        overflows("c_thread_of_a_constructor_before_ours", || {
            GO.store(true, SeqCst);
            wait_for_ever();
        })
        .env(EARLY, "1")
        .check(by_guard),
    ]
}

fn living() -> Vec<Row> {
    let fine = |name, body: fn()| Row::silent(name, End::Exit(0), body);
    vec![
        fine("c_thread_is_armed_at_its_beginning", || {
            in_thread_of_c(1 << 20, || {
                assert!(has_alternate_stack());
                assert!(stack::remaining().is_some_and(|bytes| bytes > 900 << 10));
            });
        }),
        fine("c_threads_get_their_arguments", || assert_eq!(frames_arguments(640), 0)),
        fine("c_threads_of_thrd_create_give_results", || assert_eq!(frames_thrd_results(), 0)),
        fine("c_thread_that_calls_pthread_exit", || assert_eq!(frames_unwind(0), 0)),
        fine("c_thread_that_is_cancelled", || {
            // At once, and so perhaps before it has begun.
            (0..50).for_each(|_| assert_eq!(frames_unwind(1), 0));
        }),
        fine("c_threads_that_cannot_be_leave_nothing", || {
            for (how, error) in [(0, libc::EAGAIN), (1, libc::EINVAL)] {
                let refuse =
                    |times| (0..times).for_each(|_| assert_eq!(frames_refused(how), error));
                refuse(10);
                let before = c_heap_bytes();
                refuse(500);
                let after = c_heap_bytes();
                assert!(after < before + 4096, "{before} bytes, then {after}");
            }
        }),
        Row::dies("c_thread_that_a_hook_starts", "requested", FAILED, || {
            set_hook(|_| {
                frames_arguments(64);
                witness::count(FORBIDDEN);
            });
            fail();
        })
        .hook_crashed()
        .check(|outcome| assert_eq!(outcome.report()["hook_failure"], "thread")),
    ]
}

fn start(stack_bytes: usize, how: c_int) {
    witness::open();
    frames_thread(stack_bytes, how);
    witness::count(FORBIDDEN);
}

fn of_library(name: &std::ffi::CStr) -> *mut c_void {
    let path = CString::new(LIBRARY).unwrap();
    // SAFETY: a library without constructors, and C strings.
    unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        assert!(!library.is_null());
        let function = libc::dlsym(library, name.as_ptr());
        assert!(!function.is_null());
        function
    }
}

/// Runs `f` in a thread that Rust has not made, and waits for its end.
pub(super) fn in_thread_of_c(stack_bytes: usize, f: fn()) {
    extern "C" fn entry(f: *mut c_void) -> *mut c_void {
        // SAFETY: the function that was handed over.
        let f = unsafe { std::mem::transmute::<*mut c_void, fn()>(f) };
        f();
        std::ptr::null_mut()
    }
    // SAFETY: an entry that takes what it is given; attributes that are made before they are used.
    unsafe {
        let mut attributes = std::mem::zeroed();
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setstacksize(&mut attributes, stack_bytes);
        let mut thread = 0;
        assert_eq!(libc::pthread_create(&mut thread, &attributes, entry, f as *mut c_void), 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
    }
}

fn wait_for_ever() -> ! {
    loop {
        // SAFETY: no preconditions.
        unsafe { libc::pause() };
    }
}

fn c_heap_bytes() -> usize {
    // SAFETY: no preconditions.
    unsafe { libc::mallinfo2() }.uordblks
}

/// `main` has been reached.
static GO: AtomicBool = AtomicBool::new(false);

/// Says which constructor starts a thread.
const EARLY: &str = "STACKS_CONSTRUCTOR";

#[used]
#[unsafe(link_section = ".init_array.00001")]
static BEFORE_OURS: extern "C" fn() = before_ours;

#[used]
#[unsafe(link_section = ".init_array.65535")]
static AFTER_OURS: extern "C" fn() = after_ours;

extern "C" fn before_ours() {
    if is_asked(b'1') {
        start_early();
    }
}

extern "C" fn after_ours() {
    if is_asked(b'6') {
        start_early();
    }
}

fn is_asked(first: u8) -> bool {
    // SAFETY: C strings; before there is a second thread.
    let value = unsafe { libc::getenv(c"STACKS_CONSTRUCTOR".as_ptr()) };
    // SAFETY: a C string that is not null.
    !value.is_null() && unsafe { *value.cast::<u8>() } == first
}

/// A thread that overflows as soon as `main` has been reached, without the heap.
fn start_early() {
    extern "C" fn entry(_: *mut c_void) -> *mut c_void {
        while !GO.load(SeqCst) {
            // SAFETY: no preconditions.
            unsafe { libc::sched_yield() };
        }
        overflow_by_small_frames();
        std::ptr::null_mut()
    }
    let mut thread = 0;
    // SAFETY: the function is of the right type and takes nothing; no attributes.
    unsafe {
        let (none, nothing) = (std::ptr::null(), std::ptr::null_mut());
        assert_eq!(libc::pthread_create(&mut thread, none, entry, nothing), 0);
    }
}
