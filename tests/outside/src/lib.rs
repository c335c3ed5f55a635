//! What the programs and the tests of this package share.

use std::time::Duration;

/// How long a test waits for what must happen, on a machine that is busy with others.
pub const LONG: Duration = Duration::from_secs(60);

/// Reads a number from the environment: how often a test is repeated.
#[must_use]
pub fn times(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| match text.parse() {
        Ok(number) => number,
        Err(error) => panic!("{name}: `{text}`: {error}"),
    })
}
