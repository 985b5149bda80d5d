//! ReconciliationService.

mod file;
mod watching;

use super::convert::reconciliation::{
    break_filter, from_account, from_ageing, from_balance, from_break, from_detail, from_job, from_line,
    from_obstacle, from_period, from_statement, how, optional_day,
};
use super::gate::{Answers, Call, Gate, scope_of};
use super::page::Page;
use super::pb;
use super::pb::reconciliation_service_server::ReconciliationService;
use super::reach::Names;
use super::status::to_status;
use super::workers::Worker;
use crate::app::reconciliation::CreateJob;
use crate::app::{App, clock};
use crate::domain::error::{Error, Violation};
use crate::domain::identity::Principal;
use crate::domain::reconciliation::{LineId, Month};
use file::{import, mutation, receive};
use prost::Message as _;
use tonic::{Request, Response, Status, Streaming};

pub(super) struct Reconciliations {
    pub(super) app: App,
    pub(super) gate: Gate,
    pub(super) worker: Worker,
}

type Answer<T> = Result<Response<T>, Status>;

/// A mutation whose message becomes a break.
macro_rules! act {
    ($self:ident, $request:ident, $response:ident, |$app:ident, $mutation:ident, $message:ident| $work:expr) => {{
        let permit = $self.gate.enter()?;
        let ($mutation, $message) = $self.gate.mutation($request)?;
        let $app = $self.app.clone();
        let work = async move { from_break(&$work) };
        let bank_break = Some($self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::$response { bank_break }))
    }};
}

/// A mutation of a month.
macro_rules! close {
    ($self:ident, $request:ident, $response:ident, $method:ident) => {{
        let permit = $self.gate.enter()?;
        let (mutation, message) = $self.gate.mutation($request)?;
        let app = $self.app.clone();
        let work = async move {
            let (account, month) = Names::of(&app, &mutation.scope).period("name", &message.name)?;
            from_period(&app.$method(&mutation, &account, month, &message.etag).await?)
        };
        let period = Some($self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::$response { period }))
    }};
}

#[tonic::async_trait]
impl ReconciliationService for Reconciliations {
    #[tracing::instrument(skip_all, name = "ListBankAccounts")]
    async fn list_bank_accounts(
        &self,
        request: Request<pb::ListBankAccountsRequest>,
    ) -> Answer<pb::ListBankAccountsResponse> {
        let _permit = self.gate.enter()?;
        let accounts = self.app.bank_accounts_within(&scope_of(&request)?);
        Ok(Response::new(pb::ListBankAccountsResponse {
            accounts: accounts.all().iter().map(from_account).collect(),
        }))
    }

    #[tracing::instrument(skip_all, name = "ImportStatement")]
    async fn import_statement(
        &self,
        request: Request<Streaming<pb::ImportStatementRequest>>,
    ) -> Answer<pb::ImportStatementResponse> {
        let permit = self.gate.enter()?;
        let call = Call::of(&request)?;
        call.principal()?;
        let (header, file, digest) = receive(request.into_inner()).await?;
        let mutation = mutation(&call, &header, &digest)?;
        let app = self.app.clone();
        let work = async move {
            let imported = import(&app, &mutation, &header, file, &digest).await?;
            Ok(pb::ImportStatementResponse {
                statements: imported
                    .statements
                    .iter()
                    .map(from_statement)
                    .collect::<Result<_, Error>>()?,
                known: imported.known,
            })
        };
        self.gate.finish(permit, work).await.map(Response::new)
    }

    #[tracing::instrument(skip_all, name = "GetStatement")]
    async fn get_statement(
        &self,
        request: Request<pb::GetStatementRequest>,
    ) -> Answer<pb::GetStatementResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let answer = async {
            let name = request.into_inner().name;
            let (account, number) = Names::of(&self.app, &scope).statement("name", &name)?;
            let statement = self.app.statement(number).await?;
            if statement.account != account {
                return Err(no_statement(name));
            }
            Ok(pb::GetStatementResponse {
                statement: Some(from_statement(&statement)?),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListStatements")]
    async fn list_statements(
        &self,
        request: Request<pb::ListStatementsRequest>,
    ) -> Answer<pb::ListStatementsResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let page = Page::within(&scope, message.page_size, &message.page_token, &message.account)?;
            let account = Names::of(&self.app, &scope).account("account", &message.account)?;
            self.app.bank_accounts().find(&account)?;
            let after = number_after(&page)?;
            let mut statements = self.app.statements(&account, after, page.limit()).await?;
            let next_page_token = page.cut(&mut statements, |statement| statement.number.to_string());
            Ok(pb::ListStatementsResponse {
                statements: statements
                    .iter()
                    .map(from_statement)
                    .collect::<Result<_, Error>>()?,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListStatementLines")]
    async fn list_statement_lines(
        &self,
        request: Request<pb::ListStatementLinesRequest>,
    ) -> Answer<pb::ListStatementLinesResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let page = Page::within(&scope, message.page_size, &message.page_token, &message.statement)?;
            let (account, number) =
                Names::of(&self.app, &scope).statement("statement", &message.statement)?;
            if self.app.statement(number).await?.account != account {
                return Err(no_statement(message.statement.clone()));
            }
            let after = number_after(&page)?;
            let mut lines = self.app.statement_lines(number, after, page.limit()).await?;
            let next_page_token = page.cut(&mut lines, |line| line.line.id.line.to_string());
            Ok(pb::ListStatementLinesResponse {
                lines: lines.iter().map(|line| from_line(&account, line)).collect(),
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "CreateReconciliation")]
    async fn create_reconciliation(
        &self,
        request: Request<pb::CreateReconciliationRequest>,
    ) -> Answer<pb::CreateReconciliationResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        self.worker.start(&self.app, &self.gate);
        let app = self.app.clone();
        let work = async move {
            let create = CreateJob {
                account: Names::of(&app, &mutation.scope).account("account", &message.account)?,
                as_of: match optional_day("date", &message.date)? {
                    Some(day) => day,
                    None => clock::today()?,
                },
                dry_run: message.dry_run,
            };
            from_job(&app.create_reconciliation(&mutation, &create).await?)
        };
        let reconciliation = Some(self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::CreateReconciliationResponse { reconciliation }))
    }

    #[tracing::instrument(skip_all, name = "GetReconciliation")]
    async fn get_reconciliation(
        &self,
        request: Request<pb::GetReconciliationRequest>,
    ) -> Answer<pb::GetReconciliationResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let answer = async {
            let names = Names::of(&self.app, &scope);
            let job = names.reconciliation("name", &request.into_inner().name).await?;
            Ok(pb::GetReconciliationResponse {
                reconciliation: Some(from_job(&job)?),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListReconciliations")]
    async fn list_reconciliations(
        &self,
        request: Request<pb::ListReconciliationsRequest>,
    ) -> Answer<pb::ListReconciliationsResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let page = Page::within(&scope, message.page_size, &message.page_token, &message.account)?;
            let accounts = Names::of(&self.app, &scope).accounts("account", &message.account)?;
            let before = number_after(&page)?;
            let mut jobs = self
                .app
                .reconciliations(accounts.as_deref(), before, page.limit())
                .await?;
            let next_page_token = page.cut(&mut jobs, |job| job.number.to_string());
            Ok(pb::ListReconciliationsResponse {
                reconciliations: jobs.iter().map(from_job).collect::<Result<_, Error>>()?,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "CancelReconciliation")]
    async fn cancel_reconciliation(
        &self,
        request: Request<pb::CancelReconciliationRequest>,
    ) -> Answer<pb::CancelReconciliationResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let names = Names::of(&app, &mutation.scope);
            let number = names.reconciliation("name", &message.name).await?.number;
            from_job(&app.cancel_reconciliation(&mutation, number).await?)
        };
        let reconciliation = Some(self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::CancelReconciliationResponse { reconciliation }))
    }

    type WatchReconciliationStream = Answers<pb::WatchReconciliationResponse>;

    #[tracing::instrument(skip_all, name = "WatchReconciliation")]
    async fn watch_reconciliation(
        &self,
        request: Request<pb::WatchReconciliationRequest>,
    ) -> Answer<Self::WatchReconciliationStream> {
        let permit = self.gate.enter_waiting()?;
        let call = Call::of(&request)?;
        let names = Names::of(&self.app, &call.scope);
        // A job that there is not is told at once, not by the stream.
        let job = names.reconciliation("name", &request.into_inner().name).await;
        let number = job.map_err(to_status)?.number;
        self.worker.start(&self.app, &self.gate);
        let app = self.app.clone();
        Ok(self
            .gate
            .stream(permit, move |sender| watching::watch(app, call, number, sender)))
    }

    #[tracing::instrument(skip_all, name = "ListBreaks")]
    async fn list_breaks(&self, request: Request<pb::ListBreaksRequest>) -> Answer<pb::ListBreaksResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let query = pb::ListBreaksRequest {
                page_size: 0,
                page_token: String::new(),
                ..message.clone()
            };
            let query = hex::encode(query.encode_to_vec());
            let page = Page::within(&scope, message.page_size, &message.page_token, &query)?;
            let account = Names::of(&self.app, &scope).account("account", &message.account)?;
            let filter = break_filter(&message)?;
            let after = number_after(&page)?;
            let mut breaks = self.app.breaks(&account, &filter, after, page.limit()).await?;
            let next_page_token = page.cut(&mut breaks, |found| found.id.number.to_string());
            Ok(pb::ListBreaksResponse {
                breaks: breaks.iter().map(from_break).collect::<Result<_, Error>>()?,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "GetBreak")]
    async fn get_break(&self, request: Request<pb::GetBreakRequest>) -> Answer<pb::GetBreakResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let answer = async {
            let names = Names::of(&self.app, &scope);
            let id = names.bank_break("name", &request.into_inner().name)?;
            let detail = self.app.bank_break(&id).await?;
            let line: Option<LineId> = detail.found.line().or(detail.found.evidence.other_line);
            let mut message = from_detail(&detail)?;
            if let Some(line) = line {
                let lines = self.app.lines(&[line]).await?;
                message.line = lines.first().map(|line| from_line(&id.account, line));
            }
            Ok(message)
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "AssignBreak")]
    async fn assign_break(
        &self,
        request: Request<pb::AssignBreakRequest>,
    ) -> Answer<pb::AssignBreakResponse> {
        act!(self, request, AssignBreakResponse, |app, mutation, message| {
            let id = Names::of(&app, &mutation.scope).bank_break("name", &message.name)?;
            let assignee = (!message.assignee.is_empty()).then(|| Principal::parse(&message.assignee));
            let assignee = assignee.transpose().map_err(|violation| Violation {
                field: "assignee".to_owned(),
                ..violation
            })?;
            app.assign_break(&mutation, &id, &message.etag, assignee).await?
        })
    }

    #[tracing::instrument(skip_all, name = "CommentBreak")]
    async fn comment_break(
        &self,
        request: Request<pb::CommentBreakRequest>,
    ) -> Answer<pb::CommentBreakResponse> {
        act!(self, request, CommentBreakResponse, |app, mutation, message| {
            let id = Names::of(&app, &mutation.scope).bank_break("name", &message.name)?;
            app.comment_break(&mutation, &id, &message.etag, &message.comment)
                .await?
        })
    }

    #[tracing::instrument(skip_all, name = "ResolveBreak")]
    async fn resolve_break(
        &self,
        request: Request<pb::ResolveBreakRequest>,
    ) -> Answer<pb::ResolveBreakResponse> {
        act!(self, request, ResolveBreakResponse, |app, mutation, message| {
            let id = Names::of(&app, &mutation.scope).bank_break("name", &message.name)?;
            let how = how(&message)?;
            app.resolve_break(&mutation, &id, &message.etag, how, &message.reason)
                .await?
        })
    }

    #[tracing::instrument(skip_all, name = "ApproveResolution")]
    async fn approve_resolution(
        &self,
        request: Request<pb::ApproveResolutionRequest>,
    ) -> Answer<pb::ApproveResolutionResponse> {
        act!(
            self,
            request,
            ApproveResolutionResponse,
            |app, mutation, message| {
                let id = Names::of(&app, &mutation.scope).bank_break("name", &message.name)?;
                app.approve_resolution(&mutation, &id, &message.etag).await?
            }
        )
    }

    #[tracing::instrument(skip_all, name = "RejectResolution")]
    async fn reject_resolution(
        &self,
        request: Request<pb::RejectResolutionRequest>,
    ) -> Answer<pb::RejectResolutionResponse> {
        act!(
            self,
            request,
            RejectResolutionResponse,
            |app, mutation, message| {
                let id = Names::of(&app, &mutation.scope).bank_break("name", &message.name)?;
                app.reject_resolution(&mutation, &id, &message.etag, &message.reason)
                    .await?
            }
        )
    }

    #[tracing::instrument(skip_all, name = "ReopenBreak")]
    async fn reopen_break(
        &self,
        request: Request<pb::ReopenBreakRequest>,
    ) -> Answer<pb::ReopenBreakResponse> {
        act!(self, request, ReopenBreakResponse, |app, mutation, message| {
            let id = Names::of(&app, &mutation.scope).bank_break("name", &message.name)?;
            app.reopen_break(&mutation, &id, &message.etag, &message.reason)
                .await?
        })
    }

    #[tracing::instrument(skip_all, name = "GetAgeing")]
    async fn get_ageing(&self, request: Request<pb::GetAgeingRequest>) -> Answer<pb::GetAgeingResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let account = Names::of(&self.app, &scope).account("account", &message.account)?;
            let on = optional_day("date", &message.date)?;
            let cells = self.app.ageing(&account, on, &message.bands).await?;
            Ok(pb::GetAgeingResponse {
                cells: cells.iter().map(from_ageing).collect(),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "GetBalanceReconciliation")]
    async fn get_balance_reconciliation(
        &self,
        request: Request<pb::GetBalanceReconciliationRequest>,
    ) -> Answer<pb::GetBalanceReconciliationResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let account = Names::of(&self.app, &scope).account("account", &message.account)?;
            let on = optional_day("date", &message.date)?;
            let balance = self.app.balance(&account, on).await?;
            Ok(pb::GetBalanceReconciliationResponse {
                reconciliation: Some(from_balance(&account, &balance)),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "GetPeriod")]
    async fn get_period(&self, request: Request<pb::GetPeriodRequest>) -> Answer<pb::GetPeriodResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let answer = async {
            let names = Names::of(&self.app, &scope);
            let (account, month) = names.period("name", &request.into_inner().name)?;
            let detail = self.app.period(&account, month).await?;
            Ok(pb::GetPeriodResponse {
                period: Some(from_period(&detail.period)?),
                obstacles: detail.obstacles.iter().map(from_obstacle).collect(),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListPeriods")]
    async fn list_periods(
        &self,
        request: Request<pb::ListPeriodsRequest>,
    ) -> Answer<pb::ListPeriodsResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let page = Page::within(&scope, message.page_size, &message.page_token, &message.account)?;
            let account = Names::of(&self.app, &scope).account("account", &message.account)?;
            let after = page.after.as_deref();
            let after = after.map(|month| Month::parse("page_token", month)).transpose()?;
            let mut periods = self.app.periods(&account, after, page.limit()).await?;
            let next_page_token = page.cut(&mut periods, |period| period.month.to_string());
            Ok(pb::ListPeriodsResponse {
                periods: periods.iter().map(from_period).collect::<Result<_, Error>>()?,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "PreparePeriod")]
    async fn prepare_period(
        &self,
        request: Request<pb::PreparePeriodRequest>,
    ) -> Answer<pb::PreparePeriodResponse> {
        close!(self, request, PreparePeriodResponse, prepare_period)
    }

    #[tracing::instrument(skip_all, name = "SignPeriod")]
    async fn sign_period(&self, request: Request<pb::SignPeriodRequest>) -> Answer<pb::SignPeriodResponse> {
        close!(self, request, SignPeriodResponse, sign_period)
    }
}

fn no_statement(name: String) -> Error {
    Error::NotFound {
        kind: "statement",
        name,
    }
}

/// The number after which a page begins; 0 for the first.
fn number_after(page: &Page) -> Result<u64, Violation> {
    let Some(after) = page.after.as_deref() else {
        return Ok(0);
    };
    after.parse().map_err(|_| {
        Violation::new(
            "page_token",
            after,
            "the next_page_token of the previous page",
            "上一页返回的 next_page_token",
        )
    })
}
