//! Runs a program, and tells Sentry how it died.
//!
//! From outside: the program is gone when the event is made, so nothing here depends on what has
//! failed, and the program itself needs neither the SDK nor the network. `supervise` says what
//! became of it; `event.rs` makes an event of that.

mod event;

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use failfast_alloc::supervise::{Command, Verdict};
use sentry::protocol::Attachment;
use sentry::types::Dsn;

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
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let sentry = sentry::init((
        arguments.dsn.clone(),
        sentry::ClientOptions::new().maybe_release(arguments.release.clone()),
    ));
    let verdict = match run(&arguments.command) {
        Ok(verdict) => verdict,
        Err(error) => {
            eprintln!("sentry-example: {error}");
            return ExitCode::from(127);
        }
    };
    if !verdict.is_success() {
        tell(&verdict);
        if !sentry.flush(Some(SENDING_MAX)) {
            eprintln!("sentry-example: the event was not sent within {SENDING_MAX:?}");
        }
    }
    ExitCode::from(as_shells_do(&verdict))
}

fn run(command: &[OsString]) -> Result<Verdict, Box<dyn Error>> {
    let mut program = Command::new(&command[0]);
    Ok(program.args(&command[1..]).spawn()?.wait()?)
}

fn tell(verdict: &Verdict) {
    let id = sentry::with_scope(
        |scope| {
            let death = verdict.death();
            if let Some(report) = death.and_then(|death| death.report_json()) {
                scope.add_attachment(Attachment {
                    buffer: report.as_bytes().to_vec(),
                    filename: "report.json".into(),
                    content_type: Some("application/json".into()),
                    ..Attachment::default()
                });
            }
        },
        || sentry::capture_event(event::of(verdict)),
    );
    eprintln!("sentry-example: {verdict}: event {}", id.simple());
}

/// The exit status by which shells, and Kubernetes, tell of a signal. That of a program which has
/// failed is never 0, whatever its hook, or the program that it became, has exited with.
fn as_shells_do(verdict: &Verdict) -> u8 {
    let code = verdict.exit_code().or_else(|| Some(128 + verdict.signal()?));
    match code.and_then(|code| u8::try_from(code).ok()) {
        Some(0) if !verdict.is_success() => 1,
        code => code.unwrap_or(u8::MAX),
    }
}
