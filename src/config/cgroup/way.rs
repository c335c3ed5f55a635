//! The way from one control group down to another.
//!
//! Layer 3.  Plane: data.

/// Where a group is, seen from the group that a mount shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Below<'a> {
    /// So far down.
    Rest(&'a [u8]),
    /// Below, but the namespace hides on which way.
    Hidden,
    /// Not below.
    Elsewhere,
}

/// Where the group `path` is below the group `root`.
pub(crate) fn below<'a>(root: &[u8], path: &'a [u8]) -> Below<'a> {
    let mut rest = path;
    let mut above = parts(root);
    let differs = above.by_ref().find(|part| {
        let (next, after) = split_part(rest);
        let same = next == *part;
        if same {
            rest = after;
        }
        !same
    });
    let leads_up = split_part(rest).0 == b"..";
    match differs {
        None if leads_up => Below::Elsewhere,
        None => Below::Rest(rest),
        Some(b"..") if above.all(|part| part == b"..") => Below::Hidden,
        Some(_) => Below::Elsewhere,
    }
}

pub(in crate::config) fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty())
}

/// The first part of a path, and what follows it; empty at the end.
fn split_part(path: &[u8]) -> (&[u8], &[u8]) {
    let start = path.iter().take_while(|byte| **byte == b'/').count();
    let path = path.get(start..).unwrap_or(&[]);
    let len = path.iter().take_while(|byte| **byte != b'/').count();
    path.split_at_checked(len).unwrap_or((path, &[]))
}
