//! FormulaService.

use super::convert::formula::{document, from_revision};
use super::convert::names;
use super::gate::Gate;
use super::page::Page;
use super::pb;
use super::pb::formula_service_server::FormulaService;
use super::status::to_status;
use crate::app::App;
use crate::domain::error::Error;
use crate::domain::formula::Formula;
use crate::domain::statistics::{DataSetId, parse_year};
use tonic::{Request, Response, Status};

pub(super) struct Formulas {
    pub(super) app: App,
    pub(super) gate: Gate,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl FormulaService for Formulas {
    #[tracing::instrument(skip_all, name = "CheckFormula")]
    async fn check_formula(
        &self,
        request: Request<pb::CheckFormulaRequest>,
    ) -> Answer<pb::CheckFormulaResponse> {
        let _permit = self.gate.enter()?;
        let message = request.into_inner();
        let answer = async {
            let against = if message.data_set.is_empty() {
                None
            } else {
                Some((
                    names::data_set("data_set", &message.data_set)?,
                    parse_year("year", &message.year.to_string())?,
                    names::optional_region("scope", &message.scope)?,
                ))
            };
            let formula = self
                .app
                .check_formula(document(message.document.unwrap_or_default()), against)
                .await?;
            Ok(pb::CheckFormulaResponse {
                digest: formula.digest.as_str().to_owned(),
                indicators: indicators(&formula),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "CreateFormula")]
    async fn create_formula(
        &self,
        request: Request<pb::CreateFormulaRequest>,
    ) -> Answer<pb::CreateFormulaResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let document = document(message.document.unwrap_or_default());
            from_revision(app.create_formula(&mutation, document).await?)
        };
        let formula = self.gate.finish(permit, work).await?;
        Ok(Response::new(pb::CreateFormulaResponse {
            formula: Some(formula),
        }))
    }

    #[tracing::instrument(skip_all, name = "GetFormula")]
    async fn get_formula(&self, request: Request<pb::GetFormulaRequest>) -> Answer<pb::GetFormulaResponse> {
        let _permit = self.gate.enter()?;
        let answer = async {
            let name = names::formula("name", &request.into_inner().name)?;
            Ok(pb::GetFormulaResponse {
                formula: Some(from_revision(self.app.formula(&name).await?)?),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListFormulas")]
    async fn list_formulas(
        &self,
        request: Request<pb::ListFormulasRequest>,
    ) -> Answer<pb::ListFormulasResponse> {
        let _permit = self.gate.enter()?;
        let pb::ListFormulasRequest {
            page_size,
            page_token,
        } = request.into_inner();
        let answer = async {
            let page = Page::new(page_size, &page_token, "")?;
            // A forged token may hold what a database refuses, such as a NUL.
            let after = page
                .after
                .as_deref()
                .map(|after| DataSetId::parse("page_token", after))
                .transpose()?;
            let after = after.as_ref().map(DataSetId::as_str);
            let mut formulas = self.app.formulas(after, page.limit()).await?;
            let next_page_token = page.cut(&mut formulas, |formula| formula.document.id.clone());
            let formulas = formulas
                .into_iter()
                .map(from_revision)
                .collect::<Result<_, Error>>()?;
            Ok(pb::ListFormulasResponse {
                formulas,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListFormulaRevisions")]
    async fn list_formula_revisions(
        &self,
        request: Request<pb::ListFormulaRevisionsRequest>,
    ) -> Answer<pb::ListFormulaRevisionsResponse> {
        let _permit = self.gate.enter()?;
        let pb::ListFormulaRevisionsRequest {
            parent,
            page_size,
            page_token,
        } = request.into_inner();
        let answer = async {
            let page = Page::new(page_size, &page_token, &parent)?;
            let name = names::formula("parent", &parent)?;
            let after = page
                .after
                .as_deref()
                .and_then(|after| after.parse().ok())
                .unwrap_or(0);
            let mut revisions = self.app.formula_revisions(&name.id, after, page.limit()).await?;
            let next_page_token = page.cut(&mut revisions, |revision| revision.revision.to_string());
            let revisions = revisions
                .into_iter()
                .map(from_revision)
                .collect::<Result<_, Error>>()?;
            Ok(pb::ListFormulaRevisionsResponse {
                revisions,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }
}

fn indicators(formula: &Formula) -> Vec<String> {
    let mut found: Vec<String> = (formula.expressions().iter())
        .flat_map(|(_, expression)| expression.indicators())
        .map(|(code, years_back)| {
            if years_back == 0 {
                code.to_string()
            } else {
                format!("{code}[-{years_back}]")
            }
        })
        .collect();
    found.sort();
    found.dedup();
    found
}
