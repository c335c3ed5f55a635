//! A program that dies in many ways, and leaves a minidump of itself each time.
//!
//! Two processes: the program, and a server that it starts first, which looks at it and writes the
//! minidump when it dies. The program's side is `reporter.rs`, the server's `server.rs`, and
//! `stream.rs` puts our report into the minidump; the rest is there to have something that dies.

mod causes;
mod reporter;
mod server;
mod stream;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use failfast_alloc::FailFast;

use causes::Cause;
use reporter::Way;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Dies as it is told to, and leaves a minidump.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Start a server, connect to it, and die
    Die {
        /// How to die
        cause: Cause,
        /// The folder that the minidump goes to
        #[arg(long, default_value = ".")]
        dumps: PathBuf,
        /// How the minidump is asked for
        #[arg(long, default_value = "hook")]
        way: Way,
        /// How many other threads there are; every second one blocks all signals
        #[arg(long, default_value_t = 4)]
        threads: usize,
        /// Wait for a line on standard input before
        #[arg(long)]
        wait: bool,
    },
    /// Wait for a process that dies, and write its minidump; started by `die`
    Serve {
        /// The folder that the minidump goes to
        dumps: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().role {
        Role::Serve { dumps } => server::run(dumps),
        Role::Die { cause, dumps, way, threads, wait } => {
            reporter::start(&dumps, way).and_then(|_reporter| die(cause, threads, wait))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("minidump-example: {error}");
            ExitCode::FAILURE
        }
    }
}

fn die(cause: Cause, threads: usize, wait: bool) -> io::Result<()> {
    causes::start_others(threads)?;
    if wait {
        io::stdin().read_line(&mut String::new())?;
    }
    causes::die(cause)
}
