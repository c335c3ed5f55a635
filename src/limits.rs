//! The memory limits of this process: all that were found, and what budgets would come to.
//!
//! Layer 7.  Plane: control.
//!
//! It is told of the same limits, by the same walk through the kernel's files, as the process's own
//! budget is judged by; and keeps them all, where that keeps the least.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::config::{self, At, MemoryLimit, Seen};

/// Who sets a limit.
///
/// ```
/// use failfast_alloc::limits::Origin;
///
/// assert_eq!(Origin::AddressSpace.to_string(), "RLIMIT_AS");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Origin {
    /// `memory.max` of a control group of version 2.
    CgroupV2,
    /// `memory.limit_in_bytes` of a control group of version 1, or what its `memory.stat` says of
    /// the groups above it.
    CgroupV1,
    /// `RLIMIT_AS`: of all that is mapped.
    AddressSpace,
    /// `RLIMIT_DATA`: of private writable memory.
    Data,
    /// What the machine has.
    Physical,
}

/// One place where a limit could be.
///
/// ```
/// for limit in failfast_alloc::limits::memory().all() {
///     println!("{}: {:?} {:?}", limit.origin(), limit.bytes(), limit.path());
/// }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemoryLimitFound {
    origin: Origin,
    bytes: Option<u64>,
    path: Option<PathBuf>,
}

/// All places where a limit could be, and what follows from them. From [`memory`].
///
/// ```
/// let limits = failfast_alloc::limits::memory();
/// if let (Some(least), Some(auto)) = (limits.least(), limits.auto()) {
///     println!("{} leaves {:?} bytes, `auto` is {auto}", least.origin(), least.bytes());
/// }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemoryLimits {
    all: Vec<MemoryLimitFound>,
    complete: bool,
}

/// Looks for the memory limits of this process, as a `FAILFAST_BUDGET` in percent does at start.
///
/// It reads two files of `/proc` and one of each control group, from the hierarchy's root down to
/// that of the process: some dozens of system calls. Needs the feature `supervise`.
///
/// ```
/// let limits = failfast_alloc::limits::memory();
/// assert!(limits.percent(50) <= limits.percent(100));
/// ```
#[must_use]
pub fn memory() -> MemoryLimits {
    memory_below(b"")
}

fn memory_below(root: &[u8]) -> MemoryLimits {
    let mut all = Kept(Vec::new());
    let complete = config::each_memory_limit(root, &mut all);
    MemoryLimits { all: all.0, complete }
}

struct Kept(Vec<MemoryLimitFound>);

impl Seen for Kept {
    fn limit(&mut self, bytes: Option<u64>, origin: config::Origin, at: At<'_>) {
        let path = (!at.file.is_empty()).then(|| {
            let mut path = PathBuf::from(OsStr::from_bytes(at.point));
            path.extend(at.folders().map(OsStr::from_bytes));
            path.push(at.file);
            path
        });
        self.0.push(MemoryLimitFound { origin: Origin::of(origin), bytes, path });
    }
}

impl MemoryLimits {
    /// All places that were looked at and could be read, control groups first, from their
    /// hierarchy's root down; also those that set no limit.
    ///
    /// ```
    /// let limits = failfast_alloc::limits::memory();
    /// assert!(limits.all().len() >= 3); // the two of setrlimit, and the machine
    /// ```
    #[must_use]
    pub fn all(&self) -> &[MemoryLimitFound] {
        &self.all
    }

    /// The least limit, of equal ones the first; what percentages are of. `None` if there is none.
    ///
    /// ```
    /// let limits = failfast_alloc::limits::memory();
    /// let least = limits.least().and_then(|least| least.bytes());
    /// let physical = limits.all().iter().find_map(|it| match it.origin() {
    ///     failfast_alloc::limits::Origin::Physical => it.bytes(),
    ///     _ => None,
    /// });
    /// assert!(least <= physical);
    /// ```
    #[must_use]
    pub fn least(&self) -> Option<&MemoryLimitFound> {
        self.all.iter().filter(|limit| limit.bytes.is_some()).min_by_key(|limit| limit.bytes)
    }

    /// Whether a control group may have a lower limit, which could not be read.
    ///
    /// ```
    /// if failfast_alloc::limits::memory().may_be_lower() {
    ///     eprintln!("set FAILFAST_BUDGET to a number of bytes");
    /// }
    /// ```
    #[must_use]
    pub const fn may_be_lower(&self) -> bool {
        !self.complete
    }

    /// The bytes that a budget of so many percent would be, rounded down. `None` if there is no
    /// limit, or no byte in so small a part of it: then such a budget is an error at start.
    ///
    /// # Panics
    ///
    /// If `percent` is none of 1 to 100.
    ///
    /// ```
    /// let limits = failfast_alloc::limits::memory();
    /// assert_eq!(limits.percent(80), limits.auto());
    /// ```
    #[must_use]
    pub fn percent(&self, percent: u8) -> Option<usize> {
        assert!((1..=100).contains(&percent), "{percent} is not from 1 to 100");
        let least = self.least()?;
        // Of whom it is makes no difference.
        let limit = MemoryLimit { bytes: least.bytes?, origin: config::Origin::Physical };
        Some(limit.percent(percent)).filter(|bytes| *bytes > 0)
    }

    /// The bytes that a budget of `auto` would be: 80 %.
    ///
    /// ```
    /// let limits = failfast_alloc::limits::memory();
    /// assert!(limits.auto() <= limits.percent(100));
    /// ```
    #[must_use]
    pub fn auto(&self) -> Option<usize> {
        self.percent(config::AUTO_PERCENT)
    }
}

impl MemoryLimitFound {
    /// Who sets it.
    ///
    /// ```
    /// let limits = failfast_alloc::limits::memory();
    /// assert!(limits.all().iter().all(|limit| !limit.origin().to_string().is_empty()));
    /// ```
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// The limit; `None` if there is none here.
    ///
    /// ```
    /// let limits = failfast_alloc::limits::memory();
    /// assert!(limits.least().is_none_or(|least| least.bytes().is_some()));
    /// ```
    #[must_use]
    pub const fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// The file it stands in, of those of control groups.
    ///
    /// ```
    /// let limits = failfast_alloc::limits::memory();
    /// assert!(limits.all().iter().filter_map(|it| it.path()).all(|path| path.is_absolute()));
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl Origin {
    const fn of(origin: config::Origin) -> Self {
        match origin {
            config::Origin::CgroupV2 => Self::CgroupV2,
            config::Origin::CgroupV1 => Self::CgroupV1,
            config::Origin::AddressSpace => Self::AddressSpace,
            config::Origin::Data => Self::Data,
            config::Origin::Physical => Self::Physical,
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origin = match self {
            Self::CgroupV2 => config::Origin::CgroupV2,
            Self::CgroupV1 => config::Origin::CgroupV1,
            Self::AddressSpace => config::Origin::AddressSpace,
            Self::Data => config::Origin::Data,
            Self::Physical => config::Origin::Physical,
        };
        f.write_str(origin.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up machine, gone with its value.
    struct Machine(PathBuf);

    impl Machine {
        fn new(files: &[(&str, &str)]) -> Self {
            let name = format!("failfast-limits-{}", std::process::id());
            let root = std::env::temp_dir().join(name);
            for (path, content) in files {
                let path = root.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn every_ancestor_is_named_with_its_file() {
        let machine = Machine::new(&[
            ("proc/self/cgroup", "0::/a/b\n"),
            ("proc/self/mountinfo", "30 22 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"),
            ("sys/fs/cgroup/a/memory.max", "1000\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
        ]);
        let limits = memory_below(machine.0.as_os_str().as_bytes());
        let below = |path: &str| Some(machine.0.join(path));
        let groups: Vec<_> = limits
            .all()
            .iter()
            .filter(|it| it.origin() == Origin::CgroupV2)
            .map(|it| (it.bytes(), it.path().map(Path::to_path_buf)))
            .collect();
        assert_eq!(
            groups,
            [
                (Some(1000), below("sys/fs/cgroup/a/memory.max")),
                (None, below("sys/fs/cgroup/a/b/memory.max")),
            ]
        );
        assert!(!limits.may_be_lower());
        assert_eq!(limits.least().unwrap().bytes(), Some(1000));
        assert_eq!((limits.auto(), limits.percent(75)), (Some(800), Some(750)));
    }

    #[test]
    fn what_it_says_is_what_a_budget_is_judged_by() {
        let limits = memory();
        assert!(limits.all().iter().any(|it| it.origin() == Origin::Physical));
        assert_eq!(limits.least().and_then(|it| it.bytes()).is_some(), limits.auto().is_some());
    }
}
