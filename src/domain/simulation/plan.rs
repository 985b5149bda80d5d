//! A base prepared for many scenarios over the same knobs.
//!
//! What is prepared: the changed formula, its scores, and for each knob the number it turns. An evaluator then does
//! for a scenario only what its knobs ask for, see [`mod@super::evaluator`].

use super::base::{Base, Changed};
use super::evaluator::{Evaluator, Ready};
use super::numbers::Numbers;
use super::scenario::{Change, Knob, Refusal, Setting};
use super::target::Target;
use crate::domain::error::{Faults, Violation};
use crate::domain::formula::Inputs;
use crate::domain::formula::check::{Basis, Formula, Mode};
use crate::domain::formula::components::{Scored, scores};
use crate::domain::formula::expression::{Expression, Node};
use crate::domain::statistics::IndicatorCode;
use std::collections::BTreeSet;

/// A base, changes that always hold, and the knobs that scenarios set.
#[derive(Debug)]
pub struct Plan<'a> {
    base: Base<'a>,
    changes: Vec<Change>,
    knobs: Vec<Knob>,
    /// The base with the changes that always hold.
    pub(super) changed: Changed<'a>,
    /// Its numbers before percentages are filled up.
    pub(super) start: Numbers,
    /// Where the bounds of the base stand in the changed formula; none for those removed.
    pub(super) bounds: Vec<Option<usize>>,
    /// What each knob turns.
    pub(super) turns: Vec<Turn>,
    /// Scores with all knobs as in the base; none where these are refused.
    pub(super) scored: Option<Vec<Scored>>,
    /// Components whose scores any knob reaches.
    pub(super) rescored: Vec<usize>,
    /// Whether any knob reaches the pool, its split, or a fixed sum.
    pub(super) moves_money: bool,
    /// Whether any knob reaches what bounds are measured by.
    pub(super) moves_bounds: bool,
}

/// What a knob turns.
#[derive(Debug)]
pub(super) enum Turn {
    /// One of the numbers.
    Number(Target),
    /// Values of an indicator.
    Values {
        /// The columns, by their position in the order of [`Inputs::keyed`].
        columns: Vec<usize>,
        /// The row; none means all.
        row: Option<usize>,
    },
}

impl<'a> Plan<'a> {
    /// Prepares a base with these changes; every knob must fit the base.
    pub fn new(base: Base<'a>, changes: Vec<Change>, knobs: Vec<Knob>) -> Result<Self, Refusal> {
        let mut report = Faults::default();
        let found: Vec<Option<Target>> = (knobs.iter().enumerate())
            .map(|(at, knob)| report.keep(Target::find(&format!("knobs[{at}]"), &knob.lever, base.formula)))
            .collect();
        report.finish()?;
        let changed = base.apply(&changes)?;
        let start = base.numbers(&changes)?;
        let inputs = changed.bind().ok();
        let mut report = Faults::default();
        let turns: Vec<Turn> = (found.into_iter().flatten().enumerate())
            .filter_map(|(at, target)| {
                let Some(inputs) = &inputs else {
                    return Some(Turn::Number(target));
                };
                report.keep(turn(&format!("knobs[{at}]"), target, inputs))
            })
            .collect();
        report.finish()?;
        let scored = inputs
            .as_ref()
            .and_then(|inputs| scores(&changed.formula, inputs).ok());
        let reach = Reach::of(&turns, &changed.formula, inputs.as_ref());
        let mut position = 0..;
        let removed = |at: usize| changes.contains(&Change::RemoveBound { at });
        Ok(Self {
            bounds: (0..base.formula.bounds.len())
                .map(|at| if removed(at) { None } else { position.next() })
                .collect(),
            rescored: reach.components(&changed.formula),
            moves_money: turns.iter().any(|turn| moves_money(turn, &start)),
            moves_bounds: reach.bounds(&turns, &changed.formula),
            base,
            changes,
            knobs,
            changed,
            start,
            turns,
            scored,
        })
    }

    /// The knobs.
    pub fn knobs(&self) -> &[Knob] {
        &self.knobs
    }

    /// How many regions take part.
    pub fn regions(&self) -> usize {
        self.base.regions.len()
    }

    /// The changes that a list of settings stands for, with those that always hold.
    pub fn changes(&self, settings: &[Setting]) -> Result<Vec<Change>, Refusal> {
        let mut changes = self.changes.clone();
        for (at, (knob, value)) in settings.iter().enumerate() {
            let knob = self.knobs.get(*knob).ok_or_else(|| {
                vec![Violation::new(
                    format!("settings[{at}]"),
                    knob.to_string(),
                    format!("the position of one of {} knobs", self.knobs.len()),
                    format!("{} 个变量之一的序号", self.knobs.len()),
                )]
            })?;
            changes.push(knob.set(*value));
        }
        Ok(changes)
    }

    /// The changed base, as a separate allocation would have it.
    pub fn changed(&self, settings: &[Setting]) -> Result<Changed<'a>, Refusal> {
        self.base.apply(&self.changes(settings)?)
    }

    /// An evaluator of its own for each thread.
    pub fn evaluator(&self) -> Evaluator<'_, 'a> {
        let ready = self.changed.bind().ok().zip(self.scored.clone());
        Evaluator::new(
            self,
            ready.map(|(inputs, scored)| Ready::new(self, inputs, scored)),
        )
    }
}

fn turn(field: &str, target: Target, inputs: &Inputs<'_>) -> Result<Turn, Violation> {
    let Target::Indicator(code, year, region) = target else {
        return Ok(Turn::Number(target));
    };
    let columns: Vec<usize> = (inputs.keyed().enumerate())
        .filter(|(_, ((known, _), column))| *known == code && year.is_none_or(|year| year == column.year))
        .map(|(at, _)| at)
        .collect();
    if columns.is_empty() {
        let used: Vec<String> = (inputs.keyed())
            .map(|((code, _), column)| format!("{code} {}", column.year))
            .collect();
        return Err(Violation::new(
            format!("{field}.code"),
            year.map_or_else(|| code.to_string(), |year| format!("{code} {year}")),
            format!("an indicator and year that the formula uses: {}", used.join(", ")),
            format!("公式所用的指标和年份:{}", used.join("、")),
        ));
    }
    let row = match region {
        None => None,
        Some(region) => {
            let found = inputs.regions.binary_search_by(|known| known.code.cmp(&region));
            let row = found.map_err(|_| {
                Violation::new(
                    format!("{field}.region"),
                    region.as_str(),
                    "a region that takes part",
                    "参与分配的地区",
                )
            })?;
            Some(row)
        }
    };
    Ok(Turn::Values { columns, row })
}

fn moves_money(turn: &Turn, start: &Numbers) -> bool {
    use super::numbers::Number;
    match turn {
        Turn::Number(Target::Pool | Target::Advance | Target::SetAside(_)) => true,
        Turn::Number(Target::Component(at, _)) => matches!(start.components[*at], Number::Money(_)),
        _ => false,
    }
}

/// Indicators and parameters that knobs reach.
struct Reach {
    indicators: BTreeSet<(IndicatorCode, u8)>,
    parameters: BTreeSet<String>,
}

impl Reach {
    fn of(turns: &[Turn], formula: &Formula, inputs: Option<&Inputs<'_>>) -> Self {
        let mut reach = Self {
            indicators: BTreeSet::new(),
            parameters: BTreeSet::new(),
        };
        for turn in turns {
            match turn {
                Turn::Number(Target::Parameter(at)) => {
                    let name = formula.document.parameters.get(*at).map(|text| text.name.clone());
                    reach.parameters.extend(name);
                }
                Turn::Values { columns, .. } => {
                    let keyed = inputs.into_iter().flat_map(Inputs::keyed).enumerate();
                    let keys = keyed.filter(|(at, _)| columns.contains(at));
                    reach.indicators.extend(keys.map(|(_, (key, _))| key.clone()));
                }
                Turn::Number(_) => {}
            }
        }
        reach
    }

    fn touches(&self, expression: &Expression) -> bool {
        expression.nodes().iter().any(|node| match node {
            Node::Parameter(name) => self.parameters.contains(name),
            Node::Indicator { code, years_back } => self.indicators.contains(&(code.clone(), *years_back)),
            _ => false,
        })
    }

    fn components(&self, formula: &Formula) -> Vec<usize> {
        (formula.components.iter().enumerate())
            .filter(|(_, component)| {
                let rate = match &component.mode {
                    Mode::Rate { rate, .. } => Some(rate),
                    Mode::Share => None,
                };
                let factors = component
                    .adjustments
                    .iter()
                    .map(|at| &formula.adjustments[*at].factor);
                factors
                    .chain(rate)
                    .chain([&component.score])
                    .any(|expression| self.touches(expression))
            })
            .map(|(at, _)| at)
            .collect()
    }

    fn bounds(&self, turns: &[Turn], formula: &Formula) -> bool {
        let numbers = turns
            .iter()
            .any(|turn| matches!(turn, Turn::Number(Target::Bound(_) | Target::Advance)));
        numbers
            || formula.bounds.iter().any(|bound| match &bound.basis {
                Basis::Absolute(_) => false,
                Basis::PerHead(_, expression) | Basis::LastYear(_, expression) => self.touches(expression),
            })
    }
}
