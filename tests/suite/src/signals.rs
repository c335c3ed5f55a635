//! Handlers that come between: of signals, and of fork.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use failfast_alloc::{FailFast, fallible, usage};

use crate::{Scenario, plain};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        env: &[("FAILFAST_BUDGET", "4MiB")],
        ..plain("a_signal_handler_that_allocates", signals)
    },
    plain("fork_handlers_that_allocate", fork_handlers),
];

/// Hands out addresses, and no memory: for what must not depend on the inner allocator, which few
/// handlers may enter.
struct Addresses;

// SAFETY: nobody reads or writes what it hands out.
unsafe impl GlobalAlloc for Addresses {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        std::ptr::without_provenance_mut(layout.align())
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

static ADDRESSES: FailFast<Addresses> = FailFast::new(Addresses);
static ENTERED: AtomicU64 = AtomicU64::new(0);

/// Allocates and frees, a small block and one for which the ledger must be asked.
fn churn(most: usize) {
    for size in [24, most] {
        let layout = Layout::from_size_align(size, 8).unwrap();
        // SAFETY: not empty; freed once, if it was granted.
        unsafe {
            let block = fallible(|| ADDRESSES.alloc(layout));
            if !block.is_null() {
                ADDRESSES.dealloc(block, layout);
            }
        }
    }
}

extern "C" fn on_alarm(_: i32) {
    ENTERED.fetch_add(1, Relaxed);
    churn(3 << 20);
}

/// A timer interrupts a loop of charges and refunds at any instruction, the ledger's lock included;
/// its handler does the same on top. Nothing hangs, and not one byte is lost.
fn signals() {
    churn(1 << 20);
    let before = usage().live;
    // SAFETY: a stack for handlers, of fresh memory; a handler of the right type; the timer is
    // readable.
    unsafe {
        // Below every stack's limit: there each call of the handler leaves the fast path.
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let low = libc::mmap(std::ptr::null_mut(), 1 << 16, access, flags, -1, 0);
        assert!(low != libc::MAP_FAILED && low.addr() < 1 << 32);
        let stack = libc::stack_t { ss_sp: low, ss_flags: 0, ss_size: 1 << 16 };
        assert_eq!(libc::sigaltstack(&stack, std::ptr::null_mut()), 0);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_alarm as extern "C" fn(i32) as libc::sighandler_t;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()), 0);
        let tick = libc::timeval { tv_sec: 0, tv_usec: 97 };
        let timer = libc::itimerval { it_interval: tick, it_value: tick };
        libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
    }
    while ENTERED.load(Relaxed) < 5000 {
        churn(1 << 20);
    }
    // SAFETY: as above.
    unsafe {
        let never = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let timer = libc::itimerval { it_interval: never, it_value: never };
        libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
    }
    assert_eq!(usage().live, before, "an interrupted charge was lost");
}

static ALLOCATE_IN_FORK: AtomicBool = AtomicBool::new(false);
static FORK_HANDLERS: AtomicU64 = AtomicU64::new(0);

/// Registered before ours, so that its `prepare` runs while the ledger's lock is held.
#[used]
#[unsafe(link_section = ".init_array.00040")]
static REGISTER: extern "C" fn() = register;

extern "C" fn register() {
    // SAFETY: three functions of the right type.
    unsafe { libc::pthread_atfork(Some(around_fork), Some(around_fork), Some(around_fork)) };
}

unsafe extern "C" fn around_fork() {
    if ALLOCATE_IN_FORK.load(Relaxed) {
        FORK_HANDLERS.fetch_add(1, Relaxed);
        churn(100_000);
    }
}

/// How many signals this thread blocks.
fn blocked_signals() -> usize {
    // SAFETY: a set that is written before it is read.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), &mut set);
        (1..=64).filter(|&signal| libc::sigismember(&set, signal) == 1).count()
    }
}

fn fork_handlers() {
    let before = usage().live;
    ALLOCATE_IN_FORK.store(true, Relaxed);
    for _ in 0..20 {
        // SAFETY: the child only looks, and ends.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let fine = usage().live == before && blocked_signals() == 0;
            // SAFETY: ends the child.
            unsafe { libc::_exit(if fine { 0 } else { 1 }) };
        }
        assert_eq!(blocked_signals(), 0, "signals stay blocked after a fork");
        let mut status = 0;
        // SAFETY: our own child, and a writable status.
        unsafe { libc::waitpid(pid, &mut status, 0) };
        assert_eq!(status, 0, "the child ended with {status:#x}");
    }
    assert_eq!(FORK_HANDLERS.load(Relaxed), 40);
    assert_eq!(usage().live, before);
}
