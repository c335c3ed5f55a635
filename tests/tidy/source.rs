//! A Rust file, line by line: what is code, what is comment, what stands in strings, what is test.
//!
//! Enough of a lexer to look for words where they mean something, and no more: a full parser would
//! be built anew for every test run, and knows nothing of comments.

use std::ops::Range;

/// A line of a file, taken apart. Each part has blanks where another part stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) raw: String,
    pub(crate) code: String,
    pub(crate) comment: String,
    pub(crate) string: String,
    /// Whether it is compiled for tests alone.
    pub(crate) is_test: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// From the repository's root.
    pub(crate) path: String,
    pub(crate) lines: Vec<Line>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut lines = lex(text);
        mark_tests(&mut lines);
        Self { path: path.to_string(), lines }
    }

    /// The module's name and those of the modules it is in: `src/report/json.rs` is
    /// `["report", "json"]`, and `src/lib.rs` is the crate itself, `[]`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let mut parts: Vec<&str> = path.split('/').collect();
        if matches!(parts.last(), Some(&"mod" | &"lib")) {
            parts.pop();
        }
        parts
    }

    /// The number a person gives to the line with this index, after the file's name.
    pub(crate) fn at(&self, index: usize) -> String {
        format!("{}:{}", self.path, index + 1)
    }

    /// Code that ships, with its index.
    pub(crate) fn shipped(&self) -> impl DoubleEndedIterator<Item = (usize, &Line)> {
        self.lines.iter().enumerate().filter(|(_, line)| !line.is_test)
    }

    /// Names of modules that this file declares for tests alone, in files of their own.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let declared = self.lines.iter().filter(|line| line.is_test).filter_map(|line| {
            let rest = line.code.trim().strip_suffix(';')?;
            let (before, name) = rest.rsplit_once(' ')?;
            before.ends_with("mod").then(|| name.to_string())
        });
        let (folder, file) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let folder = match file {
            "mod.rs" | "lib.rs" => folder,
            _ => self.path.trim_end_matches(".rs"),
        };
        declared.map(|name| format!("{folder}/{name}")).collect()
    }

    /// The functions with a body: name, and the lines from `fn` to the closing brace.
    pub(crate) fn functions(&self) -> Vec<(String, Range<usize>)> {
        let code = Code::new(self);
        let mut found = Vec::new();
        for at in code.words("fn") {
            let name: String =
                code.text[at + 2..].trim_start().chars().take_while(|c| is_word(*c)).collect();
            let Some(open) = code.body_after(at) else { continue };
            if !name.is_empty() {
                found.push((name, code.line(at)..code.line(code.closing(open)) + 1));
            }
        }
        found
    }
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `token` stands in `text`, not as a part of a longer word.
pub(crate) fn find_words<'a>(text: &'a str, token: &'a str) -> impl Iterator<Item = usize> + 'a {
    let (first, last) = (token.chars().next(), token.chars().next_back());
    text.match_indices(token).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back().is_some_and(is_word);
        let after = text[at + token.len()..].chars().next().is_some_and(is_word);
        !(before && first.is_some_and(is_word) || after && last.is_some_and(is_word))
    })
}

pub(crate) fn has_word(text: &str, token: &str) -> bool {
    find_words(text, token).next().is_some()
}

/// All the code of a file in one piece.
pub(crate) struct Code {
    pub(crate) text: String,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl Code {
    pub(crate) fn new(source: &Source) -> Self {
        let (mut text, mut starts) = (String::new(), Vec::new());
        for line in &source.lines {
            starts.push(text.len());
            text.push_str(&line.code);
            text.push('\n');
        }
        Self { text, starts }
    }

    pub(crate) fn words(&self, token: &str) -> Vec<usize> {
        find_words(&self.text, token).collect()
    }

    /// The index of the line with this byte.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at) - 1
    }

    /// The opening brace of the item that begins at `at`, unless it ends without one.
    pub(crate) fn body_after(&self, at: usize) -> Option<usize> {
        let mut depth = 0;
        for (offset, c) in self.text[at..].char_indices() {
            match c {
                '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                '{' if depth == 0 => return Some(at + offset),
                ';' if depth == 0 => return None,
                _ => {}
            }
        }
        None
    }

    /// The brace that closes the one at `open`, or the end of the file.
    pub(crate) fn closing(&self, open: usize) -> usize {
        let mut depth = 0;
        for (offset, c) in self.text[open..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return open + offset;
            }
        }
        self.text.len() - 1
    }
}

/// Marks what `#[cfg(…)]` keeps for tests, for models or for fuzzers.
fn mark_tests(lines: &mut [Line]) {
    let whole = Source { path: String::new(), lines: lines.to_vec() };
    let code = Code::new(&whole);
    for at in code.words("#[cfg") {
        let Some(end) = code.text[at..].find(']').map(|end| at + end) else { continue };
        let condition = without_not(&code.text[at..end]);
        if !["test", "loom", "fuzzing"].iter().any(|word| has_word(&condition, word)) {
            continue;
        }
        let last = match code.body_after(end + 1) {
            Some(open) => code.closing(open),
            None => end + code.text[end..].find(';').unwrap_or(0),
        };
        for line in &mut lines[code.line(at)..=code.line(last)] {
            line.is_test = true;
        }
    }
}

fn without_not(condition: &str) -> String {
    let mut parts = condition.split("not(");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |kept, part| kept + part.split_once(')').map_or("", |(_, rest)| rest))
}

#[derive(Clone, Copy)]
enum State {
    Code,
    LineComment,
    BlockComment(usize),
    /// How many `#` end it; `None` if escapes count.
    String(Option<usize>),
}

/// Where a piece of a line belongs. A string's quotes belong to the code.
#[derive(Clone, Copy)]
enum Part {
    Code,
    Comment,
    String,
}

fn lex(text: &str) -> Vec<Line> {
    let mut state = State::Code;
    let mut lines = Vec::new();
    for raw in text.lines() {
        let mut line = Line { raw: raw.to_string(), ..Line::default() };
        let chars: Vec<char> = raw.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            let (next, length, part) = step(state, &chars, at);
            for c in &chars[at..at + length] {
                let mut parts = [' ', ' ', ' '];
                parts[part as usize] = *c;
                line.code.push(parts[Part::Code as usize]);
                line.comment.push(parts[Part::Comment as usize]);
                line.string.push(parts[Part::String as usize]);
            }
            (state, at) = (next, at + length);
        }
        if matches!(state, State::LineComment) {
            state = State::Code;
        }
        lines.push(line);
    }
    lines
}

/// The state after the next piece, how many characters that has, and where it belongs.
fn step(state: State, chars: &[char], at: usize) -> (State, usize, Part) {
    let starts = |text: &str| text.chars().enumerate().all(|(n, c)| chars.get(at + n) == Some(&c));
    let hashes = |count| format!("\"{}", "#".repeat(count));
    match state {
        State::LineComment => (state, 1, Part::Comment),
        State::BlockComment(1) if starts("*/") => (State::Code, 2, Part::Comment),
        State::BlockComment(n) if starts("*/") => (State::BlockComment(n - 1), 2, Part::Comment),
        State::BlockComment(n) if starts("/*") => (State::BlockComment(n + 1), 2, Part::Comment),
        State::BlockComment(_) => (state, 1, Part::Comment),
        State::String(None) if starts("\\") => (state, 2.min(chars.len() - at), Part::String),
        State::String(None) if starts("\"") => (State::Code, 1, Part::Code),
        State::String(Some(n)) if starts(&hashes(n)) => (State::Code, 1 + n, Part::Code),
        State::String(_) => (state, 1, Part::String),
        State::Code if starts("//") => (State::LineComment, 2, Part::Comment),
        State::Code if starts("/*") => (State::BlockComment(1), 2, Part::Comment),
        State::Code if starts("\"") => (State::String(None), 1, Part::Code),
        State::Code => match (character_length(&chars[at..]), raw_string(chars, at)) {
            (Some(length), _) => (state, length, Part::String),
            (_, Some((state, length))) => (state, length, Part::Code),
            _ => (state, 1, Part::Code),
        },
    }
}

/// `r"`, `r#"`, `br"` and their like, at the beginning of a word.
fn raw_string(chars: &[char], at: usize) -> Option<(State, usize)> {
    let follows_word = at > 0 && is_word(chars[at - 1]);
    if chars[at] != 'r' || (follows_word && !matches!(chars[at - 1], 'b' | 'c')) {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some((State::String(Some(hashes)), 2 + hashes))
}

/// How long the character literal is that begins here; none begins with a lifetime's quote.
fn character_length(chars: &[char]) -> Option<usize> {
    match chars {
        ['\'', '\\', _, rest @ ..] => {
            Some(3 + rest.iter().position(|c| *c == '\'').map_or(rest.len(), |end| end + 1))
        }
        ['\'', _, '\'', ..] => Some(3),
        _ => None,
    }
}
