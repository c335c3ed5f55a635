//! How a test asserts that an input ends the process, and by what.

use failfast_alloc::{Cluster, FailFast, Limit};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// In a child's environment: it is the one that is to die.
const CHILD: &str = "DIES_HERE";

/// The status of a child that lived: not 0, with which one ends that has found no such test.
const LIVED: i32 = 17;

/// Runs `body`, in a child process that runs only the test `name` of this file, and returns the
/// report of its death; `None` if it lived.
fn death_of(name: &str, body: fn()) -> Option<String> {
    if std::env::var_os(CHILD).is_some_and(|child| child == name) {
        body();
        std::process::exit(LIVED);
    }
    let report = std::env::temp_dir().join(format!("{}-{name}.json", std::process::id()));
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([name, "--exact", "--nocapture"]).env(CHILD, name).env("FAILFAST_REPORT", &report);
    let output = child.output().unwrap();
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    let _ = std::fs::remove_file(&report);
    match (output.status.code(), output.status.signal()) {
        (Some(LIVED), _) => None,
        (Some(0), _) => panic!("no test of this file is called {name}; its modules belong to it"),
        (_, Some(6)) if !text.is_empty() => Some(text),
        _ => panic!("{name} died of something else: {output:?}"),
    }
}

/// Whether a report is of this cause, in this cluster.
fn is(report: &str, cause: &str, cluster: &str) -> bool {
    report.starts_with(&format!(r#"{{"failfast":1,"cause":"{cause}","#))
        && report.contains(&format!(r#","cluster":"{cluster}","#))
}

/// `3a2b` is `aaabb`.
fn expand(text: &str) -> String {
    let (mut expanded, mut times) = (String::new(), 0_usize);
    for c in text.chars() {
        match c.to_digit(10) {
            Some(digit) => times = times * 10 + digit as usize,
            None => {
                expanded.extend(std::iter::repeat_n(c, times));
                times = 0;
            }
        }
    }
    expanded
}

/// Expands in a cluster of 1 MiB, so that what the test runner itself holds does not count.
fn expand_within_budget(text: &str) -> String {
    let input = Cluster::builder("input").budget(Limit::mib(1)).build().unwrap();
    input.run(|| expand(text))
}

#[test]
fn an_honest_input_lives() {
    let death = death_of("an_honest_input_lives", || {
        assert_eq!(expand_within_budget("3a2b"), "aaabb");
    });
    assert_eq!(death, None);
}

#[test]
fn a_bomb_dies_by_its_budget_and_not_otherwise() {
    let death = death_of("a_bomb_dies_by_its_budget_and_not_otherwise", || {
        expand_within_budget("999999999999a");
    });
    let report = death.expect("it lived");
    assert!(is(&report, "heap-budget", "input"), "{report}");
}

/// As deep as the text is long.
fn depth(text: &str) -> usize {
    match text.strip_prefix('(') {
        Some(rest) => std::hint::black_box(depth(rest)) + 1,
        None => 0,
    }
}

#[test]
fn nesting_ends_the_stack() {
    let death = death_of("nesting_ends_the_stack", || {
        depth(&"(".repeat(100_000_000));
    });
    let report = death.expect("it lived");
    assert!(is(&report, "stack-overflow", "root"), "{report}");
}

// What is no death of ours is not taken for one.

#[test]
#[should_panic(expected = "no test of this file is called a_wrong_name")]
fn a_name_of_no_test_is_told_apart() {
    death_of("a_wrong_name", || {});
}

#[test]
#[should_panic(expected = "died of something else")]
fn an_exit_is_told_apart() {
    death_of("an_exit_is_told_apart", || std::process::exit(1));
}

#[test]
#[should_panic(expected = "died of something else")]
fn an_abort_is_told_apart() {
    death_of("an_abort_is_told_apart", || std::process::abort());
}

#[test]
#[should_panic(expected = "died of something else")]
fn a_panic_is_told_apart() {
    death_of("a_panic_is_told_apart", || panic!("for another reason"));
}

#[test]
fn another_cause_and_another_cluster_are_told_apart() {
    let name = "another_cause_and_another_cluster_are_told_apart";
    let report = death_of(name, || failfast_alloc::fail_fast("\",\"cluster\":\"input\""));
    let report = report.expect("it lived");
    assert!(is(&report, "requested", "root"), "{report}");
    assert!(!is(&report, "heap-budget", "root") && !is(&report, "requested", "input"), "{report}");
}
