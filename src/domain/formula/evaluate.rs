//! The amounts: scores, components, bounds, and the one rounding at the end.
//!
//! Order of evaluation, all exact until the last step:
//!
//! 1. The pool, or the advance's percentage of it, less the set-asides, is what is *distributable*.
//! 2. Fixed components take their sums; the others their percentages of the rest.
//! 3. Scores times adjustment factors. A `rate` component pays rate times quantity, scaled down in
//!    proportion when its money is short; what it leaves is kept or goes to the `share` components.
//! 4. The sum of a region's components is brought within its bounds ([`super::bounds`]).
//! 5. [`crate::domain::apportion`] turns the exact quotas into whole units that sum to the payable total.

use super::bounds::{Filled, Placement, fill};
use super::check::Formula;
use super::components::{Scored, component_parts, payments, pools, scores};
use super::inputs::Inputs;
use super::limits::{infeasible, limits};
use super::split::MoneySplit;
use crate::domain::apportion::{Apportionment, Limits, Unsolvable, apportion};
use crate::domain::error::Violation;
use crate::domain::exact::amounts::{Amounts, Part};
use crate::domain::exact::{Column, Fraction};
use crate::domain::money::Money;
use rust_decimal::Decimal;
use std::sync::Arc;

/// The money of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// The whole pool.
    pub total: Money,
    /// For an advance, the percentage of the pool that is allocated now: above 0, up to 100.
    ///
    /// Sums that the formula states in yuan (set-asides, fixed components, rates, absolute and
    /// per-head bounds) and percentages of last year's amount are scaled by the same percentage, so
    /// that the advance is the whole in small. The advance itself, set-asides and fixed components
    /// are rounded down to the unit.
    pub advance_percent: Option<Decimal>,
}

/// What became of a component's money.
#[derive(Debug)]
pub struct ComponentResult {
    /// The money that the component has, in units.
    pub pool: Fraction,
    /// The money that it pays out, in units.
    pub paid: Fraction,
    /// In `rate` mode, what it would pay if there were enough, in units.
    pub claimed: Option<Fraction>,
    /// The adjustment factors, in order of application.
    pub factors: Vec<Arc<Column>>,
    /// The score before adjustment.
    pub score: Arc<Column>,
    /// The rate of a `rate` component, in yuan for each unit of quantity.
    pub rate: Option<Arc<Column>>,
}

/// The result of a formula over its inputs, with everything that explains it.
#[derive(Debug)]
pub struct Evaluation<'a> {
    /// The formula.
    pub formula: &'a Formula,
    /// What it was applied to.
    pub inputs: &'a Inputs<'a>,
    /// The money.
    pub pool: Pool,
    /// The part of the pool that is allocated now: the whole, or the advance.
    pub allocated_now: Money,
    /// The set-asides, in the formula's order.
    pub set_asides: Vec<Money>,
    /// The part of the pool below one rounding unit that stays with the fund.
    pub tail: Money,
    /// What is left for the components.
    pub distributable: Money,
    /// What `rate` components did not need and the formula keeps.
    pub kept: Money,
    /// Each component's money, in the formula's order.
    pub components: Vec<ComponentResult>,
    /// The exact amounts before bounds, in units.
    pub amounts: Box<Amounts>,
    /// Each region's limits and where it ended; quotas in units.
    pub bounds: BoundsResult,
    /// Each region's amount.
    pub results: Vec<Money>,
    /// Each region's units above the floor of its quota.
    pub residual: Vec<i64>,
}

/// What the bounds did, without borrowing the amounts.
#[derive(Debug)]
pub struct BoundsResult {
    /// Each region's least and most, in units.
    pub limits: Vec<Limits>,
    /// Where each region ended.
    pub placements: Vec<Placement>,
    /// What free amounts were multiplied by; `None` where they were left as they were.
    pub factor: Option<Fraction>,
    /// Rounds of fixing and refilling.
    pub rounds: usize,
    /// Whether a bound moved any region's amount.
    pub in_force: bool,
}

impl Evaluation<'_> {
    /// The exact quota of a region after bounds, in units.
    pub fn quota(&self, row: usize) -> Fraction {
        match (self.bounds.placements[row], &self.bounds.factor) {
            (Placement::Floor, _) => Fraction::whole(self.bounds.limits[row].low),
            (Placement::Cap, _) => Fraction::whole(self.bounds.limits[row].high),
            (Placement::Free, Some(factor)) => self.amounts.exact(row).times(factor),
            (Placement::Free, None) => self.amounts.exact(row),
        }
    }

    /// The sum of all regions' amounts.
    pub fn total(&self) -> Money {
        self.results.iter().copied().sum()
    }
}

/// Units to money; whole units never exceed the pool, which is within the limits of money.
pub(super) fn money(units: i64, unit_fen: i64) -> Money {
    units
        .checked_mul(unit_fen)
        .and_then(Money::from_fen)
        .unwrap_or_default()
}

/// Applies a formula to its inputs; reports everything that is wrong, or gives every region's amount.
pub fn evaluate<'a>(
    formula: &'a Formula,
    inputs: &'a Inputs<'a>,
    pool: Pool,
) -> Result<Evaluation<'a>, Vec<Violation>> {
    let split = MoneySplit::new(formula, pool)?;
    let pools = pools(formula, &split)?;
    let scored = scores(formula, inputs)?;
    divide(formula, inputs, pool, split, &pools, &scored)
}

/// The same with scores that are known already.
pub(in crate::domain) fn evaluate_scored<'a>(
    formula: &'a Formula,
    inputs: &'a Inputs<'a>,
    pool: Pool,
    scored: &[Scored],
) -> Result<Evaluation<'a>, Vec<Violation>> {
    let split = MoneySplit::new(formula, pool)?;
    let pools = pools(formula, &split)?;
    divide(formula, inputs, pool, split, &pools, scored)
}

fn divide<'a>(
    formula: &'a Formula,
    inputs: &'a Inputs<'a>,
    pool: Pool,
    money_split: MoneySplit,
    pools: &[Fraction],
    scored: &[Scored],
) -> Result<Evaluation<'a>, Vec<Violation>> {
    let unit = formula.unit.fen();
    let payments = payments(formula, &money_split, pools, scored)?;
    let (components, parts) = component_parts(payments, scored);
    let payable = Fraction::sum(
        &components
            .iter()
            .map(|component| component.paid.clone())
            .collect::<Vec<_>>(),
    );
    // The payable total is rounded down to a whole unit; the rest of a unit is kept.
    let total = payable
        .floor_i64()
        .ok_or_else(|| vec![out_of_range("components")])?;
    let amounts = Box::new(Amounts::new(inputs.regions.len(), parts));
    let limits = limits(formula, inputs, &money_split, total)?;
    let filled = fill(&amounts, payable, total, limits.clone())
        .map_err(|why| vec![infeasible(formula, inputs, total, &amounts, &limits, why)])?;
    let rounding_limits = filled.rounding_limits();
    let Apportionment { units, residual } = apportion(formula.method, total, &filled, &rounding_limits)
        .map_err(|why| vec![unsolvable(formula, why)])?;
    let bounds = bounds_result(&filled);
    drop(filled);
    let MoneySplit {
        allocated_now,
        set_asides,
        tail,
        distributable,
        ..
    } = money_split;
    let kept = distributable.checked_sub(money(total, unit)).unwrap_or_default();
    Ok(Evaluation {
        formula,
        inputs,
        pool,
        allocated_now,
        set_asides,
        tail,
        distributable,
        kept,
        components,
        amounts,
        bounds,
        results: units.into_iter().map(|units| money(units, unit)).collect(),
        residual,
    })
}

fn bounds_result(filled: &Filled<'_>) -> BoundsResult {
    BoundsResult {
        limits: filled.limits().to_vec(),
        placements: filled.placements().to_vec(),
        factor: filled.factor(),
        rounds: filled.rounds(),
        in_force: filled.in_force(),
    }
}

fn unsolvable(formula: &Formula, why: Unsolvable) -> Violation {
    match why {
        Unsolvable::TooFewUnits { rows, units } => Violation::new(
            "rounding.method",
            format!("{} with {units} units for {rows} regions", formula.method),
            "a method that may give a region nothing, a smaller rounding unit, or a larger pool",
            "允许为零的取整方法、更小的取整单位或更大的资金盘子",
        ),
        Unsolvable::Limits { units } => Violation::new(
            "bounds",
            format!("no room for {units} units"),
            "bounds that leave room for the payable total",
            "能容纳可分配资金的上下限",
        ),
        Unsolvable::Range => out_of_range("pool"),
    }
}

fn out_of_range(field: &str) -> Violation {
    Violation::new(
        field,
        "a value out of range",
        "amounts up to 10^15 yuan",
        "不超过 10^15 元的金额",
    )
}

/// The exact share of `row` in `part`, where its scores do not sum to zero.
pub fn share_of(part: &Part, row: usize) -> Option<Fraction> {
    let sum = part.score_sum();
    (!sum.is_zero()).then(|| part.scores().fraction(row).over(sum))
}
