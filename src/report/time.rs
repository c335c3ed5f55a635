//! A moment, as RFC 3339 writes it.
//!
//! Layer 2.  Plane: data.
//!
//! The C library's conversions read the environment and take locks, so the calendar is worked out
//! here: in UTC, by the Gregorian rules, without leap seconds, as Unix time counts.

use core::fmt;

/// A moment since 1970, as the kernel's real-time clock gives it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub(crate) seconds: u64,
    /// And nanoseconds.
    pub(crate) nanoseconds: u32,
}

/// The last second that has a four-digit year.
const SECONDS_MAX: u64 = 253_402_300_799;

/// `2026-11-23T13:17:00.042Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds.min(SECONDS_MAX);
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        let millisecond = (self.nanoseconds / 1_000_000).min(999);
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        write!(f, "{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
    }
}

/// Days in so many years, without the leap day that would end them, except for 400 and 4 years,
/// which always have theirs.
const DAYS_400: u64 = 146_097;
const DAYS_100: u64 = 36_524;
const DAYS_4: u64 = 1_461;
const DAYS_1: u64 = 365;

/// Year, month and day of the day that is `days` after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March here: then a leap day is the last day of its year, of its four and its
    // four hundred years, and months have the same lengths in every year.
    let since_march_0 = days.saturating_add(719_468);
    let rest = since_march_0 % DAYS_400;
    // The last day of 400 years would begin a fifth century; likewise below a fifth year.
    let centuries = (rest / DAYS_100).min(3);
    let rest = rest.saturating_sub(centuries.saturating_mul(DAYS_100));
    let fours = rest / DAYS_4;
    let rest = rest % DAYS_4;
    let ones = (rest / DAYS_1).min(3);
    let day_of_year = rest.saturating_sub(ones.saturating_mul(DAYS_1));
    let year = [(since_march_0 / DAYS_400, 400), (centuries, 100), (fours, 4), (ones, 1)]
        .iter()
        .fold(0_u64, |sum, (count, years)| sum.saturating_add(count.saturating_mul(*years)));
    // From March on, five months have 153 days, again and again.
    let month_from_march = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    let before_month = month_from_march.saturating_mul(153).saturating_add(2) / 5;
    let day = day_of_year.saturating_sub(before_month).saturating_add(1);
    match month_from_march {
        0..=9 => (year, month_from_march.saturating_add(3), day),
        _ => (year.saturating_add(1), month_from_march.saturating_sub(9), day),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, nanoseconds: u32) -> String {
        Timestamp { seconds, nanoseconds }.to_string()
    }

    #[test]
    fn known_moments() {
        // The right-hand sides are from `date --utc --date=@N`.
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_709_251_199, 999_999_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(at(1_763_903_825, 42_000_000), "2025-11-23T13:17:05.042Z");
        assert_eq!(at(4_107_542_399, 0), "2100-02-28T23:59:59.000Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        assert_eq!(at(SECONDS_MAX, 999_999_999), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_no_clock_shows_is_still_a_date() {
        assert_eq!(at(u64::MAX, u32::MAX), "9999-12-31T23:59:59.999Z");
    }

    /// Every day of the calendar, one after the other, against the rule of leap years itself.
    #[test]
    fn every_day_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..=SECONDS_MAX / 86_400 {
            assert_eq!(date(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                _ if day == length => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }
}
