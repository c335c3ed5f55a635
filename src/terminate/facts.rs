//! What is noted about a death.
//!
//! Layer 4.  Plane: failure.

use core::cell::UnsafeCell;
use core::mem;

use crate::report::{Account, Report, Threads, Timestamp};
use crate::sync::{AtomicUsize, Ordering::*};
use crate::sys::{facts, process, tasks};

use super::sequence::Death;

/// What the elected thread writes down.
pub(super) struct Dying {
    pub(super) report: Report,
    /// The report's file, once it was written, and what the descriptor refers to.
    pub(super) file: Option<(i32, u64, u64)>,
}

struct Cell(UnsafeCell<Dying>);

// SAFETY: only the elected thread touches it.
unsafe impl Sync for Cell {}

static DYING: Cell = Cell(UnsafeCell::new(Dying { report: Report::new(), file: None }));

impl Dying {
    /// The report. Only the elected thread.
    pub(super) fn report() -> &'static Report {
        // SAFETY: the elected thread alone is here. A handler on top of it may write through
        // `with`, but never returns to a place that uses this reference.
        unsafe { &(*DYING.0.get()).report }
    }

    /// Writes something down. Only the elected thread, and not within itself.
    pub(super) fn with<R>(f: impl FnOnce(&mut Self) -> R) -> R {
        // SAFETY: as in `report`; no reference of `report` is in use while `f` runs, and `f` does
        // not come back here.
        f(unsafe { &mut *DYING.0.get() })
    }
}

/// Notes all that is known without looking at the stack.
pub(super) fn note(death: &Death<'_>) {
    Dying::with(|dying| {
        dying.file = None;
        dying.report = Report::new();
        let report = &mut dying.report;
        report.cause = death.cause;
        report.account = death.account;
        (report.requested, report.align) = (death.requested, death.align);
        report.stack = death.stack;
        if let Some(message) = death.message {
            report.message.set(message);
        }
        report.clusters.add(death.account);
        note_process(report);
    });
}

fn note_process(report: &mut Report) {
    (report.pid, report.tid) = (process::pid(), process::tid());
    report.thread.set_lossy(facts::thread_name(&mut [0; facts::THREAD_NAME_BYTES]));
    let (seconds, nanoseconds) = facts::unix_time();
    report.time = Timestamp { seconds, nanoseconds };
    report.resident = facts::resident_bytes();
    let (mut seen, me) = (0_u32, report.tid);
    if tasks::for_each(|thread| seen = seen.saturating_add(u32::from(thread as u32 != me))) {
        // None is told to halt yet.
        report.threads = Some(Threads { seen, halted: 0 });
    }
}

/// Where the root cluster's account comes from: a `fn() -> Account`.
static ACCOUNT: AtomicUsize = AtomicUsize::new(0);

/// Has the account of the root cluster read by `read`, when a death is none of a request's. It is
/// called in signal handlers: it must not wait for anything.
pub(crate) fn account_from(read: fn() -> Account) {
    // ORDER: Release, with the Acquire of `account`: for what `read` reads.
    ACCOUNT.store(read as usize, Release);
}

/// The account of the root cluster now.
pub(crate) fn account() -> Account {
    // ORDER: Acquire, with the Release of `account_from`.
    match ACCOUNT.load(Acquire) {
        0 => Account::new("root", 0, 0, None),
        address => {
            let read = core::ptr::with_exposed_provenance::<()>(address);
            // SAFETY: only `account_from` writes the word, and only such functions.
            let read = unsafe { mem::transmute::<*const (), fn() -> Account>(read) };
            read()
        }
    }
}
