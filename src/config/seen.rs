//! Who is told of memory limits, and where each of them stands.
//!
//! Layer 3.  Plane: data.

use super::memory::Origin;
use crate::sys::file::File;

/// Who is told of limits, from the top of each hierarchy down.
pub(crate) trait Seen {
    /// Here a limit could stand; `None` if there is none in it.
    fn limit(&mut self, bytes: Option<u64>, origin: Origin, at: At<'_>);
}

/// Where a limit stands: a file in the folder that is `depth` parts of `rest` below `point`. All of
/// it is empty for what is no file's.
#[derive(Clone, Copy, Default)]
#[cfg_attr(
    not(feature = "supervise"),
    allow(dead_code, reason = "where a limit stands is told by the command line alone")
)]
pub(crate) struct At<'a> {
    /// The folder of the group that has the limit; none for a limit of one above it that cannot be
    /// seen.
    pub(super) folder: Option<&'a File>,
    pub(crate) point: &'a [u8],
    pub(super) rest: &'a [u8],
    pub(super) depth: usize,
    pub(crate) file: &'static str,
}

#[cfg(feature = "supervise")]
impl<'a> At<'a> {
    /// The folders from `point` down to the file.
    pub(crate) fn folders(self) -> impl Iterator<Item = &'a [u8]> {
        super::cgroup::way::parts(self.rest).take(self.depth)
    }
}
