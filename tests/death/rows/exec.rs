//! The process becomes another program.

use std::io::{Read, Write};
use std::os::fd::{FromRawFd, IntoRawFd};

use failfast_alloc_rows::witness::{self, FORBIDDEN, FREE};
use failfast_alloc_rows::{End, Outcome, Row};

use super::halt::to_one_processor;
use super::output::limit_descriptors;
use super::reserve::{remove_cgroup, use_a_whole_cgroup, use_all_addresses};
use crate::others;
use crate::tools::*;

/// Becomes this: it looks around, and ends with a status of its own.
const EXEC: &str = "FAILFAST_EXEC";
/// Says to the program what it is: variables of ours do not reach it.
const RECOVERS: &str = "DEATH_RECOVERS";
const STATUS: i32 = 42;

/// Whether this process is the program that another became; then it never returns.
pub(crate) fn recover() {
    if std::env::var_os(RECOVERS).is_none_or(|_| std::env::var_os(EXEC).is_some()) {
        return;
    }
    // SAFETY: what the row promises is there.
    let mut file = unsafe { std::fs::File::from_raw_fd(3) };
    let mut report = String::new();
    file.read_to_string(&mut report).expect("a report");
    std::fs::write(folder().join("recovered.json"), &report).expect("the row's folder");
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let ours =
        std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"FAILFAST_"));
    // In a group with a limit, the program has opened the group's two files itself.
    let is_of_group = |fd: &std::fs::DirEntry| {
        std::fs::read_link(fd.path()).is_ok_and(|path| path.starts_with("/sys/fs/cgroup"))
    };
    let fds = std::fs::read_dir("/proc/self/fd").expect("descriptors").flatten();
    let fds = fds.filter(|fd| !is_of_group(fd)).count();
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the result is writable.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    let status = format!("{status}descriptors: {}\n", limit.rlim_cur);
    let told = format!("{status}ours: {}\nfds: {fds}\npid: {}\n", ours.count(), std::process::id());
    std::fs::write(folder().join("told"), told).expect("the row's folder");
    if std::env::var(RECOVERS).is_ok_and(|how| how == "spin") {
        spin();
    }
    std::process::exit(STATUS);
}

fn folder() -> std::path::PathBuf {
    std::env::var(failfast_alloc_rows::FOLDER).expect("a folder").into()
}

/// A row whose process becomes this very program.
fn row(name: &'static str, body: fn()) -> Row {
    let row = Row::dies(name, "", FAILED, body).env(RECOVERS, "exit").env(EXEC, "/proc/self/exe");
    row.ends(End::Exit(STATUS)).several_reports().check(is_well_prepared)
}

/// A row whose program was there at start, and is gone.
fn vanished(name: &'static str, then: fn()) -> Row {
    let body = move || {
        witness::open();
        let mut mine = std::fs::File::create("mine").expect("a file");
        mine.write_all(b"mine").expect("room");
        let mine = mine.into_raw_fd();
        // SAFETY: two descriptors of ours.
        assert_eq!(unsafe { libc::dup2(mine, 3) }, 3);
        set_hook(|report| {
            // SAFETY: bytes of ours. Nothing was undone for a program that is not there.
            unsafe { libc::write(3, c", too".as_ptr().cast(), 5) };
            witness::note(FREE, u64::from(!report.to_string().is_empty()));
        });
        let gone = std::env::var(EXEC).expect("a program");
        std::fs::remove_file(gone).expect("it was there");
        then();
        fail();
    };
    let row = Row::dies(name, "requested", FAILED, body).hook_ran().check(|outcome| {
        assert_eq!(std::fs::read(outcome.folder.join("mine")).expect("a file"), b"mine, too");
    });
    // Made in the row's own folder, which is where the child is.
    row.env(EXEC, format!("/proc/self/cwd/{PROGRAM}").leak()).before_exec(|| {
        let name = c"vanishing".as_ptr();
        // SAFETY: a C string; async-signal-safe.
        unsafe { libc::close(libc::open(name, libc::O_CREAT, 0o755)) };
    })
}

const PROGRAM: &str = "vanishing";

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row("exec", || fail()),
        row("exec_with_a_hook_that_must_not_run", || {
            set_hook(|_| witness::count(FORBIDDEN));
            fail();
        }),
        row("exec_from_a_thread_among_64", || {
            others::start_deaf(64);
            let thread = std::thread::Builder::new().name("worker-3".into());
            let _ = thread.spawn(|| fail()).expect("a thread").join();
        })
        .lines(&["failfast: requested: enough (thread `worker-3`, pid <pid>)"]),
        row("exec_after_an_overflow", overflow_by_small_frames).lines(&["<any>"]),
        row("exec_with_signals_ignored_blocked_and_pending", || {
            for signal in [libc::SIGTERM, libc::SIGPIPE, libc::SIGABRT] {
                on_signal(signal, libc::SIG_IGN, 0);
            }
            on_signal(libc::SIGUSR1, libc::SIG_DFL, 0);
            block_all();
            // SAFETY: our own process; blocked.
            unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
            fail();
        }),
        row("exec_with_a_timer_running", || {
            let soon = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
            let once = libc::itimerval { it_interval: soon, it_value: soon };
            on_signal(libc::SIGPROF, count_in_vain as *const () as usize, libc::SA_RESTART);
            // SAFETY: a complete time.
            unsafe { libc::setitimer(libc::ITIMER_PROF, &once, std::ptr::null_mut()) };
            fail();
        }),
        row("exec_without_a_free_descriptor", || {
            // SAFETY: numbers only.
            while unsafe { libc::dup(1) } >= 0 {}
            fail();
        })
        .before_exec(|| set_limit(libc::RLIMIT_NOFILE, 64)),
        row("exec_without_a_descriptor_under_a_limit_that_may_be_raised", || {
            // SAFETY: numbers only.
            while unsafe { libc::dup(1) } >= 0 {}
            fail();
        })
        .before_exec(limit_descriptors)
        .check(|outcome| {
            is_well_prepared(outcome);
            let told = std::fs::read_to_string(outcome.folder.join("told")).expect("what it said");
            assert!(told.contains("\ndescriptors: 64\n"), "{told}");
        }),
        row("exec_at_the_limit_of_address_space", || {
            leave_room_for_a_successor();
            use_all_addresses();
            fail();
        }),
        row("exec_at_the_limit_of_address_space_among_64", || {
            others::start_deaf(64);
            use_all_addresses();
            fail();
        }),
        row("exec_at_the_limit_of_a_cgroup", || {
            use_a_whole_cgroup();
            fail();
        })
        .before_exec(to_one_processor)
        .clear(remove_cgroup),
        row("exec_at_the_limit_of_a_cgroup_among_64", || {
            others::start_deaf(64);
            use_a_whole_cgroup();
            fail();
        })
        .before_exec(to_one_processor)
        .clear(remove_cgroup),
        row("exec_over_a_budget", || {
            others::start_deaf(3);
            drop(std::hint::black_box(Vec::<u8>::with_capacity(64 << 20)));
        })
        .env("FAILFAST_BUDGET", "16MiB")
        .lines(&["failfast: heap budget: <any>"]),
        row("exec_after_every_descriptor_was_closed", || {
            for fd in 3..1000 {
                // SAFETY: nobody needs them any more.
                unsafe { libc::close(fd) };
            }
            fail();
        }),
        row("exec_after_every_descriptor_was_taken_by_others", || {
            for fd in 3..64 {
                // SAFETY: nobody needs them any more.
                unsafe { libc::dup2(0, fd) };
            }
            fail();
        }),
        row("exec_with_signals_waiting_for_every_thread", || {
            block_all();
            others::start_deaf(3);
            for signal in (1..=64).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal))
            {
                // Standard ones and the real-time ones, save the C library's.
                if (32..=34).contains(&signal) || is_a_fault(signal) {
                    continue;
                }
                // SAFETY: our own process and thread; blocked.
                unsafe {
                    libc::kill(libc::getpid(), signal);
                    libc::pthread_kill(libc::pthread_self(), signal);
                }
            }
            fail();
        }),
        row("exec_that_takes_too_long", || fail())
            .env(RECOVERS, "spin")
            .env("FAILFAST_EXEC_TIMEOUT", "1s")
            .ends(End::Signal(libc::SIGALRM)),
        // Whether the program has begun by then is not what this is about.
        row("exec_with_no_time_at_all", || fail())
            .env(RECOVERS, "spin")
            .env("FAILFAST_EXEC_TIMEOUT", "0.1us")
            .ends(End::Signal(libc::SIGALRM))
            .check(|_| {}),
        vanished("exec_of_a_program_that_vanished", || others::start_deaf(3)).threads(3),
        vanished("exec_of_a_program_that_vanished_at_the_limit_of_a_cgroup", use_a_whole_cgroup)
            .clear(remove_cgroup),
    ]
}

extern "C" fn count_in_vain(_: i32) {}

fn is_a_fault(signal: i32) -> bool {
    let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];
    faults.contains(&signal) || [libc::SIGSYS, libc::SIGABRT].contains(&signal)
}

/// The limit outlives this process's memory: the next program has to fit in as much as this one
/// has. It is the same one, so as much as it needs to start, and to read its report, will do.
fn leave_room_for_a_successor() {
    let (none, flags) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping.
    let room = unsafe { libc::mmap(std::ptr::null_mut(), 64 << 20, none, flags, -1, 0) };
    assert_ne!(room, libc::MAP_FAILED);
}

fn is_well_prepared(outcome: &Outcome) {
    let told = std::fs::read_to_string(outcome.folder.join("told")).expect("what it was told");
    let line = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
    for name in ["SigPnd:", "ShdPnd:", "SigBlk:"] {
        assert_eq!(line(name).trim().trim_matches('0'), "", "{name}");
    }
    // SIGPIPE: the runtime ignores it before `main`.
    let ignored = u64::from_str_radix(line("SigIgn:").trim(), 16).expect("a mask");
    assert_eq!(ignored & !(1 << (libc::SIGPIPE - 1)), 0, "ignored signals");
    assert_eq!(line("ours: "), "0");
    // The streams, the report, and the one that lists them.
    assert_eq!(line("fds: "), "5");
    assert_eq!(line("pid: "), outcome.pid.to_string());
    let report = std::fs::read_to_string(outcome.folder.join("recovered.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!((&report["hook"], &report["pid"]), (&"replaced".into(), &outcome.pid.into()));
}
