//! The report: one JSON object on one line.
//!
//! Layer 2.  Plane: data.
//!
//! `docs/report-schema.md` describes it; members may be added, none is ever removed or changes its
//! meaning. It is never longer than [`JSON_BYTES_MAX`], so that one write to a pipe, or the 4 KiB
//! that Kubernetes keeps of a termination message, hold it whole. What it leaves out to be so short
//! is decided before the first byte is written ([`Plan`]), since a writer cannot go back.

use super::backtrace::Module;
use super::members::{Object, write_array};
use super::writer::{Counter, FixedWriter};
use super::{Account, Failure, Halt, HookOutcome, Report, StackSpan, Threads};
use core::fmt::{self, Write};

/// The most bytes a report has, newline included.
pub(crate) const JSON_BYTES_MAX: usize = 4096;

/// The version of the schema. It changes only if a member changes its meaning.
const SCHEMA: u64 = 1;

impl Report {
    /// Writes the report as one JSON object on one line, without a newline: at most 4,095 bytes,
    /// the same ones that go to the report's file.
    ///
    /// It does not allocate, so an abort hook may call it whatever is left of its reserve.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> fmt::Result {
        encode(self, &Plan::fit(self), out)
    }

    /// The report as a line of its own: JSON and a newline.
    pub(crate) fn json<'a>(&self, buf: &'a mut [u8; JSON_BYTES_MAX]) -> &'a [u8] {
        let mut out = FixedWriter::new(buf);
        // A `FixedWriter` never fails.
        let _ = self.write_json(&mut out);
        out.end_line();
        out.finish()
    }
}

/// How much of each long part is written.
struct Plan {
    message_bytes: usize,
    frames: usize,
    clusters: usize,
}

/// What is given up first, if all of it is too long: frames down to the first number of a row,
/// then clusters down to the second; then on to the next row. The message goes last.
const GIVE_UP: [(usize, usize); 4] = [(32, 16), (16, 8), (8, 4), (0, 0)];

impl Plan {
    /// The most that fits.
    fn fit(report: &Report) -> Self {
        let whole = Self::without(0, report);
        if whole.fits(report) {
            return whole;
        }
        // Giving up more makes it shorter, so the least that has to go is found by halving. All
        // else is bounded, so without any of the three parts it fits.
        let (mut too_few, mut enough) = (0, whole.parts());
        while enough.saturating_sub(too_few) > 1 {
            let middle = too_few.midpoint(enough);
            match Self::without(middle, report).fits(report) {
                true => enough = middle,
                false => too_few = middle,
            }
        }
        Self::without(enough, report)
    }

    /// All but the `count` parts that are given up first: frames, clusters, bytes of the message.
    fn without(count: usize, report: &Report) -> Self {
        let mut plan = Self {
            message_bytes: report.message.as_str().len(),
            frames: report.backtrace.addresses().len(),
            clusters: report.clusters.rows().len(),
        };
        let mut count = count;
        for (frames, clusters) in GIVE_UP {
            give_up(&mut plan.frames, frames, &mut count);
            give_up(&mut plan.clusters, clusters, &mut count);
        }
        give_up(&mut plan.message_bytes, 0, &mut count);
        plan
    }

    /// How many parts there are that could be given up.
    const fn parts(&self) -> usize {
        self.message_bytes.saturating_add(self.frames).saturating_add(self.clusters)
    }

    fn fits(&self, report: &Report) -> bool {
        let mut length = Counter::default();
        // A `Counter` never fails.
        let _ = encode(report, self, &mut length);
        // The newline is one more.
        length.bytes < JSON_BYTES_MAX
    }

    /// The message, as far as it is written.
    fn message<'a>(&self, report: &'a Report) -> &'a str {
        let whole = report.message.as_str();
        whole.get(..whole.floor_char_boundary(self.message_bytes)).unwrap_or_default()
    }
}

/// Takes up to `count` off a part, which keeps `least` if it has so much.
fn give_up(part: &mut usize, least: usize, count: &mut usize) {
    let given = part.saturating_sub(least).min(*count);
    *part = part.saturating_sub(given);
    *count = count.saturating_sub(given);
}

fn encode(report: &Report, plan: &Plan, out: &mut dyn Write) -> fmt::Result {
    let mut members = Object::open(out)?;
    members.number("failfast", SCHEMA)?;
    write_failure(report, plan, &mut members)?;
    write_stack(report.stack, members.key("stack")?)?;
    members.number("pid", report.pid.into())?;
    members.number("tid", report.tid.into())?;
    members.string_or_null("thread", report.thread())?;
    write!(members.key("time")?, "\"{}\"", report.time)?;
    write_outcome(report, &mut members)?;
    write_backtrace(report, plan, members.key("backtrace")?)?;
    write_modules(report.backtrace.modules(plan.frames), members.key("modules")?)?;
    let clusters = report.clusters.rows().iter().take(plan.clusters);
    write_array(members.key("clusters")?, clusters, write_cluster)?;
    members.string("version", env!("CARGO_PKG_VERSION"))?;
    write_cut(report, plan, members.key("cut")?)?;
    members.close()
}

/// What failed, and how much there was.
fn write_failure(report: &Report, plan: &Plan, members: &mut Object<'_>) -> fmt::Result {
    members.string("cause", report.cause.code())?;
    members.string_or_null("message", report.message().map(|_| plan.message(report)))?;
    members.string("cluster", report.cluster())?;
    members.number("requested_bytes", report.requested as u64)?;
    members.number("align", report.align as u64)?;
    members.number("live_bytes", report.live() as u64)?;
    members.number("peak_bytes", report.peak() as u64)?;
    members.number_or_null("budget_bytes", report.budget().map(|bytes| bytes as u64))?;
    members.number_or_null("resident_bytes", report.resident.map(|bytes| bytes as u64))?;
    members.number_or_null("cgroup_current_bytes", report.cgroup_current)?;
    members.number_or_null("cgroup_limit_bytes", report.cgroup_limit)
}

fn write_stack(stack: Option<StackSpan>, out: &mut dyn Write) -> fmt::Result {
    let Some(stack) = stack else { return out.write_str("null") };
    let mut members = Object::open(out)?;
    members.string("found_by", stack.found_by.code())?;
    members.address("address", stack.address)?;
    members.address("pointer", stack.pointer)?;
    members.address("low", stack.low)?;
    members.address("high", stack.high)?;
    members.number("used_bytes", stack.used as u64)?;
    members.number_or_null("budget_bytes", stack.budget.map(|bytes| bytes as u64))?;
    members.string("kind", stack.kind.code())?;
    members.close()
}

/// The longest of what is written of the outcome: a process has less than 2^22 threads.
const WIDEST: [&str; 4] = [
    r#","threads":{"seen":4194303,"halted":4194303}"#,
    r#","halt":"unproven""#,
    r#","hook":"replaced""#,
    r#","hook_failure":"signal SIGSEGV""#,
];

const WIDEST_BYTES: usize = WIDEST[0].len() + WIDEST[1].len() + WIDEST[2].len() + WIDEST[3].len();

/// What may change after the report was written for the first time, in as much room whatever it is:
/// blanks follow. So all other bytes stay where they are, and what others read meanwhile, at once
/// or piece by piece, is a whole report.
fn write_outcome(report: &Report, members: &mut Object<'_>) -> fmt::Result {
    let mut length = Counter::default();
    write_outcome_members(report, &mut Object::open(&mut length)?)?;
    write_outcome_members(report, members)?;
    members.blanks(WIDEST_BYTES.saturating_sub(length.bytes))
}

fn write_outcome_members(report: &Report, members: &mut Object<'_>) -> fmt::Result {
    write_threads(report.threads, members.key("threads")?)?;
    members.string("halt", report.halt.code())?;
    members.string("hook", report.hook.code())?;
    members.string_or_null("hook_failure", report.hook.failure())
}

fn write_threads(threads: Option<Threads>, out: &mut dyn Write) -> fmt::Result {
    let Some(threads) = threads else { return out.write_str("null") };
    let mut members = Object::open(out)?;
    members.number("seen", threads.seen.into())?;
    members.number("halted", threads.halted.into())?;
    members.close()
}

fn write_backtrace(report: &Report, plan: &Plan, out: &mut dyn Write) -> fmt::Result {
    write_array(out, report.backtrace.frames(plan.frames), |(address, place), out| {
        let mut members = Object::open(out)?;
        members.address("addr", address)?;
        if let Some(place) = place {
            members.number("module", place.module as u64)?;
            members.address("offset", place.offset)?;
        }
        members.close()
    })
}

fn write_modules(modules: &[Module], out: &mut dyn Write) -> fmt::Result {
    write_array(out, modules.iter(), |module, out| {
        let mut members = Object::open(out)?;
        members.string("path", module.path.as_str())?;
        members.address("base", module.base)?;
        if module.deleted {
            members.key("deleted")?.write_str("true")?;
        }
        members.close()
    })
}

fn write_cluster(cluster: &Account, out: &mut dyn Write) -> fmt::Result {
    let mut members = Object::open(out)?;
    members.string("name", cluster.name.as_str())?;
    members.number("live_bytes", cluster.live as u64)?;
    members.number_or_null("budget_bytes", cluster.budget.map(|bytes| bytes as u64))?;
    members.close()
}

/// How much is missing: of the message in bytes, of the other parts in elements.
fn write_cut(report: &Report, plan: &Plan, out: &mut dyn Write) -> fmt::Result {
    let unwritten = report.message.as_str().len().saturating_sub(plan.message(report).len());
    let message = unwritten.saturating_add(report.message.dropped());
    let frames = report.backtrace.seen().saturating_sub(plan.frames);
    let clusters = report.clusters.seen().saturating_sub(plan.clusters);
    if (message, frames, clusters) == (0, 0, 0) {
        return out.write_str("null");
    }
    let mut members = Object::open(out)?;
    members.number("message_bytes", message as u64)?;
    members.number("backtrace", frames as u64)?;
    let gap = report.backtrace.gap(plan.frames);
    members.number_or_null("backtrace_after", gap.map(|gap| gap.after as u64))?;
    members.number("clusters", clusters as u64)?;
    members.close()
}

impl Halt {
    /// Its name in the report.
    const fn code(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Unproven => "unproven",
        }
    }
}

impl HookOutcome {
    /// How it has failed, if it has.
    pub(crate) const fn failure(self) -> Option<&'static str> {
        let Self::Crashed(failure) = self else { return None };
        Some(match failure {
            Failure::Panic => "panic",
            Failure::Abort => "abort",
            Failure::Exit => "exit",
            Failure::Reserve => "reserve",
            Failure::Overflow => "overflow",
            Failure::Thread => "thread",
            // As Linux numbers them on every processor that this crate runs on.
            Failure::Signal(4) => "signal SIGILL",
            Failure::Signal(5) => "signal SIGTRAP",
            Failure::Signal(7) => "signal SIGBUS",
            Failure::Signal(8) => "signal SIGFPE",
            Failure::Signal(11) => "signal SIGSEGV",
            Failure::Signal(31) => "signal SIGSYS",
            Failure::Signal(_) => "signal",
        })
    }

    /// Its name in the report.
    const fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Ran => "ran",
            Self::Crashed(_) => "crashed",
            Self::Timeout => "timeout",
            Self::Replaced => "replaced",
            Self::Skipped => "skipped",
        }
    }
}
