//! How a child has ended, compared with what its row says.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde_json::Value;

use crate::row::{End, Halt, Reports, Row};
use crate::witness::{FORBIDDEN, HOOK_BEGAN, HOOK_ENDED, Page};

/// How a child ends that cannot do what its row is about, and how its line begins.
pub(crate) const SKIPPED_STATUS: i32 = 77;
pub(crate) const SKIPPED: &str = "skipped: ";

/// How a child has ended.
pub struct Outcome {
    /// Its number.
    pub pid: u32,
    /// By a signal, or with an exit status.
    pub status: ExitStatus,
    /// What it wrote to standard error.
    pub stderr: String,
    /// The reports in its folder, by name.
    pub reports: Vec<(String, Value)>,
    /// Its folder, while `check` looks at it.
    pub folder: PathBuf,
    /// What happened in it.
    pub page: Page,
}

impl Outcome {
    /// The one report.
    pub fn report(&self) -> &Value {
        assert_eq!(self.reports.len(), 1, "reports: {:?}", self.reports);
        &self.reports[0].1
    }

    /// Says everything that is not as in the row.
    pub fn compare(&self, row: &Row) {
        let end = match (self.status.signal(), self.status.code()) {
            (Some(signal), _) => End::Signal(signal),
            (_, code) => End::Exit(code.expect("a signal or a code")),
        };
        let short = if is_busy() { self.fell_short(row, end) } else { None };
        if let Some(how) = short {
            eprintln!("death: BUSY {}: {how}", row.name);
            assert_eq!(self.page.get(FORBIDDEN), 0, "something happened that must not");
            return self.page.compare_counters();
        }
        assert!(end == row.end || Some(end) == row.or_end, "{end:?}, not {:?}", row.end);
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), row.lines.len(), "the number of lines");
        for (line, pattern) in lines.into_iter().zip(&row.lines) {
            let pattern = pattern.replace("<pid>", &self.pid.to_string());
            assert!(matches(line, &pattern), "expected the line\n{pattern}");
        }
        let hooks = (self.page.get(HOOK_BEGAN), self.page.get(HOOK_ENDED));
        let expected = (row.hooks.0.into(), row.hooks.1.into());
        let expected = if self.is_skipped(row) { (0, 0) } else { expected };
        if row.report != Reports::Any || hooks != (0, 0) {
            assert_eq!(hooks, expected, "hooks begun and ended");
        }
        assert_eq!(self.page.get(FORBIDDEN), 0, "something happened that must not");
        self.page.compare_counters();
        match row.report {
            Reports::None => assert_eq!(self.reports, [], "reports"),
            Reports::One(cause, hook) => self.compare_report(row, cause, hook),
            Reports::Several => {}
            Reports::Any => assert!(self.reports.len() <= 1, "reports: {:?}", self.reports),
        }
        (row.check)(self);
    }

    fn compare_report(&self, row: &Row, cause: &str, hook: &str) {
        let report = self.report();
        assert!(cause.is_empty() || report["cause"] == cause, "cause: {}", report["cause"]);
        let hook = if self.is_skipped(row) { "skipped" } else { hook };
        assert!(hook.split('|').any(|hook| report["hook"] == hook), "hook: {}", report["hook"]);
        if let Some(failure) = row.failure {
            assert_eq!(report["hook_failure"], failure, "how the hook failed");
        }
        let threads = &report["threads"];
        let [seen, halted] = [threads["seen"].as_u64(), threads["halted"].as_u64()];
        let halt = if report["halt"] == "proven" { Halt::Proven } else { Halt::Unproven };
        assert!(row.halt == Halt::Any || halt == row.halt, "halt: {threads}, {}", report["halt"]);
        assert_eq!(halt == Halt::Proven, seen.is_some() && seen == halted, "{threads}");
        assert!(row.threads.is_none() || seen == row.threads, "threads: {threads}");
    }

    /// What a machine with too much to do may make of a row: the halt took longer than it may, and
    /// the hook did not run; or nobody but the kernel was in time to end it.
    fn fell_short(&self, row: &Row, end: End) -> Option<&'static str> {
        let is_skipped = |report: &Value| {
            report["halt"] == "unproven"
                && ["skipped", "none"].iter().any(|it| report["hook"] == *it)
        };
        let hooks = self.page.get(HOOK_BEGAN);
        let abort = End::Signal(libc::SIGABRT);
        match &*self.reports {
            [(_, report)] if hooks == 0 && row.halt == Halt::Proven && is_skipped(report) => {
                (end == abort || end == row.end).then_some("the halt was not proven in time")
            }
            _ if end == End::Signal(libc::SIGKILL) && row.end == abort => {
                Some("the kernel ended it, at the deadline or for want of memory")
            }
            _ => None,
        }
    }

    /// Whether the hook may have been skipped, and had to be.
    fn is_skipped(&self, row: &Row) -> bool {
        row.halt == Halt::Any
            && self.reports.first().is_some_and(|(_, report)| report["halt"] == "unproven")
    }

    /// Why the child could not do what its row is about.
    pub fn skipped(&self) -> Option<&str> {
        let text = self.stderr.lines().last()?.strip_prefix(SKIPPED)?;
        (self.status.code() == Some(SKIPPED_STATUS)).then_some(text)
    }
}

/// Whether the machine has so much else to do that threads wait for seconds to run: then what a row
/// could not do in time is counted apart from what must not happen.
fn is_busy() -> bool {
    std::env::var_os("DEATH_BUSY").is_some()
}

/// The reports in `folder`: plain files only.
pub(crate) fn reports(folder: &Path) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the row's folder") {
        let entry = entry.expect("an entry");
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).expect("a report");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let value = match &*text {
                "" => Ok(Value::Null), // It was made, and could not be written.
                text => serde_json::from_str(text),
            };
            found.push((name, value.unwrap_or_else(|e| panic!("not JSON: {e}: {text}"))));
        }
    }
    found
}

/// Whether `line` has the form of `pattern`.
fn matches(line: &str, pattern: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('<') else { return line == pattern };
    let (kind, after) = rest.split_once('>').expect("a closing `>`");
    let Some(line) = line.strip_prefix(before) else { return false };
    let is_part: fn(char) -> bool = match kind {
        "n" => |c| c.is_ascii_digit(),
        "hex" => |c| c.is_ascii_hexdigit() || c == 'x',
        "name" => |c| c != '`',
        "any" => |_| true,
        _ => panic!("no such pattern: {kind}"),
    };
    let part = line.find(|c| !is_part(c)).unwrap_or(line.len());
    part > 0 && matches(&line[part..], after)
}
