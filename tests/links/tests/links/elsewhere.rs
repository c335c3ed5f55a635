//! What takes a compiler that is not the toolchain's: for musl, and for aarch64 under an emulator,
//! where the assembly for it runs.
//!
//! The latter needs a compiler that has the standard library for aarch64 (`.ci/aarch64` fetches
//! one), a linker, and the emulator. What the emulator lacks: it has a thread of its own, which
//! nobody can stop, so that no hook runs; and it says itself by which signal the program has ended.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;

use crate::build::{self, Build};
use crate::run::{self, End, expect};
use crate::ways::trial;

/// Names the compiler.
const COMPILER: &str = "LINKS_AARCH64";

/// Names the program that is built for musl.
const MUSL_PROGRAM: &str = "LINKS_MUSL";

/// From Debian's `qemu-user` and `gcc-aarch64-linux-gnu`.
const EMULATOR: &str = "qemu-aarch64";
const LINKER: &str = "aarch64-linux-gnu-gcc";
/// Where the C library for it is.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

const BUILD: Build = Build {
    folder: "aarch64",
    arguments: &["build", "--bin", "linked", "--target", "aarch64-unknown-linux-gnu"],
    env: &[
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER),
        ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ],
    ..Build::DEBUG
};

/// A line, a report, and the emulator's word.
macro_rules! reported {
    ($line:literal, $cause:literal) => {
        End::Abort(&[
            concat!("failfast: ", $line),
            concat!(r#"{"failfast":1,"cause":""#, $cause, r#"","#),
            "qemu: uncaught target signal 6 ",
        ])
    };
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("aarch64_under_an_emulator", check), trial("musl_program", check_musl)]
}

/// Of a program that is there already.
fn check_musl() -> Result<(), String> {
    match std::env::var(MUSL_PROGRAM) {
        Ok(program) => run::check_program(Path::new(&program)),
        Err(_) => {
            eprintln!("links: SKIPPED musl_program: LINKS_MUSL names none");
            Ok(())
        }
    }
}

fn check() -> Result<(), String> {
    let compiler = std::env::var(COMPILER).unwrap_or_default();
    let tools = [&*compiler, EMULATOR, LINKER];
    if let Some(missing) = tools.iter().find(|tool| !build::has(tool, &["--version"])) {
        let what = if missing.is_empty() { "a compiler in LINKS_AARCH64" } else { missing };
        eprintln!("links: SKIPPED aarch64_under_an_emulator: there is no {what}");
        return Ok(());
    }
    let program = BUILD.run_with(&[("RUSTC", &compiler)])?.join("linked");
    let run = |what, end| expect(command(&program, what), end);
    run("work", End::Exit(0, &[]))?;
    let mut wrong = command(&program, "work");
    wrong.env("FAILFAST_BUDGET", "12Q");
    expect(wrong, End::Exit(78, &["failfast: FAILFAST_BUDGET: `12Q` is not a size; "]))?;
    for what in ["main", "main_by_allocation"] {
        run(what, reported!("stack overflow: thread `main` hit ", "stack-overflow"))?;
    }
    for what in ["thread", "thread_by_allocation"] {
        run(what, reported!("stack overflow: thread `deep` hit ", "stack-overflow"))?;
    }
    run("thread_of_c", reported!("stack overflow: thread `", "stack-overflow"))?;
    run("thrd_of_c", reported!("stack overflow: thread `", "stack-overflow"))?;
    run("heap", reported!("heap budget: cluster `root` asked ", "heap-budget"))?;
    run("requested", reported!("requested: enough (thread `main`", "requested"))?;
    run("null", End::Killed(libc::SIGSEGV, &["qemu: uncaught target signal 11 "]))
}

fn command(program: &Path, what: &str) -> Command {
    let program = program.to_str().expect("a plain path");
    run::command(Path::new(EMULATOR), &["-L", LIBRARIES, program, what])
}
