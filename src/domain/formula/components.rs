//! Each component's money and scores, and what `rate` components leave to others.

use super::check::{Basis, Component, Formula, Mode, Remainder, Sum};
use super::evaluate::ComponentResult;
use super::evaluator::Evaluator;
use super::inputs::Inputs;
use super::split::{MoneySplit, percentage, scaled_units};
use crate::domain::error::{Faults, Violation};
use crate::domain::exact::amounts::{Part, Payout, Scores};
use crate::domain::exact::{Column, Fraction};
use crate::domain::money::Money;
use std::sync::Arc;

/// What a component has and pays.
pub(in crate::domain) struct Paid {
    /// The money that it has, in units.
    pub(in crate::domain) pool: Fraction,
    /// The money that it pays out, in units.
    pub(in crate::domain) paid: Fraction,
    /// In `rate` mode, what it would pay if there were enough.
    pub(in crate::domain) claimed: Option<Fraction>,
    /// How its scores become amounts.
    pub(in crate::domain) payout: Payout,
}

/// Steps 2 and 3: from each component's money and scores to what it pays.
pub(in crate::domain) fn payments(
    formula: &Formula,
    split: &MoneySplit,
    pools: &[Fraction],
    scored: &[Scored],
) -> Result<Vec<Paid>, Vec<Violation>> {
    let unit = formula.unit.fen();
    // Rate components first: what they leave may go to the share components.
    let mut claims: Vec<Option<(Fraction, Payout)>> = Vec::with_capacity(scored.len());
    let mut redistributed: Vec<Fraction> = Vec::new();
    // Yuan to units; an advance pays its part of each rate.
    let yuan_in_units = Fraction::new(100.into(), unit.into()).times(&split.scale);
    for ((component, scored), pool) in formula.components.iter().zip(scored).zip(pools) {
        let Mode::Rate { remainder, .. } = &component.mode else {
            claims.push(None);
            continue;
        };
        let claimed = scored.product.sum().times(&yuan_in_units);
        let short = claimed > *pool;
        if !short && *remainder == Remainder::Redistribute {
            redistributed.push(pool.minus(&claimed));
        }
        let payout = if short {
            Payout::Proportional { pool: pool.clone() }
        } else {
            Payout::PerUnit {
                rate: yuan_in_units.clone(),
            }
        };
        claims.push(Some((claimed, payout)));
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
    let mut payments = Vec::with_capacity(scored.len());
    for (at, (scored, claim)) in scored.iter().zip(claims).enumerate() {
        let component = &formula.components[at];
        let mut pool = pools[at].clone();
        if let (Mode::Share, Sum::Percent(percent)) = (&component.mode, component.sum)
            && !extra.is_zero()
        {
            pool = pool.plus(&extra.times(&percentage(percent)).over(&takers));
        }
        payments.push(match claim {
            Some((claimed, payout)) => Paid {
                paid: claimed.clone().min(pool.clone()),
                claimed: Some(claimed),
                payout,
                pool,
            },
            None if pool.is_zero() => Paid {
                paid: Fraction::whole(0),
                claimed: None,
                payout: Payout::PerUnit {
                    rate: Fraction::whole(0),
                },
                pool,
            },
            None => {
                if !scored.product.any_positive() {
                    report.add(|| nothing_to_divide_by(at));
                }
                Paid {
                    paid: pool.clone(),
                    claimed: None,
                    payout: Payout::Proportional { pool: pool.clone() },
                    pool,
                }
            }
        });
    }
    report.finish()?;
    Ok(payments)
}

/// The parts of all amounts, and what became of each component's money.
pub(super) fn component_parts(payments: Vec<Paid>, scored: &[Scored]) -> (Vec<ComponentResult>, Vec<Part>) {
    (payments.into_iter().zip(scored))
        .map(|(paid, scored)| {
            let result = ComponentResult {
                pool: paid.pool,
                paid: paid.paid,
                claimed: paid.claimed,
                factors: scored.factors.clone(),
                score: Arc::clone(&scored.score),
                rate: scored.rate.clone(),
            };
            (result, Part::new(Arc::clone(&scored.product), paid.payout))
        })
        .unzip()
}

/// Step 2: what each fixed component has, in units, and what is left for those with percentages.
pub(in crate::domain) fn fixed_and_rest(
    formula: &Formula,
    split: &MoneySplit,
) -> Result<(Vec<Fraction>, Fraction), Vec<Violation>> {
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
    Ok((fixed, rest))
}

/// Step 2: each component's money, in units.
pub(in crate::domain) fn pools(
    formula: &Formula,
    split: &MoneySplit,
) -> Result<Vec<Fraction>, Vec<Violation>> {
    let (fixed, rest) = fixed_and_rest(formula, split)?;
    let pool = |(component, fixed): (&Component, Fraction)| match component.sum {
        Sum::Amount(_) => fixed,
        Sum::Percent(percent) => rest.times(&percentage(percent)),
    };
    Ok(formula.components.iter().zip(fixed).map(pool).collect())
}

/// A component's score, and what it is multiplied by.
#[derive(Debug, Clone)]
pub(in crate::domain) struct Scored {
    pub(in crate::domain) score: Arc<Column>,
    pub(in crate::domain) rate: Option<Arc<Column>>,
    pub(in crate::domain) factors: Vec<Arc<Column>>,
    /// The score times all factors and the rate.
    pub(in crate::domain) product: Arc<Scores>,
}

/// Step 3: each component's scores, adjusted.
pub(in crate::domain) fn scores(
    formula: &Formula,
    inputs: &Inputs<'_>,
) -> Result<Vec<Scored>, Vec<Violation>> {
    let mut report = Faults::default();
    let evaluator = Evaluator { formula, inputs };
    let factors: Vec<Option<Arc<Column>>> = (0..formula.adjustments.len())
        .map(|at| factor(&evaluator, at, &mut report))
        .collect();
    let scored: Vec<Option<Scored>> = (0..formula.components.len())
        .map(|at| score(&evaluator, at, &factors, &mut report))
        .collect();
    report.finish()?;
    Ok(scored.into_iter().flatten().collect())
}

/// Computes the scores of some components again; the others keep theirs.
pub(in crate::domain) fn rescore(
    formula: &Formula,
    inputs: &Inputs<'_>,
    which: &[usize],
    scored: &mut [Scored],
) -> Result<(), Vec<Violation>> {
    let mut report = Faults::default();
    let evaluator = Evaluator { formula, inputs };
    let mut factors: Vec<Option<Arc<Column>>> = vec![None; formula.adjustments.len()];
    for at in which {
        for adjustment in &formula.components[*at].adjustments {
            if factors[*adjustment].is_none() {
                factors[*adjustment] = factor(&evaluator, *adjustment, &mut report);
            }
        }
        if let Some(scored_again) = score(&evaluator, *at, &factors, &mut report) {
            scored[*at] = scored_again;
        }
    }
    report.finish()
}

fn factor(evaluator: &Evaluator<'_>, at: usize, report: &mut Faults) -> Option<Arc<Column>> {
    let adjustment = &evaluator.formula.adjustments[at];
    let field = format!("adjustments[{at}].factor");
    evaluator
        .checked(&field, &adjustment.factor, report)
        .map(Arc::new)
}

fn score(
    evaluator: &Evaluator<'_>,
    at: usize,
    factors: &[Option<Arc<Column>>],
    report: &mut Faults,
) -> Option<Scored> {
    let component = &evaluator.formula.components[at];
    let path = format!("components[{at}]");
    let score = evaluator.checked(&format!("{path}.score"), &component.score, report);
    let rate = match &component.mode {
        Mode::Share => Some(None),
        Mode::Rate { rate, .. } => evaluator
            .checked(&format!("{path}.rate"), rate, report)
            .map(|rate| Some(Arc::new(rate))),
    };
    let applied: Option<Vec<Arc<Column>>> = component
        .adjustments
        .iter()
        .map(|position| factors[*position].clone())
        .collect();
    let (score, rate, factors) = (Arc::new(score?), rate?, applied?);
    let product = factors
        .iter()
        .chain(&rate)
        .try_fold(None, |product: Option<Column>, factor| {
            product.as_ref().unwrap_or(&score).multiply(factor).map(Some)
        });
    match product {
        Ok(product) => {
            let product = product.unwrap_or_else(|| Column::clone(&score));
            Some(Scored {
                product: Arc::new(Scores::new(product, evaluator.inputs.regions.len())),
                score,
                rate,
                factors,
            })
        }
        Err(too_large) => {
            report.add(|| too_large.violation(&format!("{path}.score")));
            None
        }
    }
}

/// Checks what can be checked with data and without a pool: every expression has a value of zero or
/// more in every region, and no component divides by a sum of zero.
pub fn check_scores(formula: &Formula, inputs: &Inputs<'_>) -> Result<(), Vec<Violation>> {
    let scored = scores(formula, inputs)?;
    let mut report = Faults::default();
    for (at, (component, scored)) in formula.components.iter().zip(&scored).enumerate() {
        let divides = matches!(component.mode, Mode::Share)
            && !matches!(component.sum, Sum::Percent(percent) if percent.is_zero());
        if divides && !scored.product.any_positive() {
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
