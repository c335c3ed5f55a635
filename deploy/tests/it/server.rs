//! Runs the server.

use std::os::unix::process::CommandExt;
use std::process::Command;

use failfast_alloc_rows::{child, tools};

/// What stands in for a container's memory limit.
pub(crate) const LIMIT_BYTES: u64 = 512 << 20;

/// The server, with these variables and no other of ours, within the limit.
pub(crate) fn command(program: &str, variables: &[(String, String)]) -> Command {
    let mut command = child::of(program);
    command.envs(variables.iter().cloned());
    let limit = || {
        tools::set_limit(libc::RLIMIT_AS, LIMIT_BYTES);
        Ok(())
    };
    // SAFETY: all that it calls is `setrlimit`, which is async-signal-safe.
    unsafe { command.pre_exec(limit) };
    command
}

/// The server itself.
pub(crate) const SERVER: &str = env!("CARGO_BIN_EXE_failfast-server");

pub(crate) fn is_root() -> bool {
    // SAFETY: no preconditions.
    unsafe { libc::geteuid() == 0 }
}
