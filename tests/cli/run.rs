//! `failfast run`: real programs, real signals.

use crate::Row;
use crate::dying::CHILD;
use crate::tools::{Done, Folder, explain, failfast, run, unignored};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

pub(crate) const ROWS: &[Row] = &[
    ("run::every_option_reaches_the_program", every_option_reaches_the_program),
    ("run::a_budget_is_a_verdict", a_budget_is_a_verdict),
    ("run::machines_get_a_line", machines_get_a_line),
    ("run::who_does_not_heed_a_budget_is_said", who_does_not_heed),
    ("run::it_ends_as_the_program_does", it_ends_as_the_program_does),
    ("run::what_cannot_be_started", what_cannot_be_started),
    ("run::wrong_values", wrong_values),
    ("run::streams_pass_through", streams_pass_through),
    ("run::signals_pass_through_once", signals_pass_through_once),
    ("run::the_terminal_s_signals_come_once", the_terminal_s_signals_come_once),
    ("run::every_signal_passes_through", every_signal_passes_through),
    ("run::a_line_that_hangs_up_is_told", a_line_that_hangs_up_is_told),
    ("run::what_is_ignored_is_no_wish_to_end", what_is_ignored_is_no_wish_to_end),
    ("run::it_stops_and_goes_on_with_the_program", it_stops_and_goes_on_with_the_program),
    ("run::it_does_not_stop_where_nobody_continues_it", it_does_not_stop_where_nobody_continues_it),
    ("run::it_reaps_what_the_program_has_left", it_reaps_what_the_program_has_left),
    ("run::masks_and_what_is_ignored", masks_and_what_is_ignored),
    ("run::killed_it_takes_the_program_along", killed_it_takes_the_program_along),
    ("run::started_again_until_it_is_well", started_again_until_it_is_well),
    ("run::gives_up", gives_up),
    ("run::self_inflicted_is_not_tried_again", self_inflicted_is_not_tried_again),
    ("run::asked_to_end_it_does_not_start_again", asked_to_end_it_does_not_start_again),
];

/// `failfast run`, with these options, of this test's own program dying in this way.
fn run_child(way: &str, options: &[&str]) -> Command {
    let mut command = failfast();
    command.arg("run").args(options).arg("--").arg(std::env::current_exe().unwrap());
    command.env(CHILD, way);
    command
}

/// `failfast run`, with these options, of a script.
fn run_script(options: &[&str], script: &str) -> Command {
    let mut command = failfast();
    command.arg("run").args(options).args(["--", "sh", "-c", script]);
    command
}

fn every_option_reaches_the_program() {
    let options = [
        ("--budget", "BUDGET", "75%"),
        ("--cluster-budgets", "CLUSTER_BUDGETS", "parser=64MiB,cache=10%"),
        ("--stack-budget", "STACK_BUDGET", "1MiB"),
        ("--reserve", "RESERVE", "1MiB"),
        ("--hook-timeout", "HOOK_TIMEOUT", "500ms"),
        ("--report", "REPORT", "/tmp/%p.json"),
        ("--exec", "EXEC", "/bin/true"),
        ("--exec-timeout", "EXEC_TIMEOUT", "2m"),
        ("--abort", "ABORT", "plain"),
        ("--mode", "MODE", "observe"),
    ];
    let mut command = failfast();
    command.arg("run");
    options.iter().for_each(|(option, _, value)| {
        command.args([option, value]);
    });
    let Done { out: said, status: 0, .. } = run(command.args(["--", "env"])) else {
        panic!("it failed");
    };
    for (option, variable, value) in options {
        let line = format!("\nFAILFAST_{variable}={value}\n");
        assert!(format!("\n{said}").contains(&line), "{option}: {said}");
    }
    // What is not asked for is inherited, or is not there.
    let mut command = failfast();
    command.env("FAILFAST_BUDGET", "1GiB").args(["run", "--reserve", "1MiB", "--", "env"]);
    let said = run(&mut command).out;
    assert!(said.contains("FAILFAST_BUDGET=1GiB\n") && !said.contains("FAILFAST_MODE"), "{said}");
}

fn a_budget_is_a_verdict() {
    let done = run(&mut run_child("heap", &["--budget", "8MiB"]));
    assert_eq!(done.status, 134);
    let lines: Vec<&str> = done.err.lines().collect();
    assert_eq!(lines.len(), 2, "the program's own line, and ours: {}", done.err);
    assert!(lines[0].starts_with("failfast: heap budget: cluster `root` asked for 1048576 bytes"));
    let expected = "failfast: run: heap budget: cluster `root` asked for 1048576 bytes with ";
    assert!(lines[1].starts_with(expected), "{}", done.err);
}

/// The last line of standard error.
#[track_caller]
fn json(done: &Done) -> Value {
    serde_json::from_str(done.err.lines().last().unwrap()).unwrap_or_else(|_| panic!("{done:?}"))
}

fn machines_get_a_line() {
    let done = run(&mut run_child("cluster", &["--json", "--budget", "1GiB"]));
    let said = json(&done);
    for (name, value) in [("reason", "heap-budget"), ("class", "self-inflicted")] {
        assert_eq!(said[name], value, "{said}");
    }
    assert_eq!(said["failfast_verdict"], 1);
    assert_eq!(said["signal"], 6);
    assert_eq!(said["exit_code"], Value::Null);
    assert_eq!(said["attached"], env!("CARGO_PKG_VERSION"));
    assert_eq!(said["death"]["cluster"], "parser");
    assert_eq!(said["death"]["budget_bytes"], 2 << 20);
    assert_eq!(said["death"]["report"]["cause"], "heap-budget");
    assert_eq!(said["next"]["action"], "end");
    // The whole log is something that can be explained.
    let folder = Folder::new();
    let text = explain(&folder.file("log", &done.err)).well();
    assert!(text.starts_with("heap budget\n") && text.contains("`parser`"), "{text}");
    for (script, reason, class, code) in [
        ("exit 0", "exit", "clean", Some(0)),
        ("exit 3", "exit", "self-inflicted", Some(3)),
        ("kill -TERM $$", "signal", "environmental", None),
    ] {
        let said = json(&run(&mut run_script(&["--json"], script)));
        assert_eq!((&said["reason"], &said["class"]), (&reason.into(), &class.into()), "{said}");
        assert_eq!((said["exit_code"].as_i64(), &said["attached"]), (code, &Value::Null), "{said}");
    }
    let mut command = failfast();
    let said = json(&run(command.args(["run", "--json", "--", "/nowhere/\x1b[1m"])));
    assert_eq!((&said["reason"], &said["pid"]), (&"not-started".into(), &Value::Null));
}

fn who_does_not_heed() {
    let line = "failfast: run: the program's allocator is no FailFast: it was not held to \
                FAILFAST_BUDGET, FAILFAST_MODE\n";
    let settings = ["--budget", "1GiB", "--mode", "enforce"];
    assert_eq!(run(&mut run_script(&settings, "exit 0")).err, line);
    // Once, however often it is started.
    let again = ["--restart", "2/10s", "--restart-on", "always", "--back-off", "1ms..1ms"];
    let done = run(&mut run_script(&[&settings[..], &again].concat(), "exit 0"));
    assert_eq!(done.err.matches(line).count(), 1, "{}", done.err);
    assert_eq!(done.err.matches("starting again").count(), 2, "{}", done.err);
    // Who becomes a program that has it, has it; and nobody asked is told nothing.
    let this = std::env::current_exe().unwrap();
    let script = format!("exec '{}' --list", this.display());
    assert_eq!(run(&mut run_script(&settings, &script)).err, "");
    assert_eq!(run(&mut run_script(&[], "exit 0")).err, "");
    let done = run(&mut run_script(&[&settings[..], &["--json"]].concat(), "exit 0"));
    assert_eq!((&json(&done)["attached"], done.err.lines().count()), (&Value::Null, 1));
}

fn it_ends_as_the_program_does() {
    for status in [0, 1, 3, 127, 255] {
        let done = run(&mut run_script(&[], &format!("exit {status}")));
        assert_eq!((done.status, done.err.as_str()), (status, ""));
    }
    let folder = Folder::new();
    for signal in [1, 2, 3, 6, 9, 10, 11, 13, 14, 15, 34] {
        let mut command = run_script(&[], &format!("kill -{signal} $$"));
        let output = command.current_dir(folder.path("")).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        match signal {
            34 => assert_eq!(output.status.code(), Some(128 + 34), "{err}"),
            _ => assert_eq!(output.status.signal(), Some(signal), "{err}"),
        }
        assert!(err.starts_with("failfast: run: ended by "), "{err}");
        assert!(!output.status.core_dumped(), "signal {signal}: a core of the wrong program");
    }
}

fn what_cannot_be_started() {
    let folder = Folder::new();
    let data = folder.file("data", "nothing to execute");
    for (program, status, what) in [
        ("no-program-of-this-name", 127, "No such file or directory"),
        (data.to_str().unwrap(), 126, "Permission denied"),
        (folder.path("").to_str().unwrap(), 126, "Permission denied"),
    ] {
        let mut command = failfast();
        // A folder that may not be searched would make another error of it.
        command.env("PATH", "/usr/bin:/bin");
        // It is somebody's mistake, which another try does not help.
        let options = ["run", "--restart", "3/10s", "--restart-on", "always", "--", program];
        let done = run(command.args(options));
        assert_eq!((done.status, done.out.as_str()), (status, ""), "{}", done.err);
        let line = "failfast: run: not started: ";
        assert!(done.err.starts_with(line) && done.err.contains(what), "{}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    }
}

/// The library's parser, its words, and its status; all that is wrong at once.
fn wrong_values() {
    let options = [
        "--budget=12Q",
        "--cluster-budgets=a=1MiB,b=0",
        "--hook-timeout=5",
        "--mode=dry",
        "--exec=recover",
        "--restart=5",
        "--back-off=2s..1s",
    ];
    let done = run(&mut run_script(&options, "echo started"));
    assert_eq!((done.status, done.out.as_str()), (78, ""));
    let expected = "\
failfast: --budget: `12Q` is not a size; expected bytes, 64MiB, 75%, auto or unlimited
failfast: --cluster-budgets: b: `0` is zero; expected name=budget, each name once, such as \
parser=64MiB,cache=10%,log=unlimited
failfast: --hook-timeout: `5` is not a duration with its unit; expected 500ms, 5s or 2m, a year at \
most
failfast: --exec: `recover` is not an absolute path; expected the absolute path of a program, \
without arguments, or none
failfast: --mode: `dry` is not a mode; expected enforce or observe
failfast: --restart: `5` is no such rate; expected 5/10s, five times in ten seconds
failfast: --back-off: `2s..1s` falls; expected 100ms..10s
";
    assert_eq!(done.err, expected);
    // The same in the program's own words.
    let mut child = Command::new(std::env::current_exe().unwrap());
    let own = run(child.env(CHILD, "requested").env("FAILFAST_BUDGET", "12Q")).err;
    assert_eq!(
        own.replace("FAILFAST_BUDGET", "--budget"),
        expected.lines().next().unwrap().to_string() + "\n"
    );
}

fn streams_pass_through() {
    let mut command = run_script(&[], "cat; echo to-stderr >&2");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let text = "\0binary\u{ff}\n".repeat(1000);
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.stdout.as_slice(), output.stderr.as_slice()),
        (text.as_bytes(), &b"to-stderr\n"[..])
    );
}

/// A supervised program that tells its signals.
struct Telling {
    supervisor: Child,
    lines: BufReader<File>,
    /// Of the supervisor, which is not our child if there is a terminal between.
    pid: Pid,
}

impl Telling {
    fn start(mut command: Command) -> Self {
        let mut supervisor = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = OwnedFd::from(supervisor.stdout.take().unwrap());
        Self::of(supervisor, lines.into())
    }

    fn of(supervisor: Child, lines: File) -> Self {
        let mut lines = BufReader::new(lines);
        let mut line = String::new();
        while !line.contains("ready ") {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it never began");
        }
        let pid = line.trim().rsplit_once("ready ").unwrap().1.parse().unwrap();
        Self { supervisor, lines, pid: Pid::from_raw(pid) }
    }

    fn send(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }

    /// What it says next, which it must within a minute.
    fn next(&mut self) -> String {
        if self.lines.buffer().is_empty() {
            let mut fds = [PollFd::new(self.lines.get_ref().as_fd(), PollFlags::POLLIN)];
            assert_ne!(poll(&mut fds, 60_000_u16), Ok(0), "it says nothing");
        }
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_string()
    }

    /// Ends it, and says how it ended.
    fn end(mut self) -> Option<i32> {
        self.send(Signal::SIGTERM);
        assert_eq!(self.next(), "SIGTERM");
        self.supervisor.wait().unwrap().code()
    }
}

/// A test that fails leaves nobody behind.
impl Drop for Telling {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = kill(self.pid, Signal::SIGKILL);
        }
        let _ = self.supervisor.kill();
    }
}

fn signals_pass_through_once() {
    use Signal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
    let mut program = Telling::start(run_child("signals", &[]));
    for signal in [SIGUSR1, SIGUSR2, SIGHUP, SIGWINCH, SIGCONT, SIGINT, SIGQUIT, SIGUSR1] {
        program.send(signal);
        // If one came twice it would be read in place of the next.
        assert_eq!(program.next(), signal.to_string());
    }
    assert_eq!(program.end(), Some(7));
}

/// Ctrl-C goes to all of the foreground, so it must not be sent on as well.
fn the_terminal_s_signals_come_once() {
    if !crate::surface::has_script() {
        return;
    }
    let inner = run_child("signals", &[]);
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command"]);
    script.arg(format!("stty -echo noflsh; exec {}", words.join(" "))).arg("/dev/null");
    script.env(CHILD, "signals").env("SHELL", "/bin/sh").stdin(Stdio::piped());
    let mut program = Telling::start(script);
    let mut keyboard = program.supervisor.stdin.take().unwrap();
    for _ in 0..50 {
        keyboard.write_all(b"\x03").unwrap();
        assert_eq!(program.next(), "SIGINT");
    }
    // If one had come twice there would be one more to read.
    program.send(Signal::SIGUSR1);
    assert_eq!(program.next(), "SIGUSR1");
    assert_eq!(program.end(), Some(7));
}

/// Those too that have no name, or end a process that does not know them.
fn every_signal_passes_through() {
    for signal in [libc::SIGABRT, libc::SIGALRM, libc::SIGPWR, libc::SIGURG, libc::SIGRTMIN() + 3] {
        let script = format!(
            "trap 'echo told; exit 4' {signal}; echo ready $PPID; while :; do sleep 0.01; done"
        );
        let mut program = Telling::start(run_script(&[], &script));
        // SAFETY: numbers.
        assert_eq!(unsafe { libc::kill(program.pid.as_raw(), signal) }, 0);
        assert_eq!(program.next(), "told", "{signal}");
        assert_eq!(program.supervisor.wait().unwrap().code(), Some(4), "{signal}");
    }
}

/// The kernel tells the session's leader alone.
fn a_line_that_hangs_up_is_told() {
    if !crate::surface::has_script() {
        return;
    }
    let folder = Folder::new();
    let pipe = folder.pipe("pipe");
    let inner = run_script(&[], "exec \"$CHILD_PROGRAM\" > \"$CHILD_PIPE\"");
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--command", &format!("exec {}", words.join(" ")), "/dev/null"]);
    script.env(CHILD, "signals").env("SHELL", "/bin/sh").stdin(Stdio::null());
    script.env("CHILD_PROGRAM", std::env::current_exe().unwrap()).env("CHILD_PIPE", &pipe);
    let terminal = script.stdout(Stdio::null()).spawn().unwrap();
    let lines = std::fs::File::open(&pipe).unwrap();
    let mut program = Telling::of(terminal, lines);
    program.supervisor.kill().unwrap();
    let told = [program.next(), program.next()];
    program.supervisor.wait().unwrap();
    let mut told = told.each_ref().map(String::as_str);
    told.sort_unstable();
    assert_eq!(told, ["SIGCONT", "SIGHUP"]);
    program.send(Signal::SIGTERM);
    assert_eq!(program.next(), "SIGTERM");
    assert_eq!(program.next(), "", "all have ended");
}

/// As under `nohup`: whoever has us ignore a signal does not ask for the end by it.
fn what_is_ignored_is_no_wish_to_end() {
    for (ignoring, lines) in [("trap '' INT CHLD; ", 2), ("", 1)] {
        let script = "trap 'echo told; kill -9 $$' INT; echo ready $PPID; while :; do sleep 0.01; \
                      done";
        // No shell tells of what it has been given to ignore.
        let script = if lines == 2 { "echo ready $PPID; read x; kill -9 $$" } else { script };
        let mut inner = failfast();
        let options = ["--restart", "1/1h", "--restart-on", "always", "--back-off", "1ms"];
        inner.arg("run").args(options).args(["--", "sh", "-c", script]);
        let mut outer = Command::new("sh");
        outer.args(["-c", &format!("{ignoring}exec \"$@\""), "sh"]).arg(inner.get_program());
        unignored(outer.args(inner.get_args())).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut program = Telling::start(outer);
        program.send(Signal::SIGINT);
        // It reads signals in the order of their numbers; and this one it has passed on.
        if lines == 1 {
            assert_eq!(program.next(), "told");
        } else {
            program.supervisor.stdin.take().unwrap().write_all(b"x\ny\n").unwrap();
            assert!(program.next().starts_with("ready "), "it is started again");
        }
        let mut err = String::new();
        program.supervisor.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(program.supervisor.wait().unwrap().signal(), Some(9));
        assert_eq!(err.matches("run: ended by SIGKILL").count(), lines, "{err}");
    }
}

fn it_stops_and_goes_on_with_the_program() {
    use std::os::unix::process::CommandExt as _;
    // A job, as shells make them.
    let mut command = run_child("signals", &[]);
    command.process_group(0);
    let mut program = Telling::start(command);
    program.send(Signal::SIGTSTP);
    assert_eq!(program.next(), "SIGTSTP");
    // The shell that waits for us sees that the job has stopped.
    let stopped = waitpid(program.pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert_eq!(stopped, WaitStatus::Stopped(program.pid, Signal::SIGTSTP));
    program.send(Signal::SIGCONT);
    assert_eq!(program.next(), "SIGCONT");
    let end = program.end();
    assert_eq!(end, Some(7));
}

/// In a session of its own nobody could have it go on: the kernel stops no such process either.
fn it_does_not_stop_where_nobody_continues_it() {
    use std::os::unix::process::CommandExt as _;
    let mut command = run_child("signals", &[]);
    // SAFETY: a system call.
    unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(Into::into)) };
    let mut program = Telling::start(command);
    program.send(Signal::SIGTSTP);
    assert_eq!(program.next(), "SIGTSTP");
    program.send(Signal::SIGUSR1);
    assert_eq!(program.next(), "SIGUSR1");
    assert_eq!(program.end(), Some(7));
}

/// As the first process of a container it gets what the program has left behind.
fn it_reaps_what_the_program_has_left() {
    use std::os::unix::process::CommandExt as _;
    let script = "echo ready $PPID; sh -c '(read x; exit 3) <&3 & echo $!' 3<&0; exec sleep 1000";
    let mut command = run_script(&[], script);
    command.stdin(Stdio::piped());
    let subreaper = || nix::sys::prctl::set_child_subreaper(true).map_err(Into::into);
    // SAFETY: a system call.
    unsafe { command.pre_exec(subreaper) };
    let mut program = Telling::start(command);
    let left = Pid::from_raw(program.next().parse().unwrap());
    program.supervisor.stdin.take().unwrap().write_all(b"end\n").unwrap();
    // A zombie can be sent signals.
    let begin = std::time::Instant::now();
    while kill(left, None).is_ok() {
        assert!(begin.elapsed().as_secs() < 60, "it is a zombie");
        std::thread::yield_now();
    }
    program.send(Signal::SIGTERM);
    assert_eq!(program.supervisor.wait().unwrap().signal(), Some(15));
}

fn masks_and_what_is_ignored() {
    for (ignoring, ignored) in [("", 0), ("trap '' HUP INT; ", 3)] {
        // No shell within, for a shell sets its mask itself.
        let mut inner = failfast();
        inner.args(["run", "--", "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]);
        let mut outer = Command::new("sh");
        outer.args(["-c", &format!("{ignoring}exec \"$@\""), "sh"]).arg(inner.get_program());
        let said = run(unignored(outer.args(inner.get_args()))).well();
        let masks = said.lines().map(|line| {
            let (_, mask) = line.split_once('\t').unwrap();
            // Those above are the C library's and real-time ones, as whoever started us left them.
            u64::from_str_radix(mask, 16).unwrap() & 0x7fff_ffff
        });
        assert_eq!(masks.collect::<Vec<_>>(), [0, ignored], "{said}");
    }
}

fn killed_it_takes_the_program_along() {
    let mut program = Telling::start(run_child("signals", &[]));
    program.send(Signal::SIGKILL);
    // The pipe's other end closes when both are gone.
    let mut rest = String::new();
    program.lines.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert_eq!(program.supervisor.wait().unwrap().signal(), Some(9));
}

/// Is killed twice, then exits with 5.
const THIRD_TIME_LUCKY: &str = "\
n=$(cat times 2>/dev/null || echo 0)
echo $((n + 1)) > times
[ $n -lt 2 ] && kill -9 $$
exit 5";

fn started_again_until_it_is_well() {
    let folder = Folder::new();
    let options = ["--restart", "5/10s", "--back-off", "1ms..1s"];
    let mut command = run_script(&options, THIRD_TIME_LUCKY);
    let done = run(command.current_dir(folder.path("")));
    assert_eq!(done.status, 5, "{}", done.err);
    let lines: Vec<&str> = done.err.lines().collect();
    assert_eq!(lines.len(), 6, "{}", done.err);
    assert!(lines[0].starts_with("failfast: run: ended by SIGKILL (pid "), "{}", done.err);
    assert_eq!(lines[1], "failfast: run: starting again in 1ms (time 1; 5 in 10s are allowed)");
    assert_eq!(lines[3], "failfast: run: starting again in 2ms (time 2; 5 in 10s are allowed)");
    assert!(lines[4].starts_with("failfast: run: exited with 5 "), "{}", done.err);
    let why = "failfast: run: not started again: the program did this to itself, and would again";
    assert_eq!(lines[5], why);
    assert_eq!(std::fs::read_to_string(folder.path("times")).unwrap(), "3\n");
}

fn gives_up() {
    for on in ["environmental", "always"] {
        let options = ["--restart", "2/1h", "--restart-on", on, "--back-off", "1ms"];
        let done = run(&mut run_script(&options, "echo run; kill -9 $$"));
        assert_eq!((done.status, done.out.as_str()), (137, "run\nrun\nrun\n"));
        let last = "failfast: run: gave up: started again 2 times in 3600s, and it did not help\n";
        assert!(done.err.ends_with(last), "{}", done.err);
    }
    let options = ["--restart", "2/1h", "--restart-on", "always", "--back-off", "1ms", "--json"];
    let done = run(&mut run_script(&options, "exit 0"));
    assert_eq!(done.status, 0);
    let next: Vec<Value> = done
        .err
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["next"].clone())
        .collect();
    let actions: Vec<&str> = next.iter().map(|next| next["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["restart", "restart", "end"]);
    assert_eq!(next[2]["why"], "gave-up");
}

fn self_inflicted_is_not_tried_again() {
    let options = ["--restart", "5/10s", "--back-off", "1ms", "--budget", "8MiB"];
    let done = run(&mut run_child("heap", &options));
    assert_eq!(done.status, 134);
    assert_eq!(done.err.matches("run: heap budget").count(), 1, "{}", done.err);
    assert!(done.err.ends_with("did this to itself, and would again\n"), "{}", done.err);
    let mut never = run_script(&["--restart", "5/10s", "--restart-on", "never"], "kill -9 $$");
    assert_eq!(run(&mut never).err.lines().count(), 1);
}

fn asked_to_end_it_does_not_start_again() {
    // While it runs, and takes the signal.
    let options = ["--restart", "5/10s", "--restart-on", "always", "--back-off", "1ms"];
    let mut command = run_child("signals", &options);
    command.stderr(Stdio::piped());
    let mut program = Telling::start(command);
    let mut err = program.supervisor.stderr.take().unwrap();
    assert_eq!(program.end(), Some(7));
    let mut said = String::new();
    err.read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
    // While it is waited before another start.
    let options = ["--restart", "5/10s", "--back-off", "1h"];
    let mut command = run_script(&options, "kill -9 $$");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("starting again in 3600s") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it did not wait");
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "as the program ended");
}
