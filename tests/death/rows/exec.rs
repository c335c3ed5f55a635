//! The process becomes another program.

use std::io::Read;
use std::os::fd::FromRawFd;

use crate::others;
use crate::outcome::Outcome;
use crate::table::{End, Row};
use crate::tools::*;
use crate::witness::{self, FORBIDDEN, FREE};

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
    let fds = std::fs::read_dir("/proc/self/fd").expect("descriptors").count();
    let told = format!("{status}ours: {}\nfds: {fds}\npid: {}\n", ours.count(), std::process::id());
    std::fs::write(folder().join("told"), told).expect("the row's folder");
    if std::env::var(RECOVERS).is_ok_and(|how| how == "spin") {
        spin();
    }
    std::process::exit(STATUS);
}

fn folder() -> std::path::PathBuf {
    std::env::var(crate::run::FOLDER).expect("a folder").into()
}

/// A row whose process becomes this very program.
fn row(name: &'static str, body: fn()) -> Row {
    let row = Row::dies(name, "", FAILED, body).env(RECOVERS, "exit").env(EXEC, "/proc/self/exe");
    Row { end: End::Exit(STATUS), ..row }.several_reports().check(is_well_prepared)
}

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
        row("exec_that_takes_too_long", || fail())
            .env(RECOVERS, "spin")
            .env("FAILFAST_EXEC_TIMEOUT", "300ms")
            .ends(End::Signal(libc::SIGALRM)),
        Row::dies("exec_of_a_program_that_vanished", "requested", FAILED, || {
            set_hook(|report| witness::note(FREE, u64::from(!report.to_string().is_empty())));
            let gone = std::env::var(EXEC).expect("a program");
            std::fs::remove_file(gone).expect("it was there");
            others::start_deaf(3);
            fail();
        })
        .before_exec(|| {
            // SAFETY: C strings; async-signal-safe.
            unsafe {
                let fd = libc::open(c"/tmp/failfast-vanishing".as_ptr(), libc::O_CREAT, 0o755);
                libc::close(fd);
            }
        })
        .env(EXEC, "/tmp/failfast-vanishing")
        .threads(3)
        .hook_ran(),
    ]
}

extern "C" fn count_in_vain(_: i32) {}

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
