//! This machine: real limits on real children.
//!
//! Layer 3.  Plane: control.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::config::tests::Folder;

const CHILD: &str = "config::memory::tests::child_says_what_it_finds";

/// What a child says that is started by `shell`, in which `"$@"` is the child.
fn child_under(shell: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-ec", shell, "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", CHILD, "--ignored", "--nocapture", "--test-threads=1"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.split_once("FOUND ").and_then(|(_, rest)| rest.split_once(" DNUOF"));
    found.map(|(found, _)| found.to_owned()).unwrap_or_else(|| panic!("{output:?}"))
}

fn says(bytes: u64, origin: Origin) -> String {
    format!("{:?}", Some(MemoryLimit { bytes, origin }))
}

#[test]
#[ignore = "the child of the tests below"]
fn child_says_what_it_finds() {
    println!("FOUND {:?} DNUOF", find(b"").limit);
}

#[test]
fn rlimits_count() {
    let bytes = 512 << 20;
    assert_eq!(child_under("ulimit -v 524288; \"$@\""), says(bytes, Origin::AddressSpace));
    assert_eq!(child_under("ulimit -d 524288; \"$@\""), says(bytes, Origin::Data));
    let both = "ulimit -v 1048576; ulimit -d 524288; \"$@\"";
    assert_eq!(child_under(both), says(bytes, Origin::Data));
    let soft = "ulimit -Sv 524288; \"$@\"";
    assert_eq!(child_under(soft), says(bytes, Origin::AddressSpace));
}

#[test]
fn without_proc_the_rest_counts() {
    let folder = Folder::new();
    let found = find(folder.root());
    assert!(found.doubtful);
    assert!(found.limit.unwrap().bytes <= limits::physical_memory().unwrap());
}

#[test]
fn parts() {
    let limit = |bytes| MemoryLimit { bytes, origin: Origin::Physical };
    assert_eq!(limit(1000).percent(80), 800);
    assert_eq!(limit(99).percent(1), 0);
    assert_eq!(limit(101).percent(99), 99);
    assert_eq!(limit(1 << 40).percent(100), 1 << 40);
    assert_eq!(limit(u64::MAX).percent(100), crate::bytes::SIZE_MAX);
}

/// Two groups, one in the other, below ours; gone with this value.
struct Groups {
    outer: PathBuf,
    inner: PathBuf,
    limit: &'static str,
    origin: Origin,
}

impl Groups {
    /// Where the memory controller is, and we may make groups in it.
    fn new(name: &str) -> Option<Self> {
        let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let path_of = |controller: &str| {
            let line = own.lines().find(|line| line.split(':').nth(1) == Some(controller))?;
            line.splitn(3, ':').nth(2)
        };
        let (base, limit, origin) = match path_of("memory") {
            Some(path) => {
                let base = format!("/sys/fs/cgroup/memory{path}");
                (base, "memory.limit_in_bytes", Origin::CgroupV1)
            }
            None => {
                let base = format!("/sys/fs/cgroup{}", path_of("")?);
                (base, "memory.max", Origin::CgroupV2)
            }
        };
        let outer = PathBuf::from(base).join(format!("failfast-{name}-{}", std::process::id()));
        let inner = outer.join("inner");
        std::fs::create_dir(&outer).ok()?;
        let groups = Self { outer, inner, limit, origin };
        // Version 2 hands controllers down only where it is told to.
        let _ = std::fs::write(groups.outer.join("cgroup.subtree_control"), "+memory");
        std::fs::create_dir(&groups.inner).ok()?;
        [&groups.outer, &groups.inner]
            .iter()
            .all(|group| group.join(limit).exists())
            .then_some(groups)
    }

    fn set(&self, group: &Path, bytes: &str) {
        std::fs::write(group.join(self.limit), bytes).unwrap();
    }

    fn child(&self, more: &str) -> String {
        let procs = self.inner.join("cgroup.procs");
        child_under(&format!("echo $$ > '{}'; {more} \"$@\"", procs.display()))
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.inner);
        let _ = std::fs::remove_dir(&self.outer);
    }
}

#[test]
fn real_groups_count() {
    let Some(groups) = Groups::new("limits") else {
        return eprintln!("SKIPPED: no groups with a memory controller can be made here");
    };
    let mib = 1 << 20;
    groups.set(&groups.inner, "268435456");
    assert_eq!(groups.child(""), says(256 * mib, groups.origin), "its own");
    groups.set(&groups.outer, "134217728");
    assert_eq!(groups.child(""), says(128 * mib, groups.origin), "the one above");
    let inner_none = if groups.origin == Origin::CgroupV1 { "-1" } else { "max" };
    groups.set(&groups.inner, inner_none);
    assert_eq!(groups.child(""), says(128 * mib, groups.origin), "only the one above has one");
    let less = says(64 * mib, Origin::Data);
    assert_eq!(groups.child("ulimit -d 65536;"), less, "the least of all");
}
