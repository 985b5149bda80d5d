//! AuditService.

use super::convert::audit::{csv_lines, from_record, from_verification, json_lines, outcome};
use super::gate::{Answers, Call, Gate};
use super::page::Page;
use super::pb;
use super::pb::audit_service_server::AuditService;
use super::status::to_status;
use crate::app::App;
use crate::app::audit::{AuditFilter, AuditPosition, VerifyingKeys};
use crate::app::clock;
use crate::domain::audit::{ChainName, Checkpoint};
use crate::domain::error::{Error, Violation};
use tonic::{Request, Response, Status};

pub(super) struct Audits {
    pub(super) app: App,
    pub(super) gate: Gate,
}

type Answer<T> = Result<Response<T>, Status>;

/// Records in one message of an export.
const AT_ONCE: u64 = 1_000;
/// Most checkpoints to compare with in one call.
const MAX_CHECKPOINTS: usize = 1_000;
/// Findings told in full: usually, and at most.
const FINDINGS: (usize, usize) = (100, 1_000);

#[tonic::async_trait]
impl AuditService for Audits {
    #[tracing::instrument(skip_all, name = "ListAuditRecords")]
    async fn list_audit_records(
        &self,
        request: Request<pb::ListAuditRecordsRequest>,
    ) -> Answer<pb::ListAuditRecordsResponse> {
        let _permit = self.gate.enter()?;
        Call::of(&request)?.principal()?;
        let message = request.into_inner();
        let answer = async {
            let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let time = |field: &str, text: &str| match text {
                "" => Ok(None),
                text => clock::parse(field, text).map(Some),
            };
            let filter = AuditFilter {
                chain: chain(&message.chain)?,
                by: given(&message.principal),
                action: given(&message.action),
                resource: given(&message.resource),
                request_id: given(&message.request_id),
                outcome: outcome("outcome", message.outcome)?,
                from: time("from_time", &message.from_time)?,
                until: time("until_time", &message.until_time)?,
            };
            let page = Page::new(message.page_size, &message.page_token, &format!("{filter:?}"))?;
            let after = position(page.after.as_deref())?;
            let mut records = self.app.audit_records(&filter, &after, page.limit()).await?;
            let next_page_token = page.cut(&mut records, |(chain, record)| {
                format!("{chain} {}", record.number)
            });
            let records = records.iter().map(|(chain, record)| from_record(chain, record));
            Ok(pb::ListAuditRecordsResponse {
                records: records.collect::<Result<_, Error>>()?,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    type VerifyAuditLogStream = Answers<pb::VerifyAuditLogResponse>;

    #[tracing::instrument(skip_all, name = "VerifyAuditLog")]
    async fn verify_audit_log(
        &self,
        request: Request<pb::VerifyAuditLogRequest>,
    ) -> Answer<Self::VerifyAuditLogStream> {
        let permit = self.gate.enter()?;
        Call::of(&request)?.principal()?;
        let message = request.into_inner();
        let (checkpoints, keys, most) =
            comparison(&message).map_err(|violation| to_status(violation.into()))?;
        let app = self.app.clone();
        Ok(self.gate.stream(permit, |sender| async move {
            let progress = {
                let sender = sender.clone();
                move |records_read| {
                    let told = pb::VerifyAuditLogResponse {
                        records_read,
                        verification: None,
                    };
                    // A caller who is slow misses some of it.
                    let _ = sender.try_send(Ok(told));
                    !sender.is_closed()
                }
            };
            if let Some(found) = app.verify_audit_log(&checkpoints, &keys, most, progress).await? {
                let last = pb::VerifyAuditLogResponse {
                    records_read: found.chains.iter().map(|chain| chain.records).sum(),
                    verification: Some(from_verification(&found)),
                };
                let _ = sender.send(Ok(last)).await;
            }
            Ok(())
        }))
    }

    #[tracing::instrument(skip_all, name = "CreateCheckpoint")]
    async fn create_checkpoint(
        &self,
        request: Request<pb::CreateCheckpointRequest>,
    ) -> Answer<pb::CreateCheckpointResponse> {
        let permit = self.gate.enter()?;
        let (mutation, _) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let checkpoint = app.create_checkpoint(&mutation).await?;
            Ok(pb::CreateCheckpointResponse {
                number: checkpoint.number,
                checkpoint: serde_json::to_string_pretty(&checkpoint).map_err(Error::internal)? + "\n",
                public_keys: app.audit_public_keys(),
            })
        };
        self.gate.finish(permit, work).await.map(Response::new)
    }

    type ExportAuditLogStream = Answers<pb::ExportAuditLogResponse>;

    #[tracing::instrument(skip_all, name = "ExportAuditLog")]
    async fn export_audit_log(
        &self,
        request: Request<pb::ExportAuditLogRequest>,
    ) -> Answer<Self::ExportAuditLogStream> {
        let permit = self.gate.enter()?;
        Call::of(&request)?.principal()?;
        let message = request.into_inner();
        let chain = chain(&message.chain).map_err(|violation| to_status(violation.into()))?;
        let csv = match pb::AuditFormat::try_from(message.format) {
            Ok(pb::AuditFormat::Csv) => true,
            Ok(_) => false,
            Err(_) => {
                let (found, allowed) = (message.format.to_string(), "a format of the enum");
                let violation = Violation::new("format", found, allowed, "枚举中的格式");
                return Err(to_status(violation.into()));
            }
        };
        let app = self.app.clone();
        let filter = AuditFilter {
            chain,
            ..AuditFilter::default()
        };
        Ok(self.gate.stream(permit, |sender| async move {
            let mut after = AuditPosition::default();
            let mut first = true;
            loop {
                let records = app.audit_records(&filter, &after, AT_ONCE).await?;
                let text = if csv {
                    csv_lines(&records, first)?
                } else {
                    json_lines(&records)?
                };
                first = false;
                let part = pb::ExportAuditLogResponse { text };
                if sender.send(Ok(part)).await.is_err() {
                    return Ok(());
                }
                match records.last() {
                    Some((chain, record)) if records.len() as u64 == AT_ONCE => {
                        after = AuditPosition::after(chain, record);
                    }
                    _ => return Ok(()),
                }
            }
        }))
    }
}

fn chain(text: &str) -> Result<Option<ChainName>, Violation> {
    match text {
        "" => Ok(None),
        text => ChainName::parse("chain", text).map(Some),
    }
}

fn position(key: Option<&str>) -> Result<AuditPosition, Violation> {
    let Some(key) = key else {
        return Ok(AuditPosition::default());
    };
    key.rsplit_once(' ')
        .and_then(|(chain, number)| {
            Some(AuditPosition {
                chain: chain.to_owned(),
                number: number.parse().ok()?,
            })
        })
        .ok_or_else(|| {
            Violation::new(
                "page_token",
                key,
                "the next_page_token of the previous page of the same list",
                "同一列表上一页返回的 next_page_token",
            )
        })
}

/// What to compare with.
fn comparison(
    message: &pb::VerifyAuditLogRequest,
) -> Result<(Vec<Checkpoint>, VerifyingKeys, usize), Violation> {
    if message.checkpoints.len() > MAX_CHECKPOINTS {
        return Err(Violation::new(
            "checkpoints",
            message.checkpoints.len().to_string(),
            format!("at most {MAX_CHECKPOINTS}"),
            format!("至多 {MAX_CHECKPOINTS} 个"),
        ));
    }
    let read = |(at, text): (usize, &String)| {
        serde_json::from_str(text).map_err(|defect| {
            Violation::new(
                format!("checkpoints[{at}]"),
                defect.to_string(),
                "a checkpoint as CreateCheckpoint gave it",
                "CreateCheckpoint 返回的检查点",
            )
        })
    };
    let checkpoints = (message.checkpoints.iter().enumerate())
        .map(read)
        .collect::<Result<_, _>>()?;
    let keys = match message.public_keys.as_str() {
        "" => VerifyingKeys::default(),
        text => VerifyingKeys::parse("public_keys", text)?,
    };
    let (usual, most) = FINDINGS;
    let most = match usize::try_from(message.max_findings) {
        Ok(0) => usual,
        Ok(given) => given.min(most),
        Err(_) => {
            let found = message.max_findings.to_string();
            return Err(Violation::new("max_findings", found, "zero or more", "不小于零"));
        }
    };
    Ok((checkpoints, keys, most))
}
