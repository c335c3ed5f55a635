//! Runs a program, and judges how it ended.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use failfast_alloc_rows::child::{self, Ended, HANGS_AFTER};

/// How a program ends, and how each line on standard error begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Exit(i32, &'static [&'static str]),
    Abort(&'static [&'static str]),
    /// By another signal.
    Killed(i32, &'static [&'static str]),
    /// With this status, and this somewhere on standard error.
    ExitSaying(i32, &'static str),
}

/// The report of a stack overflow, and the hook's own line.
macro_rules! reported {
    ($line:literal, $cause:literal, $whose:literal) => {
        End::Abort(&[
            concat!("failfast: ", $line),
            concat!(r#"{"failfast":1,"cause":""#, $cause, r#"","#),
            concat!("hook of the ", $whose, ": ", $cause, " (1000)"),
        ])
    };
}
pub(crate) use reported;

/// A program's command, with the report on standard error, and nothing of our own environment that
/// is meant for the crate.
pub(crate) fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = child::of(program);
    command.args(arguments).env("FAILFAST_REPORT", "fd:2").env("FAILFAST_BUDGET", "64MiB");
    // No deadline is looked at here; machines may be slow.
    command.env("FAILFAST_HOOK_TIMEOUT", "60s");
    command.env("RUST_BACKTRACE", "0").env_remove("LD_PRELOAD");
    command
}

/// Runs it, and says what is not as it should be.
pub(crate) fn expect(mut command: Command, end: End) -> Result<(), String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = child::run(&mut command, HANGS_AFTER);
    let Ended { status, err: text, .. } = ended.map_err(|error| format!("{command:?}: {error}"))?;
    let lines: Vec<&str> = text.lines().collect();
    let is = |prefixes: &[&str]| {
        lines.len() == prefixes.len() && lines.iter().zip(prefixes).all(|(l, p)| l.starts_with(p))
    };
    let is_right = match end {
        End::Exit(code, prefixes) => status.code() == Some(code) && is(prefixes),
        End::Abort(prefixes) => status.signal() == Some(libc::SIGABRT) && is(prefixes),
        End::Killed(number, prefixes) => status.signal() == Some(number) && is(prefixes),
        End::ExitSaying(code, words) => status.code() == Some(code) && text.contains(words),
    };
    if is_right {
        return Ok(());
    }
    Err(format!("{command:?}: {status}, where there should be {end:?}; it wrote:\n{text}"))
}

/// Everything that must hold of the program, however it was linked.
pub(crate) fn check_program(program: &Path) -> Result<(), String> {
    let run = |what: &'static str, end| expect(command(program, &[what]), end);
    run("work", End::Exit(0, &[]))?;
    // The linker has kept the constructor: it speaks before `main` does.
    let mut wrong = command(program, &["no such thing"]);
    wrong.env("FAILFAST_BUDGET", "12Q");
    expect(wrong, End::Exit(78, &["failfast: FAILFAST_BUDGET: `12Q` is not a size; "]))?;
    for what in ["main", "main_by_allocation"] {
        run(what, reported!("stack overflow: thread `main` hit ", "stack-overflow", "program"))?;
    }
    for what in ["thread", "thread_by_allocation"] {
        run(what, reported!("stack overflow: thread `deep` hit ", "stack-overflow", "program"))?;
    }
    for what in ["thread_of_c", "thrd_of_c"] {
        run(what, reported!("stack overflow: thread `", "stack-overflow", "program"))?;
    }
    run("heap", reported!("heap budget: cluster `root` asked ", "heap-budget", "program"))?;
    run("requested", reported!("requested: enough (thread `main`", "requested", "program"))
}

/// Everything that must hold of the program in C with the library in it, or with the library
/// loaded: then `first` is its path.
pub(crate) fn check_c_program(program: &Path, first: Option<&Path>) -> Result<(), String> {
    let first = first.map(|path| path.to_str().expect("a plain path"));
    let run = |what: &[&str], end| {
        let all: Vec<&str> = first.iter().copied().chain(what.iter().copied()).collect();
        expect(command(program, &all), end)
    };
    let main = reported!("stack overflow: thread `main` hit ", "stack-overflow", "library");
    let thread = reported!("stack overflow: thread `", "stack-overflow", "library");
    run(&["library_work"], End::Exit(0, &["library: 50500 Some(67108864)"]))?;
    run(&["library_hook", "library_overflow"], main)?;
    run(&["library_hook", "library_overflow_by_allocation"], main)?;
    run(&["library_hook", "overflow"], main)?;
    run(&["library_hook", "thread:library_overflow_by_allocation"], thread)?;
    if first.is_some() {
        // The program's threads are begun by the C library, and this one never allocates.
        run(&["library_hook", "thread:overflow"], End::Killed(libc::SIGSEGV, &[]))?;
    } else {
        // Threads are guarded from their beginning, without a call into the library.
        run(&["library_hook", "thread:overflow"], thread)?;
        let mut wrong = command(program, &[]);
        wrong.env("FAILFAST_BUDGET", "12Q");
        expect(wrong, End::Exit(78, &["failfast: FAILFAST_BUDGET: `12Q` is not a size; "]))?;
    }
    run(
        &["library_hook", "library_exceed_budget"],
        reported!("heap budget: cluster `root` asked ", "heap-budget", "library"),
    )
}
