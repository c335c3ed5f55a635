//! Over a budget, and nobody dies.
//!
//! Layer 4.  Plane: data.

use core::fmt::Write as _;

use crate::report::writer::FixedWriter;
use crate::report::{Line, Text};
use crate::sys::{facts, process, signal};

use super::output;
use super::sequence::Death;

/// Enough for every line about a budget. It lies on a stack that may be almost used up.
const LINE_BYTES: usize = 512;

/// Says on standard error what would have ended the process. `errno` is as before afterwards.
pub(crate) fn observe(death: &Death<'_>) {
    let errno = process::errno();
    let mut thread = Text::<{ facts::THREAD_NAME_BYTES * 3 }>::new();
    thread.set_lossy(facts::thread_name(&mut [0; facts::THREAD_NAME_BYTES]));
    let account = death.account.unwrap_or_else(super::facts::account);
    let line = Line {
        cause: death.cause,
        message: death.message,
        message_is_cut: false,
        account: &account,
        requested: death.requested,
        stack: death.stack,
        pid: process::pid(),
        tid: process::tid(),
        thread: thread.get(),
    };
    let mut buf = [0; LINE_BYTES];
    let mut out = FixedWriter::new(&mut buf);
    // A `FixedWriter` cuts; it never fails.
    let _ = write!(out, "failfast: observe: {line}");
    out.end_line();
    signal::without_sigpipe(|| output::say(out.as_bytes()));
    process::set_errno(errno);
}
