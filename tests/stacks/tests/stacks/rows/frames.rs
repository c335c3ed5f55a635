//! How a stack is used up: by whom, and by what kinds of frames.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::fmt;
use std::hint::black_box;

use failfast_alloc_rows::witness::{self, FORBIDDEN, FREE};
use failfast_alloc_rows::{End, Outcome, Row};
use failfast_alloc_stacks::{
    frames_alloca, frames_malloc, frames_middle, frames_mutual, frames_of_3_mb, frames_of_64_kib,
    frames_of_100_mb,
};

use super::{SEEN, by_guard, by_probe, overflows};
use crate::tools::*;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = of_c();
    rows.extend(methods());
    rows.extend(inside());
    rows.extend(hooks());
    rows.push(paddings("48_paddings_of_rust", in_rust));
    let of_c = paddings("48_paddings_of_c", in_c);
    rows.push(of_c.check(|outcome| {
        let [children, by_probe] = [FREE, SEEN].map(|word| outcome.page.get(word));
        assert_eq!((children, by_probe), (48, 0), "children, and those found by the probe");
    }));
    rows
}

/// Frames that nobody probes. The larger ones leap over the guard, into whatever is there: what
/// counts is that the fault, where there is one, is known for what it is.
fn of_c() -> Vec<Row> {
    let in_thread = |name, f: fn()| {
        overflows(name, move || {
            witness::open();
            let _ = std::thread::spawn(f).join();
            witness::count(FORBIDDEN);
        })
    };
    vec![
        overflows("main_by_c_frames_of_64_kib", || frames(frames_of_64_kib)).check(by_guard),
        overflows("main_by_c_frames_of_3_mb", || frames(frames_of_3_mb)).check(leapt),
        overflows("main_by_c_frames_of_100_mb", || frames(frames_of_100_mb)).check(leapt),
        // Far from the stack pointer, and below the guard.
        overflows("main_by_the_middle_of_a_frame", || {
            frames_middle(64 << 20);
        })
        .check(leapt),
        in_thread("thread_by_the_middle_of_a_frame", || {
            frames_middle(64 << 20);
        })
        .check(leapt),
        overflows("main_by_alloca", || {
            frames_alloca(1000);
        })
        .check(by_guard),
        overflows("main_by_c_and_rust_in_turn", in_turn).check(by_probe),
        // What it leaps into may be a stack too: then that one's end is what it meets.
        in_thread("thread_by_c_frames_of_64_kib", || frames(frames_of_64_kib)),
        overflows("thread_of_256_mib", || {
            let thread = std::thread::Builder::new().stack_size(256 << 20);
            let _ = thread.spawn(overflow_by_big_frames).unwrap().join();
        })
        .check(|outcome| {
            by_guard(outcome);
            super::has_bytes(outcome, 256 << 20);
        }),
        in_thread("thread_by_alloca", || {
            frames_alloca(1000);
        })
        .check(by_guard),
        in_thread("thread_by_c_and_rust_in_turn", in_turn).check(by_probe),
        overflows("main_by_rust_frames_of_1_mib", probed).check(by_guard),
        in_thread("thread_by_rust_frames_of_1_mib", probed).check(by_guard),
    ]
}

fn frames(f: extern "C" fn(usize) -> usize) {
    f(0);
}

fn leapt(outcome: &Outcome) {
    super::found(outcome, "guard", "thread");
}

/// Frames that the compiler probes, page by page.
fn probed() {
    #[inline(never)]
    #[allow(unconditional_recursion, reason = "that is what it is for")]
    fn go_down(depth: u64) -> u64 {
        let here = black_box([depth; 128 * 1024]);
        go_down(depth + 1) + black_box(here)[depth as usize % 7]
    }
    black_box(go_down(0));
}

fn in_turn() {
    extern "C" fn rust(depth: usize) -> usize {
        let here = black_box(Box::new(depth));
        frames_mutual(depth + 1, rust) + *here
    }
    frames_mutual(0, rust);
}

/// Each method of the allocator looks. What the others would need is made before.
fn methods() -> Vec<Row> {
    vec![
        overflows("probe_in_alloc", || {
            recurse(&|| {
                let layout = Layout::new::<u64>();
                // SAFETY: a layout that is not empty; the block is leaked.
                black_box(unsafe { alloc(layout) });
            });
        })
        .check(by_probe),
        overflows("probe_in_alloc_zeroed", || {
            recurse(&|| {
                let layout = Layout::new::<u64>();
                // SAFETY: as above.
                black_box(unsafe { alloc_zeroed(layout) });
            });
        })
        .check(by_probe),
        overflows("probe_in_dealloc", || {
            let layout = Layout::new::<u64>();
            // SAFETY: as above.
            let all = (0..1_000_000).map(|_| unsafe { alloc(layout) }).collect::<Vec<_>>();
            let next = std::cell::Cell::new(0);
            recurse(&|| {
                next.set(next.get() + 1);
                // SAFETY: each is freed once.
                unsafe { dealloc(all[next.get()], layout) };
            });
        })
        .check(by_probe),
        overflows("probe_in_a_growing_realloc", || reallocate(8)).check(by_probe),
        overflows("probe_in_a_shrinking_realloc", || reallocate(usize::MAX)).check(by_probe),
    ]
}

fn reallocate(step: usize) {
    let size = std::cell::Cell::new(32_usize << 20);
    let layout = |size| Layout::from_size_align(size, 8).unwrap();
    // SAFETY: a layout that is not empty.
    let block = std::cell::Cell::new(unsafe { alloc(layout(size.get())) });
    recurse(&|| {
        let new = size.get().wrapping_add(step);
        // SAFETY: the block of that size.
        block.set(unsafe { realloc(block.get(), layout(size.get()), new) });
        size.set(new);
    });
}

#[inline(never)]
#[allow(unconditional_recursion, reason = "that is what it is for")]
fn recurse(f: &dyn Fn()) -> u64 {
    let here = black_box([0_u64; 16]);
    f();
    recurse(f) + black_box(here)[3]
}

/// Where programs overflow: formatting, a panic's hook, a symbolised backtrace.
fn inside() -> Vec<Row> {
    struct Endless;
    impl fmt::Debug for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_tuple("Endless").field(&Endless).finish()
        }
    }
    vec![
        overflows("in_formatting", || {
            witness::note(FREE, format!("{Endless:?}").len() as u64);
        }),
        overflows("in_a_panic_hook", || {
            std::panic::set_hook(Box::new(|_| overflow_by_small_frames()));
            panic!("on purpose");
        })
        .check(by_guard),
        overflows("in_a_panic_message", || {
            std::panic::set_hook(Box::new(|panic| drop(black_box(panic.to_string()))));
            panic!("{Endless:?}");
        }),
        overflows("in_a_destructor_of_a_panic", || {
            struct Deep;
            impl Drop for Deep {
                fn drop(&mut self) {
                    overflow_by_small_frames();
                }
            }
            std::panic::set_hook(Box::new(|_| {}));
            let _deep = Deep;
            panic!("on purpose");
        })
        .check(by_guard),
        overflows("while_a_backtrace_is_captured", || {
            recurse(&|| drop(black_box(std::backtrace::Backtrace::capture())));
        }),
    ]
}

/// What a hook does, after an overflow or on the way to one.
fn hooks() -> Vec<Row> {
    vec![
        Row::dies("in_the_hook", "requested", FAILED, || {
            set_hook(|_| overflow_by_small_frames());
            fail();
        })
        .hook_crashed()
        .check(|outcome| assert_eq!(outcome.report()["hook_failure"], "overflow")),
        overflows("in_the_hook_of_an_overflow", || {
            set_hook(|_| overflow_by_allocation());
            overflow_by_small_frames();
        })
        .hook_crashed(),
        overflows("null_in_the_hook_of_an_overflow", || {
            set_hook(|_| {
                // SAFETY: there is none; that is the point.
                unsafe { black_box(std::ptr::null_mut::<u8>()).write_volatile(1) };
            });
            overflow_by_small_frames();
        })
        .hook_crashed()
        .check(|outcome| assert_eq!(outcome.report()["hook_failure"], "signal SIGSEGV")),
        overflows("panic_in_the_hook_of_an_overflow", || {
            set_hook(|_| panic!("on purpose"));
            overflow_by_small_frames();
        })
        .lines(&[super::OVERFLOW, "", "<any>", "on purpose", "<any>"])
        .hook_crashed(),
        overflows("endless_hook_of_an_overflow", || {
            set_hook(|_| spin());
            overflow_by_small_frames();
        })
        .env("FAILFAST_HOOK_TIMEOUT", "300ms")
        .hook_timed_out(),
        overflows("hook_of_an_overflow_that_allocates_and_locks", || {
            static LOCK: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());
            set_hook(|report| {
                let text = format!("{report}");
                LOCK.lock().unwrap().extend(text.bytes());
                assert!(!report.backtrace().is_empty());
            });
            overflow_by_small_frames();
        })
        .hook_ran(),
        many(2, "two_threads_at_once"),
        many(16, "sixteen_threads_at_once"),
    ]
}

/// So many threads overflow at the same time: one is reported, one hook runs, and runs to its end.
fn many(threads: usize, name: &'static str) -> Row {
    overflows(name, move || {
        static GATE: std::sync::Barrier = std::sync::Barrier::new(2);
        static GATES: std::sync::Barrier = std::sync::Barrier::new(16);
        set_hook(|_| linger());
        for _ in 0..threads {
            std::thread::spawn(move || {
                if threads == 2 {
                    GATE.wait()
                } else {
                    GATES.wait()
                };
                overflow_by_small_frames();
            });
        }
        loop {
            std::thread::park();
        }
    })
    .threads(threads)
    .hook_ran()
}

/// A recursion whose leaf is an allocation, from 48 places: each time the end of the stack comes
/// elsewhere in the allocator. Each in a child of its own, whose hook allocates, by Rust's
/// allocator and by the C library's, whose lock nobody may hold then.
fn paddings(name: &'static str, recurse: fn(usize)) -> Row {
    let mut row = Row::silent(name, End::Exit(0), move || {
        witness::open();
        for i in 0..48 {
            let status = in_fork(|| {
                set_hook(|report| {
                    let stack = report.stack().expect("a stack");
                    let by_probe = stack.found_by == failfast_alloc::FoundBy::Probe;
                    witness::note(SEEN, witness::read(SEEN) + u64::from(by_probe));
                    drop(black_box(vec![1_u8; 1000]));
                    if by_probe {
                        // SAFETY: a block that is freed once.
                        unsafe { libc::free(black_box(libc::malloc(1000))) };
                    }
                });
                silence();
                recurse(i * 48);
            });
            assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT);
            assert_eq!(witness::read(witness::HOOK_ENDED), i as u64 + 1, "the hook, at {i}");
        }
        witness::note(FREE, 48);
    })
    .env("FAILFAST_REPORT", "none")
    .env("FAILFAST_HOOK_TIMEOUT", "20s")
    .before_exec(|| set_stack_limit(1 << 20))
    .check(|outcome| {
        let [children, by_probe] = [FREE, SEEN].map(|word| outcome.page.get(word));
        assert_eq!((children, by_probe), (48, 48), "children, and those found by the probe");
    });
    row.hooks = (48, 48);
    row
}

/// The lines of children are of no interest. Standard error is remembered from the start, so that
/// it has to be replaced and not redirected.
fn silence() {
    // SAFETY: C strings and numbers.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY);
        libc::dup2(null, 2);
    }
}

fn in_rust(padding: usize) {
    #[inline(never)]
    #[allow(unconditional_recursion, reason = "that is what it is for")]
    fn go_down(depth: usize) -> usize {
        let here = black_box(vec![depth as u8; 16 + depth % 4096]);
        go_down(depth + 1) + usize::from(here[0])
    }
    padded(padding, || {
        black_box(go_down(0));
    });
}

/// Goes down by about so many bytes.
fn padded(bytes: usize, f: fn()) {
    #[inline(never)]
    fn one(rest: usize, f: fn()) -> u8 {
        let here = black_box([rest as u8; 48]);
        if rest == 0 {
            f()
        } else {
            return one(rest - 1, f) + black_box(here)[1];
        }
        black_box(here)[0]
    }
    black_box(one(bytes / 48, f));
}

fn in_c(padding: usize) {
    frames_malloc(padding);
}
