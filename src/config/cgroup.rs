//! The memory limits of the control groups that this process is in.
//!
//! Layer 3.  Plane: data.
//!
//! The kernel holds a process to the limit of its own group and of every group above, so a file
//! that says `max` means nothing while a parent has a number. `/proc/self/cgroup` names our group,
//! `/proc/self/mountinfo` says which part of which hierarchy can be seen where; the walk then goes
//! down from a mount to our group, one folder at a time, so that no path can be too long.
//!
//! ```text
//! /proc/self/cgroup     0::/kubepods/pod7/web           our group, from the hierarchy's root
//! /proc/self/mountinfo  … /kubepods /sys/fs/cgroup …    the mount shows what is below /kubepods
//! read                  /sys/fs/cgroup/memory.max, …/pod7/memory.max, …/pod7/web/memory.max
//! ```
//!
//! In a namespace both are told from where it begins, and `/..` is above that.

use self::way::parts;
pub(crate) use self::way::{Below, below};
use super::memory::Origin;
use super::seen::{At, Seen};
use super::text::{DoesNotFit, Lines, NAME_MAX, PATH_MAX, Text};
use crate::sys::file::{Errno, File, Open};

/// What version 1 says where there is no limit is a little less than 2^63; no machine has 2^62.
const NO_LIMIT: u64 = 1 << 62;
/// A line has room for one path of full length and more.
pub(super) const LINE_MAX: usize = 2 * PATH_MAX;

/// Which kind of hierarchy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Version {
    /// One hierarchy per controller.
    V1,
    /// One for all.
    V2,
}

/// Something that could hold a limit could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Unread;

/// Tells all limits to `seen`. `root` is put before all paths.
pub(super) fn limits(root: &[u8], seen: &mut dyn Seen) -> Result<(), Unread> {
    let Some(mounts) = open(root, b"/proc/self/mountinfo") else { return Err(Unread) };
    // A kernel may have no groups; but then it has mounts.
    let Some(own) = open(root, b"/proc/self/cgroup") else { return Ok(()) };
    let mut groups = Own::NONE;
    groups.read(own)?;
    walk_mounts(root, mounts, &groups, seen)
}

pub(super) fn open(root: &[u8], path: &[u8]) -> Option<File> {
    let mut full = Text::<PATH_MAX>::new();
    full.extend(root).ok()?;
    full.extend(path).ok()?;
    File::open(full.c_str(), Open::Read).ok()
}

/// The groups we are in; empty where there is none.
struct Own {
    v1: Text<PATH_MAX>,
    v2: Text<PATH_MAX>,
}

impl Own {
    const NONE: Self = Self { v1: Text::new(), v2: Text::new() };

    #[inline(never)] // Its line needs stack only while it runs.
    fn read(&mut self, file: File) -> Result<(), Unread> {
        let mut lines = Lines::<LINE_MAX>::new(file);
        while let Some(line) = lines.next() {
            let Some((version, path)) = membership(line) else { continue };
            let known = self.group(version);
            known.clear();
            known.extend(path).map_err(|DoesNotFit| Unread)?;
        }
        if lines.incomplete() { Err(Unread) } else { Ok(()) }
    }

    fn group(&mut self, version: Version) -> &mut Text<PATH_MAX> {
        match version {
            Version::V1 => &mut self.v1,
            Version::V2 => &mut self.v2,
        }
    }

    fn path(&self, version: Version) -> Option<&[u8]> {
        let path = match version {
            Version::V1 => self.v1.bytes(),
            Version::V2 => self.v2.bytes(),
        };
        (!path.is_empty()).then_some(path)
    }
}

/// The path in a line of `/proc/self/cgroup`, if it is of a hierarchy that can limit memory.
pub(crate) fn membership(line: &[u8]) -> Option<(Version, &[u8])> {
    let mut fields = line.splitn(3, |byte| *byte == b':');
    let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    if !path.starts_with(b"/") {
        return None;
    }
    if number == b"0" && controllers.is_empty() {
        return Some((Version::V2, path));
    }
    has_word(controllers, b"memory").then_some((Version::V1, path))
}

fn has_word(list: &[u8], word: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|part| part == word)
}

/// A line of `/proc/self/mountinfo`, if it is of a hierarchy that can limit memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mount<'a> {
    pub(crate) version: Version,
    /// The group whose folder is mounted; escaped.
    pub(crate) root: &'a [u8],
    /// Where; escaped.
    pub(crate) point: &'a [u8],
}

pub(crate) fn mount(line: &[u8]) -> Option<Mount<'_>> {
    // 31 23 0:28 root point options [optional…] - type source super-options
    let mut fields = line.split(|byte| *byte == b' ').skip(3);
    let (root, point, _options) = (fields.next()?, fields.next()?, fields.next()?);
    fields.find(|field| *field == b"-")?;
    let (kind, _source, options) = (fields.next()?, fields.next()?, fields.next()?);
    let version = match kind {
        b"cgroup2" => Version::V2,
        b"cgroup" if has_word(options, b"memory") => Version::V1,
        _ => return None,
    };
    (root.starts_with(b"/") && point.starts_with(b"/")).then_some(Mount { version, root, point })
}

/// Appends `field`, without the kernel's `\040` for a space, and the like.
pub(super) fn unescape(field: &[u8], text: &mut Text<PATH_MAX>) -> Result<(), DoesNotFit> {
    let mut rest = field;
    while let [first, after @ ..] = rest {
        rest = after;
        let byte = match rest {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if *first == b'\\' => {
                rest = after;
                ((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0')
            }
            _ => *first,
        };
        text.push(byte)?;
    }
    Ok(())
}

#[inline(never)] // As `Own::read`.
fn walk_mounts(root: &[u8], mounts: File, own: &Own, seen: &mut dyn Seen) -> Result<(), Unread> {
    // With both versions mounted, version 1 has the memory controller if it names one.
    let wanted = if own.path(Version::V1).is_some() { Version::V1 } else { Version::V2 };
    let (mut reached, mut unread) = (own.path(wanted).is_none(), false);
    let mut lines = Lines::<LINE_MAX>::new(mounts);
    while let Some(line) = lines.next() {
        let Some(mount) = mount(line) else { continue };
        let Some(path) = own.path(mount.version) else { continue };
        match walk_mount(root, mount, path, seen) {
            Ok(found) => reached |= found && mount.version == wanted,
            Err(Unread) => unread = true,
        }
    }
    if reached && !unread { Ok(()) } else { Err(Unread) }
}

/// Reads what can be seen of the way to the group `path`; says whether the group itself was.
fn walk_mount(
    root: &[u8],
    mount: Mount<'_>,
    path: &[u8],
    seen: &mut dyn Seen,
) -> Result<bool, Unread> {
    let (rest, complete) = match below_mount(mount, path)? {
        Below::Rest(rest) => (rest, true),
        Below::Hidden => (&[][..], false),
        Below::Elsewhere => return Ok(false),
    };
    let mut point = Text::<PATH_MAX>::new();
    point.extend(root).map_err(|DoesNotFit| Unread)?;
    unescape(mount.point, &mut point).map_err(|DoesNotFit| Unread)?;
    // A mount that cannot be reached (hidden by another, or by a chroot) shows nothing.
    let Ok(mut folder) = File::open(point.c_str(), Open::Folder) else { return Ok(false) };
    let at = At { point: point.bytes(), rest, ..At::default() };
    // What cannot be read in one group hides no limit of those below.
    let mut all_read = read_group(&folder, mount.version, at, seen);
    let mut depth = 0;
    for part in parts(rest) {
        let Ok(name) = Text::<NAME_MAX>::of(part) else { return all_read.map(|()| false) };
        let Ok(next) = folder.open_at(name.c_str(), Open::Folder) else {
            return all_read.map(|()| false);
        };
        folder = next;
        depth += 1;
        all_read = read_group(&folder, mount.version, At { depth, ..at }, seen).and(all_read);
    }
    if mount.version == Version::V1 {
        read_hierarchical(&folder, At { depth, ..at }, seen);
    }
    all_read.map(|()| complete)
}

/// Where the group `path` is below the one that is mounted.
#[inline(never)] // As `Own::read`.
fn below_mount<'p>(mount: Mount<'_>, path: &'p [u8]) -> Result<Below<'p>, Unread> {
    let mut mounted = Text::<PATH_MAX>::new();
    unescape(mount.root, &mut mounted).map_err(|DoesNotFit| Unread)?;
    Ok(below(mounted.bytes(), path))
}

fn read_group(
    folder: &File,
    version: Version,
    at: At<'_>,
    seen: &mut dyn Seen,
) -> Result<(), Unread> {
    let (name, shown, origin) = match version {
        Version::V1 => (c"memory.limit_in_bytes", "memory.limit_in_bytes", Origin::CgroupV1),
        Version::V2 => (c"memory.max", "memory.max", Origin::CgroupV2),
    };
    let file = match folder.open_at(name, Open::Read) {
        Ok(file) => file,
        // The root of a hierarchy has none, and no group has where the controller is not enabled.
        Err(Errno::NOT_FOUND) => return Ok(()),
        Err(_) => return Err(Unread),
    };
    let mut buf = [0; 32];
    let text = file.read_into(&mut buf).map_err(|_| Unread)?;
    let bytes = number(text.strip_suffix(b"\n").unwrap_or(text)).ok_or(Unread)?;
    let at = At { folder: Some(folder), file: shown, ..at };
    seen.limit(Some(bytes).filter(|bytes| *bytes < NO_LIMIT), origin, at);
    Ok(())
}

/// Of version 1: the least limit on the whole way, also where a container hides the way.
fn read_hierarchical(folder: &File, at: At<'_>, seen: &mut dyn Seen) {
    let Ok(file) = folder.open_at(c"memory.stat", Open::Read) else { return };
    let mut lines = Lines::<128>::new(file);
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix(b"hierarchical_memory_limit ")
            && let Some(bytes) = number(text).filter(|bytes| *bytes < NO_LIMIT)
        {
            let at = At { file: "memory.stat", ..at };
            return seen.limit(Some(bytes), Origin::CgroupV1, at);
        }
    }
}

/// A limit as the kernel writes it, `max` as the greatest number.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    if text == b"max" {
        return Some(u64::MAX);
    }
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = text.iter().map(|digit| u64::from(digit.wrapping_sub(b'0')));
    Some(digits.fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(digit)))
}

#[cfg(test)]
mod tests;
pub(super) mod way;
