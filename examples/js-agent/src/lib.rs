//! Runs one JavaScript file in QuickJS, all of whose memory comes from the global allocator.
//!
//! A library, so that the agent can be linked with several allocators. It names none of them.

mod agent;
mod console;
mod rejections;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use clap::Parser;

use agent::Script;

const EXIT_STATUSES: &str = "\
Exit status:
  0  the script and all its jobs have run
  1  an exception was not caught, or a promise's rejection not handled
  2  the command line is wrong, or the script cannot be read";

/// Runs a JavaScript file in QuickJS, with `print` and `console.log`.
///
/// All of the engine's memory comes from the program's global allocator.
#[derive(Parser)]
#[command(name = "js-agent", version, after_help = EXIT_STATUSES)]
struct Arguments {
    /// File of JavaScript to run: a script, not a module
    script: PathBuf,

    /// Lift the engine's own limit on recursion, so that a script can reach the end of the stack
    ///
    /// Without it, QuickJS throws a RangeError, which the script may catch, once it has used 1 MiB.
    #[arg(long)]
    native_stack: bool,
}

/// The whole program, but for its allocator.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let script = match read(&arguments.script) {
        Ok(script) => script,
        Err(complaint) => {
            say(&format!("js-agent: {complaint}"));
            return ExitCode::from(2);
        }
    };
    match agent::run(script, arguments.native_stack) {
        Ok(()) => ExitCode::SUCCESS,
        Err(uncaught) => {
            say(&uncaught);
            ExitCode::FAILURE
        }
    }
}

/// A closed standard error takes no line, and is no reason to panic; the exit status still tells.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn read(path: &Path) -> Result<Script, String> {
    let name = path.display().to_string();
    let source = fs::read(path).map_err(|error| format!("cannot read `{name}`: {error}"))?;
    let expected = "expected JavaScript in UTF-8, without NUL bytes";
    if let Some(at) = source.iter().position(|&byte| byte == 0) {
        return Err(format!("cannot run `{name}`: there is a NUL at byte {at}; {expected}"));
    }
    let source = String::from_utf8(source).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("cannot run `{name}`: byte {at} is not UTF-8; {expected}")
    })?;
    Ok(Script { name, source })
}
