//! Where the line and the report go, and where they must not go.

use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;

use failfast_alloc_rows::{Outcome, Row, Stderr, witness};

use crate::others;
use crate::tools::*;

fn row(name: &'static str, body: fn()) -> Row {
    Row::dies(name, "requested", FAILED, body)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("stderr_closed", || fail()).stderr(Stderr::Closed),
        row("stderr_full", || fail()).stderr(Stderr::Full),
        row("stderr_broken", || {
            // As in a program that is not `std`'s.
            on_signal(libc::SIGPIPE, libc::SIG_DFL, 0);
            set_hook(|_| {});
            fail();
        })
        .stderr(Stderr::Broken)
        .hook_ran(),
        row("stderr_is_another_file_by_now", || {
            let file = std::fs::File::create("precious").unwrap();
            // SAFETY: two descriptors of ours.
            unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&file), 2) };
            fail();
        })
        .lines(&[])
        .check(|outcome| {
            let text = std::fs::read_to_string(outcome.folder.join("precious")).unwrap();
            assert_eq!(text, "");
        }),
        row("a_report_without_a_free_descriptor", || {
            others::set_watching_hook();
            others::start_spinning(3);
            // SAFETY: numbers only.
            while unsafe { libc::dup(1) } >= 0 {}
            fail();
        })
        .before_exec(limit_descriptors)
        .threads(3)
        .hook_ran()
        .check(|outcome| {
            let report = outcome.report();
            assert!(report["resident_bytes"].is_u64() && report["modules"][0].is_object());
        }),
        row("a_report_nowhere", || fail()).env("FAILFAST_REPORT", "none").no_report(),
        row("a_hook_that_closes_everything", || {
            set_hook(|_| {
                for fd in 0..1000 {
                    // SAFETY: nobody needs them any more.
                    unsafe { libc::close(fd) };
                }
                for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                    std::mem::forget(std::fs::File::create(name).unwrap());
                }
            });
            fail();
        })
        .hook_ran()
        // Its descriptor was closed, so the outcome could not be added.
        .outcome_of_hook("pending")
        .check(|outcome| {
            for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                let text = std::fs::read_to_string(outcome.folder.join(name)).unwrap();
                assert_eq!(text, "", "something was written to a file of the program's");
            }
        }),
    ];
    rows.extend(files());
    rows.extend(written_over());
    rows
}

/// Reports that were read before the hook ended, and are written over since: whoever has read some
/// of the first, and goes on with the second, has a whole one all the same.
fn written_over() -> Vec<Row> {
    let to_file = |name, hook: fn()| {
        let body = move || {
            set_hook(move |_| {
                std::fs::copy("report.json", "first").unwrap();
                hook();
            });
            others::start_spinning(2);
            fail();
        };
        let row = Row::dies(name, "requested", FAILED, body);
        row.env("FAILFAST_REPORT", "report.json").check(is_whole_at_every_byte)
    };
    vec![
        to_file("a_report_of_a_crash_is_written_over", || {
            // SAFETY: there is none; that is the point.
            unsafe { std::hint::black_box(std::ptr::null_mut::<u8>()).write_volatile(1) };
        })
        .hook_crashed()
        .failure("signal SIGSEGV"),
        to_file("a_report_of_a_timeout_is_written_over", || spin())
            .env("FAILFAST_HOOK_TIMEOUT", "500ms")
            .hook_timed_out(),
        to_file("a_report_of_a_hook_that_ran_is_written_over", || {}).hook_ran(),
    ]
}

fn is_whole_at_every_byte(outcome: &Outcome) {
    let read = |name| std::fs::read_to_string(outcome.folder.join(name)).unwrap();
    let (first, second) = (read("first"), read("report.json"));
    assert_eq!(first.len(), second.len());
    let place = |json: &str, key| json.find(key).expect("a member");
    let (from, to) = (place(&first, r#","hook":"#), place(&first, r#","backtrace":"#));
    assert_eq!((from, to), (place(&second, r#","hook":"#), place(&second, r#","backtrace":"#)));
    let value = |json: &str| serde_json::from_str::<Value>(json).expect("JSON");
    let both = [value(&first), value(&second)];
    for cut in (0..=from).chain(to..=first.len()) {
        let mixed = value(&[&first[..cut], &second[cut..]].concat());
        assert!(both.contains(&mixed), "cut at {cut}: {mixed}");
    }
}

/// Reports that go to `report.json`, whatever the process's number.
fn files() -> Vec<Row> {
    let to_file = |name, body| row(name, body).env("FAILFAST_REPORT", "report.json");
    vec![
        to_file("a_report_to_a_new_file", || fail()).check(|outcome| {
            let status = std::fs::metadata(outcome.folder.join("report.json")).unwrap();
            assert_eq!(status.permissions().mode() & 0o777, 0o600);
        }),
        to_file("a_report_to_a_file_that_is_there", || {
            std::fs::write("report.json", vec![b'x'; 10_000]).unwrap();
            fail();
        }),
        to_file("a_report_where_a_link_was_put", || {
            std::fs::write("precious", "").unwrap();
            symlink("precious", "report.json").unwrap();
            fail();
        })
        .no_report()
        .check(|outcome| {
            assert_eq!(std::fs::read_to_string(outcome.folder.join("precious")).unwrap(), "");
        }),
        to_file("a_report_where_a_pipe_was_put", || {
            // SAFETY: a C string.
            assert_eq!(unsafe { libc::mkfifo(c"report.json".as_ptr(), 0o600) }, 0);
            fail();
        })
        .no_report(),
        row("a_report_to_a_folder_that_vanished", || {
            std::fs::remove_dir("within").unwrap();
            fail();
        })
        .before_exec(|| {
            // SAFETY: a C string.
            unsafe { libc::mkdir(c"within".as_ptr(), 0o700) };
        })
        .env("FAILFAST_REPORT", "within/report.json")
        .no_report(),
        row("a_report_to_a_descriptor", || {
            set_hook(|_| {});
            fail();
        })
        .before_exec(make_descriptor_900)
        .env("FAILFAST_REPORT", "fd:900")
        .hook_ran()
        .no_report()
        .check(|outcome| {
            let text = std::fs::read_to_string(outcome.folder.join("other")).unwrap();
            let report: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (&report["cause"], &report["hook"]),
                (&"requested".into(), &"pending".into())
            );
            assert!(text.ends_with("}\n") && text.len() <= 4096);
        }),
        row("a_report_to_a_descriptor_that_is_another_file_by_now", || {
            let file = std::fs::File::create("precious").unwrap();
            // SAFETY: two descriptors of ours.
            unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&file), 900) };
            witness::open();
            fail();
        })
        .before_exec(make_descriptor_900)
        .env("FAILFAST_REPORT", "fd:900")
        .no_report()
        .check(|outcome| {
            for name in ["other", "precious"] {
                assert_eq!(std::fs::read_to_string(outcome.folder.join(name)).unwrap(), "");
            }
        }),
    ]
}

/// Has the process have few descriptors, though it may have more. Between fork and exec.
pub(super) fn limit_descriptors() {
    let limit = libc::rlimit { rlim_cur: 64, rlim_max: 1024 };
    // SAFETY: a complete limit; async-signal-safe.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
}

/// Opens the file `other` as descriptor 900. Between fork and exec.
fn make_descriptor_900() {
    // SAFETY: C strings and numbers; async-signal-safe.
    unsafe {
        let fd = libc::open(c"other".as_ptr(), libc::O_CREAT | libc::O_WRONLY, 0o600);
        libc::dup2(fd, 900);
    }
}
