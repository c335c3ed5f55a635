//! What people and machines are told of each end: on standard error, for standard output is the
//! program's.
//!
//! Above the layers.  Plane: control.

use super::restart::Next;
use crate::exit::say;
use crate::text::{Escaped, Shown, count};
use failfast_alloc::supervise::{Class, Death, Reason, Verdict};
use serde_json::{Value, json};
use std::io::{self, Write as _};

/// Says what became of the program, and what comes next.
pub(super) struct Teller {
    pub(super) json: bool,
}

impl Teller {
    pub(super) fn tell(&self, verdict: &Verdict, next: &Next) {
        if self.json {
            let line = as_json(verdict, next).to_string();
            // A closed standard error takes no line; the exit status still tells.
            let _ = writeln!(io::stderr().lock(), "{}", Escaped(&line));
            return;
        }
        if is_worth_a_line(verdict, next) {
            say(format_args!("run: {}", Shown(&verdict.to_string())));
        }
        match next {
            Next::End => {}
            Next::NotFor(class) => say(format_args!("run: not started again: {}", why_not(*class))),
            Next::GaveUp(of) => say(format_args!(
                "run: gave up: started again {} in {:?}, and it did not help",
                count(of.most.into(), "time"),
                of.within
            )),
            Next::After { pause, time, of } => say(format_args!(
                "run: starting again in {pause:?} (time {time}; {} in {:?} are allowed)",
                of.most, of.within
            )),
        }
    }
}

impl Teller {
    /// Says that a program without our allocator was held to nothing. Machines have `attached`.
    pub(super) fn tell_who_does_not_heed(&self, verdict: &Verdict, settings: &str) {
        if !self.json && verdict.start_error().is_none() && verdict.attached().is_none() {
            say(format_args!(
                "run: the program's allocator is no FailFast: it was not held to {settings}"
            ));
        }
    }
}

/// Whether an end is abnormal. What exits by itself says itself why, unless it is started again.
fn is_worth_a_line(verdict: &Verdict, next: &Next) -> bool {
    match verdict.reason() {
        Reason::Exit(0) => matches!(next, Next::After { .. } | Next::GaveUp(_)),
        Reason::Exit(_) => *next != Next::End,
        _ => true,
    }
}

fn why_not(class: Class) -> &'static str {
    match class {
        Class::SelfInflicted => "the program did this to itself, and would again",
        _ => "it cannot be known whether that would help",
    }
}

/// The name of a class for machines; it never changes.
fn code(class: Class) -> &'static str {
    match class {
        Class::Clean => "clean",
        Class::SelfInflicted => "self-inflicted",
        Class::Environmental => "environmental",
        _ => "unknown",
    }
}

fn as_json(verdict: &Verdict, next: &Next) -> Value {
    json!({
        "failfast_verdict": 1,
        "reason": verdict.code(),
        "class": code(verdict.class()),
        "pid": (verdict.pid() != 0).then(|| verdict.pid()),
        "exit_code": verdict.exit_code(),
        "signal": verdict.signal(),
        "core_dumped": verdict.has_dumped_core(),
        "attached": verdict.attached().map(|attached| attached.version().to_string()),
        "summary": verdict.to_string(),
        "death": verdict.death().as_ref().map(death),
        "next": match next {
            Next::End => json!({ "action": "end" }),
            Next::NotFor(_) => json!({ "action": "end", "why": "class" }),
            Next::GaveUp(_) => json!({ "action": "end", "why": "gave-up" }),
            Next::After { pause, time, .. } => json!({
                "action": "restart",
                "after_ms": u64::try_from(pause.as_millis()).ok(),
                "time": time,
            }),
        },
    })
}

fn death(death: &Death<'_>) -> Value {
    let report = death.report_json();
    json!({
        "cluster": death.cluster(),
        "requested_bytes": death.requested(),
        "live_bytes": death.live(),
        "peak_bytes": death.peak(),
        "budget_bytes": death.budget(),
        "message": death.message(),
        "hook": death.hook().code(),
        "halt": death.halt().code(),
        // As `failfast explain` finds it in a log.
        "report": report.and_then(|report| serde_json::from_str::<Value>(report).ok()),
    })
}
