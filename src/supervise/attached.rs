//! What a program was started with.
//!
//! Layer 8.  Plane: control.

use std::time::Duration;

use crate::record::Start;

/// What holds for a program that has our allocator, as it says itself: its own code and its
/// environment together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attached(pub(super) Start);

impl Attached {
    /// The version of this crate that it has.
    #[must_use]
    pub fn version(&self) -> &str {
        let len = self.0.version.iter().position(|byte| *byte == 0).unwrap_or(16);
        std::str::from_utf8(self.0.version.get(..len).unwrap_or(&[])).unwrap_or("?")
    }

    /// The process's budget in bytes, if it has one.
    #[must_use]
    pub fn budget(&self) -> Option<u64> {
        self.0.budget
    }

    /// The budget in bytes of each thread's stack, if there is one.
    #[must_use]
    pub fn stack_budget(&self) -> Option<u64> {
        self.0.stack_budget
    }

    /// How many bytes are set aside for the abort hook.
    #[must_use]
    pub fn reserve(&self) -> u64 {
        self.0.reserve
    }

    /// How long dying may take.
    #[must_use]
    pub fn hook_timeout(&self) -> Duration {
        Duration::from_nanos(self.0.hook_timeout_ns)
    }

    /// Whether it becomes another program instead of running its hook.
    #[must_use]
    pub fn has_exec(&self) -> bool {
        self.0.execs
    }

    /// Whether it only says when it is over a budget.
    #[must_use]
    pub fn only_observes(&self) -> bool {
        self.0.observes
    }

    /// Its process number as it sees it itself: another one than ours in a namespace.
    #[must_use]
    pub fn inner_pid(&self) -> u32 {
        self.0.pid
    }
}
