//! What to do next, for each cause.
//!
//! Above the layers.  Plane: control.

use super::frames::is_runtime;
use crate::paint::{Canvas, heading, paragraph};
use crate::report::Report;
use crate::symbols::Named;
use crate::text::{Enough, Shown, Size, count};
use std::collections::HashMap;
use std::io::{self, Write};

/// A function that is on the stack so often has recursed.
const RECURSION_MIN: usize = 4;

pub(super) fn write(
    out: &mut dyn Write,
    report: &Report,
    named: &Named,
    canvas: &Canvas,
) -> io::Result<()> {
    heading(out, "What to do")?;
    for hint in hints(report, named) {
        paragraph(out, canvas, &format!("  {} ", canvas.signs.point), &hint)?;
    }
    Ok(())
}

/// All hints, the most likely one first.
pub(super) fn hints(report: &Report, named: &Named) -> Vec<String> {
    let mut hints = match report.cause.as_str() {
        "heap-budget" => heap_budget(report),
        "allocator-refused" => allocator_refused(report),
        "stack-budget" => stack_budget(report),
        "stack-overflow" => stack_overflow(report),
        "requested" => vec![
            "Look at the message and at who called `fail_fast`: the program found itself \
             inconsistent, which is no question of memory."
                .to_string(),
        ],
        "ledger-unsettled" => vec![
            "A sandbox (seccomp) was closed after the program had started. Let it allow \
             `membarrier` or `sched_setaffinity`, or close it before the program starts."
                .to_string(),
        ],
        _ => vec![
            "Install a newer failfast; the members above mean what they say in any case."
                .to_string(),
        ],
    };
    if report.cause.starts_with("stack-") {
        hints.splice(0..0, recursion(named));
    }
    hints.extend(asker(report, named));
    hints.extend(hook(report));
    if named.frames.iter().all(Vec::is_empty) && !report.frames.is_empty() {
        hints.push(
            "No frame has a name. Where the program is not at the path of the report, name its \
             file with --binary or --debug-file, or the folder of its image with --sysroot."
                .to_string(),
        );
    }
    hints
}

fn heap_budget(report: &Report) -> Vec<String> {
    let name = report.cluster.as_deref().unwrap_or("root");
    let variable = match name {
        "root" => "FAILFAST_BUDGET".to_string(),
        name => format!("FAILFAST_CLUSTER_BUDGETS={}=…", Shown(name)),
    };
    let mut hints = Vec::new();
    let budget = report.budget.flatten();
    match report.requested.zip(budget) {
        Some((requested, budget)) if requested > budget => hints.push(
            "The request alone is larger than the budget: look for a length that is taken from \
             input without a bound."
                .to_string(),
        ),
        Some((requested, budget)) if requested < budget / 100 => hints.push(
            "The request is small: it is the last drop. Look above at who held most, not at who \
             asked last."
                .to_string(),
        ),
        _ => {}
    }
    if let Some(needed) = report.live.zip(report.requested).map(|(a, b)| a.saturating_add(b)) {
        hints.push(format!(
            "If it should have so much, raise {variable}: {} would have done for this request. \
             FAILFAST_MODE=observe finds out how much there ever is.",
            Enough(needed)
        ));
    }
    hints.push(
        "The same input does the same again: do not start over with it. A soft budget can end one \
         task before the process has to end."
            .to_string(),
    );
    hints
}

fn allocator_refused(report: &Report) -> Vec<String> {
    let mut hints = Vec::new();
    if let (Some(current), Some(limit)) =
        (report.cgroup_current.flatten(), report.cgroup_limit.flatten())
        && u128::from(current) * 11 >= u128::from(limit) * 10
    {
        hints.push("The cgroup was at its limit.".to_string());
    }
    hints.push(
        "`failfast limits`, run where the program runs, says which limit is the least: RLIMIT_AS \
         and RLIMIT_DATA make `malloc` return null, and so do `vm.overcommit_memory=2` and too \
         many mappings (`vm.max_map_count`)."
            .to_string(),
    );
    hints.push(
        "A budget below that limit (FAILFAST_BUDGET=auto) ends the program at the same place every \
         time, and not wherever the machine happens to be full."
            .to_string(),
    );
    hints
}

fn stack_budget(report: &Report) -> Vec<String> {
    let size = report.stack.as_ref().and_then(|stack| stack.used);
    let size = size.map(|used| format!(" ({} were in use)", Size(used))).unwrap_or_default();
    vec![format!("If so much stack is meant to be used{size}, raise FAILFAST_STACK_BUDGET.")]
}

fn stack_overflow(report: &Report) -> Vec<String> {
    let mut hints = vec![
        "If so deep a recursion is meant, give the thread more stack: `Builder::stack_size` or \
         RUST_MIN_STACK for threads, `ulimit -s` for the main thread."
            .to_string(),
    ];
    if report.stack.as_ref().and_then(|stack| stack.found_by.as_deref()) == Some("guard") {
        hints.push(
            "A stack budget (FAILFAST_STACK_BUDGET) ends it earlier, and `stack::remaining` lets \
             code ask before it goes deeper."
                .to_string(),
        );
    }
    hints
}

/// A function that is on the stack many times.
fn recursion(named: &Named) -> Option<String> {
    let mut times: HashMap<&str, usize> = HashMap::new();
    let functions = named.frames.iter().flatten().filter_map(|it| it.function.as_deref());
    functions.filter(|it| !is_runtime(it)).for_each(|it| *times.entry(it).or_default() += 1);
    let most = times.into_iter().max_by_key(|(name, times)| (*times, *name))?;
    let (function, times) = Some(most).filter(|(_, times)| *times >= RECURSION_MIN)?;
    Some(format!(
        "`{}` is on the part of the stack that was kept {}: bound the depth of this recursion by \
         something else than its input, or keep its work in a Vec.",
        Shown(function),
        count(times as u64, "time")
    ))
}

/// The first function that is the program's own.
fn asker(report: &Report, named: &Named) -> Option<String> {
    if !matches!(report.cause.as_str(), "heap-budget" | "allocator-refused" | "requested") {
        return None;
    }
    let own = |it: &&crate::symbols::Symbol| {
        it.function.as_deref().is_some_and(|function| !is_runtime(function))
    };
    let symbol = named.frames.iter().flatten().find(own)?;
    let place = super::frames::place(symbol).map(|it| format!(" at {}", Shown(&it)));
    let function = Shown(symbol.function.as_deref().unwrap_or_default()).to_string();
    Some(format!("It was asked for in `{function}`{}.", place.unwrap_or_default()))
}

fn hook(report: &Report) -> Option<String> {
    let hint = match (report.hook.as_deref()?, report.hook_failure.as_deref()) {
        ("timeout", _) => "The hook was too slow: let it do less, or raise FAILFAST_HOOK_TIMEOUT.",
        ("crashed", Some("reserve")) => {
            "The hook needed more memory than was set aside for it: raise FAILFAST_RESERVE."
        }
        ("crashed", Some("thread")) => "The hook started a thread, which a hook cannot.",
        ("crashed", Some("overflow")) => "The hook used more stack than it has: let it do less.",
        ("crashed", _) => "The hook itself failed: test it with `fail_fast`.",
        ("skipped", _) => {
            "The hook did not run. A thread that blocks signal 33 by a raw system call cannot be \
             stopped; nor is there a hook where nobody can hold to its deadline."
        }
        _ => return None,
    };
    Some(hint.to_string())
}
