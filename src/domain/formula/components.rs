//! Each component's money and scores, and what `rate` components leave to others.

use super::check::{Basis, Component, Formula, Mode, Remainder, Sum};
use super::evaluate::ComponentResult;
use super::evaluator::Evaluator;
use super::inputs::Inputs;
use super::split::{MoneySplit, percentage, scaled_units};
use crate::domain::error::{Faults, Violation};
use crate::domain::exact::amounts::{Part, Payout};
use crate::domain::exact::{Column, Fraction};
use crate::domain::money::Money;

/// Steps 2 and 3: each component's money and scores.
pub(super) fn component_parts(
    formula: &Formula,
    inputs: &Inputs<'_>,
    split: &MoneySplit,
) -> Result<(Vec<ComponentResult>, Vec<Part>), Vec<Violation>> {
    let pools = pools(formula, split)?;
    let scored = scores(formula, inputs)?;
    let rows = inputs.regions.len();
    let unit = formula.unit.fen();

    // Rate components first: what they leave may go to the share components.
    let mut claims: Vec<Option<Fraction>> = Vec::with_capacity(scored.len());
    let mut redistributed: Vec<Fraction> = Vec::new();
    // Yuan to units; an advance pays its part of each rate.
    let yuan_in_units = Fraction::new(100.into(), unit.into()).times(&split.scale);
    let mut parts: Vec<Option<Part>> = Vec::with_capacity(scored.len());
    for ((component, scored), pool) in formula.components.iter().zip(&scored).zip(&pools) {
        let Mode::Rate { remainder, .. } = &component.mode else {
            claims.push(None);
            parts.push(None);
            continue;
        };
        let part = Part::new(
            scored.product.clone(),
            rows,
            Payout::PerUnit {
                rate: yuan_in_units.clone(),
            },
        );
        let claimed = part.score_sum().times(&yuan_in_units);
        let short = claimed > *pool;
        if !short && *remainder == Remainder::Redistribute {
            redistributed.push(pool.minus(&claimed));
        }
        claims.push(Some(claimed));
        parts.push(Some(if short {
            Part::new(
                scored.product.clone(),
                rows,
                Payout::Proportional { pool: pool.clone() },
            )
        } else {
            part
        }));
    }
    let extra = Fraction::sum(&redistributed);
    let takers: Fraction = Fraction::sum(
        &(formula.components.iter())
            .filter_map(|component| match (&component.mode, component.sum) {
                (Mode::Share, Sum::Percent(percent)) => Some(percentage(percent)),
                _ => None,
            })
            .collect::<Vec<_>>(),
    );

    let mut report = Faults::default();
    let mut results = Vec::with_capacity(scored.len());
    let mut finished = Vec::with_capacity(scored.len());
    for (
        at,
        (
            Scored {
                score,
                rate,
                factors,
                product,
            },
            part,
        ),
    ) in scored.into_iter().zip(parts).enumerate()
    {
        let component = &formula.components[at];
        let mut pool = pools[at].clone();
        if let (Mode::Share, Sum::Percent(percent)) = (&component.mode, component.sum)
            && !extra.is_zero()
        {
            pool = pool.plus(&extra.times(&percentage(percent)).over(&takers));
        }
        let claimed = claims[at].clone();
        let (part, paid) = match part {
            Some(part) => {
                let paid = claimed
                    .clone()
                    .map_or_else(|| pool.clone(), |claimed| claimed.min(pool.clone()));
                (part, paid)
            }
            None if pool.is_zero() => {
                let nothing = Payout::PerUnit {
                    rate: Fraction::whole(0),
                };
                (Part::new(product, rows, nothing), Fraction::whole(0))
            }
            None => {
                let part = Part::new(product, rows, Payout::Proportional { pool: pool.clone() });
                if !part.any_positive() {
                    report.add(|| nothing_to_divide_by(at));
                }
                (part, pool.clone())
            }
        };
        results.push(ComponentResult {
            pool,
            paid,
            claimed,
            factors,
            score,
            rate,
        });
        finished.push(part);
    }
    report.finish()?;
    Ok((results, finished))
}

/// Step 2: each component's money, in units.
fn pools(formula: &Formula, split: &MoneySplit) -> Result<Vec<Fraction>, Vec<Violation>> {
    let unit = formula.unit.fen();
    let in_units = |amount: Money| Fraction::new(amount.fen().into(), unit.into());
    let distributable = in_units(split.distributable);
    let fixed: Vec<Fraction> = (formula.components.iter())
        .map(|component| match component.sum {
            // Rounded down like the advance itself: the sums of a formula that fixes them all fit into it.
            Sum::Amount(amount) if split.is_advance => {
                Fraction::whole(scaled_units(amount, unit, &split.scale).unwrap_or(0))
            }
            Sum::Amount(amount) => in_units(amount),
            Sum::Percent(_) => Fraction::whole(0),
        })
        .collect();
    let fixed_sum = Fraction::sum(&fixed);
    let rest = distributable.minus(&fixed_sum);
    let only_fixed = formula
        .components
        .iter()
        .all(|component| matches!(component.sum, Sum::Amount(_)));
    if rest < Fraction::whole(0) || (only_fixed && !rest.is_zero() && !split.is_advance) {
        return Err(vec![Violation::new(
            "components[].amount",
            format!(
                "{} yuan in all",
                fixed_sum
                    .times(&Fraction::new(unit.into(), 100.into()))
                    .to_decimal_text(2)
            ),
            format!(
                "{} the {} yuan to distribute",
                if only_fixed { "exactly" } else { "no more than" },
                split.distributable
            ),
            format!(
                "{}可分配资金 {} 元",
                if only_fixed { "等于" } else { "不超过" },
                split.distributable
            ),
        )]);
    }
    let pool = |(component, fixed): (&Component, Fraction)| match component.sum {
        Sum::Amount(_) => fixed,
        Sum::Percent(percent) => rest.times(&percentage(percent)),
    };
    Ok(formula.components.iter().zip(fixed).map(pool).collect())
}

/// Each component's score, and what it is multiplied by.
struct Scored {
    score: Column,
    rate: Option<Column>,
    factors: Vec<Column>,
    product: Column,
}

/// Step 3: each component's scores, adjusted.
fn scores(formula: &Formula, inputs: &Inputs<'_>) -> Result<Vec<Scored>, Vec<Violation>> {
    let mut report = Faults::default();
    let evaluator = Evaluator { formula, inputs };
    let factors: Vec<Option<Column>> = (formula.adjustments.iter().enumerate())
        .map(|(at, adjustment)| {
            evaluator.checked(
                &format!("adjustments[{at}].factor"),
                &adjustment.factor,
                &mut report,
            )
        })
        .collect();
    let mut scored: Vec<Option<Scored>> = Vec::with_capacity(formula.components.len());
    for (at, component) in formula.components.iter().enumerate() {
        let path = format!("components[{at}]");
        let score = evaluator.checked(&format!("{path}.score"), &component.score, &mut report);
        let rate = match &component.mode {
            Mode::Share => Some(None),
            Mode::Rate { rate, .. } => evaluator
                .checked(&format!("{path}.rate"), rate, &mut report)
                .map(Some),
        };
        let applied: Option<Vec<Column>> = component
            .adjustments
            .iter()
            .map(|position| factors[*position].clone())
            .collect();
        let (Some(score), Some(rate), Some(applied)) = (score, rate, applied) else {
            scored.push(None);
            continue;
        };
        let product = applied
            .iter()
            .chain(&rate)
            .try_fold(score.clone(), |product, factor| product.multiply(factor));
        match product {
            Ok(product) => scored.push(Some(Scored {
                score,
                rate,
                factors: applied,
                product,
            })),
            Err(too_large) => {
                report.add(|| too_large.violation(&format!("{path}.score")));
                scored.push(None);
            }
        }
    }
    report.finish()?;
    Ok(scored.into_iter().flatten().collect())
}

/// Checks what can be checked with data and without a pool: every expression has a value of zero or
/// more in every region, and no component divides by a sum of zero.
pub fn check_scores(formula: &Formula, inputs: &Inputs<'_>) -> Result<(), Vec<Violation>> {
    let scored = scores(formula, inputs)?;
    let mut report = Faults::default();
    for (at, (component, scored)) in formula.components.iter().zip(&scored).enumerate() {
        let divides = matches!(component.mode, Mode::Share)
            && !matches!(component.sum, Sum::Percent(percent) if percent.is_zero());
        if divides && (0..inputs.regions.len()).all(|row| scored.product.is_zero_at(row)) {
            report.add(|| nothing_to_divide_by(at));
        }
    }
    let evaluator = Evaluator { formula, inputs };
    for (at, bound) in formula.bounds.iter().enumerate() {
        if let Basis::PerHead(_, expression) | Basis::LastYear(_, expression) = &bound.basis {
            evaluator.checked(&format!("bounds[{at}].indicator"), expression, &mut report);
        }
    }
    report.finish()
}

fn nothing_to_divide_by(component: usize) -> Violation {
    Violation::new(
        format!("components[{component}].score"),
        "0 in every region: the sum that shares are divided by is zero",
        "above zero in at least one region",
        "至少一个地区的得分大于零(否则份额的分母为零)",
    )
}
