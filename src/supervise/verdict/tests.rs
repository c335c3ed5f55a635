//! Judgement, without processes.
//!
//! Layer 8.  Plane: control.

use super::*;
use crate::record::PAGE_WORDS;
use crate::record::read::Words;

const NONE: Words = [0; PAGE_WORDS];

fn reason(words: &Words, end: Option<End>, kills: u64) -> Reason {
    judge(Record { words, nonce: 7 }, end, kills)
}

#[test]
fn without_a_record_the_kernel_alone_is_heard() {
    let killed = |signal| Some(End::Killed { signal, core: false });
    assert_eq!(reason(&NONE, killed(6), 0), Reason::Signal(6));
    assert_eq!(reason(&NONE, Some(End::Exited(134)), 0), Reason::Exit(134));
    assert_eq!(reason(&NONE, Some(End::Exited(137)), 0), Reason::Exit(137));
    assert_eq!(reason(&NONE, None, 0), Reason::Unknown);
}

#[test]
fn an_out_of_memory_kill_needs_evidence() {
    let killed = Some(End::Killed { signal: 9, core: false });
    assert_eq!(reason(&NONE, killed, 0), Reason::Signal(9));
    assert_eq!(reason(&NONE, killed, 1), Reason::KernelOomKill);
    // A helper of the program was killed, and the program has ended by itself.
    assert_eq!(reason(&NONE, Some(End::Exited(1)), 1), Reason::Exit(1));
    assert_eq!(reason(&NONE, Some(End::Killed { signal: 15, core: false }), 1), Reason::Signal(15));
}

#[test]
fn a_damaged_record_is_no_verdict() {
    let mut words = NONE;
    words[4] = 0x1234_5678_9abc_def0;
    for end in [Some(End::Exited(0)), Some(End::Killed { signal: 9, core: false }), None] {
        assert_eq!(reason(&words, end, 1), Reason::Unknown);
    }
}

#[test]
fn codes_are_pinned() {
    let reasons = [
        Reason::Failed(Cause::StackBudget),
        Reason::KernelOomKill,
        Reason::Signal(1),
        Reason::Exit(0),
        Reason::NotStarted,
        Reason::Unknown,
    ];
    let codes = ["stack-budget", "kernel-oom-kill", "signal", "exit", "not-started", "unknown"];
    assert_eq!(reasons.map(Reason::code), codes);
}
