//! Single values: from text, and from code.
//!
//! Layer 3.  Plane: data.
//!
//! Words are read in any case, as units are. A file called `NONE` can be given as `./NONE`.

use core::time::Duration;

use super::choice::{AbortMode, Limit, Mode};
use super::line::Fault;
use crate::bytes::{self, SIZE_MAX, Wrong};

/// The least stack the C library starts a thread with (`PTHREAD_STACK_MIN`): with a smaller
/// budget no thread would get as far as its first line.
pub(super) const STACK_MIN: usize = 16 << 10;
/// No machine waits longer for a hook. It keeps deadlines far from where clocks overflow.
pub(super) const TIME_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

const ZERO: Fault = Fault::new("is zero");
const TOO_LARGE: Fault = Fault::new("is too large");
const OVER_ALL: Fault = Fault::new("is not from 1% to 100%");
const SMALL_STACK: Fault = Fault::new("is less than any thread can start with");
const NO_PERCENT: Fault = Fault::new("has no meaning for a stack");
const NO_AUTO: Fault = Fault::new("has no meaning for a cluster");

fn fault(wrong: Wrong, malformed: &'static str) -> Fault {
    match wrong {
        Wrong::Empty => Fault::new("is empty"),
        Wrong::Malformed => Fault::new(malformed),
        Wrong::Zero => ZERO,
        Wrong::TooLarge => TOO_LARGE,
    }
}

/// A budget: a size, a percentage or a word.
pub(super) fn limit(text: &[u8]) -> Result<Limit, Fault> {
    if text.eq_ignore_ascii_case(b"unlimited") {
        return Ok(Limit::Unlimited);
    }
    if text.eq_ignore_ascii_case(b"auto") {
        return Ok(Limit::Auto);
    }
    if text.ends_with(b"%") {
        return bytes::percent(text).map(Limit::Percent).map_err(|wrong| match wrong {
            Wrong::TooLarge => OVER_ALL,
            wrong => fault(wrong, "is not a percentage"),
        });
    }
    size(text).map(Limit::Bytes)
}

/// A budget of a cluster: as [`limit`], without `auto`.
pub(super) fn cluster_limit(text: &[u8]) -> Result<Limit, Fault> {
    limit(text).and_then(check_cluster_limit)
}

/// A budget of a stack: as [`limit`], without `auto` and percentages.
pub(super) fn stack_limit(text: &[u8]) -> Result<Limit, Fault> {
    limit(text).and_then(check_stack_limit)
}

pub(super) fn size(text: &[u8]) -> Result<usize, Fault> {
    bytes::size(text).map_err(|wrong| fault(wrong, "is not a size"))
}

pub(super) fn time(text: &[u8]) -> Result<Duration, Fault> {
    bytes::duration(text)
        .map_err(|wrong| fault(wrong, "is not a duration with its unit"))
        .and_then(check_time)
}

pub(super) fn abort_mode(text: &[u8]) -> Result<AbortMode, Fault> {
    word(text, &[(b"chain", AbortMode::Chain), (b"plain", AbortMode::Plain)], "is no such word")
}

pub(super) fn mode(text: &[u8]) -> Result<Mode, Fault> {
    word(text, &[(b"enforce", Mode::Enforce), (b"observe", Mode::Observe)], "is not a mode")
}

fn word<T: Copy>(text: &[u8], words: &[(&[u8], T)], other: &'static str) -> Result<T, Fault> {
    if text.is_empty() {
        return Err(fault(Wrong::Empty, other));
    }
    let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    known.map(|(_, value)| *value).ok_or(Fault::new(other))
}

/// What code gave as a budget.
pub(super) fn check_limit(limit: Limit) -> Result<Limit, Fault> {
    match limit {
        Limit::Bytes(bytes) => check_size(bytes).map(Limit::Bytes),
        Limit::Percent(0) => Err(ZERO),
        Limit::Percent(101..) => Err(OVER_ALL),
        limit => Ok(limit),
    }
}

pub(super) fn check_cluster_limit(limit: Limit) -> Result<Limit, Fault> {
    match limit {
        Limit::Auto => Err(NO_AUTO),
        limit => check_limit(limit),
    }
}

pub(super) fn check_stack_limit(limit: Limit) -> Result<Limit, Fault> {
    match check_limit(limit)? {
        Limit::Auto | Limit::Percent(_) => Err(NO_PERCENT),
        Limit::Bytes(bytes) if bytes < STACK_MIN => Err(SMALL_STACK),
        limit => Ok(limit),
    }
}

pub(super) fn check_size(bytes: usize) -> Result<usize, Fault> {
    match bytes {
        0 => Err(ZERO),
        bytes if bytes > SIZE_MAX => Err(TOO_LARGE),
        bytes => Ok(bytes),
    }
}

pub(super) fn check_time(time: Duration) -> Result<Duration, Fault> {
    match time {
        Duration::ZERO => Err(ZERO),
        time if time > TIME_MAX => Err(TOO_LARGE),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        for (text, limit_expected) in [
            ("unlimited", Limit::Unlimited),
            ("UNLIMITED", Limit::Unlimited),
            ("Auto", Limit::Auto),
            ("75%", Limit::Percent(75)),
            ("64MiB", Limit::mib(64)),
            ("67108864", Limit::mib(64)),
        ] {
            assert_eq!(limit(text.as_bytes()), Ok(limit_expected), "{text}");
        }
        for (text, what) in [
            ("", "is empty"),
            ("12Q", "is not a size"),
            ("none", "is not a size"),
            ("0", "is zero"),
            ("0%", "is zero"),
            ("101%", "is not from 1% to 100%"),
            ("x%", "is not a percentage"),
            ("%", "is not a percentage"),
            ("8EiB", "is not a size"),
            ("99999999T", "is too large"),
        ] {
            assert_eq!(limit(text.as_bytes()).unwrap_err().what, what, "{text}");
        }
    }

    #[test]
    fn limits_in_code() {
        for limit in [Limit::Unlimited, Limit::Auto, Limit::bytes(1), Limit::percent(100)] {
            assert_eq!(check_limit(limit), Ok(limit));
        }
        for (limit, fault) in [
            (Limit::bytes(0), ZERO),
            (Limit::percent(0), ZERO),
            (Limit::percent(101), OVER_ALL),
            (Limit::percent(255), OVER_ALL),
            (Limit::bytes(SIZE_MAX + 1), TOO_LARGE),
            (Limit::kib(usize::MAX), TOO_LARGE),
            (Limit::mib(usize::MAX >> 19), TOO_LARGE),
            (Limit::gib(usize::MAX), TOO_LARGE),
        ] {
            assert_eq!(check_limit(limit), Err(fault), "{limit:?}");
        }
    }

    #[test]
    fn stacks_have_sizes_that_start_a_thread() {
        assert_eq!(stack_limit(b"1MiB"), Ok(Limit::mib(1)));
        assert_eq!(stack_limit(b"16KiB"), Ok(Limit::kib(16)));
        assert_eq!(stack_limit(b"unlimited"), Ok(Limit::Unlimited));
        assert_eq!(stack_limit(b"16383"), Err(SMALL_STACK));
        assert_eq!(stack_limit(b"10%"), Err(NO_PERCENT));
        assert_eq!(stack_limit(b"auto"), Err(NO_PERCENT));
        assert_eq!(stack_limit(b"0%"), Err(ZERO));
    }

    #[test]
    fn times_end() {
        assert_eq!(time(b"8760h"), Ok(TIME_MAX));
        assert_eq!(time(b"8761h"), Err(TOO_LARGE));
        assert_eq!(time(b"5").unwrap_err().what, "is not a duration with its unit");
        assert_eq!(check_time(Duration::MAX), Err(TOO_LARGE));
        assert_eq!(check_time(Duration::ZERO), Err(ZERO));
    }

    #[test]
    fn words() {
        assert_eq!(mode(b"Observe"), Ok(Mode::Observe));
        assert_eq!(abort_mode(b"plain"), Ok(AbortMode::Plain));
        assert_eq!(mode(b"obs").unwrap_err().what, "is not a mode");
        assert_eq!(mode(b"").unwrap_err().what, "is empty");
        assert_eq!(abort_mode(b"Chain "), Err(Fault::new("is no such word")));
    }
}
