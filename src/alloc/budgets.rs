//! What is asked of a cluster, and said about it.
//!
//! Layer 6.  Plane: data.

use super::block::{self, Block, Life};
use super::clusters::{Which, account};
use super::machine::LEDGER;
use super::slow::account_of;
use super::start;
use crate::ledger::{Account, Figures, Machine as _, Refusal};
use crate::report;
use crate::sync::AtomicU32;

/// Sets a budget.
///
/// # Errors
///
/// More is live.
pub(crate) fn set_budget(which: Which, bytes: isize) -> Result<(), Refusal> {
    LEDGER.set_budget(account(which), bytes, || match which {
        Some(block) => block.note_budget(bytes),
        None => start::note_root_budget(bytes),
    })
}

/// A budget as it was set; observing does not lift it.
pub(crate) fn budget(which: Which) -> Option<usize> {
    which.map_or_else(start::root_budget, |block| block.budget())
}

/// Sets a soft budget.
pub(crate) fn set_soft(which: Which, bytes: isize) {
    LEDGER.set_soft(account(which), bytes);
}

/// Whether more is live than the soft budget.
#[inline]
pub(crate) fn is_over_soft(which: Which) -> bool {
    let account = account(which);
    account.leased() > account.soft() && LEDGER.figures_in(account).live > account.soft()
}

/// Has the next crossing told, though it was told lately that one was crossed.
pub(crate) fn tell_again(which: Which) {
    let account = account(which);
    if account.has_crossed() {
        LEDGER.tell_again(account);
    }
}

/// The cluster that a cluster is part of.
pub(crate) fn parent(block: &'static Block) -> Which {
    block.parent(LEDGER.root())
}

/// A cluster's figures.
pub(crate) fn figures(which: Which) -> Figures {
    LEDGER.figures_in(account(which))
}

/// Charges bytes that do not come through the allocator.
///
/// # Errors
///
/// Some cluster on the way up lacks room.
pub(crate) fn charge_external(which: Which, bytes: isize) -> Result<(), Refusal> {
    LEDGER.charge_account(account(which), bytes)
}

/// Refunds them.
pub(crate) fn refund_external(which: Which, bytes: isize) {
    LEDGER.refund_account(account(which), bytes);
}

/// The cluster that a refusal's figures are of.
pub(crate) fn of(figures: &Figures) -> Which {
    Block::of(figures.of, LEDGER.root())
}

/// The accounts of all clusters but the one with number `but`, for a report, from whoever must not
/// wait.
pub(super) fn report_others(to: &mut report::Clusters, but: u16) {
    let exact = LEDGER.machine().try_locked(|| add_others(to, but, |a| LEDGER.figures_locked(a)));
    exact.unwrap_or_else(|| add_others(to, but, |account| LEDGER.figures_racy(account)));
}

fn add_others(to: &mut report::Clusters, but: u16, figures: impl Fn(&Account) -> Figures) {
    if but != 0 {
        to.add(account_of(figures(LEDGER.root())));
    }
    let others = block::ids().filter(|id| *id != but).filter_map(block::by_id);
    for block in others.filter(|block| block.life() != Life::Free) {
        to.add(block.report(figures(&block.account)));
    }
}

/// How often soft budgets were crossed: a futex for whoever waits for that.
pub(crate) static CROSSINGS: AtomicU32 = AtomicU32::new(0);
