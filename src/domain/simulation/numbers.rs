//! The numbers of a formula and its pool that changes act on, and the one way they do.

use super::scenario::{Adjust, Others, PRO_RATA_DECIMALS, Refusal};
use super::target::Target;
use crate::domain::error::Violation;
use crate::domain::formula::check::{Basis, Sum};
use crate::domain::formula::document::Exact;
use crate::domain::formula::{Document, Formula, Pool};
use crate::domain::money::{Money, RoundingUnit};
use num_bigint::BigInt;
use num_traits::ToPrimitive;
use rust_decimal::Decimal;

/// A number, and what it is: sums of money are whole fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Money(Money),
    Decimal(Decimal),
}

impl Number {
    fn of(sum: Sum) -> Self {
        match sum {
            Sum::Percent(percent) => Self::Decimal(percent),
            Sum::Amount(money) => Self::Money(money),
        }
    }

    pub(super) fn sum(self) -> Sum {
        match self {
            Self::Decimal(percent) => Sum::Percent(percent),
            Self::Money(money) => Sum::Amount(money),
        }
    }

    fn adjusted(self, field: &str, to: Adjust, unit: RoundingUnit) -> Result<Self, Violation> {
        match self {
            Self::Money(money) => adjusted_money(field, money, to, unit).map(Self::Money),
            Self::Decimal(number) => adjusted_decimal(field, number, to).map(Self::Decimal),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Money(money) => money.fmt(f),
            Self::Decimal(number) => number.normalize().fmt(f),
        }
    }
}

fn adjusted_decimal(field: &str, number: Decimal, to: Adjust) -> Result<Decimal, Violation> {
    // The usual case, without looking at digits.
    if let Adjust::To(value) = to
        && value.mantissa().unsigned_abs() < 1 << 64
    {
        return Ok(value);
    }
    let value = to.apply(number).and_then(|digits| digits.exact());
    value.ok_or_else(|| {
        Violation::new(
            field,
            format!("{} on {number}", to.value()),
            "a change whose result has at most 28 digits",
            "结果不超过 28 位数字的变动",
        )
    })
}

fn adjusted_money(field: &str, money: Money, to: Adjust, unit: RoundingUnit) -> Result<Money, Violation> {
    let digits = to.apply(Decimal::new(money.fen(), 2));
    let fen = match to {
        Adjust::To(_) | Adjust::By(_) => digits.and_then(|digits| digits.whole(2)),
        Adjust::Percent(_) => digits.and_then(|digits| digits.rounded_down(2, unit.fen())),
    };
    let money_of = |fen: i128| i64::try_from(fen).ok().and_then(Money::from_fen);
    fen.and_then(money_of).ok_or_else(|| {
        Violation::new(
            field,
            format!("{} on {money} yuan", to.value()),
            "a change that gives an amount in yuan with at most two decimals, no larger than 10^15",
            "结果为至多两位小数、绝对值不超过 10^15 元金额的变动",
        )
    })
}

/// The new value of an indicator, before it is checked against what the indicator allows.
pub(super) fn adjusted_value(
    field: &str,
    value: Decimal,
    to: Adjust,
    decimals: u32,
) -> Result<Decimal, Violation> {
    match to {
        Adjust::To(_) | Adjust::By(_) => adjusted_decimal(field, value, to),
        Adjust::Percent(_) => (to.apply(value))
            .and_then(|digits| digits.rounded_half_up(decimals))
            .map_or_else(|| adjusted_decimal(field, value, to), Ok),
    }
}

/// All numbers that levers reach, apart from indicators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) unit: RoundingUnit,
    pub(super) pool: Pool,
    pub(super) components: Vec<Number>,
    pub(super) parameters: Vec<Decimal>,
    pub(super) set_asides: Vec<Number>,
    pub(super) bounds: Vec<Number>,
    /// Components whose percentage a change names.
    pub(super) named: Vec<bool>,
    /// Whether any change asks for the others to be scaled.
    pub(super) pro_rata: bool,
}

impl Numbers {
    /// Those of a formula as it is.
    pub(super) fn of(formula: &Formula, pool: Pool, unit: RoundingUnit) -> Self {
        Self {
            unit,
            pool,
            components: formula.components.iter().map(|c| Number::of(c.sum)).collect(),
            parameters: (formula.document.parameters.iter())
                .map(|parameter| {
                    formula
                        .parameters
                        .get(&parameter.name)
                        .copied()
                        .unwrap_or_default()
                })
                .collect(),
            set_asides: formula.set_asides.iter().map(|s| Number::of(s.sum)).collect(),
            bounds: (formula.bounds.iter())
                .map(|bound| match &bound.basis {
                    Basis::Absolute(money) => Number::Money(*money),
                    Basis::PerHead(number, _) | Basis::LastYear(number, _) => Number::Decimal(*number),
                })
                .collect(),
            named: vec![false; formula.components.len()],
            pro_rata: false,
        }
    }

    /// Those of `other`, in the memory there is.
    pub(super) fn reset(&mut self, other: &Self) {
        let Self {
            unit,
            pool,
            components,
            parameters,
            set_asides,
            bounds,
            named,
            pro_rata,
        } = self;
        (*unit, *pool, *pro_rata) = (other.unit, other.pool, other.pro_rata);
        components.clone_from(&other.components);
        parameters.clone_from(&other.parameters);
        set_asides.clone_from(&other.set_asides);
        bounds.clone_from(&other.bounds);
        named.clone_from(&other.named);
    }

    /// Changes one of them; an indicator is none of them.
    pub(super) fn change(&mut self, field: &str, target: &Target, to: Adjust) -> Result<(), Violation> {
        let unit = self.unit;
        match target {
            Target::Pool => self.pool.total = adjusted_money(field, self.pool.total, to, unit)?,
            Target::Advance => {
                let before = match (self.pool.advance_percent, to) {
                    (Some(percent), _) => percent,
                    (None, Adjust::To(_)) => Decimal::ZERO,
                    (None, _) => {
                        return Err(Violation::new(
                            field,
                            to.value().to_string(),
                            "a percentage to set, because the base is no advance",
                            "直接设定的百分比(基准方案不是预拨)",
                        ));
                    }
                };
                self.pool.advance_percent = Some(adjusted_decimal(field, before, to)?);
            }
            Target::Component(at, others) => {
                self.components[*at] = self.components[*at].adjusted(field, to, unit)?;
                if let Some(others) = others {
                    self.named[*at] = true;
                    self.pro_rata |= *others == Others::ProRata;
                }
            }
            Target::Parameter(at) => {
                self.parameters[*at] = adjusted_decimal(field, self.parameters[*at], to)?
            }
            Target::SetAside(at) => self.set_asides[*at] = self.set_asides[*at].adjusted(field, to, unit)?,
            Target::Bound(at) => self.bounds[*at] = self.bounds[*at].adjusted(field, to, unit)?,
            Target::Indicator(..) => {}
        }
        Ok(())
    }

    /// Scales the percentages that no change names, so that the sum is 100, where a change asks for it.
    pub(super) fn fill_up(&mut self) -> Result<(), Refusal> {
        if !self.pro_rata {
            return Ok(());
        }
        let percent_at = |numbers: &Self, at: usize| match numbers.components[at] {
            Number::Decimal(percent) => Some(percent),
            Number::Money(_) => None,
        };
        let named: Option<i128> = self.sum_of(|numbers, at| numbers.named[at]);
        let before: Option<i128> = self.sum_of(|numbers, at| !numbers.named[at]);
        let hundred = SCALED_HUNDRED;
        let refused = |found: String| {
            vec![Violation::new(
                "components[].percent",
                found,
                "percentages that leave 0 to 100 for the other components, and one of these above zero to take it",
                "所设百分比为其他因素留出 0 至 100,且其中至少一个因素的百分比大于零",
            )]
        };
        let (Some(named), Some(before)) = (named, before) else {
            return Err(refused(
                "percentages of more digits than can be scaled".to_owned(),
            ));
        };
        let left = hundred - named;
        if left < 0 || (before == 0 && left != 0) {
            return Err(refused(format!(
                "{} in all",
                Decimal::try_from_i128_with_scale(named, SCALE)
                    .map_or_else(|_| named.to_string(), |d| d.normalize().to_string())
            )));
        }
        if before == 0 {
            return Ok(());
        }
        let places = self.zeros();
        let mut rest = left;
        let mut last = None;
        for at in 0..self.components.len() {
            let Some(percent) = percent_at(self, at).filter(|percent| !self.named[at] && !percent.is_zero())
            else {
                continue;
            };
            let scaled = scaled(percent).and_then(|percent| share(percent, left, before, places));
            let Some(mine) = scaled else {
                return Err(refused(
                    "percentages of more digits than can be scaled".to_owned(),
                ));
            };
            rest -= mine;
            self.set_percent(at, mine);
            last = Some((at, mine));
        }
        if let Some((at, mine)) = last {
            self.set_percent(at, mine + rest);
        }
        Ok(())
    }

    /// How many of the last of [`SCALE`] decimals are zero in every percentage.
    fn zeros(&self) -> u32 {
        let scale = |number: &Number| match number {
            Number::Decimal(percent) => percent.normalize().scale(),
            Number::Money(_) => 0,
        };
        SCALE.saturating_sub(self.components.iter().map(scale).max().unwrap_or(0))
    }

    fn set_percent(&mut self, at: usize, scaled: i128) {
        if let Ok(percent) = Decimal::try_from_i128_with_scale(scaled, SCALE) {
            self.components[at] = Number::Decimal(percent);
        }
    }

    fn sum_of(&self, counts: impl Fn(&Self, usize) -> bool) -> Option<i128> {
        (0..self.components.len()).try_fold(0_i128, |sum, at| match self.components[at] {
            Number::Decimal(percent) if counts(self, at) => sum.checked_add(scaled(percent)?),
            _ => Some(sum),
        })
    }

    /// Writes those that differ from `before` into the document that `before` was read from.
    pub(super) fn write(&self, before: &Self, document: &mut Document) {
        for (at, text) in document.components.iter_mut().enumerate() {
            if self.components[at] != before.components[at] {
                write_sum(&mut text.percent, &mut text.amount, self.components[at]);
            }
        }
        for (at, text) in document.set_asides.iter_mut().enumerate() {
            if self.set_asides[at] != before.set_asides[at] {
                write_sum(&mut text.percent, &mut text.amount, self.set_asides[at]);
            }
        }
        for (at, text) in document.parameters.iter_mut().enumerate() {
            if self.parameters[at] != before.parameters[at] {
                text.value = Exact(self.parameters[at].normalize().to_string());
            }
        }
        for (at, text) in document.bounds.iter_mut().enumerate() {
            if self.bounds[at] != before.bounds[at] {
                let value = if text.percent.0.is_empty() {
                    &mut text.amount
                } else {
                    &mut text.percent
                };
                *value = Exact(self.bounds[at].to_string());
            }
        }
    }
}

fn write_sum(percent: &mut Exact, amount: &mut Exact, number: Number) {
    match number {
        Number::Decimal(_) => *percent = Exact(number.to_string()),
        Number::Money(_) => *amount = Exact(number.to_string()),
    }
}

/// Decimals of percentages while they are scaled.
pub(super) const SCALE: u32 = 26;
/// 100 with so many decimals.
pub(super) const SCALED_HUNDRED: i128 = 100 * 10_i128.pow(SCALE);

/// A percentage as a whole number of 10^-26.
pub(super) fn scaled(percent: Decimal) -> Option<i128> {
    let (mantissa, scale) = (percent.mantissa(), percent.scale());
    match SCALE.checked_sub(scale) {
        Some(places) => mantissa.checked_mul(POWERS[places as usize]),
        None => {
            let zeros = POWERS[(scale - SCALE) as usize];
            (mantissa % zeros == 0).then(|| mantissa / zeros)
        }
    }
}

/// Powers of ten as far as decimals have places.
const POWERS: [i128; 29] = {
    let mut powers = [1; 29];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// `percent * left / before`, rounded down to [`PRO_RATA_DECIMALS`]; all three in 10^-26, `places` of which are zeros.
fn share(percent: i128, left: i128, before: i128, places: u32) -> Option<i128> {
    const STEP: i128 = 10_i128.pow(SCALE - PRO_RATA_DECIMALS);
    if percent < 0 || left < 0 || before <= 0 {
        return None;
    }
    let zeros = 10_i128.pow(places);
    // In 10^-20, so that the quotient is in steps; what few digits there mostly are fits 128 bits.
    let small = || {
        let product = (percent / zeros).checked_mul(left / zeros)?;
        let power = PRO_RATA_DECIMALS.checked_sub(SCALE - places)?;
        Some(product.checked_mul(10_i128.checked_pow(power)?)? / (before / zeros))
    };
    let steps =
        small().or_else(|| (BigInt::from(percent) * left / (BigInt::from(before) * STEP)).to_i128())?;
    steps.checked_mul(STEP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_integer::Integer;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    fn filled(percents: &[&str], named: &[usize]) -> Result<Vec<String>, Refusal> {
        let mut numbers = Numbers {
            unit: RoundingUnit::Fen,
            pool: Pool {
                total: Money::ZERO,
                advance_percent: None,
            },
            components: percents
                .iter()
                .map(|percent| Number::Decimal(decimal(percent)))
                .collect(),
            parameters: Vec::new(),
            set_asides: Vec::new(),
            bounds: Vec::new(),
            named: (0..percents.len()).map(|at| named.contains(&at)).collect(),
            pro_rata: true,
        };
        numbers.fill_up()?;
        Ok(numbers.components.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn others_keep_their_proportions() {
        assert_eq!(filled(&["60", "30", "20"], &[0]).unwrap(), ["60", "24", "16"]);
        assert_eq!(filled(&["100", "30", "20"], &[0]).unwrap(), ["100", "0", "0"]);
        assert_eq!(filled(&["60", "15", "20"], &[0, 1]).unwrap(), ["60", "15", "25"]);
        // Thirds end, and the last has what is missing; a component without a percentage gets none.
        assert_eq!(
            filled(&["50", "10", "10", "10", "0"], &[0]).unwrap(),
            [
                "50",
                "16.66666666666666666666",
                "16.66666666666666666666",
                "16.66666666666666666668",
                "0"
            ]
        );
    }

    #[test]
    fn refuses_what_leaves_no_room() {
        assert_eq!(
            filled(&["100.5", "0"], &[0]).unwrap_err()[0].found,
            "100.5 in all"
        );
        assert_eq!(
            filled(&["99", "0"], &[0]).unwrap_err()[0].field,
            "components[].percent"
        );
        assert_eq!(filled(&["70", "30"], &[0, 1]).unwrap(), ["70", "30"]);
    }

    proptest! {
        #[test]
        fn shares_are_those_of_big_integers(percent in 0..100 * 10_i128.pow(20), left in 0..100 * 10_i128.pow(20), places in 0_u32..=26) {
            let zeros = 10_i128.pow(places);
            let round = |value: i128| (value * 10_i128.pow(6)) / zeros * zeros;
            let (percent, left) = (round(percent), round(left));
            let before = SCALED_HUNDRED - left;
            let step = 10_i128.pow(SCALE - PRO_RATA_DECIMALS);
            let exact = (BigInt::from(percent) * left).div_floor(&(BigInt::from(before) * step)) * step;
            prop_assert_eq!(share(percent, left, before, places).map(BigInt::from), Some(exact));
        }
    }
}
