//! Each way to die leaves a minidump of all threads, as they stood.

use std::os::unix::process::ExitStatusExt;

use serde_json::{Value, json};

use crate::child::{Outcome, run};
use crate::dump::{self, Dump, Thread};

/// All threads; the kernel calls the first one by the program, in 15 bytes.
const NAMES: [&str; 6] =
    ["doomed", "minidump-exampl", "worker-0", "worker-1", "worker-2", "worker-3"];

/// The dump shows every thread, and the failing one where it failed.
fn shows_all_threads(dump: &Dump) {
    let failing = dump.failing();
    assert_eq!((&*failing.name, failing.pointer), ("doomed", dump.pointer));
    // A sentinel, which holds the process to its deadline, has the name of the one it watches.
    let is_sentinel = |thread: &Thread| thread.name == "doomed" && thread.id != dump.failing;
    assert!(dump.threads.iter().filter(|thread| is_sentinel(thread)).count() <= 1);
    let others = dump.threads.iter().filter(|thread| !is_sentinel(thread));
    let mut names: Vec<&str> = others.map(|thread| &*thread.name).collect();
    names.sort_unstable();
    assert_eq!(names, NAMES);
    for Thread { name, pointer, stack, .. } in &dump.threads {
        let is_near = stack.start <= pointer + 4096 && pointer < &stack.end;
        assert!(is_near, "`{name}` is at {pointer:#x}, its stack is {stack:x?}");
    }
}

/// What the failing stack holds is what the report says of it.
fn agrees_with(dump: &Dump, report: &Value) {
    assert_eq!(report["tid"], dump.failing);
    let frames = report["backtrace"].as_array().unwrap();
    let words = &dump.failing().words;
    let is_there = |frame: &&Value| {
        let digits = frame["addr"].as_str().unwrap().strip_prefix("0x").unwrap();
        words.contains(&u64::from_str_radix(digits, 16).unwrap())
    };
    // The innermost need not be a return address.
    let found = frames.iter().skip(1).filter(is_there).count();
    assert!(found >= 4, "{found} of {} return addresses are on the stack", frames.len());
}

/// The process died as it should, and the report is in the minidump.
fn is_whole(outcome: &Outcome, cause: &str) -> (Dump, Value) {
    let Outcome { status, stderr, .. } = outcome;
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{stderr}");
    let (dump, mut report) = (dump::read(&outcome.dump()), outcome.report());
    shows_all_threads(&dump);
    agrees_with(&dump, &report);
    assert_eq!((&report["cause"], &report["hook"]), (&json!(cause), &json!("ran")), "{stderr}");
    assert_eq!((&report["thread"], &report["halt"]), (&json!("doomed"), &json!("proven")));
    assert_eq!(report["threads"], json!({ "seen": 5, "halted": 5 }));
    // The hook was given it before it was known how the hook would end.
    report["hook"] = json!("pending");
    assert_eq!(dump.report.as_ref(), Some(&report));
    (dump, report)
}

#[test]
fn heap_budget() {
    let (dump, report) = is_whole(&run(&["heap-budget"], &[]), "heap-budget");
    assert_eq!(dump.signal, libc::SIGABRT as u32);
    assert_eq!(report["budget_bytes"], 16 << 20);
}

#[test]
fn requested() {
    let (dump, _) = is_whole(&run(&["requested"], &[]), "requested");
    assert_eq!(dump.signal, libc::SIGABRT as u32);
}

#[test]
fn stack_overflow() {
    let (dump, report) = is_whole(&run(&["stack-overflow"], &[]), "stack-overflow");
    assert_eq!(dump.signal, libc::SIGSEGV as u32);
    assert_eq!(report["stack"]["pointer"], format!("{:#x}", dump.pointer));
    assert_eq!(report["stack"]["address"], format!("{:#x}", dump.address));
}

/// The hook needs nothing of its heap.
#[test]
fn the_smallest_reserve_is_enough() {
    is_whole(&run(&["heap-budget"], &[("FAILFAST_RESERVE", "1")]), "heap-budget");
}

/// The chain has half a second, so a machine that is busy may cost the minidump, but nothing else.
#[test]
fn by_the_handler_of_sigabrt() {
    for cause in ["heap-budget", "requested"] {
        let has_dump = (0..10).any(|_| {
            let outcome = run(&[cause, "--way", "chain"], &[]);
            assert_eq!(outcome.status.signal(), Some(libc::SIGABRT), "{}", outcome.stderr);
            let report = outcome.report();
            assert_eq!((&report["cause"], &report["hook"]), (&json!(cause), &json!("none")));
            let is_done = outcome.stderr.contains("minidump: /");
            if is_done {
                let dump = dump::read(&outcome.dump());
                shows_all_threads(&dump);
                agrees_with(&dump, &report);
                assert!(dump.report.is_none());
            }
            is_done
        });
        assert!(has_dump, "no minidump, ten times");
    }
}

/// A handler that takes faults before us: the dump is made while all threads run, and the death is
/// ours all the same.
#[test]
fn stack_overflow_by_the_handler_of_sigsegv() {
    let outcome = run(&["stack-overflow", "--way", "chain"], &[]);
    assert_eq!(outcome.status.signal(), Some(libc::SIGABRT), "{}", outcome.stderr);
    let (dump, report) = (dump::read(&outcome.dump()), outcome.report());
    shows_all_threads(&dump);
    assert_eq!(report["cause"], "stack-overflow");
    assert_eq!(report["stack"]["pointer"], format!("{:#x}", dump.pointer));
    assert_eq!(report["stack"]["address"], format!("{:#x}", dump.address));
}

/// A fault that is none of ours.
#[test]
fn fault() {
    let outcome = run(&["fault"], &[]);
    assert_eq!(outcome.status.signal(), Some(libc::SIGSEGV), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("failfast"), "{}", outcome.stderr);
    let dump = dump::read(&outcome.dump());
    shows_all_threads(&dump);
    assert_eq!((dump.signal, dump.address), (libc::SIGSEGV as u32, 16));
    assert!(dump.report.is_none());
}
