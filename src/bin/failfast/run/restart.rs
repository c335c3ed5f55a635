//! Whether a program is started again.
//!
//! Above the layers.  Plane: control.
//!
//! The decisions are the library's ([`Plan`]); here is what people write, and a clock.

use failfast_alloc::settings::duration;
use failfast_alloc::supervise::{
    Backoff, Class, Event, Finish, Intensity, Plan, Policy, Restart, Verdict,
};
use std::time::{Duration, Instant};

/// After which ends a program is started again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum On {
    /// If its surroundings ended it: the kernel's out-of-memory killer, somebody's signal, an
    /// allocator that was refused memory
    #[default]
    Environmental,
    /// After all but an exit with 0
    Failure,
    /// Whatever ended it, also an exit with 0
    Always,
    /// Never
    Never,
}

/// What comes after an end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Nothing was asked for, or somebody has asked for the end, or all was well.
    End,
    /// It is not started again, because of how it ended.
    NotFor(Class),
    /// It has been started again too often.
    GaveUp(Intensity),
    /// It is started again, for this time in all.
    After { pause: Duration, time: u32, of: Intensity },
}

/// Decides, and remembers.
#[derive(Debug)]
pub(super) struct Restarts {
    policy: Policy,
    plan: Plan,
    begin: Instant,
    times: u32,
}

/// `5/10s`.
pub(super) fn intensity(called: &str, text: &str) -> Result<Intensity, String> {
    let wrong = || {
        let text = text.escape_debug();
        format!("{called}: `{text}` is no such rate; expected 5/10s, five times in ten seconds")
    };
    let (most, within) = text.split_once('/').ok_or_else(wrong)?;
    let is_number = !most.is_empty() && most.bytes().all(|byte| byte.is_ascii_digit());
    let most = is_number.then(|| most.parse().ok()).flatten().filter(|most| *most > 0);
    let most = most.ok_or_else(wrong)?;
    let within = duration(called, within).map_err(|error| error.to_string())?;
    Ok(Intensity { most, within })
}

/// `100ms..10s`, or one duration.
pub(super) fn backoff(called: &str, text: &str) -> Result<Backoff, String> {
    let (first, cap) = text.split_once("..").unwrap_or((text, text));
    let read = |text| duration(called, text).map_err(|error| error.to_string());
    let (first, cap) = (read(first)?, read(cap)?);
    if first > cap {
        let text = text.escape_debug();
        return Err(format!("{called}: `{text}` falls; expected 100ms..10s"));
    }
    Ok(Backoff { first, factor: 2, cap })
}

impl Restarts {
    /// Without an intensity nothing is started again.
    pub(super) fn new(intensity: Option<Intensity>, on: On, backoff: Backoff) -> Self {
        let restart = match on {
            _ if intensity.is_none() => Restart::Never,
            On::Environmental => Restart::OnEnvironmental,
            On::Failure => Restart::OnFailure,
            On::Always => Restart::Always,
            On::Never => Restart::Never,
        };
        let intensity = intensity.unwrap_or_default();
        let policy = Policy { restart, intensity, backoff, ..Policy::default() };
        Self { policy, plan: Plan::new(1, policy), begin: Instant::now(), times: 0 }
    }

    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    /// The program is started now.
    pub(super) fn started(&mut self) {
        // That it is to be started is why we are here.
        let now = self.now().max(self.plan.wake().unwrap_or_default());
        let _ = self.plan.handle(Event::Tick, now);
    }

    /// What comes after this end.
    pub(super) fn next(&mut self, verdict: &Verdict) -> Next {
        let (class, now) = (verdict.class(), self.now());
        // With one child there is nobody else to be stopped.
        let _ = self.plan.handle(Event::Ended { child: 0, class }, now);
        let of = self.policy.intensity;
        match (self.plan.finish(), self.plan.wake()) {
            (Some(Finish::GaveUp { .. }), _) => Next::GaveUp(of),
            (None, Some(wake)) => {
                self.times += 1;
                Next::After { pause: wake.saturating_sub(now), time: self.times, of }
            }
            _ if self.policy.restart == Restart::Never || class == Class::Clean => Next::End,
            _ => Next::NotFor(class),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rates_are_read() {
        let five = Intensity { most: 5, within: 10 * SECOND };
        assert_eq!(intensity("--x", "5/10s"), Ok(five));
        for text in ["", "5", "/10s", "0/10s", "-1/10s", "+1/10s", "5/10", "5/0s", "5/", "a/b"] {
            let wrong = intensity("--x", text).unwrap_err();
            assert!(wrong.starts_with("--x: ") && wrong.contains("; expected "), "{wrong}");
        }
    }

    #[test]
    fn pauses_are_read() {
        let doubling = Backoff { first: SECOND, factor: 2, cap: 3 * SECOND };
        assert_eq!(backoff("--x", "1s..3s"), Ok(doubling));
        let same = backoff("--x", "2s").unwrap();
        assert_eq!((same.delay(0), same.delay(9)), (2 * SECOND, 2 * SECOND));
        for text in ["", "3s..1s", "1s..", "..1s", "1..2"] {
            assert!(backoff("--x", text).is_err(), "{text}");
        }
    }
}
