//! What holds for this process.
//!
//! Layer 3.  Plane: data.
//!
//! Plain values in one static, readable while dying. `unlimited` is `usize::MAX` bytes; a budget
//! that was asked for is `isize::MAX` at most, so the two never meet.

use core::ffi::CStr;
use core::time::Duration;

use super::asked::Config;
use super::choice::{AbortMode, Mode};
use super::clusters::ClusterBudgets;
use super::group::Group;
use super::memory::MemoryLimit;
use super::text::{NAME_MAX, PATH_MAX, Text};
use crate::record::Address;

/// Who decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// Nobody.
    Default,
    /// The builder of the allocator.
    Code,
    /// A variable.
    Environment,
}

/// A number of bytes, and who decided on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Sourced {
    pub(crate) source: Source,
    /// The memory limit of which it is a part, if it was given as one.
    pub(crate) part_of: Option<MemoryLimit>,
}

/// Where the report goes.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one value, in a static")]
pub(crate) enum ReportSink {
    Nowhere,
    /// The descriptor, and what was behind it at start: if that is something else by now, the
    /// number was closed and taken by a file of the program.
    Fd {
        fd: i32,
        dev: u64,
        ino: u64,
    },
    File(ReportFile),
}

/// A file that is made at death.
#[derive(Debug)]
pub(crate) struct ReportFile {
    /// Its folder (`O_PATH`), and which one that was at start, as for `ReportSink::Fd`.
    pub(crate) folder: i32,
    pub(crate) folder_dev: u64,
    pub(crate) folder_ino: u64,
    /// As given: with `%p` and `%%`.
    pub(super) name: Text<NAME_MAX>,
}

impl ReportFile {
    /// The file's name for the process `pid`.
    pub(crate) fn name(&self, pid: u32) -> Text<NAME_MAX> {
        // It was checked at start that the longest number fits.
        super::report_to::expand(self.name.bytes(), pid).unwrap_or(self.name)
    }
}

/// What holds for this process.
pub(crate) struct Settings {
    /// Of the process; `usize::MAX` for none.
    pub(crate) budget_bytes: usize,
    pub(crate) budget_source: Sourced,
    /// Of each thread; `usize::MAX` for none.
    pub(crate) stack_budget_bytes: usize,
    pub(crate) stack_budget_source: Source,
    pub(crate) cluster_budgets: ClusterBudgets,
    pub(crate) reserve_bytes: usize,
    pub(crate) hook_timeout: Duration,
    pub(crate) report: ReportSink,
    /// Empty for none.
    pub(super) exec: Text<PATH_MAX>,
    /// How long the program that replaces us may run.
    pub(crate) exec_timeout: Option<Duration>,
    pub(crate) abort_mode: AbortMode,
    pub(crate) mode: Mode,
    /// The control group whose figures are reported.
    pub(crate) group: Option<Group>,
    /// Where a supervisor is told, if there is one.
    pub(crate) record: Option<Address>,
}

impl Settings {
    /// What holds where nothing was asked for.
    pub(crate) const fn new() -> Self {
        let Config { reserve, hook_timeout, abort_mode, mode, .. } = Config::new();
        Self {
            budget_bytes: usize::MAX,
            budget_source: Sourced { source: Source::Default, part_of: None },
            stack_budget_bytes: usize::MAX,
            stack_budget_source: Source::Default,
            cluster_budgets: ClusterBudgets::new(),
            reserve_bytes: reserve,
            hook_timeout,
            report: ReportSink::Nowhere,
            exec: Text::new(),
            exec_timeout: None,
            abort_mode,
            mode,
            group: None,
            record: None,
        }
    }

    /// The program to become instead of running the hook.
    pub(crate) fn exec(&self) -> Option<&CStr> {
        (!self.exec.bytes().is_empty()).then(|| self.exec.c_str())
    }
}
