//! What fits is not refused (A2).
//!
//! Layer 2.  Plane: control.

use super::*;

/// The others never hold more than 10 of 20, so our 10 fit: what they free lies in slot 2, and
/// what they charge again goes to slot 1.
fn token(mode: Mode) {
    model(move || {
        let lease = if mode == Mode::AlwaysLock { 0 } else { 10 };
        let slots = [(0, 0, 0), (0, 0, lease), (0, 10, 10)];
        let world = World::new(mode, &[(20, None)], &slots);
        let other = go(&world, |w| {
            w.refund(2, 10);
            assert!(w.charge(1, 10), "A2: the other");
        });
        assert!(world.charge(0, 10), "A2");
        other.join().unwrap();
        assert_eq!(world.live(0), 20);
    });
}

#[test]
fn token_membarrier() {
    token(Mode::Membarrier);
}

#[test]
fn token_always_lock() {
    token(Mode::AlwaysLock);
}

#[test]
fn token_fenced() {
    token(Mode::Fenced);
}

/// As above, but freed by one thread and charged by another that was told of it.
#[test]
fn token_three_threads() {
    model(|| {
        let slots = [(0, 0, 0), (0, 0, 10), (0, 10, 10)];
        let world = World::new(Mode::Membarrier, &[(20, None)], &slots);
        let (tell, told) = word();
        let frees = go(&world, move |w| {
            w.refund(2, 10);
            tell.store(1, Release);
        });
        let charges = go(&world, move |w| {
            if told.load(Acquire) == 1 {
                assert!(w.charge(1, 10), "A2: the other");
            }
        });
        assert!(world.charge(0, 10), "A2");
        frees.join().unwrap();
        charges.join().unwrap();
    });
}

/// A request that can never be met, beside one that can.
fn never_satisfiable(bytes: isize) {
    model(move || {
        let world = World::new(Mode::Membarrier, &[(10, None)], &[(0, 0, 0), (0, 1, 8)]);
        let other = go(&world, move |w| assert!(!w.charge(1, bytes)));
        assert!(world.charge(0, 5), "A2");
        other.join().unwrap();
        assert_eq!(world.live(0), 6);
    });
}

#[test]
fn never_satisfiable_beyond_the_budget() {
    never_satisfiable(1000);
}

#[test]
fn never_satisfiable_of_the_whole_budget() {
    never_satisfiable(10);
}

#[test]
fn never_satisfiable_three_threads() {
    model(|| {
        let slots = [(0, 0, 0), (0, 1, 8), (0, 0, 0)];
        let world = World::new(Mode::Membarrier, &[(10, None)], &slots);
        let hopeless = go(&world, |w| assert!(!w.charge(1, 10)));
        let modest = go(&world, |w| assert!(w.charge(2, 4), "A2"));
        assert!(world.charge(0, 5), "A2");
        hopeless.join().unwrap();
        modest.join().unwrap();
        assert_eq!(world.live(0), 10);
    });
}

/// The token, charged, taken back because the inner allocator refused, and charged elsewhere.
#[test]
fn inner_null() {
    model(|| {
        let slots = [(0, 0, 0), (0, 0, 10), (0, 0, 10)];
        let world = World::new(Mode::Membarrier, &[(20, None)], &slots);
        let other = go(&world, |w| {
            assert!(w.charge(2, 10));
            w.ledger.uncharge(&w.slots[2], 10);
            assert!(w.charge(1, 10), "A2: the other");
        });
        assert!(world.charge(0, 10), "A2");
        other.join().unwrap();
        assert_eq!(world.live(0), 20);
    });
}

/// Both want 6 of 10 and keep it: exactly one gets it.
#[test]
fn one_of_two() {
    model(|| {
        let world = World::new(Mode::Membarrier, &[(10, None)], &[(0, 0, 0), (0, 0, 10)]);
        let other = go(&world, |w| w.charge(1, 6));
        let ours = world.charge(0, 6);
        assert!(ours != other.join().unwrap());
    });
}

#[test]
fn both_fit() {
    model(|| {
        let world = World::new(Mode::Membarrier, &[(10, None)], &[(0, 0, 0), (0, 0, 10)]);
        let other = go(&world, |w| {
            assert!(w.charge(1, 3));
            w.refund(1, 3);
            assert!(w.charge(1, 4));
        });
        assert!(world.charge(0, 3));
        other.join().unwrap();
        assert_eq!(world.live(0), 7);
    });
}

/// Two recallers and an owner: exactly one of the three fits.
#[test]
fn two_recallers() {
    model(|| {
        let slots = [(0, 0, 0), (0, 0, 10), (0, 0, 0)];
        let world = World::new(Mode::Membarrier, &[(10, None)], &slots);
        let owner = go(&world, |w| w.charge(1, 6));
        let recaller = go(&world, |w| w.charge(2, 10));
        let granted = [world.charge(0, 10), owner.join().unwrap(), recaller.join().unwrap()];
        assert_eq!(granted.iter().filter(|&&ok| ok).count(), 1);
    });
}

/// 8 and 8 under 10: credit is found across the tree, and a hopeless request hurts nobody.
#[test]
fn siblings() {
    model(|| {
        let clusters = [(10, None), (8, Some(0)), (8, Some(0))];
        let slots = [(1, 0, 0), (2, 0, 8), (0, 1, 2)];
        let world = World::new(Mode::Membarrier, &clusters, &slots);
        let other = go(&world, |w| assert!(w.charge(1, 4), "A2: sibling"));
        assert!(!world.charge(0, 9));
        assert!(world.charge(0, 5), "A2");
        other.join().unwrap();
        assert_eq!((world.live(0), world.live(1), world.live(2)), (10, 5, 4));
    });
}

/// A charge that its cluster refuses has touched the root slot: its credit stays visible.
#[test]
fn inside_a_cluster() {
    model(|| {
        let clusters = [(16, None), (10, Some(0))];
        let slots = [(0, 0, 0), (0, 0, 10), (1, 6, 6)];
        let world = World::new(Mode::Membarrier, &clusters, &slots);
        let other = go(&world, |w| {
            w.ledger.enter(&w.slots[1]);
            assert!(!w.charge_inside(1, 2, 9));
            w.ledger.leave(&w.slots[1]);
        });
        assert!(world.charge(0, 10), "A2");
        other.join().unwrap();
        assert_eq!((world.live(0), world.live(1)), (16, 6));
    });
}
