//! Analyses against functions whose answers are known, and against the engine on the example of Xuchang.

mod moving;
mod uncertain;

use super::base::Base;
use super::draw::{Correlation, Distribution, Draws, Scale, Shape, Truncation, Uncertainties, Uncertainty};
use super::scenario::{How, Knob, Lever, Others};
use crate::domain::formula::{Document, Formula, Inputs, Pool};
use crate::domain::money::Money;
use crate::domain::region::{Region, RegionCode, RegionKind};
use crate::domain::statistics::{Indicator, IndicatorCode, Observation, Snapshot};
use crate::domain::unit::Unit;
use rust_decimal::Decimal;

const YEAR: i32 = 2024;
const XUCHANG: &str = include_str!("../../../../config/formulas/xuchang-settled-resident.toml");
const XUCHANG_REGIONS: &str = include_str!("../../../../examples/xuchang/regions.csv");
const XUCHANG_OBSERVATIONS: &str = include_str!("../../../../examples/xuchang/observations.csv");

fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

fn code(text: &str) -> IndicatorCode {
    IndicatorCode::parse("code", text).unwrap()
}

/// All that a base borrows.
struct World {
    formula: Formula,
    indicators: Vec<Indicator>,
    regions: Vec<Region>,
    snapshot: Snapshot,
    pool: Money,
}

impl World {
    /// A formula over regions that have these values.
    fn new(toml: &str, indicators: Vec<Indicator>, values: &[(&str, &str, &str)]) -> Self {
        let region = |text: &str| RegionCode::parse("region", text).unwrap();
        let mut codes: Vec<&str> = values.iter().map(|value| value.0).collect();
        codes.sort_unstable();
        codes.dedup();
        let observation = |&(place, indicator, value): &(&str, &str, &str)| Observation {
            region: region(place),
            indicator: code(indicator),
            year: YEAR,
            value: decimal(value),
            source: "invented".to_owned(),
            revision: 1,
        };
        Self {
            formula: Formula::check(Document::from_toml(toml).unwrap(), &indicators).unwrap(),
            regions: codes
                .into_iter()
                .map(|code| Region {
                    code: region(code),
                    name_zh: String::new(),
                    name_en: String::new(),
                    kind: RegionKind::Other,
                    parent: None,
                    note: String::new(),
                })
                .collect(),
            snapshot: Snapshot::new(values.iter().map(observation)),
            indicators,
            pool: Money::parse("pool", "86000000").unwrap(),
        }
    }

    /// The nine regions of Xuchang with the formula and data of the example.
    fn xuchang() -> Self {
        let values: Vec<(&str, &str, &str)> = XUCHANG_OBSERVATIONS
            .lines()
            .map(|line| line.split(',').collect::<Vec<_>>())
            .filter(|cells| cells.len() > 4 && cells[2] == "2024" && !cells[0].starts_with('#'))
            .filter(|cells| ["settled_new", "residence_permits"].contains(&cells[1]))
            .map(|cells| (cells[0], cells[1], cells[3]))
            .collect();
        assert_eq!(values.len(), 18);
        assert!(values.iter().all(|value| XUCHANG_REGIONS.contains(value.0)));
        let counts = vec![count("settled_new"), count("residence_permits")];
        Self::new(XUCHANG, counts, &values)
    }

    fn base(&self) -> Base<'_> {
        Base {
            formula: &self.formula,
            snapshot: &self.snapshot,
            indicators: &self.indicators,
            regions: &self.regions,
            year: YEAR,
            pool: Pool {
                total: self.pool,
                advance_percent: None,
            },
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs::bind(
            &self.formula,
            &self.snapshot,
            &self.indicators,
            &self.regions,
            YEAR,
        )
        .unwrap()
    }

    fn draws(&self, uncertainties: &Uncertainties, seed: u64) -> Draws {
        Draws::prepare(uncertainties, &self.inputs(), seed).unwrap()
    }
}

fn count(text: &str) -> Indicator {
    indicator(text, 0, Some(Decimal::ZERO))
}

fn indicator(text: &str, decimals: u32, minimum: Option<Decimal>) -> Indicator {
    Indicator {
        code: code(text),
        name_zh: text.to_owned(),
        name_en: text.to_owned(),
        unit: Unit::parse("unit", "person").unwrap(),
        decimals,
        minimum,
        maximum: None,
        description: String::new(),
    }
}

fn uncertain(indicator: &str, scale: Scale, shape: Shape) -> Uncertainty {
    Uncertainty {
        name: indicator.to_owned(),
        indicator: code(indicator),
        year: None,
        regions: Vec::new(),
        distribution: Distribution { scale, shape },
        together: Decimal::ZERO,
    }
}

fn normal(deviation: &str) -> Shape {
    Shape::Normal {
        deviation: decimal(deviation),
        truncation: Truncation::Indicator,
    }
}

fn correlated(a: &str, b: &str, value: &str) -> Correlation {
    Correlation {
        a: a.to_owned(),
        b: b.to_owned(),
        value: decimal(value),
    }
}

/// The percentage of the settled in Xuchang's formula, the other one filling up to 100.
fn settled_percent() -> Knob {
    Knob {
        lever: Lever::Percent {
            component: "settled".to_owned(),
            others: Others::ProRata,
        },
        how: How::To,
    }
}
