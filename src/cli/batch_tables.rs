//! Payment batches as tables.

use super::fund_tables::payer_words;
use super::output::Failure;
use super::tables::{UNIT, code, money, text};
use crate::domain::disbursement::{BatchState, PaymentState};
use crate::grpc::pb;
use crate::report::{Cell, Column, Table};

/// English and Chinese words of a batch's state.
pub(super) fn batch_words(state: i32) -> (&'static str, &'static str) {
    let state = match pb::BatchState::try_from(state) {
        Ok(pb::BatchState::Draft) => BatchState::Draft,
        Ok(pb::BatchState::Frozen) => BatchState::Frozen,
        Ok(pb::BatchState::Released) => BatchState::Released,
        Ok(pb::BatchState::Closed) => BatchState::Closed,
        Ok(pb::BatchState::Cancelled) => BatchState::Cancelled,
        _ => return ("", ""),
    };
    (state.code(), state.zh())
}

fn payment_words(state: i32) -> (&'static str, &'static str) {
    let state = match pb::PaymentState::try_from(state) {
        Ok(pb::PaymentState::Instructed) => PaymentState::Instructed,
        Ok(pb::PaymentState::Settled) => PaymentState::Settled,
        Ok(pb::PaymentState::Failed) => PaymentState::Failed,
        _ => return ("planned", "待发出"),
    };
    (state.code(), state.zh())
}

fn outcome_words(outcome: i32) -> (&'static str, &'static str) {
    match pb::ResultOutcome::try_from(outcome) {
        Ok(pb::ResultOutcome::Applied) => ("applied", "已登记"),
        Ok(pb::ResultOutcome::Unchanged) => ("unchanged", "此前已登记"),
        Ok(pb::ResultOutcome::Pending) => ("pending", "银行处理中"),
        Ok(pb::ResultOutcome::Refused) => ("refused", "未登记"),
        _ => ("", ""),
    }
}

fn both((en, zh): (&str, &str)) -> Cell {
    text(format!("{zh} {en}"))
}

fn count(number: u64) -> Cell {
    Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn by(signature: Option<&pb::Signature>) -> Cell {
    signature.map_or(Cell::Empty, |signature| text(&signature.principal))
}

/// Batches, a line each.
pub(super) fn batches(batches: &[pb::PaymentBatch]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(batches.len());
    for batch in batches {
        rows.push(vec![
            text(&batch.name),
            text(code(&batch.programme)),
            both(batch_words(batch.state)),
            text(&batch.execution_date),
            count(batch.payments),
            money(&batch.amount)?,
            by(batch.created.as_ref()),
            by(batch.released.as_ref()),
            text(&batch.note),
        ]);
    }
    Ok(Table {
        title: "支付批次 Payment batches".to_owned(),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns: vec![
            Column::new("batch", "批次 Batch"),
            Column::new("programme", "项目 Programme"),
            Column::new("state", "状态 State"),
            Column::new("execution_date", "付款日 Date"),
            Column::summed("payments", "笔数 Payments"),
            Column::summed("amount", "金额 Amount"),
            Column::new("created_by", "经办 Collected by"),
            Column::new("released_by", "复核 Released by"),
            Column::new("note", "说明 Note"),
        ],
        rows,
        totals: true,
    })
}

/// One batch: its payments by payer and state.
pub(super) fn batch(batch: &pb::PaymentBatch, totals: &[pb::PaymentTotal]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(totals.len());
    for total in totals {
        rows.push(vec![
            both(payer_words(total.payer)),
            both(payment_words(total.state)),
            count(total.count),
            money(&total.amount)?,
        ]);
    }
    let signed = |what: &str, signature: Option<&pb::Signature>| {
        signature.map(|signature| format!("{what}: {} {}", signature.principal, signature.time))
    };
    let mut notes = vec![
        format!("项目 Programme: {}", code(&batch.programme)),
        format!("付款日 Date: {}", batch.execution_date),
        format!("etag {}", batch.etag),
    ];
    notes.extend(signed("经办 Collected", batch.created.as_ref()));
    notes.extend(signed("锁定 Frozen", batch.frozen.as_ref()));
    notes.extend(signed("复核发出 Released", batch.released.as_ref()));
    notes.extend(signed("完成或取消 Closed or cancelled", batch.closed.as_ref()));
    if !batch.note.is_empty() {
        notes.push(format!("说明 Note: {}", batch.note));
    }
    let (en, zh) = batch_words(batch.state);
    Ok(Table {
        title: format!("{} {zh} {en}", batch.name),
        unit: UNIT.to_owned(),
        notes,
        columns: vec![
            Column::new("payer", "资金来源 Payer"),
            Column::new("state", "状态 State"),
            Column::summed("payments", "笔数 Payments"),
            Column::summed("amount", "金额 Amount"),
        ],
        rows,
        totals: true,
    })
}

/// The lines of a batch.
pub(super) fn payments(name: &str, payments: &[pb::Payment]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(payments.len());
    for payment in payments {
        rows.push(vec![
            text(payment.line.to_string()),
            text(code(&payment.claim)),
            text(code(&payment.region)),
            both(payer_words(payment.payer)),
            text(payment.attempt.to_string()),
            text(&payment.reference),
            money(&payment.amount)?,
            both(payment_words(payment.state)),
            text(&payment.applicant),
            text(&payment.account),
            text(&payment.bank_reference),
            text(&payment.concluded_on),
            text(&payment.reason),
        ]);
    }
    Ok(Table {
        title: format!("支付明细 Payments of {name}"),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns: vec![
            Column::new("line", "序号 No."),
            Column::new("claim", "申请 Claim"),
            Column::new("region", "地区 Region"),
            Column::new("payer", "资金来源 Payer"),
            Column::new("attempt", "次 Attempt"),
            Column::new("reference", "业务参考号 Reference"),
            Column::summed("amount", "金额 Amount"),
            Column::new("state", "状态 State"),
            Column::new("applicant", "申请人 Applicant"),
            Column::new("account", "账号 Account"),
            Column::new("bank_reference", "银行流水号 Bank reference"),
            Column::new("date", "日期 Date"),
            Column::new("reason", "失败原因 Reason"),
        ],
        rows,
        totals: true,
    })
}

/// What became of the answers in a bank's file.
pub(super) fn results(file: &str, answer: &pb::ImportResultsResponse, dry_run: bool) -> Table {
    let rows = answer.rows.iter().map(|row| {
        let message = row.message.as_ref();
        vec![
            text(row.line.to_string()),
            text(&row.reference),
            text(code(&row.claim)),
            text(&row.answer),
            both(outcome_words(row.outcome)),
            text(&row.reason),
            message.map_or(Cell::Empty, |message| {
                text(format!("{} / {}", message.zh, message.en))
            }),
        ]
    });
    let mut notes = vec![format!(
        "已登记 applied {}, 此前已登记 unchanged {}, 银行处理中 pending {}, 未登记 refused {}",
        answer.applied, answer.unchanged, answer.pending, answer.refused
    )];
    notes.extend(answer.batches.iter().map(|batch| {
        let (en, zh) = batch_words(batch.state);
        format!("{}: {zh} {en}", batch.name)
    }));
    if dry_run {
        notes.push("试运行,未登记 dry run, nothing changed".to_owned());
    }
    Table {
        title: format!("支付结果 Results of {file}"),
        unit: String::new(),
        notes,
        columns: vec![
            Column::new("line", "行 Line"),
            Column::new("reference", "业务参考号 Reference"),
            Column::new("claim", "申请 Claim"),
            Column::new("answer", "银行结果 Answer"),
            Column::new("outcome", "处理 Outcome"),
            Column::new("reason", "原因 Reason"),
            Column::new("message", "说明 Message"),
        ],
        rows: rows.collect(),
        totals: false,
    }
}
