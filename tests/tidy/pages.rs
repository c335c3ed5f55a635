//! Pages name what is there: their links lead somewhere, and so do the paths of `ARCHITECTURE.md`.

/// A page: its path from the root, and its text.
pub(crate) type Page = (String, String);

/// Links within the repository that lead nowhere: to no file, or to no heading of a page.
pub(crate) fn links(pages: &[Page], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in pages {
        for (number, target) in targets(text) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { resolve(path, file) };
            let page = pages.iter().find(|(path, _)| *path == file);
            let is_there = exists(&file)
                && (anchor.is_empty()
                    || page.is_none_or(|(_, text)| headings(text).any(|it| it == anchor)));
            if !is_there {
                complaints.push(format!(
                    "{path}:{number}: `{target}`: no such file or heading: let the link lead to \
                     where that is now"
                ));
            }
        }
    }
    complaints
}

/// Paths that a page names and that are not there. They are meant from the root, from `src`, or
/// from the folder of the one before on the same line.
pub(crate) fn paths(page: &Page, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for (index, line) in page.1.lines().enumerate() {
        let mut folder = String::new();
        for path in line.split('`').skip(1).step_by(2).filter(|word| is_path(word)) {
            let places = [path.to_owned(), format!("src/{path}"), format!("{folder}{path}")];
            match places.iter().find(|place| exists(place)) {
                Some(place) => folder = place[..place.rfind('/').map_or(0, |at| at + 1)].to_owned(),
                None => complaints.push(format!(
                    "{}:{}: `{path}`: no such file: name it from the root, from src, or from the \
                     folder of the one before",
                    page.0,
                    index + 1
                )),
            }
        }
    }
    complaints
}

/// What the links lead to, each with the number of its line. Not those in code.
fn targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    let prose = text.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    prose.flat_map(|(index, line)| {
        inline(line)
            .chain(definition(line).map(|(_, target)| target))
            .map(move |target| (index + 1, target))
            .filter(|(_, target)| !target.contains("://") && !target.contains("::"))
    })
}

/// What a line links to by itself: `[text](target)`.
fn inline(line: &str) -> impl Iterator<Item = &str> {
    let ends = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(target, _)| target)
}

/// `[label]: target`.
fn definition(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('[')?.split_once("]: ").filter(|(_, target)| !target.contains(' '))
}

/// The README is the front page of docs.rs too, where its relative links lead nowhere. So they are
/// definitions, and `elsewhere` has others for the same labels, which come first there. Examples
/// are in no package: their links lead somewhere in the repository alone.
pub(crate) fn front(readme: &str, elsewhere: &str) -> Vec<String> {
    const AT: &str = "https://docs.rs/crate/failfast-alloc/latest/source/";
    let mut complaints = Vec::new();
    let mut wanted = String::new();
    for (index, line) in readme.lines().enumerate() {
        for target in inline(line).filter(|target| !target.contains("://")) {
            complaints.push(format!(
                "README.md:{}: `{target}`: write `[text][label]`, and `[label]: {target}` below",
                index + 1
            ));
        }
        if let Some((label, target)) = definition(line)
            && !target.contains("://")
            && !target.starts_with("examples/")
        {
            let file = target.split_once('#').map_or(target, |(file, _)| file);
            wanted += &format!("[{label}]: {AT}{file}\n");
        }
    }
    if elsewhere != wanted {
        complaints
            .push(format!("src/links.md:1: the README's links are others; put there\n{wanted}"));
    }
    complaints
}

/// The names by which links know a page's headings.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles = text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    titles.map(|title| {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    })
}

/// A relative path, from the root.
fn resolve(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." { _ = parts.pop() } else { parts.push(part) }
    }
    parts.join("/")
}

fn is_path(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ['_', '.', '-', '/'].contains(&c);
    let is_named = word.contains('/') || word.ends_with(".rs") || word.ends_with(".md");
    is_named && !word.starts_with('/') && word.chars().all(is_plain)
}
