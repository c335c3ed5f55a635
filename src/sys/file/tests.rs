//! Files that are opened, looked at and written, and what refuses to be.
//!
//! Layer 1.  Plane: control.

use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use super::*;

/// A folder of its own for one test, gone with its value.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("failfast-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn c_path(&self, name: &str) -> CString {
        CString::new(self.0.join(name).into_os_string().into_encoded_bytes()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_is_read_to_its_end_or_the_buffers() {
    let folder = Folder::new("read");
    std::fs::write(folder.0.join("file"), b"0123456789").unwrap();
    let open = || File::open(&folder.c_path("file"), Open::Read).unwrap();
    assert_eq!(open().read_into(&mut [0; 64]).unwrap(), b"0123456789");
    assert_eq!(open().read_into(&mut [0; 10]).unwrap(), b"0123456789");
    assert_eq!(open().read_into(&mut [0; 4]).unwrap(), b"0123");
    assert_eq!(open().read_into(&mut []).unwrap(), b"");
    let reached = File::open(&folder.c_path(""), Open::Folder).unwrap();
    let file = reached.open_at(c"file", Open::Read).unwrap();
    assert_eq!(file.read_into(&mut [0; 4]).unwrap(), b"0123");
    assert_eq!(reached.open_at(c"none", Open::Read).unwrap_err(), Errno::NOT_FOUND);
    assert_eq!(file.open_at(c"x", Open::Read).unwrap_err(), Errno(libc::ENOTDIR));
}

#[test]
fn files_are_closed_and_not_inherited() {
    let file = File::open(c"/dev/null", Open::Read).unwrap();
    let fd = file.fd();
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
    assert_ne!(flags & libc::O_CLOEXEC, 0);
    // That the number is free again cannot be seen while other tests open files; that what it
    // held on to is let go, can.
    let (reader, mut writer) = std::io::pipe().unwrap();
    let path = CString::new(format!("/proc/self/fd/{}", reader.as_raw_fd())).unwrap();
    let second_reader = File::open(&path, Open::Read).unwrap();
    drop(reader);
    assert!(writer.write_all(b"x").is_ok());
    drop(second_reader);
    assert!(writer.write_all(b"x").is_err(), "there is no reader left");
    assert_eq!(file.into_fd(), fd);
    assert!(stat(fd).is_ok(), "the caller's to close");
}

#[test]
fn kinds() {
    let folder = Folder::new("kinds");
    std::fs::write(folder.0.join("file"), b"").unwrap();
    std::os::unix::fs::symlink("file", folder.0.join("link")).unwrap();
    std::os::unix::net::UnixListener::bind(folder.0.join("socket")).unwrap();
    let status = std::process::Command::new("mkfifo").arg(folder.0.join("fifo")).status();
    assert!(status.unwrap().success());
    let reached = File::open(&folder.c_path(""), Open::Folder).unwrap();
    for (name, kind) in [
        (c"file", Kind::Regular),
        (c".", Kind::Folder),
        (c"link", Kind::Link),
        (c"socket", Kind::Socket),
        (c"fifo", Kind::Fifo),
        (c"/dev/null", Kind::Device),
    ] {
        assert_eq!(stat_at(&reached, name).unwrap().kind, kind, "{name:?}");
    }
    let file = stat_at(&reached, c"file").unwrap();
    assert_eq!(stat_path(&folder.c_path("link")).unwrap(), file, "followed");
    assert_ne!(stat_at(&reached, c"link").unwrap().ino, file.ino, "not followed");
    assert_eq!(stat_path(c"/no such thing").unwrap_err(), Errno::NOT_FOUND);
    let same = std::fs::File::open(folder.0.join("file")).unwrap();
    assert_eq!(stat(same.as_raw_fd()).unwrap(), file);
    assert_eq!(stat(-1).unwrap_err(), Errno(libc::EBADF));
}

#[test]
fn what_is_open_for_writing() {
    let folder = Folder::new("writable");
    let path = folder.0.join("file");
    let written = std::fs::File::create(&path).unwrap();
    let read = std::fs::File::open(&path).unwrap();
    let both = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let only_path = File::open(&folder.c_path(""), Open::Folder).unwrap();
    assert_eq!(is_writable(written.as_raw_fd()), Ok(true));
    assert_eq!(is_writable(both.as_raw_fd()), Ok(true));
    assert_eq!(is_writable(read.as_raw_fd()), Ok(false));
    assert_eq!(is_writable(only_path.fd()), Ok(false));
    assert_eq!(is_writable(i32::MAX), Err(Errno(libc::EBADF)));
}

#[test]
fn what_may_be_done() {
    let folder = Folder::new("may");
    std::fs::write(folder.0.join("file"), b"").unwrap();
    let path = folder.c_path("file");
    let reached = File::open(&folder.c_path(""), Open::Folder).unwrap();
    assert_eq!(may(None, &path, Access::Execute), Err(Errno(libc::EACCES)));
    assert_eq!(may(Some(&reached), c"file", Access::Write), Ok(()));
    assert_eq!(may(Some(&reached), c".", Access::WriteAndSearch), Ok(()));
    assert_eq!(may(None, c"/bin/sh", Access::Execute), Ok(()));
    assert_eq!(may(Some(&reached), c"none", Access::Write), Err(Errno::NOT_FOUND));
}

#[test]
fn all_is_written() {
    // More than a socket holds: the reader must run for the writer to finish.
    let (writer, mut reader) = UnixStream::pair().unwrap();
    let bytes: Vec<u8> = (0..4 << 20).map(|index| (index % 251) as u8).collect();
    let read = std::thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        all
    });
    write_all(writer.as_raw_fd(), &bytes).unwrap();
    drop(writer);
    assert!(read.join().unwrap() == bytes);
}

#[test]
fn a_part_that_is_written_is_not_all() {
    let (writer, _reader) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    let more_than_fits = vec![0; 64 << 20];
    assert_eq!(write_all(writer.as_raw_fd(), &more_than_fits), Err(Errno(libc::EAGAIN)));
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let file = std::fs::File::open("/dev/null").unwrap();
    assert_eq!(write_all(file.as_raw_fd(), b"x"), Err(Errno(libc::EBADF)));
    assert_eq!(write_all(file.as_raw_fd(), b""), Ok(()), "nothing can always be written");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(write_all(full.as_raw_fd(), b"x"), Err(Errno(libc::ENOSPC)));
}
