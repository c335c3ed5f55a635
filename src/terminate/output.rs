//! The line, and the report.
//!
//! Layer 4.  Plane: failure.

use crate::config::ReportSink;
use crate::report::writer::FixedWriter;
use crate::report::{JSON_BYTES_MAX, LINE_BYTES_MAX, Report};
use crate::sync::{AtomicPtr, AtomicU64, Ordering::*};
use crate::sys::{file, output, process};

use super::facts::Dying;

const STANDARD_ERROR: i32 = 2;

/// What standard error was at start. If the number means something else by now, it is a file of
/// the program's, which is not for us to write to.
static ERROR_DEV: AtomicU64 = AtomicU64::new(0);
static ERROR_INO: AtomicU64 = AtomicU64::new(0);

/// Where the report goes, once that is known.
static SINK: AtomicPtr<ReportSink> = AtomicPtr::new(core::ptr::null_mut());

/// Notes where the report goes, and what standard error is. At start.
pub(super) fn prepare(sink: &'static ReportSink) {
    if let Ok(now) = file::stat(STANDARD_ERROR) {
        // ORDER: Relaxed, both. Published by `SINK`.
        ERROR_DEV.store(now.dev, Relaxed);
        ERROR_INO.store(now.ino, Relaxed);
    }
    // ORDER: Release, with the Acquire of `sink`.
    SINK.store(core::ptr::from_ref(sink).cast_mut(), Release);
}

fn sink() -> Option<&'static ReportSink> {
    // ORDER: Acquire, with the Release of `prepare`.
    let sink = SINK.load(Acquire);
    // SAFETY: null, or from a `&'static`.
    unsafe { sink.as_ref() }
}

/// Writes a line to standard error, if it can take one at once.
pub(super) fn say(line: &[u8]) {
    // ORDER: Relaxed, both. `sink` has acquired them.
    let is_same = sink().is_none_or(|_| {
        output::is_still(STANDARD_ERROR, ERROR_DEV.load(Relaxed), ERROR_INO.load(Relaxed))
    });
    if is_same {
        output::write_now(STANDARD_ERROR, line);
    }
}

/// Writes the report's line to standard error. Only the elected thread, or whoever ends in its
/// place.
pub(super) fn write_line(report: &Report) {
    let mut buf = [0; LINE_BYTES_MAX];
    let mut line = FixedWriter::new(&mut buf);
    report.line(&mut line);
    say(line.finish());
}

/// Writes the report. Only the elected thread, or whoever ends in its place.
pub(super) fn write_report(report: &Report) {
    let mut buf = [0; JSON_BYTES_MAX];
    match sink() {
        None | Some(ReportSink::Nowhere) => {}
        Some(&ReportSink::Fd { fd, dev, ino }) => {
            if output::is_still(fd, dev, ino) {
                output::write_now(fd, report.json(&mut buf));
            }
        }
        Some(ReportSink::File(to)) => {
            if !output::is_still(to.folder, to.folder_dev, to.folder_ino) {
                return;
            }
            let name = to.name(process::pid());
            let Some(fd) = output::create_in(to.folder, name.c_str()) else { return };
            let is_written = output::set_content(fd, report.json(&mut buf));
            let now = file::stat(fd).ok().filter(|_| is_written);
            let written = now.map(|now| Written { fd, dev: now.dev, ino: now.ino });
            Dying::with(|dying| dying.written = written);
        }
    }
}

/// Writes the report once more, with what became of the hook, where the first can be replaced: it
/// has the same length, and all but the outcome is the same. Only the elected thread, or whoever
/// ends in its place.
pub(super) fn rewrite_report() {
    let Some(Written { fd, dev, ino }) = Dying::with(|dying| dying.written) else { return };
    // The hook may have closed descriptors, and opened others.
    if output::is_still(fd, dev, ino) {
        output::write_over(fd, Dying::report().json(&mut [0; JSON_BYTES_MAX]));
    }
}

/// Where the report was written.
#[derive(Clone, Copy)]
pub(super) struct Written {
    fd: i32,
    dev: u64,
    ino: u64,
}
