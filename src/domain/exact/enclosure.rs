//! Fixed-point intervals that contain an exact value, by outward rounding in integers.
//!
//! An [`Enclosure`] holds two multiples of 2^-64; the exact value is never below the first nor above
//! the second. A [`Multiplier`] holds a rational factor the same way, as a 127-bit integer and a
//! shift. Multiplying rounds the lower end down and the upper end up, so the result encloses the
//! exact product by construction. Anything that does not fit becomes [`Enclosure::UNKNOWN`], which
//! is clear of no threshold: whoever asks then computes exactly.

use super::{BigInt, Fraction};
use num_traits::{Signed, ToPrimitive};

/// Binary places after the point.
pub const PLACES: u32 = 64;

/// An interval, in multiples of 2^-64, that contains an exact value of zero or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enclosure {
    /// Not above the value.
    pub low: u128,
    /// Not below the value.
    pub high: u128,
}

impl Enclosure {
    /// Says nothing about the value.
    pub const UNKNOWN: Self = Self {
        low: 0,
        high: u128::MAX,
    };

    /// Zero, known exactly.
    pub const ZERO: Self = Self { low: 0, high: 0 };

    /// A whole number, known exactly.
    pub fn whole(value: i64) -> Self {
        match u128::try_from(value) {
            Ok(value) => Self {
                low: value << PLACES,
                high: value << PLACES,
            },
            Err(_) => Self::UNKNOWN,
        }
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        match (self.low.checked_add(other.low), self.high.checked_add(other.high)) {
            (Some(low), Some(high)) => Self { low, high },
            _ => Self::UNKNOWN,
        }
    }

    /// The product with a factor.
    #[must_use]
    pub fn times(self, factor: &Multiplier) -> Self {
        let low = product_shifted(self.low, factor.low, factor.shift);
        let high = product_shifted(self.high, factor.high, factor.shift).and_then(|high| high.checked_add(1));
        match (low, high) {
            (Some(low), Some(high)) => Self { low, high },
            _ => Self::UNKNOWN,
        }
    }

    /// The floor, where the interval decides it.
    pub fn floor(self) -> Option<i64> {
        let (low, high) = (self.low >> PLACES, self.high >> PLACES);
        if low == high {
            i64::try_from(low).ok()
        } else {
            None
        }
    }

    /// What the value is above a whole number that it is not below.
    #[must_use]
    pub fn above(self, floor: i64) -> Self {
        let floor = Self::whole(floor).low;
        Self {
            low: self.low.saturating_sub(floor),
            high: self.high.saturating_sub(floor),
        }
    }

    /// The order against another value, where the intervals decide it.
    pub fn order(self, other: Self) -> Option<std::cmp::Ordering> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        if self.high < other.low {
            Some(Less)
        } else if self.low > other.high {
            Some(Greater)
        } else if self.low == self.high && other.low == other.high {
            Some(Equal)
        } else {
            None
        }
    }
}

/// A factor between `low * 2^-shift` and `high * 2^-shift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multiplier {
    low: u128,
    high: u128,
    shift: u32,
}

/// Binary digits kept of a multiplier.
const MULTIPLIER_BITS: i64 = 126;
/// Largest shift: the product has 256 bits.
const MAX_SHIFT: i64 = 250;

impl Multiplier {
    /// Encloses every factor from `low` to `high`, times `2^places`.
    ///
    /// With `places` = [`PLACES`] it takes integers to enclosures; with 0, enclosures to enclosures.
    /// `None` where the factor does not fit; the product is then unknown.
    pub fn between(low: &Fraction, high: &Fraction, places: u32) -> Option<Self> {
        if low.numerator.is_negative() {
            return None;
        }
        let size = high.numerator.bits() as i64 - high.denominator.bits() as i64 + i64::from(places);
        let shift = (MULTIPLIER_BITS - size).clamp(0, MAX_SHIFT) as u32;
        let binary = shift + places;
        let scaled = |fraction: &Fraction| Fraction {
            numerator: fraction.numerator.clone() << binary,
            denominator: fraction.denominator.clone(),
        };
        Some(Self {
            low: scaled(low).floor().to_u128()?,
            high: scaled(high).ceiling().to_u128()?,
            shift,
        })
    }

    /// Takes an integer between `low` and `high` to the enclosure of its product.
    pub fn of_integers(&self, low: u128, high: u128) -> Enclosure {
        Enclosure { low, high }.times(self)
    }
}

/// `floor(a * b / 2^shift)`, where it fits.
pub(in crate::domain) fn product_shifted(a: u128, b: u128, shift: u32) -> Option<u128> {
    const HALF: u32 = 64;
    const MASK: u128 = (1 << HALF) - 1;
    let (a_high, a_low) = (a >> HALF, a & MASK);
    let (b_high, b_low) = (b >> HALF, b & MASK);
    let low_low = a_low * b_low;
    let (high_low, low_high) = (a_high * b_low, a_low * b_high);
    let middle = (low_low >> HALF) + (high_low & MASK) + (low_high & MASK);
    let low = (middle << HALF) | (low_low & MASK);
    let high = a_high * b_high + (high_low >> HALF) + (low_high >> HALF) + (middle >> HALF);
    match shift {
        0 => (high == 0).then_some(low),
        1..=127 => (high >> shift == 0).then(|| (high << (128 - shift)) | (low >> shift)),
        128 => Some(high),
        129..=255 => Some(high >> (shift - 128)),
        _ => Some(0),
    }
}

/// The integers that a column of scores is counted in, for multiplication with a [`Multiplier`].
#[derive(Debug, Clone)]
pub struct Integers {
    /// Not above the scaled scores.
    pub low: Vec<u128>,
    /// Not below the scaled scores; the same as `low` where they are whole.
    pub high: Option<Vec<u128>>,
    /// A score is its integer times this.
    pub scale: Fraction,
}

impl Integers {
    /// The two ends for a row.
    pub fn row(&self, row: usize) -> (u128, u128) {
        let low = self.low[row];
        (low, self.high.as_ref().map_or(low, |high| high[row]))
    }

    /// The sums of both ends.
    pub fn sums(&self) -> (BigInt, BigInt) {
        let low = sum(&self.low);
        let high = self.high.as_deref().map_or_else(|| low.clone(), sum);
        (low, high)
    }
}

fn sum(integers: &[u128]) -> BigInt {
    match integers
        .iter()
        .try_fold(0_u128, |sum, integer| sum.checked_add(*integer))
    {
        Some(sum) => BigInt::from(sum),
        None => integers.iter().copied().map(BigInt::from).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shifted_product_is_that_of_big_integers(a: u128, b: u128, shift in 0_u32..256) {
            let exact: BigInt = (BigInt::from(a) * BigInt::from(b)) >> shift;
            prop_assert_eq!(product_shifted(a, b, shift), exact.to_u128());
        }

        #[test]
        fn product_encloses_the_exact_one(n in 0_u128..1 << 90, p in 0_u64.., q in 1_u64..) {
            let factor = Fraction::new(BigInt::from(p), BigInt::from(q));
            if let Some(multiplier) = Multiplier::between(&factor, &factor, PLACES) {
                let product = multiplier.of_integers(n, n);
                let exact = Fraction::new((BigInt::from(n) * BigInt::from(p)) << PLACES, BigInt::from(q));
                prop_assert!(BigInt::from(product.low) <= exact.floor());
                prop_assert!(product.high == u128::MAX || BigInt::from(product.high) >= exact.ceiling());
            }
        }
    }
}
