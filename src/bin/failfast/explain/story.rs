//! What ran out, and how the process ended, in plain words.
//!
//! Above the layers.  Plane: control.

use crate::paint::{BAD, Canvas, DIM, WARN, heading, paragraph, styled};
use crate::report::Report;
use crate::text::{Exact, Shown, Size, count};
use std::io::{self, Write};

/// The first lines: the cause, what it means, and whose death it is.
pub(super) fn what_ran_out(
    out: &mut dyn Write,
    report: &Report,
    canvas: &Canvas,
) -> io::Result<()> {
    writeln!(out, "{}", styled(Shown(&title(report)), BAD))?;
    paragraph(out, canvas, "", &sentence(report))?;
    if let Some(message) = &report.message {
        paragraph(out, canvas, "It said: ", &Shown(message).to_string())?;
    }
    let whose = whose(report);
    if whose.is_empty() { Ok(()) } else { writeln!(out, "{}", styled(whose, DIM)) }
}

/// The cause as people call it: its code with spaces.
pub(super) fn title(report: &Report) -> String {
    report.cause.replace('-', " ")
}

fn whose(report: &Report) -> String {
    let mut parts = Vec::new();
    if let Some(thread) = &report.thread {
        parts.push(format!("thread `{}`", Shown(thread)));
    }
    for (name, number) in [("pid", report.pid), ("tid", report.tid)] {
        parts.extend(number.map(|number| format!("{name} {number}")));
    }
    parts.extend(report.time.iter().map(|time| Shown(time).to_string()));
    let version = report.version.as_ref();
    parts.extend(version.map(|version| format!("failfast-alloc {}", Shown(version))));
    parts.join(", ")
}

/// What happened, in one sentence with all numbers that the report has.
pub(super) fn sentence(report: &Report) -> String {
    let cluster = format!("cluster `{}`", Shown(report.cluster.as_deref().unwrap_or("?")));
    match report.cause.as_str() {
        "heap-budget" => heap_budget(report, &cluster),
        "allocator-refused" => format!(
            "The inner allocator returned null: the machine, not a budget, had no more. It was \
             asked for {}, when {cluster} had {} live.",
            bytes(report.requested),
            bytes(report.live)
        ),
        "stack-budget" => format!("A thread used more stack than its budget{}.", stack(report)),
        "stack-overflow" => format!("A thread reached the end of its stack{}.", stack(report)),
        "requested" => {
            format!("The program itself asked for its end, by `fail_fast`, in {cluster}.")
        }
        "ledger-unsettled" => format!(
            "The budget of {cluster} could not be judged: the kernel has begun to refuse every \
             means by which one thread's account becomes visible to another."
        ),
        other => format!(
            "The cause `{}` is none that this failfast knows; a newer one may. In {cluster}.",
            Shown(other)
        ),
    }
}

fn heap_budget(report: &Report, cluster: &str) -> String {
    let (Some(requested), Some(live), Some(Some(budget))) =
        (report.requested, report.live, report.budget)
    else {
        return format!(
            "A request of {} did not fit into the budget of {cluster}.",
            bytes(report.requested)
        );
    };
    let left = budget.saturating_sub(live);
    format!(
        "A request of {} did not fit into the budget of {cluster}: {} of {} were live, {} left. \
         It lacked {}.",
        both(requested),
        both(live),
        both(budget),
        both(left),
        both(requested.saturating_sub(left)),
    )
}

fn stack(report: &Report) -> String {
    let Some(stack) = &report.stack else { return String::new() };
    let used = stack.used.map(|used| format!("{} in use", both(used)));
    let of = stack.high.zip(stack.low).and_then(|(high, low)| high.checked_sub(low));
    let of = of.map(|size| format!("a stack of {}", Size(size)));
    let budget = stack.budget.flatten().map(|budget| format!("a budget of {}", both(budget)));
    let parts: Vec<String> = [used, of, budget].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

/// `64 MiB (67,108,864 bytes)`, or bytes alone where they are few.
pub(super) fn both(number: u64) -> String {
    match number {
        0..1024 => Size(number).to_string(),
        _ => format!("{} ({} bytes)", Size(number), Exact(number)),
    }
}

fn bytes(number: Option<u64>) -> String {
    number.map_or("an unknown number of bytes".to_string(), both)
}

/// Threads, the hook, and what there was of memory.
pub(super) fn how_it_ended(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    heading(out, "How it ended")?;
    writeln!(out, "  threads   {}", threads(report))?;
    let (text, is_well) = hook(report);
    let text = if is_well { text } else { styled(text, WARN) };
    writeln!(out, "  hook      {text}")
}

fn threads(report: &Report) -> String {
    let halt = match report.halt.as_deref() {
        Some("proven") => "all others were known to have stopped".to_string(),
        Some("unproven") => "not all others were known to have stopped".to_string(),
        Some(other) => format!("halt `{}`", Shown(other)),
        None => "the report does not say whether others had stopped".to_string(),
    };
    match report.threads {
        Some((0, _)) => "there were no others".to_string(),
        Some((seen, halted)) => {
            format!("{} seen, {} halted: {halt}", count(seen, "other"), Exact(halted))
        }
        None if report.halt.as_deref() == Some("unproven") => {
            "nobody looked whether others had stopped when this was written".to_string()
        }
        None => halt,
    }
}

fn hook(report: &Report) -> (String, bool) {
    let failure = report.hook_failure.as_deref().map(|how| format!(" ({})", Shown(how)));
    match report.hook.as_deref() {
        Some("none") => ("there was none".to_string(), true),
        Some("pending") => ("was about to run when this was written".to_string(), true),
        Some("ran") => ("ran to its end".to_string(), true),
        Some("replaced") => {
            ("the process became the program of FAILFAST_EXEC instead".to_string(), true)
        }
        Some("crashed") => (format!("failed{}", failure.unwrap_or_default()), false),
        Some("timeout") => ("had not returned by its deadline".to_string(), false),
        Some("skipped") => (
            "was skipped: a thread could not be shown to have stopped, or nobody was there to \
             hold to the deadline"
                .to_string(),
            false,
        ),
        Some(other) => (format!("`{}`, which this failfast does not know", Shown(other)), false),
        None => ("the report does not say".to_string(), false),
    }
}

/// What the report had to leave out to be no longer than it may.
pub(super) fn what_is_missing(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let Some(cut) = &report.cut else { return Ok(()) };
    let parts =
        [(cut.frames, "frame"), (cut.clusters, "smaller cluster"), (cut.message_bytes, "byte")];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| match *what {
            "byte" => format!("{} of the message", count(*number, what)),
            _ => count(*number, what),
        })
        .collect();
    if parts.is_empty() {
        return Ok(());
    }
    let parts = parts.join(", ");
    let line = format!("Left out of the report, which may be no longer: {parts}.");
    writeln!(out, "\n{}", styled(line, WARN))
}
