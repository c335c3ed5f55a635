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

/// How often each row is run: once, unless this variable says otherwise.
const REPEAT: &str = "DEATH_REPEAT";

/// Runs a row, and says what was not as it should be.
pub(crate) fn check(row: &Row) -> Result<(), String> {
    let times = std::env::var(REPEAT).map_or(1, |text| text.parse().expect("a number of times"));
    for time in 1..=times {
        check_once(row).map_err(|error| format!("time {time} of {times}: {error}"))?;
    }
    Ok(())
}

fn check_once(row: &Row) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("death-{}-{}", std::process::id(), row.name));
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let outcome = run(row, folder.clone());
    let compared = outcome.as_ref().map(|outcome| match outcome.skipped() {
        Some(why) => {
            eprintln!("death: SKIPPED {}: {why}", row.name);
            Ok(())
        }
        None => catch_unwind(AssertUnwindSafe(|| outcome.compare(row))),
    });
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
            let mut core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::getrlimit(libc::RLIMIT_CORE, &mut core);
            core.rlim_cur = 0;
            libc::setrlimit(libc::RLIMIT_CORE, &core);
            if stderr == Stderr::Closed {
                libc::close(2);
            }
            before_exec();
            Ok(())
        });
    }
    let (mut child, kept, reader) = spawn(command, stderr).map_err(|e| e.to_string())?;
    let status = wait(&mut child)?;
    let pid = child.id();
    (row.clear)(pid);
    let stderr = reader.map_or(Ok(String::new()), |reader| read(reader, status))?;
    drop(kept);
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
            let to_end = move || {
                let mut text = Vec::new();
                let _ = reader.read_to_end(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            };
            Ok((child, None, Some(std::thread::spawn(to_end))))
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

/// What was written to the end. A child's child that hangs would hold the pipe for ever.
fn read(reader: Reader, status: ExitStatus) -> Result<String, String> {
    let start = Instant::now();
    while !reader.is_finished() {
        if start.elapsed() > HANGS_AFTER {
            return Err(format!("{status}; but a child of the child holds standard error"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    reader.join().map_err(|_| "no standard error".to_string())
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
