//! The layout, written and read.
//!
//! Layer 2.  Plane: control.

use super::read::{Damaged, Record, Words, copy};
use super::write::Start;
use super::*;
use crate::report::{Account, FoundBy, Halt, Report, StackKind, StackSpan, Threads, Timestamp};

const NONCE: u64 = 0x0123_4567_89ab_cdef;

/// A page as a supervisor makes it, for process 42.
fn page() -> Box<Page> {
    let page = Box::new(Page([const { AtomicU64::new(0) }; PAGE_WORDS]));
    for (word, value) in page.0.iter().zip(header(NONCE).into_iter().chain([42])) {
        word.store(value, Relaxed);
    }
    page
}

fn words(page: &Page) -> Box<Words> {
    let mut words = Box::new([0; PAGE_WORDS]);
    copy(page, &mut words);
    words
}

fn start() -> Start {
    Start {
        version: *b"1.2.3-alpha.4\0\0\0",
        budget: Some(64 << 20),
        stack_budget: None,
        reserve: 262_144,
        hook_timeout_ns: 5_000_000_000,
        execs: false,
        observes: true,
        pid: 42,
    }
}

fn report() -> Report {
    let mut report = Report::new();
    report.account = Account::new(&"n".repeat(64), 1 << 40, 1 << 41, None);
    (report.requested, report.align) = (usize::MAX, 4096);
    (report.pid, report.tid) = (42, 43);
    report.resident = Some(77);
    report.cgroup_limit = Some(99);
    report.stack = Some(StackSpan {
        address: 1,
        pointer: 2,
        low: 3,
        high: 4,
        used: 5,
        budget: Some(6),
        found_by: FoundBy::Guard,
        kind: StackKind::Signal,
    });
    report.thread.set("worker-3");
    report.message.set(&"ü".repeat(512));
    report
}

/// A page with everything on it.
fn full() -> Box<Page> {
    let page = page();
    assert!(page.attached(&start()));
    page.elected(Cause::StackOverflow, 43, Timestamp { seconds: 9, nanoseconds: 8 });
    page.figures(&report());
    page.halted(Halt::Proven, Some(Threads { seen: 64, halted: 63 }));
    page.report(&[b'x'; 4096]);
    page.hook_began();
    page.replaced();
    page.outcome(HookOutcome::Crashed(Failure::Signal(11)));
    page.ending(EndedBy::Deadline, 44);
    page
}

#[test]
fn what_is_written_is_read() {
    let words = words(&full());
    let record = Record { words: &*words, nonce: NONCE };
    assert!(!record.is_damaged());
    assert_eq!(record.attached(), Ok(Some(start())));
    let elected = record.elected().unwrap().unwrap();
    assert_eq!((elected.cause, elected.tid), (Cause::StackOverflow, 43));
    let figures = record.figures().unwrap().unwrap();
    assert_eq!((figures.requested, figures.align), (usize::MAX, 4096));
    assert_eq!((figures.live, figures.peak, figures.budget), (1 << 40, 1 << 41, None));
    assert_eq!((figures.pid, figures.tid), (42, 43));
    assert_eq!((figures.resident, figures.cgroup_current), (Some(77), None));
    assert_eq!((figures.cgroup_limit, figures.stack), (Some(99), report().stack));
    assert_eq!(figures.cluster, "n".repeat(64));
    assert_eq!((figures.thread, figures.message), ("worker-3", &*"ü".repeat(512)));
    let halted = record.halted().unwrap().unwrap();
    assert_eq!(
        (halted.halt, halted.threads),
        (Halt::Proven, Some(Threads { seen: 64, halted: 63 }))
    );
    assert_eq!(record.report(), Ok(Some(&*"x".repeat(4096))));
    assert_eq!((record.hook_began(), record.replaced()), (Ok(true), Ok(true)));
    assert_eq!(record.outcome(), Ok(Some(HookOutcome::Crashed(Failure::Signal(11)))));
    assert_eq!(record.ending(), Ok(Some((EndedBy::Deadline, 44))));
}

#[test]
fn an_empty_page_says_nothing() {
    let words = words(&page());
    let record = Record { words: &*words, nonce: NONCE };
    assert!(!record.is_damaged());
    assert_eq!(
        (record.attached(), record.elected(), record.figures()),
        (Ok(None), Ok(None), Ok(None))
    );
    assert_eq!(
        (record.halted(), record.report(), record.outcome()),
        (Ok(None), Ok(None), Ok(None))
    );
}

#[test]
fn every_cause_and_outcome_has_its_number() {
    for cause in crate::cause::ALL {
        let page = page();
        page.elected(cause, 1, Timestamp::default());
        let words = words(&page);
        let record = Record { words: &*words, nonce: NONCE };
        assert_eq!(record.elected().unwrap().unwrap().cause, cause);
    }
    use HookOutcome::{Crashed, None as NoHook, Pending, Ran, Replaced, Skipped, Timeout};
    let failures = [
        Failure::Panic,
        Failure::Abort,
        Failure::Exit,
        Failure::Reserve,
        Failure::Overflow,
        Failure::Thread,
        Failure::Signal(7),
    ];
    for outcome in failures.map(Crashed).into_iter().chain([NoHook, Ran, Skipped, Timeout]) {
        let page = page();
        // What is not final is no outcome.
        page.outcome(Pending);
        page.outcome(Replaced);
        page.outcome(outcome);
        page.outcome(Ran);
        let words = words(&page);
        let record = Record { words: &*words, nonce: NONCE };
        assert_eq!(record.outcome(), Ok(Some(outcome)), "the first is right");
    }
}

/// A thread that hangs in the middle of a section keeps nobody from writing another.
#[test]
fn a_section_that_is_being_written_is_absent_and_others_are_not() {
    let page = page();
    let (commit, payload) = page.section(Section::Report).unwrap();
    commit.store(CLAIMED, Relaxed);
    payload[0].store(5, Relaxed);
    page.report(b"late");
    page.outcome(HookOutcome::Timeout);
    let words = words(&page);
    let record = Record { words: &*words, nonce: NONCE };
    assert_eq!(record.report(), Ok(None));
    assert_eq!(record.outcome(), Ok(Some(HookOutcome::Timeout)));
    assert!(!record.is_damaged());
}

/// Each bit of each section, flipped by itself, is noticed, in that section and in no other.
#[test]
fn every_flipped_bit_is_noticed() {
    let mut words = words(&full());
    // Short sections whole; of the two long ones every bit of a word here and there.
    for section in SECTIONS {
        for place in section.place()..=section.place() + section.words() {
            let step = if section.words() > 64 && place > section.place() + 20 { 13 } else { 1 };
            for bit in (0..64).step_by(step) {
                words[place] ^= 1 << bit;
                let record = Record { words: &*words, nonce: NONCE };
                // Zero is how an absent section looks, and one how a claimed one does.
                assert_eq!(record.payload_is(section), Err(Damaged), "{section:?} {place} {bit}");
                for other in SECTIONS.into_iter().filter(|other| *other != section) {
                    assert_eq!(record.payload_is(other), Ok(true), "{section:?} {other:?}");
                }
                words[place] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn another_processes_record_is_no_record() {
    let words = words(&full());
    let record = Record { words: &*words, nonce: NONCE ^ 1 };
    for section in SECTIONS {
        assert_eq!(record.payload_is(section), Err(Damaged), "{section:?}");
    }
    let page = full();
    assert!(page.is_for(NONCE, 42));
    assert!(!page.is_for(NONCE, 43) && !page.is_for(NONCE ^ 1, 42));
    page.0[1].store(VERSION + 1, Relaxed);
    assert!(!page.is_for(NONCE, 42));
}

#[test]
fn a_page_cut_short_is_read_as_far_as_it_goes() {
    let words = words(&full());
    for len in 0..PAGE_WORDS {
        let record = Record { words: &words[..len], nonce: NONCE };
        for section in SECTIONS {
            let expected = if len <= section.place() {
                Ok(false)
            } else if len < section.place() + 1 + section.words() {
                Err(Damaged)
            } else {
                Ok(true)
            };
            assert_eq!(record.payload_is(section), expected, "{section:?} {len}");
        }
    }
}

#[test]
fn a_second_copy_does_not_attach() {
    let page = page();
    assert!(page.attached(&start()));
    assert!(!page.attached(&start()));
}
