//! Outside the cluster: programs run as clusters, and what became of them.
//!
//! Layer 8.  Plane: control.
//!
//! Recovery belongs outside what failed. A [`Command`] starts a program with its budgets and
//! shares a page of memory with it, on which a dying program leaves what it knows; it survives any
//! death. [`Running::wait`] returns a [`Verdict`] that never guesses: not from 134, which is any
//! abort, nor from 137, which is any SIGKILL.
//!
//! ```no_run
//! use failfast_alloc::Limit;
//! use failfast_alloc::supervise::{Class, Command};
//!
//! let mut server = Command::new("./server");
//! server.arg("--port=8080").budget(Limit::mib(512));
//! let verdict = server.spawn()?.wait()?;
//! eprintln!("{verdict}");
//! if verdict.class() == Class::SelfInflicted {
//!     // It would happen again with the same input.
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Supervisor`] starts programs again, by a policy, and gives up where that does not help.
//! [`Plan`] is its decisions alone, without processes and without a clock.
//!
//! # What is promised
//!
//! * **No orphan.** When the supervising process ends, however it does, the kernel kills its
//!   children: they are made by a thread of their own that lives as long as the process
//!   (`PR_SET_PDEATHSIG` looks at the thread, not at the process). Except for set-user-ID programs,
//!   for which the kernel forgets it.
//! * **No zombie**, and no signal to anybody else: every signal goes through a process descriptor,
//!   and a [`Running`] that is dropped kills and reaps its child.
//! * **No guess.** A verdict of *kernel OOM kill* needs the kernel's own count of such kills in a
//!   control group made for this child; without one a SIGKILL is a SIGKILL. What cannot be known is
//!   [`Reason::Unknown`].
//! * **No allocation** between death and verdict.
//!
//! # What is not
//!
//! * The program has to have our allocator for the record: [`Verdict::attached`] says whether it
//!   has. Otherwise all that is known is what the kernel knows.
//! * Who can write to the program's memory can write its record.
//! * A program that replaces itself by `exec` keeps its process, not its record.
//! * The kernel's count is one for all of a control group. If it has killed a helper of the
//!   program, and somebody other than [`Running`] sends the program itself SIGKILL later, that is
//!   taken for the kernel's doing. [`Verdict::kernel_oom_kills`] has the count.
//! * A supervisor that is killed leaves empty control groups behind (`failfast-PID-N`).
//! * While a `Running` is waited for, nobody else in the process may reap children at large
//!   (`waitpid(-1)`), nor ignore SIGCHLD.

mod attached;
mod command;
mod death;
mod error;
mod group;
mod plan;
mod policy;
mod running;
mod show;
mod spawner;
mod supervisor;
mod verdict;

pub use attached::Attached;
pub use command::{Cgroup, Command};
pub use death::{Death, Halt, Hook};
pub use error::StartError;
pub use plan::{Action, Event, Finish, Plan};
pub use policy::{Backoff, Intensity, Policy, Restart, Strategy};
pub use running::Running;
pub use supervisor::{Happening, Remote, Supervisor};
pub use verdict::{Class, Reason, Verdict};
