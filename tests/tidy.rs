//! The architecture and the style, as tests.
//!
//! `ARCHITECTURE.md` says what the rules are for; the tables are in `tidy/tables.rs`. Each
//! complaint names a place and says what to do. The tests of the rules themselves are in
//! `tidy/checks.rs`: each is given something wrong and has to notice.

#[path = "tidy/checks.rs"]
mod checks;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/notes.rs"]
mod notes;
#[path = "tidy/pages.rs"]
mod pages;
#[path = "tidy/planes.rs"]
mod planes;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tables.rs"]
mod tables;

use source::Source;
use std::fs;
use std::path::Path;

/// What is looked through: Rust by the lexer, all of it as text.
const TEXT_EXTENSIONS: [&str; 7] = ["rs", "md", "toml", "js", "c", "h", "yml"];

/// Folders of tools, and what builds and fuzzers leave behind.
const SKIPPED: [&str; 6] = [".git", "target", "corpus", "artifacts", "coverage", "node_modules"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every text of the repository: its path from the root, and its content.
fn texts() -> Vec<(String, String)> {
    let (mut folders, mut texts) = (vec![root().to_path_buf()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let extension = path.extension().and_then(|extension| extension.to_str());
            let is_script = path
                .parent()
                .is_some_and(|parent| parent.file_name().is_some_and(|name| name == ".ci"));
            let is_text = extension.is_some_and(|extension| TEXT_EXTENSIONS.contains(&extension));
            if path.is_dir() {
                if !SKIPPED.contains(&name) {
                    folders.push(path);
                }
            } else if is_text || is_script {
                let from_root = path.strip_prefix(root()).unwrap().to_str().unwrap().to_string();
                texts.push((from_root, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    texts.sort();
    assert!(texts.iter().any(|(path, _)| path == "src/lib.rs"), "found no crate to look at");
    texts
}

/// Every Rust file, with the files of test modules marked as such.
fn sources() -> Vec<Source> {
    mark_test_files(
        texts()
            .iter()
            .filter(|(path, _)| path.ends_with(".rs"))
            .map(|(path, text)| Source::new(path, text))
            .collect(),
    )
}

fn mark_test_files(mut sources: Vec<Source>) -> Vec<Source> {
    let modules: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        let is_test = |module: &String| {
            source
                .path
                .strip_prefix(module.as_str())
                .is_some_and(|rest| rest.starts_with(['.', '/']))
        };
        if modules.iter().any(is_test) {
            source.lines.iter_mut().for_each(|line| line.is_test = true);
        }
    }
    sources
}

#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n\n{}\n", complaints.join("\n"));
}

#[test]
fn modules_use_only_what_is_below_them() {
    none(layers::layers(&sources()));
}

#[test]
fn the_outside_is_reached_through_its_doors() {
    none(layers::doors(&sources()));
}

#[test]
fn the_layers_are_in_one_order_everywhere() {
    none(layers::order(&Source::new("src/lib.rs", &read("src/lib.rs")), &read("ARCHITECTURE.md")));
}

#[test]
fn every_file_says_its_layer_and_plane() {
    none(planes::headers(&sources()));
}

#[test]
fn data_and_failure_planes_neither_allocate_nor_lock_nor_panic() {
    none(planes::planes(&sources()));
}

#[test]
fn every_unsafe_is_argued() {
    none(notes::safety(&sources()));
}

#[test]
fn every_ordering_is_argued() {
    none(notes::orderings(&sources()));
}

#[test]
fn files_are_short() {
    none(shape::file_lengths(&sources()));
}

#[test]
fn functions_are_short() {
    none(shape::function_lengths(&sources()));
}

#[test]
fn lines_are_short() {
    none(shape::line_lengths(&sources()));
}

#[test]
fn nothing_is_left_over() {
    none(shape::leftovers(&texts()));
}

#[test]
fn no_path_is_of_one_machine() {
    none(shape::machine_paths(&texts()));
}

#[test]
fn the_change_log_is_kept() {
    none(shape::changelog(&read("CHANGELOG.md")));
}

#[test]
fn links_lead_somewhere() {
    let pages: Vec<_> = texts().into_iter().filter(|(path, _)| path.ends_with(".md")).collect();
    none(pages::links(&pages, |path| root().join(path).exists()));
}

#[test]
fn the_front_page_leads_somewhere_on_docs_rs() {
    none(pages::front(&read("README.md"), &read("src/links.md")));
}

#[test]
fn the_architecture_names_what_is_there() {
    let page = ("ARCHITECTURE.md".to_string(), read("ARCHITECTURE.md"));
    none(pages::paths(&page, |path| root().join(path).exists()));
}
