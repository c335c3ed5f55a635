//! The last step: SIGABRT, whatever the program has made of that signal.

use std::ffi::{c_int, c_void};

use failfast_alloc_rows::Row;
use failfast_alloc_rows::witness::{self, FORBIDDEN, FREE};

use crate::tools::*;

fn row(name: &'static str, body: fn()) -> Row {
    Row::dies(name, "requested", FAILED, body)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = dispositions();
    rows.extend(meanwhile());
    rows
}

/// What the program has made of SIGABRT.
fn dispositions() -> Vec<Row> {
    vec![
        row("sigabrt_ignored", || {
            on_signal(libc::SIGABRT, libc::SIG_IGN, 0);
            fail();
        }),
        row("sigabrt_blocked", || {
            // SAFETY: a complete set.
            unsafe {
                let mut all = std::mem::zeroed();
                libc::sigfillset(&mut all);
                libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
            }
            fail();
        }),
        row("sigabrt_handled", || {
            witness::open();
            on_signal(libc::SIGABRT, forbidden as *const () as usize, 0);
            fail();
        })
        .env("FAILFAST_ABORT", "plain"),
        row("sigabrt_handled_by_one_who_jumps_away", || {
            witness::open();
            on_signal(libc::SIGABRT, jump_away as *const () as usize, libc::SA_SIGINFO);
            fail();
        })
        .env("FAILFAST_ABORT", "plain"),
        row("hook_sets_a_handler_for_sigabrt_and_aborts", || {
            set_hook(|_| {
                on_signal(libc::SIGABRT, jump_away as *const () as usize, libc::SA_SIGINFO);
            });
            fail();
        })
        .hook_ran(),
    ]
}

/// What happens while the hook runs.
fn meanwhile() -> Vec<Row> {
    vec![
        row("another_thread_aborts_meanwhile", || {
            set_hook(|_| {
                witness::note(FREE, 1);
                std::thread::sleep(std::time::Duration::from_millis(20));
            });
            std::thread::spawn(|| {
                introduce_the_other();
                std::process::abort();
            });
            fail();
        })
        .hook_ran(),
        row("another_thread_faults_meanwhile", || {
            set_hook(|_| {
                witness::note(FREE, 1);
                std::thread::sleep(std::time::Duration::from_millis(20));
            });
            std::thread::spawn(|| {
                introduce_the_other();
                // SAFETY: there is none; that is the point.
                unsafe { std::hint::black_box(std::ptr::null_mut::<u8>()).write_volatile(1) };
            });
            fail();
        })
        .hook_ran(),
        row("another_thread_exits_meanwhile", || {
            set_hook(|_| {
                witness::note(FREE, 1);
                std::thread::sleep(std::time::Duration::from_millis(20));
            });
            std::thread::spawn(|| {
                introduce_the_other();
                std::process::exit(0);
            });
            fail();
        })
        .hook_ran(),
        row("killed_by_sigabrt_meanwhile", || {
            set_hook(|_| {
                // SAFETY: our own process.
                unsafe { libc::kill(libc::getpid(), libc::SIGABRT) };
                loop {
                    std::hint::spin_loop();
                }
            });
            fail();
        })
        .hook_crashed(),
    ]
}

extern "C" fn forbidden(_: c_int) {
    witness::count(FORBIDDEN);
}

/// What `siglongjmp` does, in the kernel's terms: the handler's return goes elsewhere.
extern "C" fn jump_away(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    witness::count(FORBIDDEN);
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel's argument.
    let registers = unsafe { &mut (*context).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    {
        registers.gregs[libc::REG_RIP as usize] = go_on as *const () as i64;
    }
    #[cfg(target_arch = "aarch64")]
    {
        registers.pc = go_on as *const () as u64;
    }
}

extern "C" fn go_on() -> ! {
    // SAFETY: no preconditions.
    unsafe { libc::_exit(0) }
}

/// Waits until the hook has begun. Halted meanwhile, it never returns.
fn introduce_the_other() {
    witness::wait_for(FREE);
    witness::count(FORBIDDEN);
}
