//! The price of a pair, in instructions: not timed, so it holds on any machine.
//!
//! The subjects are built as for the benchmark, whatever the profile of this test.

use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use failfast_alloc_bench::matrix::{Inner, Wrapper, name};
use failfast_alloc_bench::workload::Workload;
use failfast_alloc_bench::workload::clusters::Job;
use failfast_alloc_bench::{build, callgrind, code};

/// The most that a pair of allocating and freeing may cost.
const INSTRUCTIONS_MAX: f64 = 20.0;

/// The most that it may cost more inside a cluster than in the root.
const INSIDE_MAX: f64 = 45.0;

const INNERS: [Inner; 2] = [Inner::System, Inner::Mimalloc];

/// The subject, built.
fn subject(inner: Inner, wrapper: Wrapper) -> PathBuf {
    static TOGETHER: OnceLock<PathBuf> = OnceLock::new();
    static PORTABLE: OnceLock<PathBuf> = OnceLock::new();
    let (folder, wrappers) = match wrapper {
        Wrapper::Portable => (&PORTABLE, &[Wrapper::Portable][..]),
        _ => (&TOGETHER, &[Wrapper::Bare, Wrapper::FailFast][..]),
    };
    let folder = folder.get_or_init(|| {
        let subjects = INNERS.into_iter().flat_map(|i| wrappers.iter().map(move |&w| (i, w)));
        build::build(env!("CARGO_TARGET_TMPDIR"), &subjects.collect::<Vec<_>>()).expect("to build")
    });
    folder.join(name(inner, wrapper))
}

/// Says so, past the test harness, if a tool is missing.
fn is_skipped(available: bool, tool: &str, package: &str) -> bool {
    if !available {
        let _ = writeln!(stderr(), "SKIPPED: {tool} is not installed (Debian: `{package}`)");
    }
    !available
}

fn count(subject: &Path, workload: Workload) -> f64 {
    callgrind::per_operation(subject, workload).expect("a count")
}

#[test]
fn a_pair_costs_at_most_twenty_instructions() {
    if is_skipped(callgrind::is_available(), "valgrind", "valgrind") {
        return;
    }
    for inner in INNERS {
        for workload in [Workload::Pair64, Workload::Ring] {
            let bare = count(&subject(inner, Wrapper::Bare), workload);
            let ours = count(&subject(inner, Wrapper::FailFast), workload);
            let added = ours - bare;
            assert!(
                added <= INSTRUCTIONS_MAX,
                "{workload} over {inner}: {added:.1} instructions more than {bare:.1}; at most \
                 {INSTRUCTIONS_MAX} are promised"
            );
        }
    }
}

#[test]
fn a_pair_inside_a_cluster_costs_at_most_45_more() {
    if is_skipped(callgrind::is_available(), "valgrind", "valgrind") {
        return;
    }
    for inner in INNERS {
        let subject = subject(inner, Wrapper::FailFast);
        for workload in [Workload::Pair64, Workload::Ring] {
            let root = count(&subject, workload);
            let inside = callgrind::per_cluster_job(&subject, Job::Inside(workload));
            let added = inside.expect("a count") - root;
            assert!(
                added <= INSIDE_MAX,
                "{workload} over {inner}: {added:.1} instructions more inside a cluster than \
                 {root:.1}; at most {INSIDE_MAX} are promised"
            );
        }
    }
}

#[test]
fn the_fast_path_has_no_locked_instruction() {
    if is_skipped(code::is_available(), "objdump", "binutils") {
        return;
    }
    for inner in INNERS {
        for wrapper in [Wrapper::FailFast, Wrapper::Portable] {
            for method in code::methods(&subject(inner, wrapper)).expect("a disassembly") {
                let locked = method.instructions.iter().find(|i| code::is_locked(i));
                assert_eq!(locked, None, "{} of {}", method.name, name(inner, wrapper));
            }
        }
    }
}

#[test]
fn the_stack_probe_is_two_instructions_of_each_method() {
    if is_skipped(code::is_available(), "objdump", "binutils") {
        return;
    }
    for inner in INNERS {
        // In plain Rust the two words have to be in registers first.
        for (wrapper, expected) in [(Wrapper::FailFast, 2), (Wrapper::Portable, 4)] {
            for method in code::methods(&subject(inner, wrapper)).expect("a disassembly") {
                let probe = code::stack_probe(&method.instructions);
                assert_eq!(probe, expected, "{} of {}", method.name, name(inner, wrapper));
            }
        }
    }
}

/// Else the counts would be against ourselves.
#[test]
fn a_bare_subject_does_not_contain_us() {
    for inner in INNERS {
        let program = std::fs::read(subject(inner, Wrapper::Bare)).expect("the program");
        let us = b"failfast_alloc_record";
        assert!(!program.windows(us.len()).any(|window| window == us), "{inner}");
        let program = std::fs::read(subject(inner, Wrapper::FailFast)).expect("the program");
        assert!(program.windows(us.len()).any(|window| window == us), "the mark is gone");
    }
}
