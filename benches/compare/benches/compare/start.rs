//! From exec to exit of a program that does nothing.

use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use failfast_alloc_bench::matrix::{Inner, Wrapper};

use crate::memory::resident;
use crate::statistics::median;
use crate::subjects::Subjects;
use crate::table;

/// What is run: a program, and its reserve in KiB if that is not the default.
const RUNS: [(&str, Option<usize>); 4] = [
    ("start-bare", None),
    ("start-bare", None),
    ("start-failfast", Some(RESERVE_KIB)),
    ("start-failfast", Some(RESERVE_KIB + MORE_KIB)),
];
/// The default.
const RESERVE_KIB: usize = 256;
/// How much more the fourth run has; what that takes is the price of touching so much memory.
const MORE_KIB: usize = 1024;

/// Measures, and prints a table.
pub(crate) fn print(subjects: &Subjects, quick: bool) -> io::Result<()> {
    let rounds = if quick { 200 } else { 1000 };
    let micros = measure(subjects, rounds)?;
    // Against another run of the same round: what slows down a whole round cancels out.
    let more = |n: usize, than: usize| {
        median(micros[n].iter().zip(&micros[than]).map(|(this, that)| this - that))
    };
    let touched_kib = resident(subjects, Inner::System, Wrapper::FailFast)?
        - resident(subjects, Inner::System, Wrapper::Bare)?;
    let touching = more(3, 2) / MORE_KIB as f64 * touched_kib;
    let whole = |n: usize| format!("{:.0}", median(micros[n].iter().copied()));
    let none = String::new;
    let rows = [
        ["bare".to_owned(), whole(0), none()],
        ["bare again".to_owned(), whole(1), format!("{:+.0}", more(1, 0))],
        ["failfast".to_owned(), whole(2), format!("{:+.0}", more(2, 0))],
        [format!("of that, touching {touched_kib} KiB"), none(), format!("{touching:+.0}")],
        ["of that, all else".to_owned(), none(), format!("{:+.0}", more(2, 0) - touching)],
    ];
    let said = format!(
        "Microseconds from exec to exit, over the C library's malloc: medians of {rounds} \
         interleaved runs. FailFast touches its reserve and the stacks it dies on; what that takes \
         is known from runs with 1 MiB more of reserve. Promised: at most 300 for all else."
    );
    let rows = rows.into_iter().map(Vec::from).collect();
    table::print("Start-up", &said, &table::header(["", "us", "added"]), rows);
    Ok(())
}

/// The times of all `RUNS`, in microseconds, in random order in each round.
fn measure(subjects: &Subjects, rounds: usize) -> io::Result<[Vec<f64>; RUNS.len()]> {
    let mut micros = RUNS.map(|_| Vec::new());
    let mut random = fastrand::Rng::new();
    let mut order: Vec<usize> = (0..RUNS.len()).collect();
    for _ in 0..rounds {
        random.shuffle(&mut order);
        for &n in &order {
            micros[n].push(run(subjects, RUNS[n])?);
        }
    }
    Ok(micros)
}

fn run(subjects: &Subjects, (program, reserve_kib): (&str, Option<usize>)) -> io::Result<f64> {
    let mut command = Command::new(subjects.path(program));
    command.stdin(Stdio::null());
    if let Some(kib) = reserve_kib {
        command.env("FAILFAST_RESERVE", format!("{kib}KiB"));
    }
    let start = Instant::now();
    let status = command.status()?;
    let micros = start.elapsed().as_secs_f64() * 1e6;
    if status.success() {
        Ok(micros)
    } else {
        Err(io::Error::other(format!("{program}: {status}")))
    }
}
