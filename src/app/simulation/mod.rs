//! Simulation: what an allocation would be if something were otherwise.
//!
//! - [`mod@document`]: what is asked, as it is written and stored.
//! - `reading`: from there to the domain's types, and to words.
//! - `workers`: threads, order, cancellation.
//! - `comparing`, `sweeping`, `sampling`, `seeking`, `measuring`: one file a kind of question.
//! - [`mod@event`]: what is told on the way, and at the end.
//! - `keeping`: simulations that are kept, and drafts made of them.
//!
//! Every kind runs the same way: load in one read transaction, prepare, compute on threads for blocking work,
//! tell each piece as it comes. A caller that goes away drops the future, and with it the token that the threads
//! look at before each evaluation.

mod comparing;
pub mod document;
pub mod event;
mod keeping;
mod measuring;
mod reading;
mod sampling;
mod seeking;
mod sweeping;
pub mod workers;

pub use keeping::{Draft, Kept, SimulationId};

use super::App;
use super::computation::{ComputeRequest, DataSource, ExplainWhich, FormulaSource, Material, load};
use super::statistics::AsOf;
use crate::domain::allocation::{DataRef, FormulaRef, Stage};
use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::{Bilingual, Error};
use crate::domain::formula::Pool;
use crate::domain::money::Money;
use crate::domain::region::{Region, RegionCode};
use crate::domain::simulation::Base;
use crate::domain::statistics::DataSetId;
use document::Question;
use event::{Answered, Event, Head, Provenance, RegionHead};
use reading::Words;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use workers::{Ended, Workers};

/// What simulations take at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulationOptions {
    /// Threads that compute at a time, over all calls; 0 means one for each processor.
    pub threads: usize,
    /// Evaluations of one simulation.
    pub max_points: u64,
    /// Simulations that run at a time; more wait.
    pub max_running: usize,
}

impl Default for SimulationOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            max_points: 10_000_000,
            max_running: 8,
        }
    }
}

/// What all simulations of a process share.
#[derive(Debug)]
pub(super) struct Simulations {
    options: SimulationOptions,
    workers: Arc<Workers>,
    running: Arc<Semaphore>,
}

impl Simulations {
    fn new(options: SimulationOptions) -> Self {
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        };
        Self {
            workers: Workers::new(threads),
            running: Arc::new(Semaphore::new(options.max_running.max(1))),
            options,
        }
    }
}

impl Default for Simulations {
    fn default() -> Self {
        Self::new(SimulationOptions::default())
    }
}

/// What scenarios are changes of.
#[derive(Debug, Clone)]
pub struct BaseRequest {
    /// The formula.
    pub formula: FormulaSource,
    /// The data set.
    pub data: (DataSetId, AsOf),
    /// The pool.
    pub pool: Money,
    /// The base year.
    pub year: i32,
    /// The region whose parts take part.
    pub scope: Option<RegionCode>,
    /// The whole or an advance.
    pub stage: Stage,
}

/// A base and what is asked of it.
#[derive(Debug, Clone)]
pub struct SimulationRequest {
    /// The base.
    pub base: BaseRequest,
    /// The question.
    pub question: Question,
}

/// Takes what is told; false where nobody listens any more.
pub type Emit = Box<dyn FnMut(Event) -> bool + Send>;

/// Everything that a computation needs, loaded.
struct Setup {
    material: Material,
    request: SimulationRequest,
    max_points: u64,
    workers: Arc<Workers>,
    cancel: CancellationToken,
}

impl App {
    /// The same with other limits for simulations.
    #[must_use]
    pub fn with_simulation_options(mut self, options: SimulationOptions) -> Self {
        self.simulations = Arc::new(Simulations::new(options));
        self
    }

    /// Threads that simulations have now.
    pub fn simulation_threads(&self) -> usize {
        self.simulations.workers.computing()
    }

    /// Computes what is asked and tells it as it comes. Dropping the future ends the computation.
    pub async fn simulate(&self, request: SimulationRequest, emit: Emit) -> Result<Answered, Error> {
        let setup = self.prepare_simulation(request).await?;
        self.run_simulation(setup, emit).await
    }

    async fn prepare_simulation(&self, request: SimulationRequest) -> Result<Setup, Error> {
        let tx = self.store().begin_read().await?;
        let base = &request.base;
        let material = load(
            &tx,
            &ComputeRequest {
                formula: base.formula.clone(),
                data: DataSource::Stored(base.data.0.clone(), base.data.1),
                pool: base.pool,
                year: base.year,
                scope: base.scope.clone(),
                stage: base.stage.clone(),
                explain: ExplainWhich::None,
            },
        )
        .await?;
        Ok(Setup {
            material,
            request,
            max_points: self.simulations.options.max_points,
            workers: Arc::clone(&self.simulations.workers),
            cancel: CancellationToken::new(),
        })
    }

    async fn run_simulation(&self, setup: Setup, mut emit: Emit) -> Result<Answered, Error> {
        let place = Arc::clone(&self.simulations.running)
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        let _ends_it = setup.cancel.clone().drop_guard();
        let computed = tokio::task::spawn_blocking(move || {
            let answered = setup.answer(&mut |event| emit(event));
            drop(place);
            answered
        });
        Ok(computed.await.map_err(Error::internal)??)
    }
}

/// What tells, inside a computation.
type Tell<'t> = &'t mut dyn FnMut(Event) -> bool;

fn tell(to: Tell<'_>, event: Event) -> Result<(), Ended> {
    if to(event) { Ok(()) } else { Err(Ended::Cancelled) }
}

impl Setup {
    fn answer(&self, to: Tell<'_>) -> Result<Answered, Ended> {
        match &self.request.question {
            Question::Comparison(asked) => self.compare(asked, to),
            Question::Sweep(asked) => self.sweep(asked, to),
            Question::MonteCarlo(asked) => self.sample(asked, to),
            Question::Goal(asked) => self.seek(asked, to),
            Question::Stability(asked) => self.stability(asked, to),
            Question::Fairness(asked) => self.fairness(asked, to),
        }
    }

    fn base(&self) -> Base<'_> {
        let Material {
            formula,
            snapshot,
            indicators,
            regions,
            ..
        } = &self.material;
        Base {
            formula,
            snapshot,
            indicators,
            regions,
            year: self.request.base.year,
            pool: Pool {
                total: self.request.base.pool,
                advance_percent: self.request.base.stage.advance_percent(),
            },
        }
    }

    fn words(&self) -> Words<'_> {
        Words {
            formula: &self.material.formula,
            indicators: &self.material.indicators,
            regions: &self.material.regions,
        }
    }

    /// The regions in the order of all amounts.
    fn regions(&self) -> Vec<&Region> {
        let mut regions: Vec<&Region> = self.material.regions.iter().collect();
        regions.sort_by(|a, b| a.code.cmp(&b.code));
        regions
    }

    /// What an answer begins with: the base has to have amounts, or nothing can be compared with it.
    fn head(&self) -> Result<Head, Ended> {
        let amounts = self.base().apply(&[]).and_then(|base| base.amounts());
        let amounts = amounts.map_err(Error::from)?;
        let regions = self.regions().into_iter().zip(amounts);
        Ok(Head {
            provenance: self.provenance(),
            regions: regions
                .map(|(region, base)| RegionHead {
                    region: region.clone(),
                    base,
                })
                .collect(),
        })
    }

    fn provenance(&self) -> Provenance {
        let Material {
            formula,
            formula_ref,
            snapshot,
            data_ref,
            ..
        } = &self.material;
        let base = &self.request.base;
        let sources: BTreeSet<&str> = snapshot
            .observations()
            .map(|observation| observation.source.as_str())
            .take(MAX_SOURCES_READ)
            .collect();
        let document = &formula.document;
        Provenance {
            formula: formula_ref.clone(),
            formula_title: Bilingual::new(&document.title_en, &document.title_zh),
            illustrative: document.legal_basis.illustrative.clone(),
            data: data_ref.clone(),
            pool: base.pool,
            year: base.year,
            sources: sources.into_iter().take(MAX_SOURCES).map(str::to_owned).collect(),
            input_digest: input_digest(
                formula_ref,
                data_ref,
                base,
                &self.regions(),
                &self.request.question,
            ),
        }
    }
}

/// Sources that a provenance names.
const MAX_SOURCES: usize = 20;
/// Observations whose sources are looked at.
const MAX_SOURCES_READ: usize = 100_000;

/// The digest of everything that decides a result.
fn input_digest(
    formula: &FormulaRef,
    data: &DataRef,
    base: &BaseRequest,
    regions: &[&Region],
    question: &Question,
) -> Digest {
    let mut digest = DigestBuilder::new("incentivefund.v1.SimulationInputs");
    digest
        .field(formula.digest.as_str())
        .field(data.digest.as_str())
        .field(&base.pool.to_string())
        .field(&base.year.to_string())
        .field(base.stage.code())
        .field(
            &base
                .stage
                .advance_percent()
                .map(|percent| percent.normalize().to_string())
                .unwrap_or_default(),
        );
    for region in regions {
        digest.field(region.code.as_str());
    }
    digest.field(question.digest().as_str());
    digest.finish()
}
