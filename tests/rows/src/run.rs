//! Runs a row in a child process.

use std::fs::Permissions;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::child::{self, HANGS_AFTER, Reader};
use crate::outcome::{self, Outcome};
use crate::{Row, Stderr, Test, witness};

/// Names the row's folder, in a child's environment.
pub const FOLDER: &str = "DEATH_FOLDER";

impl Test for Row {
    fn name(&self) -> &str {
        self.name
    }

    fn body(&self) {
        (self.body)();
    }

    fn check(&self) -> Result<(), String> {
        let prefix = format!("death-{}-{}-", std::process::id(), self.name);
        // A child may have given up what it could do.
        let readable = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix(&prefix).permissions(readable).tempdir();
        let folder = folder.map_err(|error| error.to_string())?;
        let outcome = run(self, folder.path())?;
        if let Some(why) = outcome.skipped() {
            eprintln!("death: SKIPPED {}: {why}", self.name);
            return Ok(());
        }
        catch_unwind(AssertUnwindSafe(|| outcome.compare(self))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?");
            format!("{text}\n{}; it wrote:\n{}", outcome.status, outcome.stderr)
        })
    }
}

fn run(row: &Row, folder: &Path) -> Result<Outcome, String> {
    let (fd, page) = witness::create();
    let mut command = child::command(row.name);
    command.env(witness::WITNESS, fd.as_raw_fd().to_string());
    command.env(FOLDER, folder).current_dir(folder);
    command.env("FAILFAST_REPORT", folder.join("%p.json"));
    command.envs(row.env.iter().copied());
    let before_exec = row.before_exec;
    let stderr = row.stderr;
    // SAFETY: `close`, and what rows do there, are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            if stderr == Stderr::Closed {
                libc::close(2);
            }
            before_exec();
            Ok(())
        });
    }
    let (mut child, kept, reader) = spawn(command, stderr).map_err(|error| error.to_string())?;
    let status = child::wait(&mut child, HANGS_AFTER)?;
    let pid = child.id();
    (row.clear)(pid);
    let stderr = reader.map_or(Ok(String::new()), |reader| reader.text(status))?;
    drop(kept);
    let reports = outcome::reports(folder);
    Ok(Outcome { pid, status, stderr, reports, folder: folder.to_owned(), page })
}

fn spawn(
    mut command: Command,
    stderr: Stderr,
) -> std::io::Result<(Child, Option<OwnedFd>, Option<Reader>)> {
    let (reader, writer) = std::io::pipe()?;
    match stderr {
        Stderr::Read => {
            let child = command.stderr(writer).spawn()?;
            drop(command); // It holds the pipe's other end.
            Ok((child, None, Some(Reader::start(reader))))
        }
        Stderr::Closed => Ok((command.stderr(Stdio::null()).spawn()?, None, None)),
        Stderr::Full => {
            fill(&writer)?;
            Ok((command.stderr(writer).spawn()?, Some(reader.into()), None))
        }
        Stderr::Broken => {
            drop(reader);
            Ok((command.stderr(writer).spawn()?, None, None))
        }
    }
}

/// Fills a pipe, and leaves it blocking.
fn fill(writer: &impl AsRawFd) -> std::io::Result<()> {
    let fd = writer.as_raw_fd();
    // SAFETY: a descriptor of ours.
    unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) };
    // SAFETY: one byte is readable.
    while unsafe { libc::write(fd, c"x".as_ptr().cast(), 1) } == 1 {}
    // SAFETY: as above.
    unsafe { libc::fcntl(fd, libc::F_SETFL, 0) };
    Ok(())
}
