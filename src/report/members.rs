//! JSON, member by member, to a writer that cannot go back.
//!
//! Layer 2.  Plane: data.
//!
//! Serializers that build a value first need a heap; this needs the caller's stack alone.

use super::text::is_unruly;
use core::fmt::{self, Write};

/// An object that is being written.
pub(super) struct Object<'a> {
    out: &'a mut dyn Write,
    separator: &'static str,
}

impl<'a> Object<'a> {
    pub(super) fn open(out: &'a mut dyn Write) -> Result<Self, fmt::Error> {
        Ok(Self { out, separator: "{" })
    }

    /// Writes a member's key, and returns where its value goes.
    pub(super) fn key(&mut self, key: &str) -> Result<&mut dyn Write, fmt::Error> {
        write!(self.out, "{}\"{key}\":", self.separator)?;
        self.separator = ",";
        Ok(self.out)
    }

    pub(super) fn number(&mut self, key: &str, value: u64) -> fmt::Result {
        write!(self.key(key)?, "{value}")
    }

    pub(super) fn number_or_null(&mut self, key: &str, value: Option<u64>) -> fmt::Result {
        match value {
            Some(value) => self.number(key, value),
            None => self.key(key)?.write_str("null"),
        }
    }

    /// An address is a string, since many readers of JSON round large numbers.
    pub(super) fn address(&mut self, key: &str, value: usize) -> fmt::Result {
        write!(self.key(key)?, "\"{value:#x}\"")
    }

    pub(super) fn string(&mut self, key: &str, value: &str) -> fmt::Result {
        write_string(value, self.key(key)?)
    }

    pub(super) fn string_or_null(&mut self, key: &str, value: Option<&str>) -> fmt::Result {
        match value {
            Some(value) => self.string(key, value),
            None => self.key(key)?.write_str("null"),
        }
    }

    /// Leaves room after the member that was written last.
    pub(super) fn blanks(&mut self, count: usize) -> fmt::Result {
        (0..count).try_for_each(|_| self.out.write_char(' '))
    }

    /// Every object here has members, so the opening brace has gone out with the first.
    pub(super) fn close(self) -> fmt::Result {
        self.out.write_char('}')
    }
}

/// Writes an array.
pub(super) fn write_array<T>(
    out: &mut dyn Write,
    items: impl Iterator<Item = T>,
    write_item: impl Fn(T, &mut dyn Write) -> fmt::Result,
) -> fmt::Result {
    out.write_char('[')?;
    for (n, item) in items.enumerate() {
        if n > 0 {
            out.write_char(',')?;
        }
        write_item(item, out)?;
    }
    out.write_char(']')
}

/// Writes a string with everything escaped that JSON, or the line it stands on, cannot bear.
fn write_string(text: &str, out: &mut dyn Write) -> fmt::Result {
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            // None of them is above U+FFFF, so four digits are enough.
            c if is_unruly(c) => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}
