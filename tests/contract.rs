//! What is no name in Rust, and is promised as much: the lines that people read, the statuses and
//! the variables that scripts know. What differs here would break them.
#![cfg(not(loom))]

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::thread;

use failfast_alloc::{Cause, FailFast, OptionsTable, fail_fast};
use failfast_alloc_rows::child::{self, HANGS_AFTER};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// What a child is to do, in its environment.
const CHILD: &str = "CONTRACT_CHILD";

/// How a child ended: its exit status, or the signal's number and 128; and what it wrote.
struct End {
    status: i32,
    lines: Vec<String>,
}

impl End {
    /// Of the test `name`, run once more with these variables.
    fn of(name: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = child::one_test(name);
        let ended = child::run(command.envs(variables.iter().copied()), HANGS_AFTER).unwrap();
        let (code, signal) = (ended.status.code(), ended.status.signal());
        Self {
            status: code.or(signal.map(|signal| signal + 128)).unwrap(),
            lines: ended.err.lines().map(str::to_string).collect(),
        }
    }
}

/// Whether `line` is `pattern`, in which `#` is a number, and `@` one of base 16.
fn is_like(line: &str, pattern: &str) -> bool {
    let Some(place) = pattern.find(['#', '@']) else { return line == pattern };
    let (before, after) = pattern.split_at(place);
    let Some(rest) = line.strip_prefix(before) else { return false };
    let base = if after.starts_with('#') { 10 } else { 16 };
    let after_number = rest.trim_start_matches(|c: char| c.is_digit(base));
    after_number.len() < rest.len() && is_like(after_number, &after[1..])
}

/// Dies in the way that it is told to, in a child; in the parent it returns.
fn die_if_told() {
    let Ok(way) = std::env::var(CHILD) else { return };
    let recurse = || thread::Builder::new().name("deep".into()).spawn(|| deep(0)).unwrap().join();
    match way.as_str() {
        "heap" => drop(black_box(vec![0_u8; 1 << 30])),
        "all" => drop(black_box(Vec::<u8>::with_capacity(isize::MAX as usize / 2))),
        "stack" => drop(recurse()),
        "requested" => fail_fast("enough"),
        "nothing" => {}
        other => panic!("{other}"),
    }
    std::process::exit(0);
}

fn deep(level: u64) -> u64 {
    let level = Box::new(black_box(level));
    if *level == u64::MAX { 0 } else { deep(*level + 1) + black_box(*level) }
}

#[test]
fn a_line_for_each_cause_then_sigabrt_and_the_report_begins_with_the_cause() {
    die_if_told();
    let name = "a_line_for_each_cause_then_sigabrt_and_the_report_begins_with_the_cause";
    let thread = "a_line_for_each";
    for (way, variable, cause, pattern) in [
        (
            "heap",
            ("FAILFAST_BUDGET", "64MiB"),
            Cause::HeapBudget,
            "heap budget: cluster `root` asked for 1073741824 bytes with # of 67108864 live \
             (thread `THREAD`, pid #)",
        ),
        (
            "all",
            ("FAILFAST_MODE", "enforce"),
            Cause::AllocatorRefused,
            "allocator refused: cluster `root` asked for 4611686018427387903 bytes with # live, \
             no budget (thread `THREAD`, pid #)",
        ),
        (
            "stack",
            ("FAILFAST_STACK_BUDGET", "256KiB"),
            Cause::StackBudget,
            "stack budget: thread `deep` used # of 262144 bytes of stack (pid #)",
        ),
        (
            "stack",
            ("FAILFAST_STACK_BUDGET", "unlimited"),
            Cause::StackOverflow,
            "stack overflow: thread `deep` hit its guard page at 0x@, # bytes of stack (pid #)",
        ),
        (
            "requested",
            ("FAILFAST_MODE", "enforce"),
            Cause::Requested,
            "requested: enough (thread `THREAD`, pid #)",
        ),
    ] {
        let end = End::of(name, &[(CHILD, way), variable, ("FAILFAST_REPORT", "fd:2")]);
        let End { status, lines } = &end;
        assert_eq!((*status, lines.len()), (134, 2), "{lines:?}");
        let pattern = format!("failfast: {pattern}").replace("THREAD", thread);
        assert!(is_like(&lines[0], &pattern), "{}\n{pattern}", lines[0]);
        let begin = format!("{{\"failfast\":1,\"cause\":\"{}\",\"message\":", cause.code());
        assert!(lines[1].starts_with(&begin) && lines[1].len() < 4096, "{}", lines[1]);
    }
}

#[test]
fn a_budget_that_is_observed_is_said_with_the_same_line() {
    die_if_told();
    let name = "a_budget_that_is_observed_is_said_with_the_same_line";
    let observe = ("FAILFAST_MODE", "observe");
    for (way, variable, status, pattern) in [
        (
            "heap",
            ("FAILFAST_BUDGET", "64MiB"),
            0,
            "heap budget: cluster `root` asked for 1073741824 bytes with # of 67108864 live \
             (thread `a_budget_that_i`, pid #)",
        ),
        (
            "stack",
            ("FAILFAST_STACK_BUDGET", "256KiB"),
            134,
            "stack budget: thread `deep` used # of 262144 bytes of stack (pid #)",
        ),
    ] {
        let end = End::of(name, &[(CHILD, way), variable, observe]);
        assert_eq!(end.status, status, "{:?}", end.lines);
        let pattern = format!("failfast: observe: {pattern}");
        assert!(is_like(&end.lines[0], &pattern), "{}\n{pattern}", end.lines[0]);
    }
}

#[test]
fn each_variable_is_there_and_a_wrong_value_is_status_78_before_main() {
    if std::env::var_os(CHILD).is_some() {
        eprintln!("main");
    }
    die_if_told();
    let name = "each_variable_is_there_and_a_wrong_value_is_status_78_before_main";
    let variables = [
        "FAILFAST_BUDGET",
        "FAILFAST_CLUSTER_BUDGETS",
        "FAILFAST_STACK_BUDGET",
        "FAILFAST_RESERVE",
        "FAILFAST_HOOK_TIMEOUT",
        "FAILFAST_REPORT",
        "FAILFAST_EXEC",
        "FAILFAST_EXEC_TIMEOUT",
        "FAILFAST_ABORT",
        "FAILFAST_MODE",
    ];
    let table = OptionsTable.to_string();
    let rows = table.lines().skip(2).map(|row| row.split('`').nth(1).unwrap());
    assert!(rows.eq(variables), "{table}");
    for variable in variables {
        let End { status, lines } = End::of(name, &[(CHILD, "nothing"), (variable, "")]);
        assert_eq!((status, lines.len()), (78, 1), "{lines:?}");
        let begin = format!("failfast: {variable}: `` is empty; expected ");
        assert!(lines[0].starts_with(&begin), "{}", lines[0]);
    }
    let End { status, lines } = End::of(name, &[(CHILD, "nothing"), ("FAILFAST_BUDGET", "12Q")]);
    let says = "failfast: FAILFAST_BUDGET: `12Q` is not a size; \
                expected bytes, 64MiB, 75%, auto or unlimited";
    assert_eq!((status, lines), (78, vec![says.to_string()]));
    // And a right one lets it begin.
    let End { status, lines } = End::of(name, &[(CHILD, "nothing"), ("FAILFAST_BUDGET", "1GiB")]);
    assert_eq!((status, lines), (0, vec!["main".to_string()]));
}
