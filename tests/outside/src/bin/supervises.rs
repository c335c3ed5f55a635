//! A supervisor of its own process, for what concerns a whole process: to be killed, to have no
//! standard streams, or hardly any descriptors.

use std::process::Stdio;
use std::time::Duration;

use failfast_alloc::supervise::{Class, Command, Reason};
use failfast_alloc_outside::refuse;

fn main() {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().unwrap();
    match words.next().as_ref().and_then(|word| word.to_str()) {
        Some("closed") => closed(&program),
        Some("starved") => starved(&program),
        Some("trapped") => trapped(&program),
        _ => waits(&program),
    }
}

/// Starts the program from a thread that ends at once, says its number, and waits.
fn waits(program: &std::ffi::OsStr) {
    let program = program.to_os_string();
    let starts = std::thread::spawn(move || Command::new(program).arg("sleep").spawn().unwrap());
    let mut running = starts.join().unwrap();
    println!("{}", running.pid());
    if let Some(verdict) = running.wait_timeout(Duration::from_secs(600)).unwrap() {
        println!("{verdict}");
    }
}

/// Closes its own standard streams, so that what is opened next gets their numbers.
fn closed(program: &std::ffi::OsStr) {
    for fd in 0..3 {
        // SAFETY: nothing here uses them any more.
        unsafe { libc::close(fd) };
    }
    let mut command = Command::new(program);
    command.arg("exit:3").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let verdict = command.spawn().map(|mut running| running.wait().unwrap());
    let is_right = verdict
        .is_ok_and(|verdict| verdict.reason() == Reason::Exit(3) && verdict.attached().is_some());
    std::process::exit(if is_right { 0 } else { 1 });
}

/// With every number of descriptors, from too few to enough: it is started and has its verdict, or
/// it is the machine's fault; and nobody is left behind.
fn starved(program: &std::ffi::OsStr) {
    let mut command = Command::new(program);
    command.arg("exit:3");
    // The thread that starts programs is there.
    command.spawn().unwrap().wait().unwrap();
    let (mut failed, mut started) = (0, 0);
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
    for more in 0..16 {
        let set = |soft| {
            let limit = libc::rlimit { rlim_cur: soft, rlim_max: 1024 };
            // SAFETY: a whole limit.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
        };
        set(open + more);
        match command.spawn() {
            Ok(mut running) => {
                assert_eq!(running.wait().unwrap().reason(), Reason::Exit(3));
                started += 1;
            }
            Err(error) => {
                assert_eq!(error.class(), Class::Environmental, "{error}");
                failed += 1;
            }
        }
        set(1024);
        // SAFETY: numbers.
        let left = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
        assert_eq!(left, -1, "a child is left behind");
        let now = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
        assert_eq!(now, open, "descriptors are left behind");
    }
    assert!(failed > 0 && started > 0, "{failed} {started}");
}

/// The thread that starts programs cannot leave the namespace that it has made: that is an error,
/// and the program, which runs by then, is not left behind.
fn trapped(program: &std::ffi::OsStr) {
    let mut command = Command::new(program);
    command.arg("sleep").pid_namespace(true);
    if !may_make_namespaces() {
        return println!("SKIPPED: this user makes no namespaces");
    }
    // The thread that starts programs is made after it, and has it too.
    refuse(libc::SYS_setns);
    let error = command.spawn().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
    // SAFETY: numbers.
    let left = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
    assert_eq!(left, -1, "a child is left behind");
}

fn may_make_namespaces() -> bool {
    // SAFETY: there is one thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: flags.
        let result = unsafe { libc::unshare(libc::CLONE_NEWPID) };
        // SAFETY: a number.
        unsafe { libc::_exit(i32::from(result != 0)) };
    }
    let mut status = -1;
    // SAFETY: the result is writable.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    status == 0
}
