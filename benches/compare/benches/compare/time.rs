//! Wall time of each workload.

use std::io;
use std::time::{Duration, Instant};

use failfast_alloc_bench::matrix::{Inner, Wrapper};
use failfast_alloc_bench::workload::Workload;

use crate::statistics::{Cell, geometric_mean, interval, median};
use crate::subjects::Subjects;
use crate::table;

/// What is run beside the two bare ones.
const WRAPPERS: [Wrapper; 5] =
    [Wrapper::FailFast, Wrapper::Portable, Wrapper::Cap, Wrapper::Stats, Wrapper::Tracking];

/// One workload over one inner allocator: the samples of all subjects, in nanoseconds per
/// operation, one per round.
struct Group {
    inner: Inner,
    workload: Workload,
    operations: usize,
    /// The bare inner allocator, the same again, and the wrappers that fit.
    rows: Vec<(Wrapper, Vec<f64>)>,
}

/// Measures, and prints a table for each inner allocator, and a summary.
pub(crate) fn print(subjects: &Subjects, quick: bool) -> io::Result<()> {
    let (sample, total) = if quick { (2, 20) } else { (8, 180) };
    let mut groups = Vec::new();
    for inner in Inner::ALL {
        for workload in Workload::ALL {
            groups.push(Group::new(subjects, inner, workload, Duration::from_millis(sample))?);
        }
    }
    let rounds = measure(&mut groups, subjects, Duration::from_secs(total))?;
    for inner in Inner::ALL {
        print_inner(inner, &groups, rounds);
    }
    print_summary(&groups, rounds);
    Ok(())
}

/// Round after round until the time is used up. In a round the groups come in random order, and in
/// each its subjects do, one right after the other: what else the machine does hits them alike.
fn measure(groups: &mut [Group], subjects: &Subjects, total: Duration) -> io::Result<usize> {
    let mut random = fastrand::Rng::new();
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < 3 || start.elapsed() < total {
        random.shuffle(groups);
        for group in &mut *groups {
            group.sample(subjects, &mut random)?;
        }
        rounds += 1;
    }
    Ok(rounds)
}

impl Group {
    /// With so many operations that the bare inner allocator takes about `sample`.
    fn new(
        subjects: &Subjects,
        inner: Inner,
        workload: Workload,
        sample: Duration,
    ) -> io::Result<Self> {
        let least = match workload {
            Workload::Json | Workload::BTree => 1,
            Workload::VecGrow => 8,
            _ => 4_096,
        };
        let bare = (inner, Wrapper::Bare);
        let nanos = nanoseconds(subjects, bare, workload, least)?;
        let operations = (sample.as_nanos() as f64 / nanos * least as f64) as usize;
        let wrappers = WRAPPERS.into_iter().filter(|wrapper| wrapper.fits(inner));
        let rows = [Wrapper::Bare; 2].into_iter().chain(wrappers);
        let rows = rows.map(|wrapper| (wrapper, Vec::new())).collect();
        Ok(Self { inner, workload, operations: operations.max(least), rows })
    }

    /// One sample of each subject.
    fn sample(&mut self, subjects: &Subjects, random: &mut fastrand::Rng) -> io::Result<()> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        random.shuffle(&mut order);
        for row in order {
            let (wrapper, samples) = &mut self.rows[row];
            let subject = (self.inner, *wrapper);
            let nanos = nanoseconds(subjects, subject, self.workload, self.operations)?;
            samples.push(nanos / self.operations as f64);
        }
        Ok(())
    }

    /// Row `row` beside the bare ones; the second bare one is beside the first alone.
    fn cell(&self, row: usize) -> Cell<'_> {
        let bare = [0, if row == 1 { 0 } else { 1 }].map(|bare| &self.rows[bare].1[..]);
        Cell { samples: &self.rows[row].1, bare }
    }

    /// The row of a wrapper.
    fn row(&self, label: &str) -> Option<usize> {
        (1..self.rows.len()).find(|&row| self.label(row) == label)
    }

    fn label(&self, row: usize) -> String {
        if row == 1 { BARE_AGAIN.to_owned() } else { self.rows[row].0.to_string() }
    }
}

const BARE_AGAIN: &str = "bare again";

/// The rows of the tables, but for the bare one.
fn labels() -> impl Iterator<Item = String> {
    std::iter::once(BARE_AGAIN.to_owned()).chain(WRAPPERS.iter().map(Wrapper::to_string))
}

fn nanoseconds(
    subjects: &Subjects,
    subject: (Inner, Wrapper),
    workload: Workload,
    operations: usize,
) -> io::Result<f64> {
    let job = [&workload.to_string()[..], &operations.to_string()];
    let numbers = subjects.run(subject, &job, None)?;
    numbers.first().copied().ok_or_else(|| io::Error::other("a subject printed no number"))
}

fn print_inner(inner: Inner, groups: &[Group], rounds: usize) {
    let find = |workload| groups.iter().find(|g| g.inner == inner && g.workload == workload);
    let groups: Vec<&Group> = Workload::ALL.into_iter().filter_map(find).collect();
    let bare = groups.iter().map(|group| median(group.rows[0].1.iter().copied()));
    let mut rows =
        vec![table::header(std::iter::once("bare, ns".to_owned()).chain(bare.map(time)))];
    rows.last_mut().expect("just made").push(String::new());
    for label in labels() {
        let ratios: Option<Vec<f64>> =
            groups.iter().map(|group| Some(group.cell(group.row(&label)?).ratio())).collect();
        let Some(ratios) = ratios else {
            let none = Workload::ALL.map(|_| "n/a".to_owned());
            rows.push([label].into_iter().chain(none).chain(["n/a".to_owned()]).collect());
            continue;
        };
        let mean = geometric_mean(ratios.iter().copied());
        let numbers = ratios.into_iter().chain([mean]).map(|ratio| format!("{ratio:.2}"));
        rows.push(std::iter::once(label).chain(numbers).collect());
    }
    let mut header = table::header([inner.to_string()]);
    header.extend(Workload::ALL.map(|workload| workload.to_string()));
    header.push("geomean".to_owned());
    let said = format!(
        "Medians of {rounds} interleaved rounds: the first row in nanoseconds per operation, the \
         others as ratio to it. `bare again` is noise."
    );
    table::print(&format!("Wall time over {inner}"), &said, &header, rows);
}

fn print_summary(groups: &[Group], rounds: usize) {
    let rows = labels().map(|label| {
        let cells: Vec<Cell<'_>> =
            groups.iter().filter_map(|group| Some(group.cell(group.row(&label)?))).collect();
        let ratios: Vec<f64> = cells.iter().map(Cell::ratio).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let (low, high) = interval(&cells);
        let mut row = vec![label, format!("{:.3}", geometric_mean(ratios.iter().copied()))];
        row.extend([format!("{low:.3} to {high:.3}"), format!("{least:.2} to {most:.2}")]);
        row.push(cells.len().to_string());
        row
    });
    let header = table::header(["", "geomean", "95 % interval", "single cells", "cells"]);
    let said = format!(
        "Geometric mean of the ratios to bare over all workloads and inner allocators, {rounds} \
         rounds."
    );
    table::print("Wall time, all together", &said, &header, rows.collect());
}

/// Nanoseconds, with as many digits as mean something.
fn time(nanoseconds: f64) -> String {
    if nanoseconds < 100.0 { format!("{nanoseconds:.1}") } else { format!("{nanoseconds:.0}") }
}
