//! A tree of clusters at rest, against an oracle that counts.
//!
//! Layer 2.  Plane: control.
//!
//! A few threads are in and out of clusters, end, and begin anew; clusters are made in others, and
//! end while blocks of theirs are live; blocks grow, shrink and are freed by whoever it is. After
//! each step every account's figures are the oracle's.

use core::ptr;

use super::super::account::{Account, UNLIMITED};
use super::super::cold::{Ledger, Refusal};
use super::super::slot::{Hot, Slot};
use super::{Rest, STACK, amount};

/// How many threads there are.
const THREADS: usize = 3;
/// How many accounts, the root's included.
const ACCOUNTS: usize = 10;
/// The root's account.
const ROOT: usize = 0;

/// What the oracle knows of an account.
#[derive(Clone, Copy)]
struct Known {
    /// `None`: there is no such cluster.
    parent: Option<usize>,
    budget: isize,
    soft: isize,
    /// Live in it alone, and not in its descendants.
    own: isize,
    /// The most that was live in all of them, and the largest budget that it ever had.
    most: isize,
    budget_most: isize,
    has_ended: bool,
}

/// A thread: its root slot, its slots in clusters while it has them, and the cluster that it is in.
struct Thread {
    root: Box<Slot>,
    seats: Vec<(Box<Slot>, bool)>,
    place: usize,
    /// Its destructor has run: it has no accounts with clusters.
    has_left: bool,
}

impl Thread {
    fn new() -> Self {
        let seats = (0..ACCOUNTS).map(|_| (Box::new(Slot::new()), false)).collect();
        Self { root: Box::new(Slot::new()), seats, place: ROOT, has_left: false }
    }
}

struct World {
    threads: Vec<Thread>,
    accounts: Vec<Account>,
    ledger: Ledger<Rest>,
    known: [Known; ACCOUNTS],
    /// Whose each is, and how large.
    blocks: Vec<(usize, isize)>,
    external: Vec<(usize, isize)>,
}

/// Plays the operations that are spelt.
///
/// # Panics
///
/// If the ledger and the oracle disagree.
pub(super) fn play(mut next: impl FnMut() -> Option<usize>) {
    let Some(size) = next() else { return };
    let mut world = World::new([4096, 70_000, 5 << 20, UNLIMITED][size % 4], size & 4 != 0);
    while let (Some(what), Some(who), Some(scale)) = (next(), next(), next()) {
        let crossed: Vec<bool> = (0..ACCOUNTS).map(|c| world.account(c).has_crossed()).collect();
        let told = world.ledger.machine().crossings.get();
        world.step(what, who, scale);
        world.compare(&crossed, told);
    }
}

impl World {
    fn new(budget: isize, fenced: bool) -> Self {
        let ledger = Ledger::new(Rest::default());
        if fenced {
            ledger.set_fenced();
        }
        ledger.set_root_budget(budget);
        let none = Known {
            parent: None,
            budget: UNLIMITED,
            soft: UNLIMITED,
            own: 0,
            most: 0,
            budget_most: 0,
            has_ended: false,
        };
        let mut known = [none; ACCOUNTS];
        known[ROOT] = Known { budget, budget_most: budget, ..none };
        Self {
            threads: (0..THREADS).map(|_| Thread::new()).collect(),
            accounts: (0..ACCOUNTS).map(|_| Account::root()).collect(),
            ledger,
            known,
            blocks: Vec::new(),
            external: Vec::new(),
        }
    }

    fn step(&mut self, what: usize, who: usize, scale: usize) {
        let (t, c) = (who % THREADS, who / THREADS % ACCOUNTS);
        let cluster = if self.is_there(c) { c } else { ROOT };
        match what % 16 {
            0..4 => {
                let owner = self.threads[t].place;
                let bytes = amount(self.smallest_budget(owner), what / 16, scale);
                if self.charge(t, owner, bytes, false) {
                    if scale.is_multiple_of(8) {
                        self.uncharge(t, owner, bytes);
                    } else {
                        self.known[owner].own += bytes;
                        self.blocks.push((owner, bytes));
                    }
                }
            }
            4..7 if !self.blocks.is_empty() => {
                let (owner, bytes) = self.blocks.swap_remove(scale % self.blocks.len());
                self.known[owner].own -= bytes;
                self.refund(t, owner, bytes);
            }
            7 | 8 if !self.blocks.is_empty() => self.resize(t, what / 16, scale),
            9 => self.make(c, scale),
            10 => self.enter(t, cluster),
            11 => self.end(c),
            12 => self.set_budget(cluster, what / 16, scale),
            13 => self.set_soft(cluster, what / 16, scale),
            14 => self.charge_external(cluster, what / 16, scale),
            15 if what < 64 => self.thread_ends(t),
            15 if what < 128 => self.threads[t] = self.leave(t),
            _ => {
                if let Some((owner, bytes)) = self.external.pop() {
                    self.ledger.refund_account(self.account(owner), bytes);
                    self.known[owner].own -= bytes;
                }
            }
        }
    }

    fn account(&self, c: usize) -> &Account {
        if c == ROOT { self.ledger.root() } else { &self.accounts[c] }
    }

    fn is_there(&self, c: usize) -> bool {
        c == ROOT || self.known[c].parent.is_some()
    }

    /// This one and those that it is part of, innermost first.
    fn upward(&self, c: usize) -> impl Iterator<Item = usize> {
        core::iter::successors(Some(c), |&c| self.known[c].parent)
    }

    fn live(&self, c: usize) -> isize {
        let within = |&d: &usize| self.is_there(d) && self.upward(d).any(|a| a == c);
        (0..ACCOUNTS).filter(within).map(|d| self.known[d].own).sum()
    }

    /// The innermost that lacks room.
    fn short(&self, c: usize, bytes: isize) -> Option<usize> {
        self.upward(c).find(|&a| bytes > self.known[a].budget - self.live(a))
    }

    fn smallest_budget(&self, c: usize) -> isize {
        self.upward(c).map(|a| self.known[a].budget).min().unwrap_or(UNLIMITED).min(5 << 20)
    }

    /// The slot by which a thread charges an account; none if it cannot have one. As in
    /// `alloc::seat`.
    fn slot(&mut self, t: usize, c: usize) -> Option<&Slot> {
        if c == ROOT {
            return Some(&self.threads[t].root);
        }
        if self.threads[t].has_left {
            return None;
        }
        let (slot, is_seated) = &mut self.threads[t].seats[c];
        if !*is_seated {
            *is_seated = true;
            // SAFETY: the account stays where it is, and outlives the slot; that one is not linked.
            unsafe { slot.renew(&self.accounts[c]) };
            self.ledger.begin(slot);
        }
        Some(&self.threads[t].seats[c].0)
    }

    /// Charges a block of `owner`'s by a thread: a new one, or one that grows. As in `alloc`.
    fn charge(&mut self, t: usize, owner: usize, bytes: isize, grows: bool) -> bool {
        let root = &self.threads[t].root;
        let is_in = self.threads[t].place != ROOT;
        let hot = if grows {
            root.charge_growth_hot(bytes, STACK, || ())
        } else {
            root.charge_hot(bytes, STACK, || ())
        };
        let result = if owner == ROOT {
            if hot == Hot::Done { Ok(()) } else { self.ledger.charge_diverted(root, bytes) }
        } else {
            // In a cluster `avail` is below zero, unless it has come round.
            assert!(hot != Hot::Done || bytes > 1 << 60, "the root's fast path in a cluster");
            if grows {
                self.ledger.cancel(root, bytes);
            } else {
                assert!(is_in);
                root.wipe_scratch();
            }
            match self.slot(t, owner).map(|slot| (ptr::from_ref(slot), slot)) {
                Some((at, slot)) => match slot.charge_hot(bytes, STACK, || ()) {
                    Hot::Done => Ok(()),
                    // SAFETY: boxed, and nothing has moved it since.
                    _ => self.ledger.charge_diverted(unsafe { &*at }, bytes),
                },
                None => self.ledger.charge_account(self.account(owner), bytes),
            }
        };
        self.check(owner, bytes, &result);
        result.is_ok()
    }

    /// It is granted if and only if it fits, and refused by the innermost that lacks room.
    fn check(&self, owner: usize, bytes: isize, result: &Result<(), Refusal>) {
        match (result, self.short(owner, bytes)) {
            (Ok(()), None) => {}
            (Err(Refusal::OverBudget(figures)), Some(short)) => {
                let (live, budget) = (self.live(short), self.known[short].budget);
                assert_eq!((figures.live, figures.budget), (live, budget));
                assert!(ptr::eq(figures.of, self.account(short)), "another one is named");
            }
            (result, short) => panic!("{bytes} for {owner}: {result:?}, short is {short:?}"),
        }
    }

    fn uncharge(&mut self, t: usize, owner: usize, bytes: isize) {
        match self.slot(t, owner).map(ptr::from_ref) {
            // SAFETY: boxed, and nothing has moved it since.
            Some(slot) => self.ledger.uncharge(unsafe { &*slot }, bytes),
            None => self.ledger.refund_account(self.account(owner), bytes),
        }
    }

    fn refund(&mut self, t: usize, owner: usize, bytes: isize) {
        match self.slot(t, owner).map(ptr::from_ref) {
            // SAFETY: boxed, and nothing has moved it since.
            Some(slot) if unsafe { &*slot }.refund(bytes) => self.ledger.fold(unsafe { &*slot }),
            Some(_) => {}
            None => self.ledger.refund_account(self.account(owner), bytes),
        }
    }

    fn resize(&mut self, t: usize, kind: usize, scale: usize) {
        let at = scale % self.blocks.len();
        let (owner, old) = self.blocks[at];
        let new = amount(self.smallest_budget(owner), kind, scale).min(isize::MAX - 64);
        if new < old {
            self.refund(t, owner, old - new);
        } else if new == old || !self.charge(t, owner, new - old, true) {
            return;
        }
        self.known[owner].own += new - old;
        self.blocks[at].1 = new;
    }

    fn make(&mut self, c: usize, scale: usize) {
        let parent = scale % ACCOUNTS;
        if self.is_there(c) || !self.is_there(parent) {
            return;
        }
        let budget = [UNLIMITED, 1000, 20_000, 60_000, 3 << 20][scale / ACCOUNTS % 5];
        // SAFETY: neither is moved, and both outlive the ledger's use; it is new, or was closed.
        unsafe { self.ledger.open(&self.accounts[c], self.account(parent)) };
        assert!(self.ledger.set_budget(&self.accounts[c], budget, || ()).is_ok());
        self.known[c] = Known {
            parent: Some(parent),
            budget,
            soft: UNLIMITED,
            own: 0,
            most: 0,
            budget_most: budget,
            has_ended: false,
        };
    }

    fn enter(&mut self, t: usize, to: usize) {
        if self.known[to].has_ended || (to != ROOT && self.slot(t, to).is_none()) {
            return;
        }
        let thread = &mut self.threads[t];
        match (thread.place, to) {
            (ROOT, ROOT) => {}
            (ROOT, _) => self.ledger.enter(&thread.root),
            (_, ROOT) => self.ledger.leave(&thread.root),
            _ => {}
        }
        thread.place = to;
    }

    /// The last handle is gone; it goes once nothing of it is live, and nobody is in it.
    fn end(&mut self, c: usize) {
        if c == ROOT || !self.is_there(c) {
            return;
        }
        self.known[c].has_ended = true;
        if self.threads.iter().any(|thread| thread.place == c) {
            return;
        }
        let may = self.live(c) == 0 && !self.known.iter().any(|known| known.parent == Some(c));
        let account = &self.accounts[c];
        assert!(self.ledger.freeze_all(core::iter::once(account)));
        assert_eq!(self.ledger.close(account, |_| ()), may, "{} live", self.live(c));
        if may {
            self.known[c].parent = None;
            self.threads.iter_mut().for_each(|thread| thread.seats[c].1 = false);
        }
    }

    fn set_budget(&mut self, c: usize, kind: usize, scale: usize) {
        let live = self.live(c);
        let bytes = match kind % 4 {
            0 => UNLIMITED,
            1 => live.saturating_add(scale as isize - 128).max(1),
            _ => amount(5 << 20, kind, scale).min(isize::MAX - 1),
        };
        let result = self.ledger.set_budget(self.account(c), bytes, || ());
        assert_eq!(result.is_ok(), live <= bytes, "{bytes} with {live} live");
        if result.is_ok() {
            self.known[c].budget = bytes;
            self.known[c].budget_most = self.known[c].budget_most.max(bytes);
        }
    }

    fn set_soft(&mut self, c: usize, kind: usize, scale: usize) {
        if kind.is_multiple_of(4) {
            return self.ledger.tell_again(self.account(c));
        }
        let near = self.live(c).saturating_add(scale as isize - 128);
        let bytes = if kind % 4 == 1 { near.max(1) } else { amount(5 << 20, kind, scale) };
        self.ledger.set_soft(self.account(c), bytes);
        self.known[c].soft = bytes;
    }

    fn charge_external(&mut self, c: usize, kind: usize, scale: usize) {
        let bytes = amount(self.smallest_budget(c), kind, scale) - 1;
        let result = self.ledger.charge_account(self.account(c), bytes);
        self.check(c, bytes, &result);
        if result.is_ok() {
            self.known[c].own += bytes;
            self.external.push((c, bytes));
        }
    }

    /// A thread's destructor runs: others may follow.
    fn thread_ends(&mut self, t: usize) {
        self.enter(t, ROOT);
        let thread = &mut self.threads[t];
        for (slot, is_seated) in &mut thread.seats {
            if core::mem::take(is_seated) {
                self.ledger.retire(slot);
            }
        }
        self.ledger.retire(&thread.root);
        thread.has_left = true;
    }

    /// The same; and another begins in its place.
    fn leave(&mut self, t: usize) -> Thread {
        self.thread_ends(t);
        Thread::new()
    }

    /// Every account's figures are the oracle's; crossings were told.
    fn compare(&mut self, crossed: &[bool], told: usize) {
        for c in (0..ACCOUNTS).filter(|&c| self.is_there(c)).collect::<Vec<_>>() {
            let live = self.live(c);
            self.known[c].most = self.known[c].most.max(live);
            let (known, account) = (self.known[c], self.account(c));
            let figures = self.ledger.figures_in(account);
            assert_eq!((figures.live, figures.budget), (live, known.budget), "of {c}");
            assert!(live <= known.budget && account.leased() <= known.budget, "A1");
            assert!((known.most..=known.budget_most).contains(&figures.peak), "{figures:?}");
            assert_eq!(account.soft(), known.soft);
            assert!(live <= known.soft || account.has_crossed(), "over, and nobody knows");
            let is_new = account.has_crossed() && !crossed[c];
            assert!(!is_new || self.ledger.machine().crossings.get() > told, "nobody was told");
        }
    }
}
