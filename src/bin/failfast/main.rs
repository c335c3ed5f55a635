//! `failfast`: limits, reports and supervision, from a shell.
//!
//! Above the layers.  Plane: control.
//!
//! It uses the library's public names alone. What it says goes through `paint`, which knows whether
//! somebody looks; what it shows of others' texts goes through `text`, which makes it harmless.

mod args;
mod exit;
mod explain;
mod limits;
mod paint;
mod report;
mod run;
mod symbols;
mod text;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::of_usage(&error),
    };
    let paint = args.color;
    let done = match args.command {
        args::Command::Explain(asked) => explain::explain(&asked.into(), paint),
        args::Command::Limits(asked) => limits::limits(&asked, paint),
        args::Command::Run(asked) => Ok(run::run(*asked)),
        args::Command::Completions { shell } => args::completions(shell),
        args::Command::Man { folder } => args::manual(folder.as_deref()),
    };
    done.unwrap_or_else(|error| exit::of_output(&error))
}
