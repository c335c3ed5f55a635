//! A control group for one child, where one can be made.
//!
//! Layer 8.  Plane: control.
//!
//! It is the only evidence there is of the kernel's out-of-memory killer: its count of kills among
//! the members. And it finds processes that the child has left behind.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::own_group::{Own, own};
use crate::sync::{AtomicU32, Ordering::Relaxed};
use crate::sys::supervise::{pause, send_to_number};

/// Makes names that differ.
static NEXT: AtomicU32 = AtomicU32::new(0);

#[derive(Debug)]
pub(super) struct Group {
    folder: PathBuf,
    is_v2: bool,
    procs: File,
    events: File,
}

impl Group {
    /// A new group inside our own, whose members may have `memory_max` bytes.
    pub(super) fn new(memory_max: Option<u64>) -> io::Result<Self> {
        let Some(Own { is_v2, folder }) = own() else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no memory control group is seen"));
        };
        // ORDER: Relaxed. Any number that nobody else gets.
        let name = format!("failfast-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = folder.join(name);
        fs::create_dir(&folder)?;
        Self::fill(folder.clone(), is_v2, memory_max).inspect_err(|_| {
            // Nobody is in it yet.
            let _ = fs::remove_dir(&folder);
        })
    }

    fn fill(folder: PathBuf, is_v2: bool, memory_max: Option<u64>) -> io::Result<Self> {
        let events = if is_v2 { "memory.events" } else { "memory.oom_control" };
        // Version 2 has no such file where the controller was not given to us.
        let events = File::open(folder.join(events))?;
        let procs = File::options().read(true).write(true).open(folder.join("cgroup.procs"))?;
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
        self.procs.as_raw_fd()
    }

    /// How many members the kernel has killed for want of memory. Allocates nothing.
    pub(super) fn kills(&self) -> Option<u64> {
        let mut text = [0; 1024];
        let len = self.events.read_at(&mut text, 0).ok()?;
        let mut lines = text.get(..len)?.split(|byte| *byte == b'\n');
        let count = lines.find_map(|line| line.strip_prefix(b"oom_kill "))?;
        std::str::from_utf8(count).ok()?.parse().ok()
    }

    /// The same, for a member that SIGKILL has ended: the count may come a little later than the
    /// death.
    pub(super) fn kills_soon(&self) -> u64 {
        for _ in 0..3 {
            if let Some(kills @ 1..) = self.kills() {
                return kills;
            }
            pause(Duration::from_micros(100));
        }
        0
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
