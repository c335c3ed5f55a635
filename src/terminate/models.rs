//! The election, and the table of those that have stopped, in loom; and with each of their
//! safeguards left out.
//!
//! Layer 4.  Plane: control.

use std::process::{Command, Stdio};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::election::{Election, Standing};
use super::halted::Halted;

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

/// Threads that want the same place: two that stop, of which nobody had told one, and a third.
#[test]
fn t5_none_takes_the_place_of_another() {
    loom::model(|| {
        let halted = Arc::new(Halted::new());
        assert_eq!(halted.note(1), Some(true));
        let others = [1, 5].map(|number| {
            let halted = Arc::clone(&halted);
            thread::spawn(move || {
                halted.stop(number);
                assert!(halted.has_stopped(number));
            })
        });
        assert_eq!(halted.note(9), Some(true));
        others.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(halted.has_stopped(1) && halted.has_stopped(5) && !halted.has_stopped(9));
        assert_eq!(halted.note(9), Some(false));
        assert_eq!(halted.stopped(), 2);
    });
}

#[test]
fn every_mutant_is_caught() {
    if std::env::var_os("FAILFAST_MUTANT").is_some() {
        return; // We are one of the children below.
    }
    let (t1, t5) = ("t1_one_of_three_is_elected", "t5_none_takes_the_place_of_another");
    for (model, mutant) in [
        (t1, "LookThenClaim"),
        (t1, "NestedIsLost"),
        (t1, "LoserGoesOn"),
        (t5, "StoppedTakesAnyPlace"),
    ] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([&format!("terminate::models::{model}"), "--exact"])
            .env("FAILFAST_MUTANT", mutant)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("running 1 test"), "the model has another name: {text}");
        assert!(!output.status.success(), "the model passes with {mutant}");
    }
}
