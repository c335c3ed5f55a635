//! The process that fails, and fails again.

use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use failfast_alloc::{fail_fast, fault_injection, set_abort_hook};
use failfast_alloc_dying::say;

use crate::cases::{Case, Fault, Phase};

static COUNTS: AtomicU64 = AtomicU64::new(0);
static HOOK_COUNTS: AtomicU64 = AtomicU64::new(0);

/// Fails as the case says.
pub(crate) fn run(case: &Case) {
    let is_overdue = case.phase == Phase::Overdue;
    let hook = move |_: &failfast_alloc::Report| {
        say("hook");
        if is_overdue {
            loop {
                HOOK_COUNTS.fetch_add(1, SeqCst);
            }
        }
    };
    // SAFETY: an atomic and a system call.
    unsafe { set_abort_hook(hook) };
    for (fault, signal) in [(Fault::Handled, libc::SIGUSR1), (Fault::Sent, libc::SIGABRT)] {
        if case.fault == fault {
            // SAFETY: a handler of one argument.
            unsafe { libc::signal(signal, handler as *const () as usize) };
        }
    }
    if case.fault == Fault::Forks {
        PARENT.store(std::process::id(), SeqCst);
        // SAFETY: a handler of one argument.
        unsafe { libc::signal(libc::SIGABRT, tell as *const () as usize) };
        std::thread::spawn(fork_when_asked);
    }
    for _ in 0..3 {
        std::thread::spawn(|| {
            loop {
                COUNTS.fetch_add(1, SeqCst);
            }
        });
    }
    while COUNTS.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    assert!(fault_injection::inject(case.phase.name(), what(case.fault), case.again));
    fail_fast("enough");
}

fn what(fault: Fault) -> fn() {
    match fault {
        // SAFETY: there is none; that is the point.
        Fault::Segv => || unsafe { black_box(ptr::null_mut::<u8>()).write_volatile(1) },
        Fault::Illegal => illegal,
        Fault::Abort => || std::process::abort(),
        Fault::Panic => || panic!("a bug"),
        Fault::Overflow => || {
            black_box(overflow(0));
        },
        Fault::Reserve => || {
            black_box(Vec::<u8>::with_capacity(1 << 30));
        },
        Fault::Exit => || std::process::exit(3),
        Fault::Hang => || {
            loop {
                std::hint::spin_loop();
            }
        },
        // SAFETY: our own process.
        Fault::Kill => || unsafe {
            libc::kill(libc::getpid(), libc::SIGKILL);
        },
        // SAFETY: no preconditions.
        Fault::Handled => || unsafe {
            libc::raise(libc::SIGUSR1);
        },
        Fault::Forks => || {
            FORKS.store(1, SeqCst);
            while FORKS.load(SeqCst) < 2 {
                std::hint::spin_loop();
            }
        },
        Fault::Looks => || {
            // More than once: on a busy machine it may not have had the time to be stopped.
            let stands = (0..4).any(|_| {
                let then = HOOK_COUNTS.load(SeqCst);
                let time = libc::timespec { tv_sec: 0, tv_nsec: 10_000_000 };
                // SAFETY: a complete time.
                unsafe { libc::nanosleep(&time, ptr::null_mut()) };
                HOOK_COUNTS.load(SeqCst) == then
            });
            say(if stands { "it stands" } else { "it goes on" });
        },
        // SAFETY: as above.
        Fault::Sent => || unsafe {
            libc::raise(libc::SIGABRT);
        },
    }
}

static PARENT: AtomicU32 = AtomicU32::new(0);
/// 1: another thread is to fork; 2: the child has ended.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// The program's own handler, in whatever process.
extern "C" fn tell(_: libc::c_int) {
    let is_parent = std::process::id() == PARENT.load(SeqCst);
    say(if is_parent { "told" } else { "told in the child" });
}

fn fork_when_asked() {
    while FORKS.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    // SAFETY: the child fails at once.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(failfast_alloc::take_abort_hook());
        fail_fast("the child, too");
    }
    // SAFETY: a child of ours; what became of it need not be told.
    unsafe { libc::waitpid(child, ptr::null_mut(), 0) };
    FORKS.store(2, SeqCst);
    loop {
        std::hint::spin_loop();
    }
}

/// What interrupts dying must not be the program's own.
extern "C" fn handler(_: libc::c_int) {
    say("handler");
}

fn illegal() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: there is none; that is the point.
    unsafe {
        std::arch::asm!("ud2")
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("udf #0")
    };
}

#[allow(unconditional_recursion, reason = "that is what it is for")]
fn overflow(depth: u64) -> u64 {
    let here = black_box([depth; 16]);
    overflow(depth + 1) + black_box(here)[3]
}
