//! The process's first allocation, and each thread's.
//!
//! Layer 6.  Plane: data.
//!
//! `main` comes too late, and the first allocation may come after it. So a constructor makes one
//! allocation, which reaches the declared `FailFast`, if there is one, with its `&self`: everything
//! is configured then. In a program that merely links the crate it reaches another allocator, and
//! nothing is done at all.
//!
//! | `STATE` | means | next |
//! |---|---|---|
//! | 0 | nobody has called | a thread number, by the first who does |
//! | a thread number | that thread is starting the process | `DONE` |
//! | `DONE` | the settings are there | |

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::fmt::Write as _;

use crate::config::{self, Config, Limit, Settings, Source};
use crate::ledger::UNLIMITED;
use crate::report::Account;
use crate::report::writer::FixedWriter;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::*};
use crate::sys::thread::{AtThreadEnd, step_aside};
use crate::sys::{exit, file, membarrier, process};
use crate::thread::{Record, Stage, record};
use crate::{stack, terminate};

use super::fork;
use super::machine::LEDGER;
use super::slow::account_of;
use super::{budgets, clusters, entered, owners};

/// What programs exit with that are told something impossible: EX_CONFIG of sysexits(3).
const EX_CONFIG: i32 = 78;

const DONE: u32 = u32::MAX;

static STATE: AtomicU32 = AtomicU32::new(0);
/// The root's budget as it was set; the ledger has none once it was exceeded and only observed.
static ROOT_BUDGET: AtomicUsize = AtomicUsize::new(UNLIMITED as usize);
/// Which of the names that have a budget a cluster was made of, a bit each, in their order.
static MATCHED: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
static SETTINGS: Once = Once(UnsafeCell::new((Config::new(), Settings::new())));
/// The digest of the configuration that is the process's; zero while there is none.
static AGREED: AtomicU64 = AtomicU64::new(0);
/// Whether a disagreement was said.
static DISAGREED: AtomicBool = AtomicBool::new(false);
static THREAD_END: AtThreadEnd = AtThreadEnd::new();

/// What is written once, before `STATE` says so. There from the beginning: it is 12 KiB, which
/// would have to be on the stack first.
struct Once(UnsafeCell<(Config, Settings)>);

// SAFETY: written by the one thread that took `STATE` from 0, read by others once it is `DONE`.
unsafe impl Sync for Once {}

/// Runs before `main`, and before the runtime's own set-up, in every program that links the crate.
#[used]
#[unsafe(link_section = ".init_array.00099")]
static CONSTRUCTOR: extern "C" fn() = constructor;

pub(super) extern "C" fn constructor() {
    #[cfg(feature = "c-threads")]
    super::c_threads::prepare();
    // A boxed byte that the compiler must not see through.
    drop(core::hint::black_box(std::boxed::Box::new(0_u8)));
}

/// Starts the process, if nobody has.
#[inline]
pub(super) fn ensure(config: &Config) {
    // ORDER: Acquire, with the Release of `start`: the settings are there.
    if STATE.load(Acquire) != DONE {
        start(config);
    }
}

#[cold]
fn start(config: &Config) {
    let (errno, record, me) = (process::errno(), record(), process::tid());
    // What is allocated meanwhile, by a signal handler on top of us, settles centrally.
    let was_new = record.begin_arming();
    if was_new {
        owners::arrive(record);
        record.slot.settle_centrally();
    }
    // ORDER: Acquire, with the Release below.
    match STATE.compare_exchange(0, me, Acquire, Acquire) {
        Ok(_) => {
            set_up(config);
            // ORDER: Release, with the Acquire loads of `STATE`.
            STATE.store(DONE, Release);
        }
        Err(starting) if starting == me => {} // What start-up itself allocates is not limited.
        Err(_) => wait_for_start(),
    }
    if was_new {
        record.slot.set_armed();
        record.set_stage(Stage::New);
    }
    process::set_errno(errno);
}

fn wait_for_start() {
    let mut round = 0;
    // ORDER: Acquire, with the Release of `start`.
    while STATE.load(Acquire) != DONE {
        step_aside(round);
        round += 1;
    }
}

/// Everything that happens once. By the one thread that took `STATE`.
fn set_up(config: &Config) {
    // An unusual link must not drop the constructor while it keeps this.
    core::hint::black_box(&CONSTRUCTOR);
    let in_executable = process::in_executable();
    // SAFETY: this thread alone took `STATE` from 0, and nobody reads before it is `DONE`.
    let place = unsafe { &mut *SETTINGS.0.get() };
    let (first, settings) = place;
    *first = *config;
    if config::resolve_here(config, settings).is_err() {
        if in_executable {
            process::exit_now(EX_CONFIG);
        }
        say(
            b"failfast: this is a shared library, which does not end its host: it goes on WITHOUT \
            what was refused above\n",
        );
    }
    let settings = &*settings;
    LEDGER.set_root_budget(to_budget(settings.budget_bytes));
    note_root_budget(to_budget(settings.budget_bytes));
    if !membarrier::register() {
        LEDGER.set_fenced();
    }
    if !terminate::prepare(settings) {
        say(b"failfast: FAILFAST_RESERVE: the reserve cannot be mapped; expected less, or a higher \
            limit on address space\n");
        if in_executable {
            process::exit_now(EX_CONFIG);
        }
    }
    if !terminate::attach_record(settings) && in_executable {
        process::exit_now(EX_CONFIG)
    }
    terminate::accounts_from(current_account, budgets::report_others);
    stack::arm_process(settings);
    if !fork::install() {
        say(b"failfast: warning: no room for fork handlers: a forked child's account starts too \
            high\n");
    }
    if !THREAD_END.install(depart) {
        say(b"failfast: warning: no pthread key is left: every allocation takes the slow path, and \
            threads have no stack guard\n");
    }
    if !in_executable && !process::stay_loaded() {
        say(b"failfast: warning: this library cannot be kept loaded: do not close it\n");
    }
    if settings.cluster_budgets.names().next().is_some() {
        exit::at_exit(say_unmatched);
    }
}

/// Says a line that is whole already.
fn say(line: &[u8]) {
    // There is nobody to tell if standard error cannot take it.
    let _ = file::write_all(2, line);
}

/// `usize::MAX`, and whatever the address space cannot hold, is no budget.
fn to_budget(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(UNLIMITED)
}

/// What was asked for first, and what it comes to. After [`ensure`].
fn once() -> &'static (Config, Settings) {
    // SAFETY: nobody writes it once `STATE` is `DONE`, which the caller has seen.
    unsafe { &*SETTINGS.0.get() }
}

/// The settings. After [`ensure`].
pub(super) fn settings() -> &'static Settings {
    &once().1
}

/// Whether the process has a `FailFast` that has been reached.
pub(crate) fn is_installed() -> bool {
    // ORDER: Acquire, as in `ensure`.
    STATE.load(Acquire) == DONE
}

/// The account of the cluster that this thread is in, for a report.
fn current_account() -> Account {
    account_of(LEDGER.figures_without_waiting(clusters::account(entered::current())))
}

/// The root's budget, as it was set.
pub(super) fn root_budget() -> Option<usize> {
    // ORDER: Relaxed. A number.
    Some(ROOT_BUDGET.load(Relaxed)).filter(|&bytes| bytes != UNLIMITED as usize)
}

/// Notes what the root's budget is.
pub(super) fn note_root_budget(bytes: isize) {
    ROOT_BUDGET.store(bytes as usize, Relaxed); // ORDER: Relaxed. As above.
}

/// The budget that was asked for by name, for clusters that are called so, and who asked.
pub(crate) fn budget_by_name(name: &str) -> Option<(Limit, Source)> {
    let budget = settings().cluster_budgets.get(name)?;
    let names = settings().cluster_budgets.names();
    for (place, _) in names.enumerate().filter(|(_, (known, _))| *known == name.as_bytes()) {
        if let Some(word) = MATCHED.get(place / 64) {
            word.fetch_or(1 << (place % 64), Relaxed); // ORDER: Relaxed. Read at exit.
        }
    }
    Some(budget)
}

/// Whether what asks for this has not been found to ask for what the process has.
#[inline(always)]
pub(super) fn is_stranger(asks: u64) -> bool {
    // ORDER: Relaxed. A stale answer costs one comparison.
    AGREED.load(Relaxed) != asks
}

/// Compares the configuration of another `FailFast` with the process's, `asks` being its digest.
#[cold]
pub(super) fn agree(config: &Config, asks: u64) {
    let first = &once().0;
    if first == config {
        // ORDER: Relaxed. As in `is_stranger`.
        AGREED.store(asks, Relaxed);
        return;
    }
    // ORDER: Relaxed. Whoever is first says it.
    if !DISAGREED.swap(true, Relaxed) {
        config::complain_of_second(first, config, &mut say);
    }
    if process::in_executable() {
        process::exit_now(EX_CONFIG);
    }
}

/// Says, when the program ends, which cluster budgets were for nobody: the names of clusters are
/// not known before, so a misspelt one could not be told at start.
extern "C" fn say_unmatched() {
    for (place, (name, source)) in settings().cluster_budgets.names().enumerate() {
        // ORDER: Relaxed. Only the one who exits looks.
        let word = MATCHED.get(place / 64).map_or(u64::MAX, |word| word.load(Relaxed));
        if word >> (place % 64) & 1 != 0 {
            continue;
        }
        let set_by = match source {
            Source::Environment => "FAILFAST_CLUSTER_BUDGETS",
            _ => "FailFast::cluster_budgets",
        };
        let mut buffer = [0; 256];
        let mut out = FixedWriter::new(&mut buffer);
        let name = core::str::from_utf8(name).unwrap_or("?");
        // A `FixedWriter` cuts; it never fails.
        let _ = write!(out, "failfast: {set_by}: no cluster is named `{name}`");
        out.end_line();
        say(out.as_bytes());
    }
}

/// A thread's first call: bounds, alternate stack, destructor.
#[cold]
pub(super) fn arrive(record: &'static Record) {
    // ORDER: Acquire, as in `ensure`.
    if STATE.load(Acquire) != DONE || !record.begin_arming() {
        return; // The thread that starts the process arrives afterwards.
    }
    let errno = process::errno();
    owners::arrive(record);
    record.slot.settle_centrally();
    record.tid.store(process::tid(), Relaxed); // ORDER: Relaxed. The thread's own word.
    let is_armed = THREAD_END.arm(core::ptr::from_ref(record).cast());
    if is_armed {
        stack::arm_thread(record);
        record.slot.set_armed();
    }
    record.set_stage(if is_armed { Stage::Armed } else { Stage::Left });
    process::set_errno(errno);
}

/// A thread's end: gives everything back. Destructors that come later settle centrally.
unsafe extern "C" fn depart(_: *mut c_void) {
    let record = record();
    // First: a signal handler on top of this must not give it new accounts with clusters.
    record.set_stage(Stage::Left);
    entered::depart(record);
    LEDGER.retire(&record.slot);
    stack::disarm_thread(record);
}
