//! A rational for one region: two 128-bit integers where they suffice, big ones where not.

use super::{BigInt, BigRational, Fraction};
use num_integer::Integer;
use num_traits::{Signed, ToPrimitive, Zero};
use std::cmp::Ordering;

/// A rational number.
#[derive(Debug, Clone)]
pub enum Quotient {
    /// Numerator and denominator, which is above zero; not necessarily in lowest terms.
    Small(i128, i128),
    /// Any size, in lowest terms.
    Big(BigRational),
}

/// Above this a numerator or denominator is brought to lowest terms, so that the next product fits.
const ROOMY: i128 = 1 << 62;

impl Quotient {
    /// A numerator over a denominator above zero.
    fn small(numerator: i128, denominator: i128) -> Self {
        if (-ROOMY..=ROOMY).contains(&numerator) && denominator <= ROOMY {
            return Self::Small(numerator, denominator);
        }
        let gcd = numerator.unsigned_abs().gcd(&denominator.unsigned_abs());
        match i128::try_from(gcd) {
            Ok(gcd) if gcd > 1 => Self::Small(numerator / gcd, denominator / gcd),
            _ => Self::Small(numerator, denominator),
        }
    }

    /// The quotient of two integers of any size; `None` where the divisor is zero.
    pub fn of(numerator: &BigInt, denominator: &BigInt) -> Option<Self> {
        let small = || Some((numerator.to_i128()?, denominator.to_i128()?));
        match small() {
            Some((n, d)) => Self::of_integers(n, d),
            None => (!denominator.is_zero())
                .then(|| Self::Big(BigRational::new(numerator.clone(), denominator.clone()))),
        }
    }

    /// The quotient of two integers; `None` where the divisor is zero.
    pub fn of_integers(numerator: i128, denominator: i128) -> Option<Self> {
        match denominator.cmp(&0) {
            Ordering::Greater => Some(Self::small(numerator, denominator)),
            Ordering::Equal => None,
            Ordering::Less => Some(match (numerator.checked_neg(), denominator.checked_neg()) {
                (Some(n), Some(d)) => Self::small(n, d),
                _ => Self::Big(BigRational::new(numerator.into(), denominator.into())),
            }),
        }
    }

    /// As a rational in lowest terms.
    pub fn rational(&self) -> BigRational {
        match self {
            Self::Small(n, d) => BigRational::new((*n).into(), (*d).into()),
            Self::Big(value) => value.clone(),
        }
    }

    /// As a fraction, not necessarily in lowest terms.
    pub fn fraction(&self) -> Fraction {
        match self {
            Self::Small(n, d) => Fraction::new((*n).into(), (*d).into()),
            Self::Big(value) => Fraction::new(value.numer().clone(), value.denom().clone()),
        }
    }

    /// The size of the denominator in bits.
    pub fn denominator_bits(&self) -> u64 {
        match self {
            Self::Small(_, d) => u64::from(i128::BITS - d.leading_zeros()),
            Self::Big(value) => value.denom().bits(),
        }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Small(n, _) => *n == 0,
            Self::Big(value) => value.is_zero(),
        }
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        match self {
            Self::Small(n, _) => *n < 0,
            Self::Big(value) => value.is_negative(),
        }
    }

    /// Whether it is above zero.
    pub fn is_positive(&self) -> bool {
        match self {
            Self::Small(n, _) => *n > 0,
            Self::Big(value) => value.is_positive(),
        }
    }

    /// The difference of the sizes of numerator and denominator in bits; `None` where it is zero.
    pub fn magnitude(&self) -> Option<i64> {
        if self.is_zero() {
            return None;
        }
        let bits = |integer: i128| i64::from(i128::BITS - integer.unsigned_abs().leading_zeros());
        Some(match self {
            Self::Small(n, d) => bits(*n) - bits(*d),
            Self::Big(value) => value.numer().bits() as i64 - value.denom().bits() as i64,
        })
    }

    /// The floor of `2^places` times the value, where it fits.
    pub fn scaled(&self, places: i64) -> Option<u128> {
        if let Self::Small(n, d) = self
            && let (Ok(n), Ok(d), Ok(places)) = (u128::try_from(*n), u64::try_from(*d), u32::try_from(places))
            && let Some(scaled) = long_division(n, d, places)
        {
            return Some(scaled);
        }
        let Fraction {
            numerator,
            denominator,
        } = self.fraction();
        let floor = if places >= 0 {
            (numerator << places).div_floor(&denominator)
        } else {
            numerator.div_floor(&(denominator << -places))
        };
        floor.to_u128()
    }

    /// Tries the small operation, then the big one.
    fn combine(
        &self,
        other: &Self,
        small: impl FnOnce(i128, i128, i128, i128) -> Option<(i128, i128)>,
        big: impl FnOnce(BigRational, BigRational) -> BigRational,
    ) -> Self {
        if let (Self::Small(a, b), Self::Small(c, d)) = (self, other)
            && let Some((numerator, denominator)) = small(*a, *b, *c, *d)
        {
            return Self::small(numerator, denominator);
        }
        let result = big(self.rational(), other.rational());
        match (result.numer().to_i128(), result.denom().to_i128()) {
            (Some(numerator), Some(denominator)) => Self::Small(numerator, denominator),
            _ => Self::Big(result),
        }
    }

    /// The sum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let small = |a: i128, b: i128, c: i128, d: i128| {
            if b == d {
                return Some((a.checked_add(c)?, b));
            }
            let sum = a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?;
            Some((sum, b.checked_mul(d)?))
        };
        self.combine(other, small, |x, y| x + y)
    }

    /// The difference.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let small = |a: i128, b: i128, c: i128, d: i128| {
            if b == d {
                return Some((a.checked_sub(c)?, b));
            }
            let difference = a.checked_mul(d)?.checked_sub(c.checked_mul(b)?)?;
            Some((difference, b.checked_mul(d)?))
        };
        self.combine(other, small, |x, y| x - y)
    }

    /// The product.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        let small = |a: i128, b: i128, c: i128, d: i128| Some((a.checked_mul(c)?, b.checked_mul(d)?));
        self.combine(other, small, |x, y| x * y)
    }

    /// The quotient; `None` where the divisor is zero.
    #[must_use]
    pub fn over(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let small = |a: i128, b: i128, c: i128, d: i128| {
            let sign = c.signum();
            let numerator = a.checked_mul(d)?.checked_mul(sign)?;
            Some((numerator, b.checked_mul(c.checked_mul(sign)?)?))
        };
        Some(self.combine(other, small, |x, y| x / y))
    }
}

/// `floor(2^places * numerator / denominator)`, 64 places at a time; `None` where it does not fit.
fn long_division(numerator: u128, denominator: u64, places: u32) -> Option<u128> {
    let denominator = u128::from(denominator);
    let (mut quotient, mut remainder) = (numerator / denominator, numerator % denominator);
    let mut left = places;
    while left > 0 {
        let step = left.min(64);
        if quotient.leading_zeros() < step {
            return None;
        }
        let dividend = remainder << step;
        quotient = (quotient << step) | (dividend / denominator);
        remainder = dividend % denominator;
        left -= step;
    }
    Some(quotient)
}

impl Ord for Quotient {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Self::Small(a, b), Self::Small(c, d)) = (self, other) {
            if b == d {
                return a.cmp(c);
            }
            if let (Some(left), Some(right)) = (a.checked_mul(*d), c.checked_mul(*b)) {
                return left.cmp(&right);
            }
        }
        self.fraction().cmp(&other.fraction())
    }
}

impl PartialOrd for Quotient {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Quotient {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quotient {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Small integers, and ones near the ends of 128 bits.
    fn integer() -> impl Strategy<Value = i128> {
        prop_oneof![
            -9_i128..10,
            any::<i64>().prop_map(i128::from),
            any::<i128>(),
            (0_i128..3).prop_map(|n| i128::MIN + n),
            (0_i128..3).prop_map(|n| i128::MAX - n),
        ]
    }

    proptest! {
        #[test]
        fn calculates_like_big_rationals(a in integer(), b in integer(), c in integer(), d in integer()) {
            let (Some(x), Some(y)) = (Quotient::of_integers(a, b), Quotient::of_integers(c, d)) else {
                prop_assert!(b == 0 || d == 0);
                return Ok(());
            };
            let (p, q) = (
                BigRational::new(a.into(), b.into()),
                BigRational::new(c.into(), d.into()),
            );
            prop_assert_eq!(x.rational(), p.clone());
            prop_assert_eq!(x.plus(&y).rational(), &p + &q);
            prop_assert_eq!(x.minus(&y).rational(), &p - &q);
            prop_assert_eq!(x.times(&y).rational(), &p * &q);
            prop_assert_eq!(x.over(&y).map(|z| z.rational()), (!q.is_zero()).then(|| &p / &q));
            prop_assert_eq!(x.cmp(&y), p.cmp(&q));
            prop_assert_eq!((x.is_zero(), x.is_negative()), (p.is_zero(), p.is_negative()));
            prop_assert_eq!(Quotient::of(&a.into(), &b.into()), Some(x));
        }

        #[test]
        fn scales_like_big_integers(n in 0..i128::MAX, d in 1..i128::MAX, bits in 0_u32..126, places in -40_i64..200) {
            let (n, d) = (n >> bits, (d >> (125 - bits)).max(1));
            let exact = if places >= 0 {
                (BigInt::from(n) << places).div_floor(&d.into())
            } else {
                BigInt::from(n).div_floor(&(BigInt::from(d) << -places))
            };
            prop_assert_eq!(Quotient::Small(n, d).scaled(places), exact.to_u128());
        }
    }
}
