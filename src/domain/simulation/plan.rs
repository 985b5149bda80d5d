//! A base prepared for many scenarios over the same knobs.

use super::base::{Base, Changed};
use super::numbers::Target;
use super::scenario::{Change, Knob, Refusal, Setting};
use crate::domain::error::{Faults, Violation};

/// A base, changes that always hold, and the knobs that scenarios set.
#[derive(Debug)]
pub struct Plan<'a> {
    base: Base<'a>,
    changes: Vec<Change>,
    knobs: Vec<Knob>,
}

impl<'a> Plan<'a> {
    /// Prepares a base with these changes; every knob must fit the base.
    pub fn new(base: Base<'a>, changes: Vec<Change>, knobs: Vec<Knob>) -> Result<Self, Refusal> {
        let mut report = Faults::default();
        for (at, knob) in knobs.iter().enumerate() {
            report.keep(Target::find(&format!("knobs[{at}]"), &knob.lever, base.formula));
        }
        report.finish()?;
        base.apply(&changes)?;
        Ok(Self { base, changes, knobs })
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
        Evaluator {
            plan: self,
            amounts: Vec::with_capacity(self.regions()),
        }
    }
}

/// Computes scenarios of a plan, one after another.
#[derive(Debug)]
pub struct Evaluator<'p, 'a> {
    plan: &'p Plan<'a>,
    amounts: Vec<i64>,
}

impl Evaluator<'_, '_> {
    /// Each region's amount in fen, in code order, with the knobs at these settings and the others as in the base.
    pub fn amounts(&mut self, settings: &[Setting]) -> Result<&[i64], Refusal> {
        let amounts = self.plan.changed(settings)?.amounts()?;
        self.amounts.clear();
        self.amounts.extend(amounts.iter().map(|amount| amount.fen()));
        Ok(&self.amounts)
    }
}
