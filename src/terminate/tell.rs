//! What a supervisor is told, phase by phase.
//!
//! Layer 4.  Plane: failure.
//!
//! Without a supervisor each function here is one test of a null. With one it is a few stores to a
//! shared page (`record`), valid whenever the process is killed. Forked children find null: the
//! pointer is in the page that they see as zeroes, and the record is not mapped in them.

use crate::config::{Mode, Settings};
use crate::record::{self, EndedBy, PAGE_BYTES};
use crate::report::{Halt, HookOutcome, JSON_BYTES_MAX, Report, Threads, Timestamp};
use crate::sync::{AtomicPtr, Ordering::*};
use crate::sys::record::Shared;
use crate::sys::{facts, file, memory, process};

use super::page::page;
use super::sequence::Death;

const REFUSED: &[u8] =
    b"failfast: FAILFAST_RECORD: the supervisor's record cannot be mapped; expected 8192 bytes of \
    address space\n";

/// Where the record is; null where there is none.
pub(super) struct Told(AtomicPtr<record::Page>);

impl Told {
    /// None.
    pub(super) const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    fn get(&self) -> Option<&'static record::Page> {
        // ORDER: Acquire, with the Release of `attach_record`.
        let page = self.0.load(Acquire);
        // SAFETY: null, or a mapping that is never undone, aligned to a page; all of it is atomic.
        unsafe { page.as_ref() }
    }
}

/// Maps the record, if there is one and it is this process's. At start. `false` if there is one and
/// it cannot be mapped; that was said.
pub(crate) fn attach_record(settings: &Settings) -> bool {
    let Some(address) = settings.record else { return true };
    if !page().is_wiped() {
        return true; // A forked child would take the pointer for its own.
    }
    let mapping = match crate::sys::record::map(address.fd, address.ino, PAGE_BYTES) {
        Shared::Mapped(mapping) => mapping,
        Shared::Absent => return true,
        Shared::Refused => {
            // There is nobody else to tell.
            let _ = file::write_all(2, REFUSED);
            return false;
        }
    };
    let shared = core::ptr::with_exposed_provenance_mut::<record::Page>(mapping.base);
    // SAFETY: just mapped, as long as a page; all of it is atomic.
    let known = unsafe { &*shared };
    // Another process's, inherited; or a second copy of this code has it.
    if !known.is_for(address.nonce, process::pid()) || !known.attached(&start(settings)) {
        // SAFETY: from `map`; `known` is not used any more.
        unsafe { crate::sys::record::unmap(mapping) };
        return true;
    }
    // SAFETY: it is the page's, as its content says, and the page is for nobody else.
    unsafe { crate::sys::record::close(address.fd) };
    // ORDER: Release, with the Acquire of `get`.
    page().told.0.store(shared, Release);
    true
}

/// What the supervisor is told of the settings.
fn start(settings: &Settings) -> record::Start {
    let mut version = [0; 16];
    for (to, from) in version.iter_mut().zip(env!("CARGO_PKG_VERSION").bytes()) {
        *to = from;
    }
    let budget = |bytes: usize| (bytes != usize::MAX).then_some(bytes as u64);
    record::Start {
        version,
        budget: budget(settings.budget_bytes),
        stack_budget: budget(settings.stack_budget_bytes),
        reserve: memory::whole_pages(settings.reserve_bytes) as u64,
        hook_timeout_ns: u64::try_from(settings.hook_timeout.as_nanos()).unwrap_or(u64::MAX),
        execs: settings.exec().is_some(),
        observes: settings.mode == Mode::Observe,
        pid: process::pid(),
    }
}

/// The calling thread is about to end the process.
pub(super) fn elected(death: &Death<'_>) {
    if let Some(record) = page().told.get() {
        let (seconds, nanoseconds) = facts::unix_time();
        record.elected(death.cause, process::tid(), Timestamp { seconds, nanoseconds });
    }
}

/// All that is known without looking at stacks.
pub(super) fn figures(report: &Report) {
    if let Some(record) = page().told.get() {
        record.figures(report);
    }
}

/// Whether the other threads have stopped.
pub(super) fn halted(halt: Halt, threads: Option<Threads>) {
    if let Some(record) = page().told.get() {
        record.halted(halt, threads);
    }
}

/// The report.
pub(super) fn report(report: &Report) {
    if let Some(record) = page().told.get() {
        record.report(report.json(&mut [0; JSON_BYTES_MAX]));
    }
}

/// The hook is about to run.
pub(super) fn hook_began() {
    if let Some(record) = page().told.get() {
        record.hook_began();
    }
}

/// The process is about to become another program.
pub(super) fn replaced() {
    if let Some(record) = page().told.get() {
        record.replaced();
    }
}

/// What became of the hook. Whoever says so first is right.
pub(super) fn outcome(outcome: HookOutcome) {
    if let Some(record) = page().told.get() {
        record.outcome(outcome);
    }
}

/// The last step has begun.
pub(super) fn ending(by: EndedBy, thread: u32) {
    if let Some(record) = page().told.get() {
        record.ending(by, thread);
    }
}
