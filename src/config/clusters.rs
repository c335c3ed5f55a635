//! Budgets of clusters, by name.
//!
//! Layer 3.  Plane: data.
//!
//! Clusters are made long after start, under names that nobody knows here; until then the budgets
//! wait in this table. A budget in the environment replaces that of the same name in code and
//! leaves the others alone: raising one limit must not lift another.

use super::choice::Limit;
use super::line::{Fault, Place, Sink, complain};
use super::options::Kind;
use super::settings::Source;
use super::text::{DoesNotFit, Text, shown};
use super::value;

/// The longest name of a cluster.
pub(crate) const NAME_LEN_MAX: usize = 64;
/// The most budgets the environment can name.
const ENTRIES_MAX: usize = 64;

const NO_NAME: Fault = Fault::new("is not a cluster's name");
const ROOT: Fault = Fault::new("is the process itself");
const TWICE: Fault = Fault::new("is named twice");
const NO_BUDGET: Fault = Fault::new("has no budget");
const TOO_MANY: Fault = Fault::new("is one cluster too many, after 64");

#[derive(Clone, Copy)]
struct Entry {
    name: Text<{ NAME_LEN_MAX + 1 }>,
    limit: Limit,
}

/// Budgets by name.
pub(crate) struct ClusterBudgets {
    code: &'static [(&'static str, Limit)],
    environment: [Entry; ENTRIES_MAX],
    len: usize,
}

/// What is wrong with one part of a list.
struct Objection<'a> {
    /// The cluster, once its name is known to be one.
    part: Option<&'a [u8]>,
    given: &'a [u8],
    fault: Fault,
}

impl ClusterBudgets {
    pub(crate) const fn new() -> Self {
        let empty = Entry { name: Text::new(), limit: Limit::Unlimited };
        Self { code: &[], environment: [empty; ENTRIES_MAX], len: 0 }
    }

    /// The budget for clusters called `name`, and who set it. Percent are of the parent's budget.
    pub(crate) fn get(&self, name: &str) -> Option<(Limit, Source)> {
        let entry = self.entries().find(|entry| entry.name.bytes() == name.as_bytes());
        let in_code = || {
            let (_, limit) = self.code.iter().find(|(known, _)| *known == name)?;
            // Those that were objected to count for nothing.
            Some((value::check_cluster_limit(*limit).ok()?, Source::Code))
        };
        entry.map(|entry| (entry.limit, Source::Environment)).or_else(in_code)
    }

    /// The names that have a budget, and who set it; a name may come twice.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&[u8], Source)> {
        let in_code = self.code.iter().map(|(name, _)| (name.as_bytes(), Source::Code));
        self.entries().map(|entry| (entry.name.bytes(), Source::Environment)).chain(in_code)
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.environment.iter().take(self.len)
    }

    /// Takes over what code asks for; says what is wrong with it, and whether nothing is.
    pub(super) fn set_code(
        &mut self,
        budgets: &'static [(&'static str, Limit)],
        place: Place<'_>,
        sink: Sink<'_>,
    ) -> bool {
        self.code = budgets;
        let mut all_well = true;
        for (index, (name, limit)) in budgets.iter().enumerate() {
            let (name, limit_shown) = (name.as_bytes(), shown(limit));
            let twice = budgets.iter().take(index).any(|(earlier, _)| earlier.as_bytes() == name);
            let objection = match (check_name(name), value::check_cluster_limit(*limit)) {
                (Err(fault), _) => Objection { part: None, given: name, fault },
                _ if twice => Objection { part: None, given: name, fault: TWICE },
                (_, Err(fault)) => {
                    Objection { part: Some(name), given: limit_shown.bytes(), fault }
                }
                _ => continue,
            };
            let expected = Kind::ClusterBudgets.expected_in_code();
            objection.say(place, expected, "FailFast::budget for it", sink);
            all_well = false;
        }
        all_well
    }

    /// Takes over those parts of `text`, `parser=64MiB,cache=10%`, in which nothing is wrong; says
    /// what is wrong with the others, and whether none is.
    pub(super) fn set_environment(
        &mut self,
        text: &[u8],
        place: Place<'_>,
        sink: Sink<'_>,
    ) -> bool {
        let mut all_well = true;
        for item in text.split(|byte| *byte == b',') {
            if let Err(objection) = self.add(item) {
                let expected = Kind::ClusterBudgets.expected();
                objection.say(place, expected, "FAILFAST_BUDGET for it", sink);
                all_well = false;
            }
        }
        all_well
    }

    fn add<'a>(&mut self, item: &'a [u8]) -> Result<(), Objection<'a>> {
        let mut parts = item.splitn(2, |byte| *byte == b'=');
        let (name, text) = (parts.next().unwrap_or(&[]), parts.next());
        let object = |fault| Objection { part: None, given: name, fault };
        check_name(name).map_err(object)?;
        if self.entries().any(|entry| entry.name.bytes() == name) {
            return Err(object(TWICE));
        }
        let text = text.ok_or(object(NO_BUDGET))?;
        let limit = value::cluster_limit(text).map_err(|fault| Objection {
            part: Some(name),
            given: text,
            fault,
        })?;
        let name = Text::of(name).map_err(|DoesNotFit| object(NO_NAME))?;
        let free = self.environment.get_mut(self.len).ok_or(object(TOO_MANY))?;
        *free = Entry { name, limit };
        self.len += 1;
        Ok(())
    }
}

impl Objection<'_> {
    fn say(&self, place: Place<'_>, expected: &str, root: &str, sink: Sink<'_>) {
        let expected = if self.fault == ROOT { root } else { expected };
        complain(sink, Place { part: self.part, ..place }, self.given, self.fault, expected);
    }
}

pub(super) fn check_name(name: &[u8]) -> Result<(), Fault> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name == b"root" {
        return Err(ROOT);
    }
    let fits = (1..=NAME_LEN_MAX).contains(&name.len());
    (fits && name.iter().all(plain)).then_some(()).ok_or(NO_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_environment(text: &str) -> (ClusterBudgets, Vec<String>) {
        let (mut budgets, mut lines) = (ClusterBudgets::new(), Vec::new());
        let well = budgets.set_environment(text.as_bytes(), Place::new("VAR"), &mut |line| {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
        });
        assert_eq!(well, lines.is_empty());
        (budgets, lines)
    }

    fn from_code(list: &'static [(&'static str, Limit)]) -> (ClusterBudgets, Vec<String>) {
        let (mut budgets, mut lines) = (ClusterBudgets::new(), Vec::new());
        let well = budgets.set_code(list, Place::new("CODE"), &mut |line| {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
        });
        assert_eq!(well, lines.is_empty());
        (budgets, lines)
    }

    #[test]
    fn budgets_by_name() {
        let longest = "n".repeat(64);
        let text = format!("parser=64MiB,cache=10%,a.B_c-9=unlimited,{longest}=1");
        let (budgets, lines) = from_environment(&text);
        assert!(lines.is_empty(), "{lines:?}");
        for (name, limit) in [
            ("parser", Limit::mib(64)),
            ("cache", Limit::percent(10)),
            ("a.B_c-9", Limit::Unlimited),
            (&longest, Limit::bytes(1)),
        ] {
            assert_eq!(budgets.get(name), Some((limit, Source::Environment)), "{name}");
        }
        assert_eq!(budgets.get("Parser"), None, "names have a case");
        assert_eq!(budgets.get(""), None);
    }

    #[test]
    fn wrong_parts_are_named_and_the_others_count() {
        let long = format!("{}=1", "n".repeat(65));
        for (part, says) in [
            ("b=12Q", "VAR: b: `12Q` is not a size; expected name=budget"),
            ("b=", "VAR: b: `` is empty; "),
            ("b=0", "VAR: b: `0` is zero; "),
            ("b=auto", "VAR: b: `auto` has no meaning for a cluster; "),
            ("b=1=2", "VAR: b: `1=2` is not a size; "),
            ("b", "VAR: `b` has no budget; "),
            ("", "VAR: `` is not a cluster's name; "),
            ("=1", "VAR: `` is not a cluster's name; "),
            (" b=1", "VAR: ` b` is not a cluster's name; "),
            ("b/c=1", "VAR: `b/c` is not a cluster's name; "),
            ("b\u{fc}=1", "VAR: `b\\xc3\\xbc` is not a cluster's name; "),
            (&long, "` is not a cluster's name; "),
            ("a=2", "VAR: `a` is named twice; "),
            ("root=1", "VAR: `root` is the process itself; expected FAILFAST_BUDGET for it\n"),
        ] {
            let (budgets, lines) = from_environment(&format!("a=1,{part},z=3"));
            assert_eq!(lines.len(), 1, "{part}: {lines:?}");
            assert!(lines[0].contains(says), "{part}: {lines:?}");
            assert_eq!(budgets.get("a"), Some((Limit::bytes(1), Source::Environment)), "{part}");
            assert_eq!(budgets.get("b"), None, "{part}");
            assert_eq!(budgets.get("z"), Some((Limit::bytes(3), Source::Environment)), "{part}");
        }
    }

    #[test]
    fn the_environment_replaces_what_it_names() {
        let (mut budgets, lines) = from_code(&[("a", Limit::Bytes(1)), ("b", Limit::Percent(2))]);
        assert!(lines.is_empty(), "{lines:?}");
        assert!(budgets.set_environment(b"a=3", Place::new("VAR"), &mut |_| ()));
        assert_eq!(budgets.get("a"), Some((Limit::bytes(3), Source::Environment)));
        assert_eq!(budgets.get("b"), Some((Limit::percent(2), Source::Code)));
    }

    #[test]
    fn code_is_checked_too() {
        let (budgets, lines) = from_code(&[
            ("a", Limit::Bytes(0)),
            ("b", Limit::Bytes(1)),
            ("b", Limit::Bytes(2)),
            ("c d", Limit::Bytes(1)),
            ("root", Limit::Bytes(1)),
            ("e", Limit::Auto),
        ]);
        let says = [
            "failfast: CODE: a: `Bytes(0)` is zero; ",
            "failfast: CODE: `b` is named twice; ",
            "failfast: CODE: `c d` is not a cluster's name; ",
            "failfast: CODE: `root` is the process itself; expected FailFast::budget for it\n",
            "failfast: CODE: e: `Auto` has no meaning for a cluster; ",
        ];
        assert_eq!(lines.len(), says.len(), "{lines:?}");
        for (line, says) in lines.iter().zip(says) {
            assert!(line.starts_with(says), "{line} {says}");
        }
        assert_eq!(budgets.get("a"), None);
        assert_eq!(budgets.get("b"), Some((Limit::bytes(1), Source::Code)));
    }

    #[test]
    fn there_is_an_end_to_the_list() {
        let list: Vec<_> = (0..=ENTRIES_MAX).map(|n| format!("c{n}=1")).collect();
        let (_, lines) = from_environment(&list.join(","));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("`c64` is one cluster too many, after 64; "), "{lines:?}");
    }
}
