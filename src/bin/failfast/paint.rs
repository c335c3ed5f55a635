//! Colours, widths and signs: what the place that output goes to can show.
//!
//! Above the layers.  Plane: control.
//!
//! Colours come where a terminal is, unless `NO_COLOR`, `CLICOLOR=0` or `TERM=dumb` say otherwise
//! (the last not where `CI` is set: the logs of build services show colours and call themselves
//! dumb); `CLICOLOR_FORCE` and `--color always` bring them into a pipe. Bars and pictures are drawn
//! in ASCII where the locale is not one of UTF-8.

use crate::text::columns;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};

/// What ran out.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is close to it, or in doubt.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// What is in use.
pub(crate) const USED: Style = AnsiColor::Cyan.on_default();
/// Headings.
pub(crate) const HEAD: Style = Style::new().bold();
/// What is rarely looked at.
pub(crate) const DIM: Style = Style::new().dimmed();

/// Whether there is colour.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum Choice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Also in a pipe or a file
    Always,
    /// Nowhere
    Never,
}

impl Choice {
    /// Standard output, for one answer.
    pub(crate) fn stdout(self) -> AutoStream<io::StdoutLock<'static>> {
        let choice = match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        };
        AutoStream::new(io::stdout().lock(), choice)
    }
}

/// Writes `text` in a style.
pub(crate) fn styled(text: impl std::fmt::Display, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// What the place that output goes to can show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    /// Columns.
    pub(crate) width: usize,
    pub(crate) signs: Signs,
}

impl Canvas {
    /// Of standard output: the terminal's width, or 80.
    pub(crate) fn here() -> Self {
        let width = terminal_size::terminal_size_of(io::stdout());
        let width = width.map_or(80, |(width, _)| usize::from(width.0)).clamp(40, 160);
        Self { width, signs: if is_utf8() { UTF8 } else { ASCII } }
    }
}

/// What bars and pictures are drawn with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signs {
    pub(crate) full: char,
    /// What was asked for, and not given.
    pub(crate) asked: char,
    /// Where a budget is.
    pub(crate) budget: char,
    /// A budget beyond the edge.
    pub(crate) beyond: char,
    pub(crate) top: char,
    pub(crate) side: char,
    pub(crate) mark: char,
    pub(crate) bottom: char,
    pub(crate) point: char,
}

const UTF8: Signs = Signs {
    full: '█',
    asked: '░',
    budget: '│',
    beyond: '›',
    top: '┌',
    side: '│',
    mark: '├',
    bottom: '└',
    point: '•',
};

const ASCII: Signs = Signs {
    full: '#',
    asked: ':',
    budget: '|',
    beyond: '>',
    top: '+',
    side: '|',
    mark: '+',
    bottom: '+',
    point: '*',
};

/// Whether the locale is one of UTF-8: the first of these variables that says something decides.
fn is_utf8() -> bool {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty());
    said.is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// A text in lines that are no longer than the canvas is wide: `first` before the first of them,
/// as many blanks before the others.
pub(crate) fn paragraph(
    out: &mut dyn Write,
    canvas: &Canvas,
    first: &str,
    text: &str,
) -> io::Result<()> {
    let indent = columns(first);
    let room = canvas.width.saturating_sub(indent);
    let (mut line, mut before) = (String::new(), first.to_string());
    for word in text.split(' ') {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > room {
            writeln!(out, "{before}{line}")?;
            line.clear();
            before = " ".repeat(indent);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    writeln!(out, "{before}{line}")
}

/// A heading, with an empty line before it.
pub(crate) fn heading(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{}", styled(text, HEAD))
}
