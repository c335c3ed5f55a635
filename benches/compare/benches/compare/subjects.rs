//! Builds, finds and runs the subjects.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use failfast_alloc_bench::matrix::{Inner, Wrapper, name};
use failfast_alloc_bench::{build, subjects_beside};

/// The subjects.
pub(crate) struct Subjects {
    folder: PathBuf,
}

impl Subjects {
    /// Cargo has built all but the portable ones; builds those.
    pub(crate) fn build() -> io::Result<Self> {
        let portable = Inner::ALL.map(|inner| (inner, Wrapper::Portable));
        build::build(env!("CARGO_TARGET_TMPDIR"), &portable)?;
        Ok(Self { folder: subjects_beside(env!("CARGO_BIN_EXE_system-bare")) })
    }

    /// Where a program is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where a subject is.
    pub(crate) fn subject(&self, inner: Inner, wrapper: Wrapper) -> PathBuf {
        self.path(&name(inner, wrapper))
    }

    /// Runs a job of a subject under a budget, and returns the numbers it prints.
    pub(crate) fn run(
        &self,
        (inner, wrapper): (Inner, Wrapper),
        job: &[&str],
        budget: Option<usize>,
    ) -> io::Result<Vec<f64>> {
        let mut command = Command::new(self.subject(inner, wrapper));
        command.args(job).stdin(Stdio::null());
        if let Some(bytes) = budget {
            command.env("FAILFAST_BUDGET", bytes.to_string());
        }
        let output = command.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!("{command:?}: {}: {said}", output.status)));
        }
        let numbers = String::from_utf8_lossy(&output.stdout);
        Ok(numbers.split_whitespace().filter_map(|number| number.parse().ok()).collect())
    }
}
