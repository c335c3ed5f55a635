//! Where the report goes: read, and checked as far as it can be checked beforehand.
//!
//! Layer 3.  Plane: data.
//!
//! A report that cannot be written is noticed when the process is dead and the question is why. So
//! the folder is opened at start, and what stands in the file's place is looked at: only a regular
//! file will do. A link could lead anywhere by the time of death, a FIFO could block, and
//! descriptors reach whatever a device would.

use super::line::Fault;
use super::settings::{ReportFile, ReportSink};
use super::text::{DoesNotFit, NAME_MAX, PATH_MAX, Text};
use crate::sys::file::{self, Access, Errno, File, Kind, Open};
use crate::sys::process;

const EMPTY: Fault = Fault::new("is empty");
const NO_FD: Fault = Fault::new("has no number of a descriptor after fd:");
const READ_ONLY: Fault = Fault::new("is a descriptor that is not open for writing");
const STREAM: Fault = Fault::new("looks like a descriptor, and would be a file of that name");
const NO_FILE: Fault = Fault::new("has no file name at its end");
const PID_IN_FOLDER: Fault = Fault::new("has %p outside of the file name");
const PERCENT: Fault = Fault::new("has a % that is neither %p nor %%");
const TOO_LONG: Fault = Fault::new("is too long, or has a NUL in it");

/// What text or code asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Target<'a> {
    Nowhere,
    Fd(i32),
    File(&'a [u8]),
}

/// Reads the value of a variable.
pub(super) fn target(text: &[u8]) -> Result<Target<'_>, Fault> {
    if text.is_empty() {
        return Err(EMPTY);
    }
    if text.eq_ignore_ascii_case(b"none") {
        return Ok(Target::Nowhere);
    }
    match text.split_at_checked(3) {
        Some((fd, number)) if fd.eq_ignore_ascii_case(b"fd:") => {
            let digits = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
            let number = number.iter().try_fold(0_i32, |number, digit| {
                number.checked_mul(10)?.checked_add(i32::from(digit.wrapping_sub(b'0')))
            });
            number.filter(|_| digits).map(Target::Fd).ok_or(NO_FD)
        }
        _ if is_stream(text) => Err(STREAM),
        _ => Ok(Target::File(text)),
    }
}

/// Whether somebody who wrote this meant a descriptor, and not a file in the current folder.
fn is_stream(text: &[u8]) -> bool {
    let names: [&[u8]; 3] = [b"stderr", b"stdout", b"-"];
    names.iter().any(|name| text.eq_ignore_ascii_case(name)) || text.iter().all(u8::is_ascii_digit)
}

/// Opens and checks it.
pub(super) fn open(target: Target<'_>) -> Result<ReportSink, Fault> {
    match target {
        Target::Nowhere => Ok(ReportSink::Nowhere),
        Target::Fd(fd) => open_fd(fd),
        Target::File(path) => open_file(path).map(ReportSink::File),
    }
}

fn open_fd(fd: i32) -> Result<ReportSink, Fault> {
    let closed = |errno| Fault::kernel("is a descriptor that cannot be used", errno);
    if !file::is_writable(fd).map_err(closed)? {
        return Err(READ_ONLY);
    }
    let stat = file::stat(fd).map_err(closed)?;
    Ok(ReportSink::Fd { fd, dev: stat.dev, ino: stat.ino })
}

fn open_file(path: &[u8]) -> Result<ReportFile, Fault> {
    let name_at = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (folder, name) = path.split_at_checked(name_at).ok_or(NO_FILE)?;
    if path.is_empty() {
        return Err(EMPTY);
    }
    if matches!(name, b"" | b"." | b"..") {
        return Err(NO_FILE);
    }
    // With the longest number there is, so that it fits whoever dies.
    expand::<NAME_MAX>(name, u32::MAX)?;
    let folder = open_folder(folder)?;
    check_file(&folder, &expand(name, process::pid())?)?;
    let stat = file::stat(folder.fd()).map_err(FOLDER)?;
    let name = Text::of(name).map_err(|DoesNotFit| TOO_LONG)?;
    Ok(ReportFile { folder: folder.into_fd(), folder_dev: stat.dev, folder_ino: stat.ino, name })
}

const FOLDER: fn(Errno) -> Fault =
    |errno| Fault::kernel("is in a folder that cannot be opened", errno);

fn open_folder(folder: &[u8]) -> Result<File, Fault> {
    let mut path = Text::<PATH_MAX>::new();
    expand_onto(&mut path, folder, |_| Err(PID_IN_FOLDER))?;
    if folder.is_empty() {
        path.push(b'.').map_err(|DoesNotFit| TOO_LONG)?;
    }
    File::open(path.c_str(), Open::Folder).map_err(FOLDER)
}

/// Whether `name` can be written, or made, in `folder`.
fn check_file(folder: &File, name: &Text<NAME_MAX>) -> Result<(), Fault> {
    let writable = |errno| Fault::kernel("is a file that cannot be written", errno);
    let makeable = |errno| Fault::kernel("is in a folder where no file can be made", errno);
    let kind = match file::stat_at(folder, name.c_str()) {
        Ok(stat) => stat.kind,
        Err(Errno::NOT_FOUND) => {
            return file::may(Some(folder), c".", Access::WriteAndSearch).map_err(makeable);
        }
        Err(errno) => return Err(Fault::kernel("cannot be looked at", errno)),
    };
    match kind {
        Kind::Regular => file::may(Some(folder), name.c_str(), Access::Write).map_err(writable),
        Kind::Folder => Err(Fault::new("is a folder")),
        Kind::Link => Err(Fault::new("is a link")),
        Kind::Fifo => Err(Fault::new("is a FIFO")),
        Kind::Socket => Err(Fault::new("is a socket")),
        Kind::Device => Err(Fault::new("is a device")),
    }
}

/// `name` with the number of a process for `%p`, and `%` for `%%`.
pub(super) fn expand<const N: usize>(name: &[u8], pid: u32) -> Result<Text<N>, Fault> {
    let mut out = Text::new();
    expand_onto(&mut out, name, |out| fmt_pid(out, pid).map_err(|DoesNotFit| TOO_LONG))?;
    Ok(out)
}

fn fmt_pid<const N: usize>(out: &mut Text<N>, pid: u32) -> Result<(), DoesNotFit> {
    use core::fmt::Write;
    write!(out, "{pid}").map_err(|_| DoesNotFit)
}

fn expand_onto<const N: usize>(
    out: &mut Text<N>,
    name: &[u8],
    pid: impl Fn(&mut Text<N>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        match (byte, (*byte == b'%').then(|| bytes.next()).flatten()) {
            (b'%', Some(b'p')) => pid(out)?,
            (b'%', Some(b'%')) => out.push(b'%').map_err(|DoesNotFit| TOO_LONG)?,
            (b'%', _) => return Err(PERCENT),
            (byte, _) => out.push(*byte).map_err(|DoesNotFit| TOO_LONG)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
