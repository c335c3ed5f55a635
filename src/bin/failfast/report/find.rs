//! Reports among other things.
//!
//! Above the layers.  Plane: control.
//!
//! A report may be a file of its own, one line of a log (with a time stamp before it), a string in
//! the line that a container's runtime makes of it, or a string in a pod's status. So each line
//! that is JSON is looked through, strings included, and in every other text a report begins where
//! an object's first member is `failfast`, which it is in all that this crate writes.

use serde_json::{Deserializer, Map, Value};

/// Strings within strings within strings are not looked through any further.
const NESTING_MAX: u32 = 3;
/// No report is longer, pretty-printed by whatever tool.
const REPORT_BYTES_MAX: usize = 1 << 20;

/// Something that looks like a report.
#[derive(Debug)]
pub(crate) struct Found {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    pub(crate) object: Result<Map<String, Value>, Broken>,
}

/// A report that begins, and is no JSON.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Broken {
    /// It ends in the middle, after so many bytes.
    Truncated(usize),
    /// Something else is wrong, as the reader of JSON says.
    Malformed(String),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated(bytes) => {
                let s = if *bytes == 1 { "" } else { "s" };
                write!(f, "the report ends in the middle, after {bytes} byte{s}: it was cut off")
            }
            Self::Malformed(error) => write!(f, "the report is not JSON: {error}"),
        }
    }
}

/// All reports in `text`, in their order.
pub(crate) fn find(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        walk(value, 1, 0, &mut found);
        return found;
    }
    search(text, 0, &mut found);
    found
}

/// Looks through a text that is not JSON as a whole.
fn search(text: &str, nesting: u32, found: &mut Vec<Found>) {
    let (mut at, mut line, mut next) = (0, 1, begins(text, 0));
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let end = at + rest.find('\n').map_or(rest.len(), |end| end + 1);
        let begin = next.filter(|begin| *begin < end);
        let taken = match (text.get(at..end).and_then(whole_line), begin) {
            (Some(value), _) => {
                walk(value, line, nesting, found);
                end
            }
            (None, Some(begin)) => {
                let (object, length) = report_at(&text[begin..]);
                found.push(Found { line, object });
                // What follows a broken report on its line is a part of it.
                length.map_or(end, |length| begin + length)
            }
            (None, None) => end,
        };
        line += text[at..taken].matches('\n').count();
        at = taken;
        if next.is_some_and(|begin| begin < at) {
            next = begins(text, at);
        }
    }
}

/// A line that is a JSON object or array, blanks aside.
fn whole_line(line: &str) -> Option<Value> {
    let line = line.trim();
    line.starts_with(['{', '[']).then(|| serde_json::from_str(line).ok()).flatten()
}

/// The report at the beginning of `text`, and how long it is if it is whole.
fn report_at(text: &str) -> (Result<Map<String, Value>, Broken>, Option<usize>) {
    let text = &text[..text.floor_char_boundary(REPORT_BYTES_MAX)];
    let mut values = Deserializer::from_str(text).into_iter::<Map<String, Value>>();
    match values.next() {
        Some(Ok(map)) => (Ok(map), Some(values.byte_offset())),
        Some(Err(error)) => (Err(broken(&error, text)), None),
        None => (Err(Broken::Truncated(0)), None),
    }
}

fn broken(error: &serde_json::Error, report: &str) -> Broken {
    if error.is_eof() {
        // A blank at the end may stand in a text; a line break never does.
        return Broken::Truncated(report.trim_end_matches(['\n', '\r']).len());
    }
    // Where it was said, within this piece, means nothing to whoever reads it.
    let text = error.to_string();
    Broken::Malformed(text.split(" at line ").next().unwrap_or(&text).to_string())
}

/// Where the next object with `failfast` as its first member begins, from `from` on.
fn begins(text: &str, from: usize) -> Option<usize> {
    const NAME: &str = "\"failfast\"";
    let mut at = from;
    loop {
        let name = text.get(at..)?.find(NAME)? + at;
        let before = text.get(from..name)?.trim_end();
        let after = text.get(name + NAME.len()..)?.trim_start();
        if before.ends_with('{') && (after.is_empty() || after.starts_with(':')) {
            return Some(from + before.len() - 1);
        }
        at = name + NAME.len();
    }
}

/// Looks through a value.
fn walk(value: Value, line: usize, nesting: u32, found: &mut Vec<Found>) {
    match value {
        Value::Object(map) if map.contains_key("failfast") => {
            found.push(Found { line, object: Ok(map) });
        }
        Value::Object(map) => {
            map.into_iter().for_each(|(_, value)| walk(value, line, nesting, found));
        }
        Value::Array(values) => {
            values.into_iter().for_each(|value| walk(value, line, nesting, found));
        }
        Value::String(text) if nesting < NESTING_MAX && text.contains("\"failfast\"") => {
            let first = found.len();
            search(&text, nesting + 1, found);
            found.iter_mut().skip(first).for_each(|it| it.line = line);
        }
        _ => {}
    }
}
