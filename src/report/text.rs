//! Short texts inside a report, and how they are shown.
//!
//! Layer 2.  Plane: data.
//!
//! Names and messages come from outside: from the kernel, from a script, from an attacker. Here
//! they become valid UTF-8 of bounded length, and they cannot break the line they stand on.

use super::writer::FixedWriter;
use core::fmt::{self, Write as _};

/// A text of at most `N` bytes that lives where it stands. An empty one stands for none.
#[derive(Clone, Copy)]
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
    dropped: usize,
}

impl<const N: usize> Text<N> {
    /// No text.
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; N], len: 0, dropped: 0 }
    }

    /// The text `from`, cut between two characters if it is too long.
    pub(crate) fn of(from: &str) -> Self {
        let mut text = Self::new();
        text.set(from);
        text
    }

    /// Makes this the text `from`, cut between two characters if it is too long.
    pub(crate) fn set(&mut self, from: &str) {
        self.fill(|out| out.write_str(from));
    }

    /// As [`Self::set`], with a replacement character for whatever is not UTF-8.
    pub(crate) fn set_lossy(&mut self, from: &[u8]) {
        self.fill(|out| write_lossy(out, from));
    }

    /// As [`Self::set_lossy`], for the end of a longer text if `is_end`: an ellipsis goes before.
    pub(super) fn set_end(&mut self, from: &[u8], is_end: bool) {
        self.fill(|out| {
            if is_end {
                out.write_char(ELLIPSIS)?;
            }
            write_lossy(out, from)
        });
    }

    fn fill(&mut self, write: impl FnOnce(&mut FixedWriter<'_>) -> fmt::Result) {
        let mut out = FixedWriter::new(&mut self.bytes);
        // A `FixedWriter` cuts; it never fails.
        let _ = write(&mut out);
        self.dropped = out.dropped();
        self.len = out.as_bytes().len();
    }

    /// The text, or an empty one.
    pub(crate) fn as_str(&self) -> &str {
        let kept = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(kept).unwrap_or_default()
    }

    /// The text, if there is one.
    pub(crate) fn get(&self) -> Option<&str> {
        Some(self.as_str()).filter(|text| !text.is_empty())
    }

    /// How many bytes were cut off.
    pub(crate) const fn dropped(&self) -> usize {
        self.dropped
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

fn write_lossy(out: &mut FixedWriter<'_>, from: &[u8]) -> fmt::Result {
    for chunk in from.utf8_chunks() {
        out.write_str(chunk.valid())?;
        if !chunk.invalid().is_empty() {
            out.write_char(char::REPLACEMENT_CHARACTER)?;
        }
    }
    Ok(())
}

/// Whether a character, written as it is, could break a line or make it read backwards.
pub(super) fn is_unruly(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Shows a text on one line: unruly characters escaped as in Rust (`\n`, `\u{1b}`), and after at
/// most `bytes_max` bytes an ellipsis.
pub(super) struct OneLine<'a> {
    pub(super) text: &'a str,
    pub(super) bytes_max: usize,
}

impl<'a> OneLine<'a> {
    /// The whole of `text`.
    pub(super) const fn whole(text: &'a str) -> Self {
        Self { text, bytes_max: usize::MAX }
    }
}

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut room = self.bytes_max;
        for c in self.text.chars() {
            let shown = if is_unruly(c) { c.escape_default().len() } else { c.len_utf8() };
            let Some(rest) = room.checked_sub(shown) else { return f.write_char(ELLIPSIS) };
            room = rest;
            if is_unruly(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Stands where a text was cut.
pub(super) const ELLIPSIS: char = '\u{2026}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_from_the_kernel_become_valid() {
        let mut text = Text::<8>::new();
        text.set_lossy(b"a\xffb\xe2\x82");
        assert_eq!(text.as_str(), "a\u{fffd}b\u{fffd}");
        text.set_lossy(b"\xff\xff\xff");
        assert_eq!((text.as_str(), text.dropped()), ("\u{fffd}\u{fffd}", 3));
    }

    #[test]
    fn an_empty_text_is_none() {
        assert_eq!(Text::<8>::of("").get(), None);
        assert_eq!(Text::<8>::of("a").get(), Some("a"));
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let text = Text::<4>::of("abc\u{e9}f");
        assert_eq!((text.as_str(), text.dropped()), ("abc", 3));
    }

    #[test]
    fn nothing_breaks_a_line() {
        let shown = OneLine::whole("a\r\n\t\x1b[31m\u{85}\u{2028}\u{202e}\u{e9}\\").to_string();
        assert_eq!(shown, "a\\r\\n\\t\\u{1b}[31m\\u{85}\\u{2028}\\u{202e}\u{e9}\\");
    }

    #[test]
    fn a_bound_holds_for_what_is_shown() {
        for bytes_max in 0..20 {
            let shown = OneLine { text: "a\n\u{1f980}\x1bzz", bytes_max }.to_string();
            assert!(shown.trim_end_matches(ELLIPSIS).len() <= bytes_max, "{shown}");
            assert_eq!(shown.ends_with(ELLIPSIS), bytes_max < 15, "{shown} {bytes_max}");
        }
    }
}
