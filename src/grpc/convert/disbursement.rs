//! Payment batches.

use super::ledger::from_payer;
use super::names;
use super::{localized, optional_signature, signature};
use crate::app::disbursement::{
    BankFile, BatchDetail, BatchLine, BatchName, CreateBatch, FileFormat, ImportedResults, ResultRow,
    ResultScope, RowOutcome,
};
use crate::domain::claim::ClaimId;
use crate::domain::disbursement::{Answer, Batch, BatchState, PaymentState};
use crate::domain::error::{Error, Violation};
use crate::domain::money::Money;
use crate::domain::subsidy::parse_date;
use crate::grpc::pb;
use crate::payment::bank_table::Encoding;

const BATCH_STATES: [(BatchState, pb::BatchState); 5] = [
    (BatchState::Draft, pb::BatchState::Draft),
    (BatchState::Frozen, pb::BatchState::Frozen),
    (BatchState::Released, pb::BatchState::Released),
    (BatchState::Closed, pb::BatchState::Closed),
    (BatchState::Cancelled, pb::BatchState::Cancelled),
];

/// Reads the name of a batch.
pub fn batch_name(field: &str, name: &str) -> Result<BatchName, Violation> {
    let (fund, number) = names::batch(field, name)?;
    Ok(BatchName { fund, number })
}

/// Reads which claims to collect.
pub fn create_batch(message: &pb::CreateBatchRequest) -> Result<CreateBatch, Error> {
    Ok(CreateBatch {
        fund: names::fund("fund", &message.fund)?,
        programme: names::programme("programme", &message.programme)?,
        region: names::optional_region("region", &message.region)?,
        execution_date: parse_date("execution_date", &message.execution_date)?,
        max_claims: message.max_claims,
        max_amount: optional_money("max_amount", &message.max_amount)?,
        note: message.note.trim().to_owned(),
    })
}

/// Reads an amount, or nothing.
pub fn optional_money(field: &str, text: &str) -> Result<Option<Money>, Violation> {
    if text.is_empty() {
        Ok(None)
    } else {
        Money::parse(field, text).map(Some)
    }
}

/// Reads the state of a batch, or nothing.
pub fn batch_state(field: &str, wire: i32) -> Result<Option<BatchState>, Violation> {
    if wire == 0 {
        return Ok(None);
    }
    let found = BATCH_STATES.iter().find(|(_, known)| *known as i32 == wire);
    found
        .map(|(state, _)| Some(*state))
        .ok_or_else(|| unknown(field, wire, "a state of a batch", "批次状态"))
}

/// Reads what kind of file.
pub fn file_format(field: &str, wire: i32) -> Result<FileFormat, Violation> {
    match pb::BankFileFormat::try_from(wire) {
        Ok(pb::BankFileFormat::Pain001) => Ok(FileFormat::Pain001),
        Ok(pb::BankFileFormat::Csv) => Ok(FileFormat::Csv(Encoding::Utf8)),
        Ok(pb::BankFileFormat::CsvGb18030) => Ok(FileFormat::Csv(Encoding::Gb18030)),
        Ok(pb::BankFileFormat::Xlsx) => Ok(FileFormat::Xlsx),
        Ok(pb::BankFileFormat::Unspecified) | Err(_) => Err(unknown(
            field,
            wire,
            "a format of files for banks",
            "银行文件格式",
        )),
    }
}

/// Reads which payments a file may be about.
pub fn result_scope(field: &str, name: &str) -> Result<ResultScope, Violation> {
    if name.contains("/batches/") {
        let (fund, number) = names::batch(field, name)?;
        return Ok(ResultScope {
            fund,
            batch: Some(number),
        });
    }
    let fund = names::fund(field, name)?;
    Ok(ResultScope { fund, batch: None })
}

/// Reads a bank's answer to a payment.
pub fn answer(message: &pb::RecordPaymentResultRequest) -> Result<Answer, Violation> {
    let settled = match pb::PaymentState::try_from(message.state) {
        Ok(pb::PaymentState::Settled) => true,
        Ok(pb::PaymentState::Failed) => false,
        _ => {
            return Err(Violation::new(
                "state",
                message.state.to_string(),
                "settled or failed",
                "支付成功或支付失败",
            ));
        }
    };
    Ok(Answer {
        settled,
        bank_reference: message.bank_reference.trim().to_owned(),
        on: message.date.clone(),
        reason: message.reason.trim().to_owned(),
    })
}

fn unknown(field: &str, wire: i32, en: &str, zh: &str) -> Violation {
    Violation::new(field, wire.to_string(), en, zh)
}

/// Writes a batch.
pub fn from_batch(batch: &Batch) -> Result<pb::PaymentBatch, Error> {
    Ok(pb::PaymentBatch {
        name: batch.resource_name(),
        programme: names::of_programme(&batch.programme),
        state: BATCH_STATES
            .iter()
            .find(|(state, _)| *state == batch.state)
            .map_or(0, |(_, wire)| *wire as i32),
        etag: batch.etag(),
        execution_date: batch.execution_date.clone(),
        payments: batch.lines,
        amount: batch.amount.to_string(),
        note: batch.note.clone(),
        created: Some(signature(&batch.created)?),
        frozen: optional_signature(batch.frozen.as_ref())?,
        released: optional_signature(batch.released.as_ref())?,
        closed: optional_signature(batch.closed.as_ref())?,
    })
}

/// Writes a batch with its numbers.
pub fn from_detail(detail: &BatchDetail) -> Result<pb::GetBatchResponse, Error> {
    let totals = detail.totals.iter().map(|total| pb::PaymentTotal {
        payer: from_payer(total.payer),
        state: from_state(total.state),
        count: total.count,
        amount: total.amount.to_string(),
    });
    Ok(pb::GetBatchResponse {
        batch: Some(from_batch(&detail.batch)?),
        totals: totals.collect(),
    })
}

fn from_state(state: Option<PaymentState>) -> i32 {
    let state = match state {
        None => pb::PaymentState::Unspecified,
        Some(PaymentState::Instructed) => pb::PaymentState::Instructed,
        Some(PaymentState::Settled) => pb::PaymentState::Settled,
        Some(PaymentState::Failed) => pb::PaymentState::Failed,
    };
    state.into()
}

/// Writes a line of a batch.
pub fn from_line(line: &BatchLine) -> Result<pb::Payment, Error> {
    let payment = &line.payment;
    Ok(pb::Payment {
        line: payment.line,
        batch: format!("funds/{}/batches/{}", payment.claim.fund, payment.batch),
        claim: payment.claim.to_string(),
        region: names::of_region(&line.region),
        payer: from_payer(payment.payer),
        attempt: payment.attempt,
        reference: payment.reference.clone(),
        amount: payment.amount.to_string(),
        state: from_state(line.released.then_some(payment.state)),
        applicant: line.masked_name.clone(),
        account: line.masked_account.clone(),
        bank_reference: payment.bank_reference.clone(),
        concluded_on: payment.concluded_on.clone(),
        reason: payment.reason.clone(),
        concluded: optional_signature(payment.concluded.as_ref())?,
    })
}

/// Writes what is said of a file before its content.
pub fn from_file(file: &BankFile) -> pb::BankFileHeader {
    pb::BankFileHeader {
        file_name: file.name.clone(),
        payer: from_payer(file.payer),
        region: file.region.as_ref().map(names::of_region).unwrap_or_default(),
        payments: file.totals.count,
        amount: file.totals.sum.to_string(),
        bytes: file.bytes.len() as u64,
    }
}

/// Writes what became of a bank's file.
pub fn from_results(imported: &ImportedResults) -> Result<pb::ImportResultsResponse, Error> {
    let count = |outcome| imported.count(outcome) as u64;
    Ok(pb::ImportResultsResponse {
        rows: imported.rows.iter().map(from_row).collect(),
        applied: count(RowOutcome::Applied),
        unchanged: count(RowOutcome::Unchanged),
        pending: count(RowOutcome::Pending),
        refused: count(RowOutcome::Refused),
        batches: imported
            .batches
            .iter()
            .map(from_batch)
            .collect::<Result<_, _>>()?,
    })
}

fn from_row(row: &ResultRow) -> pb::PaymentResultRow {
    let outcome = match row.outcome {
        RowOutcome::Applied => pb::ResultOutcome::Applied,
        RowOutcome::Unchanged => pb::ResultOutcome::Unchanged,
        RowOutcome::Pending => pb::ResultOutcome::Pending,
        RowOutcome::Refused => pb::ResultOutcome::Refused,
    };
    let refusal = row.refusal.as_ref();
    pb::PaymentResultRow {
        line: row.line,
        reference: row.reference.clone(),
        claim: row.claim.as_ref().map(ClaimId::to_string).unwrap_or_default(),
        answer: row.answer.clone(),
        outcome: outcome.into(),
        reason: refusal.map(|refusal| refusal.reason.clone()).unwrap_or_default(),
        message: refusal.map(|refusal| localized(&refusal.message)),
    }
}
