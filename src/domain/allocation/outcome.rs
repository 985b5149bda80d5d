//! What a run computed, and two outcomes compared.

use crate::domain::apportion::Method;
use crate::domain::error::Bilingual;
use crate::domain::exact::Fraction;
use crate::domain::formula::bounds::Placement;
use crate::domain::formula::check::Label;
use crate::domain::formula::contributions::contributions;
use crate::domain::formula::evaluate::Evaluation;
use crate::domain::money::{Money, RoundingUnit};
use crate::domain::region::RegionCode;
use std::collections::BTreeMap;

/// A component or set-aside with its money, as results show it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NamedAmount {
    /// Id in the formula.
    pub id: String,
    /// Names.
    pub name: Bilingual,
    /// The money.
    pub amount: Money,
}

/// One region's part of a run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Line {
    /// The region.
    pub region: RegionCode,
    /// Chinese name at the time of the run.
    pub name_zh: String,
    /// English name at the time of the run.
    pub name_en: String,
    /// Whole-unit parts by component before bounds, in the formula's order; they add up by region and by component.
    pub components: Vec<Money>,
    /// What bounds added or took: `amount` less the sum of `components`.
    pub bounds_adjustment: Money,
    /// `free`, `floor` or `cap`.
    pub placement: String,
    /// Units above the floor of the exact quota.
    pub residual_units: i64,
    /// The region's amount.
    pub amount: Money,
    /// In a settlement, what the advance gave; else zero.
    pub advanced: Money,
}

impl Line {
    /// What is to be paid now: the amount less what was advanced; in a settlement it may be negative.
    pub fn payable(&self) -> Money {
        self.amount.checked_sub(self.advanced).unwrap_or_default()
    }
}

/// What a run computed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// The part of the pool allocated now.
    pub allocated_now: Money,
    /// Set-asides.
    pub set_asides: Vec<NamedAmount>,
    /// Part of the pool below one rounding unit that stays with the fund.
    pub tail: Money,
    /// What the components divided.
    pub distributable: Money,
    /// What `rate` components did not need and the formula keeps.
    pub kept: Money,
    /// Components; the amount is the sum of their column.
    pub components: Vec<NamedAmount>,
    /// Rounding unit.
    pub unit: RoundingUnit,
    /// Method.
    pub method: Method,
    /// What in the formula is illustrative; empty where nothing is.
    pub illustrative: String,
    /// In a settlement, the sum of what the advance gave; else zero.
    pub advanced_total: Money,
    /// One line for each region, in code order.
    pub lines: Vec<Line>,
}

impl Outcome {
    /// What an evaluation gives; `advanced` holds what an advance gave, for a settlement.
    ///
    /// A region that took part in the advance but not in the settlement gets a line with nothing, so
    /// that what it was advanced is claimed back.
    pub fn new(evaluation: &Evaluation<'_>, advanced: Option<&Self>) -> Self {
        let formula = evaluation.formula;
        let mut before: BTreeMap<&RegionCode, &Line> = advanced
            .into_iter()
            .flat_map(|outcome| &outcome.lines)
            .map(|line| (&line.region, line))
            .collect();
        let mut contributions = contributions(evaluation);
        let mut lines: Vec<Line> = (evaluation.inputs.regions.iter().enumerate())
            .map(|(row, region)| {
                let components = std::mem::take(&mut contributions[row]);
                let amount = evaluation.results[row];
                let placement = match evaluation.bounds.placements[row] {
                    Placement::Floor if evaluation.bounds.limits[row].low > 0 => "floor",
                    Placement::Cap => "cap",
                    _ => "free",
                };
                Line {
                    region: region.code.clone(),
                    name_zh: region.name_zh.clone(),
                    name_en: region.name_en.clone(),
                    bounds_adjustment: amount
                        .checked_sub(components.iter().copied().sum())
                        .unwrap_or_default(),
                    components,
                    placement: placement.to_owned(),
                    residual_units: evaluation.residual[row],
                    amount,
                    advanced: before
                        .remove(&region.code)
                        .map(|line| line.amount)
                        .unwrap_or_default(),
                }
            })
            .collect();
        lines.extend(before.into_values().map(|line| Line {
            components: vec![Money::ZERO; formula.components.len()],
            bounds_adjustment: Money::ZERO,
            placement: "free".to_owned(),
            residual_units: 0,
            amount: Money::ZERO,
            advanced: line.amount,
            ..line.clone()
        }));
        lines.sort_by(|a, b| a.region.cmp(&b.region));
        let column = |at: usize| lines.iter().map(|line| line.components[at]).sum();
        let named = |label: &Label, amount| NamedAmount {
            id: label.id.clone(),
            name: Bilingual::new(&label.en, &label.zh),
            amount,
        };
        Self {
            allocated_now: evaluation.allocated_now,
            set_asides: (formula.set_asides.iter().zip(&evaluation.set_asides))
                .map(|(set_aside, amount)| named(&set_aside.label, *amount))
                .collect(),
            tail: evaluation.tail,
            distributable: evaluation.distributable,
            kept: evaluation.kept,
            components: (formula.components.iter().enumerate())
                .map(|(at, c)| named(&c.label, column(at)))
                .collect(),
            unit: formula.unit,
            method: formula.method,
            illustrative: formula.document.legal_basis.illustrative.clone(),
            advanced_total: lines.iter().map(|line| line.advanced).sum(),
            lines,
        }
    }

    /// The sum of all regions' amounts: what was distributable and not kept. Needs no lines.
    pub fn total(&self) -> Money {
        self.distributable.checked_sub(self.kept).unwrap_or_default()
    }

    /// The sum of what is payable now. Needs no lines.
    pub fn payable_total(&self) -> Money {
        self.total().checked_sub(self.advanced_total).unwrap_or_default()
    }
}

/// One region in a comparison of two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The region.
    pub region: RegionCode,
    /// Its name.
    pub name_zh: String,
    /// Its English name.
    pub name_en: String,
    /// Amount in the first run; `None` where it took no part.
    pub before: Option<Money>,
    /// Amount in the second run.
    pub after: Option<Money>,
    /// The second less the first.
    pub change: Money,
    /// The change in percent of the first, to 2 decimals; empty where the first is zero.
    pub change_percent: String,
}

/// Compares two outcomes region by region, in code order.
pub fn compare(before: &Outcome, after: &Outcome) -> Vec<Difference> {
    let mut pairs: BTreeMap<&RegionCode, (Option<&Line>, Option<&Line>)> = BTreeMap::new();
    for line in &before.lines {
        pairs.entry(&line.region).or_default().0 = Some(line);
    }
    for line in &after.lines {
        pairs.entry(&line.region).or_default().1 = Some(line);
    }
    let difference = |(region, (before, after)): (&RegionCode, (Option<&Line>, Option<&Line>))| {
        let amount = |line: Option<&Line>| line.map(|line| line.amount);
        let (first, second) = (
            amount(before).unwrap_or_default(),
            amount(after).unwrap_or_default(),
        );
        let change = second.checked_sub(first).unwrap_or_default();
        let named = after.or(before);
        let percent = (first != Money::ZERO).then(|| {
            Fraction::new((i128::from(change.fen()) * 100).into(), first.fen().into()).to_decimal_text(2)
        });
        Difference {
            region: region.clone(),
            name_zh: named.map(|line| line.name_zh.clone()).unwrap_or_default(),
            name_en: named.map(|line| line.name_en.clone()).unwrap_or_default(),
            before: amount(before),
            after: amount(after),
            change,
            change_percent: percent.unwrap_or_default(),
        }
    };
    pairs.into_iter().map(difference).collect()
}
