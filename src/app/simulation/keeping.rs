//! Simulations that are kept: what was asked, of which revisions, and the digest of what came out.
//!
//! Results are not stored: the inputs never change, so they are computed again whenever they are wanted, and
//! are those that were seen if the digest is the same.

use super::document::Question;
use super::event::{Answered, Provenance};
use super::{BaseRequest, Emit, Setup, SimulationRequest, reading, sweeping};
use crate::app::allocations::{CreateRun, check_title, draft_run};
use crate::app::computation::FormulaSource;
use crate::app::formulas::FormulaId;
use crate::app::records::{DataSet, DataSetRevision, FormulaRevision};
use crate::app::statistics::AsOf;
use crate::app::{App, Mutation, clock};
use crate::domain::allocation::{DataRef, FormulaRef, FundId, Run, Signature, Stage};
use crate::domain::digest::Digest;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use crate::domain::simulation::{Change, Changed};
use crate::domain::statistics::{DataSetId, Observation, Snapshot, code_type};
use crate::store::Tx;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

code_type!(
    /// The id of a kept simulation: a UUID in lower case.
    SimulationId,
    |byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    |byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) || byte == b'-',
    "the id of a simulation, a UUID in lower case",
    "测算编号(小写 UUID)"
);

impl SimulationId {
    /// The resource name, `simulations/{id}`.
    pub fn resource_name(&self) -> String {
        format!("simulations/{self}")
    }
}

/// A kept simulation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its id.
    pub id: SimulationId,
    /// A title for people; may be empty.
    pub title: String,
    /// The formula revision.
    pub formula: FormulaRef,
    /// The data set revision.
    pub data: DataRef,
    /// The pool.
    pub pool: Money,
    /// The base year.
    pub year: i32,
    /// The whole or an advance.
    pub stage: Stage,
    /// The regions, in code order.
    pub regions: Vec<RegionCode>,
    /// What was asked.
    pub question: Question,
    /// Digest of the base and of what was asked.
    pub input_digest: Digest,
    /// Evaluations made.
    pub evaluations: u64,
    /// Digest of the result.
    pub result_digest: Digest,
    /// The result in a sentence.
    pub summary: Bilingual,
    /// Who created it.
    pub created: Signature,
}

impl Kept {
    fn request(&self) -> SimulationRequest {
        SimulationRequest {
            base: BaseRequest {
                formula: FormulaSource::Stored(FormulaId {
                    id: self.formula.id.clone(),
                    revision: Some(self.formula.revision),
                }),
                data: (self.data.id.clone(), AsOf::Revision(self.data.revision)),
                pool: self.pool,
                year: self.year,
                scope: None,
                stage: self.stage.clone(),
            },
            question: self.question.clone(),
        }
    }

    /// What is known of its provenance without computing anything.
    pub fn provenance(&self) -> Provenance {
        Provenance {
            formula: self.formula.clone(),
            formula_title: Bilingual::new("", ""),
            illustrative: String::new(),
            data: self.data.clone(),
            pool: self.pool,
            year: self.year,
            sources: Vec::new(),
            input_digest: self.input_digest.clone(),
        }
    }
}

/// Which scenario of a kept simulation becomes a draft, and of what.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The simulation.
    pub simulation: SimulationId,
    /// Of a comparison, the scenario's name.
    pub scenario: String,
    /// Of a sweep, the point.
    pub point: u64,
    /// The fund.
    pub fund: FundId,
    /// A title for people.
    pub title: String,
}

impl App {
    /// Computes what is asked and keeps it. What is computed is told to nobody.
    pub async fn create_simulation(
        &self,
        mutation: &Mutation,
        title: String,
        request: SimulationRequest,
    ) -> Result<Kept, Error> {
        check_title(&title)?;
        if !matches!(request.base.formula, FormulaSource::Stored(_)) {
            return Err(Violation::new(
                "request.base.formula",
                "a formula given inline",
                "a stored formula: what is kept must stay as it was",
                "已保存的公式(保存的测算须可复算)",
            )
            .into());
        }
        // A repeated call gets its first answer and need not compute it.
        let answered_before = !mutation.request_id.is_empty() && {
            let tx = self.store().begin_read().await?;
            let caller = mutation.caller.as_str();
            tx.request(caller, &mutation.request_id).await?.is_some()
        };
        let computed = if answered_before {
            None
        } else {
            let question = request.question.clone();
            let stage = request.base.stage.clone();
            let setup = self.prepare_simulation(request).await?;
            let regions = setup.regions().into_iter().map(|region| region.code.clone());
            let regions: Vec<RegionCode> = regions.collect();
            let answered = self.run_simulation(setup, Box::new(|_| true)).await?;
            Some(kept(mutation, title, question, stage, regions, answered)?)
        };
        let computed = &computed;
        self.mutate(mutation, "CreateSimulation", |tx| async move {
            let kept = computed.clone().ok_or_else(|| Error::Conflict {
                detail: "the request was forgotten while it was looked for".to_owned(),
            })?;
            tx.insert_simulation(&kept).await?;
            let (name, digest) = (kept.id.resource_name(), kept.result_digest.clone());
            tx.trail(|trail| trail.touch(name, None, Some(digest)));
            Ok((tx, kept))
        })
        .await
    }

    /// One kept simulation.
    pub async fn simulation(&self, id: &SimulationId) -> Result<Kept, Error> {
        find(&self.store().begin_read().await?, id).await
    }

    /// Kept simulations, newest first, older than `before`.
    pub async fn simulations(
        &self,
        kind: Option<&str>,
        before: Option<(i64, &SimulationId)>,
        limit: u64,
    ) -> Result<Vec<Kept>, Error> {
        let tx = self.store().begin_read().await?;
        tx.simulations(kind, before, limit).await
    }

    /// Computes a kept simulation again.
    ///
    /// The inputs are immutable, so the result must be the same; where its digest is not, that is an internal error.
    pub async fn repeat_simulation(&self, kept: &Kept, emit: Emit) -> Result<Answered, Error> {
        let setup = self.prepare_again(kept).await?;
        let answered = self.run_simulation(setup, emit).await?;
        if answered.result_digest != kept.result_digest {
            return Err(Error::internal(format!(
                "{} computed again has the result {} and not {}",
                kept.id.resource_name(),
                answered.result_digest,
                kept.result_digest
            )));
        }
        Ok(answered)
    }

    async fn prepare_again(&self, kept: &Kept) -> Result<Setup, Error> {
        let mut setup = self.prepare_simulation(kept.request()).await?;
        let tx = self.store().begin_read().await?;
        setup.material.regions = tx.regions().await?;
        setup
            .material
            .regions
            .retain(|region| kept.regions.binary_search(&region.code).is_ok());
        Ok(setup)
    }

    /// Makes a draft allocation of a scenario.
    ///
    /// Where it changes the formula or the data, they are stored under ids of their own, in the same transaction:
    /// the newest revision of the formula and of the data set in force stay what they are.
    pub async fn draft_from_simulation(&self, mutation: &Mutation, draft: Draft) -> Result<Run, Error> {
        check_title(&draft.title)?;
        let kept = self.simulation(&draft.simulation).await?;
        let setup = Arc::new(self.prepare_again(&kept).await?);
        let choosing = Arc::clone(&setup);
        let chosen = draft.clone();
        let changes = tokio::task::spawn_blocking(move || choosing.chosen(&chosen))
            .await
            .map_err(Error::internal)??;
        let (setup, draft, changes, kept) = (&setup, &draft, &changes, &kept);
        self.mutate(mutation, "DraftAllocation", |tx| async move {
            let changed = setup.base().apply(changes)?;
            let expected = changed.amounts()?;
            let signed = clock::sign(&mutation.caller);
            let formula = store_formula(&tx, &setup.material.formula_ref, &changed, &signed).await?;
            let data = store_data(&tx, setup, &changed, kept, &signed).await?;
            let request = CreateRun {
                fund: draft.fund.clone(),
                title: draft.title.clone(),
                formula,
                data,
                pool: changed.pool.total,
                year: kept.year,
                scope: None,
                stage: match changed.pool.advance_percent {
                    Some(percent) => Stage::Advance { percent },
                    None => Stage::Full,
                },
            };
            let run = draft_run(&tx, mutation, &request, Some(&kept.regions)).await?;
            let drafted = run.outcome.lines.iter().map(|line| line.amount);
            if !drafted.eq(expected.iter().copied()) {
                return Err(Error::internal(format!(
                    "the draft of {} has other amounts than its scenario",
                    kept.id.resource_name()
                )));
            }
            Ok((tx, run))
        })
        .await
    }
}

fn kept(
    mutation: &Mutation,
    title: String,
    question: Question,
    stage: Stage,
    regions: Vec<RegionCode>,
    answered: Answered,
) -> Result<Kept, Error> {
    let provenance = answered.provenance;
    Ok(Kept {
        id: SimulationId::parse("name", &uuid::Uuid::now_v7().to_string())?,
        title,
        formula: provenance.formula,
        data: provenance.data,
        pool: provenance.pool,
        year: provenance.year,
        stage,
        regions,
        question,
        input_digest: provenance.input_digest,
        evaluations: answered.evaluations,
        result_digest: answered.result_digest,
        summary: answered.summary,
        created: clock::sign(&mutation.caller),
    })
}

async fn find(tx: &Tx, id: &SimulationId) -> Result<Kept, Error> {
    tx.simulation(id).await?.ok_or_else(|| Error::NotFound {
        kind: "simulation",
        name: id.resource_name(),
    })
}

impl Setup {
    /// The changes that a draft is made of.
    fn chosen(&self, draft: &Draft) -> Result<Vec<Change>, Error> {
        let unused = |field: &str, found: String| -> Result<(), Violation> {
            Err(Violation::new(
                field,
                found,
                "nothing for a simulation of this kind",
                "此类测算不填",
            ))
        };
        if !matches!(self.request.question, Question::Comparison(_)) && !draft.scenario.is_empty() {
            unused("scenario", draft.scenario.clone())?;
        }
        if !matches!(self.request.question, Question::Sweep(_)) && draft.point != 0 {
            unused("point", draft.point.to_string())?;
        }
        match &self.request.question {
            Question::Comparison(asked) => {
                let scenarios = reading::scenarios("scenarios", &asked.scenarios)?;
                let found = scenarios
                    .into_iter()
                    .find(|scenario| scenario.name == draft.scenario.trim());
                found.map(|scenario| scenario.changes).ok_or_else(|| {
                    let names: Vec<&str> = asked.scenarios.iter().map(|s| s.name.as_str()).collect();
                    Violation::new(
                        "scenario",
                        &draft.scenario,
                        format!("the name of one of its scenarios: {}", names.join(", ")),
                        format!("其中一个情景的名称:{}", names.join("、")),
                    )
                    .into()
                })
            }
            Question::Sweep(asked) => {
                let (sweep, points) = sweeping::grid(asked, self.max_points)?;
                let mut settings = Vec::new();
                if !sweep.point(draft.point, &mut settings) {
                    return Err(Violation::new(
                        "point",
                        draft.point.to_string(),
                        format!("0 to {}", points.saturating_sub(1)),
                        format!("0 至 {}", points.saturating_sub(1)),
                    )
                    .into());
                }
                let mut changes = sweep.base_changes;
                let axes = sweep.axes.iter().zip(&settings);
                changes.extend(axes.map(|(axis, (_, value))| axis.target.set(*value)));
                Ok(changes)
            }
            Question::Goal(asked) => self.at_goal(asked),
            other => Err(Violation::new(
                "simulation",
                other.kind(),
                "a comparison, a sweep or a goal: the others have no scenario of their own",
                "情景对比、网格测算或目标求解",
            )
            .into()),
        }
    }
}

/// Longest id of a formula or data set.
const MAX_ID: usize = 63;

/// An id beside `id`, for what a scenario changes: the same content has the same id.
fn beside(id: &str, digest: &Digest) -> String {
    let tail = format!("-sim-{}", digest.short());
    let head = id.get(..MAX_ID - tail.len()).unwrap_or(id);
    format!("{head}{tail}")
}

/// The formula of the draft: that of the base, or a stored one of its own.
async fn store_formula(
    tx: &Tx,
    base: &FormulaRef,
    changed: &Changed<'_>,
    signed: &Signature,
) -> Result<FormulaId, Error> {
    if changed.formula.digest == base.digest {
        return Ok(FormulaId {
            id: base.id.clone(),
            revision: Some(base.revision),
        });
    }
    let document = changed.document(&beside(&base.id, &changed.formula.digest));
    let (id, digest) = (document.id.clone(), document.digest());
    if let Some(present) = tx.formula_by_digest(&id, &digest).await? {
        return Ok(FormulaId {
            id,
            revision: Some(present.revision),
        });
    }
    let newest = tx.formula(&id, None).await?.map_or(0, |newest| newest.revision);
    let revision = FormulaRevision {
        revision: newest + 1,
        digest,
        document,
        created: signed.clone(),
    };
    tx.insert_formula(&revision).await?;
    Ok(FormulaId {
        id,
        revision: Some(revision.revision),
    })
}

/// The data of the draft: those of the base, or a copy with the changed values, each naming what it was.
async fn store_data(
    tx: &Tx,
    setup: &Setup,
    changed: &Changed<'_>,
    kept: &Kept,
    signed: &Signature,
) -> Result<(DataSetId, AsOf), Error> {
    let base = &setup.material.data_ref;
    if changed.observations.is_empty() {
        return Ok((base.id.clone(), AsOf::Revision(base.revision)));
    }
    let all = setup
        .material
        .snapshot
        .observations()
        .chain(&changed.observations);
    let whole = Snapshot::new(all.cloned());
    let observations: Vec<Observation> = whole
        .observations()
        .map(|observation| Observation {
            revision: 1,
            ..observation.clone()
        })
        .collect();
    let digest = Snapshot::new(observations.iter().cloned()).digest();
    let id = DataSetId::parse("data_set", &beside(base.id.as_str(), &digest))?;
    if let Some(present) = tx.data_set(&id).await? {
        if present.digest == digest {
            return Ok((id, AsOf::Revision(present.revision)));
        }
        return Err(Error::AlreadyExists {
            kind: "data set",
            name: crate::app::statistics::data_set_name(&id),
        });
    }
    let title = format!("{} {}", kept.id.resource_name(), kept.title);
    let title: String = title.trim().chars().take(200).collect();
    tx.insert_data_set(&DataSet::empty(id.clone(), title, signed.clone()))
        .await?;
    let revision = DataSetRevision {
        data_set: id.clone(),
        revision: 1,
        digest,
        created: signed.clone(),
        added: u32::try_from(observations.len()).map_err(Error::internal)?,
        revised: 0,
        unchanged: 0,
    };
    tx.insert_data_set_revision(&revision).await?;
    tx.insert_observations(&id, 1, &observations).await?;
    Ok((id, AsOf::Revision(1)))
}
