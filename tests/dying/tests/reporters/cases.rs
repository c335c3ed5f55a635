//! What is tried, and what has to come of it.

/// When the other one's handlers are attached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Attached {
    /// In a constructor that runs before ours.
    Before,
    /// In `main`.
    After,
}

/// What the other one's callback does, once it was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Callback {
    /// Says that it has handled it: the signal's default action follows.
    Handles,
    /// Says that it has not: whoever was there before follows.
    Declines,
    Hangs,
    Faults,
    Aborts,
    Panics,
    Exits,
}

/// What goes wrong in the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    OverBudget,
    Overflow,
    OverflowOfAThread,
    NullPointer,
    Abort,
}

/// One way to fail beside a crash reporter.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) attached: Attached,
    pub(crate) callback: Callback,
    pub(crate) trouble: Trouble,
    pub(crate) env: &'static [(&'static str, &'static str)],
    /// The signal that ends it.
    pub(crate) end: i32,
    /// The cause that our report names; empty if there is to be none.
    pub(crate) cause: &'static str,
    /// What it says, in this order.
    pub(crate) says: &'static [&'static str],
}

use Attached::*;
use Callback::*;
use Trouble::*;
use libc::{SIGABRT, SIGSEGV};

const HOOK_THEN_ABRT: &[&str] = &["hook", "callback SIGABRT, 0 others moved"];

pub(crate) fn all() -> Vec<Case> {
    let mut all = Vec::new();
    for attached in [Before, After] {
        // Its callback comes after our hook, with everybody halted, and ends nothing but itself.
        for callback in [Handles, Declines, Hangs, Faults, Aborts, Panics, Exits] {
            all.push(case(attached, callback, OverBudget, "heap-budget", HOOK_THEN_ABRT));
        }
        all.push(Case {
            env: &[("FAILFAST_ABORT", "plain")],
            name: format!("{attached:?} plain").to_lowercase(),
            ..case(attached, Handles, OverBudget, "heap-budget", &["hook"])
        });
        // What is none of ours is all of theirs.
        for callback in [Handles, Declines] {
            let told = &["callback SIGSEGV"];
            all.push(Case { end: SIGSEGV, ..case(attached, callback, NullPointer, "", told) });
            all.push(case(attached, callback, Abort, "", &["callback SIGABRT"]));
        }
    }
    // An overflow is ours, if we come first: we were attached later.
    for trouble in [Overflow, OverflowOfAThread] {
        for callback in [Handles, Declines] {
            all.push(case(Before, callback, trouble, "stack-overflow", HOOK_THEN_ABRT));
        }
        // Else they are asked first, and leave it to us, or not.
        let (told_first, then) = (&["callback SIGSEGV"], &["callback SIGSEGV", "hook"]);
        all.push(Case { end: SIGSEGV, ..case(After, Handles, trouble, "", told_first) });
        all.push(case(After, Declines, trouble, "stack-overflow", then));
    }
    all
}

fn case(
    attached: Attached,
    callback: Callback,
    trouble: Trouble,
    cause: &'static str,
    says: &'static [&'static str],
) -> Case {
    let name = format!("{attached:?} {callback:?} {trouble:?}").to_lowercase();
    Case { name, attached, callback, trouble, env: &[], end: SIGABRT, cause, says }
}
