//! The memory control group that this process is in, as a folder.
//!
//! Layer 3.  Plane: control.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::cgroup::{Below, Version, below, membership, mount, unescape};
use super::text::Text;

/// A group whose members' memory is accounted for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Own {
    pub(crate) is_v2: bool,
    pub(crate) folder: PathBuf,
}

/// Where our own group is. `None` where there are none, or ours cannot be seen.
pub(crate) fn own() -> Option<Own> {
    let own = fs::read("/proc/self/cgroup").ok()?;
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    // A hierarchy of version 1 with the controller takes it away from the other.
    [Version::V1, Version::V2].into_iter().find_map(|version| find(version, &own, &mounts))
}

fn find(version: Version, own: &[u8], mounts: &[u8]) -> Option<Own> {
    let mut memberships = lines(own).filter_map(membership);
    let (_, path) = memberships.find(|(of, _)| *of == version)?;
    lines(mounts).filter_map(mount).filter(|mount| mount.version == version).find_map(|mount| {
        let (mut root, mut point) = (Text::new(), Text::new());
        unescape(mount.root, &mut root).ok()?;
        let Below::Rest(rest) = below(root.bytes(), path) else { return None };
        unescape(mount.point, &mut point).ok()?;
        let mut folder = PathBuf::from(OsStr::from_bytes(point.bytes()));
        let rest = rest.iter().position(|byte| *byte != b'/').and_then(|at| rest.get(at..));
        folder.extend(rest.map(OsStr::from_bytes));
        folder.is_dir().then_some(Own { is_v2: version == Version::V2, folder })
    })
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_below_its_mount() {
        let here = std::env::temp_dir();
        let here = here.to_str().unwrap();
        let mounts = format!("35 31 0:32 / {here} rw - cgroup cgroup rw,memory\n");
        let found = find(Version::V1, b"4:memory:/\n0::/\n", mounts.as_bytes());
        assert_eq!(found, Some(Own { is_v2: false, folder: here.into() }));
        assert_eq!(find(Version::V2, b"4:memory:/\n0::/\n", mounts.as_bytes()), None);
        assert_eq!(find(Version::V1, b"4:memory:/no/such\n", mounts.as_bytes()), None);
        assert_eq!(find(Version::V1, b"4:cpu:/\n", mounts.as_bytes()), None);
    }
}
