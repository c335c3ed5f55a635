//! What a row says.

use crate::Outcome;

/// How a child ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// By this signal.
    Signal(i32),
    /// With this status.
    Exit(i32),
}

/// What a child has for standard error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stderr {
    /// A pipe that is read to the end.
    Read,
    /// Nothing.
    Closed,
    /// A pipe that is full, and that nobody reads.
    Full,
    /// A pipe whose reading end is closed.
    Broken,
}

/// What reports there are in the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reports {
    /// None.
    None,
    /// With this `cause` (empty for any), and this `hook`, or one of these: `crashed|timeout`.
    One(&'static str, &'static str),
    /// More than one.
    Several,
    /// None, or one; whatever it says.
    Any,
}

/// What the report says of the other threads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Halt {
    /// All were seen to halt.
    Proven,
    /// One at least was not.
    Unproven,
    /// Either; if one was not, the hook must not have run.
    Any,
}

/// What a child does.
pub type Body = Box<dyn Fn() + Send + Sync>;

/// One way to die, or not to die.
pub struct Row {
    /// The test's name.
    pub name: &'static str,
    /// What the child does.
    pub body: Body,
    /// How it ends.
    pub end: End,
    /// Another end that is as good.
    pub or_end: Option<End>,
    /// The lines on standard error. In them `<pid>` stands for the child's number, `<n>` for a
    /// decimal number, `<hex>` for an address, `<name>` for a thread's name, `<any>` for anything.
    pub(crate) lines: Vec<&'static str>,
    /// How often the hook began, and how often it came to its end.
    pub hooks: (u8, u8),
    pub(crate) report: Reports,
    /// How the hook failed, if the report has to say so.
    pub failure: Option<&'static str>,
    pub(crate) halt: Halt,
    /// How many other threads there are, if that is known.
    pub(crate) threads: Option<u64>,
    pub(crate) env: Vec<(&'static str, &'static str)>,
    pub(crate) stderr: Stderr,
    /// Runs in the child before it becomes the program.
    pub(crate) before_exec: fn(),
    /// Whatever else there is to check.
    pub(crate) check: fn(&Outcome),
    /// Clears away what the child, whose number it is told, has left behind.
    pub(crate) clear: fn(u32),
}

impl Row {
    /// A child that dies of SIGABRT, by `cause`, with this line.
    pub fn dies(
        name: &'static str,
        cause: &'static str,
        line: &'static str,
        body: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            body: Box::new(body),
            end: End::Signal(libc::SIGABRT),
            or_end: None,
            lines: vec![line],
            hooks: (0, 0),
            report: Reports::One(cause, "none"),
            failure: None,
            halt: Halt::Proven,
            threads: None,
            env: Vec::new(),
            stderr: Stderr::Read,
            before_exec: || {},
            check: |_| {},
            clear: |_| {},
        }
    }

    /// A child that we have nothing to say about.
    pub fn silent(name: &'static str, end: End, body: impl Fn() + Send + Sync + 'static) -> Self {
        Self { end, lines: Vec::new(), report: Reports::None, ..Self::dies(name, "", "", body) }
    }

    /// The hook begins and comes to its end, once.
    pub fn hook_ran(mut self) -> Self {
        self.hooks = (1, 1);
        self.outcome_of_hook("ran")
    }

    /// The hook begins once, and fails.
    pub fn hook_crashed(mut self) -> Self {
        self.hooks = (1, 0);
        self.outcome_of_hook("crashed")
    }

    /// The hook begins once, and the deadline comes before its end.
    pub fn hook_timed_out(mut self) -> Self {
        self.hooks = (1, 0);
        self.outcome_of_hook("timeout")
    }

    /// There is a hook, and it must not run.
    pub fn hook_skipped(mut self) -> Self {
        self.hooks = (0, 0);
        self.outcome_of_hook("skipped")
    }

    /// The hook comes to its end if the others were seen to halt; else it must not run.
    pub fn hook_ran_if_proven(self) -> Self {
        self.hook_ran().halt(Halt::Any)
    }

    /// The hook comes to its end where the kernel lets processes be traced; elsewhere it must not
    /// run.
    pub fn hook_ran_where_traced(self) -> Self {
        if crate::tools::may_trace() {
            self.hook_ran()
        } else {
            self.hook_skipped().halt(Halt::Unproven)
        }
    }

    /// What the report says of the hook's failure.
    pub fn failure(mut self, failure: &'static str) -> Self {
        self.failure = Some(failure);
        self
    }

    /// What the report says of the other threads.
    pub fn halt(mut self, halt: Halt) -> Self {
        self.halt = halt;
        self
    }

    /// There are so many other threads.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads as u64);
        self
    }

    /// What the report says of the hook, if there is one.
    pub fn outcome_of_hook(mut self, outcome: &'static str) -> Self {
        if let Reports::One(_, hook) = &mut self.report {
            *hook = outcome;
        }
        self
    }

    /// One more variable.
    pub fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    /// Another end than SIGABRT.
    pub fn ends(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Another standard error, on which no line is looked for.
    pub fn stderr(mut self, stderr: Stderr) -> Self {
        self.stderr = stderr;
        self.lines.clear();
        self
    }

    /// Other lines than the one.
    pub fn lines(mut self, lines: &[&'static str]) -> Self {
        self.lines = lines.to_vec();
        self
    }

    /// There is to be none.
    pub fn no_report(mut self) -> Self {
        self.report = Reports::None;
        self
    }

    /// There are several, for `check` to look at.
    pub fn several_reports(mut self) -> Self {
        self.report = Reports::Several;
        self
    }

    /// Whether there is a report, and what it says, is not what the row is about.
    pub fn any_report(mut self) -> Self {
        self.report = Reports::Any;
        self
    }

    /// The process itself goes on: it was a child that died.
    pub fn and_then_exits(mut self, code: i32) -> Self {
        self.end = End::Exit(code);
        self
    }

    /// Whatever the report says is the cause.
    pub fn of_any_cause(mut self) -> Self {
        if let Reports::One(cause, _) = &mut self.report {
            *cause = "";
        }
        self
    }

    /// What the child does before it becomes the program: async-signal-safe.
    pub fn before_exec(mut self, f: fn()) -> Self {
        self.before_exec = f;
        self
    }

    /// Whatever else there is to check.
    pub fn check(mut self, f: fn(&Outcome)) -> Self {
        self.check = f;
        self
    }

    /// Clears away what the child, whose number it is told, has left behind.
    pub fn clear(mut self, f: fn(u32)) -> Self {
        self.clear = f;
        self
    }
}
