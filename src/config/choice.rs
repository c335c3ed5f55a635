//! The choices there are.
//!
//! Layer 3.  Plane: data.
//!
//! The types take any value, because the builder is `const` and the place to complain is the
//! start, where wrong variables are answered too: `resolve` refuses a budget of zero, 101 %, and
//! sizes past `isize::MAX`, by the name of the builder method that was given them.

/// A budget, as it is written down.
///
/// ```
/// use failfast_alloc::{FailFast, Limit};
///
/// #[global_allocator]
/// static ALLOC: FailFast = FailFast::system().budget(Limit::mib(512)).stack_budget(Limit::mib(1));
/// # fn main() {}
/// ```
///
/// A budget that cannot be meant (zero bytes, more than `isize::MAX` of them, zero or more than
/// 100 percent) is an error when the program starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Limit {
    /// No budget.
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, Limit};
    /// static ALLOC: FailFast = FailFast::system().budget(Limit::Unlimited); // the default
    /// ```
    Unlimited,
    /// 80 % of the memory limit: of what cgroups, `RLIMIT_AS`, `RLIMIT_DATA` and the machine
    /// leave to the process, whichever is least.
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, Limit};
    /// static ALLOC: FailFast = FailFast::system().budget(Limit::Auto);
    /// ```
    Auto,
    /// So many bytes.
    ///
    /// ```
    /// # use failfast_alloc::Limit;
    /// assert_eq!(Limit::Bytes(64 << 20), Limit::mib(64));
    /// ```
    Bytes(usize),
    /// So many hundredths: of the memory limit for the process, of the parent's budget for a
    /// cluster. 1 to 100.
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, Limit};
    /// static ALLOC: FailFast = FailFast::system().budget(Limit::Percent(75));
    /// ```
    Percent(u8),
}

impl Limit {
    /// `n` bytes.
    ///
    /// ```
    /// # use failfast_alloc::Limit;
    /// assert_eq!(Limit::bytes(4096), Limit::Bytes(4096));
    /// ```
    pub const fn bytes(n: usize) -> Self {
        Self::Bytes(n)
    }

    /// `n` times 1,024 bytes.
    ///
    /// ```
    /// # use failfast_alloc::Limit;
    /// assert_eq!(Limit::kib(4), Limit::Bytes(4096));
    /// ```
    pub const fn kib(n: usize) -> Self {
        Self::Bytes(n.saturating_mul(1 << 10))
    }

    /// `n` times 1,024 KiB.
    ///
    /// ```
    /// # use failfast_alloc::Limit;
    /// assert_eq!(Limit::mib(1), Limit::kib(1024));
    /// ```
    pub const fn mib(n: usize) -> Self {
        Self::Bytes(n.saturating_mul(1 << 20))
    }

    /// `n` times 1,024 MiB. What does not fit into a `usize` becomes its greatest value, and that
    /// is refused when the program starts.
    ///
    /// ```
    /// # use failfast_alloc::Limit;
    /// assert_eq!(Limit::gib(1), Limit::mib(1024));
    /// assert_eq!(Limit::gib(usize::MAX), Limit::Bytes(usize::MAX));
    /// ```
    pub const fn gib(n: usize) -> Self {
        Self::Bytes(n.saturating_mul(1 << 30))
    }

    /// `p` hundredths.
    ///
    /// ```
    /// # use failfast_alloc::Limit;
    /// assert_eq!(Limit::percent(75), Limit::Percent(75));
    /// ```
    pub const fn percent(p: u8) -> Self {
        Self::Percent(p)
    }
}

/// Where the report goes, as one line of JSON. The line for people always goes to standard error.
///
/// ```
/// use failfast_alloc::{FailFast, ReportTo};
///
/// #[global_allocator]
/// static ALLOC: FailFast = FailFast::system().report(ReportTo::File("agent-%p.json"));
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReportTo {
    /// Nowhere.
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, ReportTo};
    /// static ALLOC: FailFast = FailFast::system().report(ReportTo::Nowhere); // the default
    /// ```
    Nowhere,
    /// To a regular file, which is made or emptied when the process dies. Its folder must exist
    /// when the program starts. In the file's name (not its folder's) `%p` becomes the number of
    /// the process; a percent sign is written `%%`.
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, ReportTo};
    /// static ALLOC: FailFast =
    ///     FailFast::system().report(ReportTo::File("/var/crash/agent-%p.json"));
    /// ```
    File(&'static str),
    /// To a descriptor that is open for writing when the program starts.
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, ReportTo};
    /// static ALLOC: FailFast = FailFast::system().report(ReportTo::Fd(2));
    /// ```
    Fd(i32),
}

/// What happens to other people's SIGABRT handlers, those of crash reporters for example.
///
/// ```
/// use failfast_alloc::{AbortMode, FailFast};
///
/// #[global_allocator]
/// static ALLOC: FailFast = FailFast::system().abort_mode(AbortMode::Plain);
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AbortMode {
    /// They run, for a bounded time.
    ///
    /// ```
    /// # use failfast_alloc::{AbortMode, FailFast};
    /// static ALLOC: FailFast = FailFast::system().abort_mode(AbortMode::Chain); // the default
    /// ```
    Chain,
    /// They do not run.
    ///
    /// ```
    /// # use failfast_alloc::{AbortMode, FailFast};
    /// static ALLOC: FailFast = FailFast::system().abort_mode(AbortMode::Plain);
    /// ```
    Plain,
}

/// What happens over a budget.
///
/// ```
/// use failfast_alloc::{FailFast, Limit, Mode};
///
/// #[global_allocator]
/// static ALLOC: FailFast = FailFast::system().budget(Limit::mib(512)).mode(Mode::Observe);
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Mode {
    /// The process dies.
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, Mode};
    /// static ALLOC: FailFast = FailFast::system().mode(Mode::Enforce); // the default
    /// ```
    Enforce,
    /// One line per cluster says so, and the process goes on: for finding out what budget a
    /// program needs. Stack overflow and a refusal by the inner allocator still end it.
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, Mode};
    /// static ALLOC: FailFast = FailFast::system().mode(Mode::Observe);
    /// ```
    Observe,
}
