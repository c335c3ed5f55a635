//! AddressSanitizer and LeakSanitizer, where there is a nightly toolchain.

use std::path::Path;

use libtest_mimic::Trial;

use crate::build::{self, Build};
use crate::run::{End, check_program, command, expect};
use crate::ways::trial;

/// A target that is named has the flags kept from build scripts.
const ARGUMENTS: &[&str] = &["build", "--bin", "linked", "--target", "x86_64-unknown-linux-gnu"];

const fn build(folder: &'static str, flags: &'static str) -> Build {
    Build { folder, toolchain: Some("nightly"), arguments: ARGUMENTS, flags, env: &[] }
}

pub(crate) fn trials(all: bool) -> Vec<Trial> {
    let mut trials = vec![trial("address_sanitizer", address)];
    if all {
        trials.push(trial("leak_sanitizer", leak));
    }
    trials
}

fn address() -> Result<(), String> {
    let Some(program) = built(&build("address", "-Zsanitizer=address"))? else { return Ok(()) };
    check_program(&program)?;
    // What is not ours goes to the sanitizer's own handler, and what it is for is still found.
    let run = |what, words| expect(command(&program, &[what]), End::ExitSaying(1, words));
    run("null", "AddressSanitizer: SEGV on unknown address")?;
    run("use_after_free", "AddressSanitizer: heap-use-after-free")?;
    expect(command(&program, &["leak"]), End::ExitSaying(1, "LeakSanitizer: detected memory leaks"))
}

fn leak() -> Result<(), String> {
    let Some(program) = built(&build("leak", "-Zsanitizer=leak"))? else { return Ok(()) };
    check_program(&program)?;
    expect(
        command(&program, &["leak"]),
        End::ExitSaying(23, "LeakSanitizer: detected memory leaks"),
    )
}

/// The program, if it can be built on this machine.
fn built(build: &Build) -> Result<Option<std::path::PathBuf>, String> {
    let has_nightly = build::has("rustup", &["run", "nightly", "rustc", "--version"]);
    if !has_nightly || !cfg!(target_arch = "x86_64") {
        eprintln!("links: SKIPPED {}: it needs a nightly toolchain, on x86-64", build.folder);
        return Ok(None);
    }
    build.run().map(|folder| Some(Path::new(&folder).join("linked")))
}
