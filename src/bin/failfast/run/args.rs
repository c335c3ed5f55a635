//! What `failfast run` can be asked for.
//!
//! Above the layers.  Plane: control.

use super::Asked;
use super::restart::{On, Restarts, backoff, intensity};
use clap::ValueHint;
use failfast_alloc::settings::Setting;
use std::ffi::OsString;

/// Run a program with budgets, say what it died of, and start it again if that helps
///
/// Budgets and the rest go to the program by its environment, so its allocator has to be
/// `failfast_alloc::FailFast`; of any other program it is said what the kernel says. Signals and
/// standard streams pass through: a signal that is sent to `failfast` is sent on, one of the
/// terminal (Ctrl-C) reaches the program by itself. If `failfast` is killed, so is the program.
///
/// It ends as the program did: with its exit status, or by the same signal, which a shell shows as
/// 128 and the signal's number; 127 if there is no such program, 126 if it cannot be executed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  failfast run --budget 512MiB -- ./server --port 8080
  failfast run --budget 75% --cluster-budgets parser=64MiB,cache=10% -- ./server
  failfast run --budget auto --restart 5/10s -- ./server
  failfast run --mode observe --json -- ./batch 2> batch.log

Exit status: that of the program; 64 if the command line is wrong, 70 if it cannot be known how the
program ended, 71 if the kernel refuses what it takes to watch it, 78 if a value is wrong, 126 if
the program cannot be executed, 127 if there is none.")]
pub(crate) struct RunArgs {
    /// The most bytes the process may have allocated at once: 512MiB, 75%, auto, unlimited
    #[arg(long, value_name = "SIZE")]
    budget: Option<String>,
    /// The same for clusters within it: parser=64MiB,cache=10%
    #[arg(long, value_name = "LIST")]
    cluster_budgets: Option<String>,
    /// The most stack each thread may use: 1MiB, unlimited
    #[arg(long, value_name = "SIZE")]
    stack_budget: Option<String>,
    /// The heap that is set aside for the abort hook: 256KiB
    #[arg(long, value_name = "SIZE")]
    reserve: Option<String>,
    /// How long dying may take, the hook included: 500ms, 5s
    #[arg(long, value_name = "DURATION")]
    hook_timeout: Option<String>,
    /// Where the JSON report goes: a file (`%p` in its name is the pid), fd:2, none
    #[arg(long, value_name = "TO", value_hint = ValueHint::FilePath)]
    report: Option<String>,
    /// The program to become instead of running the hook: an absolute path
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    exec: Option<String>,
    /// How long that program may run
    #[arg(long, value_name = "DURATION")]
    exec_timeout: Option<String>,
    /// Whether other SIGABRT handlers run after the hook: chain, plain
    #[arg(long, value_name = "WORD")]
    abort: Option<String>,
    /// Whether it dies over a budget, or only says so: enforce, observe
    #[arg(long, value_name = "WORD")]
    mode: Option<String>,
    /// Start it again, so many times in so long at most: 5/10s. Then give up
    #[arg(long, value_name = "TIMES/DURATION")]
    restart: Option<String>,
    /// After which ends it is started again
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    restart_on: On,
    /// How long to wait before: at first, and at most; twice as long each time
    #[arg(long, value_name = "MIN..MAX", default_value = "100ms..10s")]
    back_off: String,
    /// One JSON object on a line of standard error for each end, instead of a line for people
    #[arg(long)]
    json: bool,
    /// The program, and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM",
          value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

impl RunArgs {
    /// Judges all values, as the library does; or says all that is wrong.
    pub(super) fn check(self) -> Result<Asked, Vec<String>> {
        let mut wrong = Vec::new();
        let settings = self.settings(&mut wrong);
        let rate = self.restart.as_deref().map(|text| intensity("--restart", text)).transpose();
        let rate = rate.map_err(|error| wrong.push(error)).unwrap_or_default();
        let pause = backoff("--back-off", &self.back_off);
        let pause = pause.map_err(|error| wrong.push(error)).unwrap_or_default();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let restarts = Restarts::new(rate, self.restart_on, pause);
        let mut words = self.command.into_iter();
        let program = words.next().unwrap_or_default();
        Ok(Asked { program, args: words.collect(), settings, restarts, json: self.json })
    }

    fn settings(&self, wrong: &mut Vec<String>) -> Vec<(&'static str, OsString)> {
        let given = [
            (Setting::Budget, "--budget", &self.budget),
            (Setting::ClusterBudgets, "--cluster-budgets", &self.cluster_budgets),
            (Setting::StackBudget, "--stack-budget", &self.stack_budget),
            (Setting::Reserve, "--reserve", &self.reserve),
            (Setting::HookTimeout, "--hook-timeout", &self.hook_timeout),
            (Setting::Report, "--report", &self.report),
            (Setting::Exec, "--exec", &self.exec),
            (Setting::ExecTimeout, "--exec-timeout", &self.exec_timeout),
            (Setting::Abort, "--abort", &self.abort),
            (Setting::Mode, "--mode", &self.mode),
        ];
        let mut settings = Vec::new();
        for (setting, option, text) in given {
            let Some(text) = text else { continue };
            match setting.check(option, text) {
                Ok(()) => settings.push((setting.variable(), text.into())),
                Err(error) => wrong.extend(error.to_string().lines().map(str::to_string)),
            }
        }
        settings
    }
}
