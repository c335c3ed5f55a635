//! Whole environments, most of their names and values nearly right, against a naive reading.
#![no_main]

use std::collections::BTreeMap;
use std::os::fd::{FromRawFd, OwnedFd};

use arbitrary::Arbitrary;
use failfast_alloc::fuzzing;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Entry<'a> {
    name: Name<'a>,
    value: Value<'a>,
    /// Kept out at times: an entry without `=`.
    bare: bool,
}

#[derive(Arbitrary, Debug)]
enum Name<'a> {
    Known(u8),
    Edited(u8, Vec<Edit>),
    Prefixed(&'a [u8]),
    Other(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Edit {
    Insert(u8, u8),
    Remove(u8),
    Replace(u8, u8),
    Exchange(u8),
    Case(u8),
}

#[derive(Arbitrary, Debug)]
enum Value<'a> {
    Known(u8),
    Other(&'a [u8]),
}

const VALUES: [&str; 16] = [
    "64MiB",
    "75%",
    "auto",
    "unlimited",
    "5s",
    "1",
    "0",
    "fd:2",
    "fd:9",
    "none",
    "/tmp/%p",
    "plain",
    "observe",
    "a=1,b=2%",
    "/bin/sh",
    "",
];

impl Entry<'_> {
    fn bytes(&self) -> Vec<u8> {
        let known = |index: &u8| NAMES[usize::from(*index) % NAMES.len()].as_bytes().to_vec();
        let mut entry = match &self.name {
            Name::Known(index) => known(index),
            Name::Edited(index, edits) => edits.iter().take(4).fold(known(index), edited),
            Name::Prefixed(rest) => [b"FAILFAST_", *rest].concat(),
            Name::Other(name) => name.to_vec(),
        };
        if !self.bare {
            entry.push(b'=');
            entry.extend_from_slice(match &self.value {
                Value::Known(index) => VALUES[usize::from(*index) % VALUES.len()].as_bytes(),
                Value::Other(value) => value,
            });
        }
        entry
    }
}

fn edited(mut name: Vec<u8>, edit: &Edit) -> Vec<u8> {
    let len = name.len();
    let at = |at: &u8| usize::from(*at) % len.max(1);
    match edit {
        Edit::Insert(index, byte) => name.insert(at(index), *byte),
        Edit::Remove(index) if len > 0 => drop(name.remove(at(index))),
        Edit::Replace(index, byte) if len > 0 => name[at(index)] = *byte,
        Edit::Exchange(index) if len > 1 => name.swap(at(index), (at(index) + 1) % len),
        Edit::Case(index) if len > 0 => name[at(index)] ^= 0x20,
        _ => {}
    }
    name
}

const NAMES: [&str; 10] = [
    "FAILFAST_BUDGET",
    "FAILFAST_CLUSTER_BUDGETS",
    "FAILFAST_STACK_BUDGET",
    "FAILFAST_RESERVE",
    "FAILFAST_HOOK_TIMEOUT",
    "FAILFAST_REPORT",
    "FAILFAST_EXEC",
    "FAILFAST_EXEC_TIMEOUT",
    "FAILFAST_ABORT",
    "FAILFAST_MODE",
];

/// Edits between two names, neighbours' exchanges among them: the whole table.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let replaced = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    replaced.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1)
                }
            };
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                table[i][j] = table[i][j].min(table[i - 2][j - 2] + 1);
            }
        }
    }
    table[a.len()][b.len()]
}

/// What Kubernetes sets beside a service that is called `failfast` is nobody's slip.
fn of_a_service(name: &[u8]) -> bool {
    name.strip_prefix(b"FAILFAST_").is_some_and(|rest| {
        rest == b"PORT" || rest.starts_with(b"PORT_") || rest.starts_with(b"SERVICE_")
    })
}

fn near(name: &[u8]) -> bool {
    !of_a_service(name)
        && NAMES.iter().any(|known| {
            let allowed = if known.len() > "FAILFAST_".len() + 5 { 2 } else { 1 };
            distance(name, known.as_bytes()) <= allowed
        })
}

/// Its name and its value.
fn split(entry: &[u8]) -> (&[u8], &[u8]) {
    match entry.iter().position(|byte| *byte == b'=') {
        Some(at) => (&entry[..at], &entry[at + 1..]),
        None => (entry, b""),
    }
}

fuzz_target!(|input: Vec<Entry>| {
    let entries: Vec<Vec<u8>> = input.iter().map(Entry::bytes).collect();
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    let resolved = fuzzing::environment(&entries, b"/nowhere");
    if let Some(folder) = resolved.report_folder() {
        // SAFETY: just opened, and nobody else's.
        drop(unsafe { OwnedFd::from_raw_fd(folder) });
    }
    let (mut wrong, mut warned) = (0, 0);
    for line in &resolved.lines {
        assert!(line.starts_with(b"failfast: ") && line.len() <= 511, "{line:?}");
        let (last, text) = line.split_last().unwrap();
        assert!(*last == b'\n' && text.iter().all(|byte| (b' '..=b'~').contains(byte)), "{line:?}");
        let warning = line.starts_with(b"failfast: warning: ");
        *(if warning { &mut warned } else { &mut wrong }) += 1;
    }
    assert_eq!(resolved.well, wrong == 0, "{:?}", resolved.lines);

    let mut values: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
    for entry in &entries {
        let (name, value) = split(entry);
        values.entry(name).or_default().push(value);
    }
    let (mut slips, mut unknown) = (0, 0);
    for (name, values) in &values {
        let known = NAMES.iter().any(|known| known.as_bytes() == *name);
        assert_eq!(fuzzing::near(name).is_some(), near(name), "{name:?}");
        match known {
            true => {
                let differs = values.iter().filter(|value| **value != values[0]).count();
                assert!(wrong >= differs, "two values: {:?}", resolved.lines);
                assert!(!values[0].is_empty() || !resolved.well, "an empty value");
            }
            false if near(name) => slips += values.len(),
            false => unknown += usize::from(name.starts_with(b"FAILFAST_")),
        }
    }
    assert!(wrong >= slips, "{:?}", resolved.lines);
    assert!(warned >= unknown.min(9) && warned <= unknown.min(9) + 1, "{:?}", resolved.lines);
    if let Some(values) = values.get(&b"FAILFAST_BUDGET"[..])
        && let Ok(size) = fuzzing::size(values[0])
    {
        assert_eq!(resolved.budget_bytes(), size, "the first value holds");
    }
});
