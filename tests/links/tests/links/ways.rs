//! Profiles, linkers, static programs.

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::build::{self, Build};
use crate::run::{check_c_program, check_program};

/// A way to link the program.
struct Way {
    name: &'static str,
    build: Build,
    /// Whether it is tried always.
    always: bool,
    /// What has to be there.
    needs: Needs,
}

#[derive(Clone, Copy)]
enum Needs {
    Nothing,
    /// A tool, which answers to `--version`.
    Tool(&'static str),
    /// The standard library for a target.
    Target(&'static str),
}

const BUILD: &[&str] = &["build", "--bin", "linked", "--release"];

const STATIC: &str = "-Ctarget-feature=+crt-static";

/// An archive for programs that are linked with `-static`.
const STATIC_ARCHIVE: Build = Build {
    folder: "static_glibc",
    arguments: &["rustc", "--lib", "--crate-type", "staticlib", "--release"],
    flags: STATIC,
    ..Build::DEBUG
};

const fn release(
    name: &'static str,
    flags: &'static str,
    env: &'static [(&'static str, &'static str)],
) -> Way {
    let build = Build { folder: name, toolchain: None, arguments: BUILD, flags, env };
    Way { name, build, always: false, needs: Needs::Nothing }
}

/// Links what is built already by another linker: the flags are for the last crate alone.
const fn relinked(name: &'static str, arguments: &'static [&'static str], tool: Needs) -> Way {
    let build = Build { folder: "relinked", toolchain: None, arguments, flags: "", env: &[] };
    Way { name, build, always: false, needs: tool }
}

const WAYS: &[Way] = &[
    Way {
        always: true,
        ..release(
            "smallest",
            "-Clink-arg=-Wl,--gc-sections",
            &[
                ("CARGO_PROFILE_RELEASE_LTO", "fat"),
                ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
                ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
                ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "z"),
                ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
            ],
        )
    },
    Way { always: true, ..release("static_glibc", STATIC, &[]) },
    release("release", "", &[]),
    release("fat_lto", "", &[("CARGO_PROFILE_RELEASE_LTO", "fat")]),
    release("thin_lto", "", &[("CARGO_PROFILE_RELEASE_LTO", "thin")]),
    release("panic_abort", "", &[("CARGO_PROFILE_RELEASE_PANIC", "abort")]),
    release("many_units", "", &[("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")]),
    release("opt_level_z", "", &[("CARGO_PROFILE_RELEASE_OPT_LEVEL", "z")]),
    release("opt_level_0", "", &[("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")]),
    release("not_position_independent", "-Crelocation-model=static", &[]),
    release(
        "static_at_a_fixed_place",
        "-Ctarget-feature=+crt-static -Crelocation-model=static",
        &[],
    ),
    release("frame_pointers", "-Cforce-frame-pointers=yes", &[]),
    Way {
        needs: Needs::Target("x86_64-unknown-linux-musl"),
        build: Build {
            folder: "static_musl",
            arguments: &[
                "build",
                "--bin",
                "linked",
                "--release",
                "--target",
                "x86_64-unknown-linux-musl",
            ],
            ..Build::DEBUG
        },
        ..release("static_musl", "", &[])
    },
    relinked(
        "linker_of_the_toolchain",
        &["rustc", "--bin", "linked", "--", "-Clink-arg=-Wl,--gc-sections"],
        Needs::Nothing,
    ),
    Way {
        always: true,
        ..relinked(
            "linker_bfd",
            &["rustc", "--bin", "linked", "--", "-Clink-arg=-fuse-ld=bfd"],
            Needs::Tool("ld.bfd"),
        )
    },
    relinked(
        "linker_gold",
        &["rustc", "--bin", "linked", "--", "-Clink-arg=-fuse-ld=gold"],
        Needs::Tool("ld.gold"),
    ),
    relinked(
        "linker_mold",
        &["rustc", "--bin", "linked", "--", "-Clink-arg=-fuse-ld=mold"],
        Needs::Tool("mold"),
    ),
    relinked(
        "dead_code_kept",
        &["rustc", "--bin", "linked", "--", "-Clink-dead-code"],
        Needs::Nothing,
    ),
];

pub(crate) fn trials(all: bool) -> Vec<Trial> {
    let ways = WAYS.iter().filter(move |way| all || way.always);
    let mut trials: Vec<Trial> =
        ways.map(|way| Trial::test(way.name, move || check(way).map_err(Failed::from))).collect();
    trials.push(trial("debug", || check_program(&build::debug()?.program)));
    trials.push(trial("archive_in_a_c_program", || {
        let debug = build::debug()?;
        archive(&debug.archive, &debug.folder.join("embedding"), &[])
    }));
    trials.push(trial("archive_in_a_static_c_program", || {
        let folder = STATIC_ARCHIVE.run()?;
        let program = folder.join("embedding");
        archive(&folder.join("liblinked_library.a"), &program, &["-static"])
    }));
    trials
}

pub(crate) fn trial(
    name: &'static str,
    check: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Trial {
    Trial::test(name, move || check().map_err(Failed::from))
}

fn check(way: &Way) -> Result<(), String> {
    let is_there = match way.needs {
        Needs::Nothing => true,
        Needs::Tool(tool) => build::has(tool, &["--version"]),
        Needs::Target(target) => has_target(target),
    };
    if !is_there {
        eprintln!("links: SKIPPED {}: what it needs is not installed", way.name);
        return Ok(());
    }
    check_program(&way.build.run()?.join("linked"))
}

fn has_target(target: &str) -> bool {
    let mut command = Command::new("rustc");
    command.args(["--print", "target-libdir", "--target", target]);
    build::output(&mut command).is_ok_and(|path| Path::new(path.trim()).exists())
}

fn archive(archive: &Path, program: &Path, flags: &[&str]) -> Result<(), String> {
    let archive = archive.to_str().expect("a plain path");
    let libraries = ["-DLINKED", "-Wl,--gc-sections", archive, "-lpthread", "-ldl", "-lm"];
    build::c_program(program, &[flags, &libraries].concat())?;
    check_c_program(program, None)
}
