//! The ledger with one of its safeguards removed, on purpose.
//!
//! Layer 2.  Plane: data.
//!
//! A model that passes proves little unless it fails when the code is wrong. Each safeguard of the
//! protocol asks `mutant(..)` whether it is the one to leave out. Outside models the answer is a
//! constant `false` and the question compiles to nothing; in a model the environment variable
//! `FAILFAST_MUTANT` names the one to leave out, and a test checks that some model then fails.

/// Makes the list of safeguards, so that each that is named is tried.
macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Safeguards that a model can leave out.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[cfg_attr(
            not(all(loom, test)),
            allow(dead_code, reason = "some are asked for by models only")
        )]
        pub(crate) enum Mutant {
            $($(#[$doc])* $name,)*
        }

        /// All of them.
        #[cfg(all(loom, test))]
        pub(crate) const ALL: &[Mutant] = &[$(Mutant::$name,)*];
    };
}

mutants! {
    /// No fence between an owner's charge and its look at the limit.
    NoLightFence,
    /// No fence between a recaller's freeze and its look at the accounts.
    NoHeavyFence,
    /// An owner's words are stored Relaxed.
    RelaxedWords,
    /// A recaller reads `freed` before `avail`.
    FreedFirst,
    /// A charge that waits for the lock is not published.
    NoPending,
    /// A charge is rolled back before the lock is taken.
    EarlyRollback,
    /// A frozen slot stays frozen for ever.
    NoThaw,
    /// A slot thaws although a charge that it interrupted is not covered.
    ThawInDebt,
    /// A slot thaws before what was taken from it is booked.
    ThawUnbooked,
    /// An owner is waited for although a signal handler of its own waits for us.
    HandlerUnseen,
    /// `avail` is read before `pending`.
    AvailBeforePending,
    /// Credit is taken although the heavy fence failed.
    TakeUnfenced,
    /// No real fence on the owner's side where there is no heavy one.
    NoRealFence,
    /// A charge is taken back by raising `avail`, outside the lock.
    UnchargeAvail,
    /// Entering a cluster does not set the root slot's credit aside.
    NoParking,
    /// Entering a cluster says so before the credit is where recallers then look.
    ParkLate,
    /// No fence between `frozen` and `limit` in a freeze.
    NoLocalFence,
    /// A thread's end forgets what its slot holds.
    ExitUnfolded,
    /// A recall looks for credit in the requester's own cluster only.
    OwnClusterOnly,
    /// A recaller reads a root slot's words before it reads which of them holds the credit.
    PlaceLate,
    /// A cluster's end does not freeze its slots before it counts.
    EndUnfrozen,
    /// A cluster's end leaves its slots' words as they are.
    EndUnwiped,
}

/// Whether this safeguard is to be left out: never, outside models.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn mutant(_: Mutant) -> bool {
    false
}

/// Whether this safeguard is to be left out.
#[cfg(loom)]
pub(crate) fn mutant(which: Mutant) -> bool {
    static NAME: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let name = NAME.get_or_init(|| std::env::var("FAILFAST_MUTANT").ok());
    name.as_deref().is_some_and(|name| name == format!("{which:?}"))
}
