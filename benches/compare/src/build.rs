//! Builds subjects in a run of cargo of their own.
//!
//! Once for those whose fast path is in plain Rust, since a feature of `failfast-alloc` holds for
//! everything that is built together; once for tests, which are built without optimisation
//! themselves.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::matrix::{Inner, Wrapper, name};

/// Builds these subjects as `cargo bench` does, and returns the folder in which they are.
/// `scratch` is the caller's `CARGO_TARGET_TMPDIR`.
///
/// # Errors
///
/// If cargo fails; it has said why.
///
/// # Panics
///
/// If `scratch` is not in cargo's target folder.
pub fn build(scratch: &str, subjects: &[(Inner, Wrapper)]) -> io::Result<PathBuf> {
    let target =
        Path::new(scratch).parent().expect("cargo's scratch folder is in its target folder");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--profile", "bench", "--no-default-features"]);
    command.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    command.arg("--target-dir").arg(target);
    for &(inner, wrapper) in subjects {
        command.arg("--bin").arg(name(inner, wrapper));
        if inner != Inner::System {
            command.arg("--features").arg(inner.to_string());
        }
        if wrapper == Wrapper::Portable {
            command.args(["--features", "portable"]);
        }
    }
    let status = command.status()?;
    if !status.success() {
        return Err(io::Error::other(format!("{command:?} ended with {status}")));
    }
    Ok(target.join("release")) // Where cargo puts what it builds for benchmarks.
}
