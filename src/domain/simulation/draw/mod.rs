//! Samples of uncertain statistics: what each value may be, given how far it may be off.
//!
//! - [`mod@distribution`]: the shapes of errors.
//! - `generator`: random numbers as a pure function of seed, sample and position.
//! - `blocks`, `correlation`: errors that move together.
//!
//! Every input (an indicator's value for a region and a year) has a random number of 64 bits, uniform, and its value
//! is the quantile of that number. Correlated inputs get theirs through a Gaussian copula: correlated normal
//! numbers, each taken to its probability (R. B. Nelsen, *An Introduction to Copulas*, 2nd edition, 2006, section
//! 2.3), so that the correlation given is that of the underlying normal numbers, and each input keeps its distribution.
//!
//! Inputs fall into *blocks* that are independent of each other: the values of one [`Uncertainty`], or those of
//! several that are correlated. Values of one uncertainty are equally correlated between regions and years
//! (`together`): one common number, one of their own (the one-factor model, O. A. Vasicek, *Loan Portfolio
//! Value*, Risk, December 2002).

mod blocks;
mod correlation;
pub mod distribution;
mod generator;

pub use distribution::{Distribution, Scale, Shape, Truncation};

use self::blocks::{Block, Link, blocks};
use self::distribution::Uncertain;
use self::generator::Generator;
use super::fixed::{Fixed, PLACES, normal_probability, normal_quantile};
use super::scenario::{How, Knob, Lever, Refusal, Setting};
use crate::domain::error::{Faults, Violation};
use crate::domain::exact::{BigRational, rational};
use crate::domain::formula::Inputs;
use crate::domain::region::RegionCode;
use crate::domain::statistics::IndicatorCode;
use num_traits::ToPrimitive;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Most uncertainties in one simulation.
pub const MAX_UNCERTAINTIES: usize = 64;

/// Values that may be off, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncertainty {
    /// Its name: correlations, groups of drivers and results use it.
    pub name: String,
    /// The indicator.
    pub indicator: IndicatorCode,
    /// The year; none means every year that the formula uses.
    pub year: Option<i32>,
    /// The regions; none means all that take part.
    pub regions: Vec<RegionCode>,
    /// How far each value may be off.
    pub distribution: Distribution,
    /// The correlation between the errors of any two of these values, 0 (each for itself) to 1 (all by the same).
    pub together: Decimal,
}

/// Two uncertainties whose errors move together, region by region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correlation {
    /// One name.
    pub a: String,
    /// The other.
    pub b: String,
    /// From -1 to 1; of the underlying normal numbers.
    pub value: Decimal,
}

/// Everything that is uncertain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uncertainties {
    /// The values.
    pub items: Vec<Uncertainty>,
    /// What moves together; pairs not named are independent.
    pub correlations: Vec<Correlation>,
}

/// One value that is drawn.
#[derive(Debug, Clone)]
pub struct DrawnInput {
    /// Position of its uncertainty.
    pub item: usize,
    /// The indicator.
    pub indicator: IndicatorCode,
    /// The year.
    pub year: i32,
    /// The region.
    pub region: RegionCode,
    /// The value observed.
    pub observed: Decimal,
    value: Uncertain,
}

/// Uncertainties made ready to draw from: a pure function from seed and sample number to values.
#[derive(Debug, Clone)]
pub struct Draws {
    seed: u64,
    names: Vec<String>,
    inputs: Vec<DrawnInput>,
    blocks: Vec<Block>,
}

/// Draws samples; one a thread.
pub struct Sampler<'a> {
    draws: &'a Draws,
    generator: Generator,
    normals: Vec<Fixed>,
}

impl Draws {
    /// Checks everything against the inputs of a base and reports everything that is wrong.
    pub fn prepare(uncertainties: &Uncertainties, inputs: &Inputs<'_>, seed: u64) -> Result<Self, Refusal> {
        let items = &uncertainties.items;
        if items.is_empty() || items.len() > MAX_UNCERTAINTIES {
            return Err(vec![Violation::new(
                "uncertainties",
                items.len().to_string(),
                format!("1 to {MAX_UNCERTAINTIES} uncertainties"),
                format!("1 至 {MAX_UNCERTAINTIES} 项不确定因素"),
            )]);
        }
        let mut report = Faults::default();
        let mut taken: BTreeMap<(IndicatorCode, i32, usize), usize> = BTreeMap::new();
        let mut drawn: Vec<DrawnInput> = Vec::new();
        let mut by_item: Vec<Vec<usize>> = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let field = format!("uncertainties[{at}]");
            check_item(&field, item, &items[..at], &mut report);
            let rows = rows(&field, item, inputs, &mut report);
            let mut positions = Vec::new();
            let mut used = false;
            for column in inputs.columns() {
                if column.indicator.code != item.indicator
                    || item.year.is_some_and(|year| year != column.year)
                {
                    continue;
                }
                used = true;
                for &row in &rows {
                    let place = format!("{} in {}", inputs.name(row), column.year);
                    if let Some(other) = taken.insert((item.indicator.clone(), column.year, row), at) {
                        report.add(|| {
                            Violation::new(
                                field.as_str(),
                                format!(
                                    "{} of {place}, which is in \"{}\" too",
                                    item.indicator, items[other].name
                                ),
                                "each value in one uncertainty",
                                "同一数值只能属于一项不确定因素",
                            )
                        });
                    }
                    let observed = column.observations[row].value;
                    let value = Uncertain::new(
                        &format!("{field}.distribution"),
                        &place,
                        &item.distribution,
                        column.indicator,
                        observed,
                    );
                    let Some(value) = report.keep(value) else { continue };
                    positions.push(drawn.len());
                    drawn.push(DrawnInput {
                        item: at,
                        indicator: item.indicator.clone(),
                        year: column.year,
                        region: inputs.regions[row].code.clone(),
                        observed,
                        value,
                    });
                }
            }
            if !used {
                report.add(|| {
                    let year = item.year.map_or_else(String::new, |year| format!(" of {year}"));
                    Violation::new(
                        format!("{field}.indicator"),
                        format!("{}{year}", item.indicator),
                        "an indicator and year that the formula uses",
                        "公式所用的指标和年份",
                    )
                });
            }
            by_item.push(positions);
        }
        report.finish()?;
        let blocks = blocks(uncertainties, &drawn, &by_item)?;
        Ok(Self {
            seed,
            names: items.iter().map(|item| item.name.clone()).collect(),
            inputs: drawn,
            blocks,
        })
    }

    /// The values that are drawn, in the order of the settings of a sample.
    pub fn inputs(&self) -> &[DrawnInput] {
        &self.inputs
    }

    /// The knobs of a plan for these draws: the setting at position `i` of a sample is for knob `i`.
    pub fn knobs(&self) -> Vec<Knob> {
        self.inputs
            .iter()
            .map(|input| Knob {
                lever: Lever::Indicator {
                    code: input.indicator.clone(),
                    year: Some(input.year),
                    region: Some(input.region.clone()),
                },
                how: How::To,
            })
            .collect()
    }

    /// An input's quantile, in percent from 0 to 100, or the value observed.
    pub(super) fn value_at(&self, input: usize, percent: Option<Decimal>) -> Decimal {
        let input = &self.inputs[input];
        percent.map_or(input.observed, |percent| {
            let part = rational(percent) / rational(Decimal::ONE_HUNDRED);
            let number = part * BigRational::from_integer(num_bigint::BigInt::from(u64::MAX));
            input
                .value
                .value(number.to_integer().to_u64().unwrap_or(u64::MAX))
        })
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The names of the uncertainties of each independent block.
    pub(super) fn block_names(&self) -> Vec<Vec<&str>> {
        self.blocks
            .iter()
            .map(|block| {
                block
                    .items
                    .iter()
                    .map(|&item| self.names[item].as_str())
                    .collect()
            })
            .collect()
    }

    /// The block of each input.
    pub(super) fn block_of_inputs(&self) -> Vec<usize> {
        let mut found = vec![0; self.inputs.len()];
        for (at, block) in self.blocks.iter().enumerate() {
            for &input in block.values.iter().flatten() {
                found[input] = at;
            }
        }
        found
    }

    /// What draws samples: one a thread.
    pub fn sampler(&self) -> Sampler<'_> {
        Sampler {
            draws: self,
            generator: Generator::new(self.seed),
            normals: Vec::new(),
        }
    }
}

impl Sampler<'_> {
    /// Writes the values of a sample, one setting for each input; the same for the same number, always.
    pub fn sample(&mut self, number: u64, settings: &mut Vec<Setting>) {
        settings.clear();
        settings.resize(self.draws.inputs.len(), (0, Decimal::ZERO));
        self.generator.start(number);
        let inputs = &self.draws.inputs;
        let mut set =
            |input: usize, random: u64| settings[input] = (input, inputs[input].value.value(random));
        for block in &self.draws.blocks {
            match &block.link {
                Link::Not => {
                    for &input in block.values.iter().flatten() {
                        set(input, self.generator.next());
                    }
                }
                Link::Completely => {
                    let random = self.generator.next();
                    for &input in block.values.iter().flatten() {
                        set(input, random);
                    }
                }
                Link::Normal { factor, common, own } => {
                    let size = factor.size();
                    self.normals.clear();
                    for _ in 0..size {
                        self.normals.push(normal_quantile(self.generator.next()));
                    }
                    for value in &block.values {
                        self.normals.truncate(size);
                        for _ in 0..size {
                            self.normals.push(normal_quantile(self.generator.next()));
                        }
                        let (shared, single) = self.normals.split_at(size);
                        for (row, &input) in value.iter().enumerate() {
                            let (shared, single) =
                                (factor.correlate(row, shared), factor.correlate(row, single));
                            set(
                                input,
                                normal_probability((common * shared + own * single) >> PLACES),
                            );
                        }
                    }
                }
            }
        }
    }
}

fn check_item(field: &str, item: &Uncertainty, before: &[Uncertainty], report: &mut Faults) {
    let given = item.name.trim();
    if given.is_empty() || before.iter().any(|other| other.name == item.name) {
        report.add(|| {
            Violation::new(
                format!("{field}.name"),
                &item.name,
                "a name that no other uncertainty has",
                "不与其他不确定因素重复的名称",
            )
        });
    }
    if item.together.is_sign_negative() && !item.together.is_zero() || item.together > Decimal::ONE {
        report.add(|| {
            Violation::new(
                format!("{field}.together"),
                item.together.to_string(),
                "a correlation from 0 to 1",
                "0 至 1 之间的相关系数",
            )
        });
    }
    let _ = report.keep(item.distribution.check(&format!("{field}.distribution")));
}

/// The rows of an item's regions, in code order.
fn rows(field: &str, item: &Uncertainty, inputs: &Inputs<'_>, report: &mut Faults) -> Vec<usize> {
    if item.regions.is_empty() {
        return (0..inputs.regions.len()).collect();
    }
    let mut rows = Vec::with_capacity(item.regions.len());
    for (at, code) in item.regions.iter().enumerate() {
        match inputs.regions.binary_search_by(|region| region.code.cmp(code)) {
            Ok(row) => rows.push(row),
            Err(_) => report.add(|| {
                Violation::new(
                    format!("{field}.regions[{at}]"),
                    code.as_str(),
                    "a region that takes part in the run",
                    "参与本次分配的地区",
                )
            }),
        }
    }
    rows.sort_unstable();
    rows
}
