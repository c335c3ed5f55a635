//! What goes wrong, when, and what has to come of it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// When it goes wrong, in this order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    Elected,
    Left,
    Fixed,
    Before,
    Halt,
    Exec,
    Trace,
    Modules,
    Line,
    Report,
    Hook,
    Chain,
    End,
    Ending,
    /// Later than any, in a thread that holds to the deadline; the hook hangs before.
    Overdue,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    Segv,
    Illegal,
    Abort,
    Panic,
    Overflow,
    /// More is asked for than the reserve has.
    Reserve,
    Exit,
    Hang,
    /// SIGKILL, from outside.
    Kill,
    /// A signal that the program has a handler for: nothing goes wrong.
    Handled,
    /// SIGABRT that is sent to the thread, and that the program has a handler for.
    Sent,
    /// Somebody looks whether the hook goes on.
    Looks,
    /// Another thread forks, and the child fails in its turn: nothing goes wrong.
    Forks,
}

use Fault::*;
use Phase::*;

/// One way in which dying goes wrong.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) phase: Phase,
    pub(crate) fault: Fault,
    /// Whether it goes wrong in every later phase too.
    pub(crate) again: bool,
    /// Whether there is a program to become that turns out to be none.
    pub(crate) without_program: bool,
}

/// What has to come of it.
#[derive(Debug)]
pub(crate) struct Expected {
    /// The signal that ends the process.
    pub(crate) end: i32,
    /// Whether there is a line.
    pub(crate) line: bool,
    /// Whether the hook runs.
    pub(crate) hook: bool,
    /// What the report says of it; empty if there is no report.
    pub(crate) reported: &'static str,
}

const PHASES: [Phase; 15] = [
    Elected, Left, Fixed, Before, Halt, Exec, Trace, Modules, Line, Report, Hook, Chain, End,
    Ending, Overdue,
];

const FAULTS: [Fault; 12] =
    [Segv, Illegal, Abort, Panic, Overflow, Reserve, Exit, Hang, Kill, Handled, Sent, Looks];

pub(crate) fn all() -> Vec<Case> {
    let mut all = Vec::new();
    for phase in PHASES {
        for fault in FAULTS {
            if can_be(phase, fault) {
                all.push(case(phase, fault, false));
            }
        }
        for fault in [Segv, Abort, Overflow] {
            if can_be(phase, fault) {
                all.push(case(phase, fault, true));
            }
        }
    }
    all.push(case(Halt, Forks, false));
    for fault in [Segv, Hang, Handled] {
        let case = case(Halt, fault, false);
        let name = format!("{} without a program", case.name);
        all.push(Case { name, without_program: true, ..case });
    }
    all
}

fn case(phase: Phase, fault: Fault, again: bool) -> Case {
    let again_too = if again { " and on" } else { "" };
    let name = format!("{fault:?} at {phase:?}{again_too}").to_lowercase();
    Case { name, phase, fault, again, without_program: false }
}

/// Before the deadline is fixed there is nothing that could take time: a few system calls that do
/// not wait. On the failing stack nothing can panic, for that would unwind into the program; and
/// its heap and its overflow are the program's own; of faults only those are ours that the end of a
/// stack brings.
fn can_be(phase: Phase, fault: Fault) -> bool {
    match phase {
        Elected => matches!(fault, Segv | Abort | Exit | Kill | Handled | Sent),
        Left => !matches!(fault, Hang | Looks),
        // The signal is not seen: it becomes a program that knows nothing of it.
        Exec => !matches!(fault, Handled | Sent | Looks),
        Overdue => matches!(fault, Hang | Kill | Looks),
        _ => fault != Looks,
    }
}

impl Phase {
    /// What names it to the crate.
    pub(crate) fn name(self) -> &'static str {
        failfast_alloc::fault_injection::PHASES[self as usize]
    }

    /// The program that the process is to become, for the phase in which it does.
    fn program(self) -> Option<&'static str> {
        (self == Exec).then_some("/bin/false")
    }
}

impl Case {
    /// The program that the process is to become, if it is.
    pub(crate) fn program(&self) -> Option<String> {
        if self.without_program { Some(no_program()) } else { self.phase.program().map(Into::into) }
    }

    pub(crate) fn expected(&self) -> Expected {
        let stops_at = self.stops_at();
        let is_skipped = self.phase == Halt || self.again && self.phase < Halt;
        let end = if self.fault == Kill { libc::SIGKILL } else { libc::SIGABRT };
        if self.phase == Overdue {
            // If whoever is at it hangs as well, others end it, and nothing more is written.
            let reported = if self.fault == Looks { "timeout" } else { "pending" };
            return Expected { end, line: true, hook: true, reported };
        }
        match self.fault {
            Hang => return self.expected_of_hang(end),
            Handled | Forks => return Expected { end, line: true, hook: true, reported: "ran" },
            // It is taken when the hook is to begin, and by whoever handles it after the hook.
            Sent if self.phase <= Hook => {
                return Expected { end, line: true, hook: false, reported: "crashed" };
            }
            Sent => {
                let reported = if self.phase == Ending { "pending" } else { "ran" };
                return Expected { end, line: true, hook: true, reported };
            }
            _ => {}
        }
        if stops_at == Exec {
            // It comes after the report, and before all else.
            return Expected { end, line: true, hook: false, reported: "replaced" };
        }
        Expected {
            end,
            line: Line < stops_at && !self.costs(Line),
            hook: Hook < stops_at && !is_skipped && !self.costs(Hook),
            reported: if stops_at <= Report || self.costs(Report) {
                ""
            } else {
                self.reported(is_skipped)
            },
        }
    }

    /// Whoever holds to the deadline says what has not been said by then.
    fn expected_of_hang(&self, end: i32) -> Expected {
        let is_known = self.phase > Fixed;
        let reported = match self.phase {
            Elected | Left | Fixed => "",
            Hook => "timeout",
            Chain | End => "ran",
            // Somebody is at it.
            Ending | Overdue => "pending",
            _ => "skipped",
        };
        Expected { end, line: is_known, hook: self.phase > Hook, reported }
    }

    /// Whether the phase falls victim to the fault.
    fn costs(&self, phase: Phase) -> bool {
        self.phase == phase || self.again && self.phase < phase
    }

    /// The phase in which it all ends, if it is not the last.
    fn stops_at(&self) -> Phase {
        let is_step = Fixed < self.phase && self.phase < Hook;
        match self.fault {
            Kill => self.phase,
            _ if is_step && self.again => Hook,
            _ if is_step => Ending,
            _ => self.phase,
        }
    }

    fn reported(&self, is_skipped: bool) -> &'static str {
        match self.fault {
            _ if is_skipped => "skipped",
            // Written for the last time at the end: that is what the fault costs.
            Kill => "pending",
            _ if self.costs(Ending) => "pending",
            _ if self.costs(Hook) => "crashed",
            _ => "ran",
        }
    }
}

/// A file that may be executed, and is no program.
fn no_program() -> String {
    static PATH: OnceLock<String> = OnceLock::new();
    let make = || {
        let path = no_program_path();
        std::fs::write(&path, [0x7f; 100]).expect("a file");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, executable).expect("a file of ours");
        path.to_string_lossy().into_owned()
    };
    PATH.get_or_init(make).clone()
}

/// Where that file is, once it was made.
pub(crate) fn no_program_path() -> PathBuf {
    std::env::temp_dir().join(format!("dying-{}-no-program", std::process::id()))
}
