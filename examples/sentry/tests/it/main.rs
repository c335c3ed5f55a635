//! The supervisor, run as people run it, with a server that takes events as Sentry does.

mod ingest;

use std::process::{Command, Output};

use serde_json::{Value, json};

use ingest::{Envelope, Ingest};

fn supervise(dsn: &str, command: &[&str]) -> Output {
    let mut supervisor = Command::new(env!("CARGO_BIN_EXE_sentry-example"));
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"FAILFAST_") {
            supervisor.env_remove(name);
        }
    }
    for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"] {
        supervisor.env_remove(proxy);
    }
    // Long enough on a machine that is busy with others; a hook that hangs takes it all.
    supervisor.env("FAILFAST_HOOK_TIMEOUT", "3s");
    supervisor.args(["--release", "orders@1.2.3", "--"]).args(command).env("SENTRY_DSN", dsn);
    supervisor.output().unwrap()
}

/// Runs `doomed` with `how`: the status, what was said, and what came to the server.
fn die(how: &str) -> (i32, String, Option<Envelope>) {
    let ingest = Ingest::start();
    let output = supervise(&ingest.dsn(), &[env!("CARGO_BIN_EXE_doomed"), how]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), stderr, ingest.envelope())
}

/// What came, and what all have: the tags, the level, the exception.
fn event(how: &str, status: i32, class: &str, level: &str) -> (Value, Option<Value>) {
    let (code, stderr, envelope) = die(how);
    let Some(Envelope { event, report }) = envelope else { panic!("no event: {stderr}") };
    assert_eq!(code, status, "{stderr}");
    let id = event["event_id"].as_str().unwrap();
    assert!(stderr.ends_with(&format!(": event {id}\n")), "{stderr}");
    assert_eq!((&event["tags"]["class"], &event["level"]), (&json!(class), &json!(level)));
    assert_eq!((&event["platform"], &event["release"]), (&json!("native"), &json!("orders@1.2.3")));
    assert_eq!(event["exception"]["values"][0]["type"], event["tags"]["cause"]);
    (event, report)
}

/// One that our allocator has ended.
fn failfast(how: &str, class: &str, level: &str) -> (Value, Value) {
    let (event, report) = event(how, 134, class, level);
    let report = report.expect("the report is attached");
    assert_eq!(report["cause"], how);
    for tag in ["cause", "cluster", "thread", "halt", "hook", "version"] {
        assert_eq!(event["tags"][tag], report[tag], "{tag}");
    }
    let memory = &event["contexts"]["memory"];
    for size in ["requested_bytes", "live_bytes", "peak_bytes", "budget_bytes", "clusters"] {
        assert_eq!(memory[size], report[size], "{size}");
    }
    let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
    let addresses = frames.iter().rev().map(|frame| &frame["instruction_addr"]);
    let expected = report["backtrace"].as_array().unwrap().iter().map(|frame| &frame["addr"]);
    assert!(addresses.eq(expected) && !frames.is_empty(), "{frames:?}");
    let last = frames.last().unwrap();
    assert!(last["package"].as_str().unwrap().ends_with("/doomed"), "{last}");
    (event, report)
}

#[test]
fn heap_budget() {
    let (event, report) = failfast("heap-budget", "self-inflicted", "fatal");
    assert_eq!(
        (&event["tags"]["cluster"], &report["budget_bytes"]),
        (&json!("parser"), &json!(1 << 20))
    );
    let value = event["exception"]["values"][0]["value"].as_str().unwrap();
    let expected = "heap budget: cluster `parser` asked for 2097152 bytes with 0 of 1048576 live (";
    assert!(value.starts_with(expected), "{value}");
}

#[test]
fn stack_overflow() {
    failfast("stack-overflow", "self-inflicted", "fatal");
}

#[test]
fn requested() {
    let (event, _) = failfast("requested", "self-inflicted", "fatal");
    let value = event["exception"]["values"][0]["value"].as_str().unwrap();
    assert!(value.starts_with("requested: the ledger of orders is inconsistent (thread `main`"));
}

#[test]
fn allocator_refused() {
    let (event, _) = failfast("allocator-refused", "environmental", "warning");
    assert_eq!(event["fingerprint"], json!(["failfast", "allocator-refused"]));
}

/// The same place is the same issue, wherever the program was loaded; another place is another.
#[test]
fn an_issue_for_each_place() {
    let fingerprint = |how| failfast(how, "self-inflicted", "fatal").0["fingerprint"].clone();
    assert_eq!(fingerprint("requested"), fingerprint("requested"));
    assert_ne!(fingerprint("requested"), fingerprint("heap-budget"));
    assert!(fingerprint("requested").as_array().unwrap().len() > 5);
}

/// SIGABRT alone does not make it ours; nor does SIGKILL make it the kernel, for want of memory.
#[test]
fn not_by_our_allocator() {
    for (how, status, cause, class, level) in [
        ("abort", 134, "signal-6", "self-inflicted", "fatal"),
        ("exit", 3, "exit-3", "self-inflicted", "fatal"),
        ("killed", 137, "signal-9", "environmental", "warning"),
    ] {
        let (event, report) = event(how, status, class, level);
        assert_eq!((&event["tags"]["cause"], report), (&json!(cause), None));
        assert_eq!(event["fingerprint"], json!(["failfast", cause]));
        assert!(event["tags"]["version"].is_string() && event["tags"]["hook"].is_null());
    }
}

/// What became of the hook is known, though the report was written before; and a hook that says
/// that all is well is not believed.
#[test]
fn what_the_report_cannot_know() {
    for (how, status, hook) in [("hook-hangs", 134, "timeout"), ("hook-leaves", 1, "unfinished")] {
        let (event, report) = event(how, status, "self-inflicted", "fatal");
        assert_eq!(event["tags"]["cause"], "requested");
        assert_eq!(
            (&event["tags"]["hook"], &event["tags"]["halt"]),
            (&json!(hook), &json!("proven"))
        );
        assert_eq!(report.expect("the report is attached")["hook"], "pending");
    }
}

#[test]
fn all_is_well() {
    let (code, stderr, envelope) = die("well");
    assert_eq!((code, &*stderr), (0, ""));
    assert!(envelope.is_none());
}

/// Nobody takes the event; the status is the program's all the same.
#[test]
fn no_server() {
    let dsn = Ingest::start().dsn();
    let output = supervise(&dsn, &[env!("CARGO_BIN_EXE_doomed"), "requested"]);
    assert_eq!(output.status.code(), Some(134));
}

#[test]
fn wrong_commands() {
    let dsn = Ingest::start().dsn();
    let output = supervise(&dsn, &["/no/such/program"]);
    assert_eq!(output.status.code(), Some(127));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = "sentry-example: `/no/such/program` could not be started: No such file";
    assert!(stderr.starts_with(expected), "{stderr}");
    let output = supervise("nonsense", &["true"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("'nonsense' for '--dsn <DSN>'"));
}
