//! Scenarios side by side: amounts, changes, amounts per head, ranks, winners and losers.

use super::scenario::Refusal;
use crate::domain::money::Money;
use crate::domain::region::Region;
use crate::domain::statistics::IndicatorCode;
use rust_decimal::Decimal;

/// What "per head" counts: an indicator of a year, from the base's data whatever a scenario changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heads {
    /// The indicator.
    pub code: IndicatorCode,
    /// The year.
    pub year: i32,
}

/// One region's amount in a scenario, and beside the scenario it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The amount.
    pub amount: Money,
    /// The amount less that of the scenario compared with; none where that one has no amounts.
    pub change: Option<Money>,
    /// The change in percent, to 2 decimals; none where the amount compared with is zero.
    pub change_percent: Option<String>,
    /// Yuan per head, to 2 decimals; none where nothing is counted, or nobody.
    pub per_head: Option<String>,
    /// The place by amount, from 1; regions with the same amount share a place.
    pub rank: usize,
}

/// A scenario's column of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The scenario's name.
    pub name: String,
    /// Region by region in code order, or why there are no amounts.
    pub amounts: Result<Vec<Compared>, Refusal>,
    /// The sum of all amounts.
    pub total: Money,
    /// Regions that receive more than in the scenario compared with.
    pub winners: usize,
    /// Regions that receive less.
    pub losers: usize,
    /// What the winners receive more.
    pub gained: Money,
    /// What the losers receive less, as a positive sum.
    pub lost: Money,
}

/// Scenarios side by side.
#[derive(Debug, Clone)]
pub struct Comparison<'a> {
    /// The regions, in code order.
    pub regions: Vec<&'a Region>,
    /// What is counted for each region, in the indicator's base unit (万人 counts as 10,000 persons).
    pub heads: Option<Vec<Decimal>>,
    /// The position of the scenario that the others are compared with.
    pub against: usize,
    /// The scenarios, in the order given.
    pub columns: Vec<Column>,
}
