//! A line for people, built in place.
//!
//! Layer 3.  Plane: data.
//!
//! What was given comes from outside and may be anything: of a line, it can fill only a part, and
//! it reaches the terminal only as printable ASCII.

use core::fmt::{self, Write};

use crate::sys::file::Errno;

/// Where lines go. Each call gets one whole line with its newline.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(&[u8]);

/// Where a value stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The variable or the builder method.
    pub(super) name: &'a [u8],
    /// The part of it, if it has several.
    pub(super) part: Option<&'a [u8]>,
}

impl<'a> Place<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        Self { name: name.as_bytes(), part: None }
    }
}

/// What is wrong with a value, to follow it in a sentence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fault {
    /// `is not a size`
    pub(super) what: &'static str,
    /// What the kernel said.
    pub(super) errno: Option<Errno>,
}

impl Fault {
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, errno: None }
    }

    pub(super) const fn kernel(what: &'static str, errno: Errno) -> Self {
        Self { what, errno: Some(errno) }
    }
}

/// Shorter than a pipe writes at once (512 everywhere), so that lines of processes do not mix.
const LINE_MAX: usize = 510;
/// The most characters of a text from outside that are shown.
const GIVEN_MAX: usize = 96;

/// A line that cuts what does not fit, and always ends.
pub(super) struct Line {
    buf: [u8; LINE_MAX + 1],
    len: usize,
}

impl Line {
    /// Begins a line: `failfast: `.
    pub(super) fn new() -> Self {
        Self { buf: [0; LINE_MAX + 1], len: 0 }.text("failfast: ")
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        for byte in text.bytes() {
            self.push(byte);
        }
        self
    }

    /// A name from outside: escaped and cut.
    pub(super) fn foreign(mut self, bytes: &[u8]) -> Self {
        let mut shown = 0;
        for byte in bytes {
            // A backtick would end the quotation, a backslash forge an escape.
            let plain = matches!(byte, b' '..=b'~') && !matches!(byte, b'`' | b'\\');
            shown += if plain { 1 } else { 4 };
            if shown > GIVEN_MAX {
                return self.text("...");
            }
            if plain {
                self.push(*byte);
            } else {
                // Cannot fail: `write_str` below does not.
                let _ = write!(self, "\\x{byte:02x}");
            }
        }
        self
    }

    /// A value from outside, in quotes.
    pub(super) fn quoted(self, bytes: &[u8]) -> Self {
        self.text("`").foreign(bytes).text("`")
    }

    /// Where a value stands, and a colon.
    pub(super) fn place(self, place: Place<'_>) -> Self {
        let line = self.foreign(place.name).text(": ");
        match place.part {
            Some(part) => line.foreign(part).text(": "),
            None => line,
        }
    }

    /// Ends the line and hands it over.
    pub(super) fn say(mut self, sink: Sink<'_>) {
        if let Some(end) = self.buf.get_mut(self.len) {
            *end = b'\n';
        }
        sink(self.buf.get(..=self.len).unwrap_or(b"\n"));
    }

    fn push(&mut self, byte: u8) {
        if self.len < LINE_MAX
            && let Some(place) = self.buf.get_mut(self.len)
        {
            *place = byte;
            self.len += 1;
        }
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.push(byte);
        }
        Ok(())
    }
}

/// Says that the value `given` at `place` is wrong: the line of C1.
pub(super) fn complain(
    sink: Sink<'_>,
    place: Place<'_>,
    given: &[u8],
    fault: Fault,
    expected: &str,
) {
    let mut line = Line::new().place(place).quoted(given).text(" ").text(fault.what);
    if let Some(errno) = fault.errno {
        // Cannot fail: `write_str` above does not.
        let _ = write!(line, " (errno {}, {})", errno.0, errno.text());
    }
    line.text("; expected ").text(expected).say(sink);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: Line) -> String {
        let mut said = Vec::new();
        line.say(&mut |bytes| said.extend_from_slice(bytes));
        String::from_utf8(said).unwrap()
    }

    #[test]
    fn complaint() {
        let mut said = String::new();
        complain(
            &mut |line| said.push_str(str::from_utf8(line).unwrap()),
            Place { name: b"FAILFAST_CLUSTER_BUDGETS", part: Some(b"parser") },
            b"12Q",
            Fault::kernel("is not a size", Errno(2)),
            "bytes",
        );
        let expected = "failfast: FAILFAST_CLUSTER_BUDGETS: parser: `12Q` is not a size \
                        (errno 2, no such file or folder); expected bytes\n";
        assert_eq!(said, expected);
    }

    #[test]
    fn foreign_text_is_escaped_and_cut() {
        let line = |bytes: &[u8]| said(Line::new().quoted(bytes));
        assert_eq!(line(b"a\x1b[1m`\\\n\xff~"), "failfast: `a\\x1b[1m\\x60\\x5c\\x0a\\xff~`\n");
        assert_eq!(line(&[b'a'; GIVEN_MAX]), format!("failfast: `{}`\n", "a".repeat(GIVEN_MAX)));
        assert_eq!(line(&[b'a'; 4096]), format!("failfast: `{}...`\n", "a".repeat(GIVEN_MAX)));
        assert_eq!(line(&[1; 4096]), format!("failfast: `{}...`\n", "\\x01".repeat(24)));
    }

    #[test]
    fn a_line_always_ends_within_a_pipe_write() {
        let line = said(Line::new().text(&"x".repeat(4096)));
        assert_eq!(line.len(), 511);
        assert!(line.ends_with("xx\n"));
    }
}
