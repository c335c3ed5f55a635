//! Children: forked ones have a death of their own, those that share our memory die alone.

use std::ffi::{c_int, c_void};

use crate::table::{End, Row};
use crate::tools::*;
use crate::witness::{self, FREE};

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
        Row::dies("parent_after_a_child_in_its_memory", "requested", FAILED, || {
            assert!(libc::WIFSIGNALED(in_our_memory(fail_in_our_memory)));
            set_hook(|_| drop(std::hint::black_box(vec![1_u8; 1000])));
            fail();
        })
        .hook_ran(),
    ]
}

fn its_own_report(outcome: &crate::outcome::Outcome) {
    let child = outcome.page.get(FREE);
    assert_ne!(child, u64::from(outcome.pid));
    assert_eq!(outcome.report()["pid"], child);
    assert_eq!(outcome.reports[0].0, format!("{child}.json"));
}

fn a_report_of_each(outcome: &crate::outcome::Outcome) {
    assert_eq!(outcome.reports.len(), 2);
    for (name, report) in &outcome.reports {
        assert_eq!(*name, format!("{}.json", report["pid"]));
    }
}

/// A child that is forked while its parent dies is as if nothing had happened.
fn during_death() -> Row {
    Row::dies("a_child_forked_during_death", "requested", "<any>", || {
        set_hook(|_| {
            witness::note(FREE, 1);
            witness::wait_for(FREE + 1);
        });
        std::thread::spawn(|| {
            witness::wait_for(FREE);
            let status = in_fork(|| {
                drop(std::hint::black_box(vec![1_u8; 100_000]));
                fail();
            });
            let by = if libc::WIFSIGNALED(status) { libc::WTERMSIG(status) } else { 0 };
            witness::note(FREE + 1, by as u64);
            std::thread::park();
        });
        fail();
    })
    .lines(&[FAILED, "failfast: requested: enough (thread `main`, pid <n>)"])
    .hook_ran()
    .several_reports()
    .check(|outcome| {
        assert_eq!(outcome.page.get(FREE + 1), libc::SIGABRT as u64);
        a_report_of_each(outcome);
    })
}

/// Runs `f` in a child that shares our memory, as `vfork` makes them.
fn in_our_memory(f: extern "C" fn(*mut c_void) -> c_int) -> c_int {
    let mut stack = vec![0_u8; 256 * 1024];
    let top = stack.as_mut_ptr_range().end.map_addr(|address| address & !15);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is the child's until it ends, which `CLONE_VFORK` waits for.
    let child = unsafe { libc::clone(f, top.cast(), flags, std::ptr::null_mut()) };
    assert!(child > 0);
    wait(child)
}

extern "C" fn fail_in_our_memory(_: *mut c_void) -> c_int {
    fail()
}
