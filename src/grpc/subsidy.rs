//! SubsidyService.

use super::gate::Gate;
use super::pb;
use super::pb::subsidy_service_server::SubsidyService;
use super::policy;
use super::status::to_status;
use crate::app::App;
use tonic::{Request, Response, Status};

pub(super) struct Subsidies {
    pub(super) app: App,
    pub(super) gate: Gate,
}

#[tonic::async_trait]
impl SubsidyService for Subsidies {
    #[tracing::instrument(skip_all, name = "AssessClaim")]
    async fn assess_claim(
        &self,
        request: Request<pb::AssessClaimRequest>,
    ) -> Result<Response<pb::AssessClaimResponse>, Status> {
        let _permit = self.gate.enter()?;
        let answer = policy::assess_claim(&self.app, request.into_inner()).await;
        answer.map(Response::new).map_err(to_status)
    }
}
