//! Texts of others, made harmless; numbers, made readable.
//!
//! Above the layers.  Plane: control.

use std::fmt::{self, Display, Write as _};
use unicode_width::UnicodeWidthStr;

/// A text from outside, on one line: what could steer a terminal, break the line or turn it round
/// is escaped as in Rust (`\n`, `\u{1b}`).
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_unruly(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// JSON in which characters that could steer a terminal are escapes. They stand in strings alone,
/// so that it is the same JSON.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_unruly(c) {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    write!(f, "\\u{unit:04x}")?;
                }
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Whether a character does something other than to stand where it is written.
fn is_unruly(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// As [`Shown`], in at most `columns`, with an ellipsis where it is cut.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let shown = Shown(text).to_string();
    if shown.width() <= columns {
        return shown;
    }
    let (mut kept, mut width) = (String::new(), 1);
    for c in shown.chars() {
        width += c.to_string().width();
        if width > columns {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

/// How many columns a harmless text takes.
pub(crate) fn columns(shown: &str) -> usize {
    shown.width()
}

/// A number with its thousands apart: `66,584,576`.
pub(crate) struct Exact(pub(crate) u64);

impl Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A number of bytes in the largest unit that it fills, rounded down, so that what is just below a
/// budget never reads as if it were the budget: `63.49 MiB`, `64 MiB`, `1,000 bytes`.
pub(crate) struct Size(pub(crate) u64);

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 6] =
            [("EiB", 60), ("PiB", 50), ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let Some((unit, shift)) = UNITS.iter().find(|(_, shift)| self.0 >> shift > 0) else {
            let s = if self.0 == 1 { "" } else { "s" };
            return write!(f, "{} byte{s}", Exact(self.0));
        };
        let (whole, rest) = (self.0 >> shift, self.0 & ((1 << shift) - 1));
        let hundredths = (u128::from(rest) * 100) >> shift;
        match hundredths {
            0 => write!(f, "{}", Exact(whole))?,
            _ if hundredths % 10 == 0 => write!(f, "{}.{}", Exact(whole), hundredths / 10)?,
            _ => write!(f, "{}.{hundredths:02}", Exact(whole))?,
        }
        write!(f, " {unit}")
    }
}

/// A number of bytes as a budget that is enough for it, to be set as it stands: rounded up to
/// hundredths of the largest unit that it fills, `64.51MiB`; `1000` below a KiB.
pub(crate) struct Enough(pub(crate) u64);

impl Display for Enough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let Some((unit, shift)) = UNITS.iter().find(|(_, shift)| self.0 >> shift > 0) else {
            return write!(f, "{}", self.0);
        };
        let hundredths = (u128::from(self.0) * 100).div_ceil(1 << shift);
        match (hundredths / 100, hundredths % 100) {
            (whole, 0) => write!(f, "{whole}{unit}"),
            (whole, rest) if rest % 10 == 0 => write!(f, "{whole}.{}{unit}", rest / 10),
            (whole, rest) => write!(f, "{whole}.{rest:02}{unit}"),
        }
    }
}

/// `part` in hundredths of `whole`, rounded down: `99.2 %`.
pub(crate) fn percent(part: u64, whole: u64) -> Option<String> {
    let thousandths = (u128::from(part) * 1000).checked_div(whole.into())?;
    Some(format!("{}.{} %", thousandths / 10, thousandths % 10))
}

/// `1 frame`, `2 frames`.
pub(crate) fn count(number: u64, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {one}{s}", Exact(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        let shown = Shown("a\x1b[2J\r\n\u{9b}\u{202e}\u{200b}\u{e9}\u{1f980}").to_string();
        assert_eq!(shown, "a\\u{1b}[2J\\r\\n\\u{9b}\\u{202e}\\u{200b}\u{e9}\u{1f980}");
    }

    #[test]
    fn cut_texts_keep_to_their_columns() {
        for (text, columns, expected) in [
            ("worker", 6, "worker"),
            ("worker", 5, "work…"),
            ("\u{4f60}\u{597d}", 4, "\u{4f60}\u{597d}"),
            ("\u{4f60}\u{597d}\u{5417}", 4, "\u{4f60}…"),
            ("a\nb", 4, "a\\nb"),
        ] {
            assert_eq!(cut(text, columns), expected);
        }
    }

    #[test]
    fn sizes_are_rounded_down() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1,023 bytes"),
            (1024, "1 KiB"),
            (1 << 26, "64 MiB"),
            ((1 << 26) - 1, "63.99 MiB"),
            (66_584_576, "63.5 MiB"),
            (u64::MAX, "15.99 EiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), expected);
        }
        assert_eq!(Exact(1_234_567).to_string(), "1,234,567");
        assert_eq!(Exact(123).to_string(), "123");
    }

    #[test]
    fn what_is_enough_is_rounded_up_and_read_again() {
        for (bytes, expected) in [
            (1, "1"),
            (1023, "1023"),
            (1024, "1KiB"),
            (1025, "1.01KiB"),
            (1 << 24, "16MiB"),
            ((1 << 24) + 1, "16.01MiB"),
            (67_633_152, "64.5MiB"),
            ((1 << 30) - 1, "1024MiB"),
            (1 << 53, "8192TiB"),
        ] {
            let said = Enough(bytes).to_string();
            assert_eq!(said, expected);
            let Ok(failfast_alloc::Limit::Bytes(read)) = said.parse() else { panic!("{said}") };
            assert!(read as u64 >= bytes, "{said}");
        }
    }

    #[test]
    fn percentages() {
        assert_eq!(percent(999, 1000).as_deref(), Some("99.9 %"));
        assert_eq!(percent(u64::MAX, u64::MAX).as_deref(), Some("100.0 %"));
        assert_eq!(percent(1, 0), None);
    }
}
