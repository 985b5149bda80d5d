//! Named changes to a base, and knobs: changes whose value is still open.
//!
//! Changes are applied in the order given, each to what those before it left, with three exceptions that make
//! their order irrelevant: rounding comes first, because sums of money are rounded to its unit; percentages of
//! components are filled up to 100 last, all at once; bounds are removed last, so that their numbers hold.

use crate::domain::apportion::Method;
use crate::domain::error::Violation;
use crate::domain::formula::document::BoundText;
use crate::domain::money::RoundingUnit;
use crate::domain::region::RegionCode;
use crate::domain::statistics::{IndicatorCode, MAX_DIGITS};
use rust_decimal::Decimal;

/// Why a scenario has no amounts: everything that is wrong with it.
pub type Refusal = Vec<Violation>;

/// What happens to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjust {
    /// It becomes this.
    To(Decimal),
    /// This is added, or taken off where it is negative.
    By(Decimal),
    /// It grows by so many percent of itself, or shrinks where they are negative.
    ///
    /// Money that becomes a fraction this way is rounded down to the rounding unit, like a set-aside in percent;
    /// an indicator is rounded half up to its decimals; other numbers are kept exactly.
    Percent(Decimal),
}

/// What the percentages of the other components do when one is changed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// Those that no change names share what is left to 100, in proportion to what they have in the base.
    ///
    /// Each is rounded down to [`PRO_RATA_DECIMALS`] decimals, and the last one that has any takes the rest, so
    /// that the sum is exactly 100 and the formula can be written down.
    #[default]
    ProRata,
    /// They stay: several changes together give 100.
    Given,
}

/// Decimals of percentages that are scaled to fill up 100.
pub const PRO_RATA_DECIMALS: u32 = 20;

/// One change to a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The pool, in yuan.
    Pool(Adjust),
    /// The percentage of the pool that is advanced.
    Advance(Adjust),
    /// A component's percentage.
    Percent {
        /// The component's id.
        component: String,
        /// The change.
        to: Adjust,
        /// What the others do; scaled where any change of the scenario asks for it.
        others: Others,
    },
    /// A parameter.
    Parameter {
        /// Its name, without `$`.
        name: String,
        /// The change.
        to: Adjust,
    },
    /// A component's fixed sum, in yuan.
    FixedSum {
        /// The component's id.
        component: String,
        /// The change.
        to: Adjust,
    },
    /// What is set aside: a percentage or a sum in yuan, as in the base.
    SetAside {
        /// Its id.
        id: String,
        /// The change.
        to: Adjust,
    },
    /// The number of a bound: yuan, yuan per head, or percent of last year, as in the base.
    Bound {
        /// Its position among the bounds of the base, from 0.
        at: usize,
        /// The change.
        to: Adjust,
    },
    /// A further bound, after those there are.
    AddBound(BoundText),
    /// A bound less.
    RemoveBound {
        /// Its position among the bounds of the base, from 0.
        at: usize,
    },
    /// Values of an indicator that the formula uses, in the indicator's unit.
    Indicator {
        /// Which.
        code: IndicatorCode,
        /// The year; none means every year that the formula uses.
        year: Option<i32>,
        /// The region; none means all that take part.
        region: Option<RegionCode>,
        /// The change.
        to: Adjust,
    },
    /// How amounts become whole.
    Rounding {
        /// The unit; none leaves it.
        unit: Option<RoundingUnit>,
        /// The method; none leaves it.
        method: Option<Method>,
    },
}

/// A name and the changes it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scenario {
    /// The name.
    pub name: String,
    /// The changes; none is the base itself.
    pub changes: Vec<Change>,
}

/// A number that can be changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lever {
    /// [`Change::Pool`].
    Pool,
    /// [`Change::Advance`].
    Advance,
    /// [`Change::Percent`].
    Percent {
        /// The component's id.
        component: String,
        /// What the others do.
        others: Others,
    },
    /// [`Change::Parameter`].
    Parameter {
        /// Its name, without `$`.
        name: String,
    },
    /// [`Change::FixedSum`].
    FixedSum {
        /// The component's id.
        component: String,
    },
    /// [`Change::SetAside`].
    SetAside {
        /// Its id.
        id: String,
    },
    /// [`Change::Bound`].
    Bound {
        /// Its position among the bounds of the base, from 0.
        at: usize,
    },
    /// [`Change::Indicator`].
    Indicator {
        /// Which.
        code: IndicatorCode,
        /// The year; none means every year that the formula uses.
        year: Option<i32>,
        /// The region; none means all that take part.
        region: Option<RegionCode>,
    },
}

/// How a knob's value is meant.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// [`Adjust::To`].
    #[default]
    To,
    /// [`Adjust::By`].
    By,
    /// [`Adjust::Percent`].
    Percent,
}

impl How {
    /// The adjustment by this value.
    pub const fn adjust(self, value: Decimal) -> Adjust {
        match self {
            Self::To => Adjust::To(value),
            Self::By => Adjust::By(value),
            Self::Percent => Adjust::Percent(value),
        }
    }
}

/// A change without its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Knob {
    /// What it changes.
    pub lever: Lever,
    /// How the value is meant.
    pub how: How,
}

/// A knob of a plan, by its position, and its value.
pub type Setting = (usize, Decimal);

impl Knob {
    /// The change at a value.
    pub fn set(&self, value: Decimal) -> Change {
        self.lever.change(self.how.adjust(value))
    }
}

impl Lever {
    /// The change by an adjustment.
    pub fn change(&self, to: Adjust) -> Change {
        match self.clone() {
            Self::Pool => Change::Pool(to),
            Self::Advance => Change::Advance(to),
            Self::Percent { component, others } => Change::Percent {
                component,
                to,
                others,
            },
            Self::Parameter { name } => Change::Parameter { name, to },
            Self::FixedSum { component } => Change::FixedSum { component, to },
            Self::SetAside { id } => Change::SetAside { id, to },
            Self::Bound { at } => Change::Bound { at, to },
            Self::Indicator { code, year, region } => Change::Indicator {
                code,
                year,
                region,
                to,
            },
        }
    }
}

impl Change {
    /// What it changes and how, for a change of a number.
    pub fn lever(&self) -> Option<(Lever, Adjust)> {
        Some(match self.clone() {
            Self::Pool(to) => (Lever::Pool, to),
            Self::Advance(to) => (Lever::Advance, to),
            Self::Percent {
                component,
                to,
                others,
            } => (Lever::Percent { component, others }, to),
            Self::Parameter { name, to } => (Lever::Parameter { name }, to),
            Self::FixedSum { component, to } => (Lever::FixedSum { component }, to),
            Self::SetAside { id, to } => (Lever::SetAside { id }, to),
            Self::Bound { at, to } => (Lever::Bound { at }, to),
            Self::Indicator {
                code,
                year,
                region,
                to,
            } => (Lever::Indicator { code, year, region }, to),
            Self::AddBound(_) | Self::RemoveBound { .. } | Self::Rounding { .. } => return None,
        })
    }
}

/// A decimal of any number of digits that 128 bits hold: mantissa and scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digits {
    mantissa: i128,
    scale: u32,
}

impl Digits {
    /// Exactly, without trailing zeros; `None` where a decimal does not hold it.
    pub(super) fn exact(self) -> Option<Decimal> {
        let Self {
            mut mantissa,
            mut scale,
        } = self;
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        // A decimal holds a little more than the digits that documents may have.
        (mantissa.unsigned_abs() < 10_u128.pow(MAX_DIGITS as u32))
            .then(|| Decimal::try_from_i128_with_scale(mantissa, scale).ok())
            .flatten()
    }

    /// A multiple of `step` times `10^-decimals`, rounded down.
    pub(super) fn rounded_down(self, decimals: u32, step: i64) -> Option<i128> {
        let (numerator, denominator) = self.over(decimals)?;
        let denominator = denominator.checked_mul(step.into())?;
        Some(numerator.div_euclid(denominator) * i128::from(step))
    }

    /// Rounded to `decimals`, half up.
    pub(super) fn rounded_half_up(self, decimals: u32) -> Option<Decimal> {
        let (numerator, denominator) = self.over(decimals)?;
        let twice = numerator.checked_mul(2)?.checked_add(denominator)?;
        let rounded = twice.div_euclid(denominator.checked_mul(2)?);
        Decimal::try_from_i128_with_scale(rounded, decimals)
            .ok()
            .map(|value| value.normalize())
    }

    /// The whole number of `10^-decimals` that it is exactly.
    pub(super) fn whole(self, decimals: u32) -> Option<i128> {
        let (numerator, denominator) = self.over(decimals)?;
        (numerator % denominator == 0).then(|| numerator / denominator)
    }

    /// As a fraction of `10^-decimals`.
    fn over(self, decimals: u32) -> Option<(i128, i128)> {
        Some(if self.scale > decimals {
            (self.mantissa, power(self.scale - decimals)?)
        } else {
            (self.mantissa.checked_mul(power(decimals - self.scale)?)?, 1)
        })
    }
}

fn power(of_ten: u32) -> Option<i128> {
    10_i128.checked_pow(of_ten)
}

impl Adjust {
    /// The number given.
    pub const fn value(self) -> Decimal {
        match self {
            Self::To(value) | Self::By(value) | Self::Percent(value) => value,
        }
    }

    /// The changed number, with all its digits; `None` where 128 bits do not hold them.
    pub(super) fn apply(self, base: Decimal) -> Option<Digits> {
        let digits = |value: Decimal| {
            let value = value.normalize();
            (value.mantissa(), value.scale())
        };
        let sum = |a: Decimal, b: Decimal| {
            let ((a, a_scale), (b, b_scale)) = (digits(a), digits(b));
            let scale = a_scale.max(b_scale);
            let a = a.checked_mul(power(scale - a_scale)?)?;
            let b = b.checked_mul(power(scale - b_scale)?)?;
            Some((a.checked_add(b)?, scale))
        };
        let (mantissa, scale) = match self {
            Self::To(value) => digits(value),
            Self::By(value) => sum(base, value)?,
            Self::Percent(percent) => {
                let (factor, places) = sum(Decimal::ONE_HUNDRED, percent)?;
                let (base, scale) = digits(base);
                (base.checked_mul(factor)?, scale + places + 2)
            }
        };
        Some(Digits { mantissa, scale })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    fn exact(adjust: Adjust, base: &str) -> String {
        adjust.apply(decimal(base)).unwrap().exact().unwrap().to_string()
    }

    #[test]
    fn adjusts_exactly() {
        assert_eq!(exact(Adjust::To(decimal("1.50")), "7"), "1.5");
        assert_eq!(exact(Adjust::By(decimal("-0.25")), "7"), "6.75");
        assert_eq!(exact(Adjust::Percent(decimal("8")), "12.5"), "13.5");
        assert_eq!(exact(Adjust::Percent(decimal("-8")), "0.01"), "0.0092");
        assert_eq!(exact(Adjust::Percent(decimal("-100")), "0.01"), "0");
    }

    #[test]
    fn rounds_where_it_is_told_to() {
        let digits = Adjust::Percent(decimal("-8")).apply(decimal("12345.67")).unwrap();
        // 11358.0164
        assert_eq!(digits.rounded_down(2, 1), Some(1_135_801));
        assert_eq!(digits.rounded_down(2, 10_000), Some(1_130_000));
        assert_eq!(digits.rounded_half_up(0), Some(decimal("11358")));
        assert_eq!(digits.rounded_half_up(3), Some(decimal("11358.016")));
        assert_eq!(digits.whole(2), None);
        let half = Adjust::Percent(decimal("50")).apply(decimal("5")).unwrap();
        assert_eq!(half.rounded_half_up(0), Some(decimal("8")));
        assert_eq!(half.whole(2), Some(750));
    }

    #[test]
    fn knows_when_digits_do_not_suffice() {
        let long = decimal("9999999999999999999999999999");
        assert_eq!(
            Adjust::Percent(decimal("0.0000000001"))
                .apply(long)
                .and_then(Digits::exact),
            None
        );
        assert_eq!(
            Adjust::By(decimal("0.1")).apply(long).and_then(Digits::exact),
            None
        );
    }
}
