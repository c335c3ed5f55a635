//! Tests of the line and of the report, as their readers see them.
//!
//! Layer 2.  Plane: control.

use super::backtrace::FRAMES_MAX;
use super::fuzz::report_roundtrip;
use super::writer::FixedWriter;
use super::*;
use crate::cause;
use serde_json::{Value, json};

/// A report as of an ordinary death.
fn ordinary(cause: Cause) -> Report {
    let mut report = Report::new();
    report.cause = cause;
    report.account = Account::new("root", 66_584_576, 67_000_000, Some(67_108_864));
    report.requested = 1_048_576;
    report.align = 16;
    report.pid = 4711;
    report.tid = 4715;
    report.thread.set("worker-3");
    report
}

fn overflowed(budget: Option<usize>, found_by: FoundBy) -> StackSpan {
    StackSpan {
        address: 0x7f10_a2bf_f000,
        pointer: 0x7f10_a2bf_f010,
        low: 0x7f10_a2c0_0000,
        high: 0x7f10_a2e0_0000,
        used: 4_194_320,
        budget,
        found_by,
        kind: StackKind::Thread,
    }
}

/// A report with the longest of everything, each character of the kind that `hostile` says.
fn extreme(hostile: &str) -> Report {
    let long = hostile.repeat(4096 / hostile.len());
    let mut report = ordinary(Cause::Requested);
    report.message.set(&long);
    report.account = Account::new(&long, usize::MAX, usize::MAX, Some(usize::MAX));
    (report.requested, report.align) = (usize::MAX, usize::MAX);
    report.resident = Some(usize::MAX);
    (report.cgroup_current, report.cgroup_limit) = (Some(u64::MAX), Some(u64::MAX));
    let max = usize::MAX;
    report.stack = Some(StackSpan {
        address: max,
        pointer: max,
        low: max,
        high: max,
        used: max,
        budget: Some(max),
        found_by: FoundBy::Probe,
        kind: StackKind::Other,
    });
    (report.pid, report.tid) = (u32::MAX, u32::MAX);
    report.thread.set(&long);
    report.time = Timestamp { seconds: u64::MAX, nanoseconds: u32::MAX };
    report.threads = Some(Threads { seen: u32::MAX, halted: u32::MAX });
    report.hook = HookOutcome::Pending;
    for n in 0..FRAMES_MAX {
        report.backtrace.push(usize::MAX - n * 0x1000 - 1);
    }
    let mut resolver = report.backtrace.resolver();
    for n in (0..FRAMES_MAX).rev() {
        let start = usize::MAX - n * 0x1000 - 0xfff;
        let line = format!("{start:x}-{:x} r-xp 0 08:01 {n} /{n}/{long}\n", start + 0xffe);
        resolver.feed(line.replace('\n', "").as_bytes());
        resolver.feed(b"\n");
    }
    resolver.finish();
    for n in 0..100 {
        report.clusters.add(Account::new(&long, usize::MAX - n, 0, Some(usize::MAX)));
    }
    report
}

fn to_json(report: &Report) -> Value {
    let mut buf = [0; JSON_BYTES_MAX];
    let line = report.json(&mut buf);
    serde_json::from_slice(line).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(line));
    })
}

#[test]
fn the_line_of_each_cause() {
    let mut report = ordinary(Cause::HeapBudget);
    assert_eq!(
        report.to_string(),
        "failfast: heap budget: cluster `root` asked for 1048576 bytes \
         with 66584576 of 67108864 live (thread `worker-3`, pid 4711)"
    );
    report.cause = Cause::LedgerUnsettled;
    assert_eq!(
        report.to_string(),
        "failfast: ledger unsettled: cluster `root` asked for 1048576 bytes and the kernel \
         refuses membarrier and sched_setaffinity, so its budget cannot be checked \
         (thread `worker-3`, pid 4711)"
    );
    report.cause = Cause::Requested;
    report.message.set("the ledger of orders is inconsistent");
    assert_eq!(
        report.to_string(),
        "failfast: requested: the ledger of orders is inconsistent (thread `worker-3`, pid 4711)"
    );
}

#[test]
fn the_line_without_a_budget_and_with_one() {
    let mut report = ordinary(Cause::AllocatorRefused);
    report.requested = 4096;
    report.thread.set("main");
    report.account.budget = None;
    assert_eq!(
        report.to_string(),
        "failfast: allocator refused: cluster `root` asked for 4096 bytes \
         with 66584576 live, no budget (thread `main`, pid 4711)"
    );
    report.account.budget = Some(67_108_864);
    assert_eq!(
        report.to_string(),
        "failfast: allocator refused: cluster `root` asked for 4096 bytes \
         with 66584576 of 67108864 live (thread `main`, pid 4711)"
    );
}

#[test]
fn the_lines_of_a_stack() {
    let mut report = ordinary(Cause::StackBudget);
    report.stack = Some(overflowed(Some(4_194_304), FoundBy::Probe));
    assert_eq!(
        report.to_string(),
        "failfast: stack budget: thread `worker-3` used 4194320 of 4194304 bytes of stack \
         (pid 4711)"
    );
    report.cause = Cause::StackOverflow;
    report.stack = Some(overflowed(None, FoundBy::Guard));
    assert_eq!(
        report.to_string(),
        "failfast: stack overflow: thread `worker-3` hit its guard page at 0x7f10a2bff000, \
         2097152 bytes of stack (pid 4711)"
    );
}

#[test]
fn a_line_says_what_is_known() {
    let mut report = ordinary(Cause::StackOverflow);
    assert!(report.to_string().ends_with("thread `worker-3` hit its guard page (pid 4711)"));
    report.cause = Cause::StackBudget;
    assert!(report.to_string().ends_with("thread `worker-3` used up its stack (pid 4711)"));
    report.cause = Cause::Requested;
    report.thread = Text::new();
    assert_eq!(report.to_string(), "failfast: requested: no message (thread 4715, pid 4711)");
}

#[test]
fn a_long_message_leaves_the_end_of_its_line() {
    let mut report = ordinary(Cause::Requested);
    for (message, shown) in [("m", "m".repeat(1024)), ("\x1b", r"\u{1b}".repeat(341))] {
        report.message.set(&message.repeat(1025));
        let end = if message == "m" { "\u{2026}" } else { "\u{2026}\u{2026}" };
        assert_eq!(
            report.to_string(),
            format!("failfast: requested: {shown}{end} (thread `worker-3`, pid 4711)")
        );
    }
}

#[test]
fn an_ordinary_report_byte_for_byte() {
    let mut report = ordinary(Cause::HeapBudget);
    report.resident = Some(70_000_640);
    report.time = Timestamp { seconds: 1_763_903_825, nanoseconds: 42_000_000 };
    report.hook = HookOutcome::Pending;
    report.backtrace.push(0x55d0_c000_4010);
    report.backtrace.push(0x1000);
    let mut resolver = report.backtrace.resolver();
    resolver.feed(b"55d0c0000000-55d0c0005000 r-xp 00000000 08:01 1 /opt/server (deleted)\n");
    resolver.finish();
    report.clusters.add(Account::new("root", 66_584_576, 67_000_000, Some(67_108_864)));
    report.clusters.add(Account::new("cache", 1_000, 2_000, None));
    let expected = concat!(
        r#"{"failfast":1,"cause":"heap-budget","message":null,"cluster":"root","#,
        r#""requested_bytes":1048576,"align":16,"live_bytes":66584576,"peak_bytes":67000000,"#,
        r#""budget_bytes":67108864,"resident_bytes":70000640,"cgroup_current_bytes":null,"#,
        r#""cgroup_limit_bytes":null,"stack":null,"pid":4711,"tid":4715,"thread":"worker-3","#,
        r#""time":"2025-11-23T13:17:05.042Z","threads":null,"halt":"unproven","#,
        r#""hook":"pending","hook_failure":null                                          ,"#,
        r#""backtrace":[{"addr":"0x55d0c0004010","module":0,"#,
        r#""offset":"0x4010"},{"addr":"0x1000"}],"modules":[{"path":"/opt/server","#,
        r#""base":"0x55d0c0000000","deleted":true}],"clusters":[{"name":"root","#,
        r#""live_bytes":66584576,"budget_bytes":67108864},{"name":"cache","live_bytes":1000,"#,
        r#""budget_bytes":null}],"version":""#,
        env!("CARGO_PKG_VERSION"),
        r#"","cut":null}"#,
    );
    let mut written = String::new();
    report.write_json(&mut written).unwrap();
    assert_eq!(written, expected);
    let schema = include_str!("../../docs/report-schema.md");
    let version = env!("CARGO_PKG_VERSION");
    assert!(schema.contains(expected), "put the example into docs/report-schema.md ({version})");
}

#[test]
fn a_stack_in_json() {
    let mut report = ordinary(Cause::StackOverflow);
    report.stack = Some(overflowed(None, FoundBy::Guard));
    report.threads = Some(Threads { seen: 3, halted: 2 });
    report.halt = Halt::Proven;
    let value = to_json(&report);
    assert_eq!(
        value["stack"],
        json!({
            "found_by": "guard", "address": "0x7f10a2bff000", "pointer": "0x7f10a2bff010",
            "low": "0x7f10a2c00000", "high": "0x7f10a2e00000", "used_bytes": 4_194_320,
            "budget_bytes": null, "kind": "thread",
        })
    );
    assert_eq!(value["threads"], json!({ "seen": 3, "halted": 2 }));
    assert_eq!(value["halt"], "proven");
}

#[test]
fn every_cause_is_in_the_schema() {
    let schema = include_str!("../../docs/report-schema.md");
    for cause in cause::ALL {
        assert!(schema.contains(&format!("`{}`", cause.code())), "{cause}");
    }
    for (member, _) in to_json(&ordinary(Cause::Requested)).as_object().unwrap() {
        assert!(schema.contains(&format!("`{member}`")), "{member}");
    }
}

/// Quotes double in JSON; control characters take six bytes for one.
const HOSTILE: [&str; 6] = ["\"", "\x01", "\\", "\u{202e}", "\u{1f980}", "a"];

#[test]
fn the_worst_report_is_whole_and_in_bounds() {
    for hostile in HOSTILE {
        let report = extreme(hostile);
        let value = to_json(&report);
        let mut buf = [0; JSON_BYTES_MAX];
        let length = report.json(&mut buf).len();
        assert!(length <= JSON_BYTES_MAX, "{length} bytes of {hostile:?}");
        assert!(value["cut"]["clusters"].as_u64() >= Some(84), "{value}");
        assert_eq!(value["cluster"].as_str(), Some(report.cluster()));
        // What is given up is not more than what was in the way.
        assert!(length > JSON_BYTES_MAX - 600, "{length} bytes of {hostile:?}");
    }
}

#[test]
fn the_worst_line_is_whole() {
    for hostile in HOSTILE {
        for cause in cause::ALL {
            let mut report = extreme(hostile);
            report.cause = cause;
            let mut buf = [0; LINE_BYTES_MAX];
            let mut out = FixedWriter::new(&mut buf);
            report.line(&mut out);
            assert_eq!(out.dropped(), 0, "{report}");
            assert_eq!(out.finish(), format!("{report}\n").as_bytes());
        }
    }
}

/// A buffer too short for the line: whatever its length, a whole line comes out.
#[test]
fn every_length_of_a_line() {
    let mut report = ordinary(Cause::Requested);
    report.message.set("gr\u{fc}n \u{1f980}\n");
    let whole = format!("{report}\n");
    for room in 1..=whole.len() + 1 {
        let mut buf = vec![0; room];
        let mut out = FixedWriter::new(&mut buf);
        report.line(&mut out);
        let line = core::str::from_utf8(out.finish()).unwrap();
        assert!(whole.starts_with(line.strip_suffix('\n').unwrap()));
        assert_eq!(line == whole, room >= whole.len());
    }
}

/// Every length of message, so every place where the parts begin to crowd each other out.
#[test]
fn every_length_of_message() {
    let mut buf = [0; JSON_BYTES_MAX];
    for hostile in ["m", "\"", "\x01", "\u{85}", "\u{20ac}"] {
        let mut report = extreme("\x01");
        for length in 0..=MESSAGE_BYTES_MAX + 1 {
            report.message.set(&hostile.repeat(length));
            let value = to_json(&report);
            let written = value["message"].as_str().unwrap_or_default().len();
            let cut = value["cut"]["message_bytes"].as_u64().unwrap() as usize;
            assert_eq!(written + cut, length * hostile.len());
            // A message is cut by no more than the character that does not fit.
            let is_cut = cut > 0 && length * hostile.len() <= MESSAGE_BYTES_MAX;
            assert!(!is_cut || report.json(&mut buf).len() > JSON_BYTES_MAX - 6, "{value}");
        }
    }
}

/// Whatever becomes of the hook, all but the outcome stays byte for byte where it was: a reader
/// that has some of the report as it was first, and the rest as it is now, has a whole one.
#[test]
fn the_outcome_takes_the_same_room_whatever_it_is() {
    use HookOutcome::{Crashed, None as NoHook, Pending, Ran, Replaced, Skipped, Timeout};
    let failures = [
        Failure::Panic,
        Failure::Abort,
        Failure::Exit,
        Failure::Reserve,
        Failure::Overflow,
        Failure::Thread,
    ];
    let signals = [1, 4, 5, 7, 8, 11, 31, 64].map(Failure::Signal);
    let crashed = failures.into_iter().chain(signals).map(Crashed);
    let hooks = [NoHook, Pending, Ran, Replaced, Skipped, Timeout].into_iter().chain(crashed);
    let most = (1 << 22) - 1;
    let threads = [(0, 0), (7, 6), (most, most)];
    let threads = threads.map(|(seen, halted)| Some(Threads { seen, halted }));
    for mut report in [ordinary(Cause::Requested), extreme("a"), extreme("\x01"), extreme("\"")] {
        let mut first = [0; JSON_BYTES_MAX];
        (report.hook, report.threads) = (Pending, None);
        let first = core::str::from_utf8(report.json(&mut first)).unwrap();
        let (before, after) = around_the_outcome(first);
        let mut longest = 0;
        for hook in hooks.clone() {
            for threads in threads.into_iter().chain([None]) {
                for halt in [Halt::Proven, Halt::Unproven] {
                    (report.hook, report.threads, report.halt) = (hook, threads, halt);
                    let mut buf = [0; JSON_BYTES_MAX];
                    let json = core::str::from_utf8(report.json(&mut buf)).unwrap();
                    assert_eq!(json.len(), first.len(), "{json}");
                    assert_eq!(around_the_outcome(json), (before, after));
                    let room = &json[before.len()..json.len() - after.len()];
                    longest = longest.max(room.trim_end().len());
                }
            }
        }
        assert_eq!(longest, first.len() - before.len() - after.len(), "no more room than needed");
    }
}

/// What of a report stands before its outcome, and what after.
fn around_the_outcome(json: &str) -> (&str, &str) {
    let (before, _) = json.split_once(r#","threads":"#).unwrap();
    let (_, after) = json.split_once(r#","backtrace":"#).unwrap();
    (before, after)
}

#[test]
fn frames_and_clusters_go_before_the_message() {
    let mut report = extreme("a");
    report.message.set(&"m".repeat(MESSAGE_BYTES_MAX));
    let value = to_json(&report);
    assert_eq!(value["cut"]["message_bytes"], 0);
    assert!(value["backtrace"].as_array().unwrap().len() >= 8, "{value}");
    assert!(value["clusters"].as_array().unwrap().len() >= 4, "{value}");
}

#[test]
fn a_deep_backtrace_of_an_ordinary_program_is_nearly_whole() {
    let mut report = ordinary(Cause::HeapBudget);
    for n in 0..FRAMES_MAX {
        report.backtrace.push(0x55d0_c000_0000 + n * 0x1234);
    }
    let mut resolver = report.backtrace.resolver();
    resolver.feed(b"55d0c0000000-55d0d0000000 r-xp 00000000 08:01 1 /usr/local/bin/server\n");
    resolver.finish();
    report.clusters.add(Account::new("root", 1, 1, Some(1)));
    let frames = to_json(&report)["backtrace"].as_array().unwrap().len();
    assert!(frames >= 50, "{frames}");
}

/// Where the frames of `numbered` are.
const CODE: usize = 0x7f00_0000_0000;

/// A backtrace of so many frames, whose addresses are in their order.
fn numbered(frames: usize, is_whole: bool) -> Report {
    let mut report = ordinary(Cause::StackOverflow);
    (CODE..CODE + frames).for_each(|address| report.backtrace.push(address));
    report.backtrace.finish(is_whole);
    report
}

#[test]
fn a_long_backtrace_keeps_both_ends() {
    for frames in [65, 66, 88, 89, 90, 100_000] {
        let report = numbered(frames, true);
        let expected = (0..40).chain(frames - 24..frames).map(|n| CODE + n);
        assert_eq!(report.backtrace(), expected.collect::<Vec<_>>(), "of {frames}");
        let gap = report.backtrace_gap().unwrap();
        assert_eq!((gap.after, gap.frames), (40, frames - 64));
    }
    for frames in [0, 1, 63, 64] {
        let report = numbered(frames, true);
        assert_eq!(report.backtrace(), (CODE..CODE + frames).collect::<Vec<_>>());
        assert_eq!(report.backtrace_gap(), None);
    }
}

#[test]
fn a_walk_that_took_too_long_keeps_the_innermost() {
    let report = numbered(5000, false);
    assert_eq!(report.backtrace(), (CODE..CODE + 40).collect::<Vec<_>>());
    assert_eq!(report.backtrace_gap(), None);
    let value = to_json(&report);
    let missing = 5000 - value["backtrace"].as_array().unwrap().len();
    assert_eq!(
        (&value["cut"]["backtrace"], &value["cut"]["backtrace_after"]),
        (&json!(missing), &json!(null))
    );
}

#[test]
fn a_report_that_is_too_long_loses_frames_in_the_middle() {
    for frames in [64, 1000] {
        let mut report = numbered(frames, true);
        report.message.set(&"m".repeat(1024));
        (0..16)
            .for_each(|n| report.clusters.add(Account::new("a-name-of-some-length", n, n, None)));
        let value = to_json(&report);
        let written = value["backtrace"].as_array().unwrap();
        let number = |frame: &Value| {
            usize::from_str_radix(&frame["addr"].as_str().unwrap()[2..], 16).unwrap() - CODE
        };
        let (numbers, after) =
            (written.iter().map(number), value["cut"]["backtrace_after"].as_u64());
        let after = after.unwrap() as usize;
        let outer = written.len() - after;
        assert!(outer > 4 && after > outer, "{after} and {outer}");
        assert!(numbers.eq((0..after).chain(frames - outer..frames)), "{written:?}");
        assert_eq!(value["cut"]["backtrace"], frames - written.len());
    }
}

/// A thousand reports of random content. The generator is xorshift, the seed fixed.
#[test]
fn random_reports_come_back() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..1_000 {
        let mut data = Vec::new();
        for _ in 0..round * 8 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            data.extend_from_slice(&state.to_le_bytes());
        }
        report_roundtrip(&data);
    }
}

/// What is said without a report: over a budget in observe mode.
#[test]
fn a_line_without_a_report() {
    let account = Account::new("root", 9, 10, Some(10));
    let line = Line {
        cause: Cause::HeapBudget,
        message: None,
        message_is_cut: false,
        account: &account,
        requested: 2,
        stack: None,
        pid: 1,
        tid: 1,
        thread: Some("main"),
    };
    assert_eq!(
        format!("failfast: observe: {line}"),
        "failfast: observe: heap budget: cluster `root` asked for 2 bytes with 9 of 10 live \
         (thread `main`, pid 1)"
    );
}
