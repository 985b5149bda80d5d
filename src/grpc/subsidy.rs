//! SubsidyService.

use super::bulk::{Answers, answer_each};
use super::convert::claim::{
    claim_change, claim_input, from_claim, from_detail, from_event, from_outcome, note, payee, refused,
};
use super::convert::names;
use super::gate::{Call, Gate, MutationMessage, scope_of};
use super::page::Page;
use super::pb;
use super::pb::subsidy_service_server::SubsidyService;
use super::policy;
use super::status::to_status;
use crate::app::claims::MAX_CLAIMS;
use crate::app::desk::Command;
use crate::app::records::ClaimFilter;
use crate::app::{App, clock};
use crate::domain::access::Permission;
use crate::domain::claim::State;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use tonic::{Request, Response, Status, Streaming};
use zeroize::Zeroizing;

pub(super) struct Subsidies {
    pub(super) app: App,
    pub(super) gate: Gate,
}

type Answer<T> = Result<Response<T>, Status>;

/// Longest text of an objection, in characters.
const MAX_OBJECTION: usize = 2_000;

#[tonic::async_trait]
impl SubsidyService for Subsidies {
    #[tracing::instrument(skip_all, name = "AssessClaim")]
    async fn assess_claim(
        &self,
        request: Request<pb::AssessClaimRequest>,
    ) -> Answer<pb::AssessClaimResponse> {
        let _permit = self.gate.enter()?;
        let answer = policy::assess_claim(&self.app, request.into_inner()).await;
        answer.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "SubmitClaim")]
    async fn submit_claim(
        &self,
        request: Request<pb::SubmitClaimRequest>,
    ) -> Answer<pb::SubmitClaimResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let input = claim_input(message.claim.unwrap_or_default())?;
            let claim = Some(from_claim(&app.submit_claim(&mutation, input).await?)?);
            Ok(pb::SubmitClaimResponse { claim })
        };
        self.gate.finish(permit, work).await.map(Response::new)
    }

    type SubmitClaimsStream = Answers<pb::SubmitClaimsResponse>;

    #[tracing::instrument(skip_all, name = "SubmitClaims")]
    async fn submit_claims(
        &self,
        request: Request<Streaming<pb::SubmitClaimsRequest>>,
    ) -> Answer<Self::SubmitClaimsStream> {
        let permit = self.gate.enter()?;
        let call = Call::of(&request)?;
        let asking = call.asking()?;
        let app = self.app.clone();
        // The stream keeps its place among the calls until it ends.
        let permit = std::sync::Arc::new(permit);
        let answers = answer_each(self.gate.clone(), request.into_inner(), move |message| {
            let (app, asking, permit) = (app.clone(), asking.clone(), permit.clone());
            let call = call.clone();
            async move {
                let _permit = permit;
                call.still().await?;
                let (mutation, message): (_, pb::SubmitClaimsRequest) =
                    Gate::streamed(&asking, &call.scope, message);
                check_count("claims", message.claims.len())?;
                let inputs = message.claims.into_iter().map(claim_input).map(refused).collect();
                let outcomes = app.submit_claims(&mutation, inputs).await?;
                Ok(pb::SubmitClaimsResponse {
                    request_id: mutation.request_id,
                    outcomes: outcomes.iter().map(from_outcome).collect(),
                })
            }
        });
        Ok(Response::new(answers))
    }

    #[tracing::instrument(skip_all, name = "ApproveClaim")]
    async fn approve_claim(
        &self,
        request: Request<pb::ApproveClaimRequest>,
    ) -> Answer<pb::ApproveClaimResponse> {
        let claim = self
            .change(request, "ApproveClaim", |message| {
                Ok(Command::Approve {
                    claim: names::claim("name", &message.name)?,
                    etag: message.etag,
                    wait: message.may_wait,
                })
            })
            .await?;
        Ok(Response::new(pb::ApproveClaimResponse { claim }))
    }

    #[tracing::instrument(skip_all, name = "RejectClaim")]
    async fn reject_claim(
        &self,
        request: Request<pb::RejectClaimRequest>,
    ) -> Answer<pb::RejectClaimResponse> {
        let claim = self
            .change(request, "RejectClaim", |message| {
                Ok(Command::Reject {
                    claim: names::claim("name", &message.name)?,
                    etag: message.etag,
                    note: note("reason", &message.reason)?,
                })
            })
            .await?;
        Ok(Response::new(pb::RejectClaimResponse { claim }))
    }

    #[tracing::instrument(skip_all, name = "WithdrawClaim")]
    async fn withdraw_claim(
        &self,
        request: Request<pb::WithdrawClaimRequest>,
    ) -> Answer<pb::WithdrawClaimResponse> {
        let claim = self
            .change(request, "WithdrawClaim", |message| {
                Ok(Command::Withdraw {
                    claim: names::claim("name", &message.name)?,
                    etag: message.etag,
                    note: note("reason", &message.reason)?,
                })
            })
            .await?;
        Ok(Response::new(pb::WithdrawClaimResponse { claim }))
    }

    #[tracing::instrument(skip_all, name = "CancelClaim")]
    async fn cancel_claim(
        &self,
        request: Request<pb::CancelClaimRequest>,
    ) -> Answer<pb::CancelClaimResponse> {
        let claim = self
            .change(request, "CancelClaim", |message| {
                Ok(Command::Cancel {
                    claim: names::claim("name", &message.name)?,
                    etag: message.etag,
                    note: note("reason", &message.reason)?,
                })
            })
            .await?;
        Ok(Response::new(pb::CancelClaimResponse { claim }))
    }

    #[tracing::instrument(skip_all, name = "ObjectToClaim")]
    async fn object_to_claim(
        &self,
        request: Request<pb::ObjectToClaimRequest>,
    ) -> Answer<pb::ObjectToClaimResponse> {
        let claim = self
            .change(request, "ObjectToClaim", |message| {
                let claim = names::claim("name", &message.name)?;
                let said = Zeroizing::new(message.text);
                let length = said.trim().chars().count();
                if !(1..=MAX_OBJECTION).contains(&length) {
                    return Err(Violation::new(
                        "text",
                        format!("{length} characters"),
                        format!("1 to {MAX_OBJECTION} characters"),
                        format!("1 至 {MAX_OBJECTION} 个字符"),
                    )
                    .into());
                }
                Ok(Command::Object { claim, said })
            })
            .await?;
        Ok(Response::new(pb::ObjectToClaimResponse { claim }))
    }

    #[tracing::instrument(skip_all, name = "ResolveObjection")]
    async fn resolve_objection(
        &self,
        request: Request<pb::ResolveObjectionRequest>,
    ) -> Answer<pb::ResolveObjectionResponse> {
        let claim = self
            .change(request, "ResolveObjection", |message| {
                let (claim, objection) = names::objection("name", &message.name)?;
                Ok(Command::Resolve {
                    claim,
                    objection,
                    upheld: message.upheld,
                    note: note("reason", &message.reason)?,
                })
            })
            .await?;
        Ok(Response::new(pb::ResolveObjectionResponse { claim }))
    }

    #[tracing::instrument(skip_all, name = "RetryClaim")]
    async fn retry_claim(&self, request: Request<pb::RetryClaimRequest>) -> Answer<pb::RetryClaimResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let id = names::claim("name", &message.name)?;
            let note = note("reason", &message.reason)?;
            let payee = message.payee.map(payee);
            let claim = app
                .retry_claim(&mutation, &id, &message.etag, payee, &note)
                .await?;
            let claim = Some(from_claim(&claim)?);
            Ok(pb::RetryClaimResponse { claim })
        };
        self.gate.finish(permit, work).await.map(Response::new)
    }

    #[tracing::instrument(skip_all, name = "ReturnClaim")]
    async fn return_claim(
        &self,
        request: Request<pb::ReturnClaimRequest>,
    ) -> Answer<pb::ReturnClaimResponse> {
        let claim = self
            .change(request, "ReturnClaim", |message| {
                Ok(Command::Return {
                    claim: names::claim("name", &message.name)?,
                    payer: Payer::parse("payer", &message.payer)?,
                    amount: Money::parse("amount", &message.amount)?,
                    note: note("reason", &message.reason)?,
                })
            })
            .await?;
        Ok(Response::new(pb::ReturnClaimResponse { claim }))
    }

    type ChangeClaimsStream = Answers<pb::ChangeClaimsResponse>;

    #[tracing::instrument(skip_all, name = "ChangeClaims")]
    async fn change_claims(
        &self,
        request: Request<Streaming<pb::ChangeClaimsRequest>>,
    ) -> Answer<Self::ChangeClaimsStream> {
        let permit = self.gate.enter()?;
        let call = Call::of(&request)?;
        let asking = call.asking()?;
        let app = self.app.clone();
        let permit = std::sync::Arc::new(permit);
        let answers = answer_each(self.gate.clone(), request.into_inner(), move |message| {
            let (app, asking, permit) = (app.clone(), asking.clone(), permit.clone());
            let call = call.clone();
            async move {
                let _permit = permit;
                call.still().await?;
                let (mutation, message): (_, pb::ChangeClaimsRequest) =
                    Gate::streamed(&asking, &call.scope, message);
                check_count("changes", message.changes.len())?;
                let commands = message
                    .changes
                    .into_iter()
                    .map(|change| permitted(&call, claim_change(change)?))
                    .map(refused)
                    .collect();
                let outcomes = app.change_claims(&mutation, "ChangeClaims", commands).await?;
                Ok(pb::ChangeClaimsResponse {
                    request_id: mutation.request_id,
                    outcomes: outcomes.iter().map(from_outcome).collect(),
                })
            }
        });
        Ok(Response::new(answers))
    }

    #[tracing::instrument(skip_all, name = "ReserveWaitingClaims")]
    async fn reserve_waiting_claims(
        &self,
        request: Request<pb::ReserveWaitingClaimsRequest>,
    ) -> Answer<pb::ReserveWaitingClaimsResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let fund = names::fund("fund", &message.fund)?;
            let region = names::region("region", &message.region)?;
            let programme = names::programme("programme", &message.programme)?;
            let claims = app.reserve_waiting(&mutation, &fund, &region, &programme).await?;
            let claims = claims.iter().map(from_claim).collect::<Result<_, Error>>()?;
            Ok(pb::ReserveWaitingClaimsResponse { claims })
        };
        self.gate.finish(permit, work).await.map(Response::new)
    }

    #[tracing::instrument(skip_all, name = "GetClaim")]
    async fn get_claim(&self, request: Request<pb::GetClaimRequest>) -> Answer<pb::GetClaimResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let answer = async {
            let id = names::claim("name", &request.into_inner().name)?;
            from_detail(self.app.claim(&scope, &id).await?)
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListClaims")]
    async fn list_claims(&self, request: Request<pb::ListClaimsRequest>) -> Answer<pb::ListClaimsResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let query = format!(
                "{} {} {} {} {}",
                message.parent, message.region, message.programme, message.state, message.batch
            );
            let page = Page::within(&scope, message.page_size, &message.page_token, &query)?;
            let fund = names::fund("parent", &message.parent)?;
            let filter = ClaimFilter {
                region: names::optional_region("region", &message.region)?,
                programme: names::optional_programme("programme", &message.programme)?,
                state: match message.state.as_str() {
                    "" => None,
                    state => Some(State::parse("state", state)?),
                },
                batch: match message.batch.as_str() {
                    "" => None,
                    batch => Some(names::batch("batch", batch)?.1),
                },
                by_waiting: false,
            };
            let mut claims = self
                .app
                .claims(&scope, &fund, &filter, after(&page), page.limit())
                .await?;
            let next_page_token = page.cut(&mut claims, |claim| claim.id.number.to_string());
            let claims = claims.iter().map(from_claim).collect::<Result<_, Error>>()?;
            Ok(pb::ListClaimsResponse {
                claims,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListPublicNotices")]
    async fn list_public_notices(
        &self,
        request: Request<pb::ListPublicNoticesRequest>,
    ) -> Answer<pb::ListPublicNoticesResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let query = format!("{} {} {}", message.parent, message.region, message.programme);
            let page = Page::new(message.page_size, &message.page_token, &query)?;
            let fund = names::fund("parent", &message.parent)?;
            let filter = ClaimFilter {
                region: names::optional_region("region", &message.region)?,
                programme: names::optional_programme("programme", &message.programme)?,
                state: Some(State::Reserved),
                ..ClaimFilter::default()
            };
            let today = clock::today()?;
            let mut claims = self
                .app
                .claims(&scope, &fund, &filter, after(&page), page.limit())
                .await?;
            let next_page_token = page.cut(&mut claims, |claim| claim.id.number.to_string());
            claims.retain(|claim| claim.notice.until.is_some_and(|until| until >= today));
            let claims = claims.iter().map(from_claim).collect::<Result<_, Error>>()?;
            Ok(pb::ListPublicNoticesResponse {
                claims,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ExplainClaim")]
    async fn explain_claim(
        &self,
        request: Request<pb::ExplainClaimRequest>,
    ) -> Answer<pb::ExplainClaimResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let answer = async {
            let id = names::claim("name", &request.into_inner().name)?;
            let assessment = self.app.explain_claim(&scope, &id).await?;
            Ok(pb::ExplainClaimResponse {
                assessment: Some(super::convert::assessment::from_assessment(&assessment)),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListClaimHistory")]
    async fn list_claim_history(
        &self,
        request: Request<pb::ListClaimHistoryRequest>,
    ) -> Answer<pb::ListClaimHistoryResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let page = Page::within(&scope, message.page_size, &message.page_token, &message.parent)?;
            let id = names::claim("parent", &message.parent)?;
            let (after, limit) = (after(&page), page.limit());
            let mut events = self.app.claim_history(&scope, &id, after, limit).await?;
            let next_page_token = page.cut(&mut events, |event| event.number.to_string());
            let events = events.iter().map(from_event).collect::<Result<_, Error>>()?;
            Ok(pb::ListClaimHistoryResponse {
                events,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "GetObjection")]
    async fn get_objection(
        &self,
        request: Request<pb::GetObjectionRequest>,
    ) -> Answer<pb::GetObjectionResponse> {
        let _permit = self.gate.enter()?;
        let call = Call::of(&request)?;
        let asking = call.asking()?;
        let answer = async {
            let (claim, number) = names::objection("name", &request.into_inner().name)?;
            let text = self
                .app
                .objection_text(&asking, &call.scope, &claim, number)
                .await?;
            Ok(pb::GetObjectionResponse {
                text: text.to_string(),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }
}

impl Subsidies {
    /// Does to one claim what a message asks for.
    async fn change<M: MutationMessage + Send + 'static>(
        &self,
        request: Request<M>,
        method: &'static str,
        command: impl FnOnce(M) -> Result<Command, Error> + Send + 'static,
    ) -> Result<Option<pb::Claim>, Status> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let claim = app.change_claim(&mutation, method, command(message)?).await?;
            from_claim(&claim).map(Some)
        };
        self.gate.finish(permit, work).await
    }
}

/// A command of a bulk call, where the caller may give it.
fn permitted(call: &Call, command: Command) -> Result<Command, Error> {
    let needed = match &command {
        Command::Approve { .. } | Command::Reject { .. } | Command::Cancel { .. } => Permission::ClaimsDecide,
        _ => Permission::ClaimsFile,
    };
    if call.grants.scope(needed).is_some_and(|scope| !scope.is_empty()) {
        return Ok(command);
    }
    Err(Error::Forbidden {
        reason: "NO_PERMISSION",
        message: Bilingual::new(
            format!("this needs the permission {needed}"),
            format!("此操作需要权限 {needed}"),
        ),
    })
}

/// The number after which a page begins.
fn after(page: &Page) -> u64 {
    let after = page.after.as_deref().and_then(|after| after.parse().ok());
    after.unwrap_or(0)
}

fn check_count(field: &str, count: usize) -> Result<(), Violation> {
    if (1..=MAX_CLAIMS).contains(&count) {
        return Ok(());
    }
    Err(Violation::new(
        field,
        count.to_string(),
        format!("1 to {MAX_CLAIMS} in a message"),
        format!("每条消息 1 至 {MAX_CLAIMS} 件"),
    ))
}
