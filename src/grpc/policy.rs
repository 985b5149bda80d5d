//! PolicyService, and the assessment that SubsidyService gives.

use super::convert::assessment::{assess_request, from_assessment};
use super::convert::names;
use super::convert::policy::{from_law, from_policy, from_programme, of_programme};
use super::gate::Gate;
use super::page::Page;
use super::pb;
use super::pb::policy_service_server::PolicyService;
use super::status::to_status;
use crate::app::App;
use crate::app::records::PolicyFilter;
use crate::domain::error::Error;
use crate::domain::subsidy::PolicyId;
use tonic::{Request, Response, Status};

pub(super) struct Policies {
    pub(super) app: App,
    pub(super) gate: Gate,
}

type Answer<T> = Result<Response<T>, Status>;

/// What a claim would be entitled to, and why.
pub(super) async fn assess_claim(
    app: &App,
    message: pb::AssessClaimRequest,
) -> Result<pb::AssessClaimResponse, Error> {
    let assessed = app.assess(&assess_request(message)?).await?;
    Ok(pb::AssessClaimResponse {
        assessment: Some(from_assessment(&assessed.assessment)),
    })
}

#[tonic::async_trait]
impl PolicyService for Policies {
    #[tracing::instrument(skip_all, name = "CheckPolicy")]
    async fn check_policy(
        &self,
        request: Request<pb::CheckPolicyRequest>,
    ) -> Answer<pb::CheckPolicyResponse> {
        let _permit = self.gate.enter()?;
        let answer = async {
            let document = request.into_inner().document.unwrap_or_default();
            let policy = self.app.check_policy(document.into()).await?;
            let programme = &policy.programme;
            Ok(pb::CheckPolicyResponse {
                digest: policy.digest.as_str().to_owned(),
                programme: of_programme(programme.code.as_str(), programme.revision),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "CreatePolicy")]
    async fn create_policy(
        &self,
        request: Request<pb::CreatePolicyRequest>,
    ) -> Answer<pb::CreatePolicyResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let document = message.document.unwrap_or_default().into();
            from_policy(app.create_policy(&mutation, document).await?)
        };
        let policy = self.gate.finish(permit, work).await?;
        Ok(Response::new(pb::CreatePolicyResponse { policy: Some(policy) }))
    }

    #[tracing::instrument(skip_all, name = "GetPolicy")]
    async fn get_policy(&self, request: Request<pb::GetPolicyRequest>) -> Answer<pb::GetPolicyResponse> {
        let _permit = self.gate.enter()?;
        let answer = async {
            let name = names::policy("name", &request.into_inner().name)?;
            Ok(pb::GetPolicyResponse {
                policy: Some(from_policy(self.app.policy(&name).await?)?),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListPolicies")]
    async fn list_policies(
        &self,
        request: Request<pb::ListPoliciesRequest>,
    ) -> Answer<pb::ListPoliciesResponse> {
        let _permit = self.gate.enter()?;
        let pb::ListPoliciesRequest {
            region,
            programme,
            page_size,
            page_token,
        } = request.into_inner();
        let answer = async {
            let page = Page::new(page_size, &page_token, &format!("{region} {programme}"))?;
            let filter = PolicyFilter {
                region: names::optional_region("region", &region)?,
                programme: names::optional_programme("programme", &programme)?,
            };
            // A forged token may hold what a database refuses, such as a NUL.
            let after = page
                .after
                .as_deref()
                .map(|after| PolicyId::parse("page_token", after))
                .transpose()?;
            let after = after.as_ref().map(PolicyId::as_str);
            let mut policies = self.app.policies(&filter, after, page.limit()).await?;
            let next_page_token = page.cut(&mut policies, |policy| policy.document.id.clone());
            let policies = policies
                .into_iter()
                .map(from_policy)
                .collect::<Result<_, Error>>()?;
            Ok(pb::ListPoliciesResponse {
                policies,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListPolicyRevisions")]
    async fn list_policy_revisions(
        &self,
        request: Request<pb::ListPolicyRevisionsRequest>,
    ) -> Answer<pb::ListPolicyRevisionsResponse> {
        let _permit = self.gate.enter()?;
        let pb::ListPolicyRevisionsRequest {
            parent,
            page_size,
            page_token,
        } = request.into_inner();
        let answer = async {
            let page = Page::new(page_size, &page_token, &parent)?;
            let name = names::policy("parent", &parent)?;
            let after = page
                .after
                .as_deref()
                .and_then(|after| after.parse().ok())
                .unwrap_or(0);
            let mut revisions = self.app.policy_revisions(&name.id, after, page.limit()).await?;
            let next_page_token = page.cut(&mut revisions, |revision| revision.revision.to_string());
            let revisions = revisions
                .into_iter()
                .map(from_policy)
                .collect::<Result<_, Error>>()?;
            Ok(pb::ListPolicyRevisionsResponse {
                revisions,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ImportProgrammes")]
    async fn import_programmes(
        &self,
        request: Request<pb::ImportProgrammesRequest>,
    ) -> Answer<pb::ImportProgrammesResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let documents = message.programmes.into_iter().map(Into::into).collect();
            let stored = app.import_programmes(&mutation, documents).await?;
            stored
                .into_iter()
                .map(from_programme)
                .collect::<Result<Vec<_>, Error>>()
        };
        let programmes = self.gate.finish(permit, work).await?;
        Ok(Response::new(pb::ImportProgrammesResponse { programmes }))
    }

    #[tracing::instrument(skip_all, name = "ListProgrammes")]
    async fn list_programmes(
        &self,
        request: Request<pb::ListProgrammesRequest>,
    ) -> Answer<pb::ListProgrammesResponse> {
        let _permit = self.gate.enter()?;
        let pb::ListProgrammesRequest {
            page_size,
            page_token,
        } = request.into_inner();
        let answer = async {
            let page = Page::new(page_size, &page_token, "")?;
            let (programmes, next_page_token) = page.of(self.app.programmes().await?, |programme| {
                programme.document.code.clone()
            });
            let programmes = programmes
                .into_iter()
                .map(from_programme)
                .collect::<Result<_, Error>>()?;
            Ok(pb::ListProgrammesResponse {
                programmes,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ImportDeedTaxLaw")]
    async fn import_deed_tax_law(
        &self,
        request: Request<pb::ImportDeedTaxLawRequest>,
    ) -> Answer<pb::ImportDeedTaxLawResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let document = message.document.unwrap_or_default().into();
            from_law(app.import_deed_tax_law(&mutation, document).await?)
        };
        let law = self.gate.finish(permit, work).await?;
        Ok(Response::new(pb::ImportDeedTaxLawResponse { law: Some(law) }))
    }

    #[tracing::instrument(skip_all, name = "GetDeedTaxLaw")]
    async fn get_deed_tax_law(
        &self,
        request: Request<pb::GetDeedTaxLawRequest>,
    ) -> Answer<pb::GetDeedTaxLawResponse> {
        let _permit = self.gate.enter()?;
        let answer = async {
            let revision = names::deed_tax_law("name", &request.into_inner().name)?;
            Ok(pb::GetDeedTaxLawResponse {
                law: Some(from_law(self.app.deed_tax_law(revision).await?)?),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }
}
