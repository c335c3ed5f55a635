//! Accounts: exact to the byte, and almost free.
//!
//! Layer 2.  Plane: data.
//!
//! Each (thread, cluster) has a [`Slot`] with two words that its thread alone writes: `avail`, the
//! credit left, which only falls, and `freed`, which only rises. A charge takes from `avail` with
//! one instruction and looks at the sign; a refund adds to `freed`. Credit is *leased* to a slot in
//! bulk, from every account on the way up at once. When a lease is used up, and no account has
//! room, the credit that lies unused in other slots is *recalled*.
//!
//! A recall must stop the others for a moment, without any of them paying for it on the fast path.
//! It raises their stack limits to [`slot::FROZEN`], so that the stack probe's compare diverts
//! their next charge, and passes a heavy fence (`membarrier`): after it, a charge is either visible
//! in `avail` or has seen the freeze.
//!
//! # Promises
//!
//! * **A1** Live bytes never exceed a budget.
//! * **A2** A request is refused only if at some instant during the call the budget could not
//!   cover it.
//! * **A3** A charge or refund that the lease covers touches no shared memory.
//! * **A5** A thread's end returns everything; a forked child's accounts are right.
//!
//! # Invariants, while the lock is held
//!
//! Let `e = avail - taken` and `f = freed + bias - harvested` of a slot.
//!
//! * **L1** `leased <= budget` in every account.
//! * **L2** `leased = live + tentative + sum of (e + f)` over the slots of an account and its
//!   descendants, where `tentative` are the charges in `avail` that are not granted yet.
//! * **L3** `taken > 0` only in a frozen slot, whose limit is `FROZEN`. Only the owner thaws.
//! * **L4** `avail` falls and `freed` rises, whatever the owners do meanwhile.
//!
//! # Why a refusal is right (A2)
//!
//! L4 makes one collect enough, if it reads every `avail` first and every `freed` after. Let `t` be
//! an instant between the two passes. Each charge that was counted was made before `t`, and each
//! refund made before `t` is counted: the live bytes computed are at most those live at `t`. So a
//! refusal means that at `t`, inside the request, the budget could not cover it. A request that can
//! never be met hides nothing meanwhile: its bytes are in `pending`, and count as credit.
//!
//! The models in `models` run this code under loom; `mutant` lists what each safeguard is for.

mod account;
#[cfg_attr(loom, allow(dead_code, reason = "models have fixed clusters"))]
mod clusters;
mod cold;
mod list;
mod machine;
#[cfg(all(loom, test))]
mod models;
mod mutant;
#[cfg(all(any(fuzzing, test), not(loom)))]
pub(crate) mod oracle;
mod recall;
mod slot;

pub(crate) use account::{Account, UNLIMITED};
#[cfg(not(loom))]
pub(crate) use cold::Figures;
pub(crate) use cold::{Ledger, Refusal};
pub(crate) use machine::Machine;
pub(crate) use slot::{Hot, Place, Slot};
