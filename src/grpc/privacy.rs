//! PrivacyService.

use super::convert::{names, optional_signature, signature};
use super::gate::{Gate, scope_of};
use super::page::Page;
use super::pb;
use super::pb::privacy_service_server::PrivacyService;
use super::status::to_status;
use crate::app::App;
use crate::app::erasure::Which;
use crate::app::records::Erasure;
use crate::domain::allocation::FundId;
use crate::domain::error::{Error, Violation};
use tonic::{Request, Response, Status};

pub(super) struct Privacies {
    pub(super) app: App,
    pub(super) gate: Gate,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl PrivacyService for Privacies {
    #[tracing::instrument(skip_all, name = "RequestErasure")]
    async fn request_erasure(
        &self,
        request: Request<pb::RequestErasureRequest>,
    ) -> Answer<pb::RequestErasureResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let fund = names::fund("parent", &message.parent)?;
            let which = which(&fund, &message.claims, message.expired, "expired")?;
            let found = app
                .request_erasure(&mutation, &fund, &which, &message.reason)
                .await?;
            let erasures = found.iter().map(from_erasure).collect::<Result<_, Error>>()?;
            Ok(pb::RequestErasureResponse { erasures })
        };
        self.gate.finish(permit, work).await.map(Response::new)
    }

    #[tracing::instrument(skip_all, name = "EraseClaimants")]
    async fn erase_claimants(
        &self,
        request: Request<pb::EraseClaimantsRequest>,
    ) -> Answer<pb::EraseClaimantsResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let fund = names::fund("parent", &message.parent)?;
            let which = which(&fund, &message.claims, message.all, "all")?;
            let found = app.erase_claimants(&mutation, &fund, &which).await?;
            let erasures = found.iter().map(from_erasure).collect::<Result<_, Error>>()?;
            Ok(pb::EraseClaimantsResponse { erasures })
        };
        self.gate.finish(permit, work).await.map(Response::new)
    }

    #[tracing::instrument(skip_all, name = "ListErasures")]
    async fn list_erasures(
        &self,
        request: Request<pb::ListErasuresRequest>,
    ) -> Answer<pb::ListErasuresResponse> {
        let _permit = self.gate.enter()?;
        scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let query = format!("{} {}", message.parent, message.open);
            let page = Page::new(message.page_size, &message.page_token, &query)?;
            let fund = names::fund("parent", &message.parent)?;
            let after = page.after.as_deref().and_then(|after| after.parse().ok());
            let mut found = self
                .app
                .erasures(&fund, message.open, after.unwrap_or(0), page.limit())
                .await?;
            let next_page_token = page.cut(&mut found, |erasure| erasure.claim.number.to_string());
            Ok(pb::ListErasuresResponse {
                erasures: found.iter().map(from_erasure).collect::<Result<_, Error>>()?,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }
}

/// Which claims are meant: those named, or all of a kind.
fn which(fund: &FundId, claims: &[String], all: bool, flag: &str) -> Result<Which, Violation> {
    if all == claims.is_empty() {
        if all {
            return Ok(Which::All);
        }
        let mut numbers = Vec::with_capacity(claims.len());
        for (at, name) in claims.iter().enumerate() {
            let field = format!("claims[{at}]");
            let claim = names::claim(&field, name)?;
            if claim.fund != *fund {
                let (en, zh) = (format!("a claim of funds/{fund}"), format!("funds/{fund} 的申请"));
                return Err(Violation::new(field, name, en, zh));
            }
            numbers.push(claim.number);
        }
        return Ok(Which::Claims(numbers));
    }
    Err(Violation::new(
        "claims",
        claims.len().to_string(),
        format!("claims, or {flag} and no claims"),
        format!("指明申请,或仅设置 {flag}"),
    ))
}

fn from_erasure(erasure: &Erasure) -> Result<pb::Erasure, Error> {
    Ok(pb::Erasure {
        claim: erasure.claim.to_string(),
        reason: erasure.reason.clone(),
        requested: Some(signature(&erasure.requested)?),
        erased: optional_signature(erasure.erased.as_ref())?,
    })
}
