//! Signals: how they are handled, blocked and sent.
//!
//! Layer 1.  Plane: failure.
//!
//! Reading, forwarding, blocking and sending are raw system calls: the C library keeps some signals
//! to itself, and newer ones take a lock around SIGABRT, which a halted thread may hold.

use core::ffi::{c_int, c_void};
use core::ptr;

use super::process::{pid, tid};
use crate::sync::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// A signal handler that is told everything.
pub(crate) type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// What a handler is told of a signal.
pub(crate) type Info = libc::siginfo_t;

/// The signal of an abort.
pub(crate) const SIGABRT: c_int = libc::SIGABRT;

/// What happens on a signal, as the kernel keeps it (`struct sigaction` of its own headers).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub(crate) struct Action {
    /// The handler's address, `SIG_DFL` or `SIG_IGN`.
    pub(crate) handler: usize,
    /// `SA_…`.
    pub(crate) flags: usize,
    /// Where a handler returns to.
    pub(crate) restorer: usize,
    /// What is blocked meanwhile, besides the signal itself.
    pub(crate) mask: u64,
}

impl Action {
    /// The default action.
    pub(crate) const DEFAULT: Self =
        Self { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
}

/// An action that a signal handler can look up.
///
/// The four words are read one by one. They change only before the handler that reads them is
/// installed, and when a handler that is to run once has run.
pub(crate) struct Saved {
    handler: AtomicUsize,
    flags: AtomicUsize,
    restorer: AtomicUsize,
    mask: AtomicU64,
}

impl Saved {
    /// The default action.
    pub(crate) const fn new() -> Self {
        Self {
            handler: AtomicUsize::new(libc::SIG_DFL),
            flags: AtomicUsize::new(0),
            restorer: AtomicUsize::new(0),
            mask: AtomicU64::new(0),
        }
    }

    /// Remembers `action`.
    pub(crate) fn set(&self, action: &Action) {
        // ORDER: Relaxed, all. Installing a handler is a system call, after which this thread's
        // handlers see the words; other threads' follow from how they learnt of the program.
        self.handler.store(action.handler, Relaxed);
        self.flags.store(action.flags, Relaxed);
        self.restorer.store(action.restorer, Relaxed);
        self.mask.store(action.mask, Relaxed);
    }

    /// What was remembered.
    pub(crate) fn get(&self) -> Action {
        // ORDER: Relaxed, all. As in `set`.
        Action {
            handler: self.handler.load(Relaxed),
            flags: self.flags.load(Relaxed),
            restorer: self.restorer.load(Relaxed),
            mask: self.mask.load(Relaxed),
        }
    }
}

/// The signals that a thread brings upon itself, `abort` among them.
pub(crate) const OWN_FAULTS: [i32; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGSYS,
    libc::SIGTRAP,
    libc::SIGABRT,
];

/// All of `OWN_FAULTS`, as a mask.
pub(crate) const OWN_FAULTS_MASK: u64 = {
    let (mut mask, mut i) = (0, 0);
    while i < OWN_FAULTS.len() {
        mask |= bit(OWN_FAULTS[i]);
        i += 1;
    }
    mask
};

/// What a bad address brings.
pub(crate) const SIGSEGV: i32 = libc::SIGSEGV;
/// What a bad mapping brings, and on some processors a bad address too.
pub(crate) const SIGBUS: i32 = libc::SIGBUS;

/// The place of a signal in a mask.
pub(crate) const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// What happens on `signal` now.
pub(crate) fn action(signal: i32) -> Option<Action> {
    let mut now = Action::DEFAULT;
    rt_sigaction(signal, ptr::null(), &raw mut now).then_some(now)
}

/// Sets what happens on `signal`. `false` if the kernel refuses.
///
/// # Safety
///
/// `action` was read by `action` while it was in force for some signal, or is `DEFAULT`; and its
/// handler, if it has one, is sound for this signal too.
pub(crate) unsafe fn set_action(signal: i32, action: &Action) -> bool {
    rt_sigaction(signal, action, ptr::null_mut())
}

/// Has `handler` called on `signal`: on the alternate stack, with nothing blocked meanwhile, so
/// that a fault inside it is seen as well.
///
/// # Safety
///
/// `handler` is sound wherever `signal` may strike.
pub(crate) unsafe fn install(signal: i32, handler: Handler) -> bool {
    // SAFETY: the caller's clause.
    unsafe { install_with(signal, handler, 0) }
}

/// As `install`, with the signals of `mask` blocked meanwhile.
///
/// # Safety
///
/// As `install`.
pub(super) unsafe fn install_with(signal: i32, handler: Handler, mask: u64) -> bool {
    // SAFETY: zeroes are a valid action: the default one, with an empty mask.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    for number in (1..=64).filter(|&number| mask & bit(number) != 0) {
        // SAFETY: a signal that exists; the set is this action's.
        unsafe { libc::sigaddset(&raw mut action.sa_mask, number) };
    }
    // By the C library: only it knows where a handler has to return to.
    // SAFETY: a complete action, whose handler the caller answers for.
    unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) == 0 }
}

/// Runs `f`, which may write to a pipe that nobody reads, in a thread that goes on afterwards: no
/// SIGPIPE is left behind.
pub(crate) fn without_sigpipe(f: impl FnOnce()) {
    let mask = bit(libc::SIGPIPE);
    let (mut before, mut pending) = (0_u64, 0_u64);
    // SAFETY: the result has the 8 bytes that are announced.
    unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut pending, size_of::<u64>()) };
    // SAFETY: both masks have the 8 bytes that are announced.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_BLOCK,
            &raw const mask,
            &raw mut before,
            size_of::<u64>(),
        );
    }
    f();
    if pending & mask == 0 {
        let (nothing, at_once) =
            (ptr::null_mut::<libc::siginfo_t>(), libc::timespec { tv_sec: 0, tv_nsec: 0 });
        // SAFETY: a mask of 8 bytes and a time; what is taken need not be told.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &raw const mask,
                nothing,
                &raw const at_once,
                size_of::<u64>(),
            );
        }
    }
    change_mask(libc::SIG_SETMASK, before);
}

/// Blocks every signal in this thread but those of `open` (a mask), the C library's own included.
pub(crate) fn block_all_but(open: u64) {
    change_mask(libc::SIG_SETMASK, !open);
}

/// Blocks the signals of `mask` too.
pub(crate) fn block(mask: u64) {
    change_mask(libc::SIG_BLOCK, mask);
}

/// Lets the signals of `mask` through in this thread.
pub(crate) fn open(mask: u64) {
    change_mask(libc::SIG_UNBLOCK, mask);
}

/// Lets `signal` through in this thread.
pub(crate) fn unblock(signal: i32) {
    change_mask(libc::SIG_UNBLOCK, bit(signal));
}

/// Sends `signal` to this thread, as itself.
pub(crate) fn send_to_self(signal: i32) {
    // SAFETY: numbers only.
    unsafe { libc::syscall(libc::SYS_tgkill, pid(), tid(), signal) };
}

/// Has nobody's `pthread_cancel` end this thread from now on: what is to be done is to be finished.
pub(crate) fn refuse_cancellation() {
    exchange_cancellation(CANCELLATION_OFF);
}

/// PTHREAD_CANCEL_DISABLE, which both C libraries number so.
pub(crate) const CANCELLATION_OFF: c_int = 1;

/// Sets whether `pthread_cancel` may end this thread, and returns what was set before.
pub(crate) fn exchange_cancellation(state: c_int) -> c_int {
    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    }
    let mut before = 0;
    // SAFETY: the state exists; the result is writable. Both C libraries touch this thread's own
    // words only.
    unsafe { pthread_setcancelstate(state, &raw mut before) };
    before
}

/// Sets what happens on `signal`, and returns what did before; `None` if the kernel refuses.
///
/// # Safety
///
/// As `set_action`.
pub(crate) unsafe fn exchange_action(signal: i32, action: &Action) -> Option<Action> {
    let mut before = Action::DEFAULT;
    rt_sigaction(signal, action, &raw mut before).then_some(before)
}

fn rt_sigaction(signal: i32, new: *const Action, old: *mut Action) -> bool {
    // SAFETY: each pointer is null or to an action of the kernel's shape, whose mask has 8 bytes;
    // `set_action` hands its caller's clause on.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, size_of::<u64>()) == 0 }
}

/// Sets this thread's signal mask, and returns the one before.
pub(crate) fn exchange_mask(mask: u64) -> u64 {
    change_mask(libc::SIG_SETMASK, mask)
}

fn change_mask(how: i32, mask: u64) -> u64 {
    let (mask, mut before) = (&raw const mask, 0_u64);
    // SAFETY: both masks have the 8 bytes that are announced, and the second is writable.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, how, mask, &raw mut before, size_of::<u64>());
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn nothing(_: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {}

    #[test]
    fn the_kernel_says_what_was_installed() {
        // A signal that no other test uses: dispositions belong to the process.
        let signal = libc::SIGXFSZ;
        let before = action(signal).unwrap();
        // SAFETY: the handler does nothing.
        assert!(unsafe { install(signal, nothing) });
        let now = action(signal).unwrap();
        assert_eq!(now.handler, nothing as *const () as usize);
        let flags = (libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER) as usize;
        assert_eq!((now.flags & flags, now.mask), (flags, 0));
        // SAFETY: what was in force.
        assert!(unsafe { set_action(signal, &before) });
        assert_eq!(action(signal).unwrap().handler, before.handler);
    }

    #[test]
    fn there_is_no_action_for_a_signal_that_does_not_exist() {
        assert_eq!(action(200), None);
    }
}
