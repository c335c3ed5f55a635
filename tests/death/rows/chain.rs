//! SIGABRT handlers of others run after the hook, and end nothing but themselves.

use std::ffi::{c_int, c_void};

use failfast_alloc_rows::Row;
use failfast_alloc_rows::witness::{self, FORBIDDEN, FREE};

use crate::others;
use crate::tools::*;

/// How often the handler ran.
const RAN: usize = FREE;
/// Whether it was told of the failing place, and after the hook.
const TOLD: usize = FREE + 1;

/// A process whose handler for SIGABRT does so.
fn row(
    name: &'static str,
    handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void),
) -> Row {
    let body = move || {
        on_signal(libc::SIGABRT, handler as *const () as usize, libc::SA_SIGINFO);
        set_hook(|_| {});
        others::start_deaf(3);
        fail();
    };
    Row::dies(name, "requested", FAILED, body).hook_ran().threads(3).check(|outcome| {
        assert_eq!((outcome.page.get(RAN), outcome.page.get(TOLD)), (1, 1));
    })
}

/// Notes that it ran, and whether what it was told is true.
fn note(info: *mut libc::siginfo_t, context: *mut c_void) {
    let mut on_main = [0_u8; 1];
    let (low, high) = stack_of_main();
    // SAFETY: the arguments of a handler.
    let (info, context) = unsafe { (&*info, &*context.cast::<libc::ucontext_t>()) };
    #[cfg(target_arch = "x86_64")]
    let sp = context.uc_mcontext.gregs[libc::REG_RSP as usize] as usize;
    #[cfg(target_arch = "aarch64")]
    let sp = context.uc_mcontext.sp as usize;
    // SAFETY: the union of a signal that somebody sent.
    let pid = unsafe { info.si_pid() };
    let is_own = info.si_signo == libc::SIGABRT && pid as u32 == std::process::id();
    // It runs elsewhere, and is told of the stack that failed.
    let is_elsewhere = !(low..high).contains(&(on_main.as_mut_ptr() as usize));
    let is_after = witness::read(witness::HOOK_ENDED) == 1;
    witness::count(RAN);
    witness::note(TOLD, u64::from(is_own && (low..high).contains(&sp) && is_elsewhere && is_after));
}

/// The bounds of the first thread's stack.
fn stack_of_main() -> (usize, usize) {
    let mut maps = String::new();
    std::io::Read::read_to_string(
        &mut std::fs::File::open("/proc/self/maps").expect("a list"),
        &mut maps,
    )
    .expect("a list");
    let line = maps.lines().find(|line| line.ends_with("[stack]")).expect("a stack");
    let (low, rest) = line.split_once('-').expect("a range");
    let high = rest.split(' ').next().expect("its end");
    let number = |text| usize::from_str_radix(text, 16).expect("an address");
    (number(low), number(high))
}

extern "C" fn returns(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    note(info, context);
}

extern "C" fn hangs(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    note(info, context);
    spin();
}

extern "C" fn faults(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    note(info, context);
    // SAFETY: there is none; that is the point.
    unsafe { std::hint::black_box(std::ptr::null_mut::<u8>()).write_volatile(1) };
}

extern "C" fn aborts(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    note(info, context);
    std::process::abort();
}

extern "C" fn exits(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    note(info, context);
    std::process::exit(0);
}

extern "C" fn raises_the_default(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    note(info, context);
    on_signal(libc::SIGABRT, libc::SIG_DFL, 0);
    // SAFETY: no preconditions.
    unsafe { libc::raise(libc::SIGABRT) };
}

extern "C" fn jumps_and_spins(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    note(info, context);
    jump_to(spin_there);
}

extern "C" fn spin_there() {
    spin()
}

extern "C" fn must_not_run(_: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {
    witness::count(FORBIDDEN);
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row("chain_to_one_that_returns", returns),
        // The time of its own is shorter than what the hook would have had.
        row("chain_to_one_that_hangs", hangs).env("FAILFAST_HOOK_TIMEOUT", "10m"),
        row("chain_to_one_that_faults", faults),
        row("chain_to_one_that_aborts", aborts),
        row("chain_to_one_that_exits", exits),
        row("chain_to_one_that_raises_the_default", raises_the_default),
        row("chain_to_one_that_jumps_away_and_spins", jumps_and_spins)
            .env("FAILFAST_HOOK_TIMEOUT", "10m"),
        row("no_chain_if_plain", must_not_run).env("FAILFAST_ABORT", "plain").check(|_| {}),
    ]
}
