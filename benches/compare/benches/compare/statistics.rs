//! Medians of ratios, and how far to trust them.

use statrs::statistics::{Data, OrderStatistics};

/// How often the rounds are drawn anew for an interval.
const RESAMPLES: usize = 400;

/// One subject's samples of one workload, a round each; and those of the bare inner allocator,
/// twice, from the same rounds.
pub(crate) struct Cell<'a> {
    pub(crate) samples: &'a [f64],
    pub(crate) bare: [&'a [f64]; 2],
}

/// The median.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    Data::new(numbers.into_iter().collect::<Vec<_>>()).median()
}

/// The geometric mean.
pub(crate) fn geometric_mean(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let logarithms: Vec<f64> = numbers.into_iter().map(f64::ln).collect();
    (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp()
}

impl Cell<'_> {
    /// The ratio to bare: the median over rounds, of this round's sample against each of the two
    /// bare ones of the same round. What slows down a whole round cancels out.
    pub(crate) fn ratio(&self) -> f64 {
        self.ratio_of(0..self.samples.len())
    }

    fn ratio_of(&self, rounds: impl Iterator<Item = usize> + Clone) -> f64 {
        let against =
            |bare: &'_ [f64]| rounds.clone().map(|r| self.samples[r] / bare[r]).collect::<Vec<_>>();
        median(self.bare.iter().flat_map(|bare| against(bare)))
    }

    /// The ratio in rounds drawn at random, with repetition.
    fn resampled(&self, random: &mut fastrand::Rng) -> f64 {
        let count = self.samples.len();
        let rounds: Vec<usize> = (0..count).map(|_| random.usize(..count)).collect();
        self.ratio_of(rounds.into_iter())
    }
}

/// Where the geometric mean of these cells' ratios lies with 95 % confidence, by the bootstrap.
pub(crate) fn interval(cells: &[Cell<'_>]) -> (f64, f64) {
    let mut random = fastrand::Rng::with_seed(1);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| geometric_mean(cells.iter().map(|cell| cell.resampled(&mut random))))
        .collect();
    means.sort_by(f64::total_cmp);
    (means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40])
}
