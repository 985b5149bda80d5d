//! From the pool to what is distributable: the advance, set-asides, and the part below one unit.

use super::check::{Formula, Sum};
use super::evaluate::{Pool, money};
use crate::domain::error::Violation;
use crate::domain::exact::{Fraction, rational};
use crate::domain::money::Money;
use rust_decimal::Decimal;

/// Step 1: from the pool to what is distributable.
pub(in crate::domain) struct MoneySplit {
    /// 1, or the advance's part of it.
    pub(in crate::domain) scale: Fraction,
    pub(super) is_advance: bool,
    pub(super) allocated_now: Money,
    pub(super) set_asides: Vec<Money>,
    pub(super) tail: Money,
    pub(in crate::domain) distributable: Money,
}

impl MoneySplit {
    pub(in crate::domain) fn new(formula: &Formula, pool: Pool) -> Result<Self, Vec<Violation>> {
        let unit = formula.unit.fen();
        if pool.total.is_negative() {
            return Err(vec![Violation::new(
                "pool",
                pool.total.to_string(),
                "zero or more",
                "不小于零",
            )]);
        }
        let scale = match pool.advance_percent {
            None => Fraction::whole(1),
            Some(percent) if percent > Decimal::ZERO && percent <= Decimal::ONE_HUNDRED => {
                percentage(percent)
            }
            Some(percent) => {
                return Err(vec![Violation::new(
                    "advance_percent",
                    percent.to_string(),
                    "above 0, up to 100",
                    "大于 0,不超过 100",
                )]);
            }
        };
        let whole_units =
            |amount: Money, factor: &Fraction| money(scaled_units(amount, unit, factor).unwrap_or(0), unit);
        let allocated_now = match pool.advance_percent {
            None => pool.total,
            Some(_) => whole_units(pool.total, &scale),
        };
        let set_asides: Vec<Money> = (formula.set_asides.iter())
            .map(|set_aside| match (set_aside.sum, pool.advance_percent) {
                (Sum::Percent(percent), _) => whole_units(allocated_now, &percentage(percent)),
                (Sum::Amount(amount), None) => amount,
                (Sum::Amount(amount), Some(_)) => whole_units(amount, &scale),
            })
            .collect();
        let aside: i128 = set_asides.iter().map(|amount| i128::from(amount.fen())).sum();
        let left = i128::from(allocated_now.fen()) - aside;
        let Some(left) = i64::try_from(left)
            .ok()
            .and_then(Money::from_fen)
            .filter(|left| !left.is_negative())
        else {
            return Err(vec![Violation::new(
                "set_asides",
                format!("{} fen in all", aside),
                format!("no more than the pool of {allocated_now} yuan"),
                format!("不超过资金盘子 {allocated_now} 元"),
            )]);
        };
        let tail_fen = left.fen() % unit;
        if tail_fen != 0 && !formula.retain_tail {
            return Err(vec![Violation::new(
                "pool",
                format!("{left} yuan to distribute"),
                format!(
                    "a multiple of the rounding unit {} ({unit} fen), or rounding.tail = \"retain\"",
                    formula.unit.code()
                ),
                format!(
                    "取整单位({})的整数倍,或设 rounding.tail = \"retain\"",
                    formula.unit.zh()
                ),
            )]);
        }
        let tail = Money::from_fen(tail_fen).unwrap_or_default();
        let distributable = left.checked_sub(tail).unwrap_or_default();
        Ok(Self {
            scale,
            is_advance: pool.advance_percent.is_some(),
            allocated_now,
            set_asides,
            tail,
            distributable,
        })
    }
}

/// A scaled sum, rounded down to the unit, so that what it leaves is whole units too.
pub(super) fn scaled_units(amount: Money, unit: i64, factor: &Fraction) -> Option<i64> {
    Fraction::new(amount.fen().into(), unit.into())
        .times(factor)
        .floor_i64()
}

pub(super) fn percentage(percent: Decimal) -> Fraction {
    Fraction::from(rational(percent) / rational(Decimal::ONE_HUNDRED))
}
