//! What a log shipper reads: a file that is followed, through rotation and truncation.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::server::{self, SERVER};

/// Follows a file by its name, as shippers do: to the end of the file that it has open, then
/// whatever has its name by then; from the start again if a file has become shorter.
struct Tail {
    path: PathBuf,
    open: Option<(File, u64)>,
    partial: Vec<u8>,
}

impl Tail {
    fn new(path: &Path) -> Self {
        Self { path: path.into(), open: None, partial: Vec::new() }
    }

    /// The lines that have come to an end since.
    fn read(&mut self) -> Vec<Value> {
        let mut lines = self.read_open();
        let inode = |file: &File| file.metadata().unwrap().ino();
        if let Ok(named) = File::open(&self.path)
            && self.open.as_ref().is_none_or(|(open, _)| inode(open) != inode(&named))
        {
            assert!(self.partial.is_empty(), "a file was left in the middle of a line");
            self.open = Some((named, 0));
            lines.extend(self.read_open());
        }
        lines
    }

    fn read_open(&mut self) -> Vec<Value> {
        let Some((file, at)) = &mut self.open else { return Vec::new() };
        if file.metadata().unwrap().len() < *at {
            *at = 0;
            self.partial.clear();
        }
        file.seek(SeekFrom::Start(*at)).unwrap();
        *at += file.read_to_end(&mut self.partial).unwrap() as u64;
        let mut lines = Vec::new();
        while let Some(end) = self.partial.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            assert!(line.len() <= 4096);
            lines.push(serde_json::from_slice(&line).unwrap());
        }
        lines
    }
}

fn command(report: &Path) -> std::process::Command {
    let report = report.to_str().unwrap();
    let variables = [("FAILFAST_BUDGET", "64MiB"), ("FAILFAST_REPORT", report)];
    server::command(SERVER, &variables.map(|(name, value)| (name.into(), value.into())))
}

/// Lets a server die; its number.
fn die(report: &Path) -> u64 {
    let mut child = command(report).spawn().unwrap();
    assert!(!child.wait().unwrap().success());
    child.id().into()
}

fn pids(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["pid"].as_u64().unwrap()).collect()
}

#[test]
fn one_name_through_rotation_and_truncation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let mut tail = Tail::new(&path);
    let first = die(&path);
    assert_eq!(pids(&tail.read()), [first]);

    // logrotate's `create`: the old one is read to its end, and then the new one.
    std::fs::rename(&path, folder.path().join("report.json.1")).unwrap();
    assert!(tail.read().is_empty());
    let second = die(&path);
    assert_eq!(pids(&tail.read()), [second]);

    // logrotate's `copytruncate`.
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    assert!(tail.read().is_empty());
    let third = die(&path);
    assert_eq!(pids(&tail.read()), [third]);

    // Without either, a death is written over the one before: the file never has two lines, and a
    // reader that was away has lost one.
    let fourth = die(&path);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    assert_eq!(pids(&Tail::new(&path).read()), [fourth]);
}

/// A file for each death (`%p`): none is lost, whenever somebody looks.
#[test]
fn a_name_for_each_death() {
    let folder = tempfile::tempdir().unwrap();
    let mut died: Vec<u64> = (0..5).map(|_| die(&folder.path().join("report-%p.json"))).collect();
    let mut read = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        read.extend(pids(&Tail::new(&entry.unwrap().path()).read()));
    }
    died.sort_unstable();
    read.sort_unstable();
    assert_eq!(read, died);
}

/// While a process dies its report is written twice: before its hook, and in its place when that
/// has ended. Whoever follows it closely sees one of the two, whole; the file has the second.
#[test]
fn followed_while_the_process_dies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let mut child = command(&path).spawn().unwrap();
    let (mut tail, mut lines) = (Tail::new(&path), Vec::new());
    while child.try_wait().unwrap().is_none() {
        lines.extend(tail.read());
        std::thread::yield_now();
    }
    lines.extend(tail.read());
    let [mut line] = <[Value; 1]>::try_from(lines).unwrap();
    assert!(["pending", "ran"].iter().any(|hook| line["hook"] == *hook), "{line}");
    let last: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    line["hook"] = "ran".into();
    assert_eq!(line, last);
}

/// Through a descriptor it is written once.
#[test]
fn through_a_pipe() {
    let output = command(Path::new("fd:1")).output().unwrap();
    let lines: Vec<Value> = output
        .stdout
        .split_inclusive(|&byte| byte == b'\n')
        .map(|line| {
            assert_eq!(line.last(), Some(&b'\n'));
            serde_json::from_slice(line).unwrap()
        })
        .collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["hook"], "pending");
}
