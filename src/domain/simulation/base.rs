//! A formula with its data and its pool, and the same once changed.

use super::numbers::{Numbers, adjusted_value};
use super::scenario::{Adjust, Change, Refusal};
use super::target::{Target, bound_exists};
use crate::domain::error::{Faults, Violation};
use crate::domain::formula::document::BoundText;
use crate::domain::formula::{Document, Evaluation, Formula, Inputs, Pool, evaluate};
use crate::domain::money::Money;
use crate::domain::region::{Region, RegionCode};
use crate::domain::statistics::{Indicator, IndicatorCode, Observation, Snapshot};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What scenarios start from: what an allocation is computed from.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// The formula.
    pub formula: &'a Formula,
    /// The data set at one revision.
    pub snapshot: &'a Snapshot,
    /// The indicators there are.
    pub indicators: &'a [Indicator],
    /// The regions that take part, in any order; amounts come in code order.
    pub regions: &'a [Region],
    /// The base year.
    pub year: i32,
    /// The money.
    pub pool: Pool,
}

/// A base with changes: all that a separate allocation of it needs.
#[derive(Debug, Clone)]
pub struct Changed<'a> {
    base: Base<'a>,
    /// The changed formula, checked like any other.
    pub formula: Formula,
    /// The observations that differ from the base, each one revision on.
    pub observations: Vec<Observation>,
    /// The money.
    pub pool: Pool,
    snapshot: Cow<'a, Snapshot>,
}

/// A change of an indicator's values: its path, the indicator, year and region, and what happens.
type Revaluation = (String, IndicatorCode, Option<i32>, Option<RegionCode>, Adjust);

/// What changes come to before they are written down.
struct Collected {
    /// The document with its rounding changed.
    document: Document,
    before: Numbers,
    numbers: Numbers,
    removed: Vec<bool>,
    added: Vec<BoundText>,
    values: Vec<Revaluation>,
}

impl<'a> Base<'a> {
    /// Applies changes; reports everything about them that does not fit.
    pub fn apply(&self, changes: &[Change]) -> Result<Changed<'a>, Refusal> {
        let Collected {
            mut document,
            before,
            mut numbers,
            removed,
            added,
            values,
        } = self.collect(changes)?;
        numbers.fill_up()?;
        numbers.write(&before, &mut document);
        let formula = self.changed_formula(document, &removed, added)?;
        let observations = self.changed_observations(&formula, values)?;
        let snapshot = if observations.is_empty() {
            Cow::Borrowed(self.snapshot)
        } else {
            let used = used_series(&formula, self.year).into_iter();
            let kept = used.filter_map(|(code, year)| self.snapshot.series(&code, year));
            let kept = kept.flat_map(BTreeMap::values).cloned();
            Cow::Owned(Snapshot::new(kept.chain(observations.iter().cloned())))
        };
        Ok(Changed {
            base: *self,
            formula,
            observations,
            pool: numbers.pool,
            snapshot,
        })
    }

    /// The numbers that changes give, percentages not yet filled up.
    pub(super) fn numbers(&self, changes: &[Change]) -> Result<Numbers, Refusal> {
        Ok(self.collect(changes)?.numbers)
    }

    fn collect(&self, changes: &[Change]) -> Result<Collected, Refusal> {
        let mut report = Faults::default();
        let mut document = self.formula.document.clone();
        let mut unit = self.formula.unit;
        for change in changes {
            if let Change::Rounding {
                unit: new_unit,
                method,
            } = change
            {
                if let Some(new_unit) = new_unit {
                    unit = *new_unit;
                    new_unit.code().clone_into(&mut document.rounding.unit);
                }
                if let Some(method) = method {
                    method.code().clone_into(&mut document.rounding.method);
                }
            }
        }
        let before = Numbers::of(self.formula, self.pool, unit);
        let mut numbers = before.clone();
        let mut removed = vec![false; document.bounds.len()];
        let mut added = Vec::new();
        let mut values = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            let field = format!("changes[{at}]");
            match change {
                Change::AddBound(bound) => added.push(bound.clone()),
                Change::RemoveBound { at } => match bound_exists(&field, *at, self.formula) {
                    Ok(()) => removed[*at] = true,
                    Err(violation) => report.add(|| violation),
                },
                _ => {}
            }
            let Some((lever, to)) = change.lever() else {
                continue;
            };
            match Target::find(&field, &lever, self.formula) {
                Ok(Target::Indicator(code, year, region)) => values.push((field, code, year, region, to)),
                Ok(target) => {
                    report.keep(numbers.change(&field, &target, to));
                }
                Err(violation) => report.add(|| violation),
            }
        }
        report.finish()?;
        Ok(Collected {
            document,
            before,
            numbers,
            removed,
            added,
            values,
        })
    }

    fn changed_formula(
        &self,
        mut document: Document,
        removed: &[bool],
        added: Vec<BoundText>,
    ) -> Result<Formula, Refusal> {
        let mut kept = removed.iter().map(|removed| !removed);
        document.bounds.retain(|_| kept.next().unwrap_or(true));
        document.bounds.extend(added);
        if document == self.formula.document {
            return Ok(self.formula.clone());
        }
        Formula::check(document, self.indicators)
    }

    fn changed_observations(
        &self,
        formula: &Formula,
        changes: Vec<Revaluation>,
    ) -> Result<Vec<Observation>, Refusal> {
        let mut report = Faults::default();
        let used = used_series(formula, self.year);
        let mut changed: BTreeMap<(IndicatorCode, i32, RegionCode), Observation> = BTreeMap::new();
        for (field, code, year, region, to) in changes {
            let years: Vec<i32> = (used.iter())
                .filter(|(known, observed)| *known == code && year.is_none_or(|year| year == *observed))
                .map(|(_, observed)| *observed)
                .collect();
            let indicator = self.indicators.iter().find(|indicator| indicator.code == code);
            let (false, Some(indicator)) = (years.is_empty(), indicator) else {
                report.add(|| not_used(&field, &code, year, &used));
                continue;
            };
            let regions: Vec<&Region> = (self.regions.iter())
                .filter(|known| region.as_ref().is_none_or(|region| *region == known.code))
                .collect();
            if regions.is_empty() {
                let code = region.as_ref().map_or("", RegionCode::as_str);
                report.add(|| {
                    Violation::new(
                        format!("{field}.region"),
                        code,
                        "a region that takes part",
                        "参与分配的地区",
                    )
                });
            }
            for region in regions {
                for year in &years {
                    // One that is missing is reported when the inputs are bound.
                    let Some(before) = self.snapshot.get(&region.code, &code, *year) else {
                        continue;
                    };
                    let key = (code.clone(), *year, region.code.clone());
                    let now = changed
                        .get(&key)
                        .map_or(before.value, |observation| observation.value);
                    let value = adjusted_value(&field, now, to, indicator.decimals)
                        .and_then(|value| indicator.admit(&format!("{field} for {}", region.code), value));
                    if let Some(value) = report.keep(value) {
                        let observation = Observation {
                            value,
                            source: format!("情景假设(原值 {0})/ what-if (was {0})", before.value),
                            revision: before.revision + 1,
                            ..before.clone()
                        };
                        changed.insert(key, observation);
                    }
                }
            }
        }
        report.finish()?;
        Ok(changed.into_values().collect())
    }
}

fn not_used(
    field: &str,
    code: &IndicatorCode,
    year: Option<i32>,
    used: &[(IndicatorCode, i32)],
) -> Violation {
    let list: Vec<String> = used.iter().map(|(code, year)| format!("{code} {year}")).collect();
    Violation::new(
        format!("{field}.code"),
        year.map_or_else(|| code.to_string(), |year| format!("{code} {year}")),
        format!("an indicator and year that the formula uses: {}", list.join(", ")),
        format!("公式所用的指标和年份:{}", list.join("、")),
    )
}

/// Indicators and years that a formula uses, without repeats.
pub(super) fn used_series(formula: &Formula, year: i32) -> Vec<(IndicatorCode, i32)> {
    let mut used: Vec<(IndicatorCode, i32)> = (formula.expressions().into_iter())
        .flat_map(|(_, expression)| expression.indicators())
        .map(|(code, years_back)| (code.clone(), year - i32::from(years_back)))
        .collect();
    used.sort();
    used.dedup();
    used
}

impl Changed<'_> {
    /// The data, changed where changes say so; of a changed data set only the series that the formula uses.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Binds the inputs, as for an allocation.
    pub fn bind(&self) -> Result<Inputs<'_>, Refusal> {
        let Base {
            indicators,
            regions,
            year,
            ..
        } = self.base;
        Inputs::bind(&self.formula, &self.snapshot, indicators, regions, year)
    }

    /// Binds the inputs and evaluates the formula, as for an allocation, and looks at the evaluation.
    pub fn evaluate<T>(&self, look: impl FnOnce(&Evaluation<'_>) -> T) -> Result<T, Refusal> {
        let inputs = self.bind()?;
        Ok(look(&evaluate(&self.formula, &inputs, self.pool)?))
    }

    /// The amounts, by region in code order.
    pub fn amounts(&self) -> Result<Vec<Money>, Refusal> {
        self.evaluate(|evaluation| evaluation.results.clone())
    }

    /// The document of the changed formula under another id, to be stored as a formula of its own.
    pub fn document(&self, id: &str) -> Document {
        let mut document = self.formula.document.clone();
        id.clone_into(&mut document.id);
        document
    }
}
