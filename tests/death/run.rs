//! Runs a row in a child process.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::outcome::{self, Outcome};
use crate::table::{Row, Stderr};
use crate::witness;

/// Names the row, in a child's environment.
pub(crate) const ROW: &str = "DEATH_ROW";
/// The row's folder.
pub(crate) const FOLDER: &str = "DEATH_FOLDER";
/// A child that takes longer hangs. Generous: only a bound.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// Runs a row, and says what was not as it should be.
pub(crate) fn check(row: &Row) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("death-{}-{}", std::process::id(), row.name));
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let outcome = run(row, folder.clone());
    let compared =
        outcome.as_ref().map(|outcome| catch_unwind(AssertUnwindSafe(|| outcome.compare(row))));
    let _ = std::fs::remove_dir_all(folder);
    let (compared, outcome) = (compared.map_err(Clone::clone)?, outcome?);
    compared.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?");
        format!("{text}\n{}; it wrote:\n{}", outcome.status, outcome.stderr)
    })
}

fn run(row: &Row, folder: PathBuf) -> Result<Outcome, String> {
    let (fd, page) = witness::create();
    let mut command = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
    command.env(ROW, row.name).env(witness::WITNESS, fd.as_raw_fd().to_string());
    command.env(FOLDER, &folder).current_dir(&folder).env("RUST_BACKTRACE", "0");
    command.env("FAILFAST_REPORT", folder.join("%p.json"));
    command.envs(row.env.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let before_exec = row.before_exec;
    let stderr = row.stderr;
    // SAFETY: `setrlimit`, `close`, and what rows do there, are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &none);
            if stderr == Stderr::Closed {
                libc::close(2);
            }
            before_exec();
            Ok(())
        });
    }
    let (mut child, kept, reader) = spawn(command, stderr).map_err(|e| e.to_string())?;
    let status = wait(&mut child)?;
    let stderr = reader.map_or(Ok(String::new()), |r| r.join()).map_err(|_| "no stderr")?;
    drop(kept);
    let pid = child.id();
    Ok(Outcome { pid, status, stderr, reports: outcome::reports(&folder), folder, page })
}

type Reader = std::thread::JoinHandle<String>;

fn spawn(
    mut command: Command,
    stderr: Stderr,
) -> std::io::Result<(Child, Option<OwnedFd>, Option<Reader>)> {
    let (mut reader, writer) = std::io::pipe()?;
    match stderr {
        Stderr::Read => {
            let child = command.stderr(writer).spawn()?;
            drop(command); // It holds the pipe's other end.
            let read = move || {
                let mut text = Vec::new();
                let _ = reader.read_to_end(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            };
            Ok((child, None, Some(std::thread::spawn(read))))
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

fn wait(child: &mut Child) -> Result<ExitStatus, String> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Ok(status);
        }
        if start.elapsed() > HANGS_AFTER {
            let stacks = threads(child.id());
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("hung for {HANGS_AFTER:?}; its threads: {stacks}"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Where the kernel has a process's threads wait.
fn threads(pid: u32) -> String {
    let mut text = String::new();
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    for task in tasks {
        if let Ok(mut file) = File::open(task.path().join("syscall")) {
            let _ = file.read_to_string(&mut text);
        }
    }
    text
}
