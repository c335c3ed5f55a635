//! Slots begin, thaw, fold, and end, and nothing is lost (A5).
//!
//! Layer 2.  Plane: control.

use super::*;

/// A frozen slot is hot again after one cold charge.
#[test]
fn thaws() {
    model(|| {
        let world = World::new(Mode::Membarrier, &[(10, None)], &[(0, 0, 0), (0, 0, 10)]);
        assert!(world.charge(0, 2) && world.charge(1, 1));
        assert_eq!(world.slots[1].limit.load(Relaxed), 0, "still frozen");
    });
}

/// A thread ends while another recalls; its later destructors go on charging and refunding.
#[test]
fn exit_against_recall() {
    model(|| {
        let world = World::new(Mode::Membarrier, &[(10, None)], &[(0, 0, 0), (0, 4, 8)]);
        let other = go(&world, |w| {
            w.refund(1, 2);
            w.ledger.retire(&w.slots[1]);
            assert!(w.charge(1, 2), "lost at the thread's end");
            w.refund(1, 3);
        });
        assert!(world.charge(0, 6), "A2");
        other.join().unwrap();
        assert!(world.charge(0, 3), "lost at the thread's end");
        assert_eq!(world.live(0), 10);
    });
}

/// A new thread, all of whose words are zero, that only frees.
#[test]
fn free_on_a_new_thread() {
    model(|| {
        let slots = [(0, 0, 0), (0, 10, 10), (0, 0, -1)];
        let world = World::new(Mode::Membarrier, &[(10, None)], &slots);
        let (told, tell) = word();
        let other = go(&world, move |w| {
            w.refund(2, 3);
            w.refund(2, 5);
            tell.store(1, Release);
            w.refund(2, 1);
        });
        let must = told.load(Acquire) == 1;
        let got = world.charge(0, 8);
        assert!(got || !must, "A2: freed before we asked");
        other.join().unwrap();
        assert!(got || world.charge(0, 8));
        assert_eq!(world.live(0), 9);
    });
}

/// `freed` passes its threshold while it is harvested: nothing is lost, nothing counts twice.
#[test]
fn fold_against_harvest() {
    model(|| {
        let slots = [(0, 0, 0), (0, 200, 200), (0, 0, 0)];
        let world = World::new(Mode::Membarrier, &[(200, None)], &slots);
        let other = go(&world, |w| {
            w.refund(2, 60);
            w.refund(2, 60);
            w.refund(2, 60);
        });
        let got = world.charge(0, 100);
        other.join().unwrap();
        assert!((got || world.charge(0, 100)) && world.charge(0, 80), "lost");
        assert!(!world.charge(0, 1), "twice");
        assert_eq!(world.live(0), 200);
    });
}
