//! Made-up machines: what the kernel writes in all the places where limits can hide.
//!
//! Layer 3.  Plane: control.

use super::*;
use crate::config::memory::Least;
use crate::config::tests::Folder;

/// What is found under `folder`, and whether all could be read.
fn found(folder: &Folder) -> (Option<(u64, Origin)>, bool) {
    let mut least = Least::default();
    let complete = limits(folder.root(), &mut least).is_ok();
    (least.get().map(|limit| (limit.bytes, limit.origin)), complete)
}

/// A machine with these lines in its two files.
fn machine(groups: &str, mounts: &str) -> Folder {
    let folder = Folder::new();
    folder.file("/proc/self/cgroup", groups);
    folder.file("/proc/self/mountinfo", mounts);
    folder
}

const V2: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate
";
const V1: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

#[test]
fn v2_own_group() {
    let folder = machine("0::/app\n", V2);
    folder.file("/sys/fs/cgroup/app/memory.max", "1048576\n");
    assert_eq!(found(&folder), (Some((1 << 20, Origin::CgroupV2)), true));
}

#[test]
fn v2_the_least_of_all_ancestors_counts() {
    let folder = machine("0::/a/b/c\n", V2);
    for (limits, least) in [
        (["max", "max", "300"], Some(300)),
        (["max", "200", "max"], Some(200)),
        (["100", "max", "max"], Some(100)),
        (["100", "200", "300"], Some(100)),
        (["300", "100", "200"], Some(100)),
        (["0", "1", "2"], Some(0)),
        (["max", "max", "max"], None),
    ] {
        for (group, limit) in ["a", "a/b", "a/b/c"].into_iter().zip(limits) {
            folder.file(&format!("/sys/fs/cgroup/{group}/memory.max"), format!("{limit}\n"));
        }
        // A neighbour's limit is not ours.
        folder.file("/sys/fs/cgroup/a/neighbour/memory.max", "1\n");
        let least = least.map(|bytes| (bytes, Origin::CgroupV2));
        assert_eq!(found(&folder), (least, true), "{limits:?}");
    }
}

#[test]
fn v2_a_group_may_lack_the_controller() {
    let folder = machine("0::/a/b\n", V2);
    folder.file("/sys/fs/cgroup/a/memory.max", "100\n");
    folder.file("/sys/fs/cgroup/a/b/cgroup.procs", "1\n");
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), true));
}

#[test]
fn v2_in_a_namespace_the_mount_itself_has_the_limit() {
    let folder = machine("0::/\n", V2);
    folder.file("/sys/fs/cgroup/memory.max", "100\n");
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), true));
}

#[test]
fn v2_a_mount_of_a_part() {
    let mounts = "30 22 0:26 /pods/7 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    let folder = machine("0::/pods/7/web\n", mounts);
    folder.file("/sys/fs/cgroup/memory.max", "max\n");
    folder.file("/sys/fs/cgroup/web/memory.max", "100\n");
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), true));
}

#[test]
fn v2_another_part_says_nothing_about_us() {
    for (group, mounted) in [
        ("/pods/7", "/pods/8"),
        ("/pods/7", "/pods/77"),
        ("/pods/77", "/pods/7"),
        ("/pods", "/pods/7"),
        ("/", "/pods"),
        ("/../8", "/"),
        ("/..", "/"),
        ("/", "/../8"),
        ("/../9", "/../8"),
        ("/../../9", "/.."),
    ] {
        let mounts = format!("30 22 0:26 {mounted} /mnt rw - cgroup2 cgroup rw\n");
        let folder = machine(&format!("0::{group}\n"), &mounts);
        folder.file("/mnt/memory.max", "100\n");
        assert_eq!(found(&folder), (None, false), "{group} {mounted}");
    }
}

#[test]
fn v2_above_the_namespace() {
    // Mounted outside the namespace: an ancestor of ours, but the way down is hidden.
    for mounted in ["/..", "/../.."] {
        let mounts = format!("30 22 0:26 {mounted} /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
        let folder = machine("0::/\n", &mounts);
        folder.file("/sys/fs/cgroup/memory.max", "100\n");
        folder.file("/sys/fs/cgroup/pods/memory.max", "50\n");
        assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), false), "{mounted}");
    }
    // Both told from above.
    let folder = machine("0::/../a/b\n", "30 22 0:26 /.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
    folder.file("/sys/fs/cgroup/a/memory.max", "100\n");
    folder.file("/sys/fs/cgroup/a/b/memory.max", "max\n");
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), true));
}

#[test]
fn v2_several_mounts() {
    let mounts = "\
30 22 0:26 /other /a rw - cgroup2 cgroup rw
31 22 0:26 /hidden/behind /gone rw - cgroup2 cgroup rw
32 22 0:26 / /b rw - cgroup2 cgroup rw
33 22 0:26 /pods /c rw - cgroup2 cgroup rw
";
    let folder = machine("0::/pods/7\n", mounts);
    folder.file("/a/memory.max", "1\n");
    folder.file("/b/pods/7/memory.max", "300\n");
    folder.file("/c/memory.max", "200\n");
    folder.file("/c/7/memory.max", "300\n");
    assert_eq!(found(&folder), (Some((200, Origin::CgroupV2)), true));
}

#[test]
fn v1_every_ancestor() {
    let folder = machine("5:cpu,cpuacct:/x\n4:memory:/a/b\n1:name=systemd:/y\n0::/z\n", V1);
    let file = |group: &str, limit: &str| {
        folder.file(&format!("/sys/fs/cgroup/memory/{group}/memory.limit_in_bytes"), limit);
    };
    file("", "9223372036854771712\n");
    file("a", "200\n");
    file("a/b", "9223372036854771712\n");
    assert_eq!(found(&folder), (Some((200, Origin::CgroupV1)), true));
    file("a", "9223372036854771712\n");
    assert_eq!(found(&folder), (None, true), "a huge number is none");
    file("a", "9223372036854710272\n");
    assert_eq!(found(&folder), (None, true), "nor with pages of 64 KiB");
}

#[test]
fn v1_hierarchical_limit_of_hidden_ancestors() {
    let mounts = "35 31 0:32 /docker/7 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    let folder = machine("4:memory:/docker/7\n", mounts);
    folder.file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    let stat = "cache 0\nrss 4096\nhierarchical_memory_limit 300\nhierarchical_memsw_limit 200\n";
    folder.file("/sys/fs/cgroup/memory/memory.stat", stat);
    assert_eq!(found(&folder), (Some((300, Origin::CgroupV1)), true));
}

#[test]
fn hybrid() {
    // The memory controller is in version 1; version 2 is there, without it.
    let folder = machine("4:memory:/a\n0::/b\n", V1);
    folder.file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "100\n");
    folder.file("/sys/fs/cgroup/unified/b/cgroup.procs", "");
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV1)), true));
    // A mount of other controllers is none of memory, whatever is in it.
    let mounts = "33 31 0:30 / /cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n";
    let folder = machine("4:memory:/a\n5:cpu,cpuacct:/a\n", mounts);
    folder.file("/cpu/a/memory.limit_in_bytes", "100\n");
    assert_eq!(found(&folder), (None, false));
    // The other way round: version 1 for others, and memory in version 2.
    let mounts = "\
33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    let folder = machine("4:cpu,cpuacct:/a\n0::/b\n", mounts);
    folder.file("/sys/fs/cgroup/unified/b/memory.max", "100\n");
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), true));
}

#[test]
fn escaped_mount_points_and_groups() {
    let mounts = "30 22 0:26 /a\\040b /mnt/x\\040y\\134z rw - cgroup2 cgroup2 rw\n";
    let folder = machine("0::/a b/c:d\n", mounts);
    folder.file("/mnt/x y\\z/c:d/memory.max", "100\n");
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), true));
}

#[test]
fn what_cannot_be_read_is_doubtful() {
    // No group of ours under the mount: removed, or hidden. What is above still counts.
    let folder = machine("0::/a/b (deleted)\n", V2);
    folder.file("/sys/fs/cgroup/a/memory.max", "100\n");
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), false));
    // No mount at all.
    assert_eq!(found(&machine("0::/a\n", "")), (None, false));
    // Nothing at all.
    assert_eq!(found(&Folder::new()), (None, false));
    // A kernel without groups is not doubtful.
    let folder = Folder::new();
    folder.file("/proc/self/mountinfo", V2);
    assert_eq!(found(&folder), (None, true));
    // A folder where a file should be.
    let folder = machine("0::/\n", V2);
    folder.file("/sys/fs/cgroup/memory.max/x", "");
    assert_eq!(found(&folder), (None, false));
}

#[test]
fn garbage_in_limits_is_doubtful_and_limits_nothing() {
    for garbage in ["", "\n", "-1\n", "12x\n", "max max\n", "0x10\n", " 1\n", "1\n2\n", "1.5\n"] {
        let folder = machine("0::/a\n", V2);
        folder.file("/sys/fs/cgroup/memory.max", garbage);
        folder.file("/sys/fs/cgroup/a/memory.max", "max\n");
        assert_eq!(found(&folder), (None, false), "{garbage:?}");
    }
    let folder = machine("0::/a\n", V2);
    folder.file("/sys/fs/cgroup/memory.max", "1".repeat(5000));
    folder.file("/sys/fs/cgroup/a/memory.max", "99999999999999999999999999999");
    assert_eq!(found(&folder), (None, true), "too large for any machine");
}

#[test]
fn what_cannot_be_read_hides_no_limit_below() {
    let folder = machine("0::/a/b\n", V2);
    folder.file("/sys/fs/cgroup/memory.max", "garbage\n");
    folder.file("/sys/fs/cgroup/a/memory.max/x", "");
    folder.file("/sys/fs/cgroup/a/b/memory.max", "100\n");
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), false));
}

#[test]
fn garbage_in_proc_is_left_out() {
    let groups = "\n:\n::\n0:\n0::\n0::relative\nx:memory\n4:memory:\n\0\n0::/a\n\u{1f600}\n";
    let mounts = format!("\n-\n - \n1 2 3\n1 2 3 / /x rw\n1 2 3 / /x rw - cgroup2\n{V2}\u{1f600}");
    let folder = machine(groups, &mounts);
    folder.file("/sys/fs/cgroup/a/memory.max", "100\n");
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), true));
}

#[test]
fn very_long_lines_and_paths() {
    // 20 names of 200 letters: within what the kernel prints, together with the root before it
    // more than it takes in one call.
    let names: Vec<String> = (0..20).map(|n| format!("{n:0200}")).collect();
    let group = names.join("/");
    let overlay =
        format!("9 1 0:5 / /o rw - overlay overlay rw,lowerdir={}\n", "/l".repeat(30_000));
    let folder = machine(&format!("0::/{group}\n"), &format!("{overlay}{V2}{overlay}"));
    // Nor can the test make such a path in one call.
    let leaf = folder.path("/sys/fs/cgroup");
    std::fs::create_dir_all(&leaf).unwrap();
    let mut shell = std::process::Command::new("sh");
    shell
        .arg("-ec")
        .current_dir(&leaf)
        .args(["for name; do mkdir $name; cd -P $name; done; echo 100 > memory.max", "sh"]);
    assert!(shell.args(&names).status().unwrap().success());
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), true));
    // A line that is too long for us could be ours.
    let folder = machine(&format!("0::/{}\n", "a/".repeat(5_000)), V2);
    folder.file("/sys/fs/cgroup/memory.max", "100\n");
    assert!(!found(&folder).1);
    // A name that no folder can have.
    let folder = machine(&format!("0::/{}\n", "a".repeat(300)), V2);
    folder.file("/sys/fs/cgroup/memory.max", "100\n");
    assert_eq!(found(&folder), (Some((100, Origin::CgroupV2)), false));
}

#[test]
fn escapes() {
    for (field, text) in [
        ("/a", "/a"),
        ("/a\\040b", "/a b"),
        ("\\134", "\\"),
        ("\\377", "\u{ff}"),
        ("/1040", "/1040"),
        ("\\400", "\\400"),
        ("\\04", "\\04"),
        ("\\", "\\"),
        ("\\\\040", "\\ "),
    ] {
        let expected: Vec<u8> = text.chars().map(|c| c as u8).collect();
        let mut unescaped = Text::new();
        unescape(field.as_bytes(), &mut unescaped).unwrap();
        assert_eq!(unescaped.bytes(), expected, "{field}");
    }
    assert!(unescape(b"\\000", &mut Text::new()).is_err(), "a NUL ends paths");
}

#[test]
fn below_and_beside() {
    use Below::{Elsewhere, Hidden, Rest};
    for (root, path, expected) in [
        ("/", "/", Rest(b"/")),
        ("/", "/a/b", Rest(b"/a/b")),
        ("/a", "/a", Rest(b"")),
        ("/a", "/a/b", Rest(b"/b")),
        ("/a/", "//a///b", Rest(b"///b")),
        ("/a", "/ab", Elsewhere),
        ("/ab", "/a", Elsewhere),
        ("/..", "/", Hidden),
        ("/../..", "/..", Hidden),
        ("/../..", "/../a", Hidden),
        ("/..", "/..", Rest(b"")),
        ("/..", "/../..", Elsewhere),
        ("/../a", "/", Elsewhere),
        ("/../a", "/../b", Elsewhere),
        ("/../a", "/../a/b", Rest(b"/b")),
    ] {
        assert_eq!(below(root.as_bytes(), path.as_bytes()), expected, "{root} {path}");
    }
}
