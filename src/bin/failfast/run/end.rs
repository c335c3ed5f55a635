//! How this process ends when the program has.
//!
//! Above the layers.  Plane: control.
//!
//! By the same signal, if it was one: a shell then shows 128 and the number either way, but a
//! service manager sees an abort where there was one, and not an exit status that might mean
//! anything (`Restart=on-abort`, `RestartForceExitStatus=SIGKILL`). Where a signal does not end us,
//! as pid 1 of a container, the status is that number, which is what Kubernetes shows too.

use crate::exit;
use failfast_alloc::supervise::Verdict;
use nix::sys::prctl::set_dumpable;
use nix::sys::signal::{SigHandler, SigSet, Signal, raise};
use std::io::ErrorKind;
use std::process::ExitCode;

/// Ends as the program did; or returns the status to end with.
pub(super) fn as_it_did(verdict: &Verdict) -> ExitCode {
    if let Some(error) = verdict.start_error() {
        return ExitCode::from(match error.kind() {
            ErrorKind::NotFound => exit::NO_PROGRAM,
            ErrorKind::InvalidInput => exit::VALUE,
            _ => exit::NOT_EXECUTABLE,
        });
    }
    if let Some(signal) = verdict.signal() {
        die_of(signal);
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    let status = verdict.exit_code().and_then(|status| u8::try_from(status).ok());
    ExitCode::from(status.unwrap_or(exit::SOFTWARE))
}

/// Returns if that is not possible.
fn die_of(signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    // The core that matters is the program's. (A limit of zero is none to a kernel that gives
    // cores to a program, such as systemd-coredump.)
    let _ = set_dumpable(false);
    let _ = SigSet::from(signal).thread_unblock();
    // The runtime ignores SIGPIPE, and handles SIGSEGV and SIGBUS.
    // SAFETY: the default action is no handler, and nothing runs in this process after it.
    let _ = unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) };
    let _ = raise(signal);
}
