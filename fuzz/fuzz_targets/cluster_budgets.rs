//! `FAILFAST_CLUSTER_BUDGETS`, against a naive reading of it.
#![no_main]

use std::collections::HashMap;

use failfast_alloc::{Limit, fuzzing};
use libfuzzer_sys::fuzz_target;

fn limit(text: &str) -> Option<Limit> {
    if text.eq_ignore_ascii_case("unlimited") {
        return Some(Limit::Unlimited);
    }
    let percent = fuzzing::percent(text.as_bytes()).ok().map(Limit::Percent);
    percent.or_else(|| fuzzing::size(text.as_bytes()).ok().map(Limit::Bytes))
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
    (1..=64).contains(&name.len()) && name.chars().all(plain) && name != "root"
}

fuzz_target!(|text: &str| {
    if text.contains('\0') {
        return;
    }
    let entry = format!("FAILFAST_CLUSTER_BUDGETS={text}");
    let resolved = fuzzing::environment(&[entry.as_bytes()], b"/nowhere");
    let (mut expected, mut wrong) = (HashMap::new(), 0);
    for item in text.split(',') {
        let parsed = item.split_once('=').and_then(|(name, text)| Some((name, limit(text)?)));
        match parsed {
            Some((name, limit)) if is_name(name) && expected.len() < 64 => {
                match expected.contains_key(name) {
                    true => wrong += 1,
                    false => drop(expected.insert(name, limit)),
                }
            }
            _ => wrong += 1,
        }
    }
    assert_eq!(resolved.lines.len(), wrong, "{:?}", resolved.lines);
    assert_eq!(resolved.well, wrong == 0);
    for item in text.split(',') {
        let name = item.split('=').next().unwrap();
        assert_eq!(resolved.cluster_budget(name), expected.get(name).copied(), "{name:?}");
    }
});
