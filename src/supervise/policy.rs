//! What a supervisor goes by: which ends it answers with another start, when, and how often.
//!
//! Layer 8.  Plane: control.
//!
//! [`Plan`](super::Plan) follows it.

use std::time::Duration;

use super::verdict::Class;

/// Which deaths are answered by another start.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Restart {
    /// None.
    Never,
    /// Those that the program's surroundings have caused: what it did to itself it would do again.
    #[default]
    OnEnvironmental,
    /// All but an exit with 0.
    OnFailure,
    /// Every end.
    Always,
}

impl Restart {
    /// Whether an end of this class is.
    pub(super) const fn answers(self, class: Class) -> bool {
        match self {
            Self::Never => false,
            Self::OnEnvironmental => matches!(class, Class::Environmental),
            Self::OnFailure => !matches!(class, Class::Clean),
            Self::Always => true,
        }
    }
}

/// Whom the death of one child concerns.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Strategy {
    /// That child alone.
    #[default]
    OneForOne,
    /// All: they are stopped and started together. If one has failed and is not started again, the
    /// others are stopped for good.
    OneForAll,
}

/// How many restarts in how long are too many. Erlang's word.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Intensity {
    /// So many restarts are allowed...
    pub most: u32,
    /// ... within any time of this length; one more, and the supervisor gives up.
    pub within: Duration,
}

/// Five in ten seconds.
impl Default for Intensity {
    fn default() -> Self {
        Self { most: 5, within: Duration::from_secs(10) }
    }
}

/// How long to wait before a restart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Backoff {
    /// Before the first.
    pub first: Duration,
    /// Each further one waits so many times as long as the one before; 1 for always the same.
    pub factor: u32,
    /// And never longer than this. A child that has run longer than this, and longer than
    /// [`Intensity::within`], begins anew.
    pub cap: Duration,
}

/// 100 ms, doubling, up to 10 s.
impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), factor: 2, cap: Duration::from_secs(10) }
    }
}

impl Backoff {
    /// Before the restart number `count`, from 0.
    ///
    /// ```
    /// use failfast_alloc::supervise::Backoff;
    /// use std::time::Duration;
    ///
    /// let backoff = Backoff::default();
    /// assert_eq!(backoff.delay(0), Duration::from_millis(100));
    /// assert_eq!(backoff.delay(3), Duration::from_millis(800));
    /// assert_eq!(backoff.delay(1_000), Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn delay(&self, count: u32) -> Duration {
        let factor = self.factor.max(1).checked_pow(count);
        let delay = factor.and_then(|factor| self.first.checked_mul(factor));
        delay.unwrap_or(self.cap).min(self.cap)
    }
}

/// All that a supervisor goes by.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Policy {
    /// Which deaths are answered by another start.
    pub restart: Restart,
    /// Whom the death of one child concerns.
    pub strategy: Strategy,
    /// How many restarts are too many, of all children together.
    pub intensity: Intensity,
    /// How long to wait before a restart.
    pub backoff: Backoff,
    /// How long a child that was asked to end (SIGTERM) may take, before it is killed.
    pub grace: Duration,
}

/// Restarts on environmental deaths, one for one, five in ten seconds, and five seconds of grace.
impl Default for Policy {
    fn default() -> Self {
        Self {
            restart: Restart::default(),
            strategy: Strategy::default(),
            intensity: Intensity::default(),
            backoff: Backoff::default(),
            grace: Duration::from_secs(5),
        }
    }
}
