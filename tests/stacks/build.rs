//! Builds the C code: into the program, and as a shared library of its own.

use std::path::PathBuf;

/// As most C code is built: no probing of large frames.
const FLAGS: [&str; 5] = [
    "-O1",
    "-fno-stack-clash-protection",
    "-fno-stack-protector",
    "-fno-optimize-sibling-calls",
    "-Wno-infinite-recursion",
];

fn main() {
    println!("cargo::rerun-if-changed=c/frames.c");
    let mut build = cc::Build::new();
    build.file("c/frames.c").opt_level(1);
    FLAGS.iter().for_each(|flag| {
        build.flag_if_supported(flag);
    });
    build.compile("frames");
    if std::env::var("CARGO_CFG_TARGET_FEATURE").is_ok_and(|all| all.contains("crt-static")) {
        // A static program loads no libraries.
        return println!("cargo::rustc-env=FRAMES_LIBRARY=");
    }
    let library =
        PathBuf::from(std::env::var_os("OUT_DIR").expect("by cargo")).join("libframes.so");
    let compiler = cc::Build::new().get_compiler();
    let mut command = compiler.to_command();
    command.args(FLAGS).args(["-shared", "-fPIC", "c/frames.c", "-lpthread", "-o"]).arg(&library);
    assert!(command.status().expect("a C compiler").success(), "{command:?}");
    println!("cargo::rustc-env=FRAMES_LIBRARY={}", library.display());
}
