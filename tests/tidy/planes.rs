//! Which plane a file is in, and what that keeps it from doing.

use crate::layers::is_excepted;
use crate::source::{Code, Source, has_word};
use crate::tables::{BANNED, BANNED_WHILE_DYING, MAY_USE, PROGRAMS};

/// Every file but `lib.rs` begins with a sentence, and says its layer and plane.
pub(crate) fn headers(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in in_modules(sources) {
        let header: Vec<&str> = header(source).collect();
        let title: Vec<&str> = header.iter().copied().take_while(|line| !line.is_empty()).collect();
        if !title.last().is_some_and(|line| line.ends_with('.')) {
            complaints.push(format!(
                "{}: begin the file with `//! ` and a sentence, an empty `//!`, and `//! Layer N.  \
                 Plane: data.` (or failure, or control)",
                source.path
            ));
            continue;
        }
        if source.path.starts_with(PROGRAMS) {
            complaints.extend(program_header(source, header.get(title.len() + 1).copied()));
            continue;
        }
        let own = source.module()[0];
        // What is for fuzzers alone has no layer.
        if source.shipped().next().is_none() && !MAY_USE.iter().any(|(name, _, _)| *name == own) {
            continue;
        }
        let layer = MAY_USE.iter().find(|(name, _, _)| *name == own).map(|(_, layer, _)| layer);
        let expected = |plane: &str| layer.map(|layer| format!("Layer {layer}.  Plane: {plane}."));
        let said = header.get(title.len() + 1).copied().unwrap_or_default();
        let planes = ["data", "failure", "control"];
        if !planes.iter().any(|plane| expected(plane).as_deref() == Some(said)) {
            complaints.push(format!(
                "{}: after its title the header says `{said}`; expected `{}` (or data, or failure)",
                source.path,
                expected("control").unwrap_or_else(|| "a module with a layer".to_string()),
            ));
        }
    }
    complaints
}

/// A program is above the layers, and of the control plane.
fn program_header(source: &Source, said: Option<&str>) -> Option<String> {
    const EXPECTED: &str = "Above the layers.  Plane: control.";
    (said != Some(EXPECTED)).then(|| {
        let said = said.unwrap_or_default();
        format!("{}: after its title the header says `{said}`; expected `{EXPECTED}`", source.path)
    })
}

/// Files of the data plane and of the failure plane neither allocate, lock nor panic, as far as
/// words tell.
pub(crate) fn planes(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in in_modules(sources) {
        let tables: &[_] = match plane(source) {
            Some("failure") => &[BANNED, BANNED_WHILE_DYING],
            Some("data") => &[BANNED],
            _ => continue,
        };
        let constant = constant_lines(source);
        for (index, line) in source.shipped().filter(|(index, _)| !constant.contains(index)) {
            for (words, instead) in tables.iter().flat_map(|table| *table) {
                let said = words.iter().filter(|word| has_word(&line.code, word));
                for word in said.filter(|word| !is_excepted(source, word)) {
                    complaints.push(format!("{}: `{word}`: {instead}", source.at(index)));
                }
            }
        }
    }
    complaints
}

/// Lines that are evaluated while compiling, where a panic is a compiler's message.
fn constant_lines(source: &Source) -> Vec<usize> {
    let code = Code::new(source);
    let begins = code.words("const _").into_iter().chain(code.words("const {"));
    let lines = begins.flat_map(|at| {
        let end = match code.body_after(at) {
            Some(open) => code.closing(open),
            None => at + code.text[at..].find(';').unwrap_or(0),
        };
        code.line(at)..=code.line(end)
    });
    lines.collect()
}

fn in_modules(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| source.path.starts_with("src/") && !source.module().is_empty())
}

/// The `//!` lines at the top, without their marks.
pub(crate) fn header(source: &Source) -> impl Iterator<Item = &str> {
    let marked = source.lines.iter().map_while(|line| line.raw.strip_prefix("//!"));
    marked.map(|line| line.strip_prefix(' ').unwrap_or(line))
}

fn plane(source: &Source) -> Option<&str> {
    header(source).find_map(|line| line.strip_suffix('.')?.split_once("Plane: ")).map(|(_, p)| p)
}
