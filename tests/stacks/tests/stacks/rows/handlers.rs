//! Signal handlers: overflows inside them, stacks of theirs, and handlers of others.

use std::ffi::c_int;
use std::hint::black_box;

use failfast_alloc_rows::witness::{self, FORBIDDEN, FREE};
use failfast_alloc_rows::{End, Row};

use super::{by_guard, found, on_alternate, overflows};
use crate::tools::*;

const SEGV: End = End::Signal(libc::SIGSEGV);

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = inside();
    rows.extend(on_stacks_of_others());
    rows.extend(never());
    rows.extend(chained());
    rows
}

fn inside() -> Vec<Row> {
    vec![
        overflows("in_a_handler_on_the_threads_stack", || in_handler(0, small)).check(by_guard),
        overflows("in_a_handler_on_the_alternate_stack", || in_handler(libc::SA_ONSTACK, small))
            .check(on_alternate),
        overflows("in_a_handler_by_a_leaf_below_its_frame", || {
            in_handler(libc::SA_ONSTACK, leaf);
        })
        .check(on_alternate),
        overflows("in_a_handler_of_a_thread", || {
            witness::open();
            let _ = std::thread::spawn(|| in_handler(libc::SA_ONSTACK, small)).join();
        })
        .check(on_alternate),
        overflows("blocked_and_found_by_the_probe", || {
            block_all_raw();
            overflow_by_allocation();
        })
        .check(super::by_probe),
        // Nobody can be told: the kernel does not deliver what is blocked, and kills.
        Row::silent("blocked_and_found_by_nobody", SEGV, || {
            block_all_raw();
            overflow_by_small_frames();
        }),
        // Its owner would have to pass it on, and can run only if it has a stack for it.
        Row::silent("a_later_handler_without_sa_onstack", SEGV, || {
            on_signal(libc::SIGSEGV, leave as *const () as usize, 0);
            overflow_by_small_frames();
        }),
        Row::silent("a_later_handler_with_sa_onstack", End::Exit(7), || {
            on_signal(libc::SIGSEGV, leave as *const () as usize, libc::SA_ONSTACK);
            overflow_by_small_frames();
        }),
    ]
}

/// Alternate stacks that the program gives its threads in place of ours.
fn on_stacks_of_others() -> Vec<Row> {
    vec![
        overflows("user_stack_of_8_kib_after_us", || {
            set_stack(8 << 10);
            overflow_by_small_frames();
        })
        .check(by_guard),
        overflows("user_stack_of_8_kib_of_a_thread", || {
            let _ = std::thread::spawn(|| {
                set_stack(8 << 10);
                overflow_by_small_frames();
            })
            .join();
        })
        .check(by_guard),
        overflows("user_stack_of_8_kib_and_an_overflow_on_it", || {
            set_stack(8 << 10);
            in_handler(libc::SA_ONSTACK, small);
        })
        .check(|outcome| found(outcome, "guard", "signal")),
        overflows("user_stack_with_just_enough_room", || {
            set_stack(kernel_frame_bytes() + ENOUGH);
            overflow_by_small_frames();
        })
        .check(by_guard),
        // Told, but not judged; and never for ever.
        Row::silent("user_stack_with_too_little_room", SEGV, || {
            set_stack(kernel_frame_bytes() + ENOUGH - 2048);
            overflow_by_small_frames();
        })
        .lines(&[NO_ROOM]),
        Row::silent(
            "user_stack_with_too_little_room_and_a_handler_before_us",
            End::Exit(7),
            || {
                set_stack(kernel_frame_bytes() + ENOUGH - 2048);
                overflow_by_small_frames();
            },
        )
        .env(EARLY, "leave"),
        Row::silent("user_stack_with_no_room", SEGV, || {
            set_stack(kernel_frame_bytes() + 64);
            overflow_by_small_frames();
        }),
    ]
}

/// What our handler has to have of an alternate stack to judge a fault, and its own frame.
const ENOUGH: usize = (3 << 10) + 1024;

const NO_ROOM: &str = "failfast: a fault was not looked into: the alternate stack that the program \
    gave its thread has less than 3072 bytes beside what the kernel needs";

/// What the kernel puts onto an alternate stack on this processor, and the least frame on it.
fn kernel_frame_bytes() -> usize {
    extern "C" fn note(_: c_int) {
        let here = 0_u8;
        witness::note(FREE, black_box(&raw const here) as u64);
    }
    witness::open();
    let top = set_stack(64 << 10);
    on_signal(libc::SIGUSR1, note as *const () as usize, libc::SA_ONSTACK);
    // SAFETY: no preconditions.
    unsafe { libc::raise(libc::SIGUSR1) };
    top - witness::read(FREE) as usize
}

extern "C" fn leave(_: c_int) {
    // SAFETY: no preconditions.
    unsafe { libc::_exit(7) };
}

extern "C" fn small(_: c_int) {
    overflow_by_small_frames();
}

/// Comes to the very end of the stack, so that what faults is a store below the stack pointer,
/// which is still on it.
extern "C" fn leaf(_: c_int) {
    // SAFETY: moves the stack pointer down in steps that touch what they leave, until a store
    // faults; there is no way back.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("2:", "sub rsp, 16", "mov qword ptr [rsp - 128], 0", "jmp 2b");
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!("2:", "sub sp, sp, #16", "stur xzr, [sp, #-128]", "b 2b");
    }
}

fn in_handler(flags: c_int, handler: extern "C" fn(c_int)) {
    on_signal(libc::SIGUSR1, handler as *const () as usize, flags);
    // SAFETY: no preconditions.
    unsafe { libc::raise(libc::SIGUSR1) };
}

/// Gives this thread an alternate stack of so many bytes, above a page that cannot be used. Where
/// it ends.
fn set_stack(bytes: usize) -> usize {
    // SAFETY: a new mapping, that nobody else uses and nobody unmaps.
    unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let at = libc::mmap(std::ptr::null_mut(), bytes + 4096, access, flags, -1, 0);
        assert_ne!(at, libc::MAP_FAILED);
        libc::mprotect(at, 4096, libc::PROT_NONE);
        let stack = libc::stack_t { ss_sp: at.byte_add(4096), ss_flags: 0, ss_size: bytes };
        assert_eq!(libc::sigaltstack(&stack, std::ptr::null_mut()), 0);
        at as usize + 4096 + bytes
    }
}

/// What looks like an overflow, and is none.
fn never() -> Vec<Row> {
    vec![
        Row::silent("past_the_upper_end_of_a_stack", SEGV, || {
            // A stack whose upper neighbour is a page that cannot be used, and a frame next to it.
            on_guarded_stack(|| {
                let here = black_box(0_u8);
                let end = ((&raw const here) as usize + 4096) & !4095;
                let end = (end..).step_by(4096).take(64).find(|&at| !is_readable(at)).unwrap();
                assert!(end - ((&raw const here) as usize) < 64 << 10);
                write_to(end);
            });
        }),
        Row::silent("a_jump_to_no_code", SEGV, || {
            // Onto the stack, of which nothing can be executed.
            let here = black_box([0_u8; 64]);
            // SAFETY: there is none; that is the point.
            let f = unsafe { std::mem::transmute::<*const u8, extern "C" fn()>(here.as_ptr()) };
            f();
        }),
        // Nothing ends the first process of a namespace by default, and nothing takes our handler.
        Row::silent("killed_as_the_first_process", End::Exit(0), || {
            let status = in_pid_namespace(true, || {
                set_hook(|report| assert!(report.stack().is_some()));
                kill(libc::SIGSEGV);
                raise(libc::SIGSEGV);
                overflow_by_small_frames();
            });
            assert_eq!(libc::WEXITSTATUS(status), 134, "{status:x}");
        })
        .lines(&[super::OVERFLOW])
        .any_report()
        .hook_ran(),
        Row::silent("queued", SEGV, || queue(libc::SIGSEGV)),
        Row::silent("queued_while_ignored_before", End::Exit(0), || queue(libc::SIGSEGV))
            .before_exec(|| on_signal(libc::SIGSEGV, libc::SIG_IGN, 0)),
        Row::silent("killed_while_ignored_before", End::Exit(0), || kill(libc::SIGSEGV))
            .before_exec(|| on_signal(libc::SIGSEGV, libc::SIG_IGN, 0)),
        overflows("overflow_after_signals_that_were_ignored", || {
            queue(libc::SIGSEGV);
            kill(libc::SIGSEGV);
            kill(libc::SIGBUS);
            overflow_by_small_frames();
        })
        .before_exec(|| {
            on_signal(libc::SIGSEGV, libc::SIG_IGN, 0);
            on_signal(libc::SIGBUS, libc::SIG_IGN, 0);
        })
        .check(by_guard),
    ]
}

/// Runs `f` at the very top of a mapping of 64 KiB, above which is a guard.
fn on_guarded_stack(f: fn()) {
    let memory = guarded(64 << 10);
    // SAFETY: a mapping that nobody else uses.
    unsafe { run_on(memory, 64 << 10, f) };
}

/// A mapping of `bytes` between two pages that cannot be used.
fn guarded(bytes: usize) -> usize {
    // SAFETY: a new mapping.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let none = libc::PROT_NONE;
        let at = libc::mmap(std::ptr::null_mut(), bytes + 8192, none, flags, -1, 0);
        assert_ne!(at, libc::MAP_FAILED);
        let inner = at.byte_add(4096);
        libc::mprotect(inner, bytes, libc::PROT_READ | libc::PROT_WRITE);
        inner as usize
    }
}

/// Runs `f` on the stack at `low`.
///
/// # Safety
///
/// It is writable for `bytes`, and nobody else's.
unsafe fn run_on(low: usize, bytes: usize, f: fn()) {
    extern "C" fn entry(low: u32, high: u32) {
        let address = (u64::from(high) << 32 | u64::from(low)) as *const ();
        // SAFETY: the function that was handed over.
        let f = unsafe { std::mem::transmute::<*const (), fn()>(address) };
        f();
    }
    // SAFETY: the caller's clause; the contexts outlive the switches.
    unsafe {
        let mut here: libc::ucontext_t = std::mem::zeroed();
        let mut there: libc::ucontext_t = std::mem::zeroed();
        assert_eq!(libc::getcontext(&mut there), 0);
        (there.uc_stack.ss_sp, there.uc_stack.ss_size) = (low as *mut _, bytes);
        there.uc_link = &mut here;
        let address = f as usize as u64;
        let entry = std::mem::transmute::<extern "C" fn(u32, u32), extern "C" fn()>(entry);
        libc::makecontext(&mut there, entry, 2, address as u32, (address >> 32) as u32);
        assert_eq!(libc::swapcontext(&mut here, &there), 0);
    }
}

fn is_readable(at: usize) -> bool {
    // SAFETY: the kernel checks the address.
    unsafe {
        let mut ends = [0; 2];
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        let wrote = libc::write(ends[1], at as *const _, 1);
        for end in ends {
            libc::close(end);
        }
        wrote == 1
    }
}

fn queue(signal: c_int) {
    // SAFETY: our own process.
    unsafe {
        let value = libc::sigval { sival_ptr: std::ptr::null_mut() };
        libc::sigqueue(libc::getpid(), signal, value);
    }
}

fn raise(signal: c_int) {
    // SAFETY: no preconditions.
    unsafe { libc::raise(signal) };
}

fn kill(signal: c_int) {
    // SAFETY: our own process.
    unsafe { libc::kill(libc::getpid(), signal) };
}

/// Handlers that were there before us.
fn chained() -> Vec<Row> {
    vec![
        Row::silent("sigbus_of_a_short_file_with_a_handler_before_us", End::Exit(0), || {
            let at = beyond_a_file();
            witness::note(FREE + 1, at as u64);
            write_to(at);
            assert_eq!(witness::read(FREE), 1);
        })
        .env(EARLY, "bus"),
        Row::silent("queued_with_a_handler_before_us", End::Exit(0), || {
            witness::open();
            // SAFETY: our own process.
            unsafe {
                let value = libc::sigval { sival_ptr: 0x1234_5678 as *mut _ };
                libc::sigqueue(libc::getpid(), libc::SIGSEGV, value);
            }
            assert_eq!(witness::read(FREE), 0x1234_5678);
            assert_eq!(witness::read(FORBIDDEN), 0);
        })
        .env(EARLY, "value"),
        overflows("overflow_after_a_queued_signal_with_a_handler_before_us", || {
            witness::open();
            queue(libc::SIGSEGV);
            overflow_by_small_frames();
        })
        .env(EARLY, "value")
        .check(by_guard),
    ]
}

/// Names what is installed before us.
const EARLY: &str = "STACKS_EARLY_HANDLER";

#[used]
#[unsafe(link_section = ".init_array.00001")]
static INSTALL_EARLY: extern "C" fn() = install_early;

extern "C" fn install_early() {
    match early(c"STACKS_EARLY_HANDLER") {
        b"bus" => on_signal(libc::SIGBUS, mend as *const () as usize, libc::SA_SIGINFO),
        b"leave" => on_signal(libc::SIGSEGV, leave as *const () as usize, 0),
        b"value" => on_signal(libc::SIGSEGV, take as *const () as usize, libc::SA_SIGINFO),
        _ => {}
    }
}

/// Puts memory where the file has none, if it is told of the right place.
extern "C" fn mend(signal: c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    witness::count(FREE);
    // SAFETY: the kernel's arguments; the mapping is replaced by another.
    unsafe {
        let at = (*info).si_addr();
        if signal != libc::SIGBUS || at as u64 != witness::read(FREE + 1) {
            libc::_exit(99);
        }
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        libc::mmap(at, 4096, access, flags, -1, 0);
    }
}

/// Writes down the value that was sent along, and that the signal itself is blocked meanwhile.
extern "C" fn take(signal: c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel's arguments; complete sets.
    unsafe {
        witness::note(FREE, (*info).si_value().sival_ptr as u64);
        let mut mask = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
        if (*info).si_code != libc::SI_QUEUE || libc::sigismember(&mask, signal) != 1 {
            witness::count(FORBIDDEN);
        }
    }
}
