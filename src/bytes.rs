//! Sizes, percentages and durations as people write them.
//!
//! Layer 0.  Plane: data.
//!
//! The environment is read inside the first allocation, so these parsers work on bytes, allocate
//! nothing and cannot panic. They are strict: what they do not know they refuse, for a limit that
//! is misread is worse than none.
//!
//! A number is decimal digits, with a fraction (`1.5`) if a unit follows; digits stand on both
//! sides of the point. No sign, no exponent, no separators, and no whitespace anywhere: a value
//! with a space at its end comes from a broken manifest. Units are read in any case. The result is
//! exact and rounded down, to a whole byte or nanosecond: never more than was asked for. A result
//! of zero is refused, because nobody who sets a limit means none by it.
//!
//! | sizes | is | durations | is |
//! | --- | --- | --- | --- |
//! | nothing, `B` | bytes | `us` | microseconds |
//! | `K M G T`, `Ki Mi Gi Ti`, `KiB MiB GiB TiB` | powers of 1024 | `ms` | milliseconds |
//! | `KB MB GB TB` | powers of 1000 | `s`, `m`, `h` | seconds, minutes, hours |

use core::time::Duration;

/// Why a text is not a size, a percentage or a duration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wrong {
    /// There is no text.
    Empty,
    /// It is something else.
    Malformed,
    /// It is zero, or rounds down to it.
    Zero,
    /// It is more than can be meant.
    TooLarge,
}

/// The most bytes a size can say: a `Layout`, and so a heap, has no more.
pub(crate) const SIZE_MAX: usize = isize::MAX as usize;

const SIZE_UNITS: [(&[u8], u64); 18] = [
    (b"", 1),
    (b"b", 1),
    (b"k", 1 << 10),
    (b"m", 1 << 20),
    (b"g", 1 << 30),
    (b"t", 1 << 40),
    (b"ki", 1 << 10),
    (b"mi", 1 << 20),
    (b"gi", 1 << 30),
    (b"ti", 1 << 40),
    (b"kib", 1 << 10),
    (b"mib", 1 << 20),
    (b"gib", 1 << 30),
    (b"tib", 1 << 40),
    (b"kb", 1_000),
    (b"mb", 1_000_000),
    (b"gb", 1_000_000_000),
    (b"tb", 1_000_000_000_000),
];

/// In nanoseconds.
const DURATION_UNITS: [(&[u8], u64); 5] = [
    (b"us", 1_000),
    (b"ms", 1_000_000),
    (b"s", 1_000_000_000),
    (b"m", 60 * 1_000_000_000),
    (b"h", 3_600 * 1_000_000_000),
];

/// The bytes that `text` says: 1 to [`SIZE_MAX`].
pub(crate) fn size(text: &[u8]) -> Result<usize, Wrong> {
    let number = Number::split(text)?;
    let unit = unit_of(number.unit, &SIZE_UNITS).ok_or(Wrong::Malformed)?;
    if number.unit.is_empty() && !number.fraction.is_empty() {
        return Err(Wrong::Malformed);
    }
    let bytes = number.times(unit)?;
    match usize::try_from(bytes) {
        Ok(0) => Err(Wrong::Zero),
        Ok(bytes) if bytes <= SIZE_MAX => Ok(bytes),
        _ => Err(Wrong::TooLarge),
    }
}

/// The hundredths that `text`, `1%` to `100%`, says. There are no fractions of a percent.
pub(crate) fn percent(text: &[u8]) -> Result<u8, Wrong> {
    let number = Number::split(text)?;
    if number.unit != b"%" || !number.fraction.is_empty() {
        return Err(Wrong::Malformed);
    }
    match u8::try_from(number.times(1)?) {
        Ok(0) => Err(Wrong::Zero),
        Ok(percent) if percent <= 100 => Ok(percent),
        _ => Err(Wrong::TooLarge),
    }
}

/// The time that `text` says; it must have a unit.
pub(crate) fn duration(text: &[u8]) -> Result<Duration, Wrong> {
    let number = Number::split(text)?;
    let unit = unit_of(number.unit, &DURATION_UNITS).ok_or(Wrong::Malformed)?;
    match number.times(unit)? {
        0 => Err(Wrong::Zero),
        nanoseconds => Ok(Duration::from_nanos(nanoseconds)),
    }
}

fn unit_of(name: &[u8], units: &[(&[u8], u64)]) -> Option<u64> {
    units.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, unit)| *unit)
}

/// A text, taken apart: digits, digits after the point, and what follows them.
struct Number<'a> {
    whole: &'a [u8],
    fraction: &'a [u8],
    unit: &'a [u8],
}

impl<'a> Number<'a> {
    fn split(text: &'a [u8]) -> Result<Self, Wrong> {
        if text.is_empty() {
            return Err(Wrong::Empty);
        }
        let (whole, rest) = split_digits(text);
        let (fraction, unit) = match rest {
            [b'.', rest @ ..] => split_digits(rest),
            rest => (&[][..], rest),
        };
        let bare_point = fraction.is_empty() && rest.len() != unit.len();
        if whole.is_empty() || bare_point {
            return Err(Wrong::Malformed);
        }
        Ok(Self { whole, fraction, unit })
    }

    /// This number of `unit`s, rounded down. Exact for any number of digits.
    fn times(&self, unit: u64) -> Result<u64, Wrong> {
        let whole = self.whole.iter().try_fold(0_u64, |number, digit| {
            number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        // From the last digit to the first, each step dividing by ten what it has. Rounding down
        // at every step is the same as rounding down once, since floor((a + x) / 10) is
        // floor((a + floor(x)) / 10) for a whole `a`. No step exceeds ten units, which fit.
        let part = self
            .fraction
            .iter()
            .rev()
            .fold(0_u64, |part, digit| (unit * u64::from(digit - b'0') + part) / 10);
        whole
            .and_then(|whole| whole.checked_mul(unit))
            .and_then(|whole| whole.checked_add(part))
            .ok_or(Wrong::TooLarge)
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at_checked(len).unwrap_or((text, &[]))
}

#[cfg(test)]
mod tests;
