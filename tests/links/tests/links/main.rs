//! The crate linked in every way that we know of: each builds a program of this repository by a run
//! of cargo of its own, runs it, and looks at how it dies.
//!
//! A few ways are tried always; all of them with `LINKS=all` in the environment. Ways that
//! this machine has no tools for say so, and count as passed.

mod build;
mod copies;
mod elsewhere;
mod run;
mod sanitizers;
mod ways;

use libtest_mimic::{Arguments, Trial};

/// Which ways are tried: `all`, or the few.
const WHICH: &str = "LINKS";

fn main() {
    let all = std::env::var(WHICH).is_ok_and(|value| value == "all");
    let ways = ways::trials(all).into_iter().chain(elsewhere::trials());
    let trials = ways.chain(copies::trials()).chain(sanitizers::trials(all));
    libtest_mimic::run(&Arguments::from_args(), trials.collect::<Vec<Trial>>()).exit();
}
