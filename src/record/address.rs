//! How a child finds its record.
//!
//! Layer 2.  Plane: failure.
//!
//! `FAILFAST_RECORD=descriptor:inode:nonce`, the nonce in 16 hexadecimal digits. Variables and
//! descriptors reach every descendant, so none of it is believed before all of it, and the
//! process's number on the page, match.

use core::fmt;

/// What the variable says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    /// The descriptor of the page's file.
    pub(crate) fd: i32,
    /// That file's inode.
    pub(crate) ino: u64,
    /// The number that stands on the page.
    pub(crate) nonce: u64,
}

impl Address {
    /// The address that `text` is.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text.split(|byte| *byte == b':');
        let fd = i32::try_from(decimal(parts.next()?)?).ok()?;
        let ino = decimal(parts.next()?)?;
        let nonce = hexadecimal(parts.next()?)?;
        parts.next().is_none().then_some(Self { fd, ino, nonce })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{:016x}", self.fd, self.ino, self.nonce)
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.len() != 16 {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = (*digit as char).to_digit(16)?;
        Some(number << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for address in [
            Address { fd: 0, ino: 0, nonce: 0 },
            Address { fd: i32::MAX, ino: u64::MAX, nonce: u64::MAX },
            Address { fd: 7, ino: 1_234, nonce: 0xfeed },
        ] {
            assert_eq!(Address::parse(address.to_string().as_bytes()), Some(address));
        }
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "",
            ":",
            "7",
            "7:1",
            "7:1:",
            "7:1:0",
            "7:1:00000000000000000",
            "7:1:000000000000000g",
            "-1:1:0000000000000000",
            "+7:1:0000000000000000",
            "2147483648:1:0000000000000000",
            "7:18446744073709551616:0000000000000000",
            "7:1:0000000000000000:",
            " 7:1:0000000000000000",
        ] {
            assert_eq!(Address::parse(text.as_bytes()), None, "{text}");
        }
    }
}
