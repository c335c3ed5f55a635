//! Runs a program, and tells Sentry how it died.
//!
//! From outside: the program is gone when the event is made, so nothing here depends on what has
//! failed, and the program itself needs neither the SDK nor the network. What it left is the
//! report, in a file (`death.rs`); `event.rs` makes an event of it.

mod death;
mod event;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use clap::Parser;
use sentry::protocol::Attachment;
use sentry::types::Dsn;

use death::Death;

/// How long the event may take to be sent.
const SENDING_MAX: Duration = Duration::from_secs(5);

/// Runs a program, and tells Sentry how it died.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where events go
    #[arg(long, env = "SENTRY_DSN")]
    dsn: Dsn,
    /// What is running
    #[arg(long, env = "SENTRY_RELEASE")]
    release: Option<String>,
    /// The program, and its arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let sentry = sentry::init((
        arguments.dsn.clone(),
        sentry::ClientOptions::new().maybe_release(arguments.release.clone()),
    ));
    let (status, death) = match run(&arguments.command) {
        Ok(ended) => ended,
        Err(error) => {
            eprintln!("sentry-example: cannot run `{}`: {error}", arguments.command[0]);
            return ExitCode::from(127);
        }
    };
    if let Some(death) = death {
        tell(&death);
        if !sentry.flush(Some(SENDING_MAX)) {
            eprintln!("sentry-example: the event was not sent within {SENDING_MAX:?}");
        }
    }
    ExitCode::from(as_shells_do(status))
}

fn run(command: &[String]) -> io::Result<(ExitStatus, Option<Death>)> {
    // A folder of its own: what is found there afterwards is of this run.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("report.json");
    let mut child =
        Command::new(&command[0]).args(&command[1..]).env("FAILFAST_REPORT", &file).spawn()?;
    let status = child.wait()?;
    Ok((status, Death::of(status, child.id(), &file)))
}

fn tell(death: &Death) {
    let id = sentry::with_scope(
        |scope| {
            if let Some(report) = death.report() {
                scope.add_attachment(Attachment {
                    buffer: report.to_string().into_bytes(),
                    filename: "report.json".into(),
                    content_type: Some("application/json".into()),
                    ..Attachment::default()
                });
            }
        },
        || sentry::capture_event(event::of(death)),
    );
    eprintln!("sentry-example: {death}: event {}", id.simple());
}

/// The exit status by which shells, and Kubernetes, tell of a signal.
fn as_shells_do(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
