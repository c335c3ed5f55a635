//! The accounts of clusters, as a report shows them.
//!
//! Layer 2.  Plane: data.
//!
//! A process may have thousands of clusters; a report has room for the largest few. They are
//! offered one by one, in any order, and the largest stay.

use super::text::Text;
use core::mem;

/// The most bytes a cluster's name has.
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// How many clusters a report has room for.
pub(crate) const CLUSTERS_MAX: usize = 16;

/// What a cluster had at the moment of death: a copy, so that dying needs no ledger.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// The cluster's name.
    pub(crate) name: Text<NAME_BYTES_MAX>,
    /// Bytes handed out and not yet freed.
    pub(crate) live: usize,
    /// The highest `live` so far.
    pub(crate) peak: usize,
    /// The most that `live` may be, if there is a bound.
    pub(crate) budget: Option<usize>,
    /// The cluster's number: names are not unique. Zero for the root.
    pub(crate) id: u16,
}

impl Account {
    /// No cluster.
    pub(crate) const NONE: Self = Self { name: Text::new(), live: 0, peak: 0, budget: None, id: 0 };

    /// A cluster's account.
    pub(crate) fn new(name: &str, live: usize, peak: usize, budget: Option<usize>) -> Self {
        Self { name: Text::of(name), live, peak, budget, id: 0 }
    }
}

/// The largest clusters, largest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clusters {
    rows: [Account; CLUSTERS_MAX],
    kept: usize,
    seen: usize,
}

impl Clusters {
    /// None.
    pub(crate) const fn new() -> Self {
        Self { rows: [Account::NONE; CLUSTERS_MAX], kept: 0, seen: 0 }
    }

    /// Keeps `account` if it is among the largest; of equals, those offered first.
    pub(crate) fn add(&mut self, account: Account) {
        let place = self.rows().iter().take_while(|row| row.live >= account.live).count();
        let mut carried = account;
        for row in self.rows.iter_mut().skip(place) {
            mem::swap(row, &mut carried);
        }
        self.seen = self.seen.saturating_add(1);
        self.kept = self.seen.min(CLUSTERS_MAX);
    }

    /// Those that were kept.
    pub(crate) fn rows(&self) -> &[Account] {
        self.rows.get(..self.kept).unwrap_or_default()
    }

    /// How many were offered.
    pub(crate) const fn seen(&self) -> usize {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_stay_largest_first() {
        let mut clusters = Clusters::new();
        // Every residue of 7 once in each 101, so neither rising nor falling.
        let lives: Vec<usize> = (0..101).map(|n| n * 7 % 101).collect();
        for (n, live) in lives.iter().enumerate() {
            clusters.add(Account::new("c", *live, 0, None));
            let mut expected = lives[..=n].to_vec();
            expected.sort_unstable_by(|a, b| b.cmp(a));
            expected.truncate(CLUSTERS_MAX);
            let kept: Vec<usize> = clusters.rows().iter().map(|row| row.live).collect();
            assert_eq!(kept, expected);
            assert_eq!(clusters.seen(), n + 1);
        }
    }

    #[test]
    fn of_equals_the_first_stay() {
        let mut clusters = Clusters::new();
        for n in 0..CLUSTERS_MAX + 1 {
            clusters.add(Account::new(&n.to_string(), 5, 0, None));
        }
        let names: Vec<&str> = clusters.rows().iter().map(|row| row.name.as_str()).collect();
        assert_eq!((names[0], names[15]), ("0", "15"));
    }
}
