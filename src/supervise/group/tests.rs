//! Both versions' files, in a tree that was made up: a machine has one of them.
//!
//! Layer 8.  Plane: control.

use super::*;

/// A folder of its own for one test, gone with its value.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("group-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        Self(path)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const V2: &str = "low 0\nhigh 7\nmax 31\noom 5\noom_kill 2\noom_group_kill 1\n";
const V1: &str = "oom_kill_disable 0\nunder_oom 1\noom_kill 3\n";

#[test]
fn both_versions_are_read() {
    for (is_v2, events, text, kills) in [
        (true, "memory.events", V2, Some(2)),
        (true, "memory.events", "oom 9\noom_kill 18446744073709551615", Some(u64::MAX)),
        (false, "memory.oom_control", V1, Some(3)),
        // Before Linux 4.13 nothing was counted; and other words are others.
        (true, "memory.events", "low 0\nhigh 0\nmax 0\noom 4\n", None),
        (true, "memory.events", "oom_group_kill 1\nxoom_kill 2\n", None),
        (true, "memory.events", "oom_kill many\n", None),
        (true, "memory.events", "oom_kill -1\n", None),
        (true, "memory.events", "", None),
        (false, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", None),
    ] {
        let tree = Tree::new("read", &[(events, text), ("cgroup.procs", "")]);
        let group = Group::fill(tree.0.clone(), is_v2, None);
        assert_eq!(group.ok().map(|group| group.kills()), kills.map(Some), "{text}");
    }
}

#[test]
fn a_limit_is_set() {
    for (is_v2, events, text, limit) in [
        (true, "memory.events", V2, "memory.max"),
        (false, "memory.oom_control", V1, "memory.limit_in_bytes"),
    ] {
        let tree = Tree::new("limit", &[(events, text), ("cgroup.procs", ""), (limit, "max\n")]);
        let group = Group::fill(tree.0.clone(), is_v2, Some(1 << 20)).unwrap();
        assert_eq!(tree.text(limit), "1048576");
        assert!(group.procs_fd() > 2);
    }
}

#[test]
fn version_2_kills_all_at_once() {
    let tree = Tree::new("kill", &[("memory.events", V2), ("cgroup.procs", "1\n0\nx\n")]);
    let group = Group::fill(tree.0.clone(), true, None).unwrap();
    assert_eq!(group.members(), [1, 0]);
    group.kill_all();
    assert_eq!(tree.text("cgroup.kill"), "1");
}

/// Without the controller there is no group, and nothing is left behind.
#[test]
fn no_group_without_the_controller() {
    let tree = Tree::new("none", &[]);
    for is_v2 in [false, true] {
        let error = Group::within(&tree.0, is_v2, None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
    assert_eq!(fs::read_dir(&tree.0).unwrap().count(), 0);
}

/// A supervisor that was killed has left its groups behind, and its number is ours by now.
#[test]
fn names_that_are_taken_are_passed_over() {
    let tree = Tree::new("taken", &[]);
    // ORDER: Relaxed. Other tests may take some of them meanwhile: it is the more then.
    let next = NEXT.load(Relaxed);
    for number in next..next + 64 {
        let name = format!("failfast-{}-{number}", std::process::id());
        fs::create_dir(tree.0.join(name)).unwrap();
    }
    let folder = new_folder(&tree.0).unwrap();
    assert!(folder.is_dir());
    assert_eq!(fs::read_dir(&tree.0).unwrap().count(), 65);
}
