//! What it costs to set a thread up: from the call that makes it to its end, in a program without
//! the crate, in the same program once more, and in one with it, in random order in each round.

use std::process::Command;

use clap::Parser;
use comfy_table::Table;

/// How long a thread takes.
#[derive(Parser)]
struct Options {
    /// Rounds of all programs.
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// Threads of each program in a round, one after the other.
    #[arg(long, default_value_t = 2000)]
    threads: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

const PROGRAMS: [(&str, &str); 3] = [
    ("bare", env!("CARGO_BIN_EXE_threads-bare")),
    ("bare again", env!("CARGO_BIN_EXE_threads-bare")),
    ("failfast", env!("CARGO_BIN_EXE_threads-failfast")),
];

const KINDS: [(&str, &str); 3] = [
    ("c", "`pthread_create`, a thread that does nothing"),
    ("c-allocating", "`pthread_create`, a thread that allocates once"),
    ("std", "`std::thread::spawn`"),
];

fn main() {
    let options = Options::parse();
    let mut table = Table::new();
    table.set_header(["a thread, made and joined", "", "us", "added to bare"]);
    let mut random = fastrand::Rng::new();
    for (kind, what) in KINDS {
        let mut times = [const { Vec::new() }; PROGRAMS.len()];
        let mut order: Vec<usize> = (0..PROGRAMS.len()).collect();
        for _ in 0..options.rounds {
            random.shuffle(&mut order);
            for &n in &order {
                times[n].push(run(PROGRAMS[n].1, options.threads, kind));
            }
        }
        for (n, (name, _)) in PROGRAMS.iter().enumerate() {
            // Against the bare one of the same round: what slows down a whole round cancels out.
            let added = times[n].iter().zip(&times[0]).map(|(this, bare)| this - bare).collect();
            let added = if n == 0 { String::new() } else { format!("{:+.1}", median(added)) };
            let whole = format!("{:.1}", median(times[n].clone()));
            table.add_row([what.to_owned(), (*name).to_owned(), whole, added]);
        }
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let Options { rounds, threads, .. } = options;
    println!("medians of {rounds} rounds of {threads} threads each; load {}", load.trim());
    println!("{table}");
}

/// Microseconds per thread.
fn run(program: &str, threads: usize, kind: &str) -> f64 {
    let output = Command::new(program).args([&threads.to_string(), kind]).output();
    let output = output.expect("the program");
    assert!(output.status.success(), "{program}: {output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse::<f64>().expect("a number") / 1000.0
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
