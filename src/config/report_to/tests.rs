//! Files and descriptors that will do, and all those that will not.
//!
//! Layer 3.  Plane: control.

use std::os::fd::AsRawFd;

use super::*;
use crate::config::Config;
use crate::config::tests::{Folder, Outcome, objection, resolved};

#[test]
fn report_files() {
    let folder = Folder::new();
    folder.file("full", "");
    folder.file("folder/x", "");
    std::os::unix::fs::symlink("full", folder.path("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path("dangling")).unwrap();
    std::os::unix::net::UnixListener::bind(folder.path("socket")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(folder.path("fifo")).status();
    assert!(fifo.unwrap().success());
    let at = |name: &str| format!("FAILFAST_REPORT={}/{name}", folder.text(""));
    for (entry, says) in [
        (at("none/x"), "is in a folder that cannot be opened (errno 2, no such file or folder); "),
        (at("full/x"), "is in a folder that cannot be opened (errno 20, not a folder); "),
        (at("link"), "is a link; expected a path to a regular file"),
        (at("dangling"), "is a link; "),
        (at("fifo"), "is a FIFO; "),
        (at("socket"), "is a socket; "),
        (at("folder"), "is a folder; "),
        (at("folder/"), "has no file name at its end; "),
        (at("folder/.."), "has no file name at its end; "),
        (at("%p/x"), "has %p outside of the file name; "),
        (at("x%"), "has a % that is neither %p nor %%; "),
        (at("x%P"), "has a % that is neither %p nor %%; "),
        (at("x%%%d"), "has a % that is neither %p nor %%; "),
        (at(&"x".repeat(256)), "is too long, or has a NUL in it; "),
        (at(&format!("{}%p", "x".repeat(246))), "is too long, or has a NUL in it; "),
        ("FAILFAST_REPORT=/dev/null".into(), "is a device; "),
        ("FAILFAST_REPORT=/".into(), "has no file name at its end; "),
        ("FAILFAST_REPORT=..".into(), "has no file name at its end; "),
        (format!("FAILFAST_REPORT={}x", "/a".repeat(3000)), "is too long, or has a NUL in it; "),
    ] {
        let line = objection(&entry);
        assert!(line.contains(&format!("` {says}")), "{line} {says}");
        assert!(line.contains("fd:2 or none"), "the hint: {line}");
    }
    let before = std::fs::read_dir(folder.path("")).unwrap().count();
    for (name, expanded) in [
        ("report.json", "report.json"),
        ("full", "full"),
        ("%p", "4711"),
        ("a%%-%p-%p.json", "a%-4711-4711.json"),
        ("%%p", "%p"),
    ] {
        let Outcome { settings, well, lines } = resolved(&Config::new(), &[&at(name)]);
        assert!(well && lines.is_empty(), "{lines:?}");
        let ReportSink::File(file) = settings.report else { panic!("{name}") };
        assert_eq!(file.name(4711).bytes(), expanded.as_bytes());
        let stat = crate::sys::file::stat(file.folder).unwrap();
        assert_eq!((stat.dev, stat.ino), (file.folder_dev, file.folder_ino));
        let same = crate::sys::file::stat_path(&folder.c_path("")).unwrap();
        assert_eq!(stat.ino, same.ino);
    }
    let after = std::fs::read_dir(folder.path("")).unwrap().count();
    assert_eq!(before, after, "nothing is made at start");
    let relative = resolved(&Config::new(), &["FAILFAST_REPORT=report-%p.json"]);
    assert!(relative.well, "{:?}", relative.lines);
}

#[test]
fn report_descriptors() {
    let folder = Folder::new();
    let written = std::fs::File::create(folder.path("file")).unwrap();
    let read = std::fs::File::open(folder.path("file")).unwrap();
    let fd = written.as_raw_fd();
    let Outcome { settings, well, lines } =
        resolved(&Config::new(), &[&format!("FAILFAST_REPORT=fd:{fd}")]);
    assert!(well, "{lines:?}");
    let expected = crate::sys::file::stat_path(&folder.c_path("file")).unwrap();
    let ReportSink::Fd { fd: found, dev, ino } = settings.report else { panic!() };
    assert_eq!((found, dev, ino), (fd, expected.dev, expected.ino));
    for (value, says) in [
        (&*format!("fd:{}", read.as_raw_fd()), "is a descriptor that is not open for writing; "),
        (
            "fd:2147483647",
            "is a descriptor that cannot be used (errno 9, not an open descriptor); ",
        ),
        ("fd:2147483648", "has no number of a descriptor after fd:; "),
        ("fd:", "has no number of a descriptor after fd:; "),
        ("fd:-1", "has no number of a descriptor after fd:; "),
        ("FD:+1", "has no number of a descriptor after fd:; "),
        ("fd:2 ", "has no number of a descriptor after fd:; "),
    ] {
        let line = objection(&format!("FAILFAST_REPORT={value}"));
        let start = format!("failfast: FAILFAST_REPORT: `{value}` {says}");
        assert!(line.starts_with(&start), "{line} {start}");
    }
}
