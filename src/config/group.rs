//! The control group whose figures a report gives.
//!
//! Layer 3.  Plane: failure.
//!
//! Of the groups that this process is in, the nearest that has a limit: most often a container's.
//! Its two files are opened at start, since while dying no descriptor may be left, and no walk is
//! wanted; where no group has a limit nothing is kept open.
//!
//! A process may be moved to another group later, or be forked into one: then the files tell of
//! others' memory, and are not read.

use super::cgroup::{self, LINE_MAX, Version, membership, number};
use super::memory::Origin;
use super::seen::{At, Seen};
use super::text::Lines;
use crate::sys::file::{self, File, Open, Stat};

/// The group.
#[derive(Debug)]
pub(crate) struct Group {
    current: Watched,
    limit: Watched,
    /// Tells whether the process still is in the groups that it was in at start.
    groups: u64,
}

/// A file, and what it was when it was opened.
#[derive(Debug)]
struct Watched {
    file: File,
    was: Stat,
}

/// Looks for it. `root` is put before all paths. `None` if no group has a limit that can be seen.
pub(super) fn find(root: &[u8]) -> Option<Group> {
    let mut nearest = Nearest(None);
    // What could not be read has no figures.
    let _ = cgroup::limits(root, &mut nearest);
    let (current, limit) = nearest.0?;
    Some(Group { current, limit, groups: groups(root)? })
}

struct Nearest(Option<(Watched, Watched)>);

impl Seen for Nearest {
    fn limit(&mut self, bytes: Option<u64>, origin: Origin, at: At<'_>) {
        // The walk goes down: whoever comes last is the nearest.
        let (Some(_), Some(folder)) = (bytes, at.folder) else { return };
        let (current, limit) = match origin {
            Origin::CgroupV1 => (c"memory.usage_in_bytes", c"memory.limit_in_bytes"),
            _ => (c"memory.current", c"memory.max"),
        };
        let both = Watched::open(folder, current).zip(Watched::open(folder, limit));
        if both.is_some() {
            self.0 = both;
        }
    }
}

impl Watched {
    fn open(folder: &File, name: &core::ffi::CStr) -> Option<Self> {
        let file = folder.open_at(name, Open::Read).ok()?;
        let was = file::stat(file.fd()).ok()?;
        Some(Self { file, was })
    }

    /// The number in it, if the descriptor still is this file.
    fn read(&self) -> Option<u64> {
        if file::stat(self.file.fd()) != Ok(self.was) {
            return None;
        }
        let mut buf = [0; 32];
        let text = self.file.rewound().ok()?.read_into(&mut buf).ok()?;
        number(text.strip_suffix(b"\n").unwrap_or(text))
    }
}

impl Group {
    /// What it uses, and may use, in bytes; `u64::MAX` where the limit was taken away since.
    /// `None` if the process has left it.
    pub(crate) fn figures(&self) -> Option<(u64, u64)> {
        self.figures_in(b"")
    }

    fn figures_in(&self, root: &[u8]) -> Option<(u64, u64)> {
        let figures = (self.current.read()?, self.limit.read()?);
        (groups(root)? == self.groups).then_some(figures)
    }
}

/// A number for the groups that the process is in, of the hierarchies that can limit memory
/// (FNV-1a).
fn groups(root: &[u8]) -> Option<u64> {
    let mut lines = Lines::<LINE_MAX>::new(cgroup::open(root, b"/proc/self/cgroup")?);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    while let Some(line) = lines.next() {
        let Some((version, path)) = membership(line) else { continue };
        add(u8::from(version == Version::V1));
        path.iter().copied().for_each(&mut add);
        add(0);
    }
    (!lines.incomplete()).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::Folder;

    const MOUNTS: &str = "\
30 22 0:26 / /v2 rw - cgroup2 cgroup2 rw
35 31 0:32 / /v1 rw - cgroup cgroup rw,memory
";

    fn machine(groups: &str) -> Folder {
        let folder = Folder::new();
        folder.file("/proc/self/cgroup", groups);
        folder.file("/proc/self/mountinfo", MOUNTS);
        folder
    }

    fn figures(folder: &Folder) -> Option<(u64, u64)> {
        find(folder.root()).and_then(|group| group.figures_in(folder.root()))
    }

    #[test]
    fn the_nearest_group_with_a_limit_counts() {
        let folder = machine("0::/a/b/c\n");
        let groups = [("a", "100", "50"), ("a/b", "200", "40"), ("a/b/c", "max", "30")];
        for (group, limit, current) in groups {
            folder.file(&format!("/v2/{group}/memory.max"), format!("{limit}\n"));
            folder.file(&format!("/v2/{group}/memory.current"), format!("{current}\n"));
        }
        assert_eq!(figures(&folder), Some((40, 200)));
        folder.file("/v2/a/b/c/memory.max", "1\n");
        assert_eq!(figures(&folder), Some((30, 1)));
    }

    #[test]
    fn version_1_has_other_names() {
        let folder = machine("5:memory:/a\n0::/\n");
        folder.file("/v1/memory.limit_in_bytes", "9223372036854771712\n");
        folder.file("/v1/a/memory.limit_in_bytes", "4096\n");
        assert_eq!(figures(&folder), None);
        folder.file("/v1/a/memory.usage_in_bytes", "1024\n");
        assert_eq!(figures(&folder), Some((1024, 4096)));
    }

    #[test]
    fn without_a_limit_nothing_is_kept_open() {
        let folder = machine("0::/a\n");
        folder.file("/v2/a/memory.max", "max\n");
        folder.file("/v2/a/memory.current", "7\n");
        assert!(find(folder.root()).is_none());
    }

    #[test]
    fn figures_are_read_when_they_are_asked_for() {
        let folder = machine("0::/a\n");
        folder.file("/v2/a/memory.max", "100\n");
        folder.file("/v2/a/memory.current", "7\n");
        let group = find(folder.root()).unwrap();
        assert_eq!(group.figures_in(folder.root()), Some((7, 100)));
        folder.file("/v2/a/memory.max", "max\n");
        folder.file("/v2/a/memory.current", "8\n");
        assert_eq!(group.figures_in(folder.root()), Some((8, u64::MAX)));
        folder.file("/v2/a/memory.current", "nonsense\n");
        assert_eq!(group.figures_in(folder.root()), None);
    }

    #[test]
    fn figures_of_a_group_that_was_left_are_not_given() {
        let folder = machine("0::/a\n7:cpu:/x\n");
        folder.file("/v2/a/memory.max", "100\n");
        folder.file("/v2/a/memory.current", "7\n");
        let group = find(folder.root()).unwrap();
        folder.file("/proc/self/cgroup", "0::/a\n7:cpu:/y\n");
        assert_eq!(group.figures_in(folder.root()), Some((7, 100)));
        folder.file("/proc/self/cgroup", "0::/b\n7:cpu:/x\n");
        assert_eq!(group.figures_in(folder.root()), None);
    }

    #[test]
    fn a_descriptor_that_others_have_taken_is_not_read() {
        let folder = machine("0::/a\n");
        folder.file("/v2/a/memory.max", "100\n");
        folder.file("/v2/a/memory.current", "7\n");
        folder.file("/other", "9\n");
        let mut group = find(folder.root()).unwrap();
        group.current.file = File::open(&folder.c_path("/other"), Open::Read).unwrap();
        assert_eq!(group.figures_in(folder.root()), None);
    }
}
