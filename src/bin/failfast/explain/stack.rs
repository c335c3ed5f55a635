//! The stack that ran out, as a picture: it grows down, as on the page.
//!
//! Above the layers.  Plane: control.

use crate::paint::{BAD, Canvas, DIM, heading, styled};
use crate::report::{Report, Stack};
use crate::text::{Shown, Size};
use std::io::{self, Write};

/// A place on the stack.
struct Mark {
    at: u64,
    text: String,
    is_end: bool,
    is_bad: bool,
}

pub(super) fn write(out: &mut dyn Write, report: &Report, canvas: &Canvas) -> io::Result<()> {
    let Some(stack) = &report.stack else { return Ok(()) };
    heading(out, "The stack")?;
    let marks = marks(stack);
    let signs = canvas.signs;
    for (index, mark) in marks.iter().enumerate() {
        let sign = match mark.is_end {
            true if index == 0 => signs.top,
            true => signs.bottom,
            false if mark.is_bad => signs.point,
            false => signs.mark,
        };
        let text = if mark.is_bad { styled(&mark.text, BAD) } else { mark.text.clone() };
        writeln!(out, "  {:#018x}  {sign}  {text}", mark.at)?;
        if let Some(next) = marks.get(index + 1) {
            let apart = styled(Size(mark.at - next.at), DIM);
            let side = if is_within(stack, mark.at, next.at) { signs.side } else { ' ' };
            writeln!(out, "  {:18}  {side}     {apart}", "")?;
        }
    }
    if let Some(by) = &stack.found_by {
        writeln!(out, "  Found by {}.", found_by(by))?;
    }
    Ok(())
}

fn found_by(by: &str) -> String {
    match by {
        "guard" => "a fault on the guard page".to_string(),
        "probe" => "the check on entry to the allocator".to_string(),
        other => format!("`{}`", Shown(other)),
    }
}

/// Whether what lies between two marks is a part of the stack.
fn is_within(stack: &Stack, above: u64, below: u64) -> bool {
    stack.high.is_some_and(|high| above <= high) && stack.low.is_some_and(|low| below >= low)
}

/// From the highest address down.
fn marks(stack: &Stack) -> Vec<Mark> {
    let mark = |at: Option<u64>, text: &str| {
        at.map(|at| Mark { at, text: text.to_string(), is_end: false, is_bad: false })
    };
    let budget = stack.high.zip(stack.budget.flatten());
    let budget = budget.and_then(|(high, budget)| high.checked_sub(budget));
    let end = |mark: Mark| Mark { is_end: true, ..mark };
    let bad = |mark: Mark| Mark { is_bad: true, ..mark };
    let marks = [
        mark(stack.high, "its beginning").map(end),
        mark(budget, "as far as the budget allows"),
        mark(stack.pointer, "the stack pointer"),
        mark(stack.address, "the address that could not be used").map(bad),
        mark(stack.low, "its end").map(end),
    ];
    let mut marks: Vec<Mark> = marks.into_iter().flatten().collect();
    // Stable: of marks at one address those of this list come first.
    marks.sort_by_key(|mark| std::cmp::Reverse(mark.at));
    merge(marks)
}

/// Marks at one address are one line.
fn merge(marks: Vec<Mark>) -> Vec<Mark> {
    let mut merged: Vec<Mark> = Vec::new();
    for mark in marks {
        match merged.last_mut().filter(|last| last.at == mark.at) {
            Some(last) => {
                last.text = format!("{}, {}", last.text, mark.text);
                last.is_bad |= mark.is_bad;
                last.is_end |= mark.is_end;
            }
            None => merged.push(mark),
        }
    }
    merged
}
