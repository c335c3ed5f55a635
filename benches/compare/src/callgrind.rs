//! Counts a subject's instructions, with valgrind's callgrind.
//!
//! Counts are the same on a busy machine and on an idle one, to a fraction of an instruction per
//! operation. What they do not show: that a locked instruction, or a missed cache line, takes
//! longer than others. And valgrind runs one thread at a time, so workloads of several are not
//! counted.

use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::workload::{Workload, clusters};

/// Whether valgrind is installed.
pub fn is_available() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// How many operations the two runs do whose difference is the price, or `None` for workloads that
/// are not counted.
fn operations(workload: Workload) -> Option<(usize, usize)> {
    match workload {
        Workload::Pair64 | Workload::Ring => Some((8_192, 40_960)),
        Workload::VecGrow => Some((20, 120)),
        Workload::Json | Workload::BTree => Some((1, 3)),
        Workload::ProdCons | Workload::Mt2 | Workload::Mt8 => None,
    }
}

/// The workloads that are counted.
pub fn workloads() -> impl Iterator<Item = Workload> {
    Workload::ALL.into_iter().filter(|&workload| operations(workload).is_some())
}

/// The instructions per operation of `workload` in the program `subject`.
///
/// # Errors
///
/// If the program does not run under valgrind; the text says how it ended.
///
/// # Panics
///
/// If the workload is not among [`workloads`].
pub fn per_operation(subject: &Path, workload: Workload) -> io::Result<f64> {
    per_job(subject, &workload.to_string(), operations(workload).expect("one of `workloads`"))
}

/// The instructions per operation of a job of clusters.
///
/// # Errors
///
/// As [`per_operation`].
pub fn per_cluster_job(subject: &Path, job: clusters::Job) -> io::Result<f64> {
    per_job(subject, &job.to_string(), (8_192, 40_960))
}

fn per_job(subject: &Path, job: &str, (few, many): (usize, usize)) -> io::Result<f64> {
    let more = total(subject, job, many)? - total(subject, job, few)?;
    Ok(more / (many - few) as f64)
}

/// What has mimalloc not give memory back after ten milliseconds: on a busy machine, in valgrind,
/// that comes at any moment, and is counted with whatever was going on.
const NO_PURGE: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "-1");

/// Where a block lies beyond the 64 MiB of addresses in which the thread's last one was, its owner
/// is looked up the long way, which this function does. mimalloc begins its heap at a random
/// multiple of 4 MiB, so that in one run of 16 the first blocks lie on both sides of such a border,
/// and a pair costs some 80 instructions more. That is no price of the path that is counted.
const LONG_WAY: &str = "dealloc_far";
/// How often it is gone at most in a run that counts.
const LONG_WAY_MAX: u64 = 64;
/// How often a run is repeated that does not: 16 such in a row are no chance.
const TRIES: usize = 16;

/// All instructions of one run whose blocks lie together.
fn total(subject: &Path, job: &str, operations: usize) -> io::Result<f64> {
    for _ in 0..TRIES {
        let (instructions, long_ways) = run(subject, job, operations)?;
        if long_ways <= LONG_WAY_MAX {
            return Ok(instructions);
        }
    }
    Err(io::Error::other(format!("`{job}` went the long way to its blocks in {TRIES} runs")))
}

/// All instructions of one run, and how often it went the long way.
fn run(subject: &Path, job: &str, operations: usize) -> io::Result<(f64, u64)> {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let number = (std::process::id(), RUNS.fetch_add(1, Relaxed));
    let profile = std::env::temp_dir().join(format!("callgrind.{}.{}", number.0, number.1));
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", profile.display()));
    command.arg(subject).arg(job).arg(operations.to_string()).env(NO_PURGE.0, NO_PURGE.1);
    let output = command.output()?;
    let counted = std::fs::read_to_string(&profile).map(|text| calls(&text, LONG_WAY));
    std::fs::remove_file(&profile)?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    match collected.and_then(|(_, number)| number.trim().parse().ok()) {
        Some(count) if output.status.success() => Ok((count, counted?)),
        _ => Err(io::Error::other(format!("{command:?} ended with {}: {said}", output.status))),
    }
}

/// How often a function was called, by a profile of callgrind's: the name stands with a number in
/// brackets where it occurs first, and the number alone after that.
fn calls(profile: &str, function: &str) -> u64 {
    let mut names =
        profile.lines().filter_map(|line| line.trim_start_matches('c').split_once(") "));
    let Some((id, _)) = names.find(|(id, name)| id.starts_with("fn=(") && name.contains(function))
    else {
        return 0;
    };
    let called = format!("c{id})");
    let is_called = |line: &str| line.starts_with(&called);
    let mut sum = 0;
    let mut lines = profile.lines();
    while let Some(line) = lines.next() {
        if is_called(line) {
            let times = lines.next().and_then(|calls| calls.strip_prefix("calls="));
            let times = times.and_then(|calls| calls.split(' ').next());
            sum += times.and_then(|times| times.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    #[test]
    fn calls_are_counted() {
        let profile = "fn=(1) a\n1 5\ncfn=(12) x::dealloc_far [p]\ncalls=3 0\n1 90\nfn=(2) b\n\
            cfn=(12)\ncalls=40 0\n2 7\ncfn=(1)\ncalls=5 0\n3 1\n";
        assert_eq!(super::calls(profile, super::LONG_WAY), 43);
        assert_eq!(super::calls(profile, "nobody"), 0);
    }
}
