//! A control group for one child, where one can be made.
//!
//! Layer 8.  Plane: control.
//!
//! It is the only evidence there is of the kernel's out-of-memory killer: its count of kills among
//! the members. And it finds processes that the child has left behind.
//!
//! The count needs no second look: the kernel counts a kill before it sends the signal (since
//! Linux 4.13: "task reaper must see this"), so whoever has seen the death sees the count. What
//! comes late, or never, is the *notice* that the file has changed.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::own_group::{Own, own};
use crate::sync::{AtomicU32, Ordering::Relaxed};
use crate::sys::supervise::{above_standard, pause, send_to_number};

/// Makes names that differ.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// So many names are tried: a supervisor of our number that was killed has left its groups behind.
const NAMES_MAX: u32 = 4096;

#[derive(Debug)]
pub(super) struct Group {
    folder: PathBuf,
    is_v2: bool,
    /// Through it the child joins; then it is closed.
    procs: Option<OwnedFd>,
    events: File,
}

impl Group {
    /// A new group inside our own, whose members may have `memory_max` bytes.
    pub(super) fn new(memory_max: Option<u64>) -> io::Result<Self> {
        let Some(Own { is_v2, folder }) = own() else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no memory control group is seen"));
        };
        Self::within(&folder, is_v2, memory_max)
    }

    fn within(own: &Path, is_v2: bool, memory_max: Option<u64>) -> io::Result<Self> {
        let folder = new_folder(own)?;
        Self::fill(folder.clone(), is_v2, memory_max).inspect_err(|_| {
            // Nobody is in it yet.
            let _ = fs::remove_dir(&folder);
        })
    }

    fn fill(folder: PathBuf, is_v2: bool, memory_max: Option<u64>) -> io::Result<Self> {
        let events = if is_v2 { "memory.events" } else { "memory.oom_control" };
        // Version 2 has no such file where the controller was not given to us.
        let events = File::open(folder.join(events))?;
        let procs = File::options().write(true).open(folder.join("cgroup.procs"))?;
        let procs = Some(above_standard(procs.into())?);
        let group = Self { folder, is_v2, procs, events };
        if group.kills().is_none() {
            return Err(io::Error::other("the kernel does not count its out-of-memory kills"));
        }
        if let Some(bytes) = memory_max {
            let file = if is_v2 { "memory.max" } else { "memory.limit_in_bytes" };
            fs::write(group.folder.join(file), bytes.to_string())?;
        }
        Ok(group)
    }

    /// The descriptor through which a process joins.
    pub(super) fn procs_fd(&self) -> i32 {
        self.procs.as_ref().map_or(-1, |procs| procs.as_raw_fd())
    }

    /// Nobody else joins but by being made by a member.
    pub(super) fn close(&mut self) {
        self.procs = None;
    }

    /// How many members the kernel has killed for want of memory. Allocates nothing.
    pub(super) fn kills(&self) -> Option<u64> {
        let mut text = [0; 1024];
        let len = self.events.read_at(&mut text, 0).ok()?;
        let mut lines = text.get(..len)?.split(|byte| *byte == b'\n');
        let count = lines.find_map(|line| line.strip_prefix(b"oom_kill "))?;
        std::str::from_utf8(count).ok()?.parse().ok()
    }

    /// Kills whoever is still a member.
    pub(super) fn kill_all(&self) {
        if self.is_v2 && fs::write(self.folder.join("cgroup.kill"), "1").is_ok() {
            return;
        }
        // Those that fork meanwhile are found by the next look.
        for _ in 0..16 {
            let members = self.members();
            if members.is_empty() {
                return;
            }
            for pid in members {
                send_to_number(pid, || self.members().contains(&pid));
            }
            pause(Duration::from_millis(1));
        }
    }

    fn members(&self) -> Vec<u32> {
        // By name: version 1 shows a list that was opened before as it was then.
        let text = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }
}

/// Makes a folder that was not there.
fn new_folder(own: &Path) -> io::Result<PathBuf> {
    let mut left = NAMES_MAX;
    loop {
        // ORDER: Relaxed. Any number that nobody else gets.
        let name = format!("failfast-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = own.join(name);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && left > 0 => left -= 1,
            result => return result.map(|()| folder),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Members that were killed are gone in a moment; those that were left are not, and then
        // the group stays with them.
        for _ in 0..20 {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    pause(Duration::from_millis(1));
                }
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
