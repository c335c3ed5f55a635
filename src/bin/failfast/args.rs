//! The command line: what can be asked for, and its help.
//!
//! Above the layers.  Plane: control.

use crate::symbols::{Override, Where};
use crate::{explain, limits, paint, run};
use clap::{CommandFactory, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Limits, reports and supervision for programs whose allocator is `failfast_alloc::FailFast`
#[derive(Debug, Parser)]
#[command(name = "failfast", version, max_term_width = 100)]
#[command(after_help = "Exit status: 0 if all went well, 64 if the command line is wrong, 65 if \
                        there is no whole report, 66 if a file cannot be read, 74 if there is \
                        nowhere to write to, 78 if a value is wrong.")]
pub(crate) struct Args {
    /// Whether there is colour; NO_COLOR, CLICOLOR and CLICOLOR_FORCE are heeded
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: paint::Choice,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Explain(ExplainArgs),
    Limits(limits::Asked),
    Run(Box<run::RunArgs>),
    /// Write a shell's completions to standard output
    #[command(after_help = "Example:\n  failfast completions bash > \
                            ~/.local/share/bash-completion/completions/failfast")]
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Write the manual page to standard output
    #[command(after_help = "Examples:\n  failfast man | man -l -\n  \
                            failfast man --folder ~/.local/share/man/man1")]
    Man {
        /// Write this page and one for each command into a folder, instead
        #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
        folder: Option<PathBuf>,
    },
}

/// Say what a report means: what ran out, who held how much, where in the code, what to do
///
/// A report is found wherever it stands: as a file of its own, on a line of a log, in what a
/// container's runtime makes of that line, in the status of a pod. Names of functions come from the
/// files that the report names, from the debug files that belong to them (by build id, or by
/// `.gnu_debuglink`), or from those that are given here.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  failfast explain /var/log/server/4711.json
  journalctl -u server | failfast explain -
  kubectl get pod server-0 -o json | failfast explain --sysroot ./image -
  failfast explain --debug-file server=./server.debug report.json
  failfast explain --json *.json | jq .explained.summary

A program whose profile has `debug = \"line-tables-only\"` has lines and inlined functions.")]
pub(crate) struct ExplainArgs {
    /// Files with reports; `-` is standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// One JSON object on a line for each report: the report, names for its frames, and `explained`
    #[arg(long)]
    json: bool,
    /// The program or library that stands for a module of the report: the one of that path or file
    /// name, or else the one called as FILE is
    #[arg(long = "binary", value_name = "[MODULE=]FILE", value_parser = Override::parse)]
    binaries: Vec<Override>,
    /// A file with its debug information, likewise
    #[arg(long = "debug-file", value_name = "[MODULE=]FILE", value_parser = Override::parse)]
    debug_files: Vec<Override>,
    /// A folder to look for all files in, such as the unpacked image of a container
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    sysroot: Option<PathBuf>,
}

impl From<ExplainArgs> for explain::Asked {
    fn from(args: ExplainArgs) -> Self {
        let ExplainArgs { files, json, binaries, debug_files, sysroot } = args;
        Self { files, json, place: Where { binaries, debug_files, sysroot } }
    }
}

/// Writes completions.
pub(crate) fn completions(shell: Shell) -> io::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "failfast", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the manual page, or all of them.
pub(crate) fn manual(folder: Option<&Path>) -> io::Result<ExitCode> {
    match folder {
        Some(folder) => clap_mangen::generate_to(Args::command(), folder)?,
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Args::command()).render(&mut page)?;
            io::stdout().lock().write_all(&page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
