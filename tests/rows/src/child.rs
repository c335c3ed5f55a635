//! A child process, from its start to its end, whatever that is.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A child that takes longer hangs. Generous: the machine may be slow, and it is only a bound.
pub const HANGS_AFTER: Duration = Duration::from_secs(60);

/// How a child has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its number.
    pub pid: u32,
    /// By a signal, or with an exit status.
    pub status: ExitStatus,
    /// What it wrote to standard output, if that was piped.
    pub out: String,
    /// What it wrote to standard error, if that was piped.
    pub err: String,
}

/// This program again, as the child of the test `name`. What it says is not listened to, unless
/// that is asked for.
///
/// # Panics
///
/// If this program is not there any more.
#[must_use]
pub fn command(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(crate::ROW, name).env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    without_core_dumps(&mut command);
    command
}

/// Another program, with no variable of the crate's but what is said afterwards.
#[must_use]
pub fn of(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"FAILFAST_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    without_core_dumps(&mut command);
    command
}

/// Has a program leave no core, of which tests would leave dozens. It may raise the limit again.
pub fn without_core_dumps(command: &mut Command) -> &mut Command {
    let set = || {
        let mut core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: complete limits.
        unsafe {
            libc::getrlimit(libc::RLIMIT_CORE, &mut core);
            core.rlim_cur = 0;
            libc::setrlimit(libc::RLIMIT_CORE, &core);
        }
        Ok(())
    };
    // SAFETY: both calls are async-signal-safe.
    unsafe { command.pre_exec(set) }
}

/// Starts a child, waits for its end, and reads what it pipes.
///
/// # Errors
///
/// In words, if it cannot be started, or if it, or a pipe of it, outlasts `hangs_after`.
pub fn run(command: &mut Command, hangs_after: Duration) -> Result<Ended, String> {
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let out = child.stdout.take().map(Reader::start);
    let err = child.stderr.take().map(Reader::start);
    let status = wait(&mut child, hangs_after)?;
    let text = |reader: Option<Reader>| reader.map_or(Ok(String::new()), |it| it.text(status));
    Ok(Ended { pid: child.id(), status, out: text(out)?, err: text(err)? })
}

/// Under the standard harness: this program again, as the child that runs only the test `name`,
/// which is its name with its modules. What it writes to standard error is read.
#[must_use]
pub fn one_test(name: &str) -> Command {
    let mut command = command(name);
    command.args(["--exact", name, "--nocapture"]).stderr(Stdio::piped());
    command
}

/// Under the standard harness: runs `body` in the child of [`one_test`].
///
/// # Panics
///
/// If the child cannot be started, or hangs.
#[must_use]
pub fn in_child(name: &str, body: fn()) -> Ended {
    if crate::requested().is_some() {
        body();
        std::process::exit(0);
    }
    run(&mut one_test(name), HANGS_AFTER).unwrap_or_else(|error| panic!("{error}"))
}

/// Waits for a child's end.
///
/// # Errors
///
/// In words, if it hangs; it is killed then.
pub fn wait(child: &mut Child, hangs_after: Duration) -> Result<ExitStatus, String> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        if start.elapsed() > hangs_after {
            let stacks = threads(child.id());
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("hung for {hangs_after:?}; its threads: {stacks}"));
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

/// Reads a pipe to its end.
pub struct Reader(JoinHandle<String>);

impl Reader {
    /// In a thread of its own, so that nobody who writes has to wait.
    pub fn start(mut pipe: impl Read + Send + 'static) -> Self {
        Self(std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = pipe.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        }))
    }

    /// All that was written, by a child that has ended so.
    ///
    /// # Errors
    ///
    /// In words, if there is no end: a child's child that hangs would hold the pipe for ever.
    pub fn text(self, status: ExitStatus) -> Result<String, String> {
        let start = Instant::now();
        while !self.0.is_finished() {
            if start.elapsed() > HANGS_AFTER {
                return Err(format!("{status}; but a child of the child holds what it wrote to"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.join().map_err(|_| "what it wrote was not read".to_string())
    }
}
