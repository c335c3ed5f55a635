//! The stack of a thread that ran out of it.
//!
//! Layer 2.  Plane: data.

/// A thread's stack at the moment it ran out. Stacks grow down, from [`high`](Self::high) to
/// [`low`](Self::low).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StackSpan {
    /// The address that could not be used: what the thread touched beyond its stack, or, found by
    /// the probe, the end of what it may use.
    pub address: usize,
    /// The stack pointer.
    pub pointer: usize,
    /// The lowest address of the stack, above its guard page.
    pub low: usize,
    /// The address after its highest.
    pub high: usize,
    /// How many bytes were in use.
    pub used: usize,
    /// How many may be in use, if that is less than the whole stack.
    pub budget: Option<usize>,
    /// How it was noticed.
    pub found_by: FoundBy,
    /// Whose stack it was.
    pub kind: StackKind,
}

/// What a stack was for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StackKind {
    /// The thread's own.
    Thread,
    /// The one that its signal handlers run on (`sigaltstack`).
    Signal,
    /// Another: a fiber's, say. Its bounds are those of the memory that it is in, which may have
    /// more in it than the stack.
    Other,
}

/// How the end of a stack was noticed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FoundBy {
    /// By the check on entry to the allocator, or an explicit one.
    Probe,
    /// By a fault on the guard page.
    Guard,
}

impl StackSpan {
    /// How many bytes the stack has.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.high.saturating_sub(self.low)
    }
}

impl FoundBy {
    /// Its name in the report.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Guard => "guard",
        }
    }
}

impl StackKind {
    /// Its name in the report.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Signal => "signal",
            Self::Other => "other",
        }
    }
}
