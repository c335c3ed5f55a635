//! The process that fails.

use std::hint::black_box;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use crash_handler::{CrashContext, CrashEventResult, CrashHandler, make_crash_event};
use failfast_alloc::set_abort_hook;
use failfast_alloc_dying::say;
use failfast_alloc_rows::tools::{early, linger};

use crate::cases::{Attached, Callback, Case, Trouble};

const OTHERS: usize = 4;

/// What other threads count while they run.
static COUNTERS: [AtomicU64; OTHERS] = [const { AtomicU64::new(0) }; OTHERS];
static CALLBACK: OnceLock<Callback> = OnceLock::new();
/// Whether the process is dying by our doing.
static IS_DYING: AtomicBool = AtomicBool::new(false);

/// Before our own constructor, if the case wants it so. It must not allocate: that would start us.
#[used]
#[unsafe(link_section = ".init_array.00010")]
static CONSTRUCTOR: extern "C" fn() = {
    extern "C" fn constructor() {
        if early(failfast_alloc_rows::ROW_C).starts_with(b"before") {
            attach();
        }
    }
    constructor
};

fn attach() {
    // SAFETY: what the callback does is what the cases are about.
    let event = unsafe { make_crash_event(on_crash) };
    std::mem::forget(CrashHandler::attach(event).expect("no other one is attached"));
}

/// Fails as the case says.
pub(crate) fn run(case: &Case) {
    CALLBACK.get_or_init(|| case.callback);
    if case.attached == Attached::After {
        attach();
    }
    let hook = |_: &failfast_alloc::Report| {
        IS_DYING.store(true, SeqCst);
        say("hook");
    };
    // SAFETY: an atomic and a system call.
    unsafe { set_abort_hook(hook) };
    start_others();
    match case.trouble {
        Trouble::OverBudget => drop(black_box(vec![1_u8; 64 << 20])),
        Trouble::Overflow => drop(black_box(overflow(0))),
        Trouble::OverflowOfAThread => {
            let _ = std::thread::spawn(|| black_box(overflow(0))).join();
        }
        // SAFETY: there is none; that is the point.
        Trouble::NullPointer => unsafe { black_box(ptr::null_mut::<u8>()).write_volatile(1) },
        Trouble::Abort => std::process::abort(),
    }
}

fn start_others() {
    for counter in &COUNTERS {
        std::thread::spawn(move || {
            loop {
                counter.fetch_add(1, SeqCst);
            }
        });
    }
    while COUNTERS.iter().any(|counter| counter.load(SeqCst) == 0) {
        std::thread::yield_now();
    }
}

#[allow(unconditional_recursion, reason = "that is what it is for")]
fn overflow(depth: u64) -> u64 {
    let here = black_box([depth; 16]);
    overflow(depth + 1) + black_box(here)[3]
}

/// What the reporter does when it is told.
fn on_crash(context: &CrashContext) -> CrashEventResult {
    say_callback(context.siginfo.ssi_signo as i32);
    match CALLBACK.get() {
        Some(Callback::Handles) => CrashEventResult::Handled(true),
        Some(Callback::Hangs) => loop {
            std::hint::spin_loop();
        },
        Some(Callback::Faults) => {
            // SAFETY: there is none; that is the point.
            unsafe { black_box(ptr::null_mut::<u8>()).write_volatile(1) };
            CrashEventResult::Handled(true)
        }
        Some(Callback::Aborts) => std::process::abort(),
        Some(Callback::Panics) => panic!("in the callback"),
        Some(Callback::Exits) => std::process::exit(0),
        Some(Callback::Declines) | None => CrashEventResult::Handled(false),
    }
}

fn say_callback(signal: i32) {
    let name = match signal {
        libc::SIGABRT => "callback SIGABRT",
        libc::SIGSEGV => "callback SIGSEGV",
        _ => "callback for another signal",
    };
    if !IS_DYING.load(SeqCst) {
        return say(name);
    }
    let seen: [u64; OTHERS] = std::array::from_fn(|i| COUNTERS[i].load(SeqCst));
    linger();
    let moved = seen.iter().zip(&COUNTERS).filter(|(then, now)| **then != now.load(SeqCst)).count();
    match (signal, moved) {
        (libc::SIGABRT, 0) => say("callback SIGABRT, 0 others moved"),
        (_, 0) => say("callback for another signal, 0 others moved"),
        _ => say("others moved"),
    }
}
