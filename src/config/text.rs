//! Text in place, and lines of a file.
//!
//! Layer 3.  Plane: data.

use core::ffi::CStr;
use core::fmt;

use crate::sys::file::File;

/// The longest path the kernel takes, its NUL included.
pub(crate) const PATH_MAX: usize = 4096;
/// The longest name in a folder, its NUL included.
pub(crate) const NAME_MAX: usize = 256;

/// A C string of at most `N` bytes with its NUL, which is always there.
#[derive(Clone, Copy)]
pub(crate) struct Text<const N: usize> {
    buf: [u8; N],
    len: usize,
}

/// A NUL inside, or no room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct DoesNotFit;

impl<const N: usize> Text<N> {
    /// The empty one.
    pub(crate) const fn new() -> Self {
        Self { buf: [0; N], len: 0 }
    }

    /// Makes it empty.
    pub(crate) fn clear(&mut self) {
        self.buf.fill(0); // `c_str` ends at the first zero.
        self.len = 0;
    }

    /// Appends one byte.
    pub(crate) fn push(&mut self, byte: u8) -> Result<(), DoesNotFit> {
        if byte == 0 || self.len.saturating_add(1) >= N {
            return Err(DoesNotFit);
        }
        *self.buf.get_mut(self.len).ok_or(DoesNotFit)? = byte;
        self.len += 1;
        Ok(())
    }

    /// Appends all of `bytes`, or as many as fit.
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> Result<(), DoesNotFit> {
        bytes.iter().try_for_each(|byte| self.push(*byte))
    }

    /// The bytes, all of them.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, DoesNotFit> {
        let mut text = Self::new();
        text.extend(bytes)?;
        Ok(text)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or(&[])
    }

    /// As the kernel wants it.
    pub(crate) fn c_str(&self) -> &CStr {
        // Nothing after the text was ever written, and `push` leaves room for one zero.
        CStr::from_bytes_until_nul(&self.buf).unwrap_or(c"")
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.extend(text.as_bytes()).map_err(|DoesNotFit| fmt::Error)
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.c_str().fmt(f)
    }
}

/// A value in code as it would be written there, for a line about it.
pub(super) fn shown(value: impl fmt::Debug) -> Text<64> {
    let mut text = Text::new();
    // What does not fit is cut: it is a number with many digits.
    let _ = fmt::Write::write_fmt(&mut text, format_args!("{value:?}"));
    text
}

/// The lines of a file, one at a time, however long the file is.
pub(super) struct Lines<const N: usize> {
    file: File,
    buf: [u8; N],
    /// What of `buf` was read and not yet handed out.
    start: usize,
    end: usize,
    /// Whether something could not be handed out: a line of more than `N` bytes, or all that
    /// follows an error.
    incomplete: bool,
}

impl<const N: usize> Lines<N> {
    pub(super) fn new(file: File) -> Self {
        Self { file, buf: [0; N], start: 0, end: 0, incomplete: false }
    }

    /// Whether a line was left out so far.
    pub(super) fn incomplete(&self) -> bool {
        self.incomplete
    }

    /// The next line without its newline; lines that do not fit are left out.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        let mut too_long = false;
        loop {
            let waiting = self.buf.get(self.start..self.end)?;
            if let Some(len) = waiting.iter().position(|byte| *byte == b'\n') {
                let start = self.start;
                self.start += len + 1;
                if too_long {
                    too_long = false;
                    continue;
                }
                return self.buf.get(start..start + len);
            }
            if waiting.len() == N {
                (self.start, self.end) = (0, 0);
                (too_long, self.incomplete) = (true, true);
            }
            if self.fill() == 0 {
                // The last line may lack its newline.
                let (start, end) = (self.start, self.end);
                self.start = end;
                return self.buf.get(start..end).filter(|last| !last.is_empty() && !too_long);
            }
        }
    }

    /// Reads more, behind what waits. 0 is the end.
    fn fill(&mut self) -> usize {
        // Both are in order and within the buffer; the compiler, told so, leaves no panic here.
        let end = self.end.min(N);
        let start = self.start.min(end);
        self.buf.copy_within(start..end, 0);
        (self.start, self.end) = (0, end - start);
        let read = match self.buf.get_mut(self.end..) {
            Some(room) => self.file.read(room),
            None => Ok(0),
        };
        self.incomplete |= read.is_err();
        let read = read.unwrap_or(0);
        self.end += read;
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::file::Open;

    #[test]
    fn text_always_ends_with_its_nul() {
        assert_eq!(Text::<4>::of(b"abc").unwrap().c_str(), c"abc");
        assert_eq!(Text::<4>::of(b"abcd").err(), Some(DoesNotFit));
        assert_eq!(Text::<4>::of(b"a\0b").err(), Some(DoesNotFit));
        assert_eq!(Text::<4>::new().c_str(), c"");
        assert_eq!(Text::<1>::of(b"a").err(), Some(DoesNotFit));
        assert_eq!(Text::<0>::of(b"a").err(), Some(DoesNotFit));
        assert_eq!(Text::<0>::new().c_str(), c"");
    }

    fn lines(content: &[u8]) -> (Vec<Vec<u8>>, bool) {
        let folder = crate::config::tests::Folder::new();
        folder.file("lines", content);
        let file = File::open(&folder.c_path("lines"), Open::Read).unwrap();
        let mut lines = Lines::<8>::new(file);
        let mut all = Vec::new();
        while let Some(line) = lines.next() {
            all.push(line.to_vec());
        }
        assert_eq!(lines.next(), None, "the end is the end");
        (all, lines.incomplete())
    }

    /// Against the obvious: split, then leave out what is longer than the buffer with its newline.
    #[test]
    fn lines_are_those_of_the_file() {
        let short = ["", "a", "abc", "abcdefg"];
        let long = ["abcdefgh", "abcdefghi", "abcdefghijklmnopqrstuvw", "abcdefghijklmnopqrstuvwx"];
        let all: Vec<_> = short.iter().chain(&long).collect();
        for first in &all {
            for second in &all {
                for last in ["", "\n", "x", "x\n", "abcdefgh", "abcdefghi"] {
                    let content = format!("{first}\n{second}\n{last}");
                    let mut expected: Vec<&str> = content.split('\n').collect();
                    if expected.last() == Some(&"") {
                        expected.pop();
                    }
                    let count = expected.len();
                    expected.retain(|line| line.len() < 8);
                    let (lines, incomplete) = lines(content.as_bytes());
                    let lines: Vec<_> =
                        lines.iter().map(|line| str::from_utf8(line).unwrap()).collect();
                    assert_eq!(lines, expected, "{content:?}");
                    assert_eq!(incomplete, expected.len() < count, "{content:?}");
                }
            }
        }
    }

    #[test]
    fn a_folder_has_no_lines_and_says_so() {
        let folder = File::open(c"/", Open::Read).unwrap();
        let mut lines = Lines::<64>::new(folder);
        assert_eq!(lines.next(), None);
        assert!(lines.incomplete());
    }
}
