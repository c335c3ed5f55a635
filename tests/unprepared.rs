//! In a program whose global allocator is another, nothing was set aside; it dies all the same.

use std::os::unix::process::ExitStatusExt;

use failfast_alloc_rows::child::in_child;
use failfast_alloc_rows::tools::write_to;

/// What a child wrote that died of SIGABRT, as it was to.
fn died(name: &str, die: fn()) -> String {
    let ended = in_child(name, die);
    assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{ended:?}");
    ended.err
}

#[test]
fn a_hook_runs_on_the_programs_heap() {
    let text = died("a_hook_runs_on_the_programs_heap", || {
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
    let text = died("a_hook_that_faults_ends_in_sigabrt", || {
        // SAFETY: the hook is the failure that this is about.
        unsafe {
            failfast_alloc::set_abort_hook(|_| write_to(0));
        }
        failfast_alloc::fail_fast("enough");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_probe_finds_the_end_of_the_stack() {
    let text = died("a_probe_finds_the_end_of_the_stack", || {
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
