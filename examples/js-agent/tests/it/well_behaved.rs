//! A program that stays within its budget cannot tell that it has one.

use crate::child::{AGENT, Outcome, run, script};

const BARE: &str = env!("CARGO_BIN_EXE_js-agent-bare");

fn well_behaved(agent: &str, environment: &[(&str, &str)]) -> Outcome {
    let outcome = run(agent, &[&script("well-behaved.js")], environment);
    assert!(outcome.status.success(), "{}: {}", outcome.status, outcome.stderr);
    assert!(outcome.stdout.ends_with("\nrejected,fulfilled at the end\n"), "{}", outcome.stdout);
    outcome
}

#[test]
fn the_output_is_byte_for_byte_what_it_is_without_us() {
    let bare = well_behaved(BARE, &[]);
    assert_eq!(bare.stderr, "");
    for environment in [
        &[][..],
        &[("FAILFAST_BUDGET", "64MiB")],
        &[("FAILFAST_BUDGET", "50%"), ("FAILFAST_STACK_BUDGET", "4MiB")],
    ] {
        let ours = well_behaved(AGENT, environment);
        assert_eq!(ours.stdout, bare.stdout, "under {environment:?}");
        assert_eq!(ours.stderr, "", "under {environment:?}");
    }
}

#[test]
fn observing_says_one_line_and_changes_nothing() {
    let bare = well_behaved(BARE, &[]);
    let environment = [("FAILFAST_BUDGET", "1MiB"), ("FAILFAST_MODE", "observe")];
    let ours = well_behaved(AGENT, &environment);
    assert_eq!(ours.stdout, bare.stdout);
    assert!(ours.stderr.starts_with("failfast: observe: "), "{}", ours.stderr);
    assert_eq!(ours.stderr.lines().count(), 1, "{}", ours.stderr);
}
