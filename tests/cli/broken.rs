//! What is no report, or is none any more: an error that says so, and never a wrong verdict.

use crate::Row;
use crate::tools::{Folder, example, expect, explain, failfast, failfast_with, report_of, run};
use serde_json::{Value, json};

pub(crate) const ROWS: &[Row] = &[
    ("broken::cut_off_at_every_byte", cut_off_at_every_byte),
    ("broken::cut_off_behind_a_blank", cut_off_behind_a_blank),
    ("broken::every_byte_another", every_byte_another),
    ("broken::every_member_missing_or_of_another_type", every_member_missing_or_of_another_type),
    ("broken::every_number_at_its_edges", every_number_at_its_edges),
    ("broken::files_that_would_wait", files_that_would_wait),
    ("broken::of_a_newer_schema", of_a_newer_schema),
    ("broken::no_version", no_version),
    ("broken::a_log_with_lines_alone", lines_alone),
    ("broken::hostile_texts_stay_texts", hostile_texts_stay_texts),
    ("broken::huge", huge),
    ("broken::no_file", no_file),
    ("broken::one_bad_file_leaves_the_others", one_bad_file_leaves_the_others),
];

/// The report of a process that really died; its files are not there any more.
fn real(folder: &Folder) -> Vec<u8> {
    let path = report_of(folder, "cluster", &[]);
    std::fs::read_to_string(path).unwrap().replace("\"path\":\"", "\"path\":\"/gone").into()
}

fn cut_off_at_every_byte() {
    let folder = Folder::new();
    let report = real(&folder);
    let whole = report.len() - 1; // less its newline
    let begin = "{\"failfast\"".len();
    let mut command = failfast();
    command.arg("explain").arg("--json");
    for length in 0..whole {
        command.arg(folder.file(&format!("cut/{length}"), &report[..length]));
    }
    let done = run(&mut command);
    assert_eq!(done.status, 65);
    assert_eq!(done.out, "", "a part of a report was taken for a report");
    let lines: Vec<&str> = done.err.lines().collect();
    assert_eq!(lines.len(), whole);
    for (length, line) in lines.into_iter().enumerate() {
        let path = folder.path(&format!("cut/{length}"));
        let path = path.display();
        let expected = match length {
            0 => format!("failfast: {path}: is empty: nothing died there, or the disk was full"),
            _ if length < begin => format!(
                "failfast: {path}: the report ends in the middle of its first member: it was cut \
                 off"
            ),
            _ => format!(
                "failfast: {path}:1: the report ends in the middle, after {length} bytes: it was \
                 cut off"
            ),
        };
        assert_eq!(line, expected);
    }
}

/// Which is a part of it, as a line break is not that a log has put there.
fn cut_off_behind_a_blank() {
    let folder = Folder::new();
    for (cut, end) in [("{\"failfast\":1,\"message\":\"a ", ""), ("{\"failfast\":1, ", "\r\n")] {
        let done = explain(&folder.file("cut", format!("{cut}{end}")));
        let expected = format!("ends in the middle, after {} bytes: it was cut off\n", cut.len());
        assert!(done.err.ends_with(&expected), "{}", done.err);
    }
}

/// A byte that is another may make another report, but never an ill end.
fn every_byte_another() {
    let folder = Folder::new();
    let report = real(&folder);
    let mut command = failfast();
    command.arg("explain");
    for at in 0..report.len() {
        let mut other = report.clone();
        other[at] = [b'"', b'0', b'}', 0xff, b'\\', b'\n'][at % 6];
        command.arg(folder.file(&format!("other/{at}"), other));
    }
    let done = run(&mut command);
    assert!([0, 65].contains(&done.status), "{}: {}", done.status, done.err);
    assert!(!done.err.contains("panicked"), "{}", done.err);
}

fn every_member_missing_or_of_another_type() {
    let folder = Folder::new();
    let report: Value = serde_json::from_slice(&real(&folder)).unwrap();
    let others = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("0x"),
        json!("0xfffffffffffffffff"),
        json!([]),
        json!([1, "a", {}, [{}]]),
        json!({}),
        json!({ "seen": -1, "low": 5, "backtrace": "x" }),
    ];
    let mut command = failfast();
    command.arg("explain");
    for (index, name) in report.as_object().unwrap().keys().enumerate() {
        for (other, value) in others.iter().enumerate() {
            let mut report = report.clone();
            report[name] = value.clone();
            command.arg(folder.file(&format!("typed/{index}-{other}"), report.to_string()));
        }
        let mut report = report.clone();
        report.as_object_mut().unwrap().shift_remove(name);
        command.arg(folder.file(&format!("typed/{index}-none"), report.to_string()));
    }
    let done = run(&mut command);
    assert_eq!(done.status, 65, "{}", done.err);
    assert!(!done.err.contains("panicked"), "{}", done.err);

    let wrong = json!({
        "failfast": 1, "cause": "heap-budget", "cluster": 7, "live_bytes": -1, "budget_bytes": "x",
        "backtrace": [{ "addr": "12" }, { "addr": "0x1", "module": 0, "offset": "0x1" }, 5],
        "modules": {}, "clusters": [{ "name": "a" }], "halt": null,
    });
    let file = folder.file("wrong.json", wrong.to_string());
    let done = explain(&file);
    assert_eq!(done.status, 0);
    let place = file.display().to_string();
    expect("wrong-types", &(done.out + &done.err.replace(&place, "wrong.json")));
}

/// All numbers together, so that what is computed from two of them is too.
fn every_number_at_its_edges() {
    fn set(value: &mut Value, to: u64) {
        match value {
            Value::Number(_) => *value = json!(to),
            Value::Array(values) => values.iter_mut().for_each(|value| set(value, to)),
            Value::Object(map) => map.values_mut().for_each(|value| set(value, to)),
            Value::String(text) if text.starts_with("0x") => *text = format!("{to:#x}"),
            _ => {}
        }
    }
    let folder = Folder::new();
    let mut command = failfast();
    command.arg("explain");
    let causes =
        ["heap-budget", "allocator-refused", "stack-budget", "stack-overflow", "requested"];
    for cause in causes {
        for to in [0, 1, u64::MAX - 1, u64::MAX] {
            let mut report: Value = serde_json::from_str(&example()).unwrap();
            report["stack"] = json!({
                "found_by": "guard", "address": "0x5", "pointer": "0x5", "low": "0x1",
                "high": "0x9", "used_bytes": 1, "budget_bytes": 1,
            });
            for name in ["resident_bytes", "cgroup_current_bytes", "cgroup_limit_bytes"] {
                report[name] = json!(1);
            }
            set(&mut report, to);
            report["failfast"] = json!(1);
            report["cause"] = json!(cause);
            command.arg(folder.file(&format!("edge/{cause}-{to}"), report.to_string()));
        }
    }
    let done = run(&mut command);
    assert!(!done.err.contains("panicked"), "{}", done.err);
    assert_eq!(done.status, 0, "{}", done.err);
    assert_eq!(done.out.matches("The cgroup was at its limit.").count(), 4, "{}", done.out);
}

/// A report names files; whoever reads it does not wait for those.
fn files_that_would_wait() {
    let folder = Folder::new();
    let pipe = folder.pipe("pipe");
    let folder_itself = folder.path("");
    for (path, why) in [
        (pipe.to_str().unwrap(), "not a regular file"),
        (folder_itself.to_str().unwrap(), "not a regular file"),
        ("/dev/zero", "not a regular file"),
        // The kernel makes it as it is read; for some such files it waits.
        ("/proc/self/status", "an empty file"),
    ] {
        let report = json!({
            "failfast": 1, "cause": "requested", "modules": [{ "path": path, "base": "0x0" }],
            "backtrace": [{ "addr": "0x1000", "module": 0, "offset": "0x1000" }],
        });
        let done = explain(&folder.file("report.json", report.to_string()));
        assert!(done.out.contains(why), "{path}: {}", done.out);
    }
}

fn of_a_newer_schema() {
    let folder = Folder::new();
    for version in [2, 10, u64::MAX] {
        let newer = example().replacen("\"failfast\":1", &format!("\"failfast\":{version}"), 1);
        let file = folder.file("newer.json", newer);
        let done = explain(&file);
        let line = format!(
            "failfast: {}:1: the report is of schema {version}; this failfast knows 1: install a \
             newer one\n",
            file.display()
        );
        assert_eq!((done.status, done.out.as_str(), done.err), (65, "", line));
    }
}

fn no_version() {
    let folder = Folder::new();
    for version in ["0", "-1", "1.0", "1.5", "\"1\"", "null", "true", "[1]", "1e0"] {
        let other = example().replacen("\"failfast\":1", &format!("\"failfast\":{version}"), 1);
        let done = explain(&folder.file("other.json", other));
        assert_eq!((done.status, done.out.as_str()), (65, ""), "{version}");
        let what = "`failfast` is not the version of a report's schema; expected 1\n";
        assert!(done.err.ends_with(what), "{version}: {}", done.err);
    }
    let done = explain(&folder.file("none.json", "{\"failfast\":1}"));
    assert_eq!(done.status, 65);
    assert!(done.err.ends_with("`cause` is missing or not a string\n"), "{}", done.err);
    let done = explain(&folder.file("log", "nothing\nhappened {\"here\": \"failfast\"}\n"));
    assert_eq!(done.status, 65);
    assert!(done.err.contains("there is no report in it"), "{}", done.err);
}

/// Whoever has the line wants to know where he gets the rest.
fn lines_alone() {
    let folder = Folder::new();
    let log = "starting\nfailfast: requested: enough (thread `main`, pid 1)\nAborted\n";
    let done = failfast_with(["explain", folder.file("log", log).to_str().unwrap()]);
    assert_eq!((done.status, done.out.as_str()), (65, ""));
    assert!(done.err.contains("no report: FAILFAST_REPORT says where"), "{}", done.err);
}

/// Nothing that a report says reaches the terminal as more than text.
fn hostile_texts_stay_texts() {
    let folder = Folder::new();
    let text = "a\x1b[2J\x07\r\n\u{9b}31m\u{202e}\u{2066}\u{200b}\u{feff}z";
    let mut report: Value = serde_json::from_str(&example()).unwrap();
    for name in ["cause", "message", "cluster", "thread", "time", "halt", "hook", "version"] {
        report[name] = json!(text);
    }
    report["clusters"][1]["name"] = json!(text);
    report["modules"][0]["path"] = json!(format!("/{text}"));
    report["hook_failure"] = json!(text);
    report["novel"] = json!(text);
    let file = folder.file("\u{1b}[1m.json", report.to_string());
    for more in [&[][..], &["--json"], &["--binary", "\x1b[1m"]] {
        let mut command = failfast();
        let done = run(command.arg("explain").args(more).arg(&file));
        for said in [&done.out, &done.err] {
            let unruly = |c: &char| {
                c.is_control() && *c != '\n' || "\u{202e}\u{2066}\u{200b}\u{feff}".contains(*c)
            };
            assert_eq!(said.chars().find(unruly), None, "{said}");
        }
        if more.first() == Some(&"--json") {
            let said: Value = serde_json::from_str(&done.out).unwrap();
            assert_eq!(said["message"], text, "escaped, not changed");
        }
    }
}

fn huge() {
    let folder = Folder::new();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let frames = vec![json!({ "addr": "0x1" }); 100_000];
    let begin = "{\"failfast\":1,\"cause\":\"requested\"";
    for (content, status) in [
        (format!("{begin},\"x\":{deep}}}"), 65),
        (format!("{begin},\"x\":1e999}}"), 65),
        (format!("{begin},\"message\":\"{}\"}}", "x".repeat(1 << 22)), 0),
        (format!("{begin},\"backtrace\":{}}}", Value::from(frames)), 0),
        ("{\"failfast\":[".repeat(50_000), 65),
        (format!("{begin},\"live_bytes\":{}}}", "9".repeat(300)), 0),
    ] {
        let done = explain(&folder.file("huge.json", content));
        assert_eq!(done.status, status, "{}", done.err.get(..300).unwrap_or(&done.err));
        assert!(!done.err.contains("panicked"), "{}", done.err);
    }
}

fn no_file() {
    let folder = Folder::new();
    let path = folder.path("nowhere.json");
    let done = explain(&path);
    let line = format!("failfast: {}: No such file or directory (os error 2)\n", path.display());
    assert_eq!((done.status, done.err), (66, line));
    let done = explain(&folder.path(""));
    assert_eq!(done.status, 66, "a folder: {}", done.err);
    let done = failfast_with(["explain"]);
    assert_eq!(done.status, 64, "{}", done.err);
}

fn one_bad_file_leaves_the_others() {
    let folder = Folder::new();
    let good = folder.file("good.json", example());
    let bad = folder.file("bad.json", &example()[..500]);
    let mut command = failfast();
    let done = run(command.arg("explain").arg(folder.path("none")).args([&good, &bad]));
    assert_eq!(done.status, 66);
    assert_eq!(done.err.lines().count(), 2, "{}", done.err);
    assert!(done.out.starts_with("heap budget\n"), "{}", done.out);
}
