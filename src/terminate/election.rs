//! Exactly one thread gets to end the process.
//!
//! Layer 4.  Plane: failure.
//!
//! | `winner` | means | next |
//! |---|---|---|
//! | 0 | nobody has failed | the number of the first thread that does |
//! | a thread's number | that thread is ending the process | for ever |
//!
//! A value, not a static: it lives in the page that a forked child sees as zeroes, and in models.

use crate::sync::{AtomicU32, Ordering::Relaxed};

/// The election.
pub(crate) struct Election {
    winner: AtomicU32,
}

/// What the election says to a thread that has failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub(crate) enum Standing {
    /// It is the one.
    Elected,
    /// It has been the one for some time: ending the process has failed in its turn.
    Nested,
    /// Another thread is.
    Lost,
}

impl Election {
    /// Nobody has failed. All zero.
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { winner: AtomicU32::new(0) }
    }

    /// Nobody has failed.
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self { winner: AtomicU32::new(0) }
    }

    /// The thread with the number `thread`, which is not zero, has failed.
    pub(crate) fn stand(&self, thread: u32) -> Standing {
        match self.claim(thread) {
            Ok(_) => Standing::Elected,
            Err(winner) if winner == thread && !mutant("NestedIsLost") => Standing::Nested,
            Err(_) if mutant("LoserGoesOn") => Standing::Elected,
            Err(_) => Standing::Lost,
        }
    }

    /// Who is ending the process.
    #[cfg(not(loom))]
    pub(crate) fn winner(&self) -> Option<u32> {
        // ORDER: Relaxed. Who asks compares with its own number, which it alone can have stored;
        // or wants to know whether anybody was elected before, and reads nothing else.
        Some(self.winner.load(Relaxed)).filter(|&winner| winner != 0)
    }

    fn claim(&self, thread: u32) -> Result<u32, u32> {
        if mutant("LookThenClaim") {
            // ORDER: Relaxed, both. A mutant.
            let now = self.winner.load(Relaxed);
            if now == 0 {
                self.winner.store(thread, Relaxed);
            }
            return if now == 0 { Ok(0) } else { Err(now) };
        }
        // ORDER: Relaxed, both. The claim is the whole message: the word's modification order
        // gives one winner, and a loser reads nothing that the winner wrote.
        self.winner.compare_exchange(0, thread, Relaxed, Relaxed)
    }
}

/// Whether this safeguard is to be left out: never, outside models.
#[cfg(not(loom))]
#[inline(always)]
pub(super) const fn mutant(_: &str) -> bool {
    false
}

/// Whether this safeguard is to be left out, to see that a model notices.
#[cfg(loom)]
pub(super) fn mutant(which: &str) -> bool {
    static NAME: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let name = NAME.get_or_init(|| std::env::var("FAILFAST_MUTANT").ok());
    name.as_deref() == Some(which)
}
