//! What happens without us: over an allocator that returns null, the handlers of every script run.
//!
//! So these scripts can fail the tests beside this one, which say that nothing was caught.

use crate::child::{run, script};

const CAP: &str = env!("CARGO_BIN_EXE_js-agent-cap");

#[test]
fn the_script_of_three_errors_ends_well() {
    let outcome = run(CAP, &[&script("oom-typed-arrays.js")], &[]);
    let caught = "caught: InternalError: out of memory\n".repeat(3);
    assert_eq!(outcome.out, caught + "still running after 3 out-of-memory errors\n");
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.err);
}

#[test]
fn every_script_goes_on() {
    for entry in std::fs::read_dir(script("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("oom-") && !name.starts_with("oom-recursion-") {
            // How it ends after that differs: well, by an uncaught error, or by a Rust abort.
            let outcome = run(CAP, &[&script(&name)], &[]);
            assert!(outcome.out.contains("caught"), "{name}: {}", outcome.out);
        }
    }
}
