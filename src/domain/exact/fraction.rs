//! Fractions that are not reduced: adding and comparing them needs no greatest common divisor.

use super::{BigInt, BigRational};
use num_integer::Integer;
use num_traits::{Signed, ToPrimitive, Zero};
use std::cmp::Ordering;

/// A fraction with a positive denominator, not necessarily in lowest terms.
#[derive(Debug, Clone)]
pub struct Fraction {
    /// Above the line.
    pub numerator: BigInt,
    /// Below the line; above zero.
    pub denominator: BigInt,
}

impl Fraction {
    /// A fraction; the denominator must not be zero.
    pub fn new(numerator: BigInt, denominator: BigInt) -> Self {
        if denominator.is_negative() {
            return Self {
                numerator: -numerator,
                denominator: -denominator,
            };
        }
        Self {
            numerator,
            denominator,
        }
    }

    /// A whole number.
    pub fn whole(value: impl Into<BigInt>) -> Self {
        Self {
            numerator: value.into(),
            denominator: BigInt::from(1),
        }
    }

    /// The largest whole number not above.
    pub fn floor(&self) -> BigInt {
        self.numerator.div_floor(&self.denominator)
    }

    /// The smallest whole number not below.
    pub fn ceiling(&self) -> BigInt {
        self.numerator.div_ceil(&self.denominator)
    }

    /// The largest whole number not above, where it fits 64 bits.
    pub fn floor_i64(&self) -> Option<i64> {
        self.floor().to_i64()
    }

    /// What is left above the floor: at least 0, below 1.
    #[must_use]
    pub fn remainder(&self) -> Self {
        Self {
            numerator: self.numerator.mod_floor(&self.denominator),
            denominator: self.denominator.clone(),
        }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.numerator.is_zero()
    }

    /// The product.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        Self {
            numerator: &self.numerator * &other.numerator,
            denominator: &self.denominator * &other.denominator,
        }
    }

    /// The quotient; the divisor must not be zero.
    #[must_use]
    pub fn over(&self, other: &Self) -> Self {
        Self::new(
            &self.numerator * &other.denominator,
            &self.denominator * &other.numerator,
        )
    }

    /// The sum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        if self.denominator == other.denominator {
            return Self {
                numerator: &self.numerator + &other.numerator,
                denominator: self.denominator.clone(),
            };
        }
        Self {
            numerator: &self.numerator * &other.denominator + &other.numerator * &self.denominator,
            denominator: &self.denominator * &other.denominator,
        }
    }

    /// The difference.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.plus(&Self {
            numerator: -&other.numerator,
            denominator: other.denominator.clone(),
        })
    }

    /// In lowest terms.
    pub fn reduced(&self) -> BigRational {
        BigRational::new(self.numerator.clone(), self.denominator.clone())
    }

    /// The exact sum of many, by halves, so that the large numbers are multiplied few times.
    pub fn sum(fractions: &[Self]) -> Self {
        match fractions {
            [] => Self::whole(0),
            [one] => one.clone(),
            _ => {
                let (left, right) = fractions.split_at(fractions.len() / 2);
                Self::sum(left).plus(&Self::sum(right))
            }
        }
    }

    /// Written with `decimals` places, rounded half away from zero: for reading, never for deciding.
    pub fn to_decimal_text(&self, decimals: u32) -> String {
        let scaled: BigInt = &self.numerator * BigInt::from(10).pow(decimals) * 2_i32
            + self.denominator.clone() * self.numerator.signum();
        let rounded = (scaled.abs() / (&self.denominator * 2_i32)).to_string();
        let sign = if self.numerator.is_negative() && rounded.bytes().any(|digit| digit != b'0') {
            "-"
        } else {
            ""
        };
        let places = decimals as usize;
        let padded = format!("{rounded:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        if places == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}")
        }
    }
}

impl From<BigRational> for Fraction {
    fn from(value: BigRational) -> Self {
        let (numerator, denominator) = value.into();
        Self {
            numerator,
            denominator,
        }
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.denominator == other.denominator {
            return self.numerator.cmp(&other.numerator);
        }
        (&self.numerator * &other.denominator).cmp(&(&other.numerator * &self.denominator))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_decimals_for_reading() {
        let write =
            |n: i64, d: i64, places| Fraction::new(BigInt::from(n), BigInt::from(d)).to_decimal_text(places);
        assert_eq!(write(1, 3, 4), "0.3333");
        assert_eq!(write(2, 3, 4), "0.6667");
        assert_eq!(write(-1, 8, 2), "-0.13");
        assert_eq!(write(-1, 1000, 2), "0.00");
        assert_eq!(write(199, 2, 0), "100");
    }
}
