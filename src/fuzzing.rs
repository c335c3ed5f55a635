//! What the fuzzers reach into.
//!
//! Layer 6.  Plane: control.
//!
//! It exists only in builds of `cargo fuzz` and is no part of the crate's interface. Everything is
//! told in types of `std`, so that the inner ones can stay inside.

use std::time::Duration;
use std::vec::Vec;

use crate::bytes::{self, Wrong};
use crate::config::{
    self, Below, Config, Limit, ReportSink, Settings, Source, Version, World, resolve,
};

pub use crate::ledger::oracle::play;
pub use crate::record::fuzz::damaged_record;
pub use crate::report::fuzz::report_roundtrip;

fn letter(wrong: Wrong) -> char {
    match wrong {
        Wrong::Empty => 'e',
        Wrong::Malformed => 'm',
        Wrong::Zero => '0',
        Wrong::TooLarge => '>',
    }
}

/// A size; or `e`mpty, `m`alformed, `0` or too large, `>`.
pub fn size(text: &[u8]) -> Result<usize, char> {
    bytes::size(text).map_err(letter)
}

/// A percentage, likewise.
pub fn percent(text: &[u8]) -> Result<u8, char> {
    bytes::percent(text).map_err(letter)
}

/// A duration, likewise.
pub fn duration(text: &[u8]) -> Result<Duration, char> {
    bytes::duration(text).map_err(letter)
}

/// The known name that `name` was meant to be.
pub fn near(name: &[u8]) -> Option<&'static str> {
    config::near(name)
}

/// The version, 1 or 2, and the path in a line of `/proc/self/cgroup`.
pub fn membership(line: &[u8]) -> Option<(u8, &[u8])> {
    config::membership(line).map(|(version, path)| (number(version), path))
}

/// The version, the root and the mount point in a line of `/proc/self/mountinfo`.
pub fn mount(line: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    config::mount(line).map(|mount| (number(mount.version), mount.root, mount.point))
}

fn number(version: Version) -> u8 {
    match version {
        Version::V1 => 1,
        Version::V2 => 2,
    }
}

/// Where the group `path` is below the group `root`: so far, somewhere, or (`None`) not at all.
pub fn below<'a>(root: &[u8], path: &'a [u8]) -> Option<Option<&'a [u8]>> {
    match config::below(root, path) {
        Below::Rest(rest) => Some(Some(rest)),
        Below::Hidden => Some(None),
        Below::Elsewhere => None,
    }
}

/// What comes of an environment.
pub struct Resolved {
    /// Whether nothing was wrong.
    pub well: bool,
    /// What was said.
    pub lines: Vec<Vec<u8>>,
    /// The settings.
    settings: Settings,
}

/// Resolves `entries` for a program that asks for nothing in code, on the machine whose files of
/// the kernel are below `root`.
pub fn environment(entries: &[&[u8]], root: &[u8]) -> Resolved {
    let (mut settings, mut lines) = (Settings::new(), Vec::new());
    let world = World { environment: entries.iter().copied(), secure: false, root };
    let result =
        resolve(&Config::new(), world, &mut settings, &mut |line| lines.push(line.to_vec()));
    Resolved { well: result.is_ok(), lines, settings }
}

impl Resolved {
    /// The budget of the process, `usize::MAX` for none.
    pub fn budget_bytes(&self) -> usize {
        self.settings.budget_bytes
    }

    /// The folder of a report that goes to a file: open, and the caller's to close.
    pub fn report_folder(&self) -> Option<i32> {
        match &self.settings.report {
            ReportSink::File(file) => Some(file.folder),
            _ => None,
        }
    }

    /// The budget of a cluster.
    pub fn cluster_budget(&self, name: &str) -> Option<Limit> {
        let (limit, source) = self.settings.cluster_budgets.get(name)?;
        assert_eq!(source, Source::Environment);
        Some(limit)
    }
}
