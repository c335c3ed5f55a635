//! A program that stays within its budget cannot tell that it has one.

use crate::child::{AGENT, Ended, run, script};

const BARE: &str = env!("CARGO_BIN_EXE_js-agent-bare");

fn well_behaved(agent: &str, environment: &[(&str, &str)]) -> Ended {
    let outcome = run(agent, &[&script("well-behaved.js")], environment);
    assert!(outcome.status.success(), "{}: {}", outcome.status, outcome.err);
    assert!(outcome.out.ends_with("\nrejected,fulfilled at the end\n"), "{}", outcome.out);
    outcome
}

#[test]
fn the_output_is_byte_for_byte_what_it_is_without_us() {
    let bare = well_behaved(BARE, &[]);
    assert_eq!(bare.err, "");
    for environment in [
        &[][..],
        &[("FAILFAST_BUDGET", "64MiB")],
        &[("FAILFAST_BUDGET", "50%"), ("FAILFAST_STACK_BUDGET", "4MiB")],
    ] {
        let ours = well_behaved(AGENT, environment);
        assert_eq!(ours.out, bare.out, "under {environment:?}");
        assert_eq!(ours.err, "", "under {environment:?}");
    }
}

#[test]
fn observing_says_one_line_and_changes_nothing() {
    let bare = well_behaved(BARE, &[]);
    let environment = [("FAILFAST_BUDGET", "1MiB"), ("FAILFAST_MODE", "observe")];
    let ours = well_behaved(AGENT, &environment);
    assert_eq!(ours.out, bare.out);
    assert!(ours.err.starts_with("failfast: observe: "), "{}", ours.err);
    assert_eq!(ours.err.lines().count(), 1, "{}", ours.err);
}
