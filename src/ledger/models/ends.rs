//! A cluster goes when its last byte has gone, and not before.
//!
//! Layer 2.  Plane: control.
//!
//! Everything is freed or moved by threads that are not in the cluster, since it ends only when
//! nobody is. Slot 1 is of a thread that had a lease and used it up; slot 2 is the other thread's.

use super::*;

/// A block is freed while its cluster ends.
#[test]
fn a_block_is_freed_as_its_cluster_ends() {
    model(|| {
        let clusters = [(20, None), (10, Some(0))];
        let world = World::new(Mode::Membarrier, &clusters, &[(0, 0, 0), (1, 3, 5), (1, 0, 2)]);
        let (live, theirs) = word();
        live.store(3, Relaxed);
        let other = go(&world, move |w| {
            theirs.store(0, Release);
            w.refund(2, 3);
        });
        let ended = world.end(1);
        assert!(!ended || live.load(Acquire) == 0, "it went with a live block");
        other.join().unwrap();
        assert!(ended || world.end(1), "it stays for ever");
        assert_eq!(world.live(0), 0);
        assert_eq!(world.ledger.root().leased(), 0);
    });
}

/// The other thread makes a block to take the place of an older one, and then frees that: at no
/// instant is nothing live.
#[test]
fn a_block_moves_as_its_cluster_ends() {
    model(|| {
        let clusters = [(20, None), (10, Some(0))];
        let world = World::new(Mode::Membarrier, &clusters, &[(0, 0, 0), (1, 3, 3), (1, 0, 3)]);
        let other = go(&world, |w| {
            assert!(w.charge(2, 3));
            w.refund(2, 3);
        });
        assert!(!world.end(1), "it went with a live block");
        other.join().unwrap();
        assert!(!world.end(1), "it went with a live block");
        assert_eq!((world.live(0), world.live(1)), (3, 3));
    });
}

/// The other thread's block grows, beyond its lease, and is freed.
#[test]
fn a_block_grows_as_its_cluster_ends() {
    model(|| {
        let clusters = [(20, None), (10, Some(0))];
        let world = World::new(Mode::Membarrier, &clusters, &[(0, 0, 0), (1, 0, 2), (1, 3, 4)]);
        let (live, theirs) = word();
        live.store(1, Relaxed);
        let other = go(&world, move |w| {
            assert!(w.charge(2, 4));
            theirs.store(0, Release);
            w.refund(2, 7);
        });
        let ended = world.end(1);
        assert!(!ended || live.load(Acquire) == 0, "it went with a live block");
        other.join().unwrap();
        assert!(ended || world.end(1), "it stays for ever");
        assert_eq!(world.ledger.root().leased(), 0);
    });
}

/// The number of a cluster that has ended is given to a new one, while the thread that freed the
/// last block is still about to fold that. Its slot is then given to the new one too.
#[test]
fn a_number_is_used_anew() {
    model(|| {
        let clusters = [(300, None), (200, Some(0))];
        let world = World::new(Mode::Membarrier, &clusters, &[(1, 0, 9), (1, 70, 75)]);
        let other = go(&world, |w| w.refund(1, 70));
        let ended = world.end(1);
        if ended {
            world.reopen(1, 10);
            world.renew(0, 1);
            assert!(world.charge(0, 10), "the new one has its whole budget");
        }
        other.join().unwrap();
        if ended {
            assert_eq!((world.live(0), world.live(1)), (10, 10));
            world.renew(1, 1);
            assert!(!world.charge(1, 1), "more than the budget");
            world.refund(0, 4);
            assert!(world.charge(1, 4));
            assert_eq!((world.live(0), world.live(1)), (10, 10));
        }
    });
}
