//! `cargo bench -p failfast-alloc-bench`: what failfast-alloc costs, side by side, as tables.
//!
//! `benches/README.md` says what each table means.

mod clusters;
mod code;
mod instructions;
mod memory;
mod near_limit;
mod race;
mod start;
mod statistics;
mod subjects;
mod table;
mod time;

use std::io;

use clap::{Args, Parser};

use subjects::Subjects;

/// What failfast-alloc costs, beside the bare inner allocators and beside other wrappers.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    tables: Tables,
    /// Fewer rounds, and less of each: under a minute, and noisier.
    #[arg(long)]
    quick: bool,
    /// What cargo adds for benchmarks, and only for them.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The tables to print; all if none is named.
#[derive(Args)]
struct Tables {
    /// Added instructions per operation.
    #[arg(long)]
    instructions: bool,
    /// The fast path, disassembled.
    #[arg(long)]
    code: bool,
    /// Bytes added per block, and resident at start.
    #[arg(long)]
    memory: bool,
    /// From exec to exit of a program that does nothing.
    #[arg(long)]
    start: bool,
    /// Whether a limit holds while requests come that can never be met.
    #[arg(long)]
    race: bool,
    /// Two threads with 64 KiB to spare, against plenty.
    #[arg(long)]
    near_limit: bool,
    /// What clusters cost, in instructions, time and memory.
    #[arg(long)]
    clusters: bool,
    /// Wall time of each workload.
    #[arg(long)]
    time: bool,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    if !arguments.bench {
        // As `cargo test --benches` runs it.
        println!("nothing measured: this is for `cargo bench`");
        return Ok(());
    }
    if cfg!(feature = "portable") {
        return Err(io::Error::other(
            "without the feature `portable`, please: it builds that itself",
        ));
    }
    let subjects = Subjects::build()?;
    let (wanted, quick) = (arguments.tables, arguments.quick);
    let tables: [(bool, &dyn Fn() -> io::Result<()>); 8] = [
        (wanted.instructions, &|| instructions::print(&subjects, quick)),
        (wanted.code, &|| code::print(&subjects)),
        (wanted.memory, &|| memory::print(&subjects)),
        (wanted.start, &|| start::print(&subjects, quick)),
        (wanted.race, &|| race::print(&subjects)),
        (wanted.near_limit, &|| near_limit::print(&subjects, quick)),
        (wanted.clusters, &|| clusters::print(&subjects, quick)),
        (wanted.time, &|| time::print(&subjects, quick)),
    ];
    let all = tables.iter().all(|(wanted, _)| !wanted);
    let load_before = load();
    tables.iter().filter(|(wanted, _)| all || *wanted).try_for_each(|(_, print)| print())?;
    let processors = std::thread::available_parallelism()?;
    println!("\n{processors} processors; load average {load_before} before, {} after.", load());
    Ok(())
}

/// What else the machine does: the load average of the last minute.
fn load() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().unwrap_or_default().to_owned()
}
