//! Live bytes never exceed a budget (A1).
//!
//! Layer 2.  Plane: control.

use super::*;

/// Two threads want 6, and 5, of 10: an oracle counts what they hold at once.
fn over_budget(mode: Mode) {
    model(move || {
        let lease = if mode == Mode::AlwaysLock { 0 } else { 10 };
        let world = World::new(mode, &[(10, None)], &[(0, 0, 0), (0, 0, lease)]);
        let (live, theirs) = word();
        let other = go(&world, move |w| {
            w.hold(&theirs, 1, 6);
            w.hold(&theirs, 1, 5);
        });
        world.hold(&live, 0, 6);
        other.join().unwrap();
        assert_eq!(world.live(0), 0);
    });
}

#[test]
fn over_budget_membarrier() {
    over_budget(Mode::Membarrier);
}

#[test]
fn over_budget_always_lock() {
    over_budget(Mode::AlwaysLock);
}

#[test]
fn over_budget_fenced() {
    over_budget(Mode::Fenced);
}

#[test]
fn over_budget_membarrier_fails_later() {
    over_budget(Mode::FailsLater);
}

/// A recall against the owner's own cold path, which recalls back.
#[test]
fn recall_both_ways() {
    model(|| {
        let world = World::new(Mode::Membarrier, &[(10, None)], &[(0, 0, 5), (0, 0, 5)]);
        let (live, theirs) = word();
        let other = go(&world, move |w| w.hold(&theirs, 1, 8));
        world.hold(&live, 0, 7);
        other.join().unwrap();
        assert_eq!(world.live(0), 0);
    });
}

/// Leaving a cluster puts the limit back while a recaller raises it.
#[test]
fn leave_against_freeze() {
    model(|| {
        let clusters = [(10, None), (10, Some(0))];
        let world = World::new(Mode::Membarrier, &clusters, &[(0, 0, 0), (0, 0, 10)]);
        let (live, theirs) = word();
        world.ledger.enter(&world.slots[1]);
        let other = go(&world, move |w| {
            w.ledger.leave(&w.slots[1]);
            w.hold(&theirs, 1, 5);
            w.ledger.enter(&w.slots[1]);
        });
        world.hold(&live, 0, 6);
        other.join().unwrap();
        assert_eq!(world.live(0), 0);
    });
}

/// A thread charges, enters, has a block of the root's grow, and leaves, while its account is
/// recalled: its credit is in one word or the other, and never in both.
#[test]
fn across_the_border() {
    model(|| {
        let clusters = [(10, None), (10, Some(0))];
        let world = World::new(Mode::Membarrier, &clusters, &[(0, 0, 0), (0, 0, 8)]);
        let (live, theirs) = word();
        let other = go(&world, move |w| {
            let mut held = 0;
            if w.charge(1, 2) {
                enter(&theirs, 2);
                held += 2;
            }
            w.ledger.enter(&w.slots[1]);
            if w.charge_root_inside(1, 3) {
                enter(&theirs, 3);
                held += 3;
            }
            w.ledger.leave(&w.slots[1]);
            theirs.fetch_sub(held, AcqRel);
            w.refund(1, held);
        });
        world.hold(&live, 0, 7);
        other.join().unwrap();
        assert_eq!(world.live(0), 0);
    });
}

/// A signal handler charges in the middle of the charge that it interrupted.
fn nested_handler(lease: isize, ask: isize, more: isize) {
    model(move || {
        let world = World::new(Mode::Membarrier, &[(10, None)], &[(0, 0, 0), (0, 0, lease)]);
        let (live, theirs) = word();
        let other = go(&world, move |w| {
            if w.charge_interrupted(1, 4, || w.hold(&theirs, 1, 5)) {
                enter(&theirs, 4);
                theirs.fetch_sub(4, AcqRel);
                w.refund(1, 4);
            }
        });
        if world.charge(0, ask) {
            enter(&live, ask);
            if more > 0 && world.charge(0, more) {
                enter(&live, more);
            }
        }
        other.join().unwrap();
    });
}

#[test]
fn handler_within_its_lease() {
    nested_handler(10, 7, 0);
}

#[test]
fn handler_short_of_its_lease() {
    nested_handler(3, 9, 2);
}

/// A signal handler frees, and folds, in the middle of a charge that is not published: whoever
/// holds the lock does not wait for it, which waits for the lock.
#[test]
fn handler_that_folds() {
    model(|| {
        let slots = [(0, 0, 0), (0, 70, 75)];
        let world = World::new(Mode::Membarrier, &[(100, None)], &slots);
        let other = go(&world, |w| {
            w.charge_interrupted(1, 9, || {
                // Release, and Acquire: as in the thread's record.
                w.ledger.machine.waits.store(1, Release);
                w.refund(1, 70);
                w.ledger.machine.waits.store(0, Relaxed);
            })
        });
        let ours = world.charge(0, 50);
        assert!(other.join().unwrap(), "9 fit");
        assert_eq!(world.live(0), 9 + if ours { 50 } else { 0 });
        assert!(ours || world.charge(0, 91), "lost");
    });
}
