//! Every way to die.
//!
//! Layer 2.  Plane: data.
//!
//! One variant for each, and nothing in it: what is known about a death stands in the
//! [`Report`](crate::Report), so that a cause can be passed on, compared and kept anywhere.

use core::fmt;

/// Why a cluster died.
///
/// ```
/// use failfast_alloc::Cause;
///
/// assert_eq!(Cause::HeapBudget.code(), "heap-budget");
/// assert_eq!(Cause::HeapBudget.to_string(), "heap budget");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// A request did not fit into the budget of its cluster, or of one around it.
    HeapBudget,
    /// The inner allocator returned null: the machine, not a budget, had no more.
    AllocatorRefused,
    /// A thread used more stack than its budget.
    StackBudget,
    /// A thread reached the end of its stack.
    StackOverflow,
    /// The program asked for it, by [`fail_fast`](crate::fail_fast).
    Requested,
    /// The budget could not be judged: since the program started, the kernel has begun to refuse
    /// every means by which one thread can make another's account visible.
    ///
    /// A sandbox that is closed after start can do this. Let it allow `membarrier` or
    /// `sched_setaffinity`, or close it before the program starts.
    LedgerUnsettled,
}

impl Cause {
    /// The name by which programs know the cause: in the report, in logs, in alerts.
    ///
    /// A code never changes its meaning; a later version may add more of them.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::HeapBudget => "heap-budget",
            Self::AllocatorRefused => "allocator-refused",
            Self::StackBudget => "stack-budget",
            Self::StackOverflow => "stack-overflow",
            Self::Requested => "requested",
            Self::LedgerUnsettled => "ledger-unsettled",
        }
    }
}

/// The name by which people know the cause, as on standard error.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeapBudget => "heap budget",
            Self::AllocatorRefused => "allocator refused",
            Self::StackBudget => "stack budget",
            Self::StackOverflow => "stack overflow",
            Self::Requested => "requested",
            Self::LedgerUnsettled => "ledger unsettled",
        })
    }
}

#[cfg(test)]
pub(crate) const ALL: [Cause; 6] = [
    Cause::HeapBudget,
    Cause::AllocatorRefused,
    Cause::StackBudget,
    Cause::StackOverflow,
    Cause::Requested,
    Cause::LedgerUnsettled,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_pinned() {
        let codes = ALL.map(Cause::code);
        assert_eq!(
            codes,
            [
                "heap-budget",
                "allocator-refused",
                "stack-budget",
                "stack-overflow",
                "requested",
                "ledger-unsettled",
            ]
        );
    }

    #[test]
    fn a_name_is_its_code_with_spaces() {
        for cause in ALL {
            assert_eq!(cause.to_string().replace(' ', "-"), cause.code());
        }
    }
}
