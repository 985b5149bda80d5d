//! DisbursementService.

use super::convert::disbursement::{
    answer, batch_name, batch_state, create_batch, file_format, from_batch, from_detail, from_file,
    from_line, from_results, optional_money, result_scope,
};
use super::convert::ledger::payer;
use super::convert::names;
use super::gate::{Answers, Call, Gate, scope_of};
use super::page::Page;
use super::pb;
use super::pb::disbursement_service_server::DisbursementService;
use super::status::to_status;
use crate::app::App;
use crate::app::disbursement::BankFile;
use crate::app::records::BatchFilter;
use crate::domain::digest::Digest;
use crate::domain::error::{Error, Violation};
use crate::tabular::MAX_BYTES;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status, Streaming};

pub(super) struct Disbursements {
    pub(super) app: App,
    pub(super) gate: Gate,
}

type Answer<T> = Result<Response<T>, Status>;

/// Bytes of a file in one message.
const PIECE: usize = 256 << 10;
/// Claims taken out of a batch in one call, at most.
const MAX_REMOVED: usize = 1_000;

/// An action on a batch as a whole.
macro_rules! act {
    ($self:ident, $request:ident, $method:ident, $response:ident) => {{
        let permit = $self.gate.enter()?;
        let (mutation, message) = $self.gate.mutation($request)?;
        let app = $self.app.clone();
        let work = async move {
            let name = batch_name("name", &message.name)?;
            from_batch(&app.$method(&mutation, &name, &message.etag).await?)
        };
        let batch = Some($self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::$response { batch }))
    }};
}

#[tonic::async_trait]
impl DisbursementService for Disbursements {
    #[tracing::instrument(skip_all, name = "CreateBatch")]
    async fn create_batch(
        &self,
        request: Request<pb::CreateBatchRequest>,
    ) -> Answer<pb::CreateBatchResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move { from_batch(&app.create_batch(&mutation, create_batch(&message)?).await?) };
        let batch = Some(self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::CreateBatchResponse { batch }))
    }

    #[tracing::instrument(skip_all, name = "GetBatch")]
    async fn get_batch(&self, request: Request<pb::GetBatchRequest>) -> Answer<pb::GetBatchResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let answer = async {
            let name = batch_name("name", &request.into_inner().name)?;
            from_detail(&self.app.batch(&scope, &name).await?)
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListBatches")]
    async fn list_batches(
        &self,
        request: Request<pb::ListBatchesRequest>,
    ) -> Answer<pb::ListBatchesResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let query = format!("{} {} {}", message.fund, message.programme, message.state);
            let page = Page::within(&scope, message.page_size, &message.page_token, &query)?;
            let fund = names::fund("fund", &message.fund)?;
            let filter = BatchFilter {
                programme: names::optional_programme("programme", &message.programme)?,
                state: batch_state("state", message.state)?,
            };
            let after = number_after(&page)?;
            let mut batches = (self.app.batches(&scope, &fund, &filter, after, page.limit())).await?;
            let next_page_token = page.cut(&mut batches, |batch| batch.number.to_string());
            Ok(pb::ListBatchesResponse {
                batches: batches.iter().map(from_batch).collect::<Result<_, Error>>()?,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListPayments")]
    async fn list_payments(
        &self,
        request: Request<pb::ListPaymentsRequest>,
    ) -> Answer<pb::ListPaymentsResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let page = Page::within(&scope, message.page_size, &message.page_token, &message.batch)?;
            let name = batch_name("batch", &message.batch)?;
            let after = number_after(&page)?;
            let mut lines = (self.app.batch_lines(&scope, &name, after, page.limit())).await?;
            let next_page_token = page.cut(&mut lines, |line| line.payment.line.to_string());
            Ok(pb::ListPaymentsResponse {
                payments: lines.iter().map(from_line).collect::<Result<_, Error>>()?,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "RemoveFromBatch")]
    async fn remove_from_batch(
        &self,
        request: Request<pb::RemoveFromBatchRequest>,
    ) -> Answer<pb::RemoveFromBatchResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let name = batch_name("name", &message.name)?;
            let numbers = removed(&name.fund, &message.claims)?;
            let batch = app
                .remove_from_batch(&mutation, &name, &message.etag, &numbers)
                .await?;
            from_batch(&batch)
        };
        let batch = Some(self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::RemoveFromBatchResponse { batch }))
    }

    #[tracing::instrument(skip_all, name = "FreezeBatch")]
    async fn freeze_batch(
        &self,
        request: Request<pb::FreezeBatchRequest>,
    ) -> Answer<pb::FreezeBatchResponse> {
        act!(self, request, freeze_batch, FreezeBatchResponse)
    }

    #[tracing::instrument(skip_all, name = "ReleaseBatch")]
    async fn release_batch(
        &self,
        request: Request<pb::ReleaseBatchRequest>,
    ) -> Answer<pb::ReleaseBatchResponse> {
        act!(self, request, release_batch, ReleaseBatchResponse)
    }

    #[tracing::instrument(skip_all, name = "CancelBatch")]
    async fn cancel_batch(
        &self,
        request: Request<pb::CancelBatchRequest>,
    ) -> Answer<pb::CancelBatchResponse> {
        act!(self, request, cancel_batch, CancelBatchResponse)
    }

    type ExportBatchStream = Answers<pb::ExportBatchResponse>;

    #[tracing::instrument(skip_all, name = "ExportBatch")]
    async fn export_batch(
        &self,
        request: Request<pb::ExportBatchRequest>,
    ) -> Answer<Self::ExportBatchStream> {
        let permit = self.gate.enter()?;
        let call = Call::of(&request)?;
        let asking = call.asking()?;
        let message = request.into_inner();
        let answer = async {
            let name = batch_name("name", &message.name)?;
            let format = file_format("format", message.format)?;
            let payer = payer("payer", message.payer)?;
            self.app
                .export_batch(&asking, &call.scope, &name, format, payer)
                .await
        };
        let files = answer.await.map_err(to_status)?;
        Ok(self.gate.stream(permit, move |answers| async move {
            for message in files.iter().flat_map(messages) {
                if answers.send(Ok(message)).await.is_err() {
                    break;
                }
            }
            Ok(())
        }))
    }

    #[tracing::instrument(skip_all, name = "ImportResults")]
    async fn import_results(
        &self,
        request: Request<Streaming<pb::ImportResultsRequest>>,
    ) -> Answer<pb::ImportResultsResponse> {
        let permit = self.gate.enter()?;
        let call = Call::of(&request)?;
        call.principal()?;
        let (header, body, bytes) = receive(request.into_inner()).await?;
        let mutation = call.mutation(header.request_id, body, header.validate_only)?;
        let app = self.app.clone();
        let work = async move {
            let scope = result_scope("header.parent", &header.parent)?;
            let imported = app
                .import_results(&mutation, &scope, &header.file_name, &bytes)
                .await?;
            from_results(&imported)
        };
        self.gate.finish(permit, work).await.map(Response::new)
    }

    #[tracing::instrument(skip_all, name = "RecordPaymentResult")]
    async fn record_payment_result(
        &self,
        request: Request<pb::RecordPaymentResultRequest>,
    ) -> Answer<pb::RecordPaymentResultResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let amount = optional_money("amount", &message.amount)?;
            let answer = answer(&message)?;
            let line = app
                .record_payment_result(&mutation, &message.reference, amount, answer)
                .await?;
            from_line(&line)
        };
        let payment = Some(self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::RecordPaymentResultResponse { payment }))
    }
}

/// The number after which a page begins.
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

/// The numbers of claims of a fund.
fn removed(fund: &crate::domain::allocation::FundId, claims: &[String]) -> Result<Vec<u64>, Error> {
    if claims.len() > MAX_REMOVED {
        return Err(Error::TooLarge {
            what: "claims",
            found: claims.len() as u64,
            limit: MAX_REMOVED as u64,
        });
    }
    let mut numbers = Vec::with_capacity(claims.len());
    for (at, name) in claims.iter().enumerate() {
        let field = format!("claims[{at}]");
        let id = names::claim(&field, name)?;
        if id.fund != *fund {
            let (en, zh) = (format!("a claim of fund {fund}"), format!("资金 {fund} 的申请"));
            return Err(Violation::new(field, name, en, zh).into());
        }
        numbers.push(id.number);
    }
    Ok(numbers)
}

/// The messages of one file.
fn messages(file: &BankFile) -> impl Iterator<Item = pb::ExportBatchResponse> + '_ {
    use pb::export_batch_response::Content;
    let pieces = file
        .bytes
        .chunks(PIECE)
        .map(|piece| Content::Piece(piece.to_vec()));
    std::iter::once(Content::Header(from_file(file)))
        .chain(pieces)
        .map(|content| pb::ExportBatchResponse {
            content: Some(content),
        })
}

/// Reads the whole stream; the digest is over its content, however it was cut into messages.
async fn receive(
    mut stream: Streaming<pb::ImportResultsRequest>,
) -> Result<(pb::ImportResultsHeader, Digest, Vec<u8>), Status> {
    use pb::import_results_request::Content;
    let misplaced =
        |found: &str, en: &str, zh: &str| to_status(Violation::new("content", found, en, zh).into());
    let Some(Content::Header(header)) = stream.message().await?.and_then(|message| message.content) else {
        return Err(misplaced(
            "no header",
            "a header as the first message",
            "第一条消息须为 header",
        ));
    };
    let body = pb::ImportResultsHeader {
        request_id: String::new(),
        ..header.clone()
    };
    let mut digest = Sha256::new();
    digest.update(body.encode_length_delimited_to_vec());
    let mut bytes = Vec::new();
    while let Some(message) = stream.message().await? {
        let Some(Content::Piece(piece)) = message.content else {
            return Err(misplaced(
                "no piece",
                "pieces of the file in every message after the first",
                "第一条之后的消息须为文件内容",
            ));
        };
        let found = bytes.len() + piece.len();
        if found > MAX_BYTES {
            return Err(to_status(Error::TooLarge {
                what: "bytes of a file",
                found: found as u64,
                limit: MAX_BYTES as u64,
            }));
        }
        digest.update(&piece);
        bytes.extend(piece);
    }
    Ok((header, Digest::of(&digest.finalize()), bytes))
}
