//! Running things, and looking at what they say.

use crate::dying::CHILD;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder of its own for one test, gone with its value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("cli-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a pipe that has a name.
    pub(crate) fn pipe(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: a C string.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        path
    }

    /// Writes a file, and makes the folders above it.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit status, or 128 and the signal.
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// What it said on standard output; it said nothing else, and all was well.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!((self.status, self.err.as_str()), (0, ""), "it said:\n{}", self.out);
        self.out
    }
}

/// The program, in a world in which nothing sets colours, widths or limits.
pub(crate) fn failfast() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_failfast"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let counts = ["FAILFAST_", "CLICOLOR", "NO_COLOR", "LC_", "LANG", "COLUMNS"];
        if text == "CI" || counts.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.env("LC_ALL", "C.UTF-8").env("TERM", "xterm").stdin(Stdio::null());
    unignored(&mut command);
    command
}

/// Has a program start without what shells have their background jobs ignore.
pub(crate) fn unignored(command: &mut Command) -> &mut Command {
    let default = || {
        for signal in [libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: the default action.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: `signal` is async-signal-safe.
    unsafe { command.pre_exec(default) }
}

pub(crate) fn run(command: &mut Command) -> Done {
    let output = command.output().unwrap();
    let status = output.status;
    Done {
        status: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn failfast_with<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Done {
    run(failfast().args(args))
}

/// `explain` on one file.
pub(crate) fn explain(report: &Path) -> Done {
    failfast_with([OsStr::new("explain"), report.as_os_str()])
}

/// The report of a process that died in this way, for this reason.
pub(crate) fn report_of(folder: &Folder, way: &str, variables: &[(&str, &str)]) -> PathBuf {
    let path = folder.path(&format!("{way}.json"));
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.env(CHILD, way).env("FAILFAST_REPORT", &path).envs(variables.iter().copied());
    let done = run(&mut child);
    assert_eq!(done.status, 134, "{done:?}");
    path
}

/// The example of the schema's documentation.
pub(crate) fn example() -> String {
    let text = include_str!("../../docs/report-schema.md");
    let (_, rest) = text.split_once("```json\n").unwrap();
    rest.split_once("\n```").unwrap().0.to_string()
}

/// Compares with the file `expected/NAME.txt`, or writes that if `CLI_BLESS` is set.
#[track_caller]
pub(crate) fn expect(name: &str, said: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/expected/{name}.txt"));
    if std::env::var_os("CLI_BLESS").is_some() {
        std::fs::write(&path, said).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(said == expected, "{} is not what was said:\n{said}", path.display());
}
