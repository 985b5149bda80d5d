//! Allocation runs: create, review, approve, issue, supersede.

use super::audit::digest_of;
use super::computation::{ComputeRequest, Computed, DataSource, ExplainWhich, FormulaSource, compute, load};
use super::formulas::FormulaId;
use super::records::RunFilter;
use super::statistics::AsOf;
use super::{App, Mutation, clock, issuing};
use crate::domain::access::Scope;
use crate::domain::allocation::{Difference, FundId, Outcome, Run, RunId, Stage, State, compare};
use crate::domain::digest::Digest;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::formula::trace::Explanation;
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use crate::domain::statistics::DataSetId;
use crate::store::Tx;
use std::sync::Arc;

/// What to create a run from.
#[derive(Debug, Clone)]
pub struct CreateRun {
    /// The fund.
    pub fund: FundId,
    /// A title for people; may be empty.
    pub title: String,
    /// The formula.
    pub formula: FormulaId,
    /// The data set.
    pub data: (DataSetId, AsOf),
    /// The pool.
    pub pool: Money,
    /// The base year.
    pub year: i32,
    /// The region whose parts take part.
    pub scope: Option<RegionCode>,
    /// The part of the money.
    pub stage: Stage,
}

/// Two runs compared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Region by region, in code order.
    pub differences: Vec<Difference>,
    /// Inputs that differ, `name: before -> after`.
    pub inputs: Vec<String>,
    /// Sum of the first.
    pub total_before: Money,
    /// Sum of the second.
    pub total_after: Money,
}

impl App {
    /// Computes a run and keeps it as a draft.
    pub async fn create_run(&self, mutation: &Mutation, request: CreateRun) -> Result<Run, Error> {
        check_title(&request.title)?;
        let request = &request;
        self.mutate(mutation, "CreateAllocation", |tx| async move {
            let run = draft_run(&tx, mutation, request, None).await?;
            Ok((tx, run))
        })
        .await
    }

    /// One run.
    pub async fn run(&self, scope: &Scope, id: &RunId) -> Result<Run, Error> {
        find_shown(&self.store().begin_read().await?, scope, id).await
    }

    /// Runs, newest first, older than `before`.
    pub async fn runs(
        &self,
        filter: &RunFilter,
        before: Option<(i64, &RunId)>,
        limit: u64,
    ) -> Result<Vec<Run>, Error> {
        self.store().begin_read().await?.runs(filter, before, limit).await
    }

    /// Two runs, region by region.
    pub async fn compare_runs(
        &self,
        scope: &Scope,
        before: &RunId,
        after: &RunId,
    ) -> Result<Comparison, Error> {
        let tx = self.store().begin_read().await?;
        let before = find_shown(&tx, scope, before).await?;
        let after = find_shown(&tx, scope, after).await?;
        Ok(Comparison {
            differences: compare(&before.outcome, &after.outcome),
            inputs: input_differences(&before, &after),
            total_before: before.outcome.total(),
            total_after: after.outcome.total(),
        })
    }

    /// Explains amounts of a run by computing it again from its inputs.
    ///
    /// The inputs are immutable, so the amounts must come out the same; if they do not, that is an
    /// internal error and nothing is explained.
    pub async fn explain_run(
        &self,
        scope: &Scope,
        id: &RunId,
        which: ExplainWhich,
    ) -> Result<Vec<Explanation>, Error> {
        let tx = self.store().begin_read().await?;
        let run = find_shown(&tx, scope, id).await?;
        let inputs = &run.inputs;
        let request = ComputeRequest {
            formula: FormulaSource::Stored(FormulaId {
                id: inputs.formula.id.clone(),
                revision: Some(inputs.formula.revision),
            }),
            data: DataSource::Stored(inputs.data.id.clone(), AsOf::Revision(inputs.data.revision)),
            pool: inputs.pool,
            year: inputs.year,
            scope: None,
            stage: inputs.stage.clone(),
            explain: which,
        };
        let mut material = load(&tx, &request).await?;
        material.regions = tx.regions().await?;
        material
            .regions
            .retain(|region| inputs.regions.binary_search(&region.code).is_ok());
        let advanced = match &inputs.stage {
            Stage::Settlement { advance } => Some(find_run(&tx, advance).await?.outcome),
            _ => None,
        };
        drop(tx);
        let Computed {
            inputs: again,
            outcome,
            explanations,
        } = compute(
            Arc::new(material),
            inputs.fund.clone(),
            inputs.stage.clone(),
            inputs.pool,
            inputs.year,
            advanced,
            request.explain,
        )
        .await?;
        if again.digest() != run.input_digest || amounts(&outcome) != amounts(&run.outcome) {
            return Err(Error::internal(format!(
                "{} computed again gives other amounts",
                id.resource_name()
            )));
        }
        Ok(explanations)
    }

    /// Approves a draft; the caller must not be its creator.
    pub async fn approve_run(&self, mutation: &Mutation, id: &RunId, etag: &str) -> Result<Run, Error> {
        self.mutate(mutation, "ApproveAllocation", |tx| async move {
            let mut run = find_run(&tx, id).await?;
            run.check_etag(etag)?;
            let (version, before) = (run.version, digest_of(&run)?);
            run.approve(clock::sign(&mutation.caller))?;
            tx.update_run(&run, version).await?;
            touch(&tx, &run, Some(before))?;
            Ok((tx, run))
        })
        .await
    }

    /// Issues an approved run: the fund's money becomes quota of the regions. A fund has one issued run
    /// for each stage.
    pub async fn issue_run(&self, mutation: &Mutation, id: &RunId, etag: &str) -> Result<Run, Error> {
        self.mutate_posting(mutation, "IssueAllocation", |tx| async move {
            let mut books = issuing::open(&tx, &fund_of(&tx, id).await?).await?;
            let mut run = find_run(&tx, id).await?;
            run.check_etag(etag)?;
            let (version, before) = (run.version, digest_of(&run)?);
            let signed = clock::sign(&mutation.caller);
            run.issue(signed.clone())?;
            if let Some(issued) = tx.issued_run(&run.inputs.fund, run.inputs.stage.code()).await? {
                let (fund, stage) = (&run.inputs.fund, &run.inputs.stage);
                return Err(Error::State {
                    name: id.resource_name(),
                    reason: "ANOTHER_ALLOCATION_ISSUED",
                    message: Bilingual::new(
                        format!(
                            "{} is issued for fund {fund}, stage {}: supersede it by this one",
                            issued.resource_name(),
                            stage.code()
                        ),
                        format!(
                            "资金 {fund} 的“{}”已下达 {},请以本方案替换之",
                            stage.zh(),
                            issued.resource_name()
                        ),
                    ),
                });
            }
            settles_what_is_out(&tx, &run).await?;
            tx.update_run(&run, version).await?;
            touch(&tx, &run, Some(before))?;
            issuing::issue(&tx, &mut books, &run, None, &signed).await?;
            issuing::tell(&mut books, &run, &signed)?;
            books.write(&tx).await?;
            Ok((tx, run))
        })
        .await
    }

    /// Withdraws a run, or replaces it by another; where it was issued, the regions get or give back the
    /// difference.
    pub async fn supersede_run(
        &self,
        mutation: &Mutation,
        id: &RunId,
        replacement: Option<&RunId>,
        etag: &str,
    ) -> Result<Run, Error> {
        self.mutate_posting(mutation, "SupersedeAllocation", |tx| async move {
            // The fund's row keeps others from issuing and superseding within it.
            let mut books = issuing::open(&tx, &fund_of(&tx, id).await?).await?;
            let mut run = find_run(&tx, id).await?;
            run.check_etag(etag)?;
            let mut other = match replacement {
                Some(replacement) => Some(find_run(&tx, replacement).await?),
                None => None,
            };
            let (version, other_version) = (run.version, other.as_ref().map(|other| other.version));
            let before = digest_of(&run)?;
            let other_before = other.as_ref().map(digest_of).transpose()?;
            if run.state == State::Issued {
                not_settled(&tx, &run).await?;
            }
            let signed = clock::sign(&mutation.caller);
            run.supersede(other.as_mut(), signed.clone())?;
            // The old one first: at most one run of a fund and stage may be issued at any moment.
            tx.update_run(&run, version).await?;
            touch(&tx, &run, Some(before))?;
            if let (Some(other), Some(other_version)) = (&other, other_version)
                && other.version != other_version
            {
                settles_what_is_out(&tx, other).await?;
                tx.update_run(other, other_version).await?;
                touch(&tx, other, other_before)?;
                issuing::issue(&tx, &mut books, other, Some(&run), &signed).await?;
                issuing::tell(&mut books, &run, &signed)?;
                issuing::tell(&mut books, other, &signed)?;
                books.write(&tx).await?;
            }
            Ok((tx, run))
        })
        .await
    }
}

/// Checks a title for people.
pub(super) fn check_title(title: &str) -> Result<(), Violation> {
    if title.chars().count() <= 200 && !title.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Violation::new(
        "title",
        title,
        "at most 200 characters",
        "至多 200 个字符",
    ))
}

/// Computes a run and stores it as a draft. With `regions`, these take part and no others.
pub(super) async fn draft_run(
    tx: &Tx,
    mutation: &Mutation,
    request: &CreateRun,
    regions: Option<&[RegionCode]>,
) -> Result<Run, Error> {
    let advanced = match &request.stage {
        Stage::Settlement { advance } => Some(issued_advance(tx, &request.fund, advance).await?),
        _ => None,
    };
    let compute_request = ComputeRequest {
        formula: FormulaSource::Stored(request.formula.clone()),
        data: DataSource::Stored(request.data.0.clone(), request.data.1),
        pool: request.pool,
        year: request.year,
        scope: request.scope.clone(),
        stage: request.stage.clone(),
        explain: ExplainWhich::None,
    };
    let mut material = load(tx, &compute_request).await?;
    if let Some(regions) = regions {
        material.regions = tx.regions().await?;
        material
            .regions
            .retain(|region| regions.binary_search(&region.code).is_ok());
    }
    let computed = compute(
        Arc::new(material),
        request.fund.clone(),
        request.stage.clone(),
        request.pool,
        request.year,
        advanced,
        ExplainWhich::None,
    )
    .await?;
    let run = Run {
        id: RunId::parse("name", &uuid::Uuid::now_v7().to_string())?,
        title: request.title.clone(),
        input_digest: computed.inputs.digest(),
        inputs: computed.inputs,
        state: State::Draft,
        version: 1,
        created: clock::sign(&mutation.caller),
        approved: None,
        issued: None,
        superseded: None,
        replacement: None,
        outcome: computed.outcome,
    };
    tx.insert_run(&run).await?;
    touch(tx, &run, None)?;
    Ok(run)
}

/// Says in the audit log what became of a run.
fn touch(tx: &Tx, run: &Run, before: Option<Digest>) -> Result<(), Error> {
    let after = digest_of(run)?;
    tx.trail(|trail| trail.touch(run.id.resource_name(), before, Some(after)));
    Ok(())
}

/// A run that may be shown. Who does not reach all regions sees those that were issued: how the money was
/// divided is public from then on, drafts are the city's.
async fn find_shown(tx: &Tx, scope: &Scope, id: &RunId) -> Result<Run, Error> {
    let run = tx.run(id).await?;
    let shown = run.filter(|run| scope.is_all() || run.issued.is_some());
    shown.ok_or_else(|| no_run(id))
}

fn no_run(id: &RunId) -> Error {
    Error::NotFound {
        kind: "allocation",
        name: id.resource_name(),
    }
}

async fn find_run(tx: &Tx, id: &RunId) -> Result<Run, Error> {
    tx.run(id).await?.ok_or_else(|| no_run(id))
}

async fn fund_of(tx: &Tx, id: &RunId) -> Result<FundId, Error> {
    tx.fund_of_run(id).await?.ok_or_else(|| no_run(id))
}

async fn issued_advance(tx: &Tx, fund: &FundId, advance: &RunId) -> Result<Outcome, Error> {
    let run = find_run(tx, advance).await?;
    let fits = run.state == State::Issued && run.inputs.stage.code() == "advance" && run.inputs.fund == *fund;
    if !fits {
        return Err(Violation::new(
            "settles",
            format!(
                "{}, {} {} of fund {}",
                advance.resource_name(),
                run.state,
                run.inputs.stage.code(),
                run.inputs.fund
            ),
            format!("an issued advance of fund {fund}"),
            format!("资金 {fund} 已下达的提前下达方案"),
        )
        .into());
    }
    Ok(run.outcome)
}

/// A settlement pays the difference to an advance: that one, and no other, must be out.
async fn settles_what_is_out(tx: &Tx, run: &Run) -> Result<(), Error> {
    let Stage::Settlement { advance } = &run.inputs.stage else {
        return Ok(());
    };
    let state = find_run(tx, advance).await?.state;
    if state == State::Issued {
        return Ok(());
    }
    let (name, advance) = (run.id.resource_name(), advance.resource_name());
    Err(Error::State {
        message: Bilingual::new(
            format!("{name} settles {advance}, which is {state}: settle the advance that is issued"),
            format!(
                "{name} 清算的 {advance} 当前为“{}”,请对已下达的提前下达方案清算",
                state.zh()
            ),
        ),
        name,
        reason: "ADVANCE_NOT_ISSUED",
    })
}

/// An advance stays as long as a settlement of it is issued: what was paid on top of it would be wrong.
async fn not_settled(tx: &Tx, run: &Run) -> Result<(), Error> {
    if !matches!(run.inputs.stage, Stage::Advance { .. }) {
        return Ok(());
    }
    // An issued settlement of the fund settles its issued advance.
    let Some(settlement) = tx.issued_run(&run.inputs.fund, "settlement").await? else {
        return Ok(());
    };
    let (name, settlement) = (run.id.resource_name(), settlement.resource_name());
    Err(Error::State {
        message: Bilingual::new(
            format!("{name} is settled by {settlement}: correct the settlement instead"),
            format!("{name} 已由 {settlement} 清算,请改为更正清算方案"),
        ),
        name,
        reason: "ADVANCE_SETTLED",
    })
}

fn amounts(outcome: &Outcome) -> Vec<(&RegionCode, Money, Money)> {
    outcome
        .lines
        .iter()
        .map(|line| (&line.region, line.amount, line.advanced))
        .collect()
}

fn input_differences(before: &Run, after: &Run) -> Vec<String> {
    let described = |run: &Run| {
        let inputs = &run.inputs;
        let percent = inputs
            .stage
            .advance_percent()
            .map(|percent| format!(" {percent} %"))
            .unwrap_or_default();
        [
            ("fund", inputs.fund.to_string()),
            ("stage", format!("{}{percent}", inputs.stage.code())),
            ("pool", inputs.pool.to_string()),
            ("year", inputs.year.to_string()),
            (
                "formula",
                format!(
                    "formulas/{}/revisions/{} {}",
                    inputs.formula.id,
                    inputs.formula.revision,
                    inputs.formula.digest.short()
                ),
            ),
            (
                "data_set",
                format!(
                    "dataSets/{}/revisions/{} {}",
                    inputs.data.id,
                    inputs.data.revision,
                    inputs.data.digest.short()
                ),
            ),
            (
                "regions",
                inputs
                    .regions
                    .iter()
                    .map(RegionCode::as_str)
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
        ]
    };
    let pairs = described(before).into_iter().zip(described(after));
    pairs
        .filter(|((_, old), (_, new))| old != new)
        .map(|((name, old), (_, new))| format!("{name}: {old} -> {new}"))
        .collect()
}
