//! Claims as tables. All that is personal comes masked from the service.

use super::output::Failure;
use super::tables::{UNIT, code, money, text};
use crate::domain::claim::State;
use crate::grpc::pb;
use crate::report::{Cell, Column, Table};

/// The code of a state and its Chinese name.
pub(super) fn state_words(state: &str) -> String {
    State::parse("state", state).map_or_else(
        |_| state.to_owned(),
        |state| format!("{} {}", state.zh(), state.code()),
    )
}

fn payer_words(payer: &str) -> String {
    crate::domain::payer::Payer::parse("payer", payer).map_or_else(
        |_| payer.to_owned(),
        |payer| format!("{} {}", payer.zh(), payer.code()),
    )
}

fn by(signature: Option<&pb::Signature>) -> Cell {
    signature.map_or(Cell::Empty, |signature| text(&signature.principal))
}

fn part<'c>(claim: &'c pb::Claim, payer: &str) -> &'c str {
    claim
        .parts
        .iter()
        .find(|part| part.payer == payer)
        .map_or("0.00", |part| part.amount.as_str())
}

/// Claims, a line each.
pub(super) fn claims(claims: &[pb::Claim], notes: Vec<String>) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(claims.len());
    for claim in claims {
        rows.push(vec![
            text(&claim.name),
            text(code(&claim.region)),
            text(code(&claim.programme)),
            text(state_words(&claim.state)),
            text(&claim.masked_name),
            text(&claim.masked_id),
            money(part(claim, "city"))?,
            money(part(claim, "county"))?,
            money(&claim.amount)?,
            text(&claim.notice_from),
            text(&claim.notice_until),
            Cell::Integer(claim.open_objections.into()),
            Cell::Integer(i64::try_from(claim.waiting).unwrap_or(i64::MAX)),
            text(&claim.batch),
            by(claim.submitted.as_ref()),
            by(claim.decided.as_ref()),
            text(&claim.etag),
        ]);
    }
    Ok(Table {
        title: "申请 Claims".to_owned(),
        unit: UNIT.to_owned(),
        notes,
        columns: vec![
            Column::new("claim", "申请 Claim"),
            Column::new("region", "地区 Region"),
            Column::new("programme", "项目 Programme"),
            Column::new("state", "状态 State"),
            Column::new("applicant", "申请人 Applicant"),
            Column::new("id_number", "证件号 ID number"),
            Column::summed("city", "市级 City"),
            Column::summed("county", "县级 County"),
            Column::summed("amount", "金额 Amount"),
            Column::new("notice_from", "公示自 Notice from"),
            Column::new("notice_until", "公示至 Notice until"),
            Column::new("open_objections", "未决异议 Objections"),
            Column::new("waiting", "等候序 Waiting"),
            Column::new("batch", "批次 Batch"),
            Column::new("submitted_by", "申报 Submitted by"),
            Column::new("decided_by", "审批 Decided by"),
            Column::new("etag", "版本 Etag"),
        ],
        rows,
        totals: true,
    })
}

/// What a public notice shows, and nothing else.
pub(super) fn notices(claims: &[pb::Claim]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(claims.len());
    for claim in claims {
        rows.push(vec![
            text(claim.name.rsplit('/').next().unwrap_or_default()),
            text(&claim.masked_name),
            text(&claim.masked_id),
            text(code(&claim.region)),
            text(code(&claim.programme)),
            money(&claim.amount)?,
            text(&claim.notice_from),
            text(&claim.notice_until),
        ]);
    }
    Ok(Table {
        title: "公示名单 Public notice".to_owned(),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns: vec![
            Column::new("number", "编号 No."),
            Column::new("applicant", "申请人 Applicant"),
            Column::new("id_number", "证件号 ID number"),
            Column::new("region", "地区 Region"),
            Column::new("programme", "项目 Programme"),
            Column::summed("amount", "金额 Amount"),
            Column::new("notice_from", "公示自 From"),
            Column::new("notice_until", "公示至 Until"),
        ],
        rows,
        totals: true,
    })
}

/// What became of claims in bulk, a line each.
pub(super) fn outcomes(
    names: &[String],
    outcomes: &[pb::ClaimOutcome],
    dry_run: bool,
) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(outcomes.len());
    for (name, outcome) in names.iter().zip(outcomes) {
        let message = outcome.message.clone().unwrap_or_default();
        rows.push(vec![
            text(name),
            text(if outcome.reason.is_empty() {
                state_words(&outcome.state)
            } else {
                "未办理 refused".to_owned()
            }),
            money(&outcome.amount)?,
            text(&outcome.reason),
            text(message.zh),
            text(message.en),
        ]);
    }
    Ok(Table {
        title: "办理结果 Outcomes".to_owned(),
        unit: UNIT.to_owned(),
        notes: dry_notes(dry_run),
        columns: vec![
            Column::new("claim", "申请 Claim"),
            Column::new("outcome", "结果 Outcome"),
            Column::summed("amount", "金额 Amount"),
            Column::new("reason", "原因代码 Reason"),
            Column::new("message_zh", "说明"),
            Column::new("message_en", "Message"),
        ],
        rows,
        totals: true,
    })
}

/// A note beneath a table of what would be.
pub(super) fn dry_notes(dry_run: bool) -> Vec<String> {
    if dry_run {
        vec!["试运行,未更改 dry run, nothing changed".to_owned()]
    } else {
        Vec::new()
    }
}

/// What happened to a claim, a line each.
pub(super) fn history(name: &str, events: &[pb::ClaimEvent]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        let signed = event.signed.clone().unwrap_or_default();
        rows.push(vec![
            text(event.number.to_string()),
            text(signed.time),
            text(signed.principal),
            text(&event.kind),
            text(state_words(&event.state)),
            money(&event.amount)?,
            text(&event.note),
        ]);
    }
    Ok(Table {
        title: format!("办理记录 History of {name}"),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns: vec![
            Column::new("number", "编号 No."),
            Column::new("time", "时间 Time"),
            Column::new("by", "经办 By"),
            Column::new("kind", "事项 Event"),
            Column::new("state", "之后状态 State"),
            Column::new("amount", "金额 Amount"),
            Column::new("note", "说明 Note"),
        ],
        rows,
        totals: false,
    })
}

/// A claim by its parts, with facts, documents, payments and objections as notes.
pub(super) fn detail(detail: &pb::GetClaimResponse) -> Result<Table, Failure> {
    let claim = detail.claim.clone().unwrap_or_default();
    let mut rows = Vec::with_capacity(claim.parts.len());
    for part in &claim.parts {
        rows.push(vec![
            text(payer_words(&part.payer)),
            text(&part.state),
            Cell::Integer(part.attempts.into()),
            money(&part.amount)?,
            money(&part.returned)?,
        ]);
    }
    Ok(Table {
        title: format!("{} {}", claim.name, state_words(&claim.state)),
        unit: UNIT.to_owned(),
        notes: detail_notes(detail, &claim),
        columns: vec![
            Column::new("payer", "资金 Payer"),
            Column::new("state", "状态 State"),
            Column::new("attempts", "支付次数 Attempts"),
            Column::summed("amount", "金额 Amount"),
            Column::summed("returned", "已退回 Returned"),
        ],
        rows,
        totals: true,
    })
}

fn detail_notes(detail: &pb::GetClaimResponse, claim: &pb::Claim) -> Vec<String> {
    let mut notes = vec![
        format!(
            "申请人 Applicant: {} {}; 收款账户 Account: {}",
            claim.masked_name, claim.masked_id, detail.masked_account
        ),
        format!(
            "地区 Region: {}; 项目 Programme: {}; 政策 Policy: {}",
            code(&claim.region),
            code(&claim.programme),
            claim.policy
        ),
    ];
    for (label, signature) in [
        ("申报 Submitted", &claim.submitted),
        ("审批 Decided", &claim.decided),
    ] {
        if let Some(signature) = signature {
            notes.push(format!("{label}: {} {}", signature.principal, signature.time));
        }
    }
    if !claim.notice_from.is_empty() {
        notes.push(format!(
            "公示 Public notice: {} – {}",
            claim.notice_from, claim.notice_until
        ));
    }
    if claim.waiting > 0 {
        notes.push(format!("等候序 Place in the waiting list: {}", claim.waiting));
    }
    if !claim.batch.is_empty() {
        notes.push(format!("批次 Batch: {}", claim.batch));
    }
    let facts: Vec<String> = detail
        .facts
        .iter()
        .map(|(code, value)| format!("{code}={value}"))
        .collect();
    notes.push(format!("事项 Facts: {}", facts.join(", ")));
    notes.push(format!("材料 Documents: {}", detail.documents.join(", ")));
    for payment in &detail.payments {
        notes.push(format!(
            "付款 Payment {}: {} {} {} {} {}",
            payment.reference,
            payer_words(&payment.payer),
            payment.amount,
            payment.state,
            payment.concluded_on,
            payment.reason
        ));
    }
    for objection in &detail.objections {
        notes.push(format!(
            "异议 Objection {}: {} {}",
            objection.name, objection.state, objection.resolution
        ));
    }
    notes.push(format!("版本 Etag: {}", claim.etag));
    notes
}
