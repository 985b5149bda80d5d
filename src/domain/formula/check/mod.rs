//! From document to formula: everything that can be checked before there is data.

mod checker;

use super::document::Document;
use super::expression::Expression;
use crate::domain::apportion::Method;
use crate::domain::digest::Digest;
use crate::domain::error::Violation;
use crate::domain::money::{Money, RoundingUnit};
use crate::domain::region::RegionCode;
use crate::domain::statistics::Indicator;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Most components, set-asides, adjustments, bounds or parameters in one formula.
pub const MAX_ITEMS: usize = 64;

/// A percentage or a sum of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// Percent, 0 to 100.
    Percent(Decimal),
    /// Yuan.
    Amount(Money),
}

/// The names of a thing, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Id within the formula.
    pub id: String,
    /// Chinese name; the id where none is given.
    pub zh: String,
    /// English name; the id where none is given.
    pub en: String,
}

/// Money kept back before anything is divided.
#[derive(Debug, Clone)]
pub struct SetAside {
    /// Names.
    pub label: Label,
    /// How much.
    pub sum: Sum,
}

/// What happens to money that a `rate` component does not need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remainder {
    /// It stays with the fund.
    Keep,
    /// It goes to the percentage components in `share` mode, by their percentages.
    Redistribute,
}

/// How a component divides its money.
#[derive(Debug, Clone)]
pub enum Mode {
    /// In proportion to the score.
    Share,
    /// Rate times quantity; scaled down in proportion when there is not enough.
    Rate {
        /// Yuan for each unit of quantity.
        rate: Expression,
        /// What happens when there is more than enough.
        remainder: Remainder,
    },
}

/// A part of the pool.
#[derive(Debug, Clone)]
pub struct Component {
    /// Names.
    pub label: Label,
    /// How much of the pool.
    pub sum: Sum,
    /// How it is divided.
    pub mode: Mode,
    /// The score, or the quantity.
    pub score: Expression,
    /// Positions of the adjustments that apply.
    pub adjustments: Vec<usize>,
}

/// A coefficient.
#[derive(Debug, Clone)]
pub struct Adjustment {
    /// Names.
    pub label: Label,
    /// The coefficient.
    pub factor: Expression,
}

/// Which side a bound is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundKind {
    /// Not less than.
    Floor,
    /// Not more than.
    Cap,
}

/// What a bound is measured by.
#[derive(Debug, Clone)]
pub enum Basis {
    /// A sum.
    Absolute(Money),
    /// Yuan for each unit of a count.
    PerHead(Decimal, Expression),
    /// Percent of an earlier amount.
    LastYear(Decimal, Expression),
}

/// A floor or a cap.
#[derive(Debug, Clone)]
pub struct Bound {
    /// Which side.
    pub kind: BoundKind,
    /// What it is measured by.
    pub basis: Basis,
    /// The regions it applies to; none means all.
    pub regions: Vec<RegionCode>,
}

/// A checked formula.
#[derive(Debug, Clone)]
pub struct Formula {
    /// The document it was read from.
    pub document: Document,
    /// Digest of the document.
    pub digest: Digest,
    /// Unit that amounts are whole multiples of.
    pub unit: RoundingUnit,
    /// How quotas become whole.
    pub method: Method,
    /// Whether a part of the pool below one unit is retained rather than refused.
    pub retain_tail: bool,
    /// Named numbers.
    pub parameters: BTreeMap<String, Decimal>,
    /// Money kept back.
    pub set_asides: Vec<SetAside>,
    /// Parts of the pool.
    pub components: Vec<Component>,
    /// Coefficients.
    pub adjustments: Vec<Adjustment>,
    /// Floors and caps.
    pub bounds: Vec<Bound>,
}

impl Formula {
    /// Checks a document against the indicators there are; reports everything that is wrong.
    pub fn check(document: Document, indicators: &[Indicator]) -> Result<Self, Vec<Violation>> {
        checker::check(document, indicators)
    }

    /// Every expression with the path of its field.
    pub fn expressions(&self) -> Vec<(String, &Expression)> {
        let mut found = Vec::new();
        for (at, component) in self.components.iter().enumerate() {
            found.push((format!("components[{at}].score"), &component.score));
            if let Mode::Rate { rate, .. } = &component.mode {
                found.push((format!("components[{at}].rate"), rate));
            }
        }
        for (at, adjustment) in self.adjustments.iter().enumerate() {
            found.push((format!("adjustments[{at}].factor"), &adjustment.factor));
        }
        for (at, bound) in self.bounds.iter().enumerate() {
            if let Basis::PerHead(_, expression) | Basis::LastYear(_, expression) = &bound.basis {
                found.push((format!("bounds[{at}].indicator"), expression));
            }
        }
        found
    }
}
