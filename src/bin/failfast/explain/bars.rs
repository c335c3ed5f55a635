//! Who held how much: a bar for each cluster, with a mark where its budget is.
//!
//! Above the layers.  Plane: control.

use crate::paint::{BAD, Canvas, USED, WARN, heading, styled};
use crate::report::{Cluster, Report};
use crate::text::{Shown, Size, columns, count, cut, percent};
use std::io::{self, Write};

/// More clusters than this make no picture.
const ROWS_MAX: usize = 32;
const NAME_COLUMNS_MAX: usize = 24;
/// What stands after a bar: `  63.49 MiB of 1,023.99 MiB  100.0 %`.
const TEXT_COLUMNS: usize = 36;

pub(super) fn write(out: &mut dyn Write, report: &Report, canvas: &Canvas) -> io::Result<()> {
    heading(out, "Who held how much")?;
    let rows = rows(report);
    if rows.is_empty() {
        writeln!(out, "  the report does not say")?;
    }
    let shown = &rows[..rows.len().min(ROWS_MAX)];
    let names: Vec<String> = shown.iter().map(|row| cut(&row.name, NAME_COLUMNS_MAX)).collect();
    let name_columns = names.iter().map(|name| columns(name)).max().unwrap_or(0);
    let scale =
        Scale::of(shown, report, canvas.width.saturating_sub(name_columns + TEXT_COLUMNS + 4));
    for (row, name) in shown.iter().zip(&names) {
        let asked = is_dead(row, report).then_some(report.requested).flatten().unwrap_or(0);
        let pad = " ".repeat(name_columns - columns(name));
        writeln!(out, "  {name}{pad}  {}  {}", scale.bar(row, asked, canvas), text(row))?;
    }
    if rows.len() > shown.len() {
        writeln!(out, "  and {}", count((rows.len() - shown.len()) as u64, "more cluster"))?;
    }
    beside(out, report)
}

/// The clusters; the one that died is there in any case.
fn rows(report: &Report) -> Vec<Cluster> {
    let mut rows: Vec<Cluster> = report
        .clusters
        .iter()
        .map(|it| Cluster { name: it.name.clone(), live: it.live, budget: it.budget })
        .collect();
    if let (Some(name), Some(live)) = (&report.cluster, report.live)
        && !rows.iter().any(|row| is_dead(row, report))
    {
        rows.insert(0, Cluster { name: name.clone(), live, budget: report.budget });
    }
    rows
}

/// Whether it is the cluster that died. Names are not unique; numbers tell them apart, as far as
/// they do.
fn is_dead(row: &Cluster, report: &Report) -> bool {
    report.cluster.as_ref() == Some(&row.name)
        && report.budget == row.budget
        && report.live == Some(row.live)
}

fn text(row: &Cluster) -> String {
    let live = Size(row.live);
    match row.budget {
        Some(Some(budget)) => {
            let part = percent(row.live, budget).unwrap_or_default();
            format!("{live} of {}  {part}", Size(budget))
        }
        Some(None) => format!("{live}, no budget"),
        None => live.to_string(),
    }
}

/// How many bytes a column is.
struct Scale {
    columns: u64,
    bytes: u64,
}

impl Scale {
    /// The longest bar is as long as there is room: all that is live or was asked for, and the
    /// budgets, unless one is so large that no bar would be seen beside it.
    fn of(rows: &[Cluster], report: &Report, columns: usize) -> Self {
        let live = rows.iter().map(|row| row.live).max().unwrap_or(0);
        let asked = report.requested.unwrap_or(0).min(live.max(1));
        let live = live.saturating_add(asked).max(1);
        let budgets = rows.iter().filter_map(|row| row.budget.flatten());
        let largest = budgets.filter(|budget| budget / 4 <= live).max().unwrap_or(0);
        Self { columns: columns.max(10) as u64, bytes: largest.max(live) }
    }

    fn column(&self, bytes: u64) -> usize {
        let column = u128::from(bytes) * u128::from(self.columns) / u128::from(self.bytes);
        usize::try_from(column).unwrap_or(usize::MAX).min(self.columns as usize)
    }

    /// Whoever holds anything is seen. A budget that is not reached has a column after the bar.
    fn bar(&self, row: &Cluster, asked: u64, canvas: &Canvas) -> String {
        let signs = canvas.signs;
        let all = self.columns as usize;
        let live = self.column(row.live).max(usize::from(row.live > 0));
        let asked = self.column(row.live.saturating_add(asked)).max(live);
        let budget = row.budget.flatten();
        let mark = budget.filter(|budget| *budget <= self.bytes);
        let mark = mark.map(|budget| match row.live < budget {
            true => self.column(budget).max(live),
            false => self.column(budget),
        });
        let sign = |column: usize| match column {
            _ if Some(column) == mark => (signs.budget, Some(BAD)),
            _ if column < live => (signs.full, Some(USED)),
            _ if column < asked => (signs.asked, Some(WARN)),
            _ if column == all && budget.is_some_and(|budget| budget > self.bytes) => {
                (signs.beyond, Some(BAD))
            }
            _ => (' ', None),
        };
        runs((0..=all).map(sign))
    }
}

/// Signs with their styles, a style once for all that stand together.
fn runs(signs: impl Iterator<Item = (char, Option<anstyle::Style>)>) -> String {
    let (mut bar, mut run, mut style) = (String::new(), String::new(), None);
    for (sign, own) in signs.chain([('\0', None)]) {
        if own != style || sign == '\0' {
            match style {
                Some(style) if !run.is_empty() => bar += &styled(&run, style),
                _ => bar += &run,
            }
            run.clear();
            style = own;
        }
        if sign != '\0' {
            run.push(sign);
        }
    }
    bar
}

/// What the kernel counts, which is another thing.
fn beside(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    if let Some(peak) = report.peak {
        let cluster = report.cluster.as_deref().unwrap_or("?");
        writeln!(out, "  The most that `{}` ever had was {}.", Shown(cluster), Size(peak))?;
    }
    if let Some(resident) = report.resident.flatten() {
        write!(out, "  Of the process {} were resident", Size(resident))?;
        match (report.cgroup_current.flatten(), report.cgroup_limit.flatten()) {
            (Some(current), Some(limit)) => {
                writeln!(out, "; its cgroup counted {} of {}.", Size(current), Size(limit))
            }
            (Some(current), None) => writeln!(out, "; its cgroup counted {}.", Size(current)),
            _ => writeln!(out, "."),
        }?;
    }
    Ok(())
}
