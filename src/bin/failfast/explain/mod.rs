//! `failfast explain`: a report, for people.
//!
//! Above the layers.  Plane: control.
//!
//! * `story`: what ran out, and how the process ended.
//! * `bars`: who held how much.
//! * `stack`: the stack that ran out, as a picture.
//! * `frames`: the backtrace, with names.
//! * `hints`: what to do next.
//! * `json`: all that, for machines.

mod bars;
mod frames;
mod hints;
mod json;
mod stack;
mod story;

use crate::exit::{self, say};
use crate::paint::{Canvas, Choice, DIM, styled};
use crate::report::{Found, Report, find};
use crate::symbols::{self, Named, Where};
use crate::text::Shown;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// More is no file with reports, but a log to be searched first.
const INPUT_BYTES_MAX: u64 = 256 << 20;

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) json: bool,
    pub(crate) place: Where,
}

/// A report, and where it stood.
struct Entry {
    file: String,
    line: usize,
    report: Report,
}

/// Explains all reports in all files; what cannot be read is said, and is the exit status.
pub(crate) fn explain(asked: &Asked, choice: Choice) -> io::Result<ExitCode> {
    let (mut entries, mut status) = (Vec::new(), 0);
    for path in &asked.files {
        status = status.max(read_file(path, &mut entries));
    }
    let mut out = choice.stdout();
    let several = entries.len() > 1;
    for entry in &entries {
        if !entry.report.complaints.is_empty() {
            let complaints = entry.report.complaints.join(", ");
            say(format_args!("{}: left out: {}", entry.place(), Shown(&complaints)));
        }
        let named = match symbols::look_up(&entry.report, &asked.place) {
            Ok(named) => named,
            Err(error) => {
                say(Shown(&error));
                return Ok(ExitCode::from(exit::USAGE));
            }
        };
        if asked.json {
            json::write(&mut out, entry, &named)?;
        } else {
            if several {
                writeln!(out, "{}", styled(format_args!("── {} ──", entry.place()), DIM))?;
            }
            write(&mut out, &entry.report, &named)?;
            if several {
                writeln!(out)?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::from(status))
}

impl Entry {
    fn place(&self) -> String {
        format!("{}:{}", Shown(&self.file), self.line)
    }
}

/// Reads one file; answers with an exit status.
fn read_file(path: &Path, entries: &mut Vec<Entry>) -> u8 {
    let (name, bytes) = match path.as_os_str() == "-" {
        true => ("standard input".to_string(), read(io::stdin().lock())),
        false => (path.display().to_string(), File::open(path).and_then(read)),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            say(format_args!("{}: {error}", Shown(&name)));
            return exit::NO_INPUT;
        }
    };
    let found = find(&String::from_utf8_lossy(&bytes));
    if found.is_empty() {
        say(format_args!("{}: {}", Shown(&name), nothing(&bytes)));
        return exit::DATA;
    }
    let mut status = 0;
    for Found { line, object } in found {
        let report = object
            .map_err(|error| error.to_string())
            .and_then(|object| Report::read(object).map_err(|error| error.to_string()));
        match report {
            Ok(report) => entries.push(Entry { file: name.clone(), line, report }),
            Err(error) => {
                say(format_args!("{}:{line}: {}", Shown(&name), Shown(&error)));
                status = exit::DATA;
            }
        }
    }
    status
}

fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        let error = "is larger than 256 MiB: pick the lines with reports first, as by \
                     `grep '\"failfast\":'`";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
    }
    Ok(bytes)
}

/// Why a file has no report.
fn nothing(bytes: &[u8]) -> &'static str {
    const LINE: &[u8] = b"failfast: ";
    let begins = b"{\"failfast\":";
    match bytes.trim_ascii() {
        [] => "is empty: nothing died there, or the disk was full",
        text if begins.starts_with(text) => {
            "the report ends in the middle of its first member: it was cut off"
        }
        text if text.windows(LINE.len()).any(|part| part == LINE) => {
            "there are lines for people in it, and no report: FAILFAST_REPORT says where that \
             goes, `fd:2` into this log"
        }
        _ => "there is no report in it; expected a JSON object whose first member is `failfast`",
    }
}

/// One report, as text.
pub(crate) fn write(out: &mut dyn Write, report: &Report, named: &Named) -> io::Result<()> {
    let canvas = Canvas::here();
    story::what_ran_out(out, report, &canvas)?;
    bars::write(out, report, &canvas)?;
    stack::write(out, report, &canvas)?;
    story::how_it_ended(out, report)?;
    frames::write(out, report, named)?;
    story::what_is_missing(out, report)?;
    hints::write(out, report, named, &canvas)
}
