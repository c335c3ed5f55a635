//! `failfast run`: a program as a cluster, supervised.
//!
//! Above the layers.  Plane: control.
//!
//! One thread does all of it. It waits for two things at once: signals, which it has blocked and
//! reads from a descriptor, and the end of the program, which is a descriptor as well.
//!
//! * `signals`: which reach the program, and by whom.
//! * `restart`: whether it is started again.
//! * `say`: what people and machines are told.
//! * `end`: how this process ends when the program has.

mod args;
mod end;
mod restart;
mod say;
mod signals;

pub(crate) use args::RunArgs;

use crate::exit::{self, say as complain};
use failfast_alloc::supervise::{Command, Running, Verdict};
use restart::{Next, Restarts};
use say::Teller;
use signals::{Signals, Wish};
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    program: OsString,
    args: Vec<OsString>,
    /// Variables, and their values, which were found good.
    settings: Vec<(&'static str, OsString)>,
    restarts: Restarts,
    json: bool,
}

/// Runs the program until it has ended for good, and ends as it did.
pub(crate) fn run(args: RunArgs) -> ExitCode {
    match args.check() {
        Ok(asked) => until_the_end(asked).unwrap_or_else(|error| {
            complain(format_args!("run: the kernel refuses what it takes to watch: {error}"));
            ExitCode::from(exit::SYSTEM)
        }),
        Err(lines) => {
            lines.iter().for_each(complain);
            ExitCode::from(exit::VALUE)
        }
    }
}

fn until_the_end(asked: Asked) -> io::Result<ExitCode> {
    let Asked { program, args, settings, mut restarts, json } = asked;
    let mut command = Command::new(program);
    command.args(args);
    settings.iter().for_each(|(name, value)| {
        command.env(name, value);
    });
    // From here on no signal ends this process by itself.
    let mut signals = Signals::take()?;
    let teller = Teller { json };
    let unheeded = settings.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let mut is_first = true;
    let verdict = loop {
        restarts.started();
        let verdict = match command.spawn() {
            Ok(mut running) => until_end(&mut running, &mut signals)?,
            Err(error) => Verdict::from(error),
        };
        signals.reap();
        // A program that cannot be started at all is somebody's mistake, and no death.
        let has_run = !is_first || verdict.start_error().is_none();
        let next = match has_run && !signals.wish_to_end() {
            true => restarts.next(&verdict),
            false => Next::End,
        };
        teller.tell(&verdict, &next);
        if is_first && !unheeded.is_empty() {
            teller.tell_who_does_not_heed(&verdict, &unheeded);
        }
        let Next::After { pause, .. } = next else { break verdict };
        if signals.pause(pause)? == Wish::End {
            break verdict;
        }
        is_first = false;
    };
    Ok(end::as_it_did(&verdict))
}

/// Waits for the end of the program, and passes signals on.
fn until_end(running: &mut Running, signals: &mut Signals) -> io::Result<Verdict> {
    loop {
        if let Some(verdict) = running.try_wait()? {
            return Ok(verdict);
        }
        signals.wait_beside(running)?;
    }
}
