//! Ways to die, for the tests to explain.

use failfast_alloc::{Cluster, Limit, fail_fast};
use nix::sys::signal::{SigSet, Signal};
use std::hint::black_box;

/// Names the way to die, in a child's environment.
pub(crate) const CHILD: &str = "CLI_CHILD";

/// Dies as `way` says.
pub(crate) fn die(way: &str) {
    match way {
        "heap" => hold_everything(),
        "cluster" => in_a_cluster(),
        "overflow" => _ = black_box(recurse(black_box(0))),
        "stack" => _ = black_box(recurse_and_allocate(black_box(0))),
        "signals" => tell_signals(),
        "requested" => fail_fast("the ledger of orders is \x1b[31minconsistent"),
        other => panic!("no way to die is called {other}"),
    }
}

#[inline(never)]
fn hold_everything() {
    let mut kept = Vec::new();
    loop {
        kept.push(grow());
    }
}

#[inline(always)]
fn grow() -> Vec<u8> {
    black_box(vec![1; 1 << 20])
}

fn in_a_cluster() {
    let cache = Cluster::builder("cache").budget(Limit::mib(8)).build().expect("a cluster");
    let parser = Cluster::builder("parser").budget(Limit::mib(2)).build().expect("a cluster");
    let kept = cache.run(|| vec![1_u8; 3 << 20]);
    parser.run(hold_everything);
    drop(kept);
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    if black_box(depth) == u64::MAX {
        return 0;
    }
    black_box(recurse(depth + 1)) + room[0]
}

#[inline(never)]
fn recurse_and_allocate(depth: u64) -> u64 {
    let room = black_box(Box::new([depth; 64]));
    if black_box(depth) == u64::MAX {
        return 0;
    }
    black_box(recurse_and_allocate(depth + 1)) + room[0]
}

/// Says which signals come, each on a line, until SIGTERM: then it exits with 7.
fn tell_signals() {
    use Signal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH};
    let all = [SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGCONT, SIGTSTP, SIGWINCH];
    let set: SigSet = all.into_iter().collect();
    set.thread_block().expect("a mask");
    println!("ready {}", std::os::unix::process::parent_id());
    loop {
        let signal = set.wait().expect("a signal");
        println!("{signal}");
        if signal == SIGTERM {
            std::process::exit(7);
        }
    }
}
