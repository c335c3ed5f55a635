//! The program's last word.
//!
//! Layer 4.  Plane: failure.

use core::panic::AssertUnwindSafe;
use core::ptr;
use std::panic::catch_unwind;
use std::thread::panicking;

use crate::report::{Failure, HookOutcome, Report};
use crate::sync::{AtomicBool, AtomicPtr, Ordering::*};

/// What [`set_abort_hook`] is given.
pub type AbortHook = Box<dyn Fn(&Report) + Send + Sync>;

/// The hook. Boxed twice: a pointer to a `dyn` is two words, and no atomic is.
static HOOK: AtomicPtr<AbortHook> = AtomicPtr::new(ptr::null_mut());

/// Whether the program was panicking when it failed.
static WAS_PANICKING: AtomicBool = AtomicBool::new(false);

/// Sets what runs when the process is about to die, in place of what was set before.
///
/// It runs once, in the thread that failed, after the line and the report were written and before
/// SIGABRT; on a stack of its own of 256 KiB, whose end is guarded. What it allocates comes from
/// the reserve (`FAILFAST_RESERVE`, 256 KiB unless set), where nothing is ever given back. If it
/// panics, aborts, faults, exits, overflows its stack or needs more than the reserve, the process
/// dies of SIGABRT all the same, and a report in a file says `crashed`.
///
/// To try it, end the program on purpose: `fail_fast("a test of the hook")`.
///
/// Setting it costs two small allocations. A hook that is replaced while a thread is dying may
/// still run.
///
/// # Safety
///
/// The program is in the middle of something: whichever thread failed, its locks are held and its
/// data half changed, and that holds for every other thread too. The hook must be sound in that
/// state: it must not rely on what the program keeps consistent under a lock or within a function.
///
/// It should also not wait for any other thread: not for a lock, a channel, or a buffered stream
/// such as `println!`'s, which takes a lock. It may allocate, format, write to files and sockets of
/// its own, and read what is atomic. It must not use `fork` (the child would find its stack wiped);
/// starting a program with `std::process::Command` is no fork, unless `pre_exec` is used.
///
/// It must not start a thread, and must not give memory that it has allocated to one: that memory
/// comes from the reserve (`FAILFAST_RESERVE`, 256 KiB), and another thread would free it to the
/// inner allocator. `std::backtrace::Backtrace` needs more than the default reserve, and
/// so does a panic that prints one (`RUST_BACKTRACE=1`), which ends there as a panic;
/// [`Report::backtrace`] costs nothing. A hook that fails, by a panic, a signal, or for want of
/// room, ends at once, and the report in a file says `crashed`, and how. One that has not returned
/// by the deadline (`FAILFAST_HOOK_TIMEOUT`) is stopped there: `timeout`.
///
/// Every other thread stands still meanwhile. If one could not be shown to have stopped, the hook
/// does not run: `skipped`. (A thread that has blocked every signal by a system call of its own,
/// past the C library, and waits in the C library for another one, counts as stopped: the hook
/// must not wake it.)
///
/// # Examples
///
/// ```
/// use std::io::Write as _;
///
/// // SAFETY: the hook formats into memory of its own and writes to its own file.
/// unsafe {
///     failfast_alloc::set_abort_hook(|report| {
///         let note = format!("died of {}: {report}\n", report.cause().code());
///         if let Ok(mut file) = std::fs::File::create("/tmp/last-words") {
///             let _ = file.write_all(note.as_bytes());
///         }
///     });
/// }
/// # assert!(failfast_alloc::take_abort_hook().is_some());
/// ```
pub unsafe fn set_abort_hook(hook: impl Fn(&Report) + Send + Sync + 'static) {
    let hook: Box<AbortHook> = Box::new(Box::new(hook));
    drop(swap(Box::into_raw(hook)));
}

/// Takes the hook away, and returns it. `None` if none is set, or if it is running.
///
/// # Examples
///
/// ```
/// // SAFETY: a hook that does nothing relies on nothing.
/// unsafe { failfast_alloc::set_abort_hook(|_| {}) };
/// assert!(failfast_alloc::take_abort_hook().is_some());
/// assert!(failfast_alloc::take_abort_hook().is_none());
/// ```
pub fn take_abort_hook() -> Option<AbortHook> {
    swap(ptr::null_mut()).map(|hook| *hook)
}

/// Puts `new` in the hook's place. Whoever takes it out of there owns it.
fn swap(new: *mut AbortHook) -> Option<Box<AbortHook>> {
    // ORDER: AcqRel. Release: who takes `new` sees the closure. Acquire: we see the old one's.
    let old = HOOK.swap(new, AcqRel);
    // SAFETY: only `set_abort_hook` stores a pointer that is not null, from a box, and every swap
    // takes it out of the others' reach.
    (!old.is_null()).then(|| unsafe { Box::from_raw(old) })
}

/// Whether there is a hook.
pub(super) fn is_set() -> bool {
    // ORDER: Relaxed. Nothing is read through the pointer.
    !HOOK.load(Relaxed).is_null()
}

/// Why the reserve has no more. A panic that is told with a backtrace needs all of it: then it is
/// the panic that the hook has failed by. Only the elected thread.
pub(super) fn failure_for_want_of_room() -> Failure {
    // ORDER: Relaxed. This thread's own.
    if panicking() && !WAS_PANICKING.load(Relaxed) { Failure::Panic } else { Failure::Reserve }
}

/// Runs the hook. Only the elected thread.
pub(super) fn run(report: &'static Report) -> HookOutcome {
    // Taken out, so that nobody frees it meanwhile; never freed, since its destructor is nobody's
    // last word.
    let Some(hook) = swap(ptr::null_mut()) else { return HookOutcome::None };
    let hook = core::mem::ManuallyDrop::new(hook);
    // ORDER: Relaxed. Only this thread reads it.
    WAS_PANICKING.store(panicking(), Relaxed);
    match catch_unwind(AssertUnwindSafe(|| hook(report))) {
        Ok(()) => HookOutcome::Ran,
        Err(payload) => {
            // Its destructor might panic in turn.
            core::mem::forget(payload);
            HookOutcome::Crashed(Failure::Panic)
        }
    }
}
