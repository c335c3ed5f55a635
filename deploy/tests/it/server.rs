//! Runs the server.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// What stands in for a container's memory limit.
pub(crate) const LIMIT_BYTES: u64 = 512 << 20;

/// The server, with these variables and no other of ours, within the limit.
pub(crate) fn command(program: &str, variables: &[(String, String)]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"FAILFAST_") {
            command.env_remove(name);
        }
    }
    command.envs(variables.iter().cloned()).stdin(Stdio::null());
    // SAFETY: all that `limit` calls is `setrlimit`, which is async-signal-safe.
    unsafe { command.pre_exec(limit) };
    command
}

fn limit() -> io::Result<()> {
    for (resource, bytes) in [(libc::RLIMIT_CORE, 0), (libc::RLIMIT_AS, LIMIT_BYTES)] {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: a whole `rlimit` that outlives the call.
        if unsafe { libc::setrlimit(resource, &limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The server itself.
pub(crate) const SERVER: &str = env!("CARGO_BIN_EXE_failfast-server");

pub(crate) fn is_root() -> bool {
    // SAFETY: no preconditions.
    unsafe { libc::geteuid() == 0 }
}
