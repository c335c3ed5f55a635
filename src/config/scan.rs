//! From the environment to the values of known names.
//!
//! Layer 3.  Plane: data.
//!
//! A name that is set twice to the same value is fine. Set to different ones it is an error: the
//! C library's `getenv` takes the first, many shells the last, and a limit must not depend on who
//! looks. Names that begin as ours do and are none are mentioned, for they may be meant for
//! another version; names that look like a slip of one of ours are errors.

use super::line::{Fault, Line, Place, Sink, complain};
use super::near::near;
use super::options::{Key, OPTIONS, PREFIX};

/// The most unknown names that are mentioned one by one.
const MENTIONS_MAX: usize = 8;

/// Where a supervisor says that the record is (`record::Address`). It is set by programs, for one
/// process, so it is not among the options.
pub(super) const RECORD: &str = "FAILFAST_RECORD";

/// What the environment says, by option.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Values<'e> {
    options: [Option<&'e [u8]>; OPTIONS.len()],
    /// Not for people to set: see [`RECORD`].
    record: Option<&'e [u8]>,
}

impl<'e> Values<'e> {
    pub(super) fn get(&self, key: Key) -> Option<&'e [u8]> {
        self.options.get(key as usize).copied().flatten()
    }

    pub(super) fn record(&self) -> Option<&'e [u8]> {
        self.record
    }

    /// Where the value of `name` goes, if it is a known name; and that name.
    fn slot(&mut self, name: &[u8]) -> Option<(&mut Option<&'e [u8]>, &'static str)> {
        if name == RECORD.as_bytes() {
            return Some((&mut self.record, RECORD));
        }
        let spec = OPTIONS.iter().find(|spec| spec.name.as_bytes() == name)?;
        Some((self.options.get_mut(spec.key as usize)?, spec.name))
    }
}

/// Sorts out `environment`, its entries `NAME=value`. The answer is what is known, and whether
/// nothing was wrong.
pub(super) fn scan<'e>(
    environment: impl Iterator<Item = &'e [u8]> + Clone,
    sink: Sink<'_>,
) -> (Values<'e>, bool) {
    let mut values = Values::default();
    let (mut all_well, mut mentions) = (true, 0);
    for (index, entry) in environment.clone().enumerate() {
        let (name, value) = split(entry);
        if let Some((slot, known)) = values.slot(name) {
            let before = *slot.get_or_insert(value);
            if before != value {
                let (place, part) = (Place::new(known), Some(before));
                let fault = Fault::new("is its second value, after the one before");
                complain(sink, Place { part, ..place }, value, fault, "one value");
                all_well = false;
            }
        } else if let Some(known) = near(name) {
            let place = Place { name, part: None };
            let fault = Fault::new("is set under a name that is not known");
            complain(sink, place, value, fault, known);
            all_well = false;
        } else if name.starts_with(PREFIX) && mentions <= MENTIONS_MAX {
            let mut earlier = environment.clone().take(index).map(|entry| split(entry).0);
            if !earlier.any(|earlier| earlier == name) {
                mentions += 1;
                mention(name, mentions, sink);
            }
        }
    }
    (values, all_well)
}

/// The name and the value of an entry. One without `=` (only a hand-made environment has such)
/// has an empty value, which then is an error like any other empty one.
fn split(entry: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = entry.splitn(2, |byte| *byte == b'=');
    (parts.next().unwrap_or(&[]), parts.next().unwrap_or(&[]))
}

fn mention(name: &[u8], mentions: usize, sink: Sink<'_>) {
    if mentions > MENTIONS_MAX {
        return Line::new().text("warning: more unknown FAILFAST_ names are ignored").say(sink);
    }
    let mut line = Line::new().text("warning: ").foreign(name);
    line = line.text(": this name is not known and ignored; known are ");
    for (index, spec) in OPTIONS.iter().enumerate() {
        line = line.text(if index == 0 { "" } else { ", " }).text(spec.name);
    }
    line.say(sink);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(entries: &[&'static str]) -> (Values<'static>, bool, Vec<String>) {
        let mut lines = Vec::new();
        let entries = entries.iter().map(|entry| entry.as_bytes());
        let (values, all_well) = scan(entries, &mut |line| {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
        });
        (values, all_well, lines)
    }

    #[test]
    fn keys_are_places_in_the_table() {
        for (index, spec) in OPTIONS.iter().enumerate() {
            assert_eq!(spec.key as usize, index, "{}", spec.name);
        }
    }

    #[test]
    fn known_names_are_found_among_others() {
        let (values, all_well, lines) = scanned(&[
            "PATH=/bin",
            "FAILFAST_BUDGET=64MiB",
            "=",
            "",
            "noequals",
            "FAILFAST_MODE=a=b",
        ]);
        assert_eq!(values.get(Key::Budget), Some(&b"64MiB"[..]));
        assert_eq!(values.get(Key::Mode), Some(&b"a=b"[..]));
        assert_eq!(values.get(Key::Report), None);
        assert!(all_well && lines.is_empty(), "{lines:?}");
    }

    #[test]
    fn empty_values_are_values() {
        let (values, _, _) = scanned(&["FAILFAST_BUDGET=", "FAILFAST_MODE"]);
        assert_eq!(values.get(Key::Budget), Some(&b""[..]));
        assert_eq!(values.get(Key::Mode), Some(&b""[..]));
    }

    #[test]
    fn a_slip_is_an_error() {
        let (values, all_well, lines) = scanned(&["FAILFAST_BUGDET=64MiB"]);
        assert_eq!(values.get(Key::Budget), None);
        assert!(!all_well);
        let expected = "failfast: FAILFAST_BUGDET: `64MiB` is set under a name that is not known; \
                        expected FAILFAST_BUDGET\n";
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn two_values_are_an_error_and_the_first_counts() {
        let (values, all_well, lines) =
            scanned(&["FAILFAST_MODE=observe", "FAILFAST_MODE=enforce"]);
        assert_eq!(values.get(Key::Mode), Some(&b"observe"[..]));
        assert!(!all_well);
        let expected = "failfast: FAILFAST_MODE: observe: `enforce` is its second value, after \
                        the one before; expected one value\n";
        assert_eq!(lines, [expected]);
        let (_, all_well, lines) = scanned(&["FAILFAST_MODE=observe", "FAILFAST_MODE=observe"]);
        assert!(all_well && lines.is_empty(), "{lines:?}");
    }

    #[test]
    fn an_unknown_name_is_mentioned_once() {
        let (_, all_well, lines) =
            scanned(&["FAILFAST_COLOUR=1", "FAILFAST_SHAPE=1", "FAILFAST_COLOUR=2", "OTHER=1"]);
        assert!(all_well);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("failfast: warning: FAILFAST_COLOUR: "), "{lines:?}");
        assert!(lines[0].ends_with(", FAILFAST_ABORT, FAILFAST_MODE\n"), "{lines:?}");
        assert!(lines[1].starts_with("failfast: warning: FAILFAST_SHAPE: "), "{lines:?}");
    }

    #[test]
    fn very_many_unknown_names_are_summed_up() {
        let names: Vec<_> = (0..50_000).map(|n| format!("FAILFAST_UNKNOWN_{n}=1")).collect();
        let mut lines = Vec::new();
        let entries = names.iter().map(|entry| entry.as_bytes());
        scan(entries, &mut |line| lines.push(line.to_vec()));
        assert_eq!(lines.len(), MENTIONS_MAX + 1);
        assert_eq!(
            lines[MENTIONS_MAX],
            b"failfast: warning: more unknown FAILFAST_ names are ignored\n"
        );
    }
}
