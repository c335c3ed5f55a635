//! The whole way, from code and environment to settings and lines.
//!
//! Layer 3.  Plane: control.

use std::time::Duration;

use super::*;
use crate::config::choice::{AbortMode, Mode};
use crate::config::settings::{ReportSink, Sourced};
use crate::config::tests::{Outcome, objection, resolved};

#[test]
fn nothing_asked_for() {
    let outcome = resolved(&Config::new(), &["PATH=/bin"]);
    assert!(outcome.well && outcome.lines.is_empty(), "{:?}", outcome.lines);
    assert_eq!(outcome.settings.budget_bytes, usize::MAX);
    assert_eq!(outcome.settings.budget_source, Sourced { source: Source::Default, part_of: None });
    assert_eq!(outcome.settings.stack_budget_bytes, usize::MAX);
    assert_eq!(outcome.settings.reserve_bytes, 256 << 10);
    assert_eq!(outcome.settings.hook_timeout, Duration::from_secs(5));
}

/// What the table calls the default is what holds by default.
#[test]
fn the_table_knows_the_defaults() {
    let default = Settings::new();
    for spec in &OPTIONS {
        let Some(text) = spec.default else { continue };
        let other = Config {
            budget: Limit::mib(1),
            stack_budget: Limit::mib(1),
            reserve: 1,
            hook_timeout: Duration::from_secs(1),
            report: ReportTo::Fd(2),
            exec: Some("/bin/sh"),
            abort_mode: AbortMode::Plain,
            mode: Mode::Observe,
            ..Config::new()
        };
        let Outcome { settings, well, lines } =
            resolved(&other, &[&format!("{}={text}", spec.name)]);
        assert!(well, "{lines:?}");
        let same = match spec.key {
            Key::Budget => settings.budget_bytes == default.budget_bytes,
            Key::StackBudget => settings.stack_budget_bytes == default.stack_budget_bytes,
            Key::Reserve => settings.reserve_bytes == default.reserve_bytes,
            Key::HookTimeout => settings.hook_timeout == default.hook_timeout,
            Key::Report => matches!(settings.report, ReportSink::Nowhere),
            Key::Abort => settings.abort_mode == default.abort_mode,
            Key::Mode => settings.mode == default.mode,
            Key::Exec => settings.exec().is_none(),
            Key::ClusterBudgets | Key::ExecTimeout => false,
        };
        assert!(same, "{}", spec.name);
    }
}

#[test]
fn the_environment_wins() {
    let config = Config {
        budget: Limit::mib(1),
        cluster_budgets: &[("a", Limit::Bytes(1)), ("b", Limit::Bytes(2))],
        stack_budget: Limit::mib(1),
        exec: Some("/no/such/program"),
        report: ReportTo::File("/no/such/folder/report"),
        ..Config::new()
    };
    let Outcome { settings, well, lines } = resolved(
        &config,
        &[
            "FAILFAST_BUDGET=1.5GiB",
            "FAILFAST_CLUSTER_BUDGETS=a=10%",
            "FAILFAST_STACK_BUDGET=512KiB",
            "FAILFAST_RESERVE=1MiB",
            "FAILFAST_HOOK_TIMEOUT=500ms",
            "FAILFAST_REPORT=none",
            "FAILFAST_EXEC=/bin/sh",
            "FAILFAST_EXEC_TIMEOUT=2m",
            "FAILFAST_ABORT=plain",
            "FAILFAST_MODE=observe",
        ],
    );
    assert!(well, "{lines:?}");
    assert_eq!(settings.budget_bytes, 3 << 29);
    assert_eq!(settings.budget_source.source, Source::Environment);
    assert_eq!(settings.cluster_budgets.get("a"), Some((Limit::percent(10), Source::Environment)));
    assert_eq!(settings.cluster_budgets.get("b"), Some((Limit::bytes(2), Source::Code)));
    assert_eq!(settings.stack_budget_bytes, 512 << 10);
    assert_eq!(settings.stack_budget_source, Source::Environment);
    assert_eq!(settings.reserve_bytes, 1 << 20);
    assert_eq!(settings.hook_timeout, Duration::from_millis(500));
    assert_eq!(settings.exec(), Some(c"/bin/sh"));
    assert_eq!(settings.exec_timeout, Some(Duration::from_secs(120)));
    assert_eq!(settings.abort_mode, AbortMode::Plain);
    assert_eq!(settings.mode, Mode::Observe);
}

#[test]
fn who_must_not_be_asked_is_not() {
    let entries = ["FAILFAST_BUDGET=12Q", "FAILFAST_BUGDET=1", "FAILFAST_OTHER=1"];
    let ignoring = Config { ignore_env: true, budget: Limit::mib(1), ..Config::new() };
    let outcome = resolved(&ignoring, &entries);
    assert!(outcome.well && outcome.lines.is_empty(), "{:?}", outcome.lines);
    assert_eq!(outcome.settings.budget_bytes, 1 << 20);

    let (mut settings, mut lines) = (Settings::new(), 0);
    let environment = entries.iter().map(|entry| entry.as_bytes());
    let world = World { environment, secure: true, root: b"" };
    assert_eq!(resolve(&Config::new(), world, &mut settings, &mut |_| lines += 1), Ok(()));
    assert_eq!(lines, 0);
}

#[test]
fn wrong_variables() {
    for (entry, line) in [
        (
            "FAILFAST_BUDGET=12Q",
            "failfast: FAILFAST_BUDGET: `12Q` is not a size; \
             expected bytes, 64MiB, 75%, auto or unlimited\n",
        ),
        (
            "FAILFAST_BUDGET=",
            "failfast: FAILFAST_BUDGET: `` is empty; \
             expected bytes, 64MiB, 75%, auto or unlimited\n",
        ),
        (
            "FAILFAST_MODE=\x1b[2J",
            "failfast: FAILFAST_MODE: `\\x1b[2J` is not a mode; expected enforce or observe\n",
        ),
        (
            "FAILFAST_HOOK_TIMEOUT=5",
            "failfast: FAILFAST_HOOK_TIMEOUT: `5` is not a duration with its unit; \
             expected 500ms, 5s or 2m, a year at most\n",
        ),
    ] {
        assert_eq!(objection(entry), line);
    }
    for spec in &OPTIONS {
        let line = objection(&format!("{}=", spec.name));
        let start =
            format!("failfast: {}: `` is empty; expected {}\n", spec.name, spec.kind.expected());
        assert_eq!(line, start);
        let line = objection(&format!("{}=%\u{7}", spec.name));
        let start = format!("failfast: {}: `%\\x07` ", spec.name);
        assert!(line.starts_with(&start), "{line}");
    }
    let code = Config { budget: Limit::mib(1), mode: Mode::Observe, ..Config::new() };
    let outcome = resolved(&code, &["FAILFAST_BUDGET=12Q", "FAILFAST_MODE=x"]);
    assert!(!outcome.well);
    assert_eq!(outcome.settings.budget_bytes, 1 << 20, "code counts");
    assert_eq!(outcome.settings.mode, Mode::Observe);
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let config = Config { reserve: 0, ..Config::new() };
    let outcome = resolved(
        &config,
        &["FAILFAST_MODE=x", "FAILFAST_BUGDET=1", "FAILFAST_BUDGET=0", "FAILFAST_EXEC=sh"],
    );
    let starts = [
        "failfast: FailFast::reserve: `0` is zero; ",
        "failfast: FAILFAST_BUGDET: `1` ",
        "failfast: FAILFAST_BUDGET: `0` is zero; ",
        "failfast: FAILFAST_MODE: `x` ",
        "failfast: FAILFAST_EXEC: `sh` is not an absolute path; ",
    ];
    assert_eq!(outcome.lines.len(), starts.len(), "{:?}", outcome.lines);
    for (line, start) in outcome.lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line} {start}");
    }
}

#[test]
fn wrong_code() {
    let new = Config::new();
    for (config, start) in [
        (Config { budget: Limit::bytes(0), ..new }, "FailFast::budget: `Bytes(0)` is zero; "),
        (Config { budget: Limit::percent(101), ..new }, "FailFast::budget: `Percent(101)` is not "),
        (Config { budget: Limit::gib(usize::MAX), ..new }, "FailFast::budget: `Bytes(18446744"),
        (Config { stack_budget: Limit::kib(1), ..new }, "FailFast::stack_budget: `Bytes(1024)` is"),
        (Config { stack_budget: Limit::Auto, ..new }, "FailFast::stack_budget: `Auto` has no "),
        (Config { reserve: 0, ..new }, "FailFast::reserve: `0` is zero; expected 1 to "),
        (Config { reserve: usize::MAX, ..new }, "FailFast::reserve: `18446744073709551615` is too"),
        (Config { hook_timeout: Duration::ZERO, ..new }, "FailFast::hook_timeout: `0ns` is zero; "),
        (
            Config { hook_timeout: Duration::MAX, ..new },
            "FailFast::hook_timeout: `1844674407370955",
        ),
        (Config { report: ReportTo::Fd(-1), ..new }, "FailFast::report: `Fd(-1)` is a descriptor "),
        (Config { report: ReportTo::File(""), ..new }, "FailFast::report: `` is empty; "),
        (
            Config { report: ReportTo::File("a\0"), ..new },
            "FailFast::report: `a\\x00` is too long, ",
        ),
        (Config { exec: Some(""), ..new }, "FailFast::exec: `` is empty; "),
        (Config { exec: Some("/\0"), ..new }, "FailFast::exec: `/\\x00` is too long, or has a NUL"),
    ] {
        let outcome = resolved(&config, &[]);
        assert!(!outcome.well && outcome.lines.len() == 1, "{start}: {:?}", outcome.lines);
        let start = format!("failfast: {start}");
        assert!(outcome.lines[0].starts_with(&start), "{:?} {start}", outcome.lines);
        // What is wrong in code stays wrong under a variable that wins.
        let well = resolved(&config, &["FAILFAST_BUDGET=1", "FAILFAST_STACK_BUDGET=1M"]).well;
        assert!(!well, "{start}");
    }
}

#[test]
fn a_supervisor_says_where_the_record_is() {
    let variable = "FAILFAST_RECORD=7:1234:00000000deadbeef";
    let address = Address { fd: 7, ino: 1234, nonce: 0xdead_beef };
    for config in [Config::new(), Config { ignore_env: true, ..Config::new() }] {
        let Outcome { settings, well, lines } = resolved(&config, &[variable]);
        assert!(well && lines.is_empty(), "{lines:?}");
        assert_eq!(settings.record, Some(address));
    }
    for text in ["", "7", "7:1234:deadbeef", "7:1234:00000000deadbeef:"] {
        let variable = format!("FAILFAST_RECORD={text}");
        let Outcome { settings, well, lines } = resolved(&Config::new(), &[&variable]);
        assert!(!well && settings.record.is_none());
        let expected = format!(
            "failfast: FAILFAST_RECORD: `{text}` says of no record where it is; expected what a \
             supervisor sets\n"
        );
        assert_eq!(lines, [expected]);
        let ignoring = Config { ignore_env: true, ..Config::new() };
        let Outcome { settings, well, lines } = resolved(&ignoring, &[&variable]);
        assert!(well && lines.is_empty() && settings.record.is_none(), "{lines:?}");
    }
    let twice = [variable, "FAILFAST_RECORD=8:1234:00000000deadbeef"];
    assert!(!resolved(&Config::new(), &twice).well);
}
