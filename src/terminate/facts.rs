//! What is noted about a death.
//!
//! Layer 4.  Plane: failure.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::{self, MaybeUninit};

use crate::config::{Group, Settings};
use crate::report::{Account, Clusters, Report, Timestamp};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering::*};
use crate::sys::registers::Context;
use crate::sys::{facts, process};

use super::output::Written;
use super::sequence::Death;

/// What holds for the process, once that is known.
static SETTINGS: AtomicPtr<Settings> = AtomicPtr::new(core::ptr::null_mut());

/// Notes where figures are to be had. At start.
pub(super) fn prepare(settings: &'static Settings) {
    // ORDER: Release, with the Acquire of `note_process`.
    SETTINGS.store(core::ptr::from_ref(settings).cast_mut(), Release);
}

/// What the elected thread writes down; and whoever ends the process in its place, when it was
/// stopped.
pub(super) struct Dying {
    pub(super) report: Report,
    /// Whether the line was begun, ...
    pub(super) is_line_begun: bool,
    /// ... and the report.
    pub(super) is_report_begun: bool,
    /// The report's file, once it was written.
    pub(super) written: Option<Written>,
    /// The registers where it failed.
    pub(super) context: *mut c_void,
}

struct Cell(UnsafeCell<Dying>);

// SAFETY: only the elected thread touches it, and whoever has claimed the last step in its place.
// That one has stopped it before; if it cannot be stopped, it is in the program's hook, or waits in
// the kernel, and touches nothing.
unsafe impl Sync for Cell {}

static DYING: Cell = Cell(UnsafeCell::new(Dying {
    report: Report::new(),
    is_line_begun: false,
    is_report_begun: false,
    written: None,
    context: core::ptr::null_mut(),
}));

impl Dying {
    /// The report. Only the elected thread, or whoever ends in its place.
    pub(super) fn report() -> &'static Report {
        // SAFETY: the elected thread alone is here. A handler on top of it may write through
        // `with`, but never returns to a place that uses this reference.
        unsafe { &(*DYING.0.get()).report }
    }

    /// Writes something down. Only the elected thread, or whoever ends in its place, and not within
    /// itself.
    pub(super) fn with<R>(f: impl FnOnce(&mut Self) -> R) -> R {
        // SAFETY: as in `report`; no reference of `report` is in use while `f` runs, and `f` does
        // not come back here.
        f(unsafe { &mut *DYING.0.get() })
    }
}

/// Notes where it failed: a `ucontext_t` that stays where it is, or null for our own. Only the
/// elected thread.
pub(super) fn note_context(context: *mut c_void) {
    let context = if context.is_null() { own_context().cast() } else { context };
    Dying::with(|dying| dying.context = context);
}

/// Room for the registers of a thread that failed without a fault. Not on its stack, of which
/// there may be little left.
struct Registers(UnsafeCell<MaybeUninit<Context>>);

// SAFETY: only the elected thread touches it.
unsafe impl Sync for Registers {}

static REGISTERS: Registers = Registers(UnsafeCell::new(MaybeUninit::zeroed()));

/// Where the elected thread notes its registers, if no fault has.
#[inline]
pub(super) fn own_context() -> *mut Context {
    REGISTERS.0.get().cast()
}

/// Notes all that is known without looking at the stack.
pub(super) fn note(death: &Death<'_>, account: Account) {
    Dying::with(|dying| {
        (dying.is_line_begun, dying.is_report_begun, dying.written) = (false, false, None);
        dying.report = Report::new();
        let report = &mut dying.report;
        report.cause = death.cause;
        report.account = account;
        (report.requested, report.align) = (death.requested, death.align);
        report.stack = death.stack;
        report.context = dying.context.expose_provenance();
        if let Some(message) = death.message {
            report.message.set(message);
        }
        report.clusters.add(account);
        add_other_accounts(report, account.id);
        note_process(report);
    });
}

fn note_process(report: &mut Report) {
    (report.pid, report.tid) = (process::pid(), process::tid());
    report.thread.set_lossy(facts::thread_name(&mut [0; facts::THREAD_NAME_BYTES]));
    let (seconds, nanoseconds) = facts::unix_time();
    report.time = Timestamp { seconds, nanoseconds };
    report.resident = facts::resident_bytes();
    // ORDER: Acquire, with the Release of `prepare`.
    let settings = SETTINGS.load(Acquire);
    // SAFETY: null, or from a `&'static`.
    let group = unsafe { settings.as_ref() }.and_then(|settings| settings.group.as_ref());
    if let Some((current, limit)) = group.and_then(Group::figures) {
        report.cgroup_current = Some(current);
        report.cgroup_limit = Some(limit).filter(|&limit| limit != u64::MAX);
    }
}

/// Where accounts come from: a `fn() -> Account`, ...
static ACCOUNT: AtomicUsize = AtomicUsize::new(0);
/// ... and a `fn(&mut Clusters, u16)`.
static OTHERS: AtomicUsize = AtomicUsize::new(0);

/// Has accounts read by these, in signal handlers too: they must not wait for anything. `own` is
/// the one of the cluster that the thread is in, for a death that is none of a request's; `others`
/// are all but that with the given number.
pub(crate) fn accounts_from(own: fn() -> Account, others: fn(&mut Clusters, u16)) {
    // ORDER: Release, both, with the Acquire of the readers: for what the functions read.
    ACCOUNT.store(own as usize, Release);
    OTHERS.store(others as usize, Release);
}

/// The account of the cluster that this thread is in.
pub(super) fn account() -> Account {
    // ORDER: Acquire, with the Release of `accounts_from`.
    match ACCOUNT.load(Acquire) {
        0 => Account::new("root", 0, 0, None),
        address => {
            let read = core::ptr::with_exposed_provenance::<()>(address);
            // SAFETY: only `accounts_from` writes the word, and only such functions.
            let read = unsafe { mem::transmute::<*const (), fn() -> Account>(read) };
            read()
        }
    }
}

fn add_other_accounts(report: &mut Report, but: u16) {
    // ORDER: Acquire, with the Release of `accounts_from`.
    let address = OTHERS.load(Acquire);
    if address != 0 {
        let read = core::ptr::with_exposed_provenance::<()>(address);
        // SAFETY: only `accounts_from` writes the word, and only such functions.
        let read = unsafe { mem::transmute::<*const (), fn(&mut Clusters, u16)>(read) };
        read(&mut report.clusters, but);
    }
}
