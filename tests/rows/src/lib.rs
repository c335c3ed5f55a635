//! Tests that may die: each is a row of a table, and runs in a child process, which is the same
//! program again.
//!
//! A program whose tests are [`Test`]s calls [`main`], and has what every test harness has: a list,
//! a filter, threads. Its children are told by the variable [`ROW`] which of them they are. Under
//! the standard harness [`child::in_child`] does the same for one test.
//!
//! [`Row`] is the test for deaths: what the child does, how it ends, and all that is to be seen of
//! it: lines, reports, and traces in shared memory ([`witness`]). [`tools`] are what rows do things
//! with.
//!
//! Nothing here has the crate that is tested, so that programs without it can be tested as well.
//!
//! `DEATH_REPEAT=20` has each test run so often. `DEATH_BUSY=1` is for a machine that has so much
//! else to do that threads wait for seconds: what a row cannot do in time is counted apart from
//! what must not happen.

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "what rows do is several system calls at a time, of which none is argued alone"
)]

pub mod child;
mod outcome;
mod row;
mod run;
pub mod tools;
pub mod witness;

use std::collections::HashSet;
use std::ffi::CStr;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

pub use outcome::Outcome;
pub use row::{Body, End, Halt, Row, Stderr};
pub use run::FOLDER;

/// Names the test, in a child's environment.
pub const ROW: &str = "DEATH_ROW";
/// The same, for who must not allocate.
pub const ROW_C: &CStr = c"DEATH_ROW";

/// How often each test runs: once, unless this variable says otherwise.
const REPEAT: &str = "DEATH_REPEAT";

/// A test that runs in a child process.
pub trait Test: Send + 'static {
    /// Its name, which no other test of the program has.
    fn name(&self) -> &str;

    /// In the child: what it does.
    fn body(&self);

    /// Runs the child.
    ///
    /// # Errors
    ///
    /// In words, what was not as it should be.
    fn check(&self) -> Result<(), String>;
}

/// The test that this process is to run, if it is a child.
#[must_use]
pub fn requested() -> Option<String> {
    std::env::var(ROW).ok()
}

/// Runs tests, and `others` beside them; or, in a child, what the test does whose child it is.
///
/// # Panics
///
/// If two tests have one name.
pub fn main<T: Test>(tests: Vec<T>, others: Vec<Trial>) -> ExitCode {
    if let Some(name) = requested() {
        let test = tests.iter().find(|test| test.name() == name).expect("a test of this name");
        test.body();
        return ExitCode::SUCCESS;
    }
    let names: HashSet<_> = tests.iter().map(Test::name).collect();
    assert_eq!(names.len(), tests.len(), "two tests of one name");
    let trials = tests.into_iter().map(|test| {
        let name = test.name().to_owned();
        Trial::test(name, move || repeat(|| test.check()).map_err(Into::into))
    });
    let trials = others.into_iter().chain(trials).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn repeat(check: impl Fn() -> Result<(), String>) -> Result<(), String> {
    let times = std::env::var(REPEAT).map_or(1, |text| text.parse().expect("a number of times"));
    for time in 1..=times {
        check().map_err(|error| format!("time {time} of {times}: {error}"))?;
    }
    Ok(())
}
