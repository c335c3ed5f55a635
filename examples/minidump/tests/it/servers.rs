//! Whatever becomes of the server, the process dies by its deadline.

use std::os::unix::process::ExitStatusExt;

use crate::child::{send, start};

#[test]
fn gone() {
    let mut program = start(&["heap-budget"], &[("FAILFAST_HOOK_TIMEOUT", "10m")]);
    send(program.server, libc::SIGKILL);
    program.let_die();
    let outcome = program.end();
    assert_eq!(outcome.status.signal(), Some(libc::SIGABRT), "{}", outcome.stderr);
    assert_eq!(outcome.report()["hook"], "ran");
    assert!(!outcome.dump().exists());
}

#[test]
fn hung() {
    let mut program = start(&["heap-budget"], &[("FAILFAST_HOOK_TIMEOUT", "4s")]);
    let server = program.server;
    send(server, libc::SIGSTOP);
    program.let_die();
    let outcome = program.end();
    assert_eq!(outcome.status.signal(), Some(libc::SIGABRT), "{}", outcome.stderr);
    assert_eq!(outcome.report()["hook"], "timeout");
    send(server, libc::SIGKILL);
}

/// A minidump is written of a process that is stopped. If the server stops there, so do the threads
/// that hold to the deadline; the kernel's timer does not.
#[test]
fn hung_while_the_process_is_stopped() {
    let mut program = start(&["heap-budget"], &[("FAILFAST_HOOK_TIMEOUT", "4s")]);
    let server = program.server;
    send(server, libc::SIGSTOP);
    program.let_die();
    program.wait_for_report();
    send(program.pid(), libc::SIGSTOP);
    let outcome = program.end();
    assert_eq!(outcome.status.signal(), Some(libc::SIGKILL), "{}", outcome.stderr);
    assert_eq!(outcome.report()["hook"], "pending");
    send(server, libc::SIGKILL);
}
