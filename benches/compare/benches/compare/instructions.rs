//! Added instructions per operation.

use std::io;
use std::sync::Mutex;
use std::thread;

use failfast_alloc_bench::callgrind;
use failfast_alloc_bench::matrix::{Inner, Wrapper};
use failfast_alloc_bench::workload::Workload;

use crate::subjects::Subjects;
use crate::table;

/// snmalloc's reservation of address space fails under valgrind: its programs do not start there.
const INNERS: [Inner; 3] = [Inner::System, Inner::Mimalloc, Inner::Jemalloc];

/// What is counted, and the result.
struct Count {
    subject: (Inner, Wrapper),
    workload: Workload,
    instructions: io::Result<f64>,
}

/// Counts, and prints a table.
pub(crate) fn print(subjects: &Subjects, quick: bool) -> io::Result<()> {
    if !callgrind::is_available() {
        println!("\n### Instructions\n\nSKIPPED: valgrind is not installed (Debian: `valgrind`).");
        return Ok(());
    }
    let workloads: Vec<Workload> = callgrind::workloads().take(if quick { 2 } else { 9 }).collect();
    let mut rows = Vec::new();
    for inner in INNERS {
        let counts = count(subjects, inner, &workloads);
        rows.extend(rows_of(inner, &workloads, &counts)?);
    }
    let header = ["inner", "wrapper"].into_iter().map(str::to_owned);
    let header = header.chain(workloads.iter().map(Workload::to_string)).collect::<Vec<_>>();
    let said = "Instructions per operation, counted by callgrind: of the bare inner allocator, and \
        what is added to them. `bare again` is noise. snmalloc does not start under valgrind.";
    table::print("Instructions", said, &header, rows);
    Ok(())
}

/// Counts all subjects over `inner`, two at a time. Bare comes twice.
fn count(subjects: &Subjects, inner: Inner, workloads: &[Workload]) -> Vec<Count> {
    let wrappers = [Wrapper::Bare].into_iter().chain(Wrapper::ALL).filter(|w| w.fits(inner));
    let jobs: Vec<_> =
        wrappers.flat_map(|wrapper| workloads.iter().map(move |&job| (wrapper, job))).collect();
    let next = Mutex::new(jobs.iter().enumerate());
    let done = Mutex::new(Vec::new());
    let work = || {
        loop {
            let Some((n, &(wrapper, workload))) = next.lock().expect("no panic").next() else {
                return;
            };
            let subject = (inner, wrapper);
            let path = subjects.subject(inner, wrapper);
            let instructions = callgrind::per_operation(&path, workload);
            let count = Count { subject, workload, instructions };
            done.lock().expect("no panic").push((n, count));
        }
    };
    thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    let mut done = done.into_inner().expect("no panic");
    done.sort_by_key(|&(n, _)| n);
    done.into_iter().map(|(_, count)| count).collect()
}

fn rows_of(inner: Inner, workloads: &[Workload], counts: &[Count]) -> io::Result<Vec<Vec<String>>> {
    let bare: Vec<f64> = values(&counts[..workloads.len()])?;
    let mut rows = Vec::new();
    for (n, row) in counts.chunks(workloads.len()).enumerate() {
        let label = match n {
            0 => "bare".to_owned(),
            1 => "bare again".to_owned(),
            _ => row[0].subject.1.to_string(),
        };
        let cells = values(row)?.into_iter().zip(&bare).zip(row);
        let cells = cells.map(|((count, bare), job)| match n {
            0 => format!("{count:.1}"),
            _ => added(job.workload, count, *bare),
        });
        rows.push([inner.to_string(), label].into_iter().chain(cells).collect());
    }
    Ok(rows)
}

fn values(counts: &[Count]) -> io::Result<Vec<f64>> {
    let copy = |error: &io::Error| io::Error::other(error.to_string());
    counts.iter().map(|count| count.instructions.as_ref().copied().map_err(copy)).collect()
}

/// Where an operation is a whole program's work, in percent of it.
fn added(workload: Workload, count: f64, bare: f64) -> String {
    match workload {
        Workload::Json | Workload::BTree => format!("{:+.2} %", 100.0 * (count / bare - 1.0)),
        _ => format!("{:+.1}", count - bare),
    }
}
