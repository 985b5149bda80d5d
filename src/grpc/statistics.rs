//! StatisticsService.

use super::convert::names;
use super::convert::statistics::{
    from_data_set, from_data_set_revision, from_fault, from_indicator, from_observation, from_region,
    indicator, list, region, region_key, row,
};
use super::gate::{Call, Gate};
use super::page::Page;
use super::pb;
use super::pb::statistics_service_server::StatisticsService;
use super::status::to_status;
use crate::app::statistics::{AsOf, MAX_ROWS, data_set_name};
use crate::app::{App, clock};
use crate::domain::digest::Digest;
use crate::domain::error::{Error, Violation};
use crate::domain::region::RegionCode;
use crate::domain::statistics::{DataSetId, IndicatorCode, ObservationKey, ObservationRow, parse_year};
use crate::store::ObservationFilter;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status, Streaming};

pub(super) struct Statistics {
    pub(super) app: App,
    pub(super) gate: Gate,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl StatisticsService for Statistics {
    #[tracing::instrument(skip_all, name = "ImportRegions")]
    async fn import_regions(
        &self,
        request: Request<pb::ImportRegionsRequest>,
    ) -> Answer<pb::ImportRegionsResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let regions = list("regions", message.regions, region).map_err(to_status)?;
        let app = self.app.clone();
        let imported = self
            .gate
            .finish(
                permit,
                async move { app.import_regions(&mutation, regions).await },
            )
            .await?;
        Ok(Response::new(pb::ImportRegionsResponse { imported }))
    }

    #[tracing::instrument(skip_all, name = "ListRegions")]
    async fn list_regions(
        &self,
        request: Request<pb::ListRegionsRequest>,
    ) -> Answer<pb::ListRegionsResponse> {
        let _permit = self.gate.enter()?;
        let pb::ListRegionsRequest {
            parent,
            page_size,
            page_token,
        } = request.into_inner();
        let answer = async {
            let page = Page::new(page_size, &page_token, &parent)?;
            let parent = names::optional_region("parent", &parent)?;
            let mut regions = self.app.regions().await?;
            regions.retain(|region| parent.is_none() || region.parent == parent);
            let (regions, next_page_token) = page.of(regions, |region| region_key(&region.code));
            Ok(pb::ListRegionsResponse {
                regions: regions.iter().map(from_region).collect(),
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ImportIndicators")]
    async fn import_indicators(
        &self,
        request: Request<pb::ImportIndicatorsRequest>,
    ) -> Answer<pb::ImportIndicatorsResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let indicators = list("indicators", message.indicators, indicator).map_err(to_status)?;
        let app = self.app.clone();
        let imported = self
            .gate
            .finish(permit, async move {
                app.import_indicators(&mutation, indicators).await
            })
            .await?;
        Ok(Response::new(pb::ImportIndicatorsResponse { imported }))
    }

    #[tracing::instrument(skip_all, name = "ListIndicators")]
    async fn list_indicators(
        &self,
        request: Request<pb::ListIndicatorsRequest>,
    ) -> Answer<pb::ListIndicatorsResponse> {
        let _permit = self.gate.enter()?;
        let pb::ListIndicatorsRequest {
            page_size,
            page_token,
        } = request.into_inner();
        let answer = async {
            let page = Page::new(page_size, &page_token, "")?;
            let indicators = self.app.indicators().await?;
            let (indicators, next_page_token) =
                page.of(indicators, |indicator| indicator.code.as_str().to_owned());
            Ok(pb::ListIndicatorsResponse {
                indicators: indicators.iter().map(from_indicator).collect(),
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "CreateDataSet")]
    async fn create_data_set(
        &self,
        request: Request<pb::CreateDataSetRequest>,
    ) -> Answer<pb::CreateDataSetResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let id = DataSetId::parse("data_set_id", &message.data_set_id)?;
            from_data_set(&app.create_data_set(&mutation, id, message.title).await?)
        };
        let data_set = self.gate.finish(permit, work).await?;
        Ok(Response::new(pb::CreateDataSetResponse {
            data_set: Some(data_set),
        }))
    }

    #[tracing::instrument(skip_all, name = "GetDataSet")]
    async fn get_data_set(&self, request: Request<pb::GetDataSetRequest>) -> Answer<pb::GetDataSetResponse> {
        let _permit = self.gate.enter()?;
        let answer = async {
            let id = names::data_set("name", &request.into_inner().name)?;
            Ok(pb::GetDataSetResponse {
                data_set: Some(from_data_set(&self.app.data_set(&id).await?)?),
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListDataSets")]
    async fn list_data_sets(
        &self,
        request: Request<pb::ListDataSetsRequest>,
    ) -> Answer<pb::ListDataSetsResponse> {
        let _permit = self.gate.enter()?;
        let pb::ListDataSetsRequest {
            page_size,
            page_token,
        } = request.into_inner();
        let answer = async {
            let page = Page::new(page_size, &page_token, "")?;
            let after = page
                .after
                .as_deref()
                .map(|after| DataSetId::parse("page_token", after))
                .transpose()?;
            let mut data_sets = self.app.data_sets(after.as_ref(), page.limit()).await?;
            let next_page_token = page.cut(&mut data_sets, |data_set| data_set.id.as_str().to_owned());
            let data_sets = data_sets
                .iter()
                .map(from_data_set)
                .collect::<Result<_, Error>>()?;
            Ok(pb::ListDataSetsResponse {
                data_sets,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListDataSetRevisions")]
    async fn list_data_set_revisions(
        &self,
        request: Request<pb::ListDataSetRevisionsRequest>,
    ) -> Answer<pb::ListDataSetRevisionsResponse> {
        let _permit = self.gate.enter()?;
        let pb::ListDataSetRevisionsRequest {
            parent,
            page_size,
            page_token,
        } = request.into_inner();
        let answer = async {
            let page = Page::new(page_size, &page_token, &parent)?;
            let id = names::data_set("parent", &parent)?;
            let after = page
                .after
                .as_deref()
                .and_then(|after| after.parse().ok())
                .unwrap_or(0);
            let mut revisions = self.app.data_set_revisions(&id, after, page.limit()).await?;
            let next_page_token = page.cut(&mut revisions, |revision| revision.revision.to_string());
            let revisions = revisions
                .iter()
                .map(from_data_set_revision)
                .collect::<Result<_, Error>>()?;
            Ok(pb::ListDataSetRevisionsResponse {
                revisions,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ImportObservations")]
    async fn import_observations(
        &self,
        request: Request<Streaming<pb::ImportObservationsRequest>>,
    ) -> Answer<pb::ImportObservationsResponse> {
        let permit = self.gate.enter()?;
        let call = Call::of(&request)?;
        call.principal()?;
        let Upload { header, body, rows } = receive(request.into_inner()).await?;
        let mutation = call.mutation(header.request_id, body, header.validate_only)?;
        let app = self.app.clone();
        let work = async move {
            let id = names::data_set("header.data_set", &header.data_set)?;
            from_data_set_revision(&app.import_observations(&mutation, &id, rows).await?)
        };
        let revision = self.gate.finish(permit, work).await?;
        Ok(Response::new(pb::ImportObservationsResponse {
            revision: Some(revision),
        }))
    }

    type CheckObservationsStream =
        tokio_stream::Iter<std::vec::IntoIter<Result<pb::CheckObservationsResponse, Status>>>;

    #[tracing::instrument(skip_all, name = "CheckObservations")]
    async fn check_observations(
        &self,
        request: Request<Streaming<pb::CheckObservationsRequest>>,
    ) -> Answer<Self::CheckObservationsStream> {
        const FAULTS_IN_A_MESSAGE: usize = 500;
        let _permit = self.gate.enter()?;
        let Upload { header, rows, .. } = receive(request.into_inner()).await?;
        let answer = async {
            let id = names::data_set("header.data_set", &header.data_set)?;
            Ok(match self.app.check_observations(&id, rows).await? {
                Ok(revision) => vec![pb::CheckObservationsResponse {
                    faults: Vec::new(),
                    revision: Some(pb::DataSetRevision {
                        created: None,
                        ..from_data_set_revision(&revision)?
                    }),
                }],
                Err(faults) => (faults.chunks(FAULTS_IN_A_MESSAGE))
                    .map(|faults| pb::CheckObservationsResponse {
                        faults: faults.iter().map(from_fault).collect(),
                        revision: None,
                    })
                    .collect(),
            })
        };
        let messages: Vec<pb::CheckObservationsResponse> = answer.await.map_err(to_status)?;
        let messages: Vec<_> = messages.into_iter().map(Ok).collect();
        Ok(Response::new(tokio_stream::iter(messages)))
    }

    #[tracing::instrument(skip_all, name = "ListObservations")]
    async fn list_observations(
        &self,
        request: Request<pb::ListObservationsRequest>,
    ) -> Answer<pb::ListObservationsResponse> {
        let _permit = self.gate.enter()?;
        let message = request.into_inner();
        self.observations(message)
            .await
            .map(Response::new)
            .map_err(to_status)
    }
}

impl Statistics {
    async fn observations(
        &self,
        message: pb::ListObservationsRequest,
    ) -> Result<pb::ListObservationsResponse, Error> {
        let pb::ListObservationsRequest {
            parent,
            as_of,
            region,
            indicator,
            year,
            page_size,
            page_token,
        } = message;
        let query = format!("{parent} {as_of} {region} {indicator} {year}");
        let page = Page::new(page_size, &page_token, &query)?;
        let (id, revision) = names::data_set_revision("parent", &parent)?;
        let as_of = match (as_of.as_str(), revision) {
            ("", revision) => revision,
            (time, AsOf::Newest) => AsOf::Time(clock::parse("as_of", time)?),
            (time, _) => {
                return Err(Violation::new(
                    "as_of",
                    time,
                    "nothing, where parent is a revision",
                    "parent 为修订版时不填",
                )
                .into());
            }
        };
        let filter = ObservationFilter {
            region: names::optional_region("region", &region)?,
            indicator: if indicator.is_empty() {
                None
            } else {
                Some(names::indicator("indicator", &indicator)?)
            },
            year: if year == 0 {
                None
            } else {
                Some(parse_year("year", &year.to_string())?)
            },
        };
        // A page token says which revision its list is of, so that an import in between changes no later page.
        let (as_of, after) = match page.after.as_deref() {
            None => (as_of, None),
            Some(text) => {
                let (revision, key) = page_key(text)?;
                (AsOf::Revision(revision), Some(key))
            }
        };
        let (revision, mut observations) = self
            .app
            .observations(&id, as_of, &filter, after.as_ref(), page.limit())
            .await?;
        let next_page_token = page.cut(&mut observations, |observation| {
            format!(
                "{revision} {} {} {}",
                observation.region, observation.indicator, observation.year
            )
        });
        Ok(pb::ListObservationsResponse {
            observations: observations.iter().map(from_observation).collect(),
            next_page_token,
            revision: format!("{}/revisions/{revision}", data_set_name(&id)),
        })
    }
}

fn page_key(text: &str) -> Result<(u32, ObservationKey), Violation> {
    let refused = || {
        Violation::new(
            "page_token",
            text,
            "the next_page_token of the previous page",
            "上一页返回的 next_page_token",
        )
    };
    let parts: Vec<&str> = text.split(' ').collect();
    let [revision, region, indicator, year] = parts.as_slice() else {
        return Err(refused());
    };
    let key = (
        RegionCode::parse("page_token", region)?,
        IndicatorCode::parse("page_token", indicator)?,
        year.parse().map_err(|_| refused())?,
    );
    Ok((revision.parse().map_err(|_| refused())?, key))
}

/// What came in a stream.
struct Upload {
    header: pb::ImportObservationsHeader,
    body: Digest,
    rows: Vec<ObservationRow>,
}

/// A message of either stream that carries observations.
trait UploadMessage {
    fn header(self) -> Option<pb::ImportObservationsHeader>;
    fn rows(self) -> Option<Vec<pb::ObservationRow>>;
}

macro_rules! upload_message {
    ($message:ident, $content:ident) => {
        impl UploadMessage for pb::$message {
            fn header(self) -> Option<pb::ImportObservationsHeader> {
                match self.content {
                    Some(pb::$content::Content::Header(header)) => Some(header),
                    _ => None,
                }
            }

            fn rows(self) -> Option<Vec<pb::ObservationRow>> {
                match self.content {
                    Some(pb::$content::Content::Rows(rows)) => Some(rows.rows),
                    _ => None,
                }
            }
        }
    };
}

upload_message!(ImportObservationsRequest, import_observations_request);
upload_message!(CheckObservationsRequest, check_observations_request);

/// Reads the whole stream; the digest is over its content, however it was cut into messages.
async fn receive<M: UploadMessage>(mut stream: Streaming<M>) -> Result<Upload, Status> {
    let misplaced =
        |found: &str, en: &str, zh: &str| to_status(Violation::new("content", found, en, zh).into());
    let first = stream.message().await?.and_then(UploadMessage::header);
    let Some(header) = first else {
        return Err(misplaced(
            "no header",
            "a header as the first message",
            "第一条消息须为 header",
        ));
    };
    let mut digest = Sha256::new();
    let body = pb::ImportObservationsHeader {
        request_id: String::new(),
        ..header.clone()
    };
    digest.update(body.encode_length_delimited_to_vec());
    let mut rows = Vec::new();
    while let Some(message) = stream.message().await? {
        let Some(batch) = message.rows() else {
            return Err(misplaced(
                "no rows",
                "rows in every message after the first",
                "第一条之后的消息须为 rows",
            ));
        };
        let found = rows.len() + batch.len();
        if found > MAX_ROWS {
            return Err(to_status(Error::TooLarge {
                what: "rows",
                found: found as u64,
                limit: MAX_ROWS as u64,
            }));
        }
        for message in batch {
            digest.update(message.encode_length_delimited_to_vec());
            rows.push(row(message));
        }
    }
    Ok(Upload {
        header,
        body: Digest::of(&digest.finalize()),
        rows,
    })
}
