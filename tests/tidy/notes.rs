//! What has to be argued where it stands: `unsafe`, and memory orderings.

use crate::planes::header;
use crate::source::{Line, Source, has_word};

const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

/// Every `unsafe` block and `unsafe impl` has its `SAFETY:` note.
pub(crate) fn safety(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        for (index, line) in source.lines.iter().enumerate() {
            let code = line.code.trim_end();
            let is_block = has_word(code, "unsafe {") || has_word(code, "unsafe impl");
            if is_block && !has_note(source, index, "SAFETY:", |_| false) {
                complaints.push(format!(
                    "{}: unsafe without a note: write `// SAFETY:` above the statement, and answer \
                     the callee's contract clause by clause",
                    source.at(index)
                ));
            }
        }
    }
    complaints
}

/// Every memory ordering has its `ORDER:` note:
///
/// * on its line, or above its statement, where one note serves a run of statements that all name
///   orderings;
/// * or earlier in its function, if that note says that it is for `both` or `all`;
/// * or by a row of the header's section `# Orderings` that names its function.
///
/// What only a mutant does needs none.
pub(crate) fn orderings(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let kept = |source: &&Source| source.path.starts_with("src/") && source.path != "src/sync.rs";
    for source in sources.iter().filter(kept) {
        let tabled = tabled_functions(source);
        let functions = source.functions();
        for (index, line) in source.shipped() {
            if !names_ordering(&line.code) || is_import(source, index) || is_mutant(source, index) {
                continue;
            }
            let is_covered = functions.iter().filter(|(_, lines)| lines.contains(&index)).any(
                |(name, lines)| {
                    tabled.contains(name) || source.lines[lines.start..index].iter().any(is_for_all)
                },
            );
            if !is_covered && !has_note(source, index, "ORDER:", names_ordering) {
                complaints.push(format!(
                    "{}: an ordering without a note: write `// ORDER:` above the statement, and \
                     name the partner, or say why there is none",
                    source.at(index)
                ));
            }
        }
    }
    complaints
}

fn names_ordering(code: &str) -> bool {
    ORDERINGS.iter().any(|word| has_word(code, word))
}

/// Whether a note is for every ordering that follows it in its function.
fn is_for_all(line: &Line) -> bool {
    let note = line.comment.split_once("ORDER:").map_or("", |(_, note)| note);
    let scope = note.split(['.', ':', ';']).next().unwrap_or_default();
    has_word(scope, "both") || has_word(scope, "all")
}

/// Whether the line is reached only if a safeguard is left out on purpose.
fn is_mutant(source: &Source, index: usize) -> bool {
    let lines = &source.lines[index.saturating_sub(1)..=index];
    lines.iter().any(|line| line.code.trim_start().starts_with("if mutant("))
}

/// Whether the statement of the line begins with `use`.
fn is_import(source: &Source, index: usize) -> bool {
    let before = source.lines[..=index].iter().rev();
    let begin = before.map(|line| line.code.trim()).find(|code| {
        let code = code.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        code.starts_with("use ") || code.ends_with(';')
    });
    begin.is_some_and(|code| code.contains("use "))
}

/// Functions in the first cells of the table under `# Orderings` in the header.
fn tabled_functions(source: &Source) -> Vec<String> {
    let section = header(source).skip_while(|line| *line != "# Orderings").skip(1);
    let section = section.take_while(|line| !line.starts_with('#'));
    let cells = section.filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(name, _)| name.to_string()).collect()
}

/// Whether a comment with `mark` is on the line, or right above its statement. `passes` says which
/// statements before it share their note with it.
fn has_note(source: &Source, index: usize, mark: &str, passes: impl Fn(&str) -> bool) -> bool {
    if source.lines[index].comment.contains(mark) {
        return true;
    }
    let mut is_in_comment = false;
    for line in source.lines[..index].iter().rev() {
        let code = line.code.trim();
        if line.comment.contains(mark) && code.is_empty() {
            return true;
        }
        let is_comment = code.is_empty() && !line.comment.trim().is_empty();
        let is_attribute = code.starts_with("#[") || code.starts_with("#![");
        let ends_statement = code.is_empty() || code.ends_with([';', '{', '}']);
        if is_comment {
            is_in_comment = true;
        } else if is_in_comment || (!is_attribute && ends_statement && !passes(code)) {
            return false;
        }
    }
    false
}
