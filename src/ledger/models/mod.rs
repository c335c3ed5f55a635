//! The ledger under loom, and the ledger's mutants.
//!
//! Layer 2.  Plane: control.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p failfast-alloc --release --lib` runs every model at
//! preemption bound 3, then each mutant against the model that is there to catch it. The models run
//! the code that ships, with loom's atomics, and with the asymmetric fence as a sequentially
//! consistent one on both sides: stronger than none on the owner's, which is what mutants remove.

mod a1;
mod a2;
mod ends;
mod life;
mod mutants;

use core::ptr;

use loom::sync::{Arc, Mutex};
use loom::thread;

use super::account::Account;
use super::cold::Ledger;
use super::machine::Machine;
use super::slot::{FROZEN, Hot, Slot, State, bump};
use crate::sync::{AtomicIsize, Ordering::*, fence};

/// What the machine can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    /// There is a heavy fence.
    Membarrier,
    /// There was one, and it fails from now on.
    FailsLater,
    /// There is none: owners fence.
    Fenced,
    /// Threads keep no lease: each operation takes the lock, as in threads that have ended.
    AlwaysLock,
}

/// A machine made of loom's parts.
struct Model {
    lock: Mutex<()>,
    mode: Mode,
    /// Whether a signal handler of the other thread's waits for the lock, or holds it.
    waits: AtomicIsize,
}

impl Machine for Model {
    fn locked<R>(&self, f: impl FnOnce() -> R) -> R {
        let _held = self.lock.lock().unwrap();
        f()
    }

    fn light(&self) {
        use super::mutant::{Mutant, mutant};
        if self.mode == Mode::Membarrier && !mutant(Mutant::NoLightFence) {
            fence(SeqCst);
        }
    }

    fn add(&self, word: &AtomicIsize, delta: isize) {
        bump(word, delta);
    }

    fn heavy(&self) -> bool {
        use super::mutant::{Mutant, mutant};
        if !mutant(Mutant::NoHeavyFence) {
            fence(SeqCst);
        }
        self.mode != Mode::FailsLater
    }

    fn handshake(&self) -> bool {
        false
    }

    fn is_waiting(&self, _: &Slot) -> bool {
        self.waits.load(Acquire) != 0
    }

    fn wait_for_owner(&self, _: u32) -> bool {
        thread::yield_now();
        true
    }
}

/// A ledger with clusters and slots; the slots are numbered in the order given.
struct World {
    slots: Vec<Box<Slot>>,
    clusters: Vec<Box<Account>>,
    ledger: Box<Ledger<Model>>,
}

/// A cluster: its budget, and the number of its parent. The first one is the root.
type Cluster = (isize, Option<usize>);
/// A slot: its cluster, bytes live in it, bytes leased to it; a lease below zero is no lease, and
/// a thread that never allocated.
type Lease = (usize, isize, isize);

/// A stack pointer above every stack limit but [`FROZEN`].
const STACK: usize = 1;

impl World {
    fn new(mode: Mode, clusters: &[Cluster], slots: &[Lease]) -> Arc<World> {
        let model = Model { lock: Mutex::new(()), mode, waits: AtomicIsize::new(0) };
        let ledger = Box::new(Ledger::new(model, mode == Mode::Fenced));
        ledger.root().set_budget(clusters[0].0);
        let mut world = World { slots: Vec::new(), clusters: Vec::new(), ledger };
        for &(budget, parent) in &clusters[1..] {
            let parent: *const Account = world.account(parent.unwrap());
            let account = Box::new(Account::root());
            // SAFETY: both are boxed, and live as long as the world.
            unsafe { account.join(&*parent) };
            account.set_budget(budget);
            world.clusters.push(account);
        }
        for &(cluster, live, lease) in slots {
            world.add_slot(mode, cluster, live, lease);
        }
        Arc::new(world)
    }

    fn account(&self, number: usize) -> &Account {
        if number == 0 { self.ledger.root() } else { &self.clusters[number - 1] }
    }

    fn add_slot(&mut self, mode: Mode, cluster: usize, live: isize, lease: isize) {
        let slot = Box::new(Slot::new());
        if cluster != 0 {
            // SAFETY: boxed, and as long-lived as the world; the slot is new.
            unsafe { slot.bind(self.account(cluster)) };
        }
        if lease >= 0 {
            self.account(cluster).lease(lease);
            slot.avail.store(lease - live, Relaxed);
            if mode == Mode::AlwaysLock {
                slot.set_state(State::Dead);
            } else {
                slot.set_state(State::Live);
                slot.bias.set(64);
                slot.freed.store(-64, Relaxed);
                // SAFETY: boxed, and as long-lived as the world.
                unsafe { self.account(cluster).link(&slot) };
            }
        }
        slot.limit.store(if mode == Mode::Fenced { FROZEN } else { 0 }, Relaxed);
        self.slots.push(slot);
    }

    fn charge(&self, me: usize, bytes: isize) -> bool {
        let slot = &self.slots[me];
        match slot.charge_hot(bytes, STACK, || self.ledger.machine.light()) {
            Hot::Done => true,
            _ => self.ledger.charge_diverted(slot, bytes).is_ok(),
        }
    }

    /// A charge with a signal handler between its first instruction and the next.
    fn charge_interrupted(&self, me: usize, bytes: isize, handler: impl FnOnce()) -> bool {
        let slot = &self.slots[me];
        let left = bump(&slot.avail, -bytes);
        handler();
        if left >= 0 {
            self.ledger.machine.light();
            if slot.limit.load(Relaxed) != FROZEN {
                return true;
            }
        }
        self.ledger.charge_diverted(slot, bytes).is_ok()
    }

    /// A charge to cluster slot `me` by the thread whose root slot is `root`, which is inside: it
    /// has touched the root slot before it sees that.
    fn charge_inside(&self, root: usize, me: usize, bytes: isize) -> bool {
        let slot = &self.slots[root];
        let left = bump(&slot.avail, -bytes);
        assert!(left < 0, "hot inside a cluster");
        self.charge(me, bytes)
    }

    /// A charge to the root by the thread whose root slot is `me`, which is in a cluster: a block
    /// of the root's grows.
    fn charge_root_inside(&self, me: usize, bytes: isize) -> bool {
        let slot = &self.slots[me];
        let left = bump(&slot.avail, -bytes);
        assert!(left < 0, "hot inside a cluster");
        self.ledger.charge_diverted(slot, bytes).is_ok()
    }

    /// Ends a cluster that nobody is in, if nothing of it is live, as `alloc::clusters` does.
    fn end(&self, cluster: usize) -> bool {
        let account = self.account(cluster);
        self.ledger.machine.locked(|| {
            assert!(self.ledger.freeze_all(core::iter::once(account)));
            self.ledger.close(account, |_| ())
        })
    }

    /// Makes a new cluster where an old one has ended.
    fn reopen(&self, cluster: usize, budget: isize) {
        let account = self.account(cluster);
        self.ledger.machine.locked(|| {
            // SAFETY: both are boxed, and live as long as the world; the account was closed.
            unsafe { account.join(self.ledger.root()) };
            account.set_budget(budget);
        });
    }

    /// Gives a slot that its cluster's end has given back to its thread to a cluster anew.
    fn renew(&self, me: usize, cluster: usize) {
        self.ledger.machine.locked(|| {
            // SAFETY: as long-lived as the world; the slot was unlinked, and this is its owner.
            unsafe { self.slots[me].renew(self.account(cluster)) };
            self.ledger.begin(&self.slots[me]);
        });
    }

    fn refund(&self, me: usize, bytes: isize) {
        let slot = &self.slots[me];
        if slot.refund_hot(bytes, STACK) != Hot::Done {
            self.ledger.fold(slot);
        }
    }

    /// Charges, holds for a moment while `live` is checked against the budget, and refunds.
    fn hold(&self, live: &AtomicIsize, me: usize, bytes: isize) {
        if self.charge(me, bytes) {
            enter(live, bytes);
            live.fetch_sub(bytes, AcqRel);
            self.refund(me, bytes);
        }
    }

    /// At rest: bytes live in a cluster, by the books.
    fn live(&self, cluster: usize) -> isize {
        let account = self.account(cluster);
        let within =
            |s: &&Box<Slot>| s.account(self.ledger.root()).upward().any(|a| ptr::eq(a, account));
        let unused = |s: &Box<Slot>| s.credit().load(Relaxed) - s.taken.get() + s.unbooked();
        account.leased() - self.slots.iter().filter(within).map(unused).sum::<isize>()
    }
}

/// Adds to the oracle's count of live bytes, of which a budget of 10 allows 10.
fn enter(live: &AtomicIsize, bytes: isize) {
    let sum = live.fetch_add(bytes, AcqRel) + bytes;
    assert!(sum <= 10, "A1: {sum} live");
}

/// Runs a model. `FAILFAST_PREEMPTIONS` sets another bound; `none` takes it away.
fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = match std::env::var("FAILFAST_PREEMPTIONS").as_deref() {
        Ok("none") => None,
        Ok(bound) => bound.parse().ok(),
        Err(_) => Some(3),
    };
    builder.max_branches = 20_000;
    builder.check(f);
}

/// Runs `f` in another thread.
fn go<R: 'static>(
    world: &Arc<World>,
    f: impl FnOnce(&World) -> R + 'static,
) -> thread::JoinHandle<R> {
    let world = world.clone();
    thread::spawn(move || f(&world))
}

/// A word for an oracle, twice.
fn word() -> (Arc<AtomicIsize>, Arc<AtomicIsize>) {
    let word = Arc::new(AtomicIsize::new(0));
    (word.clone(), word)
}
