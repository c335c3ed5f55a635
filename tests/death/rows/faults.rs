//! Faults that are no overflows: whoever was there before us gets them, as they came.

use std::ffi::{c_int, c_void};

use failfast_alloc_rows::witness::{self, FREE};
use failfast_alloc_rows::{End, Row};

use crate::tools::*;

const SEGV: End = End::Signal(libc::SIGSEGV);

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::silent("null", SEGV, || write_to(0)),
        Row::silent("null_in_a_thread", SEGV, || {
            let _ = std::thread::spawn(|| write_to(0)).join();
        }),
        Row::silent("wild", SEGV, || write_to(0x1234_5678_9000)),
        Row::silent("non_canonical", SEGV, || write_to(0x1234_5678_9abc_def0)),
        Row::silent("into_a_guard_from_the_same_thread", SEGV, || {
            let _ = std::thread::spawn(|| write_to(bounds().0 - 100)).join();
        }),
        Row::silent("into_a_guard_from_another_thread", SEGV, || {
            std::thread::spawn(|| {
                witness::note(FREE, (bounds().0 - 100) as u64);
                std::thread::park();
            });
            witness::wait_for(FREE);
            write_to(witness::read(FREE) as usize);
        }),
        Row::silent("raised_sigsegv", SEGV, || raise(libc::SIGSEGV)),
        Row::silent("raised_sigbus", End::Signal(libc::SIGBUS), || raise(libc::SIGBUS)),
        Row::silent("killed", SEGV, || {
            // SAFETY: our own process.
            unsafe { libc::kill(libc::getpid(), libc::SIGSEGV) };
        }),
        Row::silent("sent_with_an_address_next_to_the_stack_pointer", SEGV, || {
            let here = 0_u64;
            // `si_signo`, `si_errno`, `si_code`; then a fault's address, or the sender's.
            let mut info = [0_u64; 16];
            info[0] = libc::SIGSEGV as u64;
            info[1] = u64::from(libc::SI_QUEUE as u32);
            info[2] = &raw const here as u64;
            // SAFETY: numbers, and a `siginfo_t` of 128 bytes.
            unsafe {
                let (call, pid) = (libc::SYS_rt_tgsigqueueinfo, libc::getpid());
                libc::syscall(call, pid, libc::gettid(), libc::SIGSEGV, info.as_ptr());
            }
        }),
        Row::silent("beyond_a_file", End::Signal(libc::SIGBUS), || {
            let at = beyond_a_file();
            write_to(at);
        }),
        Row::silent("raised_while_ignored_before", End::Exit(0), || raise(libc::SIGSEGV))
            .before_exec(|| on_signal(libc::SIGSEGV, libc::SIG_IGN, 0)),
        Row::silent("null_while_ignored_before", SEGV, || write_to(0))
            .before_exec(|| on_signal(libc::SIGSEGV, libc::SIG_IGN, 0)),
    ];
    rows.extend(handled());
    rows
}

/// With a handler that was installed before ours, or after.
fn handled() -> Vec<Row> {
    vec![
        Row::silent("handler_before_us_mends_and_goes_on", End::Exit(0), || {
            let at = protected();
            witness::note(FREE + 1, at as u64);
            write_to(at);
            assert_eq!(witness::read(FREE), 1);
            // The next one comes to it as well.
            let at = protected();
            witness::note(FREE + 1, at as u64);
            write_to(at);
            assert_eq!(witness::read(FREE), 2);
        })
        .env(EARLY, "mend"),
        Row::silent("handler_before_us_is_told_of_a_raise", End::Exit(0), || {
            raise(libc::SIGSEGV);
            raise(libc::SIGSEGV);
            assert_eq!(witness::read(FREE), 2);
        })
        .env(EARLY, "count"),
        Row::dies("overflow_with_a_handler_before_us", "stack-overflow", "<any>", || {
            raise(libc::SIGSEGV);
            overflow_by_small_frames();
        })
        .env(EARLY, "count")
        .check(|outcome| assert_eq!(outcome.page.get(FREE), 1)),
        Row::silent("handler_before_us_for_one_time", SEGV, || {
            raise(libc::SIGSEGV);
            assert_eq!(witness::read(FREE), 1);
            raise(libc::SIGSEGV);
        })
        .env(EARLY, "once"),
        Row::silent("handler_after_us", End::Exit(7), || {
            extern "C" fn leave(_: c_int) {
                // SAFETY: no preconditions.
                unsafe { libc::_exit(7) };
            }
            on_signal(libc::SIGSEGV, leave as *const () as usize, libc::SA_ONSTACK);
            write_to(0);
        }),
    ]
}

fn raise(signal: c_int) {
    // SAFETY: no preconditions.
    unsafe { libc::raise(signal) };
}

/// A page that cannot be written to.
fn protected() -> usize {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(at, libc::MAP_FAILED);
    at as usize
}

/// Names what is installed before us.
const EARLY: &str = "DEATH_EARLY_HANDLER";

#[used]
#[unsafe(link_section = ".init_array.00001")]
static INSTALL_EARLY: extern "C" fn() = install_early;

/// Before our own constructor, as a crash reporter that is loaded first.
extern "C" fn install_early() {
    match early(c"DEATH_EARLY_HANDLER") {
        b"mend" => on_signal(libc::SIGSEGV, mend as *const () as usize, libc::SA_SIGINFO),
        b"count" => on_signal(libc::SIGSEGV, count as *const () as usize, 0),
        b"once" => on_signal(libc::SIGSEGV, count as *const () as usize, libc::SA_RESETHAND),
        _ => {}
    }
}

/// Has the page that was written to be writable, if all that it is told is right.
extern "C" fn mend(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    witness::count(FREE);
    // SAFETY: the kernel's arguments.
    let (info, context) = unsafe { (&*info, &*context.cast::<libc::ucontext_t>()) };
    // SAFETY: a fault has an address.
    let address = unsafe { info.si_addr() } as usize;
    #[cfg(target_arch = "x86_64")]
    let instruction = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
    #[cfg(target_arch = "aarch64")]
    let instruction = context.uc_mcontext.pc as usize;
    let expected = witness::read(FREE + 1) as usize;
    let in_writer = instruction.abs_diff(write_to as *const () as usize) < 4096;
    let mut mask: libc::sigset_t = context.uc_sigmask;
    // SAFETY: complete sets.
    let blocked = unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
        libc::sigismember(&mask, libc::SIGSEGV) == 1
    };
    if signal != libc::SIGSEGV || address != expected || !in_writer || !blocked {
        witness::count(witness::FORBIDDEN);
        // SAFETY: no preconditions.
        unsafe { libc::_exit(99) };
    }
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a page of `protected`.
    unsafe { libc::mprotect(address as *mut c_void, 4096, access) };
}

extern "C" fn count(_: c_int) {
    witness::count(FREE);
}
