//! Text into a buffer that never grows.
//!
//! Layer 2.  Plane: data.
//!
//! What is said while dying, or before `main`, goes into memory that was set aside. What does not
//! fit is dropped and counted, so that whoever reads the result can be told.

use core::fmt;

/// A writer into somebody's buffer. It cuts at the buffer's end, between two characters.
///
/// Once something was dropped, nothing more is taken: a text with a hole in it would look whole.
pub(crate) struct FixedWriter<'a> {
    buf: &'a mut [u8],
    len: usize,
    dropped: usize,
}

impl<'a> FixedWriter<'a> {
    /// An empty text in `buf`.
    pub(crate) const fn new(buf: &'a mut [u8]) -> Self {
        Self { buf, len: 0, dropped: 0 }
    }

    /// What was written and kept: whole characters.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }

    /// As [`Self::as_bytes`], for as long as the buffer lives.
    pub(crate) fn finish(self) -> &'a [u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }

    /// How many bytes did not fit.
    pub(crate) const fn dropped(&self) -> usize {
        self.dropped
    }

    /// Ends the line, in place of the last characters if the buffer is full.
    pub(crate) fn end_line(&mut self) {
        while self.len >= self.buf.len() && self.len > 0 {
            self.drop_last();
        }
        if let Some(end) = self.buf.get_mut(self.len) {
            *end = b'\n';
            self.len = self.len.saturating_add(1);
        }
    }

    fn drop_last(&mut self) {
        let last = self.as_bytes().iter().rposition(|byte| !is_continuation(*byte)).unwrap_or(0);
        self.dropped = self.dropped.saturating_add(self.len.saturating_sub(last));
        self.len = last;
    }
}

impl fmt::Write for FixedWriter<'_> {
    /// Never fails: a text that is cut is better than none.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = if self.dropped > 0 { 0 } else { self.buf.len().saturating_sub(self.len) };
        let kept = text.floor_char_boundary(room);
        let free = self.buf.get_mut(self.len..).unwrap_or_default();
        for (to, from) in free.iter_mut().zip(text.bytes().take(kept)) {
            *to = from;
        }
        self.len = self.len.saturating_add(kept);
        self.dropped = self.dropped.saturating_add(text.len().saturating_sub(kept));
        Ok(())
    }
}

/// Whether a byte of UTF-8 goes on with a character that an earlier byte began.
const fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// Counts what would be written.
#[derive(Default)]
pub(super) struct Counter {
    pub(super) bytes: usize,
}

impl fmt::Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes = self.bytes.saturating_add(text.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write as _;

    const TEXT: &str = "a\u{e9}\u{20ac}\u{1f980}z";

    #[test]
    fn every_room_gives_the_longest_prefix_of_whole_characters() {
        for room in 0..=TEXT.len() + 1 {
            let mut buf = vec![0xff; room];
            let mut out = FixedWriter::new(&mut buf);
            out.write_str(TEXT).unwrap();
            let expected = &TEXT[..TEXT.floor_char_boundary(room)];
            assert_eq!(out.dropped(), TEXT.len() - expected.len());
            assert_eq!(out.finish(), expected.as_bytes());
        }
    }

    #[test]
    fn after_a_cut_nothing_more_is_taken() {
        let mut buf = [0; 4];
        let mut out = FixedWriter::new(&mut buf);
        for piece in ["abc", "\u{e9}", "d"] {
            out.write_str(piece).unwrap();
        }
        assert_eq!((out.as_bytes(), out.dropped()), (&b"abc"[..], 3));
    }

    #[test]
    fn a_line_ends_whatever_the_room() {
        for room in 0..=TEXT.len() + 2 {
            let mut buf = vec![0; room];
            let mut out = FixedWriter::new(&mut buf);
            out.write_str(TEXT).unwrap();
            out.end_line();
            let line = core::str::from_utf8(out.finish()).unwrap();
            assert_eq!(line.matches('\n').count(), usize::from(room > 0), "room {room}");
            assert!(line.is_empty() || line.ends_with('\n'));
            assert!(TEXT.starts_with(line.trim_end()));
        }
    }

    #[test]
    fn a_line_that_fits_exactly_loses_one_character() {
        let mut buf = [0; 4];
        let mut out = FixedWriter::new(&mut buf);
        out.write_str("ab\u{e9}").unwrap();
        out.end_line();
        assert_eq!((out.dropped(), out.finish()), (2, &b"ab\n"[..]));
    }
}
