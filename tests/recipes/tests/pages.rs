//! The code on the pages is the code that is tested.
//!
//! A block of a page that follows a line `<!-- tests/recipes/tests/NAME.rs -->` has to stand in
//! that file, word by word.

use std::path::Path;

const PAGES: [&str; 3] = ["docs/testing.md", "docs/coming-from-cap.md", "docs/libraries.md"];

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_code_on_the_pages_is_tested() {
    for page in PAGES {
        let text = read(page);
        let mut file = None;
        let mut checked = 0;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(path) = line.strip_prefix("<!-- ").and_then(|it| it.strip_suffix(" -->")) {
                file = Some(path);
            }
            if line != "```rust" {
                continue;
            }
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let path = file.take().unwrap_or_else(|| panic!("{page}: a block without its file"));
            let block = block.join("\n");
            assert!(read(path).contains(&block), "{page}: {path} has no such code:\n{block}");
            checked += 1;
        }
        assert!(checked > 0, "{page} has no code");
    }
}
