//! The observations a formula needs, bound to the regions and the base year of a run.

use super::check::Formula;
use crate::domain::error::{Faults, Violation};
use crate::domain::exact::Column;
use crate::domain::exact::column::ValueTooLarge;
use crate::domain::region::Region;
use crate::domain::statistics::{Indicator, IndicatorCode, Observation, Snapshot};
use rust_decimal::Decimal;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Most regions in one run.
pub const MAX_REGIONS: usize = 100_000;

/// An indicator's values for all regions, in its base unit (万人 counts as 10,000 persons, 5 % as 0.05).
#[derive(Debug, Clone)]
pub struct InputColumn<'a> {
    /// The indicator.
    pub indicator: &'a Indicator,
    /// The year.
    pub year: i32,
    /// The observations, in region order.
    pub observations: Vec<&'a Observation>,
    /// The values in the base unit.
    pub values: Column,
}

/// Regions in code order with every observation that a formula uses.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    /// The regions, in code order.
    pub regions: Vec<&'a Region>,
    /// The base year.
    pub year: i32,
    columns: BTreeMap<(IndicatorCode, u8), InputColumn<'a>>,
}

impl<'a> Inputs<'a> {
    /// Finds every observation that `formula` needs, or reports each one that is missing.
    pub fn bind(
        formula: &Formula,
        snapshot: &'a Snapshot,
        indicators: &'a [Indicator],
        regions: &'a [Region],
        year: i32,
    ) -> Result<Self, Vec<Violation>> {
        let mut sorted: Vec<&Region> = regions.iter().collect();
        sorted.sort_by(|a, b| a.code.cmp(&b.code));
        if sorted.is_empty() || sorted.len() > MAX_REGIONS {
            return Err(vec![Violation::new(
                "regions",
                sorted.len().to_string(),
                format!("1 to {MAX_REGIONS} regions"),
                format!("1 至 {MAX_REGIONS} 个地区"),
            )]);
        }
        let mut report = Faults::default();
        for pair in sorted.windows(2) {
            if pair[0].code == pair[1].code {
                report.add(|| {
                    Violation::new(
                        "regions",
                        pair[0].code.as_str(),
                        "each region once",
                        "每个地区只能出现一次",
                    )
                });
            }
        }
        for (at, bound) in formula.bounds.iter().enumerate() {
            for (position, code) in bound.regions.iter().enumerate() {
                if sorted.binary_search_by(|region| region.code.cmp(code)).is_err() {
                    report.add(|| {
                        Violation::new(
                            format!("bounds[{at}].regions[{position}]"),
                            code.as_str(),
                            "a region that takes part in the run",
                            "参与本次分配的地区",
                        )
                    });
                }
            }
        }
        let mut columns = BTreeMap::new();
        for (field, expression) in formula.expressions() {
            for (code, years_back) in expression.indicators() {
                if columns.contains_key(&(code.clone(), years_back)) {
                    continue;
                }
                let Some(indicator) = indicators.iter().find(|indicator| indicator.code == *code) else {
                    report.add(|| {
                        Violation::new(
                            field.as_str(),
                            code.as_str(),
                            "an indicator that has been imported",
                            "已导入的指标",
                        )
                    });
                    continue;
                };
                let observed = year - i32::from(years_back);
                let observations = observations(&field, indicator, observed, snapshot, &sorted, &mut report);
                if observations.len() < sorted.len() {
                    continue;
                }
                let values: Vec<Decimal> = observations.iter().map(|observation| observation.value).collect();
                match in_base_unit(indicator, &values) {
                    Ok(values) => {
                        let column = InputColumn {
                            indicator,
                            year: observed,
                            observations,
                            values,
                        };
                        columns.insert((code.clone(), years_back), column);
                    }
                    Err(too_large) => report.add(|| too_large.violation(&field)),
                }
            }
        }
        report.finish()?;
        Ok(Self {
            regions: sorted,
            year,
            columns,
        })
    }

    /// The values of an indicator; `None` only for one that the formula does not use.
    pub fn column(&self, code: &IndicatorCode, years_back: u8) -> Option<&InputColumn<'a>> {
        self.columns.get(&(code.clone(), years_back))
    }

    /// Every column, by indicator and years back.
    pub fn columns(&self) -> impl Iterator<Item = &InputColumn<'a>> {
        self.columns.values()
    }

    /// Every column with the number of years back that formulas name it by.
    pub(in crate::domain) fn keyed(&self) -> impl Iterator<Item = (&(IndicatorCode, u8), &InputColumn<'a>)> {
        self.columns.iter()
    }

    /// Puts other values, in the indicator's unit, in the place of those observed: what if they had been these?
    pub(in crate::domain) fn suppose(
        &mut self,
        key: &(IndicatorCode, u8),
        values: &[Decimal],
    ) -> Result<(), ValueTooLarge> {
        if let Some(column) = self.columns.get_mut(key) {
            column.values = in_base_unit(column.indicator, values)?;
        }
        Ok(())
    }

    /// How a region is named in an error: code and name.
    pub fn name(&self, row: usize) -> String {
        let region = self.regions[row];
        format!("{} {}", region.code, region.label())
    }
}

fn in_base_unit(indicator: &Indicator, values: &[Decimal]) -> Result<Column, ValueTooLarge> {
    Column::decimals(values).multiply(&Column::power_of_ten(indicator.unit.power))
}

/// Walks the regions and the series side by side; both are in code order.
fn observations<'a>(
    field: &str,
    indicator: &Indicator,
    year: i32,
    snapshot: &'a Snapshot,
    regions: &[&Region],
    report: &mut Faults,
) -> Vec<&'a Observation> {
    let mut found = Vec::with_capacity(regions.len());
    let mut series = snapshot
        .series(&indicator.code, year)
        .into_iter()
        .flatten()
        .peekable();
    for region in regions {
        // One comparison for each step: codes are compared far more often than anything else here.
        let order = loop {
            let order = series.peek().map(|(code, _)| (*code).cmp(&region.code));
            match order {
                Some(Ordering::Less) => series.next(),
                _ => break order,
            };
        };
        match (order, series.peek()) {
            (Some(Ordering::Equal), Some((_, observation))) => found.push(*observation),
            _ => report.add(|| {
                Violation::new(
                    field,
                    format!(
                        "no observation of {} in {year} for {} {}",
                        indicator.code,
                        region.code,
                        region.label()
                    ),
                    "an observation for every region of the run",
                    "参与分配的每个地区都须有该指标数据",
                )
            }),
        }
    }
    found
}
