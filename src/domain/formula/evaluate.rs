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

use super::bounds::{Filled, Infeasible, Placement, fill};
use super::check::{Basis, BoundKind, Formula, Mode, Remainder, Sum};
use super::expression::{Expression, Node, NodeId, Operation};
use super::inputs::{Inputs, Report};
use crate::domain::apportion::{Apportionment, Limits, Unsolvable, apportion};
use crate::domain::error::Violation;
use crate::domain::exact::amounts::{Amounts, Part, Payout};
use crate::domain::exact::column::ValueTooLarge;
use crate::domain::exact::enclosure::{Enclosure, PLACES};
use crate::domain::exact::{Column, Fraction, rational};
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use num_traits::ToPrimitive;
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::cmp::Ordering;

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
    pub factors: Vec<Column>,
    /// The score before adjustment.
    pub score: Column,
    /// The rate of a `rate` component, in yuan for each unit of quantity.
    pub rate: Option<Column>,
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

    /// Each component's part of a region's amount in whole units, for tables.
    ///
    /// The parts sum to the region's amount where no bound moved any region, and to its amount before
    /// bounds, rounded to the nearest unit, where one did. Largest remainder within the row; where a
    /// divisor method gave more or fewer units than that can, in proportion first.
    pub fn component_amounts(&self, row: usize) -> Vec<Money> {
        let unit = self.formula.unit.fen();
        let parts = self.amounts.parts();
        let target = if self.bounds.in_force {
            self.nearest_units(row)
        } else {
            self.results[row].fen() / unit
        };
        let enclosed = Enclosed {
            parts: (parts.iter())
                .map(|part| (part.enclosure(row), !part.is_zero(row)))
                .collect(),
            exact: |at: usize| parts[at].exact(row),
        };
        let units = enclosed.whole(target).unwrap_or_else(|| {
            let exact: Vec<Fraction> = parts.iter().map(|part| part.exact(row)).collect();
            let sum = Fraction::sum(&exact);
            if sum.is_zero() {
                return vec![0; exact.len()];
            }
            let factor = Fraction::whole(target).over(&sum);
            let scaled = Enclosed {
                parts: (exact.iter())
                    .map(|part| (Enclosure::UNKNOWN, !part.is_zero()))
                    .collect(),
                exact: |at: usize| exact[at].times(&factor),
            };
            scaled.whole(target).unwrap_or_default()
        });
        units.into_iter().map(|units| money(units, unit)).collect()
    }

    /// A region's amount before bounds in whole units, the nearest, halves up.
    fn nearest_units(&self, row: usize) -> i64 {
        const HALF: Enclosure = Enclosure {
            low: 1 << (PLACES - 1),
            high: 1 << (PLACES - 1),
        };
        let exact = || {
            self.amounts
                .exact(row)
                .plus(&Fraction::new(1.into(), 2.into()))
                .floor_i64()
        };
        let enclosed = self.amounts.enclosure(row).plus(HALF).floor();
        enclosed.or_else(exact).unwrap_or(0)
    }

    /// The sum of all regions' amounts.
    pub fn total(&self) -> Money {
        self.results.iter().copied().sum()
    }
}

/// The parts of one amount: each enclosed and whether it is above zero; exact where that does not decide.
struct Enclosed<E> {
    parts: Vec<(Enclosure, bool)>,
    exact: E,
}

impl<E: Fn(usize) -> Fraction> Enclosed<E> {
    /// Floors and one more unit each for the largest remainders; `None` where those do not reach the target.
    fn whole(&self, target: i64) -> Option<Vec<i64>> {
        let floor = |(at, (enclosure, _)): (usize, &(Enclosure, bool))| {
            enclosure.floor().or_else(|| (self.exact)(at).floor_i64())
        };
        let mut units: Vec<i64> = self.parts.iter().enumerate().map(floor).collect::<Option<_>>()?;
        let missing = usize::try_from(target - units.iter().sum::<i64>()).ok()?;
        let mut order: Vec<usize> = (0..units.len()).filter(|at| self.parts[*at].1).collect();
        if missing > order.len() {
            return None;
        }
        if (1..order.len()).contains(&missing) {
            order.sort_by(|a, b| self.by_remainder(&units, *a, *b));
        }
        for at in &order[..missing] {
            units[*at] += 1;
        }
        Some(units)
    }

    /// Orders two parts by remainder, then position: the larger remainder first.
    fn by_remainder(&self, floors: &[i64], a: usize, b: usize) -> Ordering {
        let enclosed = |at: usize| self.parts[at].0.above(floors[at]);
        match enclosed(b).order(enclosed(a)) {
            Some(order @ (Ordering::Less | Ordering::Greater)) => order,
            _ => {
                let exact = |at: usize| (self.exact)(at).remainder();
                exact(b).cmp(&exact(a)).then(a.cmp(&b))
            }
        }
    }
}

/// Units to money; whole units never exceed the pool, which is within the limits of money.
fn money(units: i64, unit_fen: i64) -> Money {
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
    let unit = formula.unit.fen();
    let money_split = MoneySplit::new(formula, pool)?;
    let (components, parts) = component_parts(formula, inputs, &money_split)?;
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

/// Step 1: from the pool to what is distributable.
struct MoneySplit {
    /// 1, or the advance's part of it.
    scale: Fraction,
    is_advance: bool,
    allocated_now: Money,
    set_asides: Vec<Money>,
    tail: Money,
    distributable: Money,
}

impl MoneySplit {
    fn new(formula: &Formula, pool: Pool) -> Result<Self, Vec<Violation>> {
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
fn scaled_units(amount: Money, unit: i64, factor: &Fraction) -> Option<i64> {
    Fraction::new(amount.fen().into(), unit.into())
        .times(factor)
        .floor_i64()
}

fn percentage(percent: Decimal) -> Fraction {
    Fraction::from(rational(percent) / rational(Decimal::ONE_HUNDRED))
}

/// Steps 2 and 3: each component's money and scores.
fn component_parts(
    formula: &Formula,
    inputs: &Inputs<'_>,
    split: &MoneySplit,
) -> Result<(Vec<ComponentResult>, Vec<Part>), Vec<Violation>> {
    let rows = inputs.regions.len();
    let unit = formula.unit.fen();
    let in_units = |amount: Money| Fraction::new(amount.fen().into(), unit.into());
    let mut pools: Vec<Fraction> = Vec::with_capacity(formula.components.len());
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
    for (component, fixed) in formula.components.iter().zip(fixed) {
        pools.push(match component.sum {
            Sum::Amount(_) => fixed,
            Sum::Percent(percent) => rest.times(&percentage(percent)),
        });
    }

    let mut report = Report::default();
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
    let scored: Vec<Scored> = scored.into_iter().flatten().collect();

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

    let mut report = Report::default();
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
                    report.add(|| {
                        Violation::new(
                            format!("components[{at}].score"),
                            "0 in every region: the sum that shares are divided by is zero",
                            "above zero in at least one region",
                            "至少一个地区的得分大于零(否则份额的分母为零)",
                        )
                    });
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

struct Scored {
    score: Column,
    rate: Option<Column>,
    factors: Vec<Column>,
    product: Column,
}

/// Evaluates expressions over the inputs.
struct Evaluator<'e> {
    formula: &'e Formula,
    inputs: &'e Inputs<'e>,
}

enum Value<'v> {
    Number(Cow<'v, Column>),
    Truth(Vec<Option<bool>>),
}

impl Evaluator<'_> {
    /// The value for each region; every region must have one, zero or more.
    fn checked(&self, field: &str, expression: &Expression, report: &mut Report) -> Option<Column> {
        let column = match self.value(expression) {
            Ok(column) => column.into_owned().spread(self.inputs.regions.len()),
            Err(too_large) => {
                report.add(|| too_large.violation(field));
                return None;
            }
        };
        if let Some(row) = column.undefined_row() {
            report.add(|| {
                Violation::new(
                    field,
                    format!(
                        "division by zero for {} in \"{}\"",
                        self.inputs.name(row),
                        expression.text()
                    ),
                    "a divisor other than zero in every region, or a condition that avoids it",
                    "各地区的除数均不为零,或用条件避开",
                )
            });
            return None;
        }
        if let Some(row) = column.negative_row() {
            report.add(|| {
                let value = column.fraction(row).to_decimal_text(6);
                Violation::new(
                    field,
                    format!(
                        "{value} for {} in \"{}\"",
                        self.inputs.name(row),
                        expression.text()
                    ),
                    "zero or more in every region",
                    "各地区均不小于零",
                )
            });
            return None;
        }
        Some(column)
    }

    fn value(&self, expression: &Expression) -> Result<Cow<'_, Column>, ValueTooLarge> {
        let rows = self.inputs.regions.len();
        let nodes = expression.nodes();
        let last_use = last_uses(nodes);
        let nothing = Column::Each(vec![None]);
        let mut values: Vec<Option<Value<'_>>> = Vec::with_capacity(nodes.len());
        for (id, node) in nodes.iter().enumerate() {
            // The reader has checked every operand's kind.
            let number = |node: NodeId| match &values[node] {
                Some(Value::Number(column)) => column.as_ref(),
                _ => &nothing,
            };
            let truth = |node: NodeId| match &values[node] {
                Some(Value::Truth(truth)) => truth.as_slice(),
                _ => &[None],
            };
            let owned = |column: Column| Value::Number(Cow::Owned(column));
            let value = match node {
                Node::Number(value) => owned(Column::constant(*value)),
                Node::Parameter(name) => owned(Column::constant(
                    self.formula.parameters.get(name).copied().unwrap_or_default(),
                )),
                Node::Indicator { code, years_back } => match self.inputs.column(code, *years_back) {
                    Some(column) => Value::Number(Cow::Borrowed(&column.values)),
                    None => owned(nothing.clone()),
                },
                Node::Binary(operation, a, b) => {
                    let (a, b) = (number(*a), number(*b));
                    owned(match operation {
                        Operation::Add => a.add(b),
                        Operation::Subtract => a.subtract(b),
                        Operation::Multiply => a.multiply(b),
                        Operation::Divide => a.divide(b),
                        Operation::Minimum => a.minimum(b),
                        Operation::Maximum => a.maximum(b),
                    }?)
                }
                Node::Share(a) => owned(number(*a).share(rows)?),
                Node::Total(a) => owned(number(*a).total(rows)?),
                Node::If {
                    condition,
                    then,
                    otherwise,
                } => owned(number(*then).select(number(*otherwise), truth(*condition))?),
                Node::Compare(relation, a, b) => {
                    let orders = number(*a).compare(number(*b));
                    Value::Truth(
                        orders
                            .into_iter()
                            .map(|order| order.map(|order| relation.holds(order)))
                            .collect(),
                    )
                }
                Node::And(a, b) => Value::Truth(both(truth(*a), truth(*b), |a, b| a && b)),
                Node::Or(a, b) => Value::Truth(both(truth(*a), truth(*b), |a, b| a || b)),
                Node::Not(a) => {
                    Value::Truth(truth(*a).iter().map(|truth| truth.map(|truth| !truth)).collect())
                }
            };
            values.push(Some(value));
            for operand in node.operands() {
                if last_use[operand] == id {
                    values[operand] = None;
                }
            }
        }
        match values.pop().flatten() {
            Some(Value::Number(column)) => Ok(column),
            _ => Ok(Cow::Owned(nothing)),
        }
    }
}

fn both(a: &[Option<bool>], b: &[Option<bool>], join: impl Fn(bool, bool) -> bool) -> Vec<Option<bool>> {
    let at = |items: &[Option<bool>], row: usize| if items.len() == 1 { items[0] } else { items[row] };
    (0..a.len().max(b.len()))
        .map(|row| Some(join(at(a, row)?, at(b, row)?)))
        .collect()
}

/// For each node, the last node that uses it, so that columns are freed as early as possible.
fn last_uses(nodes: &[Node]) -> Vec<NodeId> {
    let mut last = vec![NodeId::MAX; nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        for operand in node.operands() {
            last[operand] = id;
        }
    }
    last
}

/// Step 4: each region's least and most, in whole units.
///
/// A floor is rounded up to the unit and a cap down, so that the rounded amount keeps to both.
fn limits(
    formula: &Formula,
    inputs: &Inputs<'_>,
    split: &MoneySplit,
    total: i64,
) -> Result<Vec<Limits>, Vec<Violation>> {
    let mut limits = vec![Limits { low: 0, high: total }; inputs.regions.len()];
    let evaluator = Evaluator { formula, inputs };
    let yuan_in_units = Fraction::new(100.into(), formula.unit.fen().into()).times(&split.scale);
    let mut report = Report::default();
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
        // A bound above the total is out of reach whatever its size.
        let whole = |exact: &Fraction| match bound.kind {
            BoundKind::Floor => (exact.ceiling().to_i64())
                .unwrap_or(i64::MAX)
                .min(total.saturating_add(1)),
            BoundKind::Cap => exact.floor().to_i64().unwrap_or(i64::MAX),
        };
        let fixed = whole(&in_units);
        let row_of = |code: &RegionCode| {
            (inputs.regions)
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
                let yuan = |units: i64| money(units, formula.unit.fen());
                Violation::new(
                    "bounds",
                    format!(
                        "floor {} above cap {} for {}",
                        yuan(limit.low),
                        yuan(limit.high),
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

fn infeasible(
    formula: &Formula,
    inputs: &Inputs<'_>,
    total: i64,
    amounts: &Amounts,
    limits: &[Limits],
    why: Infeasible,
) -> Violation {
    const SHOWN: usize = 9;
    let yuan = |units: i128| {
        let fen = units * i128::from(formula.unit.fen());
        format!("{}.{:02}", fen / 100, fen % 100)
    };
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
