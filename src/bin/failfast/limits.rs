//! `failfast limits`: which memory limits there are, and what budgets would come to.
//!
//! Above the layers.  Plane: control.

use crate::paint::{BAD, Choice, DIM, WARN, heading, styled};
use crate::text::{Exact, Shown, Size};
use failfast_alloc::limits::{MemoryLimitFound, MemoryLimits, Origin, memory};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::process::ExitCode;

/// The percentage that is shown beside `auto`.
const EXAMPLE_PERCENT: u8 = 75;

/// Say which memory limits hold here, where they come from, and what `auto` and `75%` would be
///
/// It looks as a program does whose budget is given in percent: the least of every ancestor's
/// control group, of `ulimit -v`, of `ulimit -d` and of the machine counts. Run it where the
/// program runs: in its container, under its service.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  failfast limits
  docker run --rm --memory 512m IMAGE failfast limits
  FAILFAST_BUDGET=$(failfast limits --json | jq .auto_bytes) ./server")]
pub(crate) struct Asked {
    /// One JSON object on one line
    #[arg(long)]
    json: bool,
}

/// Says what there is.
pub(crate) fn limits(asked: &Asked, choice: Choice) -> io::Result<ExitCode> {
    let limits = memory();
    let mut out = choice.stdout();
    match asked.json {
        true => writeln!(out, "{}", as_json(&limits))?,
        false => write(&mut out, &limits)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn write(out: &mut dyn Write, limits: &MemoryLimits) -> io::Result<()> {
    writeln!(out, "{}", styled("Memory limits", crate::paint::HEAD))?;
    let least = limits.least();
    for limit in limits.all() {
        let is_least = least.is_some_and(|least| std::ptr::eq(least, limit));
        let bytes = match limit.bytes() {
            Some(bytes) => format!("{} ({} bytes)", Size(bytes), Exact(bytes)),
            None => "no limit".to_string(),
        };
        let line = format!("{:<34}  {}", bytes, place(limit));
        let line = match (is_least, limit.bytes()) {
            (true, _) => styled(line, BAD) + "  <- the least",
            (false, None) => styled(line, DIM),
            _ => line,
        };
        writeln!(out, "  {line}")?;
    }
    if limits.may_be_lower() {
        let line = "  Whether a control group sets a lower limit could not be read.";
        writeln!(out, "{}", styled(line, WARN))?;
    }
    heading(out, "Budgets")?;
    for (name, budget) in [
        ("auto".to_string(), limits.auto()),
        (format!("{EXAMPLE_PERCENT}%"), limits.percent(EXAMPLE_PERCENT)),
    ] {
        let budget = match budget.map(|budget| budget as u64) {
            Some(budget) => format!("{} ({} bytes)", Size(budget), Exact(budget)),
            None => "an error at start: there is no limit to take a part of".to_string(),
        };
        writeln!(out, "  FAILFAST_BUDGET={name:<5} {budget}")?;
    }
    Ok(())
}

/// Where a limit comes from.
fn place(limit: &MemoryLimitFound) -> String {
    let origin = limit.origin();
    match (limit.path(), origin) {
        (Some(path), _) => Shown(&path.to_string_lossy()).to_string(),
        (None, Origin::AddressSpace) => format!("{origin} (ulimit -v)"),
        (None, Origin::Data) => format!("{origin} (ulimit -d)"),
        (None, _) => origin.to_string(),
    }
}

/// The name of an origin for machines; it never changes.
fn code(origin: Origin) -> &'static str {
    match origin {
        Origin::CgroupV2 => "cgroup-v2",
        Origin::CgroupV1 => "cgroup-v1",
        Origin::AddressSpace => "rlimit-as",
        Origin::Data => "rlimit-data",
        Origin::Physical => "physical",
        _ => "other",
    }
}

fn as_json(limits: &MemoryLimits) -> Value {
    let one = |limit: &MemoryLimitFound| {
        json!({
            "origin": code(limit.origin()),
            "bytes": limit.bytes(),
            "path": limit.path().map(|path| path.to_string_lossy()),
        })
    };
    json!({
        "limits": limits.all().iter().map(one).collect::<Vec<_>>(),
        "least": limits.least().map(one),
        "may_be_lower": limits.may_be_lower(),
        "auto_bytes": limits.auto(),
        "percent_75_bytes": limits.percent(EXAMPLE_PERCENT),
    })
}
