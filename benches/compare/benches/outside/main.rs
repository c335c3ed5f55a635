//! What supervision costs: from a death to its verdict, and the supervisor's own memory while it
//! runs a hundred clusters.
//!
//! Each death is a process of its own: this program again, which then fails, or sleeps until it is
//! killed. The row without a supervisor is the same death under the standard library's `Command`:
//! what the kernel takes, on this machine under this load.

use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use comfy_table::Table;
use failfast_alloc::supervise::{Cgroup, Command, Reason, Running};
use failfast_alloc::{Cause, FailFast, Limit};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Says in a child's environment what it is to do.
const CHILD: &str = "OUTSIDE_BENCH_CHILD";

/// What supervision costs.
#[derive(Parser)]
struct Options {
    /// Deaths of each kind.
    #[arg(long, default_value_t = 1000)]
    deaths: usize,
    /// How many clusters run at once.
    #[arg(long, default_value_t = 100)]
    clusters: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    match std::env::var(CHILD).as_deref() {
        Ok("fails") => drop(std::hint::black_box(Vec::<u8>::with_capacity(64 << 20))),
        Ok(_) => loop {
            std::thread::sleep(Duration::from_secs(60));
        },
        Err(_) => {}
    }
    let options = Options::parse();
    println!("load {} before", load());
    many(options.clusters);
    let mut table = Table::new();
    table.set_header(["from … to the verdict", "p50 ms", "p99 ms", "max ms"]);
    row(&mut table, "SIGKILL, no supervisor", options.deaths, unsupervised);
    for (what, cgroup) in
        [("SIGKILL, no control group", Cgroup::Never), ("SIGKILL, its own group", Cgroup::Auto)]
    {
        row(&mut table, what, options.deaths, || killed(cgroup));
    }
    row(&mut table, "the kernel's word that it has ended", options.deaths, told);
    row(&mut table, "the failing allocation (dying included)", options.deaths, failed);
    println!("{} deaths of each kind\n{table}\nload {} after", options.deaths, load());
}

fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn row(table: &mut Table, what: &str, deaths: usize, death: impl Fn() -> Duration) {
    let mut times: Vec<f64> = (0..deaths).map(|_| death().as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let numbers = [at(0.5), at(0.99), at(1.0)].map(|time| format!("{time:.3}"));
    table.add_row(std::iter::once(what.to_owned()).chain(numbers));
}

fn command(what: &str, cgroup: Cgroup) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program"));
    command.env(CHILD, what).cgroup(cgroup).budget(Limit::mib(16));
    command.stderr(Stdio::null()).stdout(Stdio::null()).stdin(Stdio::null());
    command
}

fn start(what: &str, cgroup: Cgroup) -> Running {
    command(what, cgroup).spawn().expect("a child")
}

/// Sent a signal, until the standard library knows.
fn unsupervised() -> Duration {
    let mut command = std::process::Command::new(std::env::current_exe().expect("a program"));
    command.env(CHILD, "sleeps").env("FAILFAST_BUDGET", "16MiB");
    command.stderr(Stdio::null()).stdout(Stdio::null()).stdin(Stdio::null());
    let mut child = command.spawn().expect("a child");
    let begin = Instant::now();
    child.kill().expect("a signal");
    child.wait().expect("an end");
    begin.elapsed()
}

/// Sent a signal, until its verdict.
fn killed(cgroup: Cgroup) -> Duration {
    let mut running = start("sleeps", cgroup);
    let begin = Instant::now();
    running.kill().expect("a signal");
    let verdict = running.wait().expect("a verdict");
    let time = begin.elapsed();
    assert_eq!(verdict.reason(), Reason::Signal(9));
    time
}

/// From the moment at which its descriptor is readable.
fn told() -> Duration {
    let mut running = start("fails", Cgroup::Auto);
    // SAFETY: one descriptor.
    unsafe {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&running));
        let mut fd = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        libc::poll(&raw mut fd, 1, -1)
    };
    let begin = Instant::now();
    let verdict = running.try_wait().expect("a verdict").expect("it has ended");
    let time = begin.elapsed();
    assert_eq!(verdict.reason(), Reason::Failed(Cause::HeapBudget));
    time
}

/// From the failing call, by the time in the record.
fn failed() -> Duration {
    let mut running = start("fails", Cgroup::Auto);
    let verdict = running.wait().expect("a verdict");
    let death = verdict.death().expect("it has failed").time();
    SystemTime::now().duration_since(death).unwrap_or_default()
}

/// So many at once: all are there, each has its verdict, and what it costs us.
fn many(clusters: usize) {
    let (before, anonymous) = (memory("VmRSS:"), memory("RssAnon:"));
    let begin = Instant::now();
    let mut running: Vec<_> = (0..clusters).map(|_| start("sleeps", Cgroup::Auto)).collect();
    let (started, during) = (begin.elapsed(), memory("VmRSS:"));
    let more = memory("RssAnon:") - anonymous;
    let begin = Instant::now();
    for running in &running {
        running.kill().expect("a signal");
    }
    let verdicts: Vec<_> = running.iter_mut().map(|one| one.wait().expect("a verdict")).collect();
    let ended = begin.elapsed();
    assert!(verdicts.iter().all(|verdict| verdict.reason() == Reason::Signal(9)));
    println!("{clusters} clusters at once: started in {started:?}, all verdicts in {ended:?}");
    println!("the supervisor's resident memory: {before} KiB, with all of them {during} KiB");
    println!(
        "(of its own, and no file's, {anonymous} KiB, and {:.1} KiB for each of them);",
        more as f64 / clusters.max(1) as f64
    );
    println!(
        "with all verdicts {} KiB, the most it had {} KiB",
        memory("VmRSS:"),
        memory("VmHWM:")
    );
}

/// A line of `/proc/self/status`, in KiB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
