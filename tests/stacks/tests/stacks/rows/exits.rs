//! How threads end, and what they leave.

use std::cell::Cell;
use std::ffi::c_void;
use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use failfast_alloc_rows::witness::{self, FORBIDDEN};
use failfast_alloc_rows::{End, Row};

use super::c_threads::in_thread_of_c;
use super::{by_guard, by_probe, overflows};
use crate::tools::*;

/// How many threads come and go: a fraction of what `STACKS_THREADS` may ask for.
fn threads() -> usize {
    std::env::var("STACKS_THREADS").map_or(1000, |text| text.parse().expect("a number"))
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = destructors();
    rows.extend(leaving());
    rows
}

/// Overflows by a destructor of a thread-local value, with what it does.
struct Deep(Cell<Option<fn()>>);

impl Drop for Deep {
    fn drop(&mut self) {
        if let Some(f) = self.0.get() {
            f();
        }
    }
}

thread_local!(static DEEP: Deep = const { Deep(Cell::new(None)) });

fn destructors() -> Vec<Row> {
    let in_thread = |name, f: fn()| {
        overflows(name, move || {
            witness::open();
            let _ = std::thread::spawn(f).join();
            witness::count(FORBIDDEN);
        })
    };
    let in_key = |name, round: usize, f: fn()| {
        overflows(name, move || {
            witness::open();
            static DO: OnceLock<(usize, fn())> = OnceLock::new();
            DO.set((round, f)).unwrap();
            in_thread_of_c(1 << 20, || {
                let (round, f) = *DO.get().unwrap();
                set_key(round, f);
            });
            witness::count(FORBIDDEN);
        })
    };
    vec![
        in_thread("thread_local_destructor", || DEEP.with(|d| d.0.set(Some(deep)))).check(by_guard),
        in_thread("thread_local_destructor_by_allocation", || {
            DEEP.with(|d| d.0.set(Some(overflow_by_allocation)));
        })
        .check(by_probe),
        overflows("thread_local_destructor_of_main", || DEEP.with(|d| d.0.set(Some(deep))))
            .check(by_guard),
        overflows("thread_local_destructor_of_main_by_allocation", || {
            DEEP.with(|d| d.0.set(Some(overflow_by_allocation)));
        })
        .check(by_probe),
        overflows("at_exit", || {
            extern "C" fn at_exit() {
                overflow_by_small_frames();
            }
            // SAFETY: a function of the right type.
            unsafe { libc::atexit(at_exit) };
        })
        .check(by_guard),
        in_key("key_destructor_in_round_1", 1, deep).check(by_guard),
        in_key("key_destructor_in_round_2", 2, deep).check(by_guard),
        in_key("key_destructor_in_round_4", 4, deep).check(by_guard),
        in_key("key_destructor_in_round_1_by_allocation", 1, overflow_by_allocation)
            .check(by_probe),
        in_key("key_destructor_in_round_4_by_allocation", 4, overflow_by_allocation)
            .check(by_probe),
        in_thread("key_destructor_of_a_thread_of_rust", || set_key(4, deep)).check(by_guard),
    ]
}

fn deep() {
    overflow_by_small_frames();
}

thread_local! {
    static ROUNDS: Cell<usize> = const { Cell::new(0) };
    static LAST: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Has `f` run in such a round of this thread's key destructors. Each round before it allocates.
fn set_key(rounds: usize, f: fn()) {
    ROUNDS.set(rounds);
    LAST.set(Some(f));
    // SAFETY: a key that is made before it is used; any value but null will do.
    unsafe { libc::pthread_setspecific(key(), std::ptr::without_provenance(1)) };
}

fn key() -> libc::pthread_key_t {
    extern "C" fn end(value: *mut c_void) {
        drop(black_box(vec![1_u8; 5000]));
        ROUNDS.set(ROUNDS.get() - 1);
        if ROUNDS.get() == 0 {
            return LAST.get().unwrap()();
        }
        // SAFETY: as in `set_key`.
        unsafe { libc::pthread_setspecific(key(), value) };
    }
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: the key is writable, the function of the right type.
        assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(end)) }, 0);
        key
    })
}

/// How many mappings there are, and their size, but for what the C library's heaps have.
fn mappings() -> (usize, usize) {
    let text = std::fs::read_to_string("/proc/self/maps").unwrap();
    let sizes = text.lines().map(|line| {
        let (low, high) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let address = |text| usize::from_str_radix(text, 16).unwrap();
        address(high) - address(low)
    });
    // A thread's own heap is 64 MiB of addresses, and stays.
    let sizes = sizes.filter(|size| *size < 32 << 20).collect::<Vec<_>>();
    (sizes.len(), sizes.iter().sum())
}

/// Whether threads that come and go by `f` leave no mapping behind.
fn leaves_nothing(f: fn()) {
    let settle = |count| (0..count).for_each(|_| f());
    settle(64);
    let (before, before_bytes) = mappings();
    settle(threads());
    let (after, after_bytes) = mappings();
    assert!(after <= before + 40, "{before} mappings, then {after}");
    let allowed = before_bytes + (8 << 20);
    assert!(after_bytes <= allowed, "{before_bytes} bytes, then {after_bytes}");
}

fn leaving() -> Vec<Row> {
    let fine = |name, body: fn()| Row::silent(name, End::Exit(0), body);
    vec![
        fine("threads_come_and_go", || {
            leaves_nothing(|| {
                std::thread::spawn(|| drop(black_box(vec![1_u8; 10]))).join().unwrap()
            });
        }),
        fine("c_threads_come_and_go", || leaves_nothing(|| in_thread_of_c(128 << 10, || ()))),
        fine("threads_come_and_go_by_64", || {
            leaves_nothing_by_64();
        }),
        fine("key_destructors_allocate_in_all_rounds", || {
            leaves_nothing(|| in_thread_of_c(128 << 10, || set_key(4, || drop(Box::new(1)))));
        }),
        fine("threads_end_on_their_alternate_stack", || {
            leaves_nothing(|| in_thread_of_c(128 << 10, end_in_a_handler));
        }),
        fine("threads_replace_their_alternate_stack", || {
            leaves_nothing(|| in_thread_of_c(128 << 10, replace_stack));
        }),
        fine("exit_from_a_thread", || {
            let _ = std::thread::spawn(|| std::process::exit(0)).join();
        }),
        fine("exit_from_a_c_thread", || in_thread_of_c(1 << 20, || std::process::exit(0))),
        Row::silent("exit_from_a_thread_among_others", End::Exit(3), || {
            for _ in 0..8 {
                std::thread::spawn(|| {
                    loop {
                        drop(black_box(vec![1_u8; 100]));
                    }
                });
            }
            let _ = std::thread::spawn(|| std::process::exit(3)).join();
        }),
        overflows("exit_from_a_thread_that_overflows_on_the_way", || {
            extern "C" fn at_exit() {
                overflow_by_small_frames();
            }
            // SAFETY: a function of the right type.
            unsafe { libc::atexit(at_exit) };
            let _ = std::thread::spawn(|| std::process::exit(3)).join();
        })
        .check(by_guard),
        overflows("a_thread_after_the_main_thread_has_ended", || {
            std::thread::spawn(|| {
                while !is_zombie() {
                    std::thread::yield_now();
                }
                overflow_by_small_frames();
            });
            // SAFETY: a number. Not `pthread_exit`, which would unwind through the runtime.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        })
        .halt(failfast_alloc_rows::Halt::Any),
    ]
}

/// Whether the first thread has ended.
fn is_zombie() -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{}/stat", std::process::id()));
    stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}

fn leaves_nothing_by_64() {
    let settle = |count: usize| {
        for _ in 0..count.div_ceil(64) {
            let gate = std::sync::Barrier::new(64);
            std::thread::scope(|scope| {
                for _ in 0..64 {
                    scope.spawn(|| gate.wait());
                }
            });
        }
    };
    settle(256);
    let (before, before_bytes) = mappings();
    settle(threads());
    let (after, after_bytes) = mappings();
    // The C library keeps the stacks of some threads, as we do.
    assert!(after <= before + 200, "{before} mappings, then {after}");
    assert!(after_bytes <= before_bytes + (32 << 20), "{before_bytes} bytes, then {after_bytes}");
}

fn end_in_a_handler() {
    extern "C" fn end(_: i32) {
        // SAFETY: below are frames with nothing to drop.
        unsafe { libc::pthread_exit(std::ptr::null_mut()) };
    }
    on_signal(libc::SIGUSR1, end as *const () as usize, libc::SA_ONSTACK);
    // SAFETY: no preconditions.
    unsafe { libc::raise(libc::SIGUSR1) };
}

fn replace_stack() {
    // One after the other.
    static MEMORY: [AtomicU64; 2048] = [const { AtomicU64::new(0) }; 2048];
    let stack = libc::stack_t {
        ss_sp: MEMORY.as_ptr().cast_mut().cast(),
        ss_flags: 0,
        ss_size: size_of_val(&MEMORY),
    };
    // SAFETY: memory that nothing else uses while the thread lives.
    assert_eq!(unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) }, 0);
}
