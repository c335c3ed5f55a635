//! The ledger at rest, against an oracle that counts.
//!
//! Layer 2.  Plane: control.
//!
//! One thread plays all owners, one operation after the other. Nothing is in flight then, so the
//! ledger must be exact: a request is granted if and only if it fits, and the figures are the
//! oracle's. If the fourth bit is set, `tree` plays the rest. The body of a fuzz target, and of a
//! unit test with random operations.

mod tree;

use core::cell::Cell;

use super::cold::{Ledger, Refusal};
use super::machine::Machine;
use super::slot::{Hot, Slot, bump};
use crate::sync::AtomicIsize;

/// How many owners there are.
const SLOTS: usize = 5;
/// A stack pointer above every limit but the frozen one.
const STACK: usize = 1 << 40;

/// Nobody else runs: locks are free, and fences have nothing to do. Whoever waits for a crossing is
/// told.
#[derive(Default)]
struct Rest {
    crossings: Cell<usize>,
}

impl Machine for Rest {
    fn locked<R>(&self, f: impl FnOnce() -> R) -> R {
        f()
    }
    fn try_locked<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        Some(f())
    }
    fn light(&self) {}
    fn add(&self, word: &AtomicIsize, delta: isize) {
        bump(word, delta);
    }
    fn heavy(&self) -> bool {
        true
    }
    fn handshake(&self) -> bool {
        true
    }
    fn is_waiting(&self, _: &Slot) -> bool {
        unreachable!("an owner at rest was waited for");
    }
    fn wait_for_owner(&self, _: u32) -> bool {
        unreachable!("an owner at rest was waited for");
    }
    fn crossed(&self) {
        self.crossings.set(self.crossings.get() + 1);
    }
}

/// Plays the operations that `data` spells, and compares after each.
///
/// # Panics
///
/// If the ledger and the oracle disagree.
#[cfg_attr(not(fuzzing), expect(unreachable_pub, reason = "public for fuzz targets alone"))]
pub fn play(data: &[u8]) {
    let mut bytes = data.iter().copied();
    let mut next = move || bytes.next().map(usize::from);
    let Some(size) = next() else { return };
    if size & 8 != 0 {
        return tree::play(next);
    }
    let budget = [100, 4096, 70_000, 5 << 20][size % 4];
    let ledger = Ledger::new(Rest::default());
    if size & 4 != 0 {
        ledger.set_fenced();
    }
    ledger.set_root_budget(budget);
    let slots: [Slot; SLOTS] = std::array::from_fn(|_| Slot::new());
    let (mut live, mut most, mut blocks) = (0, 0, Vec::new());
    while let (Some(what), Some(who), Some(scale)) = (next(), next(), next()) {
        let slot = &slots[who % SLOTS];
        match what % 8 {
            0..4 => {
                let bytes = amount(budget, what / 8, scale);
                let granted = charge(&ledger, slot, bytes);
                assert_eq!(granted.is_ok(), bytes <= budget - live, "{bytes} with {live} live");
                match granted {
                    Ok(()) if what & 64 != 0 => ledger.uncharge(slot, bytes),
                    Ok(()) => {
                        live += bytes;
                        blocks.push(bytes);
                    }
                    Err(Refusal::OverBudget(figures)) => {
                        assert_eq!((figures.live, figures.budget), (live, budget));
                    }
                    Err(Refusal::Unsettled(_)) => unreachable!("every fence works"),
                }
            }
            4..7 if !blocks.is_empty() => {
                let bytes = blocks.swap_remove(scale % blocks.len());
                live -= bytes;
                refund(&ledger, slot, bytes);
            }
            _ => ledger.retire(slot),
        }
        most = most.max(live);
        let figures = ledger.figures_in(ledger.root());
        assert_eq!(figures.live, live);
        assert!(figures.peak >= most && figures.peak <= budget, "{figures:?}");
    }
}

/// A size: small, or a part of the budget, or about all of it.
fn amount(budget: isize, kind: usize, scale: usize) -> isize {
    let scale = scale as isize;
    let bytes = match kind % 8 {
        0..4 => scale,
        4 | 5 => budget * scale / 512,
        6 => budget + 128 - scale,
        _ => isize::MAX - scale,
    };
    bytes.max(1)
}

fn charge(ledger: &Ledger<Rest>, slot: &Slot, bytes: isize) -> Result<(), Refusal> {
    match slot.charge_hot(bytes, STACK, || ()) {
        Hot::Done => Ok(()),
        _ => ledger.charge_diverted(slot, bytes),
    }
}

fn refund(ledger: &Ledger<Rest>, slot: &Slot, bytes: isize) {
    if slot.refund_hot(bytes, STACK) != Hot::Done {
        ledger.fold(slot);
    }
}

#[cfg(test)]
mod tests {
    /// A generator of numbers (xorshift64*, Vigna 2016).
    struct Random(u64);

    impl Iterator for Random {
        type Item = u8;
        fn next(&mut self) -> Option<u8> {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            Some((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8)
        }
    }

    /// What the fuzzer has found.
    #[test]
    fn found_by_fuzzing() {
        super::play(&[4, 32, 0, 91, 6, 0, 32, 91, 0, 63]);
    }

    #[test]
    fn at_rest_the_ledger_is_exact() {
        for seed in 1..400 {
            let data: Vec<u8> = Random(seed).take(1500).collect();
            super::play(&data);
        }
    }

    #[test]
    fn at_rest_a_tree_of_clusters_is_exact() {
        for seed in 1..400 {
            let spelt = Random(seed).take(3000);
            super::play(&[8].into_iter().chain(spelt).collect::<Vec<_>>());
        }
    }
}
