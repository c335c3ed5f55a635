//! Libraries with the crate inside: loaded by a program in C, beside a program that has it too,
//! loaded before everything else.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;

use crate::build::debug;
use crate::run::{End, check_c_program, command, expect, reported};
use crate::ways::trial;

const WORKED: &str = "library: 50500 Some(67108864)";
/// How often threads of both copies fail at once.
const RACES: usize = 10;

const MAIN: End = reported!("stack overflow: thread `main` hit ", "stack-overflow", "program");
const THREAD: End = reported!("stack overflow: thread `deep` hit ", "stack-overflow", "program");
/// By a library that has no hook.
const MAIN_BY_LIBRARY: End = End::Abort(&[
    WORKED,
    "failfast: stack overflow: thread `main` hit ",
    r#"{"failfast":1,"cause":"stack-overflow","#,
]);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("library_in_a_c_program", library),
        trial("library_closed_by_a_c_program", closed),
        trial("library_in_a_program_that_has_it_too", both),
        trial("library_and_program_fail_at_once", race),
        trial("library_preloaded", preloaded),
    ]
}

fn library() -> Result<(), String> {
    let debug = debug()?;
    check_c_program(&debug.loader, Some(&debug.library))?;
    // Where its start has to find the first thread's stack among thousands of mappings.
    let mut large = command(&debug.loader, &[path(&debug.library), "library_hook", "overflow"]);
    large.env("LINKS_MAPPINGS", "3000");
    expect(large, reported!("stack overflow: thread `main` hit ", "stack-overflow", "library"))?;
    // A wrong value does not end a program that never asked for us.
    let mut wrong = command(&debug.loader, &[path(&debug.library)]);
    wrong.env("FAILFAST_BUDGET", "12Q");
    expect(
        wrong,
        End::Exit(
            0,
            &[
                "failfast: FAILFAST_BUDGET: `12Q` is not a size; ",
                "failfast: this is a shared library, which does not end its host",
            ],
        ),
    )
}

/// Threads that have used it end when it is closed already; its handler still has its code.
fn closed() -> Result<(), String> {
    let debug = debug()?;
    let run = |what: &[&str], end| {
        expect(command(&debug.loader, &[&[path(&debug.library)], what].concat()), end)
    };
    run(&["close"], End::Exit(0, &[WORKED]))?;
    run(&["close", "overflow"], MAIN_BY_LIBRARY)
}

/// Each has its own account. Whose end it is, is for the program to report, which has the hook.
fn both() -> Result<(), String> {
    let run = |what: &[&str], end| expect(in_program(what)?, end);
    run(&["work", "library_work", "work"], End::Exit(0, &[WORKED]))?;
    run(&["library_work", "close", "work"], End::Exit(0, &[WORKED]))?;
    run(&["library_hook", "main"], MAIN)?;
    run(&["library_hook", "thread"], THREAD)?;
    run(&["library_hook", "library_overflow"], MAIN)?;
    run(&["close", "main"], MAIN)?;
    run(&["library_hook", "heap"], reported!("heap budget: cluster ", "heap-budget", "program"))?;
    run(
        &["library_hook", "library_exceed_budget"],
        reported!("heap budget: cluster ", "heap-budget", "library"),
    )
}

/// However many fail, in whichever copy: one line, one report, one hook, and no deadline that has
/// to end it.
fn race() -> Result<(), String> {
    let nested = End::Abort(&[
        "failfast: requested: enough",
        r#"{"failfast":1,"cause":"requested","#,
        "hook of the program",
    ]);
    let mut command = in_program(&["library_hook", "fail_while_the_library_fails"])?;
    command.env("FAILFAST_HOOK_TIMEOUT", "200ms");
    expect(command, nested)?;
    (0..RACES).try_for_each(|_| {
        let mut command = in_program(&["library_hook", "race"])?;
        command.env("FAILFAST_HOOK_TIMEOUT", "60s");
        expect(
            command,
            End::Abort(&["failfast: requested: enough (", r#"{"failfast":1,"#, "hook of the "]),
        )
    })
}

/// Before the program's own libraries, and in all that it starts.
fn preloaded() -> Result<(), String> {
    let debug = debug()?;
    let run = |program: &Path, arguments: &[&str], end| {
        let mut command = command(program, arguments);
        command.env("LD_PRELOAD", &debug.library);
        expect(command, end)
    };
    run(Path::new("/bin/sh"), &["-c", "/bin/ls / | /bin/cat"], End::Exit(0, &[]))?;
    let library = path(&debug.library);
    run(&debug.loader, &[library, "library_work", "overflow"], MAIN_BY_LIBRARY)?;
    // The program's constructor runs later, and its handler comes before the library's.
    run(&debug.program, &["work"], End::Exit(0, &[]))?;
    run(&debug.program, &["main"], MAIN)?;
    run(&debug.program, &["thread"], THREAD)
}

fn in_program(what: &[&str]) -> Result<Command, String> {
    let debug = debug()?;
    Ok(command(&debug.program, &[&["host", path(&debug.library)], what].concat()))
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
