//! The README's table of variables is the one that the parser goes by.
#![cfg(not(loom))]

const START: &str = "<!-- options -->";
const END: &str = "<!-- /options -->";

#[test]
fn the_readme_has_the_option_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let right = failfast_alloc::OptionsTable.to_string();
    let advice = format!("put this between `{START}` and `{END}` in README.md:\n\n{right}\n");
    let readme =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}; {advice}"));
    let table = readme
        .split_once(START)
        .and_then(|(_, rest)| rest.split_once(END))
        .map(|(table, _)| table.trim());
    assert!(table == Some(right.trim()), "the README's option table is missing or old; {advice}");
}
