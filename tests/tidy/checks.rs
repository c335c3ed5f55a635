//! Each rule is given something wrong, and has to notice that and nothing else.
//!
//! Not in here: whether the rules are wise.

use crate::source::Source;
use crate::{layers, mark_test_files, notes, pages, planes, shape};

fn sources(files: &[(&str, &str)]) -> Vec<Source> {
    mark_test_files(files.iter().map(|(path, text)| Source::new(path, text)).collect())
}

/// Complaints about one file.
fn about(rule: fn(&[Source]) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
    rule(&sources(&[(path, text)]))
}

/// The rule complains once, about this place, in words that contain `says`.
#[track_caller]
fn caught(complaints: Vec<String>, place: &str, says: &str) {
    let [complaint] = complaints.as_slice() else { panic!("expected one: {complaints:#?}") };
    assert!(complaint.starts_with(&format!("{place}: ")), "{complaint}");
    assert!(complaint.contains(says), "{complaint}");
}

#[track_caller]
fn passed(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn an_upward_use() {
    let rule = layers::layers;
    caught(
        about(rule, "src/report/json.rs", "use crate::sys::file;\n"),
        "src/report/json.rs:1",
        "`crate::sys`",
    );
    caught(
        about(rule, "src/terminate/mod.rs", "\nfn f() { crate::ledger::g() }\n"),
        "src/terminate/mod.rs:2",
        "`crate::ledger`",
    );
    let group = "use crate::{\n    bytes::Size,\n    cause::{Cause, alloc},\n    stack as s,\n};\n";
    caught(about(rule, "src/report/mod.rs", group), "src/report/mod.rs:4", "`crate::stack`");
    caught(
        about(rule, "src/report/mod.rs", "use super::sys;\n"),
        "src/report/mod.rs:1",
        "`crate::sys`",
    );
    caught(
        about(rule, "src/report/a/b.rs", "use super::super::super::sys::x;\n"),
        "src/report/a/b.rs:1",
        "`crate::sys`",
    );
    caught(
        about(rule, "src/report/a.rs", "use crate::Cause;\n"),
        "src/report/a.rs:1",
        "it lives in",
    );
    caught(
        about(rule, "src/report/a.rs", "macro_rules! m { () => { $crate::sys::x() } }\n"),
        "src/report/a.rs:1",
        "`crate::sys`",
    );
}

#[test]
fn a_downward_use_and_what_is_no_use() {
    let rule = layers::layers;
    passed(about(rule, "src/report/json.rs", "use super::line;\nuse crate::{bytes, cause};\n"));
    passed(about(rule, "src/report/json.rs", "/// [`x`](crate::sys::x)\n// crate::sys\n"));
    passed(about(rule, "src/report/json.rs", "const S: &str = \"crate::sys\";\n"));
    passed(about(rule, "src/report/mod.rs", "mod inner {\n    use super::sys;\n}\n"));
    let tests = "#[cfg(test)]\nmod tests {\n    use crate::alloc;\n}\n";
    passed(about(rule, "src/report/json.rs", tests));
    let parent = ("src/report/mod.rs", "#[cfg(all(test, not(loom)))]\nmod tests;\n");
    passed(rule(&sources(&[parent, ("src/report/tests.rs", "use crate::alloc;\n")])));
    passed(rule(&sources(&[parent, ("src/report/tests/more.rs", "use crate::alloc;\n")])));
}

#[test]
fn a_module_without_a_layer() {
    let complaints = about(layers::layers, "src/novel.rs", "fn f() {}\n");
    caught(complaints, "src/novel.rs", "MAY_USE");
    let library = ("src/lib.rs", "#[cfg(fuzzing)]\npub mod fuzzing;\n");
    passed(layers::layers(&sources(&[library, ("src/fuzzing.rs", "use crate::alloc;\n")])));
}

#[test]
fn a_word_past_its_door() {
    let rule = layers::doors;
    for (path, text, says) in [
        ("src/stack/mod.rs", "fn f() { unsafe { libc::abort() } }", "`libc`"),
        ("src/stack/mod.rs", "use core::sync::atomic::AtomicU8;", "`core::sync::atomic`"),
        ("src/sys/file.rs", "use std::sync::atomic::AtomicU8;", "`std::sync::atomic`"),
        ("src/ledger/mod.rs", "use loom::sync::Arc;", "`loom::`"),
        ("src/stack/mod.rs", "fn f() { asm!(\"nop\") }", "`asm!`"),
        ("src/alloc/mod.rs", "#[cfg(target_os = \"linux\")]", "`target_os`"),
        ("src/report/mod.rs", "const MAPS: &str = \"/proc/self/maps\";", "`/proc`"),
        (
            "src/stack/mod.rs",
            "unsafe extern \"C\" {\n    fn abort() -> !;\n}",
            "imports C functions",
        ),
        ("src/stack/mod.rs", "extern \"C-unwind\" { fn abort() -> !; }", "imports C functions"),
    ] {
        caught(about(rule, path, text), &format!("{path}:1"), says);
    }
}

#[test]
fn a_word_at_its_door_and_what_only_looks_like_one() {
    let rule = layers::doors;
    passed(about(rule, "src/sys/a.rs", "use libc::c_int; const P: &str = \"/proc\";"));
    passed(about(rule, "src/sync.rs", "pub use core::sync::atomic::AtomicU8;"));
    passed(about(rule, "src/stack/mod.rs", "//! libc /proc\nfn is_libc_there() {} // libc"));
    passed(about(
        rule,
        "src/stack/mod.rs",
        "extern \"C\" fn handler() {}\ntype F = extern \"C\" fn();",
    ));
    passed(about(rule, "src/stack/mod.rs", "#[cfg(test)]\nmod tests { use libc; }"));
    passed(about(rule, "src/stack/mod.rs", "#[cfg(not(loom))]\nfn f() {}"));
}

const LIB: &str =
    "// Layer 0: words.\nmod bytes;\nmod sync;\n\n// Layer 1: the machine.\nmod sys;\n";

#[test]
fn an_order_of_its_own() {
    let table = layers::expected_rows().join(" what it is |\n");
    let library = layers::expected_library();
    let order =
        |library: &str, table: &str| layers::order(&Source::new("src/lib.rs", library), table);
    passed(order(&library, &table));
    caught(order(LIB, &table), "src/lib.rs", "declares its modules as");
    let swapped = library.replacen("bytes", "swap", 1).replacen("sync", "bytes", 1);
    caught(order(&swapped.replacen("swap", "sync", 1), &table), "src/lib.rs", "one order");
    let elsewhere = library.replacen("// Layer 1:", "// Layer 3:", 1);
    caught(order(&elsewhere, &table), "src/lib.rs", "under a comment");
    caught(order(&library, &table.replacen("`sys`", "`system`", 1)), "ARCHITECTURE.md", "MAY_USE");
    caught(order(&library, &table.replacen("`sync`", "–", 2)), "ARCHITECTURE.md", "MAY_USE");
    let short = table.rsplit_once('\n').unwrap().0;
    caught(order(&library, short), "ARCHITECTURE.md", "MAY_USE");
}

#[test]
fn a_header_that_says_too_little() {
    let rule = planes::headers;
    for (text, says) in [
        ("use core::fmt;\n", "begin the file with"),
        ("//! No full stop\n//!\n//! Layer 2.  Plane: data.\n", "begin the file with"),
        ("//! A title.\n//!\n//! And prose.\n", "says `And prose.`"),
        ("//! A title.\n", "says ``"),
        ("//! A title.\n//!\n//! Layer 3.  Plane: data.\n", "expected `Layer 2."),
        ("//! A title.\n//!\n//! Layer 2.  Plane: astral.\n", "expected `Layer 2."),
        ("//! A title.\n//!\n//! Layer 2. Plane: data.\n", "expected `Layer 2."),
    ] {
        caught(about(rule, "src/cause.rs", text), "src/cause.rs", says);
    }
    passed(about(
        rule,
        "src/cause.rs",
        "//! A title of\n//! two lines.\n//!\n//! Layer 2.  Plane: data.\n",
    ));
    passed(about(rule, "src/lib.rs", "//! What the crate is for\n"));
    let program = "src/bin/tool/main.rs";
    caught(about(rule, program, "//! A title.\n\nfn main() {}\n"), program, "says ``");
    let layered = "//! A title.\n//!\n//! Layer 2.  Plane: data.\n";
    caught(about(rule, program, layered), program, "expected `Above the layers.");
    let above = "//! A title.\n//!\n//! Above the layers.  Plane: control.\n";
    passed(about(rule, program, above));
    passed(about(layers::layers, program, "use crate::text;\n"));
    caught(about(layers::doors, program, "use libc;\n"), "src/bin/tool/main.rs:1", "`libc`");
}

#[test]
fn what_a_plane_forbids() {
    let file =
        |plane: &str, line: &str| format!("//! T.\n//!\n//! Layer 4.  Plane: {plane}.\n{line}\n");
    let place = "src/terminate/steps.rs";
    let complaints = |plane: &str, line: &str| about(planes::planes, place, &file(plane, line));
    for line in [
        "fn f(b: Box<u8>) {}",
        "let v = Vec::new();",
        "fn f() -> String {}",
        "let s = format!(\"{x}\");",
        "println!();",
        "eprintln!();",
        "x.unwrap();",
        "x.expect(\"x\");",
        "panic!();",
        "assert_eq!(a, b);",
        "use parking_lot::Mutex;",
        "use once_cell::sync::Lazy;",
        "static M: std::sync::Mutex<u8> = x;",
        "std::thread::spawn(f);",
        "std::fs::read(p);",
    ] {
        for plane in ["data", "failure"] {
            caught(complaints(plane, line), &format!("{place}:4"), ": ");
        }
        passed(complaints("control", line));
        passed(complaints("data", &format!("#[cfg(test)]\nmod tests {{\n    {line}\n}}")));
        passed(complaints("data", &format!("// {line}")));
    }
    caught(complaints("failure", "debug_assert!(x);"), &format!("{place}:4"), "as cleanly");
    passed(complaints("data", "debug_assert!(x);"));
    passed(complaints("data", "const _: () = assert!(A < B);"));
    passed(complaints("data", "const _: () = {\nlet mut n = 0;\nassert!(A < B);\n};"));
    passed(complaints("data", "let n = const { assert!(A < B); A };"));
    caught(
        complaints("data", "const _: () = assert!(A);\nassert!(b);"),
        "src/terminate/steps.rs:5",
        "const",
    );
    passed(complaints("data", "x.unwrap_or(0); let s: &str = \"Box\"; struct Boxes; MyVec::f();"));
}

#[test]
fn an_unsafe_without_its_note() {
    let rule = notes::safety;
    let place = "src/sys/a.rs:";
    caught(
        about(rule, "src/sys/a.rs", "fn f() {\n    unsafe { g() }\n}\n"),
        &format!("{place}2"),
        "SAFETY:",
    );
    caught(
        about(rule, "src/sys/a.rs", "\nunsafe impl Send for X {}\n"),
        &format!("{place}2"),
        "SAFETY:",
    );
    let far = "// SAFETY: of another.\nlet a = 1;\nunsafe { g() };\n";
    caught(about(rule, "src/sys/a.rs", far), &format!("{place}3"), "SAFETY:");
    let second = "// SAFETY: yes.\nunsafe { f() };\nunsafe { g() };\n";
    caught(about(rule, "src/sys/a.rs", second), &format!("{place}3"), "SAFETY:");
    passed(about(
        rule,
        "src/sys/a.rs",
        "// SAFETY: yes,\n// it is.\n#[rustfmt::skip]\nunsafe { g() };\n",
    ));
    passed(about(
        rule,
        "src/sys/a.rs",
        "// SAFETY: yes.\nlet a = f(\n    b,\n    unsafe { g() },\n);\n",
    ));
    passed(about(rule, "src/sys/a.rs", "unsafe { g() }; // SAFETY: yes.\n"));
    passed(about(rule, "src/sys/a.rs", "unsafe fn f() {}\nunsafe extern \"C\" fn g() {}\n"));
}

#[test]
fn an_ordering_without_its_note() {
    let rule = notes::orderings;
    let within = |body: &str| format!("fn f() {{\n{body}\n}}\n");
    let (path, third) = ("src/ledger/a.rs", "src/ledger/a.rs:3");
    let complaints = |body: &str| about(rule, path, &within(body));
    caught(complaints("let a = 1;\na.load(Ordering::Relaxed);"), third, "ORDER:");
    caught(complaints("// SAFETY: no.\na.store(1, Release);"), third, "ORDER:");
    caught(
        complaints("// ORDER: of another.\n\na.store(1, Release);"),
        "src/ledger/a.rs:4",
        "ORDER:",
    );
    caught(complaints("// ORDER: x.\ng();\nfence(SeqCst);"), "src/ledger/a.rs:4", "ORDER:");
    passed(complaints("a.load(Relaxed); // ORDER: Relaxed. Its own word."));
    passed(complaints("// ORDER: Acquire, with f.\nif a\n    .load(Acquire)\n    == 1\n{}"));
    passed(complaints("// ORDER: two\n// lines.\na.load(Relaxed);\nb.load(Relaxed);"));
    passed(complaints(
        "// ORDER: Relaxed, all here. Why.\na.load(Relaxed);\nif c {\nb.load(Relaxed);\n}",
    ));
    passed(complaints("if mutant(M::X) {\na.store(0, Relaxed);\n}"));
    passed(about(rule, path, "use crate::sync::Ordering::{\n    Acquire,\n    Relaxed,\n};\n"));
    passed(about(rule, path, "struct ReleaseNotes; // Release\n"));
    passed(about(rule, "src/sync.rs", "fn f() { a.load(Relaxed); }\n"));
    let two = "// ORDER: Relaxed, both. Why.\na.load(Relaxed);\n}\nfn g() {\nb.load(Relaxed);";
    caught(complaints(two), "src/ledger/a.rs:6", "ORDER:");
}

#[test]
fn an_ordering_in_the_table_of_the_header() {
    let rule = notes::orderings;
    let file = |heading: &str, name: &str| {
        format!(
            "//! T.\n//!\n//! # {heading}\n//!\n//! | `{name}` | Relaxed | why |\n//! # Next\n//!\n\
                 //! | `g` |\nfn f() {{ a.load(Relaxed); }}\n"
        )
    };
    passed(about(rule, "src/ledger/a.rs", &file("Orderings", "f")));
    caught(about(rule, "src/ledger/a.rs", &file("Orderings", "g")), "src/ledger/a.rs:9", "ORDER:");
    caught(about(rule, "src/ledger/a.rs", &file("Others", "f")), "src/ledger/a.rs:9", "ORDER:");
}

#[test]
fn a_file_that_is_long() {
    let rule = shape::file_lengths;
    let long = "fn f() {}\n".repeat(shape::FILE_LINES_MAX + 1);
    caught(about(rule, "src/cause.rs", &long), "src/cause.rs", "split it");
    passed(about(rule, "src/cause.rs", "fn f() {}\n".repeat(shape::FILE_LINES_MAX).as_str()));
    passed(about(rule, "src/cause.rs", &format!("#[cfg(test)]\nmod tests {{\n{long}}}\n")));
    caught(about(rule, "src/alloc/mod.rs", "fn f() {}\n"), "src/alloc/mod.rs", "LONG_FILES");
}

#[test]
fn a_function_that_is_long() {
    let rule = shape::function_lengths;
    let function = |lines: usize| {
        let body = "    let brace = ('{', \"{\"); // {\n".repeat(lines - 2);
        format!("struct S;\nfn f<const N: usize>(a: [u8; 2]) -> u8 {{\n{body}}}\nfn g() {{}}\n")
    };
    caught(about(rule, "a.rs", &function(shape::FUNCTION_LINES_MAX + 1)), "a.rs:2", "`f` has 71");
    passed(about(rule, "a.rs", &function(shape::FUNCTION_LINES_MAX)));
    passed(about(rule, "a.rs", &format!("trait T {{ fn f(); {} }}\n", "\n".repeat(100))));
}

#[test]
fn a_line_that_is_long() {
    let rule = shape::line_lengths;
    caught(about(rule, "a.rs", &format!("\n// {}\n", "\u{e9}".repeat(98))), "a.rs:2", "101");
    passed(about(rule, "a.rs", &format!("// {}\n", "\u{e9}".repeat(97))));
}

#[test]
fn what_was_left_over() {
    let texts = |text: &str| [("a.md".to_string(), text.to_string())];
    for word in [["FIX", "ME"].concat(), ["TO", "DO"].concat(), ["dbg", "!"].concat()] {
        caught(shape::leftovers(&texts(&format!("\nx {word}: y\n"))), "a.md:2", "do it now");
    }
    passed(shape::leftovers(&texts(&["TO", "DOS and XX", "XX"].concat())));
    let path = ["/ro", "ot/x"].concat();
    caught(shape::machine_paths(&texts(&path)), "a.md:1", "one machine");
    passed(shape::machine_paths(&texts("the root / of it")));
}

#[test]
fn a_change_log_of_another_form() {
    let log = "# Changelog\n\nProse.\n\n## [Unreleased]\n\n### Added\n\n- A.\n\n\
               ## [0.1.0] - 2026-01-31\n";
    passed(shape::changelog(log));
    let twice = "# Changelog\n## [Unreleased]\n### Added\n- `One`.\n- `Two`.\n- `One`, again.\n";
    caught(shape::changelog(twice), "CHANGELOG.md", "begin with `One`");
    passed(shape::changelog(&twice.replace("- `Two`.", "## [1.2.3] - 2026-01-31")));
    for (from, to, says) in [
        ("# Changelog\n", "# Changes\n", "first line"),
        ("## [Unreleased]", "## Next", "first section"),
        ("[0.1.0] - ", "0.1.0 - ", "is no release"),
        ("2026-01-31", "31 January", "is no release"),
        ("### Added", "### New", "is none of"),
    ] {
        caught(shape::changelog(&log.replacen(from, to, 1)), "CHANGELOG.md", says);
    }
}

/// The lexer, by its three parts.
#[test]
fn code_comments_and_strings() {
    let parts = |text: &str| -> Vec<[String; 3]> {
        let source = Source::new("a.rs", text);
        let squeeze = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines = source.lines.iter();
        lines.map(|l| [squeeze(&l.code), squeeze(&l.comment), squeeze(&l.string)]).collect()
    };
    let is = |text: &str, expected: [&str; 3]| assert_eq!(parts(text)[0], expected, "{text}");
    is("a // b \"c\"", ["a", "// b \"c\"", ""]);
    is("a /* b /* c */ d */ e", ["a e", "/* b /* c */ d */", ""]);
    is(r#"f("a\"b // c", d)"#, ["f(\" \", d)", "", r#"a\"b // c"#]);
    is(r##"f(r#"a"b"#, br"c\")"##, ["f(r#\" \"#, br\" \")", "", r#"a"b c\"#]);
    is(r"f('{', '\'', '\u{1b}', b'a')", ["f( , , , b )", "", r"'{' '\'' '\u{1b}' 'a'"]);
    is("fn f<'a>(x: &'a u8) {}", ["fn f<'a>(x: &'a u8) {}", "", ""]);
    is("for r in x {}", ["for r in x {}", "", ""]);
    let lines = parts("a(\"b\nc\") /* d\n*/ e");
    assert_eq!(lines.iter().map(|line| line[0].as_str()).collect::<Vec<_>>(), ["a(\"", "\")", "e"]);
}

#[test]
fn a_link_that_leads_nowhere() {
    let page = |path: &str, text: &str| (path.to_string(), text.to_string());
    let about = |text: &str| {
        let pages = [page("docs/a.md", text), page("B.md", "# One\n## `Two`, and three\n")];
        pages::links(&pages, |path| ["docs/a.md", "B.md", "src"].contains(&path))
    };
    caught(about("\n[b](../C.md)"), "docs/a.md:2", "`../C.md`");
    caught(about("[b](B.md)"), "docs/a.md:1", "`B.md`");
    caught(about("[b](../B.md#four)"), "docs/a.md:1", "heading");
    caught(about("# Here\n[b](#there)"), "docs/a.md:2", "heading");
    caught(about("[b]\n\n[b]: B.md"), "docs/a.md:3", "`B.md`");
    passed(about("[b]\n\n[b]: ../B.md"));
    passed(about("# Here\n[b](#here) [b](../B.md#one), [c](../B.md#two-and-three) [d](../src)"));
    passed(about("[b](https://example.org/c)\n```text\n[c](d.md)\n```\n[`C`](crate::C)"));
}

#[test]
fn a_front_page_that_is_another_on_docs_rs() {
    let there = "[b]: https://docs.rs/crate/failfast-alloc/latest/source/B.md\n";
    caught(pages::front("[b](B.md)", ""), "README.md:1", "`[text][label]`");
    caught(pages::front("[b]\n\n[b]: B.md#one", ""), "src/links.md:1", there);
    caught(pages::front("nothing", there), "src/links.md:1", "put there");
    passed(pages::front("[b] [c] [d](https://d.org)\n\n[b]: B.md#one\n[c]: examples/c", there));
}

#[test]
fn a_path_that_is_not_there() {
    let about = |text: &str| {
        let page = ("A.md".to_string(), text.to_string());
        let there = ["src/a/b.rs", "src/a/c.rs", "tests/d.rs", "src/a/"];
        pages::paths(&page, |path| there.contains(&path))
    };
    caught(about("x\n`a/d.rs`"), "A.md:2", "`a/d.rs`");
    caught(about("`tests/d.rs`, `c.rs`"), "A.md:1", "`c.rs`");
    passed(about("`a/b.rs`, `c.rs`; `tests/d.rs`, `a/`, `/proc/x.rs`, `cargo a/b`, `word`"));
}
