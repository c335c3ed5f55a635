//! Who says what is wrong, and keeps in mind that something was.
//!
//! Layer 3.  Plane: data.

use core::fmt::Debug;

use super::line::{Fault, Place, Sink, complain};
use super::options::{Key, Kind, OPTIONS};
use super::settings::Source;
use super::text::shown;

/// Says what is wrong, and keeps in mind that something was.
pub(super) struct Judge<'s> {
    pub(super) sink: Sink<'s>,
    pub(super) all_well: bool,
}

impl Judge<'_> {
    /// The value `given` in code, if `check` finds nothing wrong with it.
    pub(super) fn code<T: Copy + Debug>(
        &mut self,
        key: Key,
        given: T,
        check: fn(T) -> Result<T, Fault>,
    ) -> Option<T> {
        check(given)
            .map_err(|fault| self.object(key, Source::Code, shown(given).bytes(), fault))
            .ok()
    }

    /// What `parse` makes of the value of a variable.
    pub(super) fn text<'e, T>(
        &mut self,
        key: Key,
        text: &'e [u8],
        parse: fn(&'e [u8]) -> Result<T, Fault>,
    ) -> Option<T> {
        parse(text).map_err(|fault| self.object(key, Source::Environment, text, fault)).ok()
    }

    pub(super) fn object(&mut self, key: Key, source: Source, given: &[u8], fault: Fault) {
        let Some((place, kind)) = place(key, source) else { return };
        let expected = match source {
            Source::Environment => kind.expected(),
            Source::Code | Source::Default => kind.expected_in_code(),
        };
        self.all_well = false;
        complain(self.sink, place, given, fault, expected);
    }
}

/// Where a value of the option `key` stands, and what it is.
pub(super) fn place(key: Key, source: Source) -> Option<(Place<'static>, Kind)> {
    let spec = OPTIONS.iter().find(|spec| spec.key == key)?;
    let name = match source {
        Source::Environment => spec.name,
        // A default that is wrong here (of a machine, say, with less memory than the reserve) is
        // answered with the call that changes it.
        Source::Code | Source::Default => spec.builder.unwrap_or(spec.name),
    };
    Some((Place::new(name), spec.kind))
}
