//! Sizes, leftovers, and the form of the change log.

use crate::source::{Source, has_word};
use crate::tables::{LONG_FILES, LONG_FUNCTIONS};

/// A file of `src`, its tests not counted. Two concerns are two files.
pub(crate) const FILE_LINES_MAX: usize = 300;

/// A function, from `fn` to its closing brace: what is seen at once.
pub(crate) const FUNCTION_LINES_MAX: usize = 70;

/// A line.
pub(crate) const LINE_CHARS_MAX: usize = 100;

pub(crate) fn file_lengths(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("src/")) {
        let lines = source.shipped().count();
        let is_listed = LONG_FILES.iter().any(|(path, _)| *path == source.path);
        if lines > FILE_LINES_MAX && !is_listed {
            complaints.push(format!(
                "{}: {lines} lines without its tests, the bound is {FILE_LINES_MAX}: split it by \
                 concern, or list it in LONG_FILES (tests/tidy/tables.rs) with a reason",
                source.path
            ));
        }
        if lines <= FILE_LINES_MAX && is_listed {
            complaints.push(format!(
                "{}: {lines} lines are no more than {FILE_LINES_MAX}: take it off LONG_FILES \
                 (tests/tidy/tables.rs)",
                source.path
            ));
        }
    }
    complaints
}

pub(crate) fn function_lengths(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        for (name, range) in source.functions() {
            let is_listed = LONG_FUNCTIONS
                .iter()
                .any(|(folder, function, _)| source.path.starts_with(folder) && name == *function);
            if range.len() > FUNCTION_LINES_MAX && !is_listed {
                complaints.push(format!(
                    "{}: `{name}` has {} lines, the bound is {FUNCTION_LINES_MAX}: push its loops \
                     down into functions of their own",
                    source.at(range.start),
                    range.len()
                ));
            }
        }
    }
    complaints
}

pub(crate) fn line_lengths(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        for (index, line) in source.lines.iter().enumerate() {
            let chars = line.raw.chars().count();
            if chars > LINE_CHARS_MAX {
                let at = source.at(index);
                complaints.push(format!("{at}: {chars} characters: break the line"));
            }
        }
    }
    complaints
}

/// Words that are gone when the work is done. They are put together here, so that this file may be
/// looked through as well.
pub(crate) fn leftovers(texts: &[(String, String)]) -> Vec<String> {
    let words = [
        ["FIX", "ME"].concat(),
        ["TO", "DO"].concat(),
        ["X", "XX"].concat(),
        ["HA", "CK"].concat(),
        ["dbg", "!"].concat(),
        ["todo", "!"].concat(),
        ["(to be ", "written)"].concat(),
        ["(skel", "eton)"].concat(),
        ["grows with", " the crate"].concat(),
    ];
    let instead = "do it now, or write down in an issue what is open";
    find(texts, &words, instead, has_word)
}

/// Paths of one machine mean nothing on another.
pub(crate) fn machine_paths(texts: &[(String, String)]) -> Vec<String> {
    let paths = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat()];
    let instead = "a path of one machine: write it from the repository's root, or make it up";
    find(texts, &paths, instead, |line, path| line.contains(path))
}

fn find(
    texts: &[(String, String)],
    words: &[String],
    instead: &str,
    has: impl Fn(&str, &str) -> bool,
) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in texts {
        for (index, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| has(line, word)) {
                complaints.push(format!("{path}:{}: `{word}`: {instead}", index + 1));
            }
        }
    }
    complaints
}

/// The change log is in the form of Keep a Changelog.
pub(crate) fn changelog(text: &str) -> Vec<String> {
    const GROUPS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
    let mut complaints = Vec::new();
    if text.lines().next() != Some("# Changelog") {
        complaints.push("CHANGELOG.md: let its first line be `# Changelog`".to_string());
    }
    let mut releases = text.lines().filter_map(|line| line.strip_prefix("## "));
    if releases.next() != Some("[Unreleased]") {
        complaints.push("CHANGELOG.md: let `## [Unreleased]` be its first section".to_string());
    }
    for release in releases.filter(|release| !is_release(release)) {
        complaints.push(format!(
            "CHANGELOG.md: `## {release}` is no release; expected `## [1.2.3] - 2026-01-31`"
        ));
    }
    let groups = text.lines().filter_map(|line| line.strip_prefix("### "));
    for group in groups.filter(|group| !GROUPS.contains(group)) {
        complaints.push(format!("CHANGELOG.md: `### {group}` is none of {GROUPS:?}"));
    }
    complaints.extend(told_twice(text));
    complaints
}

/// Entries of one release that begin with the same name: merges leave them behind.
fn told_twice(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for release in text.split("\n## ") {
        let names = release.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next());
        let mut seen = std::collections::HashSet::new();
        for name in names.filter(|name| !seen.insert(*name)) {
            complaints.push(format!(
                "CHANGELOG.md: two entries of a release begin with `{name}`: join them"
            ));
        }
    }
    complaints
}

fn is_release(heading: &str) -> bool {
    let is_numbers = |text: &str, separator: char, count: usize| {
        let parts: Vec<&str> = text.split(separator).collect();
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        parts.len() == count && parts.iter().all(is_number)
    };
    let Some((version, date)) = heading.split_once(" - ") else { return false };
    let version = version.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let version = version.is_some_and(|version| is_numbers(version, '.', 3));
    version && is_numbers(date, '-', 3) && date.len() == "2026-01-31".len()
}
