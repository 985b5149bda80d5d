//! AllocationService.

use super::convert::allocation::{
    advance, from_comparison, from_computed, from_explanation, from_run, stage, state,
};
use super::convert::formula::document;
use super::convert::names;
use super::convert::statistics::{indicator, list, region, row};
use super::gate::{Gate, scope_of};
use super::page::Page;
use super::pb;
use super::pb::allocation_service_server::AllocationService;
use super::status::to_status;
use crate::app::App;
use crate::app::allocations::CreateRun;
use crate::app::computation::{ComputeRequest, DataSource, ExplainWhich, FormulaSource};
use crate::app::records::RunFilter;
use crate::domain::allocation::RunId;
use crate::domain::error::{Error, Violation};
use crate::domain::money::Money;
use crate::domain::statistics::parse_year;
use tonic::{Request, Response, Status};

pub(super) struct Allocations {
    pub(super) app: App,
    pub(super) gate: Gate,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl AllocationService for Allocations {
    #[tracing::instrument(skip_all, name = "ComputeAllocation")]
    async fn compute_allocation(
        &self,
        request: Request<pb::ComputeAllocationRequest>,
    ) -> Answer<pb::ComputeAllocationResponse> {
        let _permit = self.gate.enter()?;
        let answer = async {
            let computed = self.app.compute(compute_request(request.into_inner())?).await?;
            let allocation = Some(from_computed(&computed));
            let explanations = computed.explanations.into_iter().map(from_explanation).collect();
            Ok(pb::ComputeAllocationResponse {
                allocation,
                explanations,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "CreateAllocation")]
    async fn create_allocation(
        &self,
        request: Request<pb::CreateAllocationRequest>,
    ) -> Answer<pb::CreateAllocationResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let create = CreateRun {
                fund: names::fund("fund", &message.fund)?,
                title: message.title,
                formula: names::formula("formula", &message.formula)?,
                data: names::data_set_revision("data_set", &message.data_set)?,
                pool: Money::parse("pool", &message.pool)?,
                year: parse_year("year", &message.year.to_string())?,
                scope: names::optional_region("scope", &message.scope)?,
                stage: stage(message.stage, &message.advance_percent, &message.settles)?,
            };
            from_run(&app.create_run(&mutation, create).await?, true)
        };
        let allocation = Some(self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::CreateAllocationResponse { allocation }))
    }

    #[tracing::instrument(skip_all, name = "GetAllocation")]
    async fn get_allocation(
        &self,
        request: Request<pb::GetAllocationRequest>,
    ) -> Answer<pb::GetAllocationResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let answer = async {
            let run = self
                .app
                .run(&scope, &names::allocation("name", &request.into_inner().name)?)
                .await?;
            Ok(pb::GetAllocationResponse {
                allocation: Some(from_run(&run, true)?),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListAllocations")]
    async fn list_allocations(
        &self,
        request: Request<pb::ListAllocationsRequest>,
    ) -> Answer<pb::ListAllocationsResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let page = Page::within(
                &scope,
                message.page_size,
                &message.page_token,
                &format!("{} {}", message.fund, message.state),
            )?;
            let filter = RunFilter {
                fund: if message.fund.is_empty() {
                    None
                } else {
                    Some(names::fund("fund", &message.fund)?)
                },
                state: state("state", message.state)?,
                published: !scope.is_all(),
            };
            let before = page.after.as_deref().map(run_key).transpose()?;
            let before = before.as_ref().map(|(at, id)| (*at, id));
            let mut runs = self.app.runs(&filter, before, page.limit()).await?;
            let next_page_token = page.cut(&mut runs, |run| format!("{} {}", run.created.at, run.id));
            let allocations = runs
                .iter()
                .map(|run| from_run(run, false))
                .collect::<Result<_, Error>>()?;
            Ok(pb::ListAllocationsResponse {
                allocations,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "CompareAllocations")]
    async fn compare_allocations(
        &self,
        request: Request<pb::CompareAllocationsRequest>,
    ) -> Answer<pb::CompareAllocationsResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let before = names::allocation("before", &message.before)?;
            let after = names::allocation("after", &message.after)?;
            Ok(from_comparison(
                &self.app.compare_runs(&scope, &before, &after).await?,
            ))
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ExplainAllocation")]
    async fn explain_allocation(
        &self,
        request: Request<pb::ExplainAllocationRequest>,
    ) -> Answer<pb::ExplainAllocationResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let page = Page::within(
                &scope,
                message.page_size,
                &message.page_token,
                &format!("{} {}", message.name, message.region),
            )?;
            let id = names::allocation("name", &message.name)?;
            // Only the regions of the page are explained: exact fractions of thousands are large.
            let codes = match names::optional_region("region", &message.region)? {
                Some(code) => vec![code],
                None => self.app.run(&scope, &id).await?.inputs.regions,
            };
            let (codes, next_page_token) = page.of(codes, |code| code.as_str().to_owned());
            let explanations = (self.app.explain_run(&scope, &id, ExplainWhich::Some(codes))).await?;
            let explanations = explanations.into_iter().map(from_explanation).collect();
            Ok(pb::ExplainAllocationResponse {
                explanations,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ApproveAllocation")]
    async fn approve_allocation(
        &self,
        request: Request<pb::ApproveAllocationRequest>,
    ) -> Answer<pb::ApproveAllocationResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let id = names::allocation("name", &message.name)?;
            from_run(&app.approve_run(&mutation, &id, &message.etag).await?, true)
        };
        let allocation = Some(self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::ApproveAllocationResponse { allocation }))
    }

    #[tracing::instrument(skip_all, name = "IssueAllocation")]
    async fn issue_allocation(
        &self,
        request: Request<pb::IssueAllocationRequest>,
    ) -> Answer<pb::IssueAllocationResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let id = names::allocation("name", &message.name)?;
            from_run(&app.issue_run(&mutation, &id, &message.etag).await?, true)
        };
        let allocation = Some(self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::IssueAllocationResponse { allocation }))
    }

    #[tracing::instrument(skip_all, name = "SupersedeAllocation")]
    async fn supersede_allocation(
        &self,
        request: Request<pb::SupersedeAllocationRequest>,
    ) -> Answer<pb::SupersedeAllocationResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let id = names::allocation("name", &message.name)?;
            let replacement = match message.replacement.as_str() {
                "" => None,
                name => Some(names::allocation("replacement", name)?),
            };
            from_run(
                &app.supersede_run(&mutation, &id, replacement.as_ref(), &message.etag)
                    .await?,
                true,
            )
        };
        let allocation = Some(self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::SupersedeAllocationResponse { allocation }))
    }
}

fn compute_request(message: pb::ComputeAllocationRequest) -> Result<ComputeRequest, Error> {
    let formula = match (message.document, message.formula.as_str()) {
        (Some(given), "") => FormulaSource::Given(Box::new(document(given))),
        (None, name) => FormulaSource::Stored(names::formula("formula", name)?),
        (Some(_), name) => {
            return Err(Violation::new(
                "formula",
                name,
                "nothing, where document is given",
                "已给出 document 时不填",
            )
            .into());
        }
    };
    let given =
        !message.regions.is_empty() || !message.observations.is_empty() || !message.indicators.is_empty();
    let data = match (given, message.data_set.as_str()) {
        (true, "") => DataSource::Given {
            regions: list("regions", message.regions, region)?,
            indicators: list("indicators", message.indicators, indicator)?,
            rows: message.observations.into_iter().map(row).collect(),
        },
        (false, name) => {
            let (id, as_of) = names::data_set_revision("data_set", name)?;
            DataSource::Stored(id, as_of)
        }
        (true, name) => {
            return Err(Violation::new(
                "data_set",
                name,
                "nothing, where data are given",
                "已给出数据时不填",
            )
            .into());
        }
    };
    let explain = match message.explain.as_slice() {
        [] => ExplainWhich::None,
        [all] if all == "regions/-" => ExplainWhich::All,
        names => ExplainWhich::Some(
            names
                .iter()
                .enumerate()
                .map(|(at, name)| names::region(&format!("explain[{at}]"), name))
                .collect::<Result<_, _>>()?,
        ),
    };
    Ok(ComputeRequest {
        formula,
        data,
        pool: Money::parse("pool", &message.pool)?,
        year: parse_year("year", &message.year.to_string())?,
        scope: names::optional_region("scope", &message.scope)?,
        stage: advance("advance_percent", &message.advance_percent)?,
        explain,
    })
}

fn run_key(text: &str) -> Result<(i64, RunId), Violation> {
    let refused = || {
        Violation::new(
            "page_token",
            text,
            "the next_page_token of the previous page",
            "上一页返回的 next_page_token",
        )
    };
    let (at, id) = text.split_once(' ').ok_or_else(refused)?;
    Ok((
        at.parse().map_err(|_| refused())?,
        RunId::parse("page_token", id)?,
    ))
}
