//! Children: forked ones have a death of their own, those that share our memory die alone.

use std::ffi::{c_int, c_void};

use failfast_alloc_rows::witness::{self, FREE};
use failfast_alloc_rows::{End, Outcome, Row};

use crate::tools::*;

const CHILD_FAILED: &str = "failfast: requested: enough (thread `main`, pid <n>)";

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::dies("a_forked_child", "requested", CHILD_FAILED, || {
            set_hook(|_| witness::note(FREE, std::process::id().into()));
            let status = in_fork(|| fail());
            assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT);
        })
        .hook_ran()
        .and_then_exits(0)
        .check(its_own_report),
        Row::dies("a_child_forked_by_a_thread", "requested", "<any>", || {
            set_hook(|_| witness::note(FREE, std::process::id().into()));
            let thread = std::thread::spawn(|| in_fork(|| fail()));
            let status = thread.join().unwrap();
            assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT);
        })
        .hook_ran()
        .and_then_exits(0)
        .check(its_own_report),
        Row::dies("a_forked_child_overflows", "stack-overflow", "<any>", || {
            set_hook(|_| witness::note(FREE, std::process::id().into()));
            let thread = std::thread::spawn(|| in_fork(overflow_by_small_frames));
            let status = thread.join().unwrap();
            assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT);
        })
        .hook_ran()
        .and_then_exits(0)
        .check(its_own_report),
        during_death(),
        Row::dies("parent_after_its_child", "requested", "<any>", || {
            // Each has a hook of its own, and a line.
            let status = in_fork(|| fail());
            assert!(libc::WIFSIGNALED(status));
            fail();
        })
        .lines(&[CHILD_FAILED, FAILED])
        .several_reports()
        .check(a_report_of_each),
        Row::silent("a_child_in_our_memory", End::Exit(0), || {
            let status = in_our_memory(fail_in_our_memory);
            assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT);
            // The heap is as it was.
            drop(std::hint::black_box(vec![1_u8; 1000]));
        }),
        Row::silent("a_child_in_the_memory_of_a_forked_child", End::Exit(0), || {
            let status = in_fork(|| {
                let status = in_our_memory(fail_in_our_memory);
                assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT);
                // More than the reserve has: this is still the heap.
                drop(std::hint::black_box(vec![1_u8; 1 << 20]));
            });
            assert_eq!(status, 0, "its parent has died of it");
        }),
        Row::dies("parent_after_a_child_in_its_memory", "requested", FAILED, || {
            assert!(libc::WIFSIGNALED(in_our_memory(fail_in_our_memory)));
            set_hook(|_| drop(std::hint::black_box(vec![1_u8; 1000])));
            fail();
        })
        .hook_ran(),
    ]
}

fn its_own_report(outcome: &Outcome) {
    let child = outcome.page.get(FREE);
    assert_ne!(child, u64::from(outcome.pid));
    assert_eq!(outcome.report()["pid"], child);
    assert_eq!(outcome.reports[0].0, format!("{child}.json"));
}

fn a_report_of_each(outcome: &Outcome) {
    assert_eq!(outcome.reports.len(), 2);
    for (name, report) in &outcome.reports {
        assert_eq!(*name, format!("{}.json", report["pid"]));
    }
}

/// A child that is forked while its parent dies is as if nothing had happened.
fn during_death() -> Row {
    Row::dies("children_forked_during_death", "requested", FAILED, || {
        set_hook(|_| {});
        for _ in 0..2 {
            std::thread::spawn(|| {
                loop {
                    // SAFETY: the child does what the row is about.
                    if unsafe { libc::fork() } == 0 {
                        witness::count(FREE);
                        drop(std::hint::black_box(vec![1_u8; 100_000]));
                        witness::count(FREE + 1);
                        // SAFETY: no preconditions.
                        unsafe { libc::_exit(0) };
                    }
                }
            });
        }
        witness::wait_for(FREE);
        fail();
    })
    .hook_ran()
    // Standard error has been read to its end, so that there is no child any more.
    .check(|outcome| assert_eq!(outcome.page.get(FREE), outcome.page.get(FREE + 1)))
}

extern "C" fn fail_in_our_memory(_: *mut c_void) -> c_int {
    fail()
}
