//! Any report at all is valid JSON that says what was put into it.
//!
//! Layer 2.  Plane: control.
//!
//! The body of a fuzz target, and of a unit test with random input.

use super::backtrace::FRAMES_MAX;
use super::writer::FixedWriter;
use super::*;
use crate::cause::Cause;
use serde_json::{Map, Value, json};

/// Builds a report from `data`, writes it in every form, reads it back and compares.
///
/// # Panics
///
/// If it is not valid JSON, is too long, or says anything else than what was put in.
#[cfg_attr(not(fuzzing), expect(unreachable_pub, reason = "public for fuzz targets alone"))]
pub fn report_roundtrip(data: &[u8]) {
    let report = draw(&mut Source(data));
    check_line(&report);
    let mut buf = [0; JSON_BYTES_MAX];
    let line = core::str::from_utf8(report.json(&mut buf)).expect("the report is not UTF-8");
    let text = line.strip_suffix('\n').expect("the report does not end in a newline");
    assert!(!text.contains(char::is_control), "the report breaks its line: {text:?}");
    let mut written = String::new();
    report.write_json(&mut written).expect("a String never fails");
    assert_eq!(text, written, "the file and the hook see different reports");
    let value: Value = serde_json::from_str(text).expect("the report is not JSON");
    check_members(&report, value.as_object().expect("the report is not an object"));
}

fn check_line(report: &Report) {
    let mut buf = [0; LINE_BYTES_MAX];
    let mut out = FixedWriter::new(&mut buf);
    report.line(&mut out);
    assert_eq!(out.dropped(), 0, "the line is too long");
    let line = core::str::from_utf8(out.finish()).expect("the line is not UTF-8");
    assert_eq!(line, format!("{report}\n"));
    assert_eq!(line.matches(char::is_control).count(), 1, "the line is broken: {line:?}");
}

fn check_members(report: &Report, members: &Map<String, Value>) {
    let cut = &members["cut"];
    let cut = |part: &str| cut.get(part).map_or(0, |n| n.as_u64().expect("a count") as usize);
    let message = members["message"].as_str().unwrap_or_default();
    let whole = report.message().unwrap_or_default();
    assert!(whole.starts_with(message));
    assert_eq!(message.len() + cut("message_bytes"), whole.len() + report.message.dropped());
    assert_eq!(members["message"].is_null(), report.message().is_none());
    let frames = members["backtrace"].as_array().expect("an array");
    assert_eq!(frames.len() + cut("backtrace"), report.backtrace.seen());
    for (frame, (address, place)) in frames.iter().zip(report.backtrace.frames(frames.len())) {
        check_frame(frame, address, place.is_some(), &members["modules"]);
    }
    let after = members["cut"]["backtrace_after"].as_u64();
    assert!(after.is_none_or(|after| (after as usize) < frames.len() && cut("backtrace") > 0));
    let named = frames.iter().filter_map(|frame| frame.get("module")?.as_u64()).max();
    let modules = members["modules"].as_array().expect("an array").len();
    assert_eq!(modules as u64, named.map_or(0, |module| module + 1), "modules without frames");
    let clusters = members["clusters"].as_array().expect("an array");
    assert_eq!(clusters.len() + cut("clusters"), report.clusters.seen());
    for (cluster, row) in clusters.iter().zip(report.clusters.rows()) {
        let (name, budget) = (row.name.as_str(), row.budget);
        let expected = json!({ "name": name, "live_bytes": row.live, "budget_bytes": budget });
        assert_eq!(*cluster, expected);
    }
    assert_eq!(members["cause"], report.cause.code());
    assert_eq!(members["cluster"], report.cluster());
    assert_eq!(members["live_bytes"], report.live());
    assert_eq!(members["budget_bytes"], json!(report.budget()));
    assert_eq!(members["thread"], json!(report.thread()));
    assert_eq!(members["stack"].is_null(), report.stack.is_none());
}

/// A frame's module and offset lead back to its address.
fn check_frame(frame: &Value, address: usize, is_placed: bool, modules: &Value) {
    let hex = |value: &Value| {
        let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).expect("0x…");
        usize::from_str_radix(digits, 16).expect("hexadecimal digits")
    };
    assert_eq!(hex(&frame["addr"]), address);
    assert_eq!(frame.get("module").is_some(), is_placed);
    if let Some(module) = frame.get("module") {
        let base = &modules[module.as_u64().expect("a number") as usize]["base"];
        assert_eq!(hex(base).wrapping_add(hex(&frame["offset"])), address);
    }
}

/// A report with whatever the source holds.
fn draw(source: &mut Source<'_>) -> Report {
    const CAUSES: [Cause; 6] = [
        Cause::HeapBudget,
        Cause::AllocatorRefused,
        Cause::StackBudget,
        Cause::StackOverflow,
        Cause::Requested,
        Cause::LedgerUnsettled,
    ];
    let mut report = Report::new();
    report.cause = CAUSES[source.below(CAUSES.len())];
    report.message.set_lossy(source.bytes());
    report.account = source.account();
    report.requested = source.number();
    report.align = source.number();
    report.resident = source.maybe_number();
    report.cgroup_current = source.maybe_number().map(|n| n as u64);
    report.cgroup_limit = source.maybe_number().map(|n| n as u64);
    report.stack = (source.below(2) == 1).then(|| source.stack());
    (report.pid, report.tid) = (source.number() as u32, source.number() as u32);
    report.thread.set_lossy(source.bytes());
    report.time = Timestamp { seconds: source.number() as u64, nanoseconds: u32::MAX };
    report.threads = source.maybe_number().map(|n| Threads { seen: n as u32, halted: u32::MAX });
    report.halt = [Halt::Proven, Halt::Unproven][source.below(2)];
    report.hook = {
        use HookOutcome::{Crashed, None, Pending, Ran, Skipped, Timeout};
        let failure = [Failure::Panic, Failure::Exit, Failure::Signal(source.number() as i32)];
        let crashed = Crashed(failure[source.below(3)]);
        [None, Pending, Ran, crashed, Timeout, Skipped][source.below(6)]
    };
    let frames = [FRAMES_MAX + 2, 3 * FRAMES_MAX][source.below(2)];
    for _ in 0..source.below(frames) {
        report.backtrace.push(source.number());
    }
    let is_whole = source.below(8) > 0;
    report.backtrace.finish(is_whole);
    for _ in 0..source.below(20) {
        report.clusters.add(source.account());
    }
    let mut resolver = report.backtrace.resolver();
    for _ in 0..source.below(40) {
        resolver.feed(source.bytes());
        let (start, end) = (source.number(), source.number());
        resolver.feed(format!("\n{start:x}-{end:x} r-xp 1000 08:01 {end} ").as_bytes());
        resolver.feed(source.bytes());
    }
    resolver.finish();
    report
}

/// Bytes that become numbers and texts, and zeros when they have run out.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn below(&mut self, bound: usize) -> usize {
        self.take(1).first().map_or(0, |byte| usize::from(*byte) % bound)
    }

    /// Up to two KiB.
    fn bytes(&mut self) -> &'a [u8] {
        let count = self.below(256) * 8;
        self.take(count)
    }

    /// A number of any length, so that short ones and the longest come up often.
    fn number(&mut self) -> usize {
        match self.below(10) {
            9 => usize::MAX,
            count => self.take(count).iter().fold(0, |n, byte| n << 8 | usize::from(*byte)),
        }
    }

    fn maybe_number(&mut self) -> Option<usize> {
        (self.below(2) == 1).then(|| self.number())
    }

    fn account(&mut self) -> Account {
        let mut account = Account::new("", self.number(), self.number(), self.maybe_number());
        account.name.set_lossy(self.bytes());
        account
    }

    fn stack(&mut self) -> StackSpan {
        StackSpan {
            address: self.number(),
            pointer: self.number(),
            low: self.number(),
            high: self.number(),
            used: self.number(),
            budget: self.maybe_number(),
            found_by: [FoundBy::Probe, FoundBy::Guard][self.below(2)],
            kind: [StackKind::Thread, StackKind::Signal, StackKind::Other][self.below(3)],
        }
    }
}
