//! From the election on, only these system calls are made: a filter kills on any other. And each
//! of them may be refused.

use failfast_alloc_rows::{End, Row, Stderr, witness};

use crate::others;
use crate::tools::*;

/// Each with what it is for. The same list stands in `ARCHITECTURE.md`.
pub(crate) const ALLOWED: &[(&str, libc::c_long)] = &[
    ("getpid", libc::SYS_getpid),
    ("gettid", libc::SYS_gettid),
    ("getuid", libc::SYS_getuid),
    ("rt_sigprocmask", libc::SYS_rt_sigprocmask),
    ("rt_sigaction", libc::SYS_rt_sigaction),
    ("sigaltstack", libc::SYS_sigaltstack),
    ("clock_gettime", libc::SYS_clock_gettime),
    ("timer_create", libc::SYS_timer_create),
    ("timer_settime", libc::SYS_timer_settime),
    ("timer_delete", libc::SYS_timer_delete),
    ("clone", libc::SYS_clone),
    ("futex", libc::SYS_futex),
    ("nanosleep", libc::SYS_nanosleep),
    ("tgkill", libc::SYS_tgkill),
    ("prctl", libc::SYS_prctl),
    ("prlimit64", libc::SYS_prlimit64),
    ("readlinkat", libc::SYS_readlinkat),
    ("openat", libc::SYS_openat),
    ("getdents64", libc::SYS_getdents64),
    ("lseek", libc::SYS_lseek),
    ("read", libc::SYS_read),
    ("close", libc::SYS_close),
    ("fstat", libc::SYS_fstat),
    ("newfstatat", libc::SYS_newfstatat),
    ("poll", POLL),
    ("write", libc::SYS_write),
    ("pwrite64", libc::SYS_pwrite64),
    ("ftruncate", libc::SYS_ftruncate),
    ("ptrace", libc::SYS_ptrace),
    ("wait4", libc::SYS_wait4),
    ("getppid", libc::SYS_getppid),
    ("exit_group", libc::SYS_exit_group),
];

#[cfg(target_arch = "x86_64")]
const POLL: libc::c_long = libc::SYS_poll;
#[cfg(not(target_arch = "x86_64"))]
const POLL: libc::c_long = libc::SYS_ppoll;

const KILL_PROCESS: u32 = 0x8000_0000;
const ALLOW: u32 = 0x7fff_0000;
/// The call is not made, and answers this error.
const fn answer(errno: libc::c_int) -> u32 {
    0x0005_0000 | errno as u32
}

/// Kills this process, all of its threads, at any other call.
fn allow_only_these() {
    filter(ALLOWED.iter().map(|(_, number)| *number), ALLOW, KILL_PROCESS);
}

/// Has the kernel refuse a system call, in every thread.
pub(super) fn refuse(number: libc::c_long, errno: libc::c_int) {
    filter([number].into_iter(), answer(errno), ALLOW);
}

/// Has the kernel do `then` at these calls, and `otherwise` at all others.
fn filter(calls: impl Iterator<Item = libc::c_long>, then: u32, otherwise: u32) {
    // The system call's number is the first word of what a filter looks at.
    let mut filter = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    for number in calls {
        filter.push(libc::sock_filter { jf: 1, ..statement(equal, number as u32) });
        filter.push(statement(libc::BPF_RET | libc::BPF_K, then));
    }
    filter.push(statement(libc::BPF_RET | libc::BPF_K, otherwise));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: numbers, and a program that is complete.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let (set, all) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_TSYNC);
        if libc::syscall(libc::SYS_seccomp, set, all, &program) != 0 {
            skip("no filters for system calls");
        }
    }
    std::mem::forget(filter);
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn row(name: &'static str, body: fn()) -> Row {
    Row::dies(name, "requested", FAILED, body)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = allowed();
    for (name, number) in ALLOWED {
        for errno in [libc::EPERM, libc::ENOMEM, libc::EAGAIN] {
            rows.push(refused(name, *number, errno));
        }
    }
    rows
}

/// Dies although every call of this number is refused, and leaves nobody running beside the hook.
fn refused(name: &str, number: libc::c_long, errno: libc::c_int) -> Row {
    let row_name = format!("calls_refused_of_{name}_by_{errno}");
    let body = move || {
        others::set_watching_hook();
        others::start_spinning(3);
        refuse(number, errno);
        fail();
    };
    // Names are kept for the whole run.
    let mut row = Row::dies(row_name.leak(), "requested", "<any>", body)
        .hook_ran_if_proven()
        .env("FAILFAST_HOOK_TIMEOUT", "300ms")
        .stderr(Stderr::Closed)
        .any_report();
    match number {
        // It cannot send itself a signal, or not say to whom.
        libc::SYS_tgkill | libc::SYS_getpid | libc::SYS_gettid => {
            row.end = End::Exit(128 + libc::SIGABRT);
            row.or_end = Some(End::Signal(libc::SIGKILL));
        }
        _ => {}
    }
    row
}

fn allowed() -> Vec<Row> {
    vec![
        row("calls_of_one_thread", || {
            allow_only_these();
            fail();
        }),
        row("calls_among_8_threads_and_a_hook", || {
            set_hook(|_| {});
            others::start_deaf(8);
            allow_only_these();
            fail();
        })
        .threads(8)
        .hook_ran(),
        row("calls_in_a_control_group", || {
            allow_only_these();
            fail();
        })
        .before_exec(super::reserve::enter_a_cgroup)
        .clear(super::reserve::remove_cgroup),
        row("calls_among_those_that_heed_no_signal", || {
            set_hook(|_| {});
            others::start(3, block_all_raw, || {});
            allow_only_these();
            fail();
        })
        .threads(3)
        .hook_ran_where_traced(),
        row("calls_of_a_timeout", || {
            set_hook(|_| spin());
            others::start_deaf(2);
            allow_only_these();
            fail();
        })
        .env("FAILFAST_HOOK_TIMEOUT", "200ms")
        .hook_timed_out(),
        Row::dies("calls_over_a_budget", "heap-budget", "<any>", || {
            others::start_deaf(2);
            allow_only_these();
            drop(std::hint::black_box(Vec::<u8>::with_capacity(64 << 20)));
        })
        .env("FAILFAST_BUDGET", "16MiB"),
        Row::dies("calls_after_an_overflow", "stack-overflow", "<any>", || {
            witness::open();
            others::start_deaf(2);
            allow_only_these();
            overflow_by_small_frames();
        }),
    ]
}

/// Whether the documentation has the same list.
pub(crate) fn check_documentation() {
    let text = include_str!("../../../ARCHITECTURE.md");
    let table = text.split("## System calls while dying").nth(1).expect("a section");
    let rows = table.split("\n## ").next().expect("its text").lines();
    let names: Vec<_> = rows
        .filter_map(|row| row.strip_prefix("| `"))
        .flat_map(|row| row.split('|').next().unwrap_or_default().split('`'))
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    let mut expected: Vec<_> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let mut names = names;
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "ARCHITECTURE.md and tests/death/rows/calls.rs");
}
