//! Whether a program is started again.
//!
//! Above the layers.  Plane: control.
//!
//! Erlang's rule: so many restarts in so long, then give up, for what has not helped five times in
//! ten seconds will not help the sixth time. What the program did to itself it would do again.

use failfast_alloc::settings::duration;
use failfast_alloc::supervise::{Class, Verdict};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// After which ends a program is started again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum On {
    /// If its surroundings ended it: the kernel's out-of-memory killer, somebody's signal, an
    /// allocator that was refused memory
    #[default]
    Environmental,
    /// Whatever ended it, also an exit with 0
    Always,
    /// Never
    Never,
}

/// So many restarts in so long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Intensity {
    pub(super) times: usize,
    pub(super) period: Duration,
}

/// How long to wait before a restart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
}

/// What comes after an end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Nothing was asked for, or somebody has asked for the end.
    End,
    /// It is not started again, because of how it ended.
    NotFor(Class),
    /// It has been started again too often.
    GaveUp(Intensity),
    /// It is started again, for this time within the period.
    After { pause: Duration, time: usize, of: Intensity },
}

/// Decides, and remembers.
#[derive(Debug)]
pub(super) struct Restarts {
    intensity: Option<Intensity>,
    on: On,
    backoff: Backoff,
    /// When it was started again, within the period.
    recent: VecDeque<Instant>,
}

impl Intensity {
    /// `5/10s`.
    pub(super) fn parse(called: &str, text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{called}: `{}` is no such rate; expected 5/10s, five times in ten seconds",
                text.escape_debug()
            )
        };
        let (times, period) = text.split_once('/').ok_or_else(wrong)?;
        let is_number = !times.is_empty() && times.bytes().all(|byte| byte.is_ascii_digit());
        let times = is_number.then(|| times.parse().ok()).flatten().filter(|it| *it > 0);
        let times = times.ok_or_else(wrong)?;
        let period = duration(called, period).map_err(|error| error.to_string())?;
        Ok(Self { times, period })
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { min: Duration::from_millis(100), max: Duration::from_secs(10) }
    }
}

impl Backoff {
    /// `100ms..10s`, or one duration.
    pub(super) fn parse(called: &str, text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once("..").unwrap_or((text, text));
        let read = |text| duration(called, text).map_err(|error| error.to_string());
        let (min, max) = (read(min)?, read(max)?);
        if min > max {
            let text = text.escape_debug();
            return Err(format!("{called}: `{text}` falls; expected 100ms..10s"));
        }
        Ok(Self { min, max })
    }

    /// Twice as long each time.
    fn pause(self, restarts: usize) -> Duration {
        let factor = u32::try_from(restarts).ok().and_then(|it| 2_u32.checked_pow(it));
        factor.and_then(|it| self.min.checked_mul(it)).unwrap_or(self.max).min(self.max)
    }
}

impl Restarts {
    pub(super) fn new(intensity: Option<Intensity>, on: On, backoff: Backoff) -> Self {
        Self { intensity, on, backoff, recent: VecDeque::new() }
    }

    /// What comes after this end.
    pub(super) fn next(&mut self, verdict: &Verdict, now: Instant) -> Next {
        self.next_after(verdict.class(), now)
    }

    fn next_after(&mut self, class: Class, now: Instant) -> Next {
        let Some(of) = self.intensity else { return Next::End };
        let is_meant = match self.on {
            On::Never => return Next::End,
            On::Always => true,
            On::Environmental => class == Class::Environmental,
        };
        if !is_meant {
            return if class == Class::Clean { Next::End } else { Next::NotFor(class) };
        }
        let is_old = |then: &Instant| now.saturating_duration_since(*then) >= of.period;
        while self.recent.front().is_some_and(is_old) {
            self.recent.pop_front();
        }
        if self.recent.len() >= of.times {
            return Next::GaveUp(of);
        }
        let pause = self.backoff.pause(self.recent.len());
        self.recent.push_back(now);
        Next::After { pause, time: self.recent.len(), of }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn restarts(on: On) -> Restarts {
        let intensity = Intensity { times: 3, period: 10 * SECOND };
        Restarts::new(Some(intensity), on, Backoff { min: SECOND, max: 3 * SECOND })
    }

    #[test]
    fn rates_are_read() {
        let five = Intensity { times: 5, period: 10 * SECOND };
        assert_eq!(Intensity::parse("--x", "5/10s"), Ok(five));
        for text in ["", "5", "/10s", "0/10s", "-1/10s", "+1/10s", "5/10", "5/0s", "5/", "a/b"] {
            let wrong = Intensity::parse("--x", text).unwrap_err();
            assert!(wrong.starts_with("--x: ") && wrong.contains("; expected "), "{wrong}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_most() {
        let backoff = Backoff::parse("--x", "1s..3s").unwrap();
        let pauses = [0, 1, 2, 3, 31, 32, usize::MAX].map(|restarts| backoff.pause(restarts));
        assert_eq!(pauses, [1, 2, 3, 3, 3, 3, 3].map(|seconds| seconds * SECOND));
        assert_eq!(Backoff::parse("--x", "2s").unwrap().pause(9), 2 * SECOND);
        assert!(Backoff::parse("--x", "3s..1s").is_err());
        assert!(Backoff::parse("--x", "1s..").is_err());
    }

    #[test]
    fn so_many_in_so_long_and_no_more() {
        let (mut restarts, start) = (restarts(On::Environmental), Instant::now());
        let mut next = |after: u32| {
            let next = restarts.next_after(Class::Environmental, start + after * SECOND);
            match next {
                Next::After { pause, time, .. } => Some((pause.as_secs(), time)),
                next => {
                    assert!(matches!(next, Next::GaveUp(_)));
                    None
                }
            }
        };
        assert_eq!(next(0), Some((1, 1)));
        assert_eq!(next(1), Some((2, 2)));
        assert_eq!(next(9), Some((3, 3)));
        assert_eq!(next(9), None);
        assert_eq!(next(10), Some((3, 3)), "the first is ten seconds old");
        assert_eq!(next(10), None);
        assert_eq!(next(100), Some((1, 1)), "all of them are");
    }

    #[test]
    fn what_it_did_to_itself_is_not_tried_again() {
        let now = Instant::now();
        for (on, class, again) in [
            (On::Environmental, Class::Environmental, true),
            (On::Environmental, Class::SelfInflicted, false),
            (On::Environmental, Class::Unknown, false),
            (On::Environmental, Class::Clean, false),
            (On::Always, Class::SelfInflicted, true),
            (On::Always, Class::Clean, true),
            (On::Never, Class::Environmental, false),
        ] {
            let next = restarts(on).next_after(class, now);
            assert_eq!(matches!(next, Next::After { .. }), again, "{on:?} {class:?}");
        }
        let mut none = Restarts::new(None, On::Always, Backoff::default());
        assert_eq!(none.next_after(Class::Environmental, now), Next::End);
    }
}
