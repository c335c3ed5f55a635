//! A program, and what it is to be given.
//!
//! Layer 8.  Plane: control.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use std::{io, process};

use crate::config::{self, AbortMode, Limit, Mode};
use crate::record::{Address, PID_OFFSET, header};
use crate::sys::supervise::{Setup, SharedPage, is_waitable, open_process, own_oom_score};

use super::error::StartError;
use super::group::Group;
use super::running::Running;
use super::spawner;

/// A program to run as a cluster, in the manner of [`std::process::Command`].
///
/// It can be spawned again and again. What is not set here is as the program's own code, or the
/// environment that it inherits, has it.
///
/// ```no_run
/// use failfast_alloc::Limit;
/// use failfast_alloc::supervise::Command;
/// use std::time::Duration;
///
/// let mut worker = Command::new("./worker");
/// worker
///     .args(["--queue", "images"])
///     .budget(Limit::mib(256))
///     .cluster_budget("decoder", Limit::percent(50))
///     .hook_timeout(Duration::from_millis(500));
/// let mut running = worker.spawn()?;
/// println!("{}", running.wait()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Command {
    inner: process::Command,
    program: OsString,
    setup: Arc<Setup>,
    clusters: Vec<(String, Limit)>,
    /// What is wrong with what was asked for; said when it is spawned.
    wrong: Option<(&'static str, String)>,
    oom_score: Option<i32>,
    cgroup: Cgroup,
    memory_max: Option<u64>,
    keeps_descendants: bool,
    in_namespace: bool,
}

/// Whether a control group is made for the child.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Cgroup {
    /// Where one can be made. The default.
    #[default]
    Auto,
    /// It is an error if none can be made.
    Required,
    /// None: the child stays in our own.
    Never,
}

impl Command {
    /// The program at this path, or of this name in the folders of `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let (program, setup) = (program.as_ref().to_os_string(), Arc::new(Setup::default()));
        let mut inner = process::Command::new(&program);
        setup.install(&mut inner);
        Self {
            inner,
            program,
            setup,
            clusters: Vec::new(),
            wrong: None,
            oom_score: None,
            cgroup: Cgroup::Auto,
            memory_max: None,
            keeps_descendants: false,
            in_namespace: false,
        }
    }

    /// The program, as it was given.
    #[must_use]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.inner.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.inner.args(args);
        self
    }

    /// Sets a variable.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.inner.env(name, value);
        self
    }

    /// Does not let a variable be inherited.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.inner.env_remove(name);
        self
    }

    /// Lets no variable be inherited, and forgets those that were set, also by methods such as
    /// [`budget`](Self::budget), before.
    pub fn env_clear(&mut self) -> &mut Self {
        self.clusters.clear();
        self.inner.env_clear();
        self
    }

    /// Sets the folder that the program begins in.
    pub fn current_dir(&mut self, folder: impl AsRef<Path>) -> &mut Self {
        self.inner.current_dir(folder);
        self
    }

    /// Sets standard input; inherited unless set.
    pub fn stdin(&mut self, from: impl Into<Stdio>) -> &mut Self {
        self.inner.stdin(from);
        self
    }

    /// Sets standard output; inherited unless set.
    pub fn stdout(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.inner.stdout(to);
        self
    }

    /// Sets standard error; inherited unless set.
    pub fn stderr(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.inner.stderr(to);
        self
    }

    /// Sets the process's budget (`FAILFAST_BUDGET`).
    pub fn budget(&mut self, budget: Limit) -> &mut Self {
        if let Err(what) = config::check_limit(budget) {
            self.refuse("the budget", what, &budget);
        }
        self.env("FAILFAST_BUDGET", budget.to_string())
    }

    /// Sets the budget of the clusters of this name (`FAILFAST_CLUSTER_BUDGETS`); the last call for
    /// a name counts.
    pub fn cluster_budget(&mut self, name: &str, budget: Limit) -> &mut Self {
        if !config::is_cluster_name(name) {
            self.refuse("the name of a cluster", "is not 1 to 64 of A-Za-z0-9._-", &name);
        }
        if let Err(what) = config::check_cluster_limit(budget) {
            self.refuse("the budget of a cluster", what, &budget);
        }
        self.clusters.retain(|(known, _)| known != name);
        self.clusters.push((name.to_string(), budget));
        let budgets = self.clusters.iter().map(|(name, budget)| format!("{name}={budget}"));
        let budgets = budgets.collect::<Vec<_>>().join(",");
        self.env("FAILFAST_CLUSTER_BUDGETS", budgets)
    }

    /// Sets the budget of each thread's stack (`FAILFAST_STACK_BUDGET`): 16 KiB at least.
    pub fn stack_budget(&mut self, budget: Limit) -> &mut Self {
        if let Err(what) = config::check_stack_limit(budget) {
            self.refuse("the stack budget", what, &budget);
        }
        self.env("FAILFAST_STACK_BUDGET", budget.to_string())
    }

    /// Sets how many bytes are set aside for the abort hook (`FAILFAST_RESERVE`).
    pub fn reserve(&mut self, bytes: usize) -> &mut Self {
        if let Err(what) = config::check_limit(Limit::Bytes(bytes)) {
            self.refuse("the reserve", what, &bytes);
        }
        self.env("FAILFAST_RESERVE", bytes.to_string())
    }

    /// Sets how long dying may take (`FAILFAST_HOOK_TIMEOUT`).
    pub fn hook_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.time("FAILFAST_HOOK_TIMEOUT", "the hook's time", timeout)
    }

    /// Sets the program that it becomes instead of running its hook (`FAILFAST_EXEC`): an absolute
    /// path, or `none`, whatever its code says.
    pub fn exec(&mut self, program: impl AsRef<OsStr>) -> &mut Self {
        let program = program.as_ref();
        if !Path::new(program).is_absolute() && program != "none" {
            self.refuse("the program to become", "is not an absolute path", &program);
        }
        self.env("FAILFAST_EXEC", program)
    }

    /// Sets how long that program may run (`FAILFAST_EXEC_TIMEOUT`).
    pub fn exec_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.time("FAILFAST_EXEC_TIMEOUT", "the time of the program to become", timeout)
    }

    /// Sets where the report goes (`FAILFAST_REPORT`): a path, `fd:N` or `none`. The supervisor has
    /// it either way ([`Death::report_json`](super::Death::report_json)).
    pub fn report(&mut self, to: impl AsRef<OsStr>) -> &mut Self {
        self.env("FAILFAST_REPORT", to)
    }

    /// Sets whether SIGABRT handlers of others run after the hook (`FAILFAST_ABORT`).
    pub fn abort_mode(&mut self, mode: AbortMode) -> &mut Self {
        let mode = match mode {
            AbortMode::Chain => "chain",
            AbortMode::Plain => "plain",
        };
        self.env("FAILFAST_ABORT", mode)
    }

    /// Sets whether it dies over its budget, or only says so (`FAILFAST_MODE`).
    pub fn mode(&mut self, mode: Mode) -> &mut Self {
        let mode = match mode {
            Mode::Enforce => "enforce",
            Mode::Observe => "observe",
        };
        self.env("FAILFAST_MODE", mode)
    }

    /// Sets what is asked of the kernel's out-of-memory killer: -1000, never, to 1000, first.
    /// Unless set: 500 more than our own, so that the child goes before us. What the kernel does
    /// not allow stays as it was.
    pub fn oom_score_adj(&mut self, score: i32) -> &mut Self {
        self.oom_score = Some(score.clamp(-1000, 1000));
        self
    }

    /// Sets whether a control group is made for the child. It is the evidence for a verdict of
    /// *kernel OOM kill*, and how processes are found that the child has left behind.
    pub fn cgroup(&mut self, cgroup: Cgroup) -> &mut Self {
        self.cgroup = cgroup;
        self
    }

    /// Sets how many bytes the child's control group may have: the kernel's limit, behind the
    /// budget. It is an error if no group can be made.
    pub fn memory_max(&mut self, bytes: u64) -> &mut Self {
        self.memory_max = Some(bytes);
        self
    }

    /// Lets processes that the child has started, and not waited for, outlive it. Otherwise those
    /// in its control group, if it has one, are killed when it has ended.
    pub fn keep_descendants(&mut self, keep: bool) -> &mut Self {
        self.keeps_descendants = keep;
        self
    }

    /// Makes the program the first process of a process namespace of its own, so that the kernel
    /// ends all that it has started when it ends. It is pid 1 there, which no signal of its own
    /// ends: if it fails it exits with 134, and the record says why. Needs the right to make
    /// namespaces (CAP_SYS_ADMIN); it is an error otherwise.
    pub fn pid_namespace(&mut self, own: bool) -> &mut Self {
        self.in_namespace = own;
        self
    }

    /// Starts the program. It begins with no signal blocked; what is ignored stays ignored, but for
    /// SIGPIPE, as with the standard library's.
    ///
    /// It costs a thread the first time, which stays; a fork, two or three descriptors (three if it
    /// has a control group), 8 KiB of memory in a file, and about 2 KiB of our own.
    ///
    /// # Errors
    ///
    /// If it could not be started: it is not there or may not be executed; a value that was set
    /// cannot be meant; the kernel has no room for a process, or is older than Linux 5.4; SIGCHLD
    /// is ignored, so that the kernel would throw away how children end.
    pub fn spawn(&mut self) -> Result<Running, StartError> {
        if let Some((what, value)) = &self.wrong {
            return Err(StartError::invalid(&self.program, what, value.clone()));
        }
        let failed = |what: &'static str| {
            let program = self.program.clone();
            move |error| StartError::new(&program, what, error)
        };
        if !is_waitable() {
            let why = "SIGCHLD is ignored, so how it ends would be lost";
            return Err(failed("")(io::Error::other(why)));
        }
        let mut group = self.group().map_err(failed("a control group cannot be made"))?;
        let parent = open_process(process::id()).map_err(failed("pidfd_open"))?;
        let nonce = nonce();
        let page = SharedPage::new(&header(nonce)).map_err(failed("the record"))?;
        let running = Running::prepare(nonce).map_err(failed("the record's copy"))?;
        let address = Address { fd: page.fd(), ino: page.ino(), nonce };
        self.inner.env("FAILFAST_RECORD", address.to_string());
        let procs = group.as_ref().map_or(-1, Group::procs_fd);
        self.setup.set(parent.as_raw_fd(), (page.fd(), PID_OFFSET), procs);
        self.setup.set_oom_score(self.oom_score());
        let mut child = spawner::spawn(&mut self.inner, self.in_namespace).map_err(failed(""))?;
        group.iter_mut().for_each(Group::close);
        let process = open_process(child.id()).map_err(|error| {
            // It was us who made it; so is its number, until it is waited for.
            let _ = (child.kill(), child.wait());
            failed("pidfd_open")(error)
        })?;
        Ok(running.start(child, process, page, group, self.keeps_descendants))
    }

    fn oom_score(&self) -> i32 {
        self.oom_score.unwrap_or_else(|| (own_oom_score() + 500).min(1000))
    }

    fn group(&self) -> io::Result<Option<Group>> {
        let is_needed = self.memory_max.is_some() || self.cgroup == Cgroup::Required;
        if self.cgroup == Cgroup::Never && !is_needed {
            return Ok(None);
        }
        match Group::new(self.memory_max) {
            Err(error) if is_needed => Err(error),
            group => Ok(group.ok()),
        }
    }

    fn time(&mut self, name: &str, what: &'static str, time: Duration) -> &mut Self {
        if let Err(why) = config::check_time(time) {
            self.refuse(what, why, &time);
        }
        self.env(name, format!("{}us", time.as_nanos().div_ceil(1000)))
    }

    fn refuse(&mut self, what: &'static str, why: &str, value: &dyn std::fmt::Debug) {
        self.wrong.get_or_insert((what, format!("{value:?} {why}")));
    }
}

/// A number that nobody else has: the seed of the standard library's hash tables.
fn nonce() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    RandomState::new().build_hasher().finish()
}
