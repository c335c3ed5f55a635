//! Names that were meant to be ours.
//!
//! Layer 3.  Plane: data.
//!
//! `FAILFAST_BUGDET=64MiB` sets no limit. Nobody notices until the day it is needed.

use super::options::{OPTIONS, PREFIX};

/// More than any of our names is long. Longer ones are near to none.
const NAME_LEN_MAX: usize = 32;
/// The most edits that are asked about: what `allowance` can say.
const EDITS_MAX: u8 = 2;

/// The option that `name`, which is none, was probably meant to be: the nearest within a typing
/// error of it. Case does not count, so `failfast_budget` is near too.
pub(crate) fn near(name: &[u8]) -> Option<&'static str> {
    if !may_be_near(name) || is_of_a_service(name) {
        return None;
    }
    OPTIONS
        .iter()
        .filter_map(|spec| {
            let edits = edits(name, spec.name.as_bytes())?;
            (edits <= allowance(spec.name.as_bytes())).then_some((edits, spec.name))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Whether the beginning of `name` leaves it possible: quick, for a cluster manager gives its
/// programs hundreds of variables, and all are looked at before `main`.
///
/// An edit takes at most one letter of the prefix away, and moves the others by at most one place.
fn may_be_near(name: &[u8]) -> bool {
    let edits = usize::from(EDITS_MAX);
    let of_prefix = |byte: &&u8| PREFIX.contains(&byte.to_ascii_uppercase());
    name.iter().take(PREFIX.len() + edits).filter(of_prefix).count() + edits >= PREFIX.len()
}

/// Whether Kubernetes sets `name` in each container beside a service that is called `failfast`.
fn is_of_a_service(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    rest == b"PORT" || rest.starts_with(b"PORT_") || rest.starts_with(b"SERVICE_")
}

/// How many errors still point at `name`: one for `FAILFAST_MODE`, where two would make it
/// `FAILFAST_NAME`; two where what follows the prefix is longer than five letters.
fn allowance(name: &[u8]) -> u8 {
    if name.len().saturating_sub(PREFIX.len()) > 5 { EDITS_MAX } else { 1 }
}

/// The fewest insertions, deletions, replacements and exchanges of neighbours that make `b` of
/// `a`, no letter edited twice, case aside. `None` if more than [`EDITS_MAX`].
fn edits(a: &[u8], b: &[u8]) -> Option<u8> {
    if a.len().abs_diff(b.len()) > usize::from(EDITS_MAX) || b.len() >= NAME_LEN_MAX {
        return None;
    }
    // Row i holds, at j, the edits between the first i letters of `a` and the first j of `b`.
    let mut before = [u8::MAX; NAME_LEN_MAX];
    let mut last: [u8; NAME_LEN_MAX] = core::array::from_fn(|j| j as u8);
    let mut previous_letter = None;
    for (deleted, letter) in (1..).zip(a) {
        let mut row = [deleted; NAME_LEN_MAX];
        let (mut left, mut other_before) = (deleted, None);
        // Read along the columns j + 1: what is in row and `last` at j is left and above.
        let columns = row.iter_mut().skip(1).zip(b).zip(last.windows(2));
        for (j, ((cell, other), above)) in columns.enumerate() {
            let [diagonal, above] = *above else { continue };
            let same = letter.eq_ignore_ascii_case(other);
            let mut fewest = (diagonal + u8::from(!same)).min(above + 1).min(left + 1);
            let swapped = eq(other_before, Some(*letter)) && eq(previous_letter, Some(*other));
            if swapped && let Some(corner) = j.checked_sub(1).and_then(|j| before.get(j)) {
                fewest = fewest.min(corner.saturating_add(1));
            }
            (*cell, left, other_before) = (fewest, fewest, Some(*other));
        }
        // No row falls below the least of the one before; and an exchange, which starts from the
        // row before that, costs what a deletion from there to here does. So this is final.
        if row.iter().take(b.len() + 1).all(|edits| *edits > EDITS_MAX) {
            return None;
        }
        (before, last, previous_letter) = (last, row, Some(*letter));
    }
    last.get(b.len()).copied().filter(|edits| *edits <= EDITS_MAX)
}

fn eq(a: Option<u8>, b: Option<u8>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a.eq_ignore_ascii_case(&b))
}

const _: () = {
    let mut index = 0;
    while index < OPTIONS.len() {
        assert!(OPTIONS[index].name.len() < NAME_LEN_MAX);
        index += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_near() {
        for (name, meant) in [
            ("FAILFAST_BUGDET", "FAILFAST_BUDGET"),
            ("FAILFAST_BUDGE", "FAILFAST_BUDGET"),
            ("FAILFAST_BUDGETS", "FAILFAST_BUDGET"),
            ("FAILFAST_BUDET", "FAILFAST_BUDGET"),
            ("FAILFAST_BUJET", "FAILFAST_BUDGET"),
            ("FAILFASTBUDGET", "FAILFAST_BUDGET"),
            ("FAIL_FAST_BUDGET", "FAILFAST_BUDGET"),
            ("FAILFAST-BUDGET", "FAILFAST_BUDGET"),
            ("FAILFAST__BUDGET", "FAILFAST_BUDGET"),
            ("failfast_budget", "FAILFAST_BUDGET"),
            ("Failfast_Bugdet", "FAILFAST_BUDGET"),
            ("FIALFAST_BUDGET", "FAILFAST_BUDGET"),
            ("AILFAST_BUDGET", "FAILFAST_BUDGET"),
            ("FAILFAST_CLUSTER_BUDGET", "FAILFAST_CLUSTER_BUDGETS"),
            ("FAILFAST_STACKBUDGET", "FAILFAST_STACK_BUDGET"),
            ("FAILFAST_HOOKTIMEOUT", "FAILFAST_HOOK_TIMEOUT"),
            ("FAILFAST_EXEC_TIMOUT", "FAILFAST_EXEC_TIMEOUT"),
            ("FAILFAST_EXCE", "FAILFAST_EXEC"),
            ("FAILFAST_MODES", "FAILFAST_MODE"),
            ("FAILFAST_ABROT", "FAILFAST_ABORT"),
            ("FAILFAST_REPROT", "FAILFAST_REPORT"),
            ("FAILFAST_RESERVED", "FAILFAST_RESERVE"),
        ] {
            assert_eq!(near(name.as_bytes()), Some(meant), "{name}");
        }
    }

    #[test]
    fn other_names_are_not() {
        for name in [
            "",
            "A",
            "PATH",
            "FAILFAST",
            "FAILFAST_",
            "FAILFAST_NAME",
            "FAILFAST_LIMIT",
            "FAILFAST_HEAP_BUDGET",
            "FAILFAST_LOG",
            "FAILFAST_RETRIES",
            "FAIL_FAST",
            "LD_PRELOAD",
            "FAILFAST_STACK",
            "FAILFAST_RUN_ID",
            "OTEL_EXPORTER",
            "RUST_BACKTRACE",
            "BUDGET",
        ] {
            assert_eq!(near(name.as_bytes()), None, "{name}");
        }
    }

    /// All names that are one edit away.
    fn neighbours(name: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for at in 0..=name.len() {
            let (before, after) = name.split_at(at);
            all.push([before, b"x", after].concat());
            if let [first, rest @ ..] = after {
                all.push([before, rest].concat());
                all.push([before, b"x", rest].concat());
                if let [second, rest @ ..] = rest {
                    all.push([before, &[*second, *first], rest].concat());
                }
            }
        }
        all
    }

    /// The quick look lets pass what the edits would. (An exchange with something put between the
    /// two is three edits.)
    #[test]
    fn a_quick_look_misses_nothing() {
        for spec in &OPTIONS {
            let name = spec.name.as_bytes();
            for once in neighbours(name) {
                assert!(near(&once).is_some(), "{}", once.escape_ascii());
                for twice in neighbours(&once) {
                    let missed = edits(&twice, name).is_some() && !may_be_near(&twice);
                    assert!(!missed, "{}", twice.escape_ascii());
                }
            }
        }
    }

    /// The definition, read off the page: slow, recursive, without rows.
    fn naive(a: &[u8], b: &[u8]) -> u8 {
        let (Some((x, a_rest)), Some((y, b_rest))) = (a.split_last(), b.split_last()) else {
            return (a.len() + b.len()) as u8;
        };
        let mut fewest = (naive(a_rest, b_rest) + u8::from(!x.eq_ignore_ascii_case(y)))
            .min(naive(a_rest, b) + 1)
            .min(naive(a, b_rest) + 1);
        if let (Some((x2, a_rest)), Some((y2, b_rest))) = (a_rest.split_last(), b_rest.split_last())
            && x.eq_ignore_ascii_case(y2)
            && y.eq_ignore_ascii_case(x2)
        {
            fewest = fewest.min(naive(a_rest, b_rest) + 1);
        }
        fewest
    }

    #[test]
    fn edits_are_what_the_definition_says() {
        let words = |len: u32| {
            (0..3_usize.pow(len)).map(move |mut code| {
                std::iter::repeat_with(|| (b"aBc"[code % 3], code /= 3).0)
                    .take(len as usize)
                    .collect::<Vec<u8>>()
            })
        };
        for a in (0..=4).flat_map(words) {
            for b in (0..=4).flat_map(words) {
                let expected = Some(naive(&a, &b)).filter(|edits| *edits <= EDITS_MAX);
                assert_eq!(edits(&a, &b), expected, "{a:?} {b:?}");
            }
        }
    }
}
