//! `terminate`, step by step.
//!
//! Layer 4.  Plane: failure.

use core::ffi::c_void;

use crate::cause::Cause;
use crate::config::Settings;
use crate::report::{Account, Failure, StackSpan};
use crate::sync::Ordering::Relaxed;
use crate::sys::signal::{self, SIGABRT};
use crate::sys::{exit, limits, process, registers, stop};
use crate::thread::record;

use super::election::Standing;
use super::inject::{self, Phase};
use super::page::page;
use super::steps::Step;
use super::{
    chain, deadline, emergency, end, exec, facts, halt, output, page, reserve, steps, tell,
};

/// What the failing thread knows.
#[derive(Debug)]
pub(crate) struct Death<'a> {
    pub(crate) cause: Cause,
    /// Bytes asked for, if the cause is a request; else zero.
    pub(crate) requested: usize,
    pub(crate) align: usize,
    /// The account of the cluster that died. `None` for the one that the thread is in, read when
    /// there is room for it.
    pub(crate) account: Option<Account>,
    /// The stack, if that is the cause.
    pub(crate) stack: Option<StackSpan>,
    pub(crate) message: Option<&'a str>,
    /// The fault that it was, if it was one: a `ucontext_t`; else null.
    pub(crate) context: *mut c_void,
}

/// Sets aside all that dying needs. Once, at start. `false` if there is no memory for the reserve.
pub(crate) fn prepare(settings: &'static Settings) -> bool {
    page::prepare();
    emergency::prepare();
    let has_reserve = reserve::prepare(settings.reserve_bytes);
    facts::prepare(settings);
    deadline::prepare(settings.hook_timeout);
    halt::prepare();
    output::prepare(&settings.report);
    end::prepare();
    chain::prepare(settings.abort_mode);
    has_reserve && exec::prepare(settings)
}

/// Ends the process.
pub(crate) fn terminate(death: &Death<'_>) -> ! {
    // 1. Whose state is it? A child that shares our memory ends itself, and touches nothing.
    let page = page();
    if !page.is_ours() {
        exit::die();
    }
    // No signal of others from here on, and no cancellation: a handler of the program's could leave
    // the elected thread by a jump, and nobody would be left to end the process.
    signal::refuse_cancellation();
    signal::block_all_but(
        signal::OWN_FAULTS_MASK & !signal::bit(SIGABRT) | signal::bit(stop::STOP),
    );
    // 2. Elect.
    match page.election.stand(process::tid()) {
        Standing::Elected if halt::claim() => {}
        Standing::Elected => end::lost_to_another_copy(),
        Standing::Nested => end::nested(Failure::Abort),
        Standing::Lost => end::lost(),
    }
    inject::at(Phase::Elected);
    facts::note_context(death.context);
    if death.context.is_null() {
        // SAFETY: the elected thread's, not written before. Here, since it is of this very frame.
        unsafe { registers::note_context(facts::own_context()) };
    }
    // 3. Leave the failing stack.
    emergency::prepare();
    // SAFETY: this thread was elected, once; `begin` takes a death, which lies in frames that are
    // never left.
    unsafe { emergency::go_on(begin, core::ptr::from_ref(death).cast()) }
}

/// The rest of the list, on the emergency stack.
///
/// # Safety
///
/// * `death` is a `Death` that stays where it is.
/// * Only the elected thread calls it.
unsafe extern "C" fn begin(death: *const c_void) -> ! {
    // SAFETY: the first clause.
    let death = unsafe { &*death.cast::<Death<'_>>() };
    let account = death.account.unwrap_or_else(facts::account);
    // ... and leave the failing heap: the allocator now serves this thread from the reserve.
    let record = record();
    record.dying.store(true, Relaxed); // ORDER: Relaxed. The thread's own word.
    record.divert_all();
    // Whatever fails from here on is known for what it is, and whoever is told to stop does.
    emergency::handle_faults_apart();
    end::handle_faults();
    halt::handle_stops();
    inject::at(Phase::Left);
    // 4. Fix the deadline, before anything that could hang.
    page().deadline.fix();
    tell::elected(death);
    inject::at(Phase::Fixed);
    limits::raise_descriptors();
    facts::note(death, account);
    tell::figures(facts::Dying::report());
    // 5. Halt the other threads. 6. Say it: the line, the report. 7. Become another program, or run
    // the hook, and the SIGABRT handlers of others. 8. The end.
    steps::run(Step::Before)
}

/// Ends the process now, in the same way as memory that runs out: the line, the report, the abort
/// hook, SIGABRT. For a program that has found its own state inconsistent.
///
/// Nothing is unwound and nothing is dropped; no other panic hook or exit handler runs. If several
/// threads fail at once, one of them is reported, and none of the calls returns.
///
/// `message` becomes part of the line and of the report; 1,024 bytes of it are kept, and what would
/// break a line is escaped.
///
/// Where no [`FailFast`](crate::FailFast) is the global allocator, nothing was set aside for the
/// hook: it then runs on the program's own heap.
///
/// # Examples
///
/// ```no_run
/// # let (debits, credits) = (1, 2);
/// if debits != credits {
///     failfast_alloc::fail_fast("the ledger of orders is inconsistent");
/// }
/// ```
#[cold]
pub fn fail_fast(message: &str) -> ! {
    terminate(&Death {
        cause: Cause::Requested,
        requested: 0,
        align: 0,
        account: None,
        stack: None,
        message: Some(message),
        context: core::ptr::null_mut(),
    })
}
