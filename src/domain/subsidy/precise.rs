//! Exact decimals of any length: a whole number times a power of ten.
//!
//! What a policy computes are sums and products of decimals, and percentages, which are products with
//! hundredths. None of these leaves the decimals, so with as many digits as needed there is nothing to
//! round; rounding happens in [`Precise::to_unit`] only, which the assessment calls once.

use crate::domain::money::{Money, RoundingUnit};
use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{ToPrimitive, Zero};
use rust_decimal::Decimal;
use std::cmp::Ordering;
use std::fmt;

/// An exact decimal.
#[derive(Debug, Clone)]
pub struct Precise {
    mantissa: BigInt,
    scale: u32,
}

/// Which way an exact amount becomes whole units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the unit below (舍去).
    #[default]
    Down,
    /// To the nearest, half up (四舍五入).
    HalfUp,
    /// To the unit above (进位).
    Up,
}

impl Direction {
    /// The code, and the words for it.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 3] = [
        (Self::Down, "down", "down", "舍去尾数"),
        (Self::HalfUp, "half_up", "to the nearest, half up", "四舍五入"),
        (Self::Up, "up", "up", "进位"),
    ];

    /// The English and the Chinese words.
    pub fn words(self) -> (&'static str, &'static str) {
        Self::ALL
            .into_iter()
            .find(|(direction, ..)| *direction == self)
            .map_or(("down", "舍去尾数"), |(_, _, en, zh)| (en, zh))
    }
}

impl Precise {
    /// Nothing.
    pub fn zero() -> Self {
        Self {
            mantissa: BigInt::zero(),
            scale: 0,
        }
    }

    /// The product.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        Self {
            mantissa: &self.mantissa * &other.mantissa,
            scale: self.scale + other.scale,
        }
    }

    /// So many percent of it.
    #[must_use]
    pub fn percent(&self, percent: &Self) -> Self {
        let mut part = self.times(percent);
        part.scale += 2;
        part
    }

    /// The sum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let scale = self.scale.max(other.scale);
        Self {
            mantissa: self.at(scale) + other.at(scale),
            scale,
        }
    }

    /// The smaller one.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        if other < self { other } else { self }
    }

    /// In whole units, as money; `None` beyond the limits of money.
    pub fn to_unit(&self, unit: RoundingUnit, direction: Direction) -> Option<Money> {
        // In yuan; a unit is `unit.fen()` hundredths of one.
        let units_numerator = &self.mantissa * 100_u32;
        let units_denominator = BigInt::from(10).pow(self.scale) * unit.fen();
        let whole = match direction {
            Direction::Down => units_numerator.div_floor(&units_denominator),
            Direction::Up => units_numerator.div_ceil(&units_denominator),
            Direction::HalfUp => {
                (units_numerator * 2_u32 + &units_denominator).div_floor(&(units_denominator * 2_u32))
            }
        };
        (whole * unit.fen()).to_i64().and_then(Money::from_fen)
    }

    fn at(&self, scale: u32) -> BigInt {
        if scale == self.scale {
            self.mantissa.clone()
        } else {
            &self.mantissa * BigInt::from(10).pow(scale - self.scale)
        }
    }
}

impl From<Decimal> for Precise {
    fn from(value: Decimal) -> Self {
        Self {
            mantissa: BigInt::from(value.mantissa()),
            scale: value.scale(),
        }
    }
}

impl From<Money> for Precise {
    fn from(value: Money) -> Self {
        Self {
            mantissa: BigInt::from(value.fen()),
            scale: 2,
        }
    }
}

impl PartialEq for Precise {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Precise {}

impl PartialOrd for Precise {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Precise {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        self.at(scale).cmp(&other.at(scale))
    }
}

/// Every digit, without zeros at the end: what is printed is the exact value.
impl fmt::Display for Precise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.magnitude().to_string();
        let places = self.scale as usize;
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        if self.mantissa.sign() == num_bigint::Sign::Minus {
            f.write_str("-")?;
        }
        f.write_str(whole)?;
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            Ok(())
        } else {
            write!(f, ".{fraction}")
        }
    }
}
