//! What ties a child to its supervisor: no orphan, no zombie, no signal to anybody else.

use std::io::{BufRead as _, BufReader};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::process::Stdio;

use failfast_alloc::supervise::{Cgroup, Command};
use failfast_alloc_outside::LONG;

const DIES: &str = env!("CARGO_BIN_EXE_dies");
const PLAIN: &str = env!("CARGO_BIN_EXE_plain");
const SUPERVISES: &str = env!("CARGO_BIN_EXE_supervises");

/// A descriptor of a process that is there.
fn open(pid: u32) -> OwnedFd {
    // SAFETY: numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    assert!(fd >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: just opened.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// Whether the process has ended, waiting up to `ms` milliseconds for it.
fn has_ended(process: &OwnedFd, ms: i32) -> bool {
    let mut fd = libc::pollfd { fd: process.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one of them.
    unsafe { libc::poll(&raw mut fd, 1, ms) == 1 }
}

fn first_line(from: impl std::io::Read) -> String {
    let mut line = String::new();
    BufReader::new(from).read_line(&mut line).unwrap();
    line.trim().to_string()
}

/// The child outlives the thread that has asked for it, and not the process.
#[test]
fn no_orphan() {
    let mut supervisor = std::process::Command::new(SUPERVISES);
    let mut supervisor = supervisor.arg(PLAIN).stdout(Stdio::piped()).spawn().unwrap();
    // It says so after the thread has ended.
    let pid = first_line(supervisor.stdout.take().unwrap()).parse().unwrap();
    let child = open(pid);
    assert!(!has_ended(&child, 200), "it went with the thread that started it");
    supervisor.kill().unwrap();
    assert!(has_ended(&child, LONG.as_millis() as i32), "it is an orphan");
    supervisor.wait().unwrap();
}

/// A handle that is dropped leaves neither a process nor a zombie.
#[test]
fn no_zombie() {
    let running = Command::new(PLAIN).spawn().unwrap();
    let (pid, child) = (running.pid(), open(running.pid()));
    drop(running);
    assert!(has_ended(&child, 0));
    // SAFETY: numbers.
    let result = unsafe { libc::waitpid(pid as i32, std::ptr::null_mut(), libc::WNOHANG) };
    let error = std::io::Error::last_os_error();
    assert_eq!((result, error.raw_os_error()), (-1, Some(libc::ECHILD)));
}

/// Signals to a child that has ended go nowhere.
#[test]
fn no_signal_to_anybody_else() {
    let mut running = Command::new(PLAIN).spawn().unwrap();
    assert!(running.signal(65).is_err(), "there is no such signal");
    running.kill().unwrap();
    running.wait().unwrap();
    // The number is free, and may be given to anybody: by number this would be ESRCH, or worse.
    running.kill().unwrap();
    running.terminate().unwrap();
}

/// Somebody else has reaped it: that is no guess.
#[test]
fn reaped_by_somebody_else() {
    let mut running = Command::new(PLAIN).arg("exit:3").spawn().unwrap();
    // SAFETY: numbers.
    unsafe { libc::waitpid(running.pid() as i32, std::ptr::null_mut(), 0) };
    let verdict = running.wait().unwrap();
    assert_eq!((verdict.code(), verdict.exit_code(), verdict.signal()), ("unknown", None, None));
}

/// What a child has left behind goes with it, where it has a group.
#[test]
fn what_is_left_behind() {
    for keep in [false, true] {
        let mut command = Command::new(PLAIN);
        command.arg("leaves").stdout(Stdio::piped());
        command.cgroup(Cgroup::Required).keep_descendants(keep);
        let mut running = match command.spawn() {
            Ok(running) => running,
            Err(error) => return println!("SKIPPED: {error}"),
        };
        let left = open(first_line(running.stdout.take().unwrap()).parse().unwrap());
        running.wait().unwrap();
        drop(running);
        assert_eq!(has_ended(&left, if keep { 100 } else { LONG.as_millis() as i32 }), !keep);
        // SAFETY: numbers and a null.
        unsafe {
            let none = std::ptr::null::<libc::siginfo_t>();
            libc::syscall(libc::SYS_pidfd_send_signal, left.as_raw_fd(), libc::SIGKILL, none, 0)
        };
    }
}

/// The kernel takes the child before the supervisor.
#[test]
fn the_preferred_victim() {
    let score = |pid: &str| -> i32 {
        let text = std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
        text.trim().parse().unwrap()
    };
    let mut command = Command::new(PLAIN);
    let running = command.spawn().unwrap();
    assert_eq!(score(&running.pid().to_string()), (score("self") + 500).min(1000));
    let running = command.oom_score_adj(777).spawn().unwrap();
    assert_eq!(score(&running.pid().to_string()), 777);
}

/// Of all that we have open, for this child and for others, it inherits its record alone.
#[test]
fn descriptors() {
    let mut held: Vec<_> = (0..8).map(|_| Command::new(PLAIN).spawn().unwrap()).collect();
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "ls -l /proc/self/fd | grep -c -e failfast-record -e pidfd -e cgroup"])
        .stdout(Stdio::piped());
    let mut running = command.spawn().unwrap();
    assert_eq!(first_line(running.stdout.take().unwrap()), "1");
    held.clear();
}

/// A supervisor without standard streams: what it opens has their numbers, and not for long.
#[test]
fn closed_streams() {
    let status = std::process::Command::new(SUPERVISES).args([DIES, "closed"]).status().unwrap();
    assert!(status.success(), "{status}");
}

/// A supervisor that runs out of descriptors, at whatever step.
#[test]
fn too_few_descriptors() {
    let output = std::process::Command::new(SUPERVISES).args([PLAIN, "starved"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A program that was started in a namespace which cannot be left again.
#[test]
fn no_way_back_from_a_namespace() {
    let output = std::process::Command::new(SUPERVISES).args([PLAIN, "trapped"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

/// As many arguments as the kernel takes, of a script that does not say which shell it is for: the
/// C library copies the list onto the stack of the thread that forks.
#[test]
fn many_arguments() {
    let script = std::env::temp_dir().join(format!("outside-{}.sh", std::process::id()));
    std::fs::write(&script, "exit $(($# / 10000))\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, executable).unwrap();
    let mut command = Command::new(&script);
    let verdict = command.args(vec!["x"; 70_000]).spawn().unwrap().wait().unwrap();
    std::fs::remove_file(&script).unwrap();
    assert_eq!(verdict.exit_code(), Some(7), "{verdict}");
}
