//! Which subjects there are.

use std::fmt;

/// An inner allocator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inner {
    /// The C library's: bare through `std::alloc::System`, under FailFast through its `Malloc`.
    System,
    /// mimalloc.
    Mimalloc,
    /// jemalloc.
    Jemalloc,
    /// snmalloc.
    Snmalloc,
}

/// What is put around it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wrapper {
    /// Nothing.
    Bare,
    /// This crate.
    FailFast,
    /// This crate, its fast path in plain Rust.
    Portable,
    /// `cap`: one shared atomic counter, and a limit.
    Cap,
    /// `stats_alloc`: shared atomic counters.
    Stats,
    /// `tracking-allocator`: a header on each block, and a call per allocation.
    Tracking,
}

impl Inner {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::System, Self::Mimalloc, Self::Jemalloc, Self::Snmalloc];
}

impl Wrapper {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Bare, Self::FailFast, Self::Portable, Self::Cap, Self::Stats, Self::Tracking];

    /// Whether there is such a subject: `stats_alloc` cannot be a static over anything but
    /// `System`, since its general constructor is not `const` on stable Rust.
    pub fn fits(self, inner: Inner) -> bool {
        self != Self::Stats || inner == Inner::System
    }
}

/// The name of a subject's program.
pub fn name(inner: Inner, wrapper: Wrapper) -> String {
    format!("{inner}-{wrapper}")
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::System => "system",
            Self::Mimalloc => "mimalloc",
            Self::Jemalloc => "jemalloc",
            Self::Snmalloc => "snmalloc",
        })
    }
}

impl fmt::Display for Wrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bare => "bare",
            Self::FailFast => "failfast",
            Self::Portable => "portable",
            Self::Cap => "cap",
            Self::Stats => "stats",
            Self::Tracking => "tracking",
        })
    }
}
