//! The same behaviour over every inner allocator, each scenario in a process of its own.
//!
//! A test binary declares a `FailFast` over one inner allocator and calls [`main`]. Each scenario
//! is run by that binary again, as a child, so that the accounts it looks at are its own, and so
//! that it may die.

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "what is tested here is rows of unsafe calls"
)]

mod accounts;
mod child;
mod clusters;
mod deaths;
mod hostile;
mod kernel;
mod lives;
mod methods;
#[cfg(not(feature = "portable"))] // Without assembly a charge takes more than one instruction.
mod signals;
mod soft;
mod start;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod steps;
mod stress;
mod tools;
mod tree;

use std::process::ExitCode;

pub use kernel::refuse;
pub use tools::Shared;

/// A scenario that ends by itself, or that dies.
pub struct Scenario {
    /// The test's name.
    pub name: &'static str,
    /// What its environment has besides.
    pub env: &'static [(&'static str, &'static str)],
    /// One more variable.
    pub set: Option<(&'static str, &'static str)>,
    /// What the child does.
    pub run: fn(),
    /// How it ends.
    pub end: End,
    /// What the child does to itself before it becomes the program: async-signal-safe.
    pub before_exec: Option<fn()>,
}

/// How a scenario ends.
#[derive(Clone, Copy)]
pub enum End {
    /// It returns.
    Success,
    /// It returns, and this is in the last line on standard error.
    Says(&'static str),
    /// It returns, and this is in the only line on standard error.
    SaysOnly(&'static str),
    /// SIGABRT, and this is in the last line on standard error.
    Abort(&'static str),
    /// This exit status, and this is in the last line on standard error.
    Exit(i32, &'static str),
    /// This signal, without a word.
    Killed(i32),
    /// SIGABRT, and this finds nothing wrong with what is on standard error.
    AbortAnd(fn(&str) -> Result<(), String>),
}

/// One that returns, with nothing special in its environment.
pub const fn plain(name: &'static str, run: fn()) -> Scenario {
    Scenario { name, env: &[], set: None, run, end: End::Success, before_exec: None }
}

/// What a program is tested for.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    /// A `FailFast` with nothing set.
    Default,
    /// The same, one instruction after the other.
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    StepByStep,
    /// One with `budget(Limit::mib(16))`.
    InCode,
    /// One with `budget(Limit::mib(16)).ignore_env()`.
    IgnoresEnvironment,
    /// None: the global allocator is the standard library's.
    Undeclared,
}

fn scenarios(program: Program) -> impl Iterator<Item = &'static Scenario> {
    let groups: &[&[Scenario]] = match program {
        Program::Default => &[
            methods::SCENARIOS,
            accounts::SCENARIOS,
            lives::SCENARIOS,
            stress::SCENARIOS,
            kernel::SCENARIOS,
            deaths::SCENARIOS,
            clusters::SCENARIOS,
            soft::SCENARIOS,
            hostile::SCENARIOS,
            tree::SCENARIOS,
            start::SCENARIOS,
            #[cfg(not(feature = "portable"))]
            signals::SCENARIOS,
        ],
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        Program::StepByStep => &[steps::SCENARIOS],
        Program::InCode => &[start::IN_CODE],
        Program::IgnoresEnvironment => &[start::NO_ENV],
        Program::Undeclared => &[start::UNDECLARED],
    };
    groups.iter().copied().flatten()
}

/// Runs the scenarios of a program as tests; or one of them, if this is a child.
pub fn main(program: Program) -> ExitCode {
    run(scenarios(program))
}

/// Runs scenarios as tests; or one of them, if this is a child.
pub fn run(scenarios: impl IntoIterator<Item = &'static Scenario>) -> ExitCode {
    failfast_alloc_rows::main(scenarios.into_iter().collect(), Vec::new())
}
