//! Counts a subject's instructions, with valgrind's callgrind.
//!
//! Counts are the same on a busy machine and on an idle one, to a fraction of an instruction per
//! operation. What they do not show: that a locked instruction, or a missed cache line, takes
//! longer than others. And valgrind runs one thread at a time, so workloads of several are not
//! counted.

use std::io;
use std::path::Path;
use std::process::Command;

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
    let more = least(subject, job, many)? - least(subject, job, few)?;
    Ok(more / (many - few) as f64)
}

/// The instructions of the shorter of two runs: what comes on top, now and then, is none of the
/// job's.
fn least(subject: &Path, job: &str, operations: usize) -> io::Result<f64> {
    Ok(total(subject, job, operations)?.min(total(subject, job, operations)?))
}

/// What has mimalloc not give memory back after ten milliseconds: on a busy machine, in valgrind,
/// that comes at any moment, and is counted with whatever was going on.
const NO_PURGE: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "-1");

/// All instructions of one run.
fn total(subject: &Path, job: &str, operations: usize) -> io::Result<f64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(subject).arg(job).arg(operations.to_string()).env(NO_PURGE.0, NO_PURGE.1);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    match collected.and_then(|(_, number)| number.trim().parse().ok()) {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(io::Error::other(format!("{command:?} ended with {}: {said}", output.status))),
    }
}
