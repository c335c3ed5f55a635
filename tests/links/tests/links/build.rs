//! Builds the programs, each way in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// How something is built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Build {
    /// Its folder, within cargo's scratch folder. Those who share one are built one after another.
    pub(crate) folder: &'static str,
    /// Of cargo: after `cargo`.
    pub(crate) toolchain: Option<&'static str>,
    pub(crate) arguments: &'static [&'static str],
    /// Of the whole build.
    pub(crate) flags: &'static str,
    /// More for cargo: settings of the profile.
    pub(crate) env: &'static [(&'static str, &'static str)],
}

impl Build {
    /// As `cargo build` does.
    pub(crate) const DEBUG: Self =
        Self { folder: "debug", toolchain: None, arguments: &["build"], flags: "", env: &[] };

    /// Builds, and returns the folder in which things are.
    pub(crate) fn run(&self) -> Result<PathBuf, String> {
        self.run_with(&[])
    }

    /// As `run`, with more for cargo.
    pub(crate) fn run_with(&self, env: &[(&str, &str)]) -> Result<PathBuf, String> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(self.folder);
        let mut command = Command::new("cargo");
        // What the run of cargo that we are part of was told is not meant for this one.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let is_cargos = text.starts_with("CARGO") && text != "CARGO_HOME";
            if is_cargos || matches!(&*text, "RUSTFLAGS" | "RUSTDOCFLAGS" | "RUSTC" | "RUSTDOC") {
                command.env_remove(&name);
            }
        }
        if let Some(toolchain) = self.toolchain {
            command.env("RUSTUP_TOOLCHAIN", toolchain);
        }
        let (subcommand, rest) = self.arguments.split_first().expect("a subcommand");
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/Cargo.toml");
        command.args([subcommand, "--quiet", "--manifest-path", manifest, "--target-dir"]);
        command.arg(&target).args(rest).env("RUSTFLAGS", self.flags).envs(self.env.iter().copied());
        command.envs(env.iter().copied());
        output(&mut command)?;
        let triple = rest.iter().skip_while(|argument| **argument != "--target").nth(1);
        let release = rest.contains(&"--release");
        let profile = if release { "release" } else { "debug" };
        Ok(triple.map_or_else(|| target.clone(), |triple| target.join(triple)).join(profile))
    }
}

/// Runs a tool, and says what it said if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}; it wrote:\n{text}", output.status))
}

/// Whether a tool is there.
pub(crate) fn has(tool: &str, arguments: &[&str]) -> bool {
    Command::new(tool).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// What is built in one folder, once, for all who use it.
pub(crate) struct Debug {
    pub(crate) program: PathBuf,
    pub(crate) library: PathBuf,
    /// Programs in C: one loads the library, one has it within.
    pub(crate) loader: PathBuf,
    pub(crate) archive: PathBuf,
    pub(crate) folder: PathBuf,
}

/// The debug build, which most ways begin with.
pub(crate) fn debug() -> Result<&'static Debug, String> {
    static DEBUG: LazyLock<Result<Debug, String>> = LazyLock::new(|| {
        let folder = Build::DEBUG.run()?;
        let loader = folder.join("loader");
        c_program(&loader, &["-ldl", "-lpthread"])?;
        Ok(Debug {
            program: folder.join("linked"),
            library: folder.join("liblinked_library.so"),
            archive: folder.join("liblinked_library.a"),
            loader,
            folder,
        })
    });
    DEBUG.as_ref().map_err(Clone::clone)
}

/// Compiles the program in C.
pub(crate) fn c_program(to: &Path, arguments: &[&str]) -> Result<(), String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/c/host.c");
    let mut command = Command::new("gcc");
    command.args(["-O1", "-o"]).arg(to).arg(source).args(arguments);
    output(&mut command).map(|_| ())
}
