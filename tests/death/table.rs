//! What a row says.

use crate::outcome::Outcome;

/// How a child ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Signal(i32),
    Exit(i32),
}

/// What a child has for standard error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stderr {
    /// A pipe that is read to the end.
    Read,
    Closed,
    /// A pipe that is full, and that nobody reads.
    Full,
    /// A pipe whose reading end is closed.
    Broken,
}

/// What reports there are in the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reports {
    None,
    /// With this `cause` (empty for any), and this `hook`.
    One(&'static str, &'static str),
    Several,
}

/// One way to die, or not to die.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What the child does.
    pub(crate) body: fn(),
    pub(crate) end: End,
    /// The lines on standard error. In them `<pid>` stands for the child's number, `<n>` for a
    /// decimal number, `<hex>` for an address, `<name>` for a thread's name, `<any>` for anything.
    pub(crate) lines: Vec<&'static str>,
    /// How often the hook began, and how often it came to its end.
    pub(crate) hooks: (u8, u8),
    pub(crate) report: Reports,
    pub(crate) env: Vec<(&'static str, &'static str)>,
    pub(crate) stderr: Stderr,
    /// Runs in the child before it becomes the program.
    pub(crate) before_exec: fn(),
    /// Whatever else there is to check.
    pub(crate) check: fn(&Outcome),
}

impl Row {
    /// A child that dies of SIGABRT, by `cause`, with this line.
    pub(crate) fn dies(
        name: &'static str,
        cause: &'static str,
        line: &'static str,
        body: fn(),
    ) -> Self {
        Self {
            name,
            body,
            end: End::Signal(libc::SIGABRT),
            lines: vec![line],
            hooks: (0, 0),
            report: Reports::One(cause, "none"),
            env: Vec::new(),
            stderr: Stderr::Read,
            before_exec: || {},
            check: |_| {},
        }
    }

    /// A child that we have nothing to say about.
    pub(crate) fn silent(name: &'static str, end: End, body: fn()) -> Self {
        Self { end, lines: Vec::new(), report: Reports::None, ..Self::dies(name, "", "", body) }
    }

    /// The hook begins and comes to its end, once.
    pub(crate) fn hook_ran(mut self) -> Self {
        self.hooks = (1, 1);
        self.outcome_of_hook("ran")
    }

    /// The hook begins once, and fails.
    pub(crate) fn hook_crashed(mut self) -> Self {
        self.hooks = (1, 0);
        self.outcome_of_hook("crashed")
    }

    /// What the report says of the hook, if there is one.
    pub(crate) fn outcome_of_hook(mut self, outcome: &'static str) -> Self {
        if let Reports::One(_, hook) = &mut self.report {
            *hook = outcome;
        }
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    pub(crate) fn stderr(mut self, stderr: Stderr) -> Self {
        self.stderr = stderr;
        self.lines.clear();
        self
    }

    pub(crate) fn lines(mut self, lines: &[&'static str]) -> Self {
        self.lines = lines.to_vec();
        self
    }

    pub(crate) fn no_report(mut self) -> Self {
        self.report = Reports::None;
        self
    }

    /// There are several, for `check` to look at.
    pub(crate) fn several_reports(mut self) -> Self {
        self.report = Reports::Several;
        self
    }

    /// The process itself goes on: it was a child that died.
    pub(crate) fn and_then_exits(mut self, code: i32) -> Self {
        self.end = End::Exit(code);
        self
    }

    pub(crate) fn before_exec(mut self, f: fn()) -> Self {
        self.before_exec = f;
        self
    }

    pub(crate) fn check(mut self, f: fn(&Outcome)) -> Self {
        self.check = f;
        self
    }
}
