//! The memory limit: how much this process could have at all.
//!
//! Layer 3.  Plane: data.
//!
//! The least of what control groups, resource limits and the machine say. It is looked for only
//! where a setting asks for a part of it.

use super::cgroup;
use super::seen::{At, Seen};
use crate::sys::limits::{self, Resource};

/// Who sets the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    CgroupV2,
    CgroupV1,
    /// `RLIMIT_AS`.
    AddressSpace,
    /// `RLIMIT_DATA`.
    Data,
    Physical,
}

impl Origin {
    /// For people.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::CgroupV2 => "cgroup v2 memory.max",
            Self::CgroupV1 => "cgroup v1 memory limit",
            Self::AddressSpace => "RLIMIT_AS",
            Self::Data => "RLIMIT_DATA",
            Self::Physical => "physical memory",
        }
    }
}

/// A limit, and who set it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MemoryLimit {
    pub(crate) bytes: u64,
    pub(crate) origin: Origin,
}

impl MemoryLimit {
    /// So many hundredths of it, rounded down.
    pub(crate) fn percent(self, percent: u8) -> usize {
        let bytes = u128::from(self.bytes) * u128::from(percent) / 100;
        usize::try_from(bytes).unwrap_or(usize::MAX).min(crate::bytes::SIZE_MAX)
    }
}

/// The least of what was considered; of equal limits the first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Least(Option<MemoryLimit>);

impl Least {
    pub(super) fn get(self) -> Option<MemoryLimit> {
        self.0
    }
}

impl Seen for Least {
    fn limit(&mut self, bytes: Option<u64>, origin: Origin, _: At<'_>) {
        if let Some(bytes) = bytes
            && self.0.is_none_or(|least| bytes < least.bytes)
        {
            self.0 = Some(MemoryLimit { bytes, origin });
        }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// `None` if nothing says anything.
    pub(super) limit: Option<MemoryLimit>,
    /// Whether there may be a lower limit in a control group that could not be read.
    pub(super) doubtful: bool,
}

/// Looks for the memory limit. `root` is put before the paths of all files.
pub(super) fn find(root: &[u8]) -> Found {
    let mut least = Least::default();
    let complete = each(root, &mut least);
    Found { limit: least.get(), doubtful: !complete }
}

/// Tells `seen` of all that could be a limit; says whether all of it could be read.
pub(crate) fn each(root: &[u8], seen: &mut dyn Seen) -> bool {
    let complete = cgroup::limits(root, seen).is_ok();
    let system = [
        (limits::soft_limit(Resource::AddressSpace), Origin::AddressSpace),
        (limits::soft_limit(Resource::Data), Origin::Data),
        (limits::physical_memory(), Origin::Physical),
    ];
    for (bytes, origin) in system {
        seen.limit(bytes, origin, At::default());
    }
    complete
}

#[cfg(test)]
mod tests;
