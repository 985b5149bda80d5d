//! Scenario after scenario, each equal, fen for fen, to [`fn@crate::domain::formula::evaluate`] of the changed base.
//!
//! Three ways, each handing on to the next what it does not cover:
//!
//! 1. `kernel`: largest remainder, and no bound that binds. Scores that no knob reaches keep their
//!    shares from before the first scenario; where a knob reaches a component's scores, these are computed again
//!    by the formula's own evaluator and only when a value has changed. For a formula of shares only, whose pool
//!    no knob reaches, nothing is allocated.
//! 2. The allocation engine, with the scores that are known.
//! 3. The whole way from the document, which also finds the words for a refusal.

use super::kernel::{Elsewhere, Funds, Kernel};
use super::numbers::{Number, Numbers, SCALED_HUNDRED, adjusted_value, scaled};
use super::plan::{Plan, Turn};
use super::scenario::{Adjust, Refusal, Setting};
use crate::domain::apportion::{Limits, Method};
use crate::domain::error::Violation;
use crate::domain::exact::Fraction;
use crate::domain::exact::amounts::{Amounts, Part, Scores};
use crate::domain::formula::check::{Basis, Mode, Remainder, Sum};
use crate::domain::formula::components::{Scored, fixed_and_rest, payments, pools, rescore};
use crate::domain::formula::evaluate::evaluate_scored;
use crate::domain::formula::limits::limits;
use crate::domain::formula::split::MoneySplit;
use crate::domain::formula::{Formula, Inputs};
use crate::domain::statistics::IndicatorCode;
use num_traits::{One, ToPrimitive};
use rust_decimal::Decimal;
use std::sync::Arc;

/// How many scenarios went which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ways {
    /// In fixed point.
    pub fixed_point: u64,
    /// Exact quotas that these needed.
    pub exact_quotas: u64,
    /// By the engine with known scores.
    pub engine: u64,
    /// The whole way.
    pub whole: u64,
}

/// Computes scenarios of a plan, one after another.
#[derive(Debug)]
pub struct Evaluator<'p, 'a> {
    plan: &'p Plan<'a>,
    ready: Option<Ready<'p>>,
    amounts: Vec<i64>,
    ways: Ways,
}

/// The changed base as the knobs were last set.
#[derive(Debug)]
pub(super) struct Ready<'p> {
    formula: Formula,
    inputs: Inputs<'p>,
    numbers: Numbers,
    scored: Vec<Scored>,
    /// Values of the columns that knobs reach, in the order of the inputs, as observed.
    observed: Vec<Column<'p>>,
    /// The same as the knobs were last set.
    supposed: Vec<Vec<Decimal>>,
    next: Vec<Vec<Decimal>>,
    kernel: Option<Kernel>,
    /// Limits of regions whatever the total, where no knob reaches them.
    limits: Option<Vec<Limits>>,
    /// What is left for percentages, where no knob reaches it.
    rest: Option<(Vec<Fraction>, u64)>,
    /// Percentages as the kernel takes them.
    percents: Vec<u128>,
    /// Whether the scores no longer match the scratch: the last scenario's could not be computed.
    stale: bool,
}

/// A column that knobs reach; empty for one that they do not.
#[derive(Debug)]
struct Column<'p> {
    key: (IndicatorCode, u8),
    indicator: &'p crate::domain::statistics::Indicator,
    values: Vec<Decimal>,
}

/// What a way makes of a scenario.
enum Way {
    Done,
    /// The engine must see it.
    Engine,
    /// It must be looked at from the document on.
    Whole,
}

impl From<Elsewhere> for Way {
    fn from(_: Elsewhere) -> Self {
        Self::Engine
    }
}

impl<'p, 'a> Evaluator<'p, 'a> {
    pub(super) fn new(plan: &'p Plan<'a>, ready: Option<Ready<'p>>) -> Self {
        Self {
            plan,
            ready,
            amounts: vec![0; plan.regions()],
            ways: Ways::default(),
        }
    }

    /// Each region's amount in fen, in code order, with the knobs at these settings and the others as in the base.
    pub fn amounts(&mut self, settings: &[Setting]) -> Result<&[i64], Refusal> {
        let way = match &mut self.ready {
            Some(ready) => ready.turn(self.plan, settings),
            None => Way::Whole,
        };
        let way = match (way, &mut self.ready) {
            (Way::Whole, _) | (_, None) => Way::Whole,
            (_, Some(ready)) => match ready.fixed_point(&mut self.amounts) {
                Ok(exact) => {
                    self.ways.fixed_point += 1;
                    self.ways.exact_quotas += exact as u64;
                    Way::Done
                }
                Err(Elsewhere) => Way::Engine,
            },
        };
        match (way, &self.ready) {
            (Way::Done, _) => {}
            (Way::Engine, Some(ready)) => {
                self.ways.engine += 1;
                let pool = ready.numbers.pool;
                let evaluation = evaluate_scored(&ready.formula, &ready.inputs, pool, &ready.scored)?;
                for (amount, result) in self.amounts.iter_mut().zip(&evaluation.results) {
                    *amount = result.fen();
                }
            }
            _ => {
                self.ways.whole += 1;
                let results = self.plan.changed(settings)?.amounts()?;
                self.amounts.clear();
                self.amounts.extend(results.iter().map(|amount| amount.fen()));
            }
        }
        Ok(&self.amounts)
    }

    /// How many scenarios went which way so far.
    pub fn ways(&self) -> Ways {
        self.ways
    }
}

impl<'p> Ready<'p> {
    pub(super) fn new(plan: &'p Plan<'_>, inputs: Inputs<'p>, scored: Vec<Scored>) -> Self {
        let formula = plan.changed.formula.clone();
        let reached = |at: usize| {
            plan.turns
                .iter()
                .any(|turn| matches!(turn, Turn::Values { columns, .. } if columns.contains(&at)))
        };
        let observed: Vec<Column<'p>> = (inputs.keyed().enumerate())
            .map(|(at, (key, column))| Column {
                key: key.clone(),
                indicator: column.indicator,
                values: if reached(at) {
                    column
                        .observations
                        .iter()
                        .map(|observation| observation.value)
                        .collect()
                } else {
                    Vec::new()
                },
            })
            .collect();
        let supposed: Vec<Vec<Decimal>> = observed.iter().map(|column| column.values.clone()).collect();
        let by_remainder = formula.method == Method::LargestRemainder;
        let products: Vec<&Scores> = scored.iter().map(|scored| &*scored.product).collect();
        let kernel = by_remainder
            .then(|| Kernel::new(inputs.regions.len(), &products))
            .flatten();
        let split = MoneySplit::new(&formula, plan.changed.pool).ok();
        let rest = split
            .as_ref()
            .filter(|_| !plan.moves_money)
            .and_then(|split| whole_rest(&formula, split));
        let limits = split
            .as_ref()
            .filter(|_| !plan.moves_bounds)
            .and_then(|split| limits(&formula, &inputs, split, i64::MAX).ok());
        Self {
            numbers: plan.start.clone(),
            percents: vec![0; formula.components.len()],
            next: supposed.clone(),
            formula,
            inputs,
            scored,
            observed,
            supposed,
            kernel,
            limits,
            rest,
            stale: false,
        }
    }

    /// Turns the knobs, and computes again the scores that this changes.
    fn turn(&mut self, plan: &Plan<'_>, settings: &[Setting]) -> Way {
        self.numbers.reset(&plan.start);
        for (values, column) in self.next.iter_mut().zip(&self.observed) {
            values.clone_from(&column.values);
        }
        for (knob, value) in settings {
            let (Some(turn), Some(knob)) = (plan.turns.get(*knob), plan.knobs().get(*knob)) else {
                return Way::Whole;
            };
            let to = knob.how.adjust(*value);
            let done = match turn {
                Turn::Number(target) => self.numbers.change("", target, to),
                Turn::Values { columns, row } => self.suppose(columns, *row, to),
            };
            if done.is_err() {
                return Way::Whole;
            }
        }
        if self.numbers.fill_up().is_err() || !self.numbers_fit() {
            return Way::Whole;
        }
        let parameters_changed = self.write(plan);
        self.score(plan, parameters_changed)
    }

    fn suppose(&mut self, columns: &[usize], row: Option<usize>, to: Adjust) -> Result<(), Violation> {
        for at in columns {
            let indicator = self.observed[*at].indicator;
            let values = &mut self.next[*at];
            let rows = row.map_or(0..values.len(), |row| row..row + 1);
            for value in &mut values[rows] {
                let adjusted = adjusted_value("", *value, to, indicator.decimals)?;
                *value = indicator.admit("", adjusted)?;
            }
        }
        Ok(())
    }

    /// What a check of the changed document would look at in its numbers.
    fn numbers_fit(&mut self) -> bool {
        let percentage = |number: &Number| match number {
            Number::Money(money) => !money.is_negative(),
            Number::Decimal(percent) => (Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(percent),
        };
        let positive = |number: &Number| match number {
            Number::Money(money) => !money.is_negative(),
            Number::Decimal(number) => *number >= Decimal::ZERO,
        };
        let (mut sum, mut takes, mut any) = (0_i128, false, false);
        for ((number, component), slot) in self
            .numbers
            .components
            .iter()
            .zip(&self.formula.components)
            .zip(&mut self.percents)
        {
            if let Number::Money(money) = number {
                if money.is_negative() {
                    return false;
                }
            } else if let Number::Decimal(percent) = number {
                let Some(scaled) = scaled(*percent) else {
                    return false;
                };
                let Ok(unsigned) = u128::try_from(scaled) else {
                    return false;
                };
                *slot = unsigned;
                any = true;
                sum = sum.saturating_add(scaled);
                takes |= matches!(component.mode, Mode::Share) && scaled != 0;
            }
        }
        let redistributes = (self.formula.components.iter()).any(|component| {
            matches!(
                component.mode,
                Mode::Rate {
                    remainder: Remainder::Redistribute,
                    ..
                }
            )
        });
        (!any || sum == SCALED_HUNDRED)
            && (takes || !redistributes)
            && self.numbers.set_asides.iter().all(percentage)
            && self.numbers.bounds.iter().all(positive)
    }

    /// Writes the numbers into the formula; whether any parameter differs from before.
    fn write(&mut self, plan: &Plan<'_>) -> bool {
        for (component, number) in self.formula.components.iter_mut().zip(&self.numbers.components) {
            component.sum = number.sum();
        }
        for (set_aside, number) in self.formula.set_asides.iter_mut().zip(&self.numbers.set_asides) {
            set_aside.sum = number.sum();
        }
        for (position, number) in plan.bounds.iter().zip(&self.numbers.bounds) {
            let Some(bound) = position.and_then(|at| self.formula.bounds.get_mut(at)) else {
                continue;
            };
            match (&mut bound.basis, number) {
                (Basis::Absolute(money), Number::Money(number)) => *money = *number,
                (Basis::PerHead(amount, _) | Basis::LastYear(amount, _), Number::Decimal(number)) => {
                    *amount = *number;
                }
                _ => {}
            }
        }
        let mut changed = false;
        for (text, number) in self
            .formula
            .document
            .parameters
            .iter()
            .zip(&self.numbers.parameters)
        {
            if let Some(value) = self.formula.parameters.get_mut(&text.name)
                && value != number
            {
                *value = *number;
                changed = true;
            }
        }
        changed
    }

    fn score(&mut self, plan: &Plan<'_>, mut changed: bool) -> Way {
        changed |= self.stale;
        for (at, column) in self.observed.iter().enumerate() {
            if self.next[at] != self.supposed[at] || (self.stale && !column.values.is_empty()) {
                changed = true;
                self.supposed[at].clone_from(&self.next[at]);
                if self.inputs.suppose(&column.key, &self.next[at]).is_err() {
                    self.stale = true;
                    return Way::Whole;
                }
            }
        }
        if !changed {
            return Way::Done;
        }
        self.stale = true;
        if rescore(&self.formula, &self.inputs, &plan.rescored, &mut self.scored).is_err() {
            return Way::Whole;
        }
        if let Some(kernel) = &mut self.kernel {
            for at in &plan.rescored {
                if kernel.set(*at, &self.scored[*at].product).is_none() {
                    return Way::Engine;
                }
            }
        }
        self.stale = false;
        Way::Done
    }

    /// The first way; gives how many exact quotas it took.
    fn fixed_point(&mut self, amounts: &mut [i64]) -> Result<usize, Elsewhere> {
        let Self {
            formula,
            numbers,
            scored,
            kernel: Some(kernel),
            limits,
            rest,
            percents,
            stale: false,
            ..
        } = self
        else {
            return Err(Elsewhere);
        };
        let limits = if formula.bounds.is_empty() {
            None
        } else {
            Some(limits.as_ref().ok_or(Elsewhere)?)
        };
        let split = || MoneySplit::new(formula, numbers.pool).map_err(|_| Elsewhere);
        let plain = formula
            .components
            .iter()
            .all(|component| matches!(component.mode, Mode::Share));
        if plain {
            let moved;
            let (fixed, rest) = match rest {
                Some(known) => &*known,
                None => {
                    moved = whole_rest(formula, &split()?).ok_or(Elsewhere)?;
                    &moved
                }
            };
            // A component that has money needs a score to divide it by.
            let pays = |at: usize| match formula.components[at].sum {
                Sum::Percent(_) => percents[at] != 0 && *rest != 0,
                Sum::Amount(_) => !fixed[at].is_zero(),
            };
            if (0..scored.len()).any(|at| pays(at) && !kernel.divides(at)) {
                return Err(Elsewhere);
            }
            let funds = (formula.components.iter().enumerate()).map(|(at, component)| match component.sum {
                Sum::Percent(_) => Funds::PercentOf(percents[at], *rest),
                Sum::Amount(_) => Funds::Exactly(&fixed[at]),
            });
            let any_percent = formula
                .components
                .iter()
                .any(|component| matches!(component.sum, Sum::Percent(_)));
            let fixed_sum = (fixed.iter()).try_fold(0_i64, |sum, fixed| sum.checked_add(fixed.floor_i64()?));
            let rest = if any_percent {
                i64::try_from(*rest).ok()
            } else {
                Some(0)
            };
            let total = fixed_sum
                .zip(rest)
                .and_then(|(a, b)| a.checked_add(b))
                .ok_or(Elsewhere)?;
            let places = kernel.spread(funds)?;
            if limits.is_some_and(|limits| !kernel.within(places, limits)) {
                return Err(Elsewhere);
            }
            let mut paid: Option<Exactly> = None;
            let exact = |row: usize| {
                if paid.is_none() {
                    paid = Exactly::new(formula, numbers, scored);
                }
                paid.as_ref()
                    .map_or_else(|| Fraction::whole(0), |paid| paid.quota(row))
            };
            return kernel.round(places, total, formula.unit.fen(), exact, amounts);
        }
        let paid = Exactly::new(formula, numbers, scored).ok_or(Elsewhere)?;
        let places = kernel.spread(paid.funds.iter().map(Funds::Exactly))?;
        if limits.is_some_and(|limits| !kernel.within(places, limits)) {
            return Err(Elsewhere);
        }
        kernel.round(
            places,
            paid.total,
            formula.unit.fen(),
            |row| paid.quota(row),
            amounts,
        )
    }
}

/// What fixed components have and what is left for percentages, where both are whole units.
fn whole_rest(formula: &Formula, split: &MoneySplit) -> Option<(Vec<Fraction>, u64)> {
    let (fixed, rest) = fixed_and_rest(formula, split).ok()?;
    let whole = |fraction: &Fraction| {
        (fraction.denominator.is_one() || fraction.remainder().is_zero())
            .then(|| fraction.floor())?
            .to_u64()
    };
    fixed.iter().try_for_each(|fixed| whole(fixed).map(|_| ()))?;
    let rest = whole(&rest)?;
    Some((fixed, rest))
}

/// A scenario's money and quotas, exactly.
struct Exactly {
    amounts: Amounts,
    /// What quotas are of amounts: below 1 where a part of a unit is kept.
    factor: Fraction,
    /// What each component pays, times the factor.
    funds: Vec<Fraction>,
    total: i64,
}

impl Exactly {
    fn new(formula: &Formula, numbers: &Numbers, scored: &[Scored]) -> Option<Self> {
        let split = MoneySplit::new(formula, numbers.pool).ok()?;
        let pools = pools(formula, &split).ok()?;
        let payments = payments(formula, &split, &pools, scored).ok()?;
        let paid: Vec<Fraction> = payments.iter().map(|payment| payment.paid.clone()).collect();
        let payable = Fraction::sum(&paid);
        let total = payable.floor_i64()?;
        let factor = if payable.is_zero() {
            Fraction::whole(1)
        } else {
            Fraction::from(Fraction::whole(total).over(&payable).reduced())
        };
        let parts = (payments.into_iter().zip(scored))
            .map(|(payment, scored)| Part::new(Arc::clone(&scored.product), payment.payout))
            .collect();
        Some(Self {
            amounts: Amounts::new(scored.first()?.product.rows(), parts),
            funds: paid.iter().map(|paid| paid.times(&factor)).collect(),
            factor,
            total,
        })
    }

    fn quota(&self, row: usize) -> Fraction {
        self.amounts.exact(row).times(&self.factor)
    }
}
