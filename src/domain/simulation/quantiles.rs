//! Exact quantiles of many amounts in bounded memory.
//!
//! A quantile is an amount that occurred: the smallest one such that at least the given part of all is not above
//! it (type 1 of R. J. Hyndman and Y. Fan, *Sample Quantiles in Statistical Packages*, The American Statistician 50,
//! 1996; the inverse of the empirical distribution function). No interpolation, nothing rounded.
//!
//! Where all amounts fit the memory allowed they are kept and sorted. Where they do not, they are computed
//! again: a pass finds the ends, and each further one divides the interval around every quantile into bins, counts
//! what falls in, and goes on with the bin that the quantile is in, until a bin is one fen (selection in
//! passes, J. I. Munro and M. S. Paterson, *Selection and Sorting with Limited Storage*, 1980). Both give the same.

use crate::domain::exact::{BigInt, rational};
use num_traits::ToPrimitive;
use rust_decimal::Decimal;

/// The position of a quantile among `count` amounts in order, from 1; `percent` is from 0 to 100.
pub fn rank(percent: Decimal, count: u64) -> u64 {
    let exact = rational(percent) * BigInt::from(count) / BigInt::from(100);
    exact
        .ceil()
        .to_integer()
        .to_u64()
        .unwrap_or(count)
        .clamp(1, count.max(1))
}

/// The search for one amount by its rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hunt {
    /// The amount is not below.
    low: i64,
    /// Bins are `2^shift` fen wide.
    shift: u32,
    /// Rank among the amounts from `low` on, from 1.
    rank: u64,
    /// Whether `low` is the amount.
    found: bool,
}

impl Hunt {
    /// Looks for the amount of a rank, known to be from `low` to `high`.
    pub(super) fn new(low: i64, high: i64, rank: u64, bins_log2: u32) -> Self {
        let span = high.abs_diff(low);
        Self {
            low,
            shift: (u64::BITS - span.leading_zeros()).saturating_sub(bins_log2),
            rank,
            found: span == 0,
        }
    }

    /// Counts an amount in its bin.
    pub(super) fn count(&self, amount: i64, bins: &mut [u64]) {
        if !self.found && amount >= self.low {
            let bin = amount.abs_diff(self.low) >> self.shift;
            if let Some(bin) = usize::try_from(bin).ok().and_then(|bin| bins.get_mut(bin)) {
                *bin += 1;
            }
        }
    }

    /// Goes on with the bin that the amount is in.
    pub(super) fn narrow(&mut self, bins: &[u64], bins_log2: u32) {
        if self.found {
            return;
        }
        for (at, count) in bins.iter().enumerate() {
            if self.rank <= *count {
                self.low = self.low.saturating_add_unsigned((at as u64) << self.shift);
                self.found = self.shift == 0;
                self.shift = self.shift.saturating_sub(bins_log2);
                return;
            }
            self.rank -= count;
        }
        // Every amount is in a bin as long as samples are what they were in the pass before.
        self.found = true;
    }

    /// The amount, once it is known.
    pub(super) fn amount(&self) -> Option<i64> {
        self.found.then_some(self.low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_are_those_of_type_1() {
        let percent = |text| Decimal::from_str_exact(text).unwrap();
        assert_eq!(rank(percent("50"), 10), 5);
        assert_eq!(rank(percent("50"), 11), 6);
        assert_eq!(rank(percent("25"), 10), 3);
        assert_eq!(rank(percent("0"), 10), 1);
        assert_eq!(rank(percent("100"), 10), 10);
        assert_eq!(rank(percent("5"), 1_000_000), 50_000);
    }

    proptest! {
        #[test]
        fn hunting_finds_what_sorting_finds(
            mut amounts in prop::collection::vec(
                prop_oneof![any::<i64>().prop_map(|n| n / 100), 0..50_i64], 1..200),
            percent in 0..=100_u32,
            bins_log2 in 1..8_u32,
        ) {
            let rank = rank(percent.into(), amounts.len() as u64);
            let (low, high) = (*amounts.iter().min().unwrap(), *amounts.iter().max().unwrap());
            let mut hunt = Hunt::new(low, high, rank, bins_log2);
            let mut passes = 0;
            while hunt.amount().is_none() {
                let mut bins = vec![0; 1 << bins_log2];
                for amount in &amounts {
                    hunt.count(*amount, &mut bins);
                }
                hunt.narrow(&bins, bins_log2);
                passes += 1;
                prop_assert!(passes <= 64);
            }
            amounts.sort_unstable();
            prop_assert_eq!(hunt.amount(), Some(amounts[rank as usize - 1]));
        }
    }
}
