//! The statuses that `failfast` itself exits with, and the lines before them.
//!
//! Above the layers.  Plane: control.
//!
//! They are those of `sysexits.h`, as the library's 78 is.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

/// The command line cannot be understood.
pub(crate) const USAGE: u8 = 64;
/// What was read is no report, or only a part of one.
pub(crate) const DATA: u8 = 65;
/// A file cannot be read.
pub(crate) const NO_INPUT: u8 = 66;
/// It cannot be known how a program ended.
pub(crate) const SOFTWARE: u8 = 70;
/// The kernel has refused something that supervision takes.
pub(crate) const SYSTEM: u8 = 71;
/// A value is wrong, as in the library.
pub(crate) const VALUE: u8 = 78;
/// A program cannot be executed, as shells say it.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// There is no such program.
pub(crate) const NO_PROGRAM: u8 = 127;
/// What there is to say cannot be written.
const OUTPUT: u8 = 74;

/// One line on standard error. A closed standard error takes none; the exit status still tells.
pub(crate) fn say(line: impl Display) {
    use io::Write as _;
    let _ = writeln!(io::stderr().lock(), "failfast: {line}");
}

/// Prints what clap has to say: help, a version, or what was wrong.
pub(crate) fn of_usage(error: &clap::Error) -> ExitCode {
    match (error.print(), error.use_stderr()) {
        // A closed standard error takes none; the exit status still tells.
        (_, true) => ExitCode::from(USAGE),
        (Ok(()), false) => ExitCode::SUCCESS,
        (Err(error), false) => of_output(&error),
    }
}

/// Whoever stopped reading (`failfast explain … | head`) has what he wanted.
pub(crate) fn of_output(error: &io::Error) -> ExitCode {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return ExitCode::SUCCESS;
    }
    say(format_args!("standard output: {error}"));
    ExitCode::from(OUTPUT)
}
