//! Reports as people read them.

use crate::Row;
use crate::tools::{Folder, example, expect, explain, failfast, failfast_with, report_of, run};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;

pub(crate) const ROWS: &[Row] = &[
    ("explain::the_example_of_the_schema", the_example_of_the_schema),
    ("explain::every_cause_has_its_words", every_cause_has_its_words),
    ("explain::every_outcome_of_the_hook_has_its_words", every_outcome_of_the_hook_has_its_words),
    ("explain::bars_keep_their_scale", bars_keep_their_scale),
    ("explain::the_stack_is_a_picture", the_stack_is_a_picture),
    ("explain::ascii_where_the_locale_is", ascii_where_the_locale_is),
    ("explain::a_heap_that_really_ran_out", a_heap_that_really_ran_out),
    ("explain::a_cluster_that_really_ran_out", a_cluster_that_really_ran_out),
    ("explain::a_stack_that_really_ran_out", a_stack_that_really_ran_out),
    ("explain::missing_frames_are_said_where_they_are_missing", missing_frames),
    ("explain::reports_among_other_lines", reports_among_other_lines),
    ("explain::standard_input", standard_input),
    ("explain::machines_get_all_of_it", machines_get_all_of_it),
    ("explain::a_reader_that_goes_away_is_no_error", a_reader_that_goes_away_is_no_error),
];

/// The example with some members changed.
fn changed(members: Value) -> String {
    let mut report: Value = serde_json::from_str(&example()).unwrap();
    for (name, value) in members.as_object().unwrap() {
        report[name] = value.clone();
    }
    report.to_string()
}

/// What is said of such a report.
#[track_caller]
fn said(report: &str) -> String {
    let folder = Folder::new();
    explain(&folder.file("report.json", report)).well()
}

fn the_example_of_the_schema() {
    expect("example", &said(&example()));
}

fn every_cause_has_its_words() {
    let mut all = String::new();
    for cause in [
        "allocator-refused",
        "stack-budget",
        "stack-overflow",
        "requested",
        "ledger-unsettled",
        "something-new",
    ] {
        let report = changed(json!({ "cause": cause, "backtrace": [], "modules": [] }));
        all += &format!("---- {cause}\n{}", said(&report));
    }
    expect("causes", &all);
}

fn every_outcome_of_the_hook_has_its_words() {
    let mut all = String::new();
    for (hook, failure) in [
        ("none", Value::Null),
        ("pending", Value::Null),
        ("ran", Value::Null),
        ("replaced", Value::Null),
        ("skipped", Value::Null),
        ("timeout", Value::Null),
        ("crashed", json!("panic")),
        ("crashed", json!("reserve")),
        ("crashed", json!("signal SIGSEGV")),
        ("sang", Value::Null),
    ] {
        let threads = json!({ "seen": 3, "halted": 3 });
        let members =
            json!({ "hook": hook, "hook_failure": failure, "threads": threads, "halt": "proven" });
        let said = said(&changed(members));
        let about = said.lines().filter(|line| line.contains("hook") || line.contains("threads"));
        all += &format!("---- {hook} {failure}\n");
        about.for_each(|line| all += &format!("{line}\n"));
    }
    expect("hooks", &all);
}

fn bars_keep_their_scale() {
    let clusters = |rows: &[(&str, u64, Option<u64>)]| {
        let rows = rows.iter().map(|(name, live, budget)| {
            json!({ "name": name, "live_bytes": live, "budget_bytes": budget })
        });
        rows.collect::<Value>()
    };
    let long = "a-name-of-a-cluster-that-is-longer-than-its-column";
    let many: Vec<(&str, u64, Option<u64>)> = (0..40).map(|i| ("x", i, None)).collect();
    let mut all = String::new();
    for (what, rows) in [
        ("none", clusters(&[])),
        ("all empty", clusters(&[("root", 0, Some(1)), ("a", 0, None)])),
        ("a budget far away", clusters(&[("root", 1000, Some(1 << 40)), ("a", 10, Some(1000))])),
        ("over its budget", clusters(&[("a", 2000, Some(1000))])),
        ("largest numbers", clusters(&[("a", u64::MAX, Some(u64::MAX)), (long, u64::MAX, None)])),
        ("many", clusters(&many)),
    ] {
        let said = said(&changed(json!({ "clusters": rows })));
        let picture = said.split("Who held how much\n").nth(1).unwrap();
        let picture = picture.split("  The most that").next().unwrap();
        let longest = picture.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= 80, "{what}: {longest} columns");
        all += &format!("---- {what}\n{picture}");
    }
    expect("bars", &all);
}

fn the_stack_is_a_picture() {
    let stack = |address: u64, pointer: u64, budget: Value| {
        json!({
            "found_by": "probe",
            "address": format!("{address:#x}"),
            "pointer": format!("{pointer:#x}"),
            "low": "0x7f0000000000",
            "high": "0x7f0000200000",
            "used_bytes": 0x7f00_0020_0000 - pointer,
            "budget_bytes": budget,
        })
    };
    let mut all = String::new();
    for (what, stack) in [
        ("a budget", stack(0x7f00_000f_0000, 0x7f00_000f_0000, json!(1 << 20))),
        ("the end", stack(0x7eff_ffff_f000, 0x7f00_0000_0010, Value::Null)),
        ("nothing", json!({})),
    ] {
        let folder = Folder::new();
        let report = changed(json!({ "cause": "stack-budget", "stack": stack }));
        let said = explain(&folder.file("report.json", report)).out;
        let picture = said.split("The stack\n").nth(1).unwrap();
        all += &format!("---- {what}\n{}", picture.split("\nHow it ended").next().unwrap());
    }
    expect("stacks", &all);
}

fn ascii_where_the_locale_is() {
    let folder = Folder::new();
    let file = folder.file("report.json", example());
    for locale in ["C", "POSIX", ""] {
        let mut command = failfast();
        let said = run(command.env("LC_ALL", locale).arg("explain").arg(&file)).well();
        assert!(said.is_ascii(), "{locale}: {said}");
        assert!(said.contains("  root   ###"), "{said}");
    }
}

fn a_heap_that_really_ran_out() {
    let folder = Folder::new();
    let report = report_of(&folder, "heap", &[("FAILFAST_BUDGET", "8MiB")]);
    let said = explain(&report).well();
    let line = |what: &str| {
        let source = include_str!("dying.rs");
        1 + source.lines().position(|line| line.contains(what)).unwrap()
    };
    for expected in [
        "heap budget\nA request of 1 MiB (1,048,576 bytes)".to_string(),
        "budget of cluster\n`root`:".to_string(),
        "of 8 MiB ".to_string(),
        "cli::dying::grow (inlined)\n".to_string(),
        format!("tests/cli/dying.rs:{}:", line("black_box(vec!")),
        "       cli::dying::hold_everything\n".to_string(),
        format!("tests/cli/dying.rs:{}:", line("kept.push(grow())")),
        "cli::dying::die\n".to_string(),
        "It was asked for in `cli::dying::grow`".to_string(),
        "raise FAILFAST_BUDGET: ".to_string(),
        "\nBacktrace, innermost first\n  0-".to_string(),
        "  failfast_alloc, as it ended\n".to_string(),
    ] {
        assert!(said.contains(&expected), "`{expected}` is not in:\n{said}");
    }
    assert!(!said.contains("failfast_alloc::terminate::"), "{said}");
}

fn a_cluster_that_really_ran_out() {
    let folder = Folder::new();
    let said = explain(&report_of(&folder, "cluster", &[])).well();
    let bars = said.split("Who held how much\n").nth(1).unwrap();
    let names: Vec<&str> =
        bars.lines().take(3).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["root", "cache", "parser"], "{said}");
    for expected in ["cluster\n`parser`", "3 MiB of 8 MiB  37.5 %", "CLUSTER_BUDGETS=parser=…"] {
        assert!(said.contains(expected), "`{expected}` is not in:\n{said}");
    }
}

fn a_stack_that_really_ran_out() {
    let folder = Folder::new();
    for (way, budget, words) in [
        ("overflow", "unlimited", ["stack overflow\n", "cli::dying::recurse\n", "guard page"]),
        ("stack", "1MiB", ["stack budget\n", "cli::dying::recurse_and_allocate\n", "1 MiB"]),
    ] {
        let report = report_of(&folder, way, &[("FAILFAST_STACK_BUDGET", budget)]);
        let said = explain(&report).well();
        for expected in
            words.into_iter().chain(["more times\n", "bound the depth", " frames left out here\n"])
        {
            assert!(said.contains(expected), "`{expected}` is not in:\n{said}");
        }
    }
}

fn missing_frames() {
    let frame = json!({ "addr": "0x1000" });
    let dots = "       ... ";
    let left_out = format!("{dots}100 frames left out here\n");
    for (after, expected) in [
        // What is on both sides of them is not one run.
        (json!(4), format!("{dots}this frame 3 more times\n{left_out}    4  0x1000\n")),
        (json!(null), format!("{dots}this frame 7 more times\n{left_out}")),
        (json!(1000), format!("{dots}this frame 7 more times\n{left_out}")),
    ] {
        let mut cut = json!({ "message_bytes": 0, "backtrace": 100, "clusters": 0 });
        cut["backtrace_after"] = after;
        let said = said(&changed(json!({ "backtrace": vec![&frame; 8], "cut": cut })));
        assert!(said.contains(&expected), "`{expected}` is not in:\n{said}");
    }
}

fn reports_among_other_lines() {
    let (report, folder) = (example(), Folder::new());
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&report).unwrap());
    let pretty = pretty.unwrap();
    let docker = json!({ "log": format!("{report}\n"), "stream": "stderr" });
    let terminated = json!({ "terminated": { "message": report } });
    let pod = json!({ "status": { "containerStatuses": [{ "lastState": terminated }] } });
    for (content, lines) in [
        (format!("{report}\n"), vec![1]),
        (format!("begin\n  {{\"a\": 1}}\n{report}\nend {{\n"), vec![3]),
        (format!("2025-11-23T13:17:05Z server[1]: {report} {{\"failfast\"}}\n"), vec![1]),
        (format!("x\n{report}\n{report}{report}\r\n"), vec![2, 3, 3]),
        (format!("x\n{pretty}\ny\n{report}"), vec![2, 3 + pretty.matches('\n').count() + 1]),
        (format!("{{\"log\":\"x\"}}\n{docker}\n"), vec![2]),
        (serde_json::to_string_pretty(&pod).unwrap(), vec![1]),
        (format!("[{report},{report}]"), vec![1, 1]),
        (format!("\u{feff}\u{0}{report}"), vec![1]),
    ] {
        let file = folder.file("log", &content);
        let done = failfast_with(["explain", "--json", file.to_str().unwrap()]);
        let found: Vec<usize> = done
            .out
            .lines()
            .map(|line| {
                let value: Value = serde_json::from_str(line).unwrap();
                assert_eq!(value["cause"], "heap-budget");
                value["explained"]["line"].as_u64().unwrap() as usize
            })
            .collect();
        assert_eq!((found, done.status), (lines, 0), "{content}\n{}", done.err);
    }
}

fn standard_input() {
    let mut command = failfast();
    command.args(["explain", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(example().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), said(&example()));
}

fn machines_get_all_of_it() {
    let folder = Folder::new();
    let path = report_of(&folder, "heap", &[("FAILFAST_BUDGET", "8MiB")]);
    let report = std::fs::read_to_string(&path).unwrap();
    // Members of later versions stay.
    let report = report.replacen("\"cause\"", "\"novel\":[1.5,{\"a\":\"\\u202e\"}],\"cause\"", 1);
    std::fs::write(&path, &report).unwrap();
    let said = failfast_with(["explain", "--json", path.to_str().unwrap()]).well();
    assert_eq!(said.matches('\n').count(), 1);
    assert!(said.starts_with("{\"failfast\":1,\"novel\":[1.5,{\"a\":\"\\u202e\"}],\"cause\":"));
    let (mut said, report): (Value, Value) =
        (serde_json::from_str(&said).unwrap(), serde_json::from_str(&report).unwrap());
    let explained = said.as_object_mut().unwrap().shift_remove("explained").unwrap();
    assert!(explained["summary"].as_str().unwrap().starts_with("A request of 1 MiB"));
    assert!(!explained["hints"].as_array().unwrap().is_empty());
    let mut grown = Vec::new();
    for frame in said["backtrace"].as_array_mut().unwrap() {
        grown.push(frame.as_object_mut().unwrap().shift_remove("symbols").unwrap());
    }
    assert_eq!(said, report);
    let grow = grown.iter().flat_map(|symbols| symbols.as_array().unwrap());
    let grow = grow.into_iter().find(|it| it["function"] == "cli::dying::grow").unwrap();
    assert_eq!(grow["inlined"], true);
    assert!(grow["line"].is_u64() && grow["file"].as_str().unwrap().ends_with("dying.rs"));
}

fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    let file = folder.file("log", format!("{}\n", example()).repeat(200));
    let mut command = failfast();
    command.arg("explain").arg(file).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
