//! In a program whose global allocator is another, nothing was set aside; it dies all the same.

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "tests make their troubles by runs of system calls, of which none is argued alone"
)]

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

/// Names the test, in a child's environment.
const CHILD: &str = "UNPREPARED_CHILD";

/// Runs `die` in a child, which is to die of SIGABRT, and returns what it wrote.
fn in_child(name: &str, die: fn()) -> String {
    if std::env::var_os(CHILD).is_some() {
        die();
        std::process::exit(0);
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(CHILD, "yes").env("RUST_BACKTRACE", "0");
    // SAFETY: async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &none);
            Ok(())
        });
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{}: {text}", output.status);
    text
}

#[test]
fn a_hook_runs_on_the_programs_heap() {
    let text = in_child("a_hook_runs_on_the_programs_heap", || {
        // SAFETY: the hook has no need of anything.
        unsafe {
            failfast_alloc::set_abort_hook(|report| {
                let note = format!("the hook says: {}", report.cause());
                eprintln!("{note}");
            });
        }
        failfast_alloc::fail_fast("enough");
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("failfast: requested: enough (thread `a_hook_runs_on"), "{text}");
    assert_eq!(lines[1], "the hook says: requested");
}

#[test]
fn a_hook_that_faults_ends_in_sigabrt() {
    let text = in_child("a_hook_that_faults_ends_in_sigabrt", || {
        // SAFETY: the hook is the failure that this is about.
        unsafe {
            failfast_alloc::set_abort_hook(|_| {
                std::hint::black_box(std::ptr::null_mut::<u8>()).write_volatile(1);
            });
        }
        failfast_alloc::fail_fast("enough");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_probe_finds_the_end_of_the_stack() {
    let text = in_child("a_probe_finds_the_end_of_the_stack", || {
        failfast_alloc::stack::probe(64 << 10);
        assert!(failfast_alloc::stack::remaining().is_some_and(|bytes| bytes > 1 << 20));
        failfast_alloc::stack::probe(1 << 30);
    });
    assert!(text.starts_with("failfast: stack overflow: thread `a_probe_finds_"), "{text}");
    assert!(text.trim_end().lines().count() == 1, "{text}");
}

#[test]
fn what_remains_gets_less() {
    #[inline(never)]
    fn deeper(levels: u32) -> usize {
        let room = std::hint::black_box([0_u8; 1024]);
        if levels > 0 {
            return deeper(levels - 1).min(room.len() << 20);
        }
        failfast_alloc::stack::remaining().unwrap()
    }
    let here = failfast_alloc::stack::remaining().unwrap();
    assert!(here - deeper(10) > 10 * 1024);
}
