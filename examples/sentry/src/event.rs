//! A death, as an event of Sentry's.

use std::borrow::Cow;

use sentry::Level;
use sentry::protocol::{Addr, Context, Event, Exception, Frame, Map, Stacktrace};
use serde_json::Value;

use crate::death::{Death, text};

/// What the report has that is worth a search, beside its cause.
const TAGS: [&str; 5] = ["cluster", "thread", "halt", "hook", "version"];

/// What it has of sizes.
const SIZES: [&str; 8] = [
    "requested_bytes",
    "live_bytes",
    "peak_bytes",
    "budget_bytes",
    "resident_bytes",
    "cgroup_current_bytes",
    "cgroup_limit_bytes",
    "clusters",
];

/// The event.
///
/// What would happen again is an error of the program's: fatal, and an issue of its own for each
/// place where it happens. The other deaths are warnings, and one issue for each cause: whatever
/// the program was just doing has nothing to do with it.
pub(crate) fn of(death: &Death) -> Event<'static> {
    let is_deterministic = death.is_deterministic();
    let mut event = Event {
        level: if is_deterministic { Level::Fatal } else { Level::Warning },
        fingerprint: fingerprint(death).into_iter().map(Cow::Owned).collect(),
        platform: "native".into(),
        ..Event::default()
    };
    let kind = if is_deterministic { "deterministic" } else { "environmental" };
    event.tags.insert("cause".into(), death.cause());
    event.tags.insert("kind".into(), kind.into());
    if let Some(report) = death.report() {
        let tags = TAGS.iter().filter_map(|&tag| Some((tag.into(), report[tag].as_str()?.into())));
        event.tags.extend(tags);
        event.contexts.insert("memory".into(), Context::Other(sizes(report)));
    }
    let exception = Exception {
        ty: death.cause(),
        value: Some(death.to_string()),
        stacktrace: death.report().and_then(stack),
        ..Exception::default()
    };
    event.exception = vec![exception].into();
    event
}

/// What belongs to one issue.
fn fingerprint(death: &Death) -> Vec<String> {
    let mut parts = vec!["failfast".to_string(), death.cause()];
    if let Some(report) = death.report().filter(|_| death.is_deterministic()) {
        parts.push(text(report, "cluster").into());
        // The place, which is the same wherever the program was loaded. The innermost frames that
        // have one; the very first are the allocator's own.
        let frames = report["backtrace"].as_array().into_iter().flatten();
        let places = frames.filter_map(|frame| Some(frame["offset"].as_str()?.to_string()));
        parts.extend(places.take(8));
    }
    parts
}

fn sizes(report: &Value) -> Map<String, Value> {
    let sizes = SIZES.iter().filter(|&&size| !report[size].is_null());
    sizes.map(|&size| (size.to_string(), report[size].clone())).collect()
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
