//! Two threads with 64 KiB to spare, against plenty.

use std::io;

use failfast_alloc_bench::matrix::{Inner, Wrapper};
use failfast_alloc_bench::workload::spare::{BUDGET, Shape};

use crate::statistics::median;
use crate::subjects::Subjects;
use crate::table;

const SPARE: usize = 64 << 10;
const PLENTY: usize = BUDGET / 2;

/// Some ten milliseconds with plenty: a block in the queue is a change of threads, or two.
fn operations(shape: Shape) -> usize {
    match shape {
        Shape::Queue => 20_000,
        Shape::Pairs | Shape::Window | Shape::Brim => 1_000_000,
    }
}

/// Measures, and prints a table.
pub(crate) fn print(subjects: &Subjects, quick: bool) -> io::Result<()> {
    let rounds = if quick { 3 } else { 11 };
    let mut rows = Vec::new();
    for inner in Inner::ALL {
        for shape in Shape::ALL {
            let mut samples = Vec::new();
            for _ in 0..rounds {
                let near = nanoseconds(subjects, inner, shape, SPARE)?;
                let plenty = nanoseconds(subjects, inner, shape, PLENTY)?;
                samples.push((near, plenty, plenty / near));
            }
            let worst = samples.iter().map(|s| s.2).fold(f64::INFINITY, f64::min);
            rows.push(vec![
                inner.to_string(),
                shape.name().to_owned(),
                format!("{:.1}", median(samples.iter().map(|s| s.1))),
                format!("{:.1}", median(samples.iter().map(|s| s.0))),
                format!("{:.2}", median(samples.iter().map(|s| s.2))),
                format!("{worst:.2}"),
            ]);
        }
    }
    let said = format!(
        "Two threads under FailFast, blocks of 1 KiB, nanoseconds per operation; medians of \
         {rounds} rounds. Promised: a speed of no less than 0.05 of that with plenty."
    );
    let header =
        table::header(["inner", "", "plenty", "64 KiB to spare", "speed kept", "worst round"]);
    table::print("Near the limit", &said, &header, rows);
    Ok(())
}

fn nanoseconds(subjects: &Subjects, inner: Inner, shape: Shape, spare: usize) -> io::Result<f64> {
    let operations = operations(shape);
    let job = [shape.name(), &operations.to_string(), &spare.to_string()];
    let numbers = subjects.run((inner, Wrapper::FailFast), &job, Some(BUDGET))?;
    let nanos = numbers.first().ok_or_else(|| io::Error::other("a subject printed no number"))?;
    Ok(nanos / operations as f64)
}
