//! Who may use whom, and who may speak to the outside.

use crate::source::{Code, Source, has_word, is_word};
use crate::tables::{DOORS, Door, EXCEPTIONS, MAY_USE, PATH_DOOR, PROGRAMS};

/// Each module uses only those its row of the table names.
pub(crate) fn layers(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let in_library =
        |source: &&Source| source.path.starts_with("src/") && !source.path.starts_with(PROGRAMS);
    for source in sources.iter().filter(in_library) {
        let path = source.module();
        let Some(own) = path.first().filter(|_| source.shipped().next().is_some()) else {
            continue;
        };
        let Some((_, _, may_use)) = MAY_USE.iter().find(|(name, _, _)| name == own) else {
            complaints.push(format!(
                "{}: module `{own}` has no layer: give it a row in MAY_USE (tests/tidy/tables.rs) \
                 and in ARCHITECTURE.md",
                source.path
            ));
            continue;
        };
        for (line, name) in used_modules(source) {
            if name == *own || may_use.contains(&name.as_str()) || source.lines[line].is_test {
                continue;
            }
            let known = MAY_USE.iter().any(|(module, _, _)| *module == name);
            let fix = match known {
                true => "move what is shared down, or pass it in as an argument",
                false => "name the module that it lives in",
            };
            let at = source.at(line);
            complaints.push(format!("{at}: `{own}` may not use `crate::{name}`: {fix}"));
        }
    }
    complaints
}

/// The first name of every path that starts at the crate's root, and the line it stands on.
fn used_modules(source: &Source) -> Vec<(usize, String)> {
    let code = Code::new(source);
    let mut used = Vec::new();
    for at in code.words("crate::") {
        used.extend(names_after(&code, at + "crate::".len()));
    }
    for at in code.words("super::") {
        let chain = code.text[..at].ends_with("super::");
        if chain {
            continue;
        }
        let rest = &code.text[at..];
        let ups = rest.split("::").take_while(|part| *part == "super").count();
        let depth = source.module().len() + inline_depth(&code, at);
        if ups == depth {
            used.extend(names_after(&code, at + ups * "super::".len()));
        }
    }
    used
}

/// The name at `at`, or every first name within braces.
fn names_after(code: &Code, at: usize) -> Vec<(usize, String)> {
    let name_at = |at: usize| -> (usize, String) {
        (code.line(at), code.text[at..].chars().take_while(|c| is_word(*c)).collect())
    };
    if !code.text[at..].starts_with('{') {
        return vec![name_at(at)];
    }
    let (mut names, mut depth, mut is_first) = (Vec::new(), 0, false);
    for (offset, c) in code.text[at..=code.closing(at)].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if is_word(c) && is_first {
            names.push(name_at(at + offset));
        }
        is_first = depth == 1 && (matches!(c, '{' | ',') || (is_first && c.is_whitespace()));
    }
    names
}

/// How many inline modules of the file `at` is in.
fn inline_depth(code: &Code, at: usize) -> usize {
    let bodies = code.words("mod").into_iter().filter_map(|begin| code.body_after(begin));
    bodies.filter(|open| *open < at && code.closing(*open) > at).count()
}

/// Words of the outside stand only in the files that keep its doors.
pub(crate) fn doors(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("src/")) {
        for (index, line) in source.shipped() {
            for door in DOORS {
                complaints.extend(passes(door, source, index, &line.code));
            }
            complaints.extend(passes(&PATH_DOOR, source, index, &line.string));
        }
        complaints.extend(imports(source));
    }
    complaints
}

fn passes(door: &Door, source: &Source, index: usize, text: &str) -> Vec<String> {
    let is_keeper = |keeper: &&str| match keeper.ends_with('/') {
        true => source.path.starts_with(*keeper),
        false => source.path == *keeper,
    };
    if door.keepers.iter().any(is_keeper) {
        return Vec::new();
    }
    let said = door.words.iter().filter(|word| has_word(text, word));
    let said = said.filter(|word| !is_excepted(source, word));
    said.map(|word| format!("{}: names `{word}`: {}", source.at(index), door.instead)).collect()
}

pub(crate) fn is_excepted(source: &Source, word: &str) -> bool {
    EXCEPTIONS.iter().any(|(path, excepted, _)| *path == source.path && *excepted == word)
}

/// Blocks that import C functions.
fn imports(source: &Source) -> Vec<String> {
    if source.path.starts_with("src/sys/") {
        return Vec::new();
    }
    let code = Code::new(source);
    let blocks = code.words("extern").into_iter().filter(|at| {
        let rest = code.text[at + "extern".len()..].trim_start();
        let rest = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
        rest.is_some_and(|(_, rest)| rest.trim_start().starts_with('{'))
    });
    let at = |begin| source.at(code.line(begin));
    blocks.map(|begin| format!("{}: imports C functions: only src/sys may", at(begin))).collect()
}

/// `lib.rs` declares the modules in the order of the table, under the comment of their layer; and
/// the table in `ARCHITECTURE.md` is the same.
pub(crate) fn order(lib: &Source, architecture: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let table: Vec<(String, u32)> =
        MAY_USE.iter().map(|(name, layer, _)| (name.to_string(), *layer)).collect();
    let declared = declared_modules(lib);
    if declared != table {
        complaints.push(format!(
            "{}: declares its modules as\n  {declared:?}\nbut MAY_USE \
             (tests/tidy/tables.rs) has\n  {table:?}\nBring them into one order, each under a \
             comment `// Layer N: …`",
            lib.path
        ));
    }
    let rows = expected_rows();
    let written: Vec<&str> = architecture.lines().filter(|line| is_layer_row(line)).collect();
    let in_order = written.len() == rows.len()
        && written.iter().zip(&rows).all(|(written, row)| written.starts_with(row.as_str()));
    if !in_order {
        complaints.push(format!(
            "ARCHITECTURE.md: its table of layers is not MAY_USE (tests/tidy/tables.rs). Let its \
             rows begin so, in this order:\n{}",
            rows.join("\n")
        ));
    }
    complaints
}

/// How the rows of the table in `ARCHITECTURE.md` begin.
pub(crate) fn expected_rows() -> Vec<String> {
    let row = |(name, layer, may_use): &(&str, u32, &[&str])| {
        let used: Vec<String> = may_use.iter().map(|name| format!("`{name}`")).collect();
        let used = if used.is_empty() { "–".to_string() } else { used.join(", ") };
        format!("| {layer} | `{name}` | {used} |")
    };
    MAY_USE.iter().map(row).collect()
}

/// The least that `lib.rs` may be.
pub(crate) fn expected_library() -> String {
    let module =
        |(name, layer, _): &(&str, u32, &[&str])| format!("// Layer {layer}: x.\nmod {name};\n");
    MAY_USE.iter().map(module).collect()
}

fn is_layer_row(line: &str) -> bool {
    let mut cells = line.strip_prefix("| ").unwrap_or_default().split(" | ");
    let layer = cells.next().is_some_and(|cell| cell.parse::<u32>().is_ok());
    layer && cells.next().is_some_and(|cell| cell.starts_with('`'))
}

fn declared_modules(lib: &Source) -> Vec<(String, u32)> {
    let (mut layer, mut declared) = (u32::MAX, Vec::new());
    for (_, line) in lib.shipped() {
        if let Some(rest) = line.comment.trim().strip_prefix("// Layer ") {
            layer = rest.split(':').next().and_then(|n| n.parse().ok()).unwrap_or(u32::MAX);
        }
        let code = line.code.trim().trim_start_matches("pub ");
        if let Some(name) = code.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            declared.push((name.to_string(), layer));
        }
    }
    declared
}
