//! Sizes, percentages and durations, against exact arithmetic on numbers of any length.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use failfast_alloc::fuzzing;
use libfuzzer_sys::fuzz_target;
use num_bigint::BigUint;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Anything(&'a [u8]),
    /// Nearly a number: digits, digits, one of the units or something else.
    Number {
        whole: Digits,
        fraction: Option<Digits>,
        unit: Unit<'a>,
        tail: Option<u8>,
    },
}

#[derive(Arbitrary, Debug)]
struct Digits(Vec<u8>);

#[derive(Arbitrary, Debug)]
enum Unit<'a> {
    Known(u8, u8),
    Other(&'a [u8]),
}

const UNITS: [&str; 26] = [
    "", "B", "K", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "KiB", "MiB", "GiB", "TiB", "KB", "MB",
    "GB", "TB", "us", "ms", "s", "m", "h", "%", "iB", "PiB",
];

impl Input<'_> {
    fn text(&self) -> Vec<u8> {
        match self {
            Self::Anything(text) => text.to_vec(),
            Self::Number { whole, fraction, unit, tail } => {
                let mut text = whole.text();
                if let Some(fraction) = fraction {
                    text.push(b'.');
                    text.extend(fraction.text());
                }
                match unit {
                    Unit::Known(index, case) => {
                        let unit = UNITS[usize::from(*index) % UNITS.len()].bytes().enumerate();
                        text.extend(unit.map(|(at, byte)| match (case >> at) & 1 {
                            0 => byte.to_ascii_lowercase(),
                            _ => byte.to_ascii_uppercase(),
                        }));
                    }
                    Unit::Other(unit) => text.extend_from_slice(unit),
                }
                text.extend(tail);
                text
            }
        }
    }
}

impl Digits {
    fn text(&self) -> Vec<u8> {
        self.0.iter().map(|byte| b'0' + byte % 10).collect()
    }
}

/// Numerator, power of ten that divides it, unit; by the letter of the documentation.
fn parts(text: &[u8]) -> Option<(BigUint, u32, String, bool)> {
    let text = str::from_utf8(text).ok()?;
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(w, f)| (w, Some(f)));
    if whole.is_empty() || fraction.is_some_and(|f| f.is_empty() || f.contains('.')) {
        return None;
    }
    let digits = format!("{whole}{}", fraction.unwrap_or(""));
    let scale = fraction.unwrap_or("").len() as u32;
    Some((digits.parse().ok()?, scale, unit.to_lowercase(), fraction.is_some()))
}

fn bounded(text: &[u8], unit: impl Fn(&str) -> Option<u64>, max: u64) -> Result<u64, char> {
    if text.is_empty() {
        return Err('e');
    }
    let (number, scale, name, _) = parts(text).ok_or('m')?;
    let unit = unit(&name).ok_or('m')?;
    let result = number * unit / BigUint::from(10_u8).pow(scale);
    match u64::try_from(result) {
        Ok(0) => Err('0'),
        Ok(result) if result <= max => Ok(result),
        _ => Err('>'),
    }
}

fn size(text: &[u8]) -> Result<u64, char> {
    let fraction_of_nothing = parts(text).is_some_and(|(_, _, unit, f)| unit.is_empty() && f);
    if fraction_of_nothing {
        return Err('m');
    }
    let unit = |name: &str| {
        let power = |base: u64, letter: &str| {
            Some(base.pow(["k", "m", "g", "t"].iter().position(|l| *l == letter)? as u32 + 1))
        };
        match name {
            "" | "b" => Some(1),
            name if name.ends_with("ib") => power(1024, &name[..name.len() - 2]),
            name if name.ends_with('b') => power(1000, &name[..name.len() - 1]),
            name if name.ends_with('i') => power(1024, &name[..name.len() - 1]),
            name => power(1024, name),
        }
    };
    bounded(text, unit, i64::MAX as u64)
}

fn percent(text: &[u8]) -> Result<u64, char> {
    if parts(text).is_some_and(|(_, _, _, fraction)| fraction) {
        return Err('m');
    }
    bounded(text, |name| (name == "%").then_some(1), 100)
}

fn duration(text: &[u8]) -> Result<u64, char> {
    let unit = |name: &str| match name {
        "us" => Some(1_000),
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        "h" => Some(3_600_000_000_000),
        _ => None,
    };
    bounded(text, unit, u64::MAX)
}

fuzz_target!(|input: Input| {
    let text = input.text();
    assert_eq!(fuzzing::size(&text).map(|size| size as u64), size(&text), "size");
    assert_eq!(fuzzing::percent(&text).map(u64::from), percent(&text), "percent");
    let nanoseconds = duration(&text).map(Duration::from_nanos);
    assert_eq!(fuzzing::duration(&text), nanoseconds, "duration");
});
