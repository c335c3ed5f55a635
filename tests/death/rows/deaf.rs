//! Threads that no signal stops.

use std::ffi::c_int;
use std::hint::black_box;

use failfast_alloc_rows::witness::{self, COUNTERS, FREE};
use failfast_alloc_rows::{End, Halt, Row};

use super::calls::refuse;
use super::halt::{self, count_as_detached, hide_proc, storm, to_one_processor};
use crate::others;
use crate::tools::*;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = traced();
    rows.extend(elsewhere());
    rows.extend(unproven());
    rows.extend(without_the_tracer());
    rows
}

/// Where the kernel lets them be traced they are stopped all the same.
fn traced() -> Vec<Row> {
    let row = |name, body| halt::row(name, body).hook_ran_where_traced();
    vec![
        row("halt_of_one_that_blocks_signals_raw", deaf_raw::<1>).threads(1),
        row("halt_of_8_that_block_signals_raw", deaf_raw::<8>).threads(8),
        row("halt_of_64_that_block_signals_raw", deaf_raw::<64>).threads(64),
        row("halt_of_one_of_many_that_blocks_signals_raw", || {
            others::start_spinning(8);
            deaf_raw::<1>();
        })
        .threads(9),
        row("halt_on_one_processor_of_those_that_block_signals_raw", deaf_raw::<8>)
            .threads(8)
            .before_exec(to_one_processor),
        row("halt_of_those_that_take_every_signal_raw", || {
            others::start(2, block_all_raw, take_a_signal_raw);
        })
        .threads(2),
        row("halt_of_those_that_block_signals_raw_and_wait", || {
            others::start(2, block_all_raw, || {
                // SAFETY: no preconditions.
                unsafe { libc::usleep(1_000) };
            });
        })
        .threads(2),
        // Only a standard signal is left, and those can be blocked.
        row("halt_without_queued_signals_of_one_that_blocks_signals", || others::start_deaf(1))
            .threads(1)
            .before_exec(|| set_limit(libc::RLIMIT_SIGPENDING, 0)),
        row("halt_without_proc_of_one_that_blocks_signals_raw", || {
            deaf_raw::<1>();
            hide_proc();
        })
        .threads(1),
        row("halt_of_one_that_blocks_signals_raw_and_waits_for_another_process", || {
            wake_by_another_process();
            set_hook(|_| {
                witness::sample();
                witness::note(WAKE, 1);
                linger();
                linger();
            });
            others::start(1, block_all_raw, wait_for_another_process);
        })
        .threads(1),
        row("a_hook_beside_traced_threads_starts_a_program", || {
            deaf_raw::<2>();
            set_hook(|_| {
                witness::sample();
                let status = std::process::Command::new("true").status();
                witness::note(FREE, u64::from(status.is_ok_and(|status| status.success())));
            });
        })
        .check(|outcome| assert!(!may_trace() || outcome.page.get(FREE) == 1)),
    ]
}

/// The same, in the middle of something.
fn elsewhere() -> Vec<Row> {
    let row = |name, body| halt::row(name, body).hook_ran_where_traced();
    vec![
        row("halt_of_those_that_block_signals_raw_and_make_threads", || {
            others::start(2, block_all_raw, || {
                storm(|| drop(std::thread::spawn(count_as_detached)))
            });
        }),
        row("halt_of_the_first_thread_that_blocks_signals_raw", || {
            std::thread::spawn(|| {
                others::start(1, block_all_raw, || {});
                fail();
            });
            block_all_raw();
            spin();
        })
        .lines(&["failfast: requested: enough (thread `<name>`, pid <pid>)"])
        .threads(2),
        row("halt_of_one_that_blocks_signals_raw_and_reads", || {
            let mut ends = [0; 2];
            // SAFETY: room for two descriptors.
            assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
            witness::note(FREE, ends[0] as u64 + 1);
            write_a_byte(ends[1]);
            set_hook(move |_| {
                write_a_byte(ends[1]);
                witness::sample();
                linger();
            });
            others::start(1, block_all_raw, || {
                let reader = witness::read(FREE) as c_int - 1;
                // SAFETY: room for a byte.
                unsafe { libc::read(reader, black_box(&mut [0_u8]).as_mut_ptr().cast(), 1) };
            });
            // It waits for the second byte, inside the C library.
            while witness::read(COUNTERS) < 2 {
                std::thread::yield_now();
            }
        }),
    ]
}

/// Whether the other process is to wake who waits, and what those wait at.
const WAKE: usize = FREE + 1;
const WAITED_AT: usize = FREE + 2;

fn wait_for_another_process() {
    let (word, wait, forever) = (witness::address(WAITED_AT), libc::FUTEX_WAIT, 0_usize);
    // Through the C library, and shared with others: no `FUTEX_PRIVATE_FLAG`.
    // SAFETY: the word stays; no time.
    unsafe { libc::syscall(libc::SYS_futex, word, wait, 0, forever) };
}

/// Has another process wake those threads when the hook says so.
fn wake_by_another_process() {
    witness::open();
    // SAFETY: the child uses the page alone, and goes with its parent.
    unsafe {
        if libc::fork() == 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            witness::wait_for(WAKE);
            witness::note(WAITED_AT, 1);
            libc::syscall(libc::SYS_futex, witness::address(WAITED_AT), libc::FUTEX_WAKE, 100);
            libc::_exit(0);
        }
    }
}

/// Whoever was traced never runs again: without the tracer there is no process.
fn without_the_tracer() -> Vec<Row> {
    let row = halt::row("a_hook_that_ends_the_tracer", || {
        deaf_raw::<2>();
        set_hook(|_| {
            witness::sample();
            let children = std::fs::read_to_string("/proc/thread-self/children");
            let helper = children.ok().and_then(|text| text.trim().parse().ok());
            let Some(helper) = helper else { skip("children are not listed") };
            // SAFETY: numbers.
            unsafe { libc::kill(helper, libc::SIGKILL) };
            spin();
        });
    });
    let row = row.hook_timed_out().outcome_of_hook("pending").ends(End::Signal(libc::SIGKILL));
    if may_trace() { vec![row] } else { Vec::new() }
}

fn deaf_raw<const N: usize>() {
    others::start(N, block_all_raw, || {});
}

fn take_a_signal_raw() {
    let (all, none) = (u64::MAX, std::ptr::null_mut::<libc::siginfo_t>());
    let soon = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    // SAFETY: a complete set of the kernel's, and a time.
    unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, &all, none, &soon, 8) };
}

/// Threads that cannot be stopped: the hook must not run beside them.
fn unproven() -> Vec<Row> {
    let row = |name, body| halt::row(name, body).hook_skipped().halt(Halt::Unproven);
    vec![
        row("halt_where_tracing_is_refused", || {
            deaf_raw::<1>();
            refuse(libc::SYS_ptrace, libc::EPERM);
        })
        .threads(1),
        row("halt_of_more_than_can_be_traced", || {
            const MORE: u64 = 130;
            for _ in 0..MORE {
                let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(|| {
                    block_all_raw();
                    witness::count(FREE);
                    loop {
                        linger();
                    }
                });
                drop(thread.expect("a thread"));
            }
            while witness::read(FREE) < MORE {
                linger();
            }
        })
        .threads(130),
        row("halt_where_new_processes_are_refused", || {
            deaf_raw::<1>();
            refuse(libc::SYS_clone, libc::EPERM);
        })
        .threads(1),
        row("halt_where_helpers_are_not_told_of_the_end", || {
            deaf_raw::<1>();
            refuse(libc::SYS_prctl, libc::EPERM);
        })
        .threads(1),
    ]
}

fn write_a_byte(to: c_int) {
    // SAFETY: a byte of ours.
    unsafe { libc::write(to, c"x".as_ptr().cast(), 1) };
}
