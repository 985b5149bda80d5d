//! From stored or given inputs to amounts: what a computation needs, and the computation itself.

use super::App;
use super::formulas::{FormulaId, find_formula};
use super::statistics::{AsOf, resolve};
use crate::domain::allocation::{DataRef, FormulaRef, FundId, Outcome, RunInputs, Stage};
use crate::domain::error::{Error, Violation};
use crate::domain::formula::trace::{Explanation, explain};
use crate::domain::formula::{Document, Formula, Inputs, Pool, evaluate};
use crate::domain::money::Money;
use crate::domain::region::{Region, RegionCode};
use crate::domain::statistics::{Catalog, DataSetId, Indicator, Observation, ObservationRow, Snapshot};
use crate::store::Tx;
use std::collections::HashSet;
use std::sync::Arc;

/// A formula, stored or given.
#[derive(Debug, Clone)]
pub enum FormulaSource {
    /// A stored revision, or the newest.
    Stored(FormulaId),
    /// The document itself.
    Given(Box<Document>),
}

/// Statistics, stored or given.
#[derive(Debug, Clone)]
pub enum DataSource {
    /// A data set at some revision.
    Stored(DataSetId, AsOf),
    /// The data themselves.
    Given {
        /// Regions.
        regions: Vec<Region>,
        /// Indicators; none means those imported.
        indicators: Vec<Indicator>,
        /// Observations.
        rows: Vec<ObservationRow>,
    },
}

/// What to compute.
#[derive(Debug, Clone)]
pub struct ComputeRequest {
    /// The formula.
    pub formula: FormulaSource,
    /// The statistics.
    pub data: DataSource,
    /// The pool.
    pub pool: Money,
    /// The base year.
    pub year: i32,
    /// The region whose parts take part; none means every region that has data and contains no other.
    pub scope: Option<RegionCode>,
    /// The part of the money.
    pub stage: Stage,
    /// The regions to explain.
    pub explain: ExplainWhich,
}

/// Which regions to explain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ExplainWhich {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// These.
    Some(Vec<RegionCode>),
}

/// Everything a computation reads, loaded.
#[derive(Debug)]
pub struct Material {
    /// The formula, checked.
    pub formula: Formula,
    /// How a run refers to it.
    pub formula_ref: FormulaRef,
    /// The observations.
    pub snapshot: Snapshot,
    /// How a run refers to them.
    pub data_ref: DataRef,
    /// All indicators.
    pub indicators: Vec<Indicator>,
    /// The regions that take part.
    pub regions: Vec<Region>,
}

/// What a computation gives.
#[derive(Debug, Clone)]
pub struct Computed {
    /// What it was computed from.
    pub inputs: RunInputs,
    /// The amounts.
    pub outcome: Outcome,
    /// The explanations asked for, in code order.
    pub explanations: Vec<Explanation>,
}

impl App {
    /// Computes an allocation and stores nothing.
    pub async fn compute(&self, request: ComputeRequest) -> Result<Computed, Error> {
        let tx = self.store().begin_read().await?;
        let material = load(&tx, &request).await?;
        drop(tx);
        let fund = FundId::parse("fund", "none")?;
        compute(
            Arc::new(material),
            fund,
            request.stage,
            request.pool,
            request.year,
            None,
            request.explain,
        )
        .await
    }

    /// Checks a formula alone, or against data as well; gives it back checked.
    pub async fn check_formula(
        &self,
        document: Document,
        against: Option<(DataSetId, i32, Option<RegionCode>)>,
    ) -> Result<Formula, Error> {
        let tx = self.store().begin_read().await?;
        let Some((data_set, year, scope)) = against else {
            return Ok(Formula::check(document, &tx.indicators().await?)?);
        };
        let request = ComputeRequest {
            formula: FormulaSource::Given(Box::new(document)),
            data: DataSource::Stored(data_set, AsOf::Newest),
            pool: Money::ZERO,
            year,
            scope,
            stage: Stage::Full,
            explain: ExplainWhich::None,
        };
        let material = load(&tx, &request).await?;
        drop(tx);
        blocking(move || {
            let inputs = Inputs::bind(
                &material.formula,
                &material.snapshot,
                &material.indicators,
                &material.regions,
                year,
            )?;
            crate::domain::formula::components::check_scores(&material.formula, &inputs)?;
            drop(inputs);
            Ok(material.formula)
        })
        .await
    }
}

/// Loads what a request names, and checks the formula.
pub(super) async fn load(tx: &Tx, request: &ComputeRequest) -> Result<Material, Error> {
    let stored_indicators = tx.indicators().await?;
    let (snapshot, data_ref, indicators, all_regions) = match &request.data {
        DataSource::Stored(id, as_of) => {
            let revision = resolve(tx, id, *as_of).await?;
            let snapshot = tx.snapshot(id, revision).await?;
            let data_ref = DataRef {
                id: id.clone(),
                revision,
                digest: snapshot.digest(),
            };
            (snapshot, data_ref, stored_indicators, tx.regions().await?)
        }
        DataSource::Given {
            regions,
            indicators,
            rows,
        } => {
            let indicators = if indicators.is_empty() {
                stored_indicators
            } else {
                indicators.clone()
            };
            let checked = Catalog::new(regions, &indicators).check(rows)?;
            let snapshot = Snapshot::new(checked.into_iter().map(
                |((region, indicator, year), value, source)| Observation {
                    region,
                    indicator,
                    year,
                    value,
                    source,
                    revision: 1,
                },
            ));
            let data_ref = DataRef {
                id: DataSetId::parse("data_set", "given")?,
                revision: 0,
                digest: snapshot.digest(),
            };
            (snapshot, data_ref, indicators, regions.clone())
        }
    };
    let (formula, formula_ref) = match &request.formula {
        FormulaSource::Stored(name) => {
            let stored = find_formula(tx, name).await?;
            let formula = Formula::check(stored.document.clone(), &indicators)?;
            let reference = FormulaRef {
                id: stored.document.id,
                revision: stored.revision,
                digest: stored.digest,
            };
            (formula, reference)
        }
        FormulaSource::Given(document) => {
            let formula = Formula::check((**document).clone(), &indicators)?;
            let reference = FormulaRef {
                id: document.id.clone(),
                revision: 0,
                digest: formula.digest.clone(),
            };
            (formula, reference)
        }
    };
    let regions = participants(&snapshot, all_regions, request.scope.as_ref())?;
    Ok(Material {
        formula,
        formula_ref,
        snapshot,
        data_ref,
        indicators,
        regions,
    })
}

/// The regions that take part: the parts of `scope`, or every region that has data and contains no other such region.
fn participants(
    snapshot: &Snapshot,
    regions: Vec<Region>,
    scope: Option<&RegionCode>,
) -> Result<Vec<Region>, Error> {
    match scope {
        Some(scope) => {
            let parts: Vec<Region> = regions
                .into_iter()
                .filter(|region| region.parent.as_ref() == Some(scope))
                .collect();
            if parts.is_empty() {
                return Err(Violation::new(
                    "scope",
                    scope.as_str(),
                    "a region that has parts",
                    "有下级地区的地区",
                )
                .into());
            }
            Ok(parts)
        }
        None => {
            let with_data = snapshot.regions();
            let containers: HashSet<RegionCode> = (regions.iter())
                .filter(|region| with_data.contains(&region.code))
                .filter_map(|region| region.parent.clone())
                .collect();
            let parts = regions
                .into_iter()
                .filter(|r| with_data.contains(&r.code) && !containers.contains(&r.code));
            Ok(parts.collect())
        }
    }
}

/// Computes on a thread for blocking work, so that a large run does not hold up other calls.
pub(super) async fn compute(
    material: Arc<Material>,
    fund: FundId,
    stage: Stage,
    pool: Money,
    year: i32,
    advanced: Option<Outcome>,
    which: ExplainWhich,
) -> Result<Computed, Error> {
    blocking(move || {
        let Material {
            formula,
            formula_ref,
            snapshot,
            data_ref,
            indicators,
            regions,
        } = &*material;
        let bound = Inputs::bind(formula, snapshot, indicators, regions, year)?;
        let pool_split = Pool {
            total: pool,
            advance_percent: stage.advance_percent(),
        };
        let evaluation = evaluate(formula, &bound, pool_split)?;
        let outcome = Outcome::new(&evaluation, advanced.as_ref());
        let mut rows: Vec<usize> = match &which {
            ExplainWhich::None => Vec::new(),
            ExplainWhich::All => (0..bound.regions.len()).collect(),
            ExplainWhich::Some(codes) => (codes.iter())
                .map(|code| {
                    bound
                        .regions
                        .binary_search_by(|region| region.code.cmp(code))
                        .map_err(|_| Error::NotFound {
                            kind: "region of the allocation",
                            name: format!("regions/{code}"),
                        })
                })
                .collect::<Result<_, _>>()?,
        };
        // In code order, and each region once however often it was named.
        rows.sort_unstable();
        rows.dedup();
        let explanations = rows.into_iter().map(|row| explain(&evaluation, row)).collect();
        let inputs = RunInputs {
            fund,
            stage,
            pool,
            year,
            formula: formula_ref.clone(),
            data: data_ref.clone(),
            regions: bound.regions.iter().map(|region| region.code.clone()).collect(),
        };
        Ok(Computed {
            inputs,
            outcome,
            explanations,
        })
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}
