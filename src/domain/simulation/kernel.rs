//! Quotas of many scenarios over the same scores, in 64-bit fixed point, and their largest remainders.
//!
//! A region's quota is a sum over components of money times share. Shares are kept as integers: `s` stands for a
//! share between `s` and `s + 2` times 2^-(64 + shift), with the shift as large as the component's largest share
//! allows. A scenario brings each component's money as an integer `m`: it lies between `m` and `m + 2` times
//! 2^-(places - shift). The upper 64 bits of `m * s` then are the component's part of the quota in 2^-places, too
//! small by less than
//!
//! ```text
//! (m + 2) (s + 2) / 2^64 - (m s / 2^64 - 1)  =  1 + (2 m + 2 s + 4) / 2^64  <  4        (m < 2^63, s < 2^64)
//! ```
//!
//! so that each quota lies between its sum and that sum plus 4 for each component. `places` is chosen for each
//! scenario so that the largest quota has 62 bits. Where an interval holds a whole number, or where those at the cut
//! between residual units given and not given overlap, and only there, the exact quotas decide
//! (compare [`crate::domain::exact`]); the result is that of rational arithmetic. Who is above the cut is found by
//! counting remainders into bins and selecting within one bin, without sorting.

use crate::domain::apportion::{Limits, residual_order};
use crate::domain::exact::amounts::Scores;
use crate::domain::exact::enclosure::product_shifted;
use crate::domain::exact::{BigInt, Fraction};
use num_traits::{ToPrimitive, Zero};

/// How far above its lower end a component's part of a quota can be, in units of the last place.
const SLACK: u64 = 4;
/// Bits of the largest quota in fixed point.
const QUOTA_BITS: u32 = 62;
/// Most binary places.
const MAX_PLACES: u32 = 60;
/// Up to so many rows selection among all of them is quicker than bins.
const FEW_ROWS: usize = 64;

/// One component's shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Scale {
    /// All shares are at most 2^-shift.
    shift: u32,
    /// Whether any score is above zero.
    divides: bool,
}

/// What fixed point cannot decide, or hold: the scenario is computed another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Elsewhere;

/// How a component's money comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Funds<'m> {
    /// A percentage, in 10^-26 percent, of whole units.
    PercentOf(u128, u64),
    /// Units, exactly.
    Exactly(&'m Fraction),
}

/// Shares of all components, row by row, and what a scenario needs to work in.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    rows: usize,
    parts: usize,
    /// Row by row, a share for each component.
    shares: Vec<u64>,
    scales: Vec<Scale>,
    multipliers: Vec<u64>,
    /// Each component's money in 2^-63, where it is a percentage.
    products: Vec<u128>,
    quotas: Vec<u64>,
    bins: Vec<u32>,
    bin_bits: u32,
    candidates: Vec<u64>,
    unclear: Vec<usize>,
}

impl Kernel {
    /// The shares of these scores; `None` where a component's scores are beyond fixed point.
    pub(super) fn new(rows: usize, scores: &[&Scores]) -> Option<Self> {
        let parts = scores.len();
        // About two remainders to a bin.
        let bin_bits = (usize::BITS - rows.leading_zeros()).saturating_sub(1).min(16);
        let mut kernel = Self {
            rows,
            parts,
            shares: vec![0; rows * parts],
            scales: vec![Scale::default(); parts],
            multipliers: vec![0; parts],
            products: vec![0; parts],
            quotas: vec![0; rows],
            bins: vec![0; if rows > FEW_ROWS { 1 << bin_bits } else { 0 }],
            bin_bits,
            candidates: Vec::with_capacity(rows),
            unclear: Vec::with_capacity(rows),
        };
        for (at, scores) in scores.iter().enumerate() {
            kernel.set(at, scores)?;
        }
        Some(kernel)
    }

    /// Puts other scores in a component's place.
    pub(super) fn set(&mut self, at: usize, scores: &Scores) -> Option<()> {
        let integers = scores.integers()?;
        let (low_sum, high_sum) = integers.sums();
        let column = self.shares.iter_mut().skip(at).step_by(self.parts);
        if low_sum.is_zero() {
            self.scales[at] = Scale::default();
            column.for_each(|share| *share = 0);
            return Some(());
        }
        let largest = integers
            .high
            .as_ref()
            .unwrap_or(&integers.low)
            .iter()
            .max()
            .copied()?;
        let bits = u64::from(u128::BITS - largest.leading_zeros());
        // largest < 2^bits and 2^(sum bits - 1) <= sum, so largest * 2^shift < sum.
        let shift = low_sum.bits().saturating_sub(bits + 1).to_u32()?;
        self.scales[at] = Scale { shift, divides: true };
        match high_sum.to_u64() {
            Some(sum) => {
                for (share, low) in column.zip(&integers.low) {
                    // Not above the sum by the choice of the shift, or not shifted at all.
                    let scaled = u64::try_from(*low << shift).ok()?;
                    let quotient = (u128::from(scaled) << 64) / u128::from(sum);
                    *share = u64::try_from(quotient).unwrap_or(u64::MAX);
                }
            }
            None => {
                for (share, low) in column.zip(&integers.low) {
                    let quotient = (BigInt::from(*low) << (64 + shift)) / &high_sum;
                    *share = quotient.to_u64().unwrap_or(u64::MAX);
                }
            }
        }
        Some(())
    }

    /// Whether a component has any score to divide by.
    pub(super) fn divides(&self, at: usize) -> bool {
        self.scales[at].divides
    }

    /// Writes the quotas of a scenario, and gives the number of binary places.
    pub(super) fn spread<'m>(
        &mut self,
        money: impl Iterator<Item = Funds<'m>> + Clone,
    ) -> Result<u32, Elsewhere> {
        let mut largest: u64 = 0;
        for ((money, scale), product) in money.clone().zip(&self.scales).zip(&mut self.products) {
            let most = match money {
                Funds::PercentOf(percent, rest) => {
                    *product = by_fraction(rest, hundredths(percent));
                    u64::try_from(*product >> 63).map_err(|_| Elsewhere)? + 1
                }
                Funds::Exactly(units) => units.ceiling().to_u64().ok_or(Elsewhere)?,
            };
            let part = most.checked_shr(scale.shift).unwrap_or(0) + 1;
            largest = largest.checked_add(part).ok_or(Elsewhere)?;
        }
        let places = QUOTA_BITS
            .checked_sub(u64::BITS - largest.leading_zeros())
            .ok_or(Elsewhere)?
            .min(MAX_PLACES);
        let parts = money.zip(&self.scales).zip(&self.products);
        for (((money, scale), product), multiplier) in parts.zip(&mut self.multipliers) {
            let binary = i64::from(places) - i64::from(scale.shift);
            *multiplier = match money {
                Funds::PercentOf(..) => {
                    // `binary` is at most MAX_PLACES.
                    let shifted = u32::try_from(63 - binary).map_err(|_| Elsewhere)?;
                    product.checked_shr(shifted).unwrap_or(0)
                }
                Funds::Exactly(units) => {
                    let scaled = if binary >= 0 {
                        (&units.numerator << binary) / &units.denominator
                    } else {
                        &units.numerator / (&units.denominator << -binary)
                    };
                    scaled.to_u128().ok_or(Elsewhere)?
                }
            }
            .to_u64()
            .filter(|multiplier| *multiplier < 1 << 63)
            .ok_or(Elsewhere)?;
        }
        self.multiply();
        Ok(places)
    }

    fn multiply(&mut self) {
        match self.parts {
            1 => self.multiply_by::<1>(),
            2 => self.multiply_by::<2>(),
            3 => self.multiply_by::<3>(),
            4 => self.multiply_by::<4>(),
            5 => self.multiply_by::<5>(),
            6 => self.multiply_by::<6>(),
            7 => self.multiply_by::<7>(),
            8 => self.multiply_by::<8>(),
            parts => {
                for (quota, shares) in self.quotas.iter_mut().zip(self.shares.chunks_exact(parts)) {
                    let terms = shares.iter().zip(&self.multipliers);
                    *quota = terms.map(|(share, multiplier)| upper(*share, *multiplier)).sum();
                }
            }
        }
    }

    /// The inner loop, with the multipliers of a known number of components in registers.
    fn multiply_by<const PARTS: usize>(&mut self) {
        let Some(multipliers) = self.multipliers.first_chunk::<PARTS>() else {
            return;
        };
        let (shares, _) = self.shares.as_chunks::<PARTS>();
        for (quota, shares) in self.quotas.iter_mut().zip(shares) {
            let mut sum = 0;
            for part in 0..PARTS {
                sum += upper(shares[part], multipliers[part]);
            }
            *quota = sum;
        }
    }

    /// Whether every quota of the scenario is within its limits for certain.
    pub(super) fn within(&self, places: u32, limits: &[Limits]) -> bool {
        let slack = SLACK * self.parts as u64;
        self.quotas.iter().zip(limits).all(|(quota, limits)| {
            let low = quota >> places;
            let high = (quota + slack - 1) >> places;
            // At most `high` and something: within the limit only if that is not reached.
            u64::try_from(limits.low.max(0)).is_ok_and(|limit| low >= limit)
                && u64::try_from(limits.high).is_ok_and(|limit| high < limit)
        })
    }

    /// Rounds the quotas last written by largest remainder; `exact` gives a row's exact quota.
    ///
    /// Gives whole units times `unit`, and how many exact quotas it asked for.
    pub(super) fn round(
        &mut self,
        places: u32,
        total: i64,
        unit: i64,
        mut exact: impl FnMut(usize) -> Fraction,
        amounts: &mut [i64],
    ) -> Result<usize, Elsewhere> {
        let slack = SLACK * self.parts as u64;
        let fraction = (1_u64 << places) - 1;
        if fraction <= 4 * slack || amounts.len() != self.rows {
            return Err(Elsewhere);
        }
        let many = self.rows > FEW_ROWS;
        let bin_shift = places.saturating_sub(self.bin_bits);
        self.unclear.clear();
        let mut given: u64 = 0;
        if many {
            self.bins.fill(0);
            for (row, quota) in self.quotas.iter().enumerate() {
                let above = quota & fraction;
                given += quota >> places;
                self.bins[(above >> bin_shift) as usize] += 1;
                if above > fraction - slack {
                    self.unclear.push(row);
                }
            }
        } else {
            for (row, quota) in self.quotas.iter().enumerate() {
                given += quota >> places;
                if quota & fraction > fraction - slack {
                    self.unclear.push(row);
                }
            }
        }
        let mut asked = self.unclear.len();
        for at in 0..self.unclear.len() {
            let row = self.unclear[at];
            let quota = self.quotas[row];
            let above = ((quota >> places) + 1) << places;
            let whole = (above >> places).to_i64().ok_or(Elsewhere)?;
            if exact(row) >= Fraction::whole(whole) {
                self.quotas[row] = above;
                given += 1;
                if many {
                    self.bins[((quota & fraction) >> bin_shift) as usize] -= 1;
                    self.bins[0] += 1;
                }
            }
        }
        self.unclear.clear();
        let left = (u64::try_from(total).ok())
            .and_then(|total| total.checked_sub(given))
            .and_then(|left| usize::try_from(left).ok())
            .filter(|left| *left <= self.rows)
            .ok_or(Elsewhere)?;
        if left == 0 {
            for (amount, quota) in amounts.iter_mut().zip(&self.quotas) {
                *amount = (quota >> places) as i64 * unit;
            }
            return Ok(asked);
        }
        let cut = self.cut(left, fraction, bin_shift);
        // Remainders above `surely` are among the first `left`, those below `hardly` are not.
        let (surely, hardly) = (cut.saturating_add(slack), cut.saturating_sub(slack));
        let mut certain = 0;
        for (row, (amount, quota)) in amounts.iter_mut().zip(&self.quotas).enumerate() {
            let above = quota & fraction;
            let up = above > surely;
            certain += usize::from(up);
            *amount = ((quota >> places) as i64 + i64::from(up)) * unit;
            // One comparison that is nearly always false: two would be guessed wrong half the time.
            if above.wrapping_sub(hardly) <= surely - hardly {
                self.unclear.push(row);
            }
        }
        let wanted = left.checked_sub(certain).ok_or(Elsewhere)?;
        if self.unclear.len() > wanted {
            asked += self.unclear.len();
            let mut quotas: Vec<(usize, Fraction)> =
                self.unclear.iter().map(|row| (*row, exact(*row))).collect();
            quotas.sort_by(|a, b| residual_order((a.0, &a.1), (b.0, &b.1)));
            self.unclear.clear();
            self.unclear.extend(quotas.into_iter().map(|(row, _)| row));
        }
        for row in self.unclear.iter().take(wanted) {
            amounts[*row] += unit;
        }
        Ok(asked)
    }

    /// The lower end of the remainder that has place `left`, from 1, from the top.
    fn cut(&mut self, left: usize, fraction: u64, bin_shift: u32) -> u64 {
        self.candidates.clear();
        let mut place = left;
        if self.rows > FEW_ROWS {
            let mut bin = self.bins.len() - 1;
            while bin > 0 && place > self.bins[bin] as usize {
                place -= self.bins[bin] as usize;
                bin -= 1;
            }
            for quota in &self.quotas {
                let above = quota & fraction;
                if above >> bin_shift == bin as u64 {
                    self.candidates.push(above);
                }
            }
        } else {
            self.candidates
                .extend(self.quotas.iter().map(|quota| quota & fraction));
        }
        let place = place.clamp(1, self.candidates.len().max(1)) - 1;
        if self.candidates.is_empty() {
            return fraction;
        }
        *self.candidates.select_nth_unstable_by(place, |a, b| b.cmp(a)).1
    }
}

/// The upper 64 bits of a product.
fn upper(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> 64) as u64
}

/// 2^221 / 10^28, rounded down: a reciprocal with 128 significant bits.
const RECIPROCAL: u128 = 0xfd87_b5f2_8300_ca0d_8bca_9d6e_1888_53fc;

/// A percentage in 10^-26 percent as a fraction in 2^-127, too small by less than 2.
fn hundredths(percent: u128) -> u128 {
    // At most 10^28 < 2^93.1, so the shift loses nothing.
    product_shifted(percent << 34, RECIPROCAL, 128).unwrap_or(0)
}

/// `units` times a fraction in 2^-127, in 2^-63, rounded down.
fn by_fraction(units: u64, fraction: u128) -> u128 {
    let lower = u128::from(units) * (fraction & u128::from(u64::MAX));
    u128::from(units) * (fraction >> 64) + (lower >> 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::exact::Column;
    use num_traits::One;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    #[test]
    fn reciprocal_is_that_of_big_integers() {
        let exact = (BigInt::one() << 221) / BigInt::from(10).pow(28);
        assert_eq!(BigInt::from(RECIPROCAL), exact);
    }

    proptest! {
        #[test]
        fn percentages_are_enclosed(percent in 0..=10_u128.pow(28), units in 0..1_u64 << 57) {
            let fraction = BigInt::from(hundredths(percent));
            let exact = (BigInt::from(percent) << 127) / BigInt::from(10).pow(28);
            prop_assert!(fraction <= exact && exact < &fraction + 2);
            let product = BigInt::from(by_fraction(units, hundredths(percent)));
            let exact = ((BigInt::from(percent) * units) << 63) / BigInt::from(10).pow(28);
            prop_assert!(product <= exact && exact <= &product + 1);
        }

        #[test]
        fn quotas_are_enclosed(
            columns in proptest::collection::vec(proptest::collection::vec(0_u64..1 << 40, 5), 1..10),
            weights in proptest::collection::vec(0_u64..1000, 10),
            rest in 0_u64..1 << 57,
        ) {
            let scores: Vec<Scores> = columns
                .iter()
                .map(|column| {
                    let values: Vec<Decimal> = column.iter().map(|value| Decimal::from(*value)).collect();
                    Scores::new(Column::decimals(&values), 5)
                })
                .collect();
            let all: u64 = weights[..columns.len()].iter().sum::<u64>().max(1);
            let percents: Vec<u128> = weights[..columns.len()]
                .iter()
                .map(|weight| 10_u128.pow(28) / u128::from(all) * u128::from(*weight))
                .collect();
            let mut kernel = Kernel::new(5, &scores.iter().collect::<Vec<_>>()).unwrap();
            let money = percents.iter().map(|percent| Funds::PercentOf(*percent, rest));
            let places = kernel.spread(money).unwrap();
            for row in 0..5 {
                let mut exact = Fraction::whole(0);
                for (scores, percent) in scores.iter().zip(&percents) {
                    if scores.any_positive() {
                        let share = scores.column().fraction(row).over(scores.sum());
                        let paid = Fraction::new(BigInt::from(*percent) * rest, BigInt::from(10).pow(28));
                        exact = exact.plus(&share.times(&paid));
                    }
                }
                let scaled = exact.times(&Fraction::whole(BigInt::one() << places));
                let low = kernel.quotas[row];
                prop_assert!(Fraction::whole(low) <= scaled);
                prop_assert!(scaled < Fraction::whole(low + SLACK * columns.len() as u64));
            }
        }
    }
}
