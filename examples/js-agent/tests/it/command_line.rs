//! What people meet: scripts that cannot be read, exceptions, help, and settings that are wrong.

use std::path::Path;

use crate::child::{AGENT, Ended, run, script};

/// Runs a script of this text, whose path becomes `SCRIPT` in what it wrote to standard error.
fn run_text(source: &[u8]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.js");
    std::fs::write(&path, source).unwrap();
    let mut outcome = run(AGENT, &[&path], &[]);
    outcome.err = outcome.err.replace(path.to_str().unwrap(), "SCRIPT");
    outcome
}

#[track_caller]
fn check(outcome: &Ended, status: i32, stdout: &str, stderr: &str) {
    assert_eq!((&*outcome.out, &*outcome.err), (stdout, stderr), "{}", outcome.status);
    assert_eq!(outcome.status.code(), Some(status));
}

#[test]
fn a_missing_script() {
    let outcome = run(AGENT, &[Path::new("no/such.js")], &[]);
    let line = "js-agent: cannot read `no/such.js`: No such file or directory (os error 2)\n";
    check(&outcome, 2, "", line);
}

#[test]
fn a_script_that_cannot_be_read() {
    let outcome = run(AGENT, &[Path::new("/")], &[]);
    check(&outcome, 2, "", "js-agent: cannot read `/`: Is a directory (os error 21)\n");
}

#[test]
fn a_script_that_is_not_text() {
    let expected = "expected JavaScript in UTF-8, without NUL bytes\n";
    let line = format!("js-agent: cannot run `SCRIPT`: byte 6 is not UTF-8; {expected}");
    check(&run_text(b"print(\xff)"), 2, "", &line);
    let line = format!("js-agent: cannot run `SCRIPT`: there is a NUL at byte 6; {expected}");
    check(&run_text(b"print(\0)"), 2, "", &line);
}

#[test]
fn a_syntax_error() {
    let line = "Uncaught SyntaxError: unexpected token in expression: ';'\n    at SCRIPT:2:9\n";
    check(&run_text(b"print('before');\nlet x = ;"), 1, "", line);
}

#[test]
fn an_uncaught_exception() {
    let source = b"print('before');\nfunction f() { null.x; }\nf();\nprint('after');";
    let outcome = run_text(source);
    let expected = "Uncaught TypeError: cannot read property 'x' of null\n    at f (SCRIPT:2:";
    assert!(outcome.err.starts_with(expected), "{}", outcome.err);
    assert!(outcome.err.contains("\n    at <eval> (SCRIPT:3:"), "{}", outcome.err);
    check(&outcome, 1, "before\n", &outcome.err);
}

#[test]
fn thrown_values_that_are_no_errors() {
    check(&run_text(b"throw 'a text'"), 1, "", "Uncaught a text\n");
    let outcome = run_text(b"throw { toString() { throw 1; } }");
    check(&outcome, 1, "", "Uncaught (object without text)\n");
}

#[test]
fn an_exception_in_a_job() {
    let source = b"queueMicrotask(() => { throw 'late' }); queueMicrotask(() => print('never'));";
    check(&run_text(source), 1, "", "Uncaught late\n");
}

#[test]
fn rejections_that_nobody_handles() {
    let source = b"Promise.reject('lost'); Promise.reject('too'); print('all the same');";
    check(&run_text(source), 1, "all the same\n", "Unhandled rejection: lost\n");
    let source = b"const late = Promise.reject('late');
        queueMicrotask(() => late.catch((reason) => print('handled', reason)));";
    check(&run_text(source), 0, "handled late\n", "");
}

#[test]
fn printing() {
    let source = b"print('a', 1, -0, null, undefined, [1, [2]], {}, 10n); console.log(); \
        console.log('half a pair:', '\\ud800');";
    let stdout = "a 1 0 null undefined 1,2 [object Object] 10\n\n\
        half a pair: \u{fffd}\u{fffd}\u{fffd}\n";
    check(&run_text(source), 0, stdout, "");
}

#[test]
fn help() {
    for argument in ["-h", "--help"] {
        let outcome = run(AGENT, &[Path::new(argument)], &[]);
        check(&outcome, 0, &outcome.out, "");
        for part in ["Usage: js-agent [OPTIONS] <SCRIPT>", "--native-stack", "Exit status:"] {
            assert!(outcome.out.contains(part), "{}", outcome.out);
        }
    }
    let outcome = run(AGENT, &[], &[]);
    assert_eq!(outcome.status.code(), Some(2));
    assert!(outcome.err.contains("<SCRIPT>"), "{}", outcome.err);
}

/// A setting that is not applied in silence is the worst outcome: the script is not even begun.
#[test]
fn wrong_settings() {
    let size = "expected bytes, 64MiB, 75%, auto or unlimited";
    for (name, value, complaint) in [
        ("FAILFAST_BUDGET", "12Q", format!("`12Q` is not a size; {size}")),
        ("FAILFAST_BUDGET", "", format!("`` is empty; {size}")),
        (
            "FAILFAST_BUGDET",
            "64MiB",
            "`64MiB` is set under a name that is not known; expected FAILFAST_BUDGET".to_owned(),
        ),
    ] {
        let outcome = run(AGENT, &[&script("well-behaved.js")], &[(name, value)]);
        check(&outcome, 78, "", &format!("failfast: {name}: {complaint}\n"));
    }
}
