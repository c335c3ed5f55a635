//! The kernel's files on groups and mounts: each line against a naive reading, and the whole as
//! files of a made-up machine, on which the search must end and find no more than there is.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use failfast_alloc::fuzzing;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    groups: Vec<Piece<'a>>,
    mounts: Vec<Piece<'a>>,
    limit: Vec<Piece<'a>>,
    root: Vec<Piece<'a>>,
    path: Vec<Piece<'a>>,
}

/// What the kernel writes, and what it does not.
#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    Known(u8),
    Other(&'a str),
}

const PIECES: [&str; 26] = [
    "0::",
    "4:memory:",
    "5:cpu,memory:",
    "/",
    "/a",
    "/b",
    "/..",
    "\n",
    " ",
    ",",
    ":",
    "-",
    "max",
    "4096",
    "cgroup",
    "cgroup2",
    "memory",
    "rw",
    "30 22 0:26 / /m rw - cgroup2 cgroup rw\n",
    "30 22 0:26 /a /m/a rw shared:1 - cgroup none rw,memory\n",
    "30 22 0:26 ",
    " /m",
    "\\040",
    " rw - ",
    " - cgroup2 cgroup2 rw",
    "0::/a/b\n",
];

fn text(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Known(index) => PIECES[usize::from(*index) % PIECES.len()].to_owned(),
        Piece::Other(text) => (*text).to_owned(),
    };
    pieces.iter().map(piece).collect()
}

fn membership(line: &[u8]) -> Option<(u8, &[u8])> {
    let first = line.iter().position(|byte| *byte == b':')?;
    let second = first + 1 + line[first + 1..].iter().position(|byte| *byte == b':')?;
    let (number, controllers, path) =
        (&line[..first], &line[first + 1..second], &line[second + 1..]);
    let memory = [b",", controllers, b","].concat().windows(8).any(|word| word == b",memory,");
    match path.first() {
        Some(b'/') if number == b"0" && controllers.is_empty() => Some((2, path)),
        Some(b'/') if memory => Some((1, path)),
        _ => None,
    }
}

fn mount(line: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = 6 + fields.get(6..)?.iter().position(|field| *field == b"-")?;
    let (kind, options) = (*fields.get(dash + 1)?, *fields.get(dash + 3)?);
    let memory = [b",", options, b","].concat().windows(8).any(|word| word == b",memory,");
    let version = match kind {
        b"cgroup2" => 2,
        b"cgroup" if memory => 1,
        _ => return None,
    };
    (fields[3].first() == Some(&b'/') && fields[4].first() == Some(&b'/'))
        .then_some((version, fields[3], fields[4]))
}

/// The parts below, `None` in the middle for a way that is hidden.
fn below<'a>(root: &str, path: &'a str) -> Option<Option<Vec<&'a str>>> {
    let parts = |path: &'a str| path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let root: Vec<&str> = root.split('/').filter(|part| !part.is_empty()).collect();
    let path = parts(path);
    let common = root.iter().zip(&path).take_while(|(a, b)| a == b).count();
    let (up, down) = (&root[common..], &path[common..]);
    match down.first() {
        Some(&"..") => None,
        _ if up.is_empty() => Some(Some(down.to_vec())),
        _ => up.iter().all(|part| *part == "..").then_some(None),
    }
}

/// A made-up machine, in memory where that is possible.
static MACHINE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let path = base.join(format!("failfast-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(path.join("proc/self")).unwrap();
    std::fs::create_dir_all(path.join("m/a/b")).unwrap();
    path
});

fuzz_target!(|input: Input| {
    let (groups, mounts, limit) = (text(&input.groups), text(&input.mounts), text(&input.limit));
    let (root, path) = (text(&input.root), text(&input.path));
    for line in groups.lines().map(str::as_bytes) {
        assert_eq!(fuzzing::membership(line), membership(line));
    }
    for line in mounts.lines().map(str::as_bytes) {
        assert_eq!(fuzzing::mount(line), mount(line));
    }
    let parts = fuzzing::below(root.as_bytes(), path.as_bytes()).map(|rest| {
        rest.map(|rest| {
            let parts = str::from_utf8(rest).unwrap().split('/');
            parts.filter(|part| !part.is_empty()).collect::<Vec<_>>()
        })
    });
    assert_eq!(parts, below(&root, &path));

    let machine = &*MACHINE;
    std::fs::write(machine.join("proc/self/cgroup"), groups).unwrap();
    std::fs::write(machine.join("proc/self/mountinfo"), mounts).unwrap();
    std::fs::write(machine.join("m/a/memory.max"), &limit).unwrap();
    std::fs::write(machine.join("m/a/b/memory.limit_in_bytes"), &limit).unwrap();
    let root = machine.as_os_str().as_encoded_bytes();
    let resolved = fuzzing::environment(&[b"FAILFAST_BUDGET=100%"], root);
    let without = fuzzing::environment(&[b"FAILFAST_BUDGET=100%"], b"/nowhere");
    assert!(!resolved.well || resolved.budget_bytes() <= without.budget_bytes());
});
