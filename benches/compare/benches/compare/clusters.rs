//! What clusters cost: to be in one, to come and go, to make and end them, and to have many.

use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use failfast_alloc_bench::callgrind;
use failfast_alloc_bench::matrix::{Inner, Wrapper};
use failfast_alloc_bench::workload::Workload;
use failfast_alloc_bench::workload::clusters::Job;

use crate::statistics::median;
use crate::subjects::Subjects;
use crate::table;

const FAILFAST: (Inner, Wrapper) = (Inner::System, Wrapper::FailFast);

/// Prints all tables.
pub(crate) fn print(subjects: &Subjects, quick: bool) -> io::Result<()> {
    print_instructions(subjects)?;
    print_time(subjects, if quick { 15 } else { 101 })?;
    print_siblings(subjects, if quick { 3 } else { 15 })?;
    print_memory(subjects)
}

fn print_instructions(subjects: &Subjects) -> io::Result<()> {
    if !callgrind::is_available() {
        println!("\n### Clusters, in instructions\n\nSKIPPED: valgrind is not installed.");
        return Ok(());
    }
    let mut rows = Vec::new();
    for inner in [Inner::System, Inner::Mimalloc, Inner::Jemalloc] {
        let subject = subjects.subject(inner, Wrapper::FailFast);
        for workload in [Workload::Pair64, Workload::Ring] {
            let root = callgrind::per_operation(&subject, workload)?;
            let again = callgrind::per_operation(&subject, workload)?;
            let inside = callgrind::per_cluster_job(&subject, Job::Inside(workload))?;
            let beside = callgrind::per_cluster_job(&subject, Job::Beside(workload))?;
            let added = [again, beside, inside].map(|count| format!("{:+.1}", count - root));
            let row = [inner.to_string(), workload.to_string(), format!("{root:.1}")];
            rows.push(row.into_iter().chain(added).collect());
        }
    }
    let header = ["inner", "", "root", "root again", "root, a cluster exists", "inside a cluster"];
    let said = "Instructions per pair, counted by callgrind: in a process without clusters, and \
        what is added to that. Aimed at 30 inside, promised 45.";
    table::print("Clusters, in instructions", said, &table::header(header), rows);
    Ok(())
}

fn print_time(subjects: &Subjects, rounds: usize) -> io::Result<()> {
    let jobs = [
        (Job::Enter, 100_000, "enter and leave", "10 ns"),
        (Job::Make, 3_200, "make and end", "2 us"),
        (Job::MakeUsed, 3_200, "the same, used by this thread", "2 us"),
        (Job::MakeShared, 3_200, "the same, used by two threads", "2 us"),
    ];
    let mut rows = Vec::new();
    for (job, operations, label, bound) in jobs {
        let mut samples = Vec::new();
        for _ in 0..rounds {
            let numbers =
                subjects.run(FAILFAST, &[&job.to_string(), &operations.to_string()], None)?;
            samples.push(numbers.first().copied().unwrap_or(f64::NAN) / operations as f64);
        }
        let least = samples.iter().copied().fold(f64::INFINITY, f64::min);
        let middle = median(samples);
        let cells = [format!("{least:.1}"), format!("{middle:.1}"), bound.to_owned()];
        rows.push(std::iter::once(label.to_owned()).chain(cells).collect());
    }
    let said = format!(
        "Nanoseconds per operation, over the C library's malloc, {rounds} processes each: on a \
         busy machine the least is what the code takes. Ends of clusters that several threads used \
         are settled in batches of 32."
    );
    table::print(
        "Clusters, in time",
        &said,
        &table::header(["", "least", "median", "promised"]),
        rows,
    );
    Ok(())
}

/// Two threads in sibling clusters, against two processes that each have one thread in a cluster.
fn print_siblings(subjects: &Subjects, rounds: usize) -> io::Result<()> {
    // So many that it does not count when the kernel puts two new threads on one processor, until
    // it notices: that takes some 5 ms.
    const EACH: usize = 10_000_000;
    let mut rows = Vec::new();
    for inner in [Inner::System, Inner::Mimalloc] {
        let mut samples = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (n, sample) in samples.iter_mut().enumerate() {
                sample.push(if n == 1 {
                    let job = [&Job::Siblings.to_string()[..], &(2 * EACH).to_string()];
                    let numbers = subjects.run((inner, Wrapper::FailFast), &job, None)?;
                    numbers.first().copied().unwrap_or(f64::NAN) / EACH as f64
                } else {
                    processes(subjects, inner, EACH)?
                });
            }
        }
        let [two, siblings, again] = samples.map(median);
        let cells = [two, again, siblings].map(|nanos| format!("{nanos:.1}"));
        let ratio = format!("{:.2}", siblings / ((two + again) / 2.0));
        rows.push(std::iter::once(inner.to_string()).chain(cells).chain([ratio]).collect());
    }
    let said = format!(
        "`ring` inside clusters, nanoseconds per pair of each of the two, medians of {rounds} \
         rounds: two processes, and two threads in sibling clusters. `again` is noise."
    );
    let header = ["", "two processes", "again", "sibling clusters", "ratio"];
    table::print("Sibling clusters", &said, &table::header(header), rows);
    Ok(())
}

/// The longer of two processes at once, by their own clocks.
fn processes(subjects: &Subjects, inner: Inner, operations: usize) -> io::Result<f64> {
    let start = || {
        let mut command = Command::new(subjects.subject(inner, Wrapper::FailFast));
        command.arg(Job::Inside(Workload::Ring).to_string()).arg(operations.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
    };
    let mut longest = 0.0_f64;
    for child in [start()?, start()?] {
        let output = child.wait_with_output()?;
        let nanos: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(f64::NAN);
        longest = longest.max(nanos);
    }
    Ok(longest / operations as f64)
}

fn print_memory(subjects: &Subjects) -> io::Result<()> {
    let mut rows = Vec::new();
    for (blocks, bytes) in [(200_000, 24), (100_000, 100), (10_000, 10_000)] {
        let job = ["clusters-map", &blocks.to_string(), &bytes.to_string()];
        let numbers = subjects.run(FAILFAST, &job, None)?;
        let [inside, roots] = numbers[..] else { continue };
        rows.push(vec![
            format!("{blocks} blocks of {bytes}"),
            format!("{roots}"),
            format!("{inside}"),
            format!("{:.3}", (inside - roots) / roots),
        ]);
    }
    let said = "KiB of anonymous memory that blocks take in the root while a cluster exists, and \
        inside it: what is added is the map of owners. Promised: an eighth, 0.125.";
    let header = ["", "root", "inside", "added, of the root's"];
    table::print("Memory of the map of owners", said, &table::header(header), rows);
    let start = Instant::now();
    let numbers = subjects.run(FAILFAST, &["clusters-many", "1000", "64"], None)?;
    let whole = start.elapsed().as_millis();
    let [bytes, first, again, end] = numbers[..] else {
        return Err(io::Error::other("a subject printed other numbers"));
    };
    let row = [
        format!("{bytes:.0}"),
        format!("{first:.0}"),
        format!("{again:.0}"),
        format!("{end:.1}"),
        whole.to_string(),
    ];
    let header = table::header([
        "bytes per account",
        "first visit, ns",
        "later, ns",
        "end of all, ms",
        "whole process, ms",
    ]);
    let said = "Each thread is in each cluster, to allocate a block there and free another: 64,000 \
        accounts; nanoseconds of wall time per visit, 64 threads on these processors.";
    table::print("1,000 clusters in 64 threads", said, &header, vec![row.into()]);
    Ok(())
}
