//! The options: one table from which the parser, the near-miss check, the lines for people and
//! the table in the README derive.
//!
//! Layer 3.  Plane: data.
//!
//! To add an option: a key, a row, an arm in `resolve` (the compiler asks for it), a field in
//! `Settings`, and in `Config` if code can ask for it.

use core::fmt;

/// What all names begin with.
pub(super) const PREFIX: &[u8] = b"FAILFAST_";

/// Which option; the place of its row in [`OPTIONS`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Key {
    Budget,
    ClusterBudgets,
    StackBudget,
    Reserve,
    HookTimeout,
    Report,
    Exec,
    ExecTimeout,
    Abort,
    Mode,
}

/// What an option's value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Budget,
    ClusterBudgets,
    StackBudget,
    Size,
    Time,
    Report,
    Program,
    Abort,
    Mode,
}

impl Kind {
    /// What a line for people says it expected of a variable.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Budget => "bytes, 64MiB, 75%, auto or unlimited",
            Self::ClusterBudgets => {
                "name=budget, each name once, such as parser=64MiB,cache=10%,log=unlimited"
            }
            Self::StackBudget => "bytes (16KiB at least), 1MiB or unlimited",
            Self::Size => "bytes, 256KiB or 1MiB",
            Self::Time => "500ms, 5s or 2m, a year at most",
            Self::Report => "a path to a regular file (`%p` in its name is the pid), fd:2 or none",
            Self::Program => "the absolute path of a program, without arguments, or none",
            Self::Abort => "chain or plain",
            Self::Mode => "enforce or observe",
        }
    }

    /// The same of a value in code.
    pub(super) const fn expected_in_code(self) -> &'static str {
        match self {
            Self::Budget => {
                "Limit::Bytes of 1 to isize::MAX, Limit::Percent of 1 to 100, Auto or Unlimited"
            }
            Self::ClusterBudgets => {
                "names of 1 to 64 characters A-Za-z0-9._-, each once, with \
                 Limit::Bytes of 1 to isize::MAX, Limit::Percent of 1 to 100 or Unlimited"
            }
            Self::StackBudget => "Limit::Bytes of 16384 to isize::MAX, or Unlimited",
            Self::Size => "1 to isize::MAX bytes",
            Self::Time => "1 nanosecond to a year",
            Self::Report => "a path to a regular file (`%p` in its name is the pid), Fd or Nowhere",
            Self::Program => "the absolute path of a program, without arguments",
            Self::Abort | Self::Mode => self.expected(),
        }
    }

    /// What the README says can be given.
    const fn values(self) -> &'static str {
        match self {
            Self::Budget => "size, `75%` of the memory limit, `auto` (80 % of it), `unlimited`",
            Self::ClusterBudgets => {
                "`parser=64MiB,cache=10%` by cluster name, percent of the parent's; `unlimited`"
            }
            Self::StackBudget => "size, `unlimited` (the mapped stack, less the red zone)",
            Self::Size => "size",
            Self::Time => "duration: `500ms`, `5s`, `2m`",
            Self::Report => "file (`%p` in its name is the pid), `fd:2`, `none`",
            Self::Program => "absolute path of a program, `none`",
            Self::Abort => "`chain`, `plain`",
            Self::Mode => "`enforce`, `observe`",
        }
    }
}

/// One row.
pub(super) struct Spec {
    pub(super) key: Key,
    /// The variable.
    pub(super) name: &'static str,
    /// The method that says the same in code.
    pub(super) builder: Option<&'static str>,
    pub(super) kind: Kind,
    /// As it would be written in the variable; `None` if absence cannot be written.
    pub(super) default: Option<&'static str>,
    /// One sentence.
    pub(super) help: &'static str,
}

/// All options, in the order of their keys.
pub(super) const OPTIONS: [Spec; 10] = [
    Spec {
        key: Key::Budget,
        name: "FAILFAST_BUDGET",
        builder: Some("FailFast::budget"),
        kind: Kind::Budget,
        default: Some("unlimited"),
        help: "The most bytes the process may have allocated at once.",
    },
    Spec {
        key: Key::ClusterBudgets,
        name: "FAILFAST_CLUSTER_BUDGETS",
        builder: Some("FailFast::cluster_budgets"),
        kind: Kind::ClusterBudgets,
        default: None,
        help: "The same for clusters within it.",
    },
    Spec {
        key: Key::StackBudget,
        name: "FAILFAST_STACK_BUDGET",
        builder: Some("FailFast::stack_budget"),
        kind: Kind::StackBudget,
        default: Some("unlimited"),
        help: "The most stack each thread may use, looked at when it allocates.",
    },
    Spec {
        key: Key::Reserve,
        name: "FAILFAST_RESERVE",
        builder: Some("FailFast::reserve"),
        kind: Kind::Size,
        default: Some("256KiB"),
        help: "The heap that is set aside for the abort hook.",
    },
    Spec {
        key: Key::HookTimeout,
        name: "FAILFAST_HOOK_TIMEOUT",
        builder: Some("FailFast::hook_timeout"),
        kind: Kind::Time,
        default: Some("5s"),
        help: "How long dying may take, the hook included.",
    },
    Spec {
        key: Key::Report,
        name: "FAILFAST_REPORT",
        builder: Some("FailFast::report"),
        kind: Kind::Report,
        default: Some("none"),
        help: "Where the JSON report goes.",
    },
    Spec {
        key: Key::Exec,
        name: "FAILFAST_EXEC",
        builder: Some("FailFast::exec"),
        kind: Kind::Program,
        default: Some("none"),
        help: "The program to become instead of running the hook.",
    },
    Spec {
        key: Key::ExecTimeout,
        name: "FAILFAST_EXEC_TIMEOUT",
        builder: None,
        kind: Kind::Time,
        default: None,
        help: "How long that program may run.",
    },
    Spec {
        key: Key::Abort,
        name: "FAILFAST_ABORT",
        builder: Some("FailFast::abort_mode"),
        kind: Kind::Abort,
        default: Some("chain"),
        help: "Whether other SIGABRT handlers run, after the hook.",
    },
    Spec {
        key: Key::Mode,
        name: "FAILFAST_MODE",
        builder: Some("FailFast::mode"),
        kind: Kind::Mode,
        default: Some("enforce"),
        help: "Whether the process dies over a budget, or only says so.",
    },
];

/// The environment table of the README, in Markdown. For the test that compares the two.
#[derive(Debug)]
pub struct OptionsTable;

impl fmt::Display for OptionsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| variable | value | default | in code | what it sets |")?;
        writeln!(f, "| --- | --- | --- | --- | --- |")?;
        for spec in &OPTIONS {
            write!(f, "| `{}` | {} | ", spec.name, spec.kind.values())?;
            or_dash(f, spec.default)?;
            or_dash(f, spec.builder)?;
            writeln!(f, "{} |", spec.help)?;
        }
        Ok(())
    }
}

fn or_dash(f: &mut fmt::Formatter<'_>, cell: Option<&str>) -> fmt::Result {
    match cell {
        Some(cell) => write!(f, "`{cell}` | "),
        None => write!(f, "— | "),
    }
}
