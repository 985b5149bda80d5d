//! Breaks and how they are resolved.

use super::statements::{from_line_id, line_name};
use super::{CLASSES, from_class, numbered, unknown};
use crate::app::reconciliation::{AgeingCell, BreakDetail};
use crate::app::records::BreakFilter;
use crate::domain::error::{Error, Violation};
use crate::domain::identity::Principal;
use crate::domain::money::Money;
use crate::domain::reconciliation::breaks::{Category, Correction, How, MAX_MEMBERS, Resolution, Step};
use crate::domain::reconciliation::{Break, BreakId, BreakState, LineId, Month};
use crate::domain::subsidy::parse_date;
use crate::grpc::convert::{localized, optional_signature, signature};
use crate::grpc::pb;
use crate::grpc::pb::resolve_break_request::How as Wire;

const STATES: [(BreakState, pb::BreakState); 4] = [
    (BreakState::Open, pb::BreakState::Open),
    (BreakState::Proposed, pb::BreakState::Proposed),
    (BreakState::Approved, pb::BreakState::Approved),
    (BreakState::Resolved, pb::BreakState::Resolved),
];

const CATEGORIES: [(Category, pb::ExplanationCategory); 5] = [
    (Category::Receipt, pb::ExplanationCategory::Receipt),
    (Category::Interest, pb::ExplanationCategory::Interest),
    (Category::Fee, pb::ExplanationCategory::Fee),
    (Category::Transfer, pb::ExplanationCategory::Transfer),
    (Category::Other, pb::ExplanationCategory::Other),
];

/// `bankAccounts/{id}/breaks/{number}`.
pub fn break_name(field: &str, name: &str) -> Result<BreakId, Violation> {
    let (account, number) = numbered("bankAccounts/ACCOUNT/breaks/NUMBER", field, name, "breaks")?;
    Ok(BreakId { account, number })
}

/// Reads which breaks to list.
pub fn break_filter(message: &pb::ListBreaksRequest) -> Result<BreakFilter, Violation> {
    let class = match message.match_class {
        0 => None,
        wire => Some(
            CLASSES
                .iter()
                .find(|(_, known)| *known as i32 == wire)
                .map(|(class, _)| *class)
                .ok_or_else(|| unknown("match_class", wire, "a class", "差异类别"))?,
        ),
    };
    let state = match message.state {
        0 => None,
        wire => Some(
            STATES
                .iter()
                .find(|(_, known)| *known as i32 == wire)
                .map(|(state, _)| *state)
                .ok_or_else(|| unknown("state", wire, "a state of a break", "差异状态"))?,
        ),
    };
    let period = (!message.period.is_empty()).then(|| Month::parse("period", &message.period));
    let assignee = (!message.assignee.is_empty()).then(|| Principal::parse(&message.assignee));
    Ok(BreakFilter {
        class,
        state,
        period: period.transpose()?,
        assignee: assignee.transpose()?,
    })
}

/// Reads how to resolve a break.
pub fn how(message: &pb::ResolveBreakRequest) -> Result<How, Violation> {
    let missing = || {
        Violation::new(
            "how",
            "",
            "one of hand_match, correction, bank_error, explanation, carry_over, accept",
            "hand_match、correction、bank_error、explanation、carry_over、accept 之一",
        )
    };
    Ok(match message.how.as_ref().ok_or_else(missing)? {
        Wire::HandMatch(found) => hand_match(found)?,
        Wire::Correction(found) => How::Correct {
            correction: correction(found)?,
        },
        Wire::BankError(true) => How::BankError,
        Wire::CarryOver(true) => How::CarryOver,
        Wire::Accept(true) => How::Accept,
        Wire::BankError(false) | Wire::CarryOver(false) | Wire::Accept(false) => {
            return Err(Violation::new("how", "false", "true", "true"));
        }
        Wire::Explanation(found) => How::Explain {
            category: CATEGORIES
                .iter()
                .find(|(_, known)| *known as i32 == found.category)
                .map(|(category, _)| *category)
                .ok_or_else(|| {
                    unknown(
                        "explanation.category",
                        found.category,
                        "receipt, interest, fee, transfer or other",
                        "收到资金、利息、手续费、内部划转或其他",
                    )
                })?,
            entry: found.entry.clone(),
        },
    })
}

fn hand_match(found: &pb::HandMatch) -> Result<How, Violation> {
    if found.lines.len() + found.payments.len() > MAX_MEMBERS {
        return Err(Violation::new(
            "match",
            format!(
                "{} lines and {} payments",
                found.lines.len(),
                found.payments.len()
            ),
            format!("at most {MAX_MEMBERS} together"),
            format!("合计至多 {MAX_MEMBERS} 项"),
        ));
    }
    let lines: Result<Vec<LineId>, Violation> = found
        .lines
        .iter()
        .enumerate()
        .map(|(at, line)| line_name(&format!("match.lines[{at}]"), line))
        .collect();
    Ok(How::Match {
        lines: lines?,
        payments: found.payments.clone(),
    })
}

fn correction(found: &pb::Correction) -> Result<Correction, Violation> {
    let payment = found.payment.clone();
    if payment.is_empty() {
        return Err(Violation::new(
            "correction.payment",
            "",
            "the reference of a payment",
            "付款的业务参考号",
        ));
    }
    match pb::CorrectionKind::try_from(found.kind) {
        Ok(pb::CorrectionKind::Settle) => {
            parse_date("correction.date", &found.date)?;
            Ok(Correction::Settle {
                payment,
                on: found.date.clone(),
            })
        }
        Ok(pb::CorrectionKind::Fail) => Ok(Correction::Fail { payment }),
        Ok(pb::CorrectionKind::Return) => Ok(Correction::Return {
            payment,
            amount: Money::parse("correction.amount", &found.amount)?,
        }),
        _ => Err(unknown(
            "correction.kind",
            found.kind,
            "settle, fail or return",
            "支付成功、支付失败或退回",
        )),
    }
}

/// Writes a break.
pub fn from_break(found: &Break) -> Result<pb::Break, Error> {
    let evidence = &found.evidence;
    let account = &found.id.account;
    Ok(pb::Break {
        name: found.id.to_string(),
        match_class: from_class(evidence.class),
        reason: evidence.reason.code().to_owned(),
        state: STATES
            .iter()
            .find(|(state, _)| *state == found.state)
            .map_or(0, |(_, wire)| *wire as i32),
        etag: found.etag(),
        period: found.period.to_string(),
        since: evidence.since.clone(),
        amount: evidence.amount().to_string(),
        expected: evidence.expected.to_string(),
        found: evidence.found.to_string(),
        payment: found.payment().unwrap_or_default().to_owned(),
        line: found.line().map(|line| from_line_id(account, line)),
        other_payment: evidence.other_reference.clone(),
        other_line: evidence.other_line.map(|line| from_line_id(account, line)),
        evidence: Some(localized(&evidence.sentence())),
        suggestion: Some(localized(&evidence.suggestion())),
        assignee: found
            .assignee
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        resolution: found
            .resolution
            .as_ref()
            .map(|resolution| from_resolution(found, resolution))
            .transpose()?,
        carried_to: found
            .carried_to
            .map(|month| month.to_string())
            .unwrap_or_default(),
        corrects: found
            .corrects
            .map(|number| format!("bankAccounts/{account}/breaks/{number}"))
            .unwrap_or_default(),
    })
}

fn from_resolution(found: &Break, resolution: &Resolution) -> Result<pb::Resolution, Error> {
    let mut message = pb::Resolution {
        reason: resolution.reason.clone(),
        proposed: Some(signature(&resolution.proposed)?),
        approved: optional_signature(resolution.approved.as_ref())?,
        ..Default::default()
    };
    let kind = match &resolution.how {
        How::Rule => pb::ResolutionKind::Rule,
        How::Match { lines, payments } => {
            message.hand_match = Some(pb::HandMatch {
                lines: lines
                    .iter()
                    .map(|line| from_line_id(&found.id.account, *line))
                    .collect(),
                payments: payments.clone(),
            });
            pb::ResolutionKind::Match
        }
        How::Correct { correction } => {
            message.correction = Some(from_correction(correction));
            pb::ResolutionKind::Correction
        }
        How::BankError => pb::ResolutionKind::BankError,
        How::Explain { category, entry } => {
            message.explanation = Some(pb::LineExplanation {
                category: CATEGORIES
                    .iter()
                    .find(|(known, _)| known == category)
                    .map_or(0, |(_, wire)| *wire as i32),
                entry: entry.clone(),
            });
            pb::ResolutionKind::Explanation
        }
        How::Accept => pb::ResolutionKind::Acceptance,
        // A break that is carried over is open; nothing has resolved it.
        How::CarryOver => pb::ResolutionKind::Unspecified,
    };
    message.kind = kind.into();
    Ok(message)
}

fn from_correction(correction: &Correction) -> pb::Correction {
    let (kind, amount, date) = match correction {
        Correction::Settle { on, .. } => (pb::CorrectionKind::Settle, String::new(), on.clone()),
        Correction::Fail { .. } => (pb::CorrectionKind::Fail, String::new(), String::new()),
        Correction::Return { amount, .. } => (pb::CorrectionKind::Return, amount.to_string(), String::new()),
    };
    pb::Correction {
        kind: kind.into(),
        payment: correction.payment().to_owned(),
        amount,
        date,
    }
}

/// Writes a break with its history.
pub fn from_detail(detail: &BreakDetail) -> Result<pb::GetBreakResponse, Error> {
    let history = (1..)
        .zip(&detail.history)
        .map(|(number, step)| from_step(number, step));
    Ok(pb::GetBreakResponse {
        bank_break: Some(from_break(&detail.found)?),
        history: history.collect::<Result<_, _>>()?,
        line: None,
    })
}

fn from_step(number: u64, step: &Step) -> Result<pb::BreakStep, Error> {
    Ok(pb::BreakStep {
        number,
        kind: step.kind.code().to_owned(),
        signed: Some(signature(&step.signed)?),
        note: step.note.clone(),
    })
}

/// Writes the breaks of one class and age.
pub fn from_ageing(cell: &AgeingCell) -> pb::AgeingCell {
    pb::AgeingCell {
        match_class: from_class(cell.class),
        from_days: cell.from_days,
        to_days: cell.to_days.unwrap_or_default(),
        count: cell.count,
        amount: cell.amount.to_string(),
    }
}
