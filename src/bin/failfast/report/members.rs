//! Members of an object, each of the type that the schema gives it.
//!
//! Above the layers.  Plane: control.

use super::{OrNull, ROWS_MAX};
use serde_json::{Map, Value};

/// More complaints than this tell no more.
const COMPLAINTS_MAX: usize = 16;

/// Members of an object, with a list for what is wrong with them.
pub(super) struct Members<'a> {
    map: &'a Map<String, Value>,
    /// Put before names: `backtrace[3].`.
    place: String,
    complaints: &'a mut Vec<String>,
}

impl<'a> Members<'a> {
    pub(super) fn new(
        map: &'a Map<String, Value>,
        place: impl Into<String>,
        complaints: &'a mut Vec<String>,
    ) -> Self {
        Self { map, place: place.into(), complaints }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    pub(super) fn complain(&mut self, name: &str, what: &str) {
        match self.complaints.len() {
            COMPLAINTS_MAX => self.complaints.push("and more".to_string()),
            len if len < COMPLAINTS_MAX => {
                self.complaints.push(format!("`{}{name}` {what}", self.place));
            }
            _ => {}
        }
    }

    /// What `read` makes of a member, `what` it should be.
    fn typed<T>(
        &mut self,
        name: &str,
        what: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let Some(value) = self.map.get(name) else {
            self.complain(name, "is missing");
            return None;
        };
        let read = read(value);
        if read.is_none() {
            self.complain(name, &format!("is not {what}"));
        }
        read
    }

    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        self.typed(name, "a number that can be", Value::as_u64)
    }

    pub(super) fn number_or_null(&mut self, name: &str) -> OrNull {
        self.typed(name, "a number that can be, or null", |value| match value {
            Value::Null => Some(None),
            value => value.as_u64().map(Some),
        })
    }

    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        self.typed(name, "true or false", Value::as_bool)
    }

    pub(super) fn string(&mut self, name: &str) -> Option<String> {
        self.typed(name, "a string", |value| value.as_str().map(str::to_string))
    }

    pub(super) fn string_or_null(&mut self, name: &str) -> Option<String> {
        self.typed(name, "a string or null", |value| match value {
            Value::Null => Some(None),
            value => value.as_str().map(|text| Some(text.to_string())),
        })
        .flatten()
    }

    /// `"0x55d0c0004010"`.
    pub(super) fn address(&mut self, name: &str) -> Option<u64> {
        self.typed(name, "an address", |value| {
            let digits = value.as_str()?.strip_prefix("0x")?;
            let all_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            all_hex.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        })
    }

    pub(super) fn object_or_null<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Members<'_>) -> T,
    ) -> Option<T> {
        let object = self.typed(name, "an object or null", |value| match value {
            Value::Null => Some(None),
            value => value.as_object().map(Some),
        });
        let place = format!("{}{name}.", self.place);
        object.flatten().map(|map| read(&mut Members::new(map, place, self.complaints)))
    }

    /// The objects of an array. Elements of another type read as empty objects, since others are
    /// known by their index.
    pub(super) fn objects<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Members<'_>) -> T,
    ) -> Vec<T> {
        let Some(array) = self.typed(name, "an array", Value::as_array) else { return Vec::new() };
        if array.len() > ROWS_MAX {
            self.complain(
                name,
                &format!("has more than {ROWS_MAX} elements: the rest is left out"),
            );
        }
        let nothing = Map::new();
        let mut rows = Vec::new();
        for (index, value) in array.iter().take(ROWS_MAX).enumerate() {
            let map = value.as_object();
            if map.is_none() {
                self.complain(&format!("{name}[{index}]"), "is not an object");
            }
            let place = format!("{}{name}[{index}].", self.place);
            let mut ignored = Vec::new();
            let complaints = if map.is_some() { &mut *self.complaints } else { &mut ignored };
            rows.push(read(&mut Members::new(map.unwrap_or(&nothing), place, complaints)));
        }
        rows
    }
}
