//! A verdict, as an event of Sentry's.

use std::borrow::Cow;

use failfast_alloc::supervise::{Class, Death, Reason, Verdict};
use sentry::Level;
use sentry::protocol::{Addr, Context, Event, Exception, Frame, Map, Stacktrace};
use serde_json::{Value, json};

/// How many places make a fingerprint.
const PLACES_MAX: usize = 8;

/// The event.
///
/// What the program did to itself it would do again: that is fatal, and an issue of its own for
/// each place where it happens. What its surroundings did is a warning, and one issue for each
/// cause: whatever the program was just doing has nothing to do with it. What cannot be known is
/// neither.
pub(crate) fn of(verdict: &Verdict) -> Event<'static> {
    let death = verdict.death();
    let report = death.as_ref().and_then(report);
    let (level, class) = match verdict.class() {
        Class::SelfInflicted => (Level::Fatal, "self-inflicted"),
        Class::Environmental => (Level::Warning, "environmental"),
        _ => (Level::Error, "unknown"),
    };
    let mut event = Event {
        level,
        fingerprint: fingerprint(verdict, report.as_ref()).into_iter().map(Cow::Owned).collect(),
        platform: "native".into(),
        ..Event::default()
    };
    event.tags.insert("cause".into(), cause(verdict));
    event.tags.insert("class".into(), class.into());
    if let Some(attached) = verdict.attached() {
        event.tags.insert("version".into(), attached.version().into());
    }
    if let Some(death) = &death {
        event.tags.extend(tags(death).map(|(name, value)| (name.to_string(), value.to_string())));
        let sizes = sizes(death, report.as_ref());
        event.contexts.insert("memory".into(), Context::Other(sizes));
    }
    let exception = Exception {
        ty: cause(verdict),
        value: Some(verdict.to_string()),
        stacktrace: report.as_ref().and_then(stack),
        ..Exception::default()
    };
    event.exception = vec![exception].into();
    event
}

/// One word.
fn cause(verdict: &Verdict) -> String {
    match verdict.reason() {
        Reason::Signal(number) => format!("signal-{number}"),
        Reason::Exit(status) => format!("exit-{status}"),
        reason => reason.code().to_string(),
    }
}

/// The report that the program got so far as to write: places, and other clusters, are there alone.
fn report(death: &Death<'_>) -> Option<Value> {
    serde_json::from_str(death.report_json()?).ok()
}

/// What is worth a search. Of the hook the record knows more than the report, which was written
/// before.
fn tags<'a>(death: &Death<'a>) -> impl Iterator<Item = (&'static str, &'a str)> {
    let tags = [
        ("cluster", Some(death.cluster()).filter(|name| !name.is_empty())),
        ("thread", death.thread()),
        ("halt", Some(death.halt().code())),
        ("hook", Some(death.hook().code())),
    ];
    tags.into_iter().filter_map(|(name, value)| Some((name, value?)))
}

/// What belongs to one issue.
fn fingerprint(verdict: &Verdict, report: Option<&Value>) -> Vec<String> {
    let mut parts = vec!["failfast".to_string(), cause(verdict)];
    if verdict.class() == Class::SelfInflicted {
        parts.extend(verdict.death().map(|death| death.cluster().to_string()));
        // The place, which is the same wherever the program was loaded. The innermost frames that
        // have one; the very first are the allocator's own.
        let frames = report.and_then(|report| report["backtrace"].as_array());
        let places = frames.into_iter().flatten();
        let places = places.filter_map(|frame| Some(frame["offset"].as_str()?.to_string()));
        parts.extend(places.take(PLACES_MAX));
    }
    parts
}

fn sizes(death: &Death<'_>, report: Option<&Value>) -> Map<String, Value> {
    let of_the_record = death.has_figures().then(|| {
        [
            ("requested_bytes", json!(death.requested())),
            ("live_bytes", json!(death.live())),
            ("peak_bytes", json!(death.peak())),
            ("budget_bytes", json!(death.budget())),
            ("resident_bytes", json!(death.resident())),
            ("cgroup_current_bytes", json!(death.cgroup_current())),
            ("cgroup_limit_bytes", json!(death.cgroup_limit())),
        ]
    });
    let clusters = report.map(|report| ("clusters", report["clusters"].clone()));
    let sizes = of_the_record.into_iter().flatten().chain(clusters);
    let known = sizes.filter(|(_, size)| !size.is_null());
    known.map(|(name, size)| (name.to_string(), size)).collect()
}

/// The frames, outermost first, as Sentry wants them.
fn stack(report: &Value) -> Option<Stacktrace> {
    let frame = |frame: &Value| {
        let module = frame["module"].as_u64().map(|index| &report["modules"][index as usize]);
        Some(Frame {
            instruction_addr: Some(address(&frame["addr"])?),
            image_addr: module.and_then(|module| address(&module["base"])),
            package: module.and_then(|module| Some(module["path"].as_str()?.to_string())),
            ..Frame::default()
        })
    };
    let frames: Vec<Frame> =
        report["backtrace"].as_array()?.iter().rev().filter_map(frame).collect();
    (!frames.is_empty()).then(|| Stacktrace { frames, ..Stacktrace::default() })
}

fn address(value: &Value) -> Option<Addr> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok().map(Addr)
}
