//! Each region's least and most in whole units, and why they leave no room.

use super::bounds::Infeasible;
use super::check::{Basis, BoundKind, Formula};
use super::evaluator::Evaluator;
use super::inputs::Inputs;
use super::split::{MoneySplit, percentage};
use crate::domain::apportion::Limits;
use crate::domain::error::{Faults, Violation};
use crate::domain::exact::amounts::Amounts;
use crate::domain::exact::{Fraction, rational};
use crate::domain::region::RegionCode;
use num_traits::ToPrimitive;

/// Step 4: each region's least and most, in whole units.
///
/// A floor is rounded up to the unit and a cap down, so that the rounded amount keeps to both.
pub(in crate::domain) fn limits(
    formula: &Formula,
    inputs: &Inputs<'_>,
    split: &MoneySplit,
    total: i64,
) -> Result<Vec<Limits>, Vec<Violation>> {
    let mut limits = vec![Limits { low: 0, high: total }; inputs.regions.len()];
    let evaluator = Evaluator { formula, inputs };
    let yuan_in_units = Fraction::new(100.into(), formula.unit.fen().into()).times(&split.scale);
    let mut report = Faults::default();
    for (at, bound) in formula.bounds.iter().enumerate() {
        let field = format!("bounds[{at}].indicator");
        // Yuan for each unit of the measure; a fixed sum has none.
        let (measure, amount) = match &bound.basis {
            Basis::Absolute(money) => (None, Fraction::new(money.fen().into(), 100.into())),
            Basis::PerHead(amount, expression) => match evaluator.checked(&field, expression, &mut report) {
                Some(measure) => (Some(measure), Fraction::from(rational(*amount))),
                None => continue,
            },
            Basis::LastYear(percent, expression) => {
                match evaluator.checked(&field, expression, &mut report) {
                    Some(measure) => (Some(measure), percentage(*percent)),
                    None => continue,
                }
            }
        };
        let in_units = amount.times(&yuan_in_units);
        let whole = |exact: &Fraction| {
            let units = match bound.kind {
                BoundKind::Floor => exact.ceiling(),
                BoundKind::Cap => exact.floor(),
            };
            units.to_i64().unwrap_or(i64::MAX)
        };
        let fixed = whole(&in_units);
        let row_of = |code: &RegionCode| {
            inputs
                .regions
                .binary_search_by(|region| region.code.cmp(code))
                .ok()
        };
        let rows: Vec<usize> = if bound.regions.is_empty() {
            (0..limits.len()).collect()
        } else {
            bound.regions.iter().filter_map(row_of).collect()
        };
        for row in rows {
            let units = match &measure {
                Some(measure) => whole(&measure.fraction(row).times(&in_units)),
                None => fixed,
            };
            let limit = &mut limits[row];
            match bound.kind {
                BoundKind::Floor => limit.low = limit.low.max(units),
                BoundKind::Cap => limit.high = limit.high.min(units),
            }
        }
    }
    for (row, limit) in limits.iter().enumerate() {
        if limit.low > limit.high && limit.high < total {
            report.add(|| {
                let unit = formula.unit.fen();
                Violation::new(
                    "bounds",
                    format!(
                        "floor {} above cap {} for {}",
                        yuan(limit.low.into(), unit),
                        yuan(limit.high.into(), unit),
                        inputs.name(row)
                    ),
                    "a floor no higher than the cap, in whole rounding units",
                    "下限不高于上限(按取整单位计)",
                )
            });
        }
    }
    report.finish()?;
    Ok(limits)
}

/// Units as yuan, whatever their size: a floor that is refused may be larger than any amount.
fn yuan(units: i128, unit_fen: i64) -> String {
    let fen = units * i128::from(unit_fen);
    format!("{}.{:02}", fen / 100, fen % 100)
}

pub(super) fn infeasible(
    formula: &Formula,
    inputs: &Inputs<'_>,
    total: i64,
    amounts: &Amounts,
    limits: &[Limits],
    why: Infeasible,
) -> Violation {
    const SHOWN: usize = 9;
    let yuan = |units: i128| yuan(units, formula.unit.fen());
    let total = yuan(i128::from(total));
    let listed = |value: &dyn Fn(usize) -> i64| {
        let rows: Vec<usize> = (0..limits.len()).filter(|row| value(*row) > 0).collect();
        let shown: Vec<String> = rows
            .iter()
            .take(SHOWN)
            .map(|row| format!("{} {}", inputs.name(*row), yuan(i128::from(value(*row)))))
            .collect();
        let more = rows.len().saturating_sub(SHOWN);
        format!(
            "{}{}",
            shown.join(", "),
            if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            }
        )
    };
    match why {
        Infeasible::Floors(sum) => Violation::new(
            "bounds",
            format!(
                "floors of {} yuan in all: {}",
                yuan(sum),
                listed(&|row| limits[row].low)
            ),
            format!("floors that sum to no more than the {total} yuan payable"),
            format!("下限之和不超过可分配的 {total} 元"),
        ),
        Infeasible::Caps(sum) => {
            let reach = |row: usize| {
                if amounts.is_zero(row) {
                    limits[row].low
                } else {
                    limits[row].high
                }
            };
            Violation::new(
                "bounds",
                format!(
                    "caps of {} yuan in all, regions without a score counting with their floor: {}",
                    yuan(sum),
                    listed(&reach)
                ),
                format!("caps that leave room for the {total} yuan payable"),
                format!("上限之和不少于可分配的 {total} 元"),
            )
        }
    }
}
