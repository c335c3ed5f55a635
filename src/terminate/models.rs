//! The election in loom, and with each of its safeguards left out.
//!
//! Layer 4.  Plane: control.

use std::process::{Command, Stdio};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::election::{Election, Standing};

/// What only the elected thread may touch. Loom fails the model if two do.
struct Dying {
    election: Election,
    hooks: UnsafeCell<u32>,
}

// SAFETY: that only one thread touches the cell is what the model checks.
unsafe impl Sync for Dying {}

/// A thread that fails; and, once elected, fails again.
fn fail(dying: &Dying, thread: u32) -> bool {
    match dying.election.stand(thread) {
        Standing::Elected => {
            // SAFETY: loom checks that nobody else is here.
            dying.hooks.with_mut(|hooks| unsafe { *hooks += 1 });
            assert_eq!(dying.election.stand(thread), Standing::Nested);
            true
        }
        Standing::Lost => false,
        Standing::Nested => panic!("thread {thread} was never elected"),
    }
}

#[test]
fn t1_one_of_three_is_elected() {
    loom::model(|| {
        let dying = Arc::new(Dying { election: Election::new(), hooks: UnsafeCell::new(0) });
        let others: Vec<_> = (2..4)
            .map(|number| {
                let dying = Arc::clone(&dying);
                thread::spawn(move || fail(&dying, number))
            })
            .collect();
        let mut elected = usize::from(fail(&dying, 1));
        elected += others.into_iter().filter_map(|t| t.join().ok()).filter(|&won| won).count();
        assert_eq!(elected, 1);
        // SAFETY: all others have ended.
        assert_eq!(dying.hooks.with(|hooks| unsafe { *hooks }), 1);
    });
}

#[test]
fn t1_every_mutant_is_caught() {
    if std::env::var_os("FAILFAST_MUTANT").is_some() {
        return; // We are one of the children below.
    }
    for mutant in ["LookThenClaim", "NestedIsLost", "LoserGoesOn"] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["terminate::models::t1_one_of_three_is_elected", "--exact"])
            .env("FAILFAST_MUTANT", mutant)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("running 1 test"), "the model has another name: {text}");
        assert!(!output.status.success(), "the model passes with {mutant}");
    }
}
