//! Claims.

use super::names;
use super::{optional_signature, signature};
use crate::app::claims::{ClaimDetail, ClaimInput};
use crate::app::desk::{Command, Outcome, Refusal, objection_name};
use crate::app::policies::PolicyName;
use crate::app::records::Change;
use crate::app::rules::AssessRequest;
use crate::domain::claim::{Claim, Payee, Person, Personal};
use crate::domain::disbursement::Payment;
use crate::domain::error::{Error, Violation};
use crate::domain::subsidy::{PolicyId, format_date};
use crate::grpc::pb;

/// Longest note or reason, in characters.
const MAX_NOTE: usize = 500;

/// Reads a claim as handed in.
pub fn claim_input(message: pb::ClaimInput) -> Result<ClaimInput, Error> {
    let person = |person: pb::Person| Person {
        name: person.name,
        id_number: person.id_number,
    };
    Ok(ClaimInput {
        fund: names::fund("fund", &message.fund)?,
        assess: AssessRequest {
            region: names::region("region", &message.region)?,
            programme: names::programme("programme", &message.programme)?,
            facts: message.facts.into_iter().collect(),
            documents: message.documents,
        },
        personal: Personal {
            applicant: message.applicant.map(person).unwrap_or_default(),
            household: message.household.into_iter().map(person).collect(),
            phone: message.phone,
            payee: message.payee.map(payee).unwrap_or_default(),
            home: message.home,
        },
    })
}

/// Reads an account.
pub fn payee(message: pb::PayeeAccount) -> Payee {
    Payee {
        name: message.name,
        account: message.account,
        bank_name: message.bank_name,
        bank_code: message.bank_code,
    }
}

/// Reads a note.
pub fn note(field: &str, text: &str) -> Result<String, Violation> {
    let text = text.trim();
    if text.chars().count() <= MAX_NOTE && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Violation::new(
        field,
        format!("{} characters", text.chars().count()),
        format!("at most {MAX_NOTE} characters on one line"),
        format!("一行,至多 {MAX_NOTE} 个字符"),
    ))
}

/// Reads what is to be done to a claim.
pub fn claim_change(message: pb::ClaimChange) -> Result<Command, Error> {
    let claim = names::claim("name", &message.name)?;
    let (etag, note) = (message.etag, note("reason", &message.reason)?);
    Ok(match message.action.as_str() {
        "approve" => Command::Approve {
            claim,
            etag,
            wait: message.may_wait,
        },
        "reject" => Command::Reject { claim, etag, note },
        "withdraw" => Command::Withdraw { claim, etag, note },
        "cancel" => Command::Cancel { claim, etag, note },
        other => {
            return Err(Violation::new(
                "action",
                other,
                "approve, reject, withdraw or cancel",
                "approve(批准)、reject(不予批准)、withdraw(撤回)或 cancel(取消)",
            )
            .into());
        }
    })
}

/// A row that could not be read is refused by itself.
pub fn refused<T>(read: Result<T, Error>) -> Result<T, Refusal> {
    read.map_err(|error| Refusal::from(&error))
}

/// Writes a claim.
pub fn from_claim(claim: &Claim) -> Result<pb::Claim, Error> {
    let date = |date: Option<time::Date>| date.map(format_date).unwrap_or_default();
    let notice = &claim.notice;
    Ok(pb::Claim {
        name: claim.id.to_string(),
        region: names::of_region(&claim.region),
        programme: format!("programmes/{}", claim.programme),
        policy: PolicyName {
            id: PolicyId::parse("policy", &claim.policy)?,
            revision: Some(claim.policy_revision),
        }
        .resource_name(),
        state: claim.state.code().to_owned(),
        amount: claim.amount.to_string(),
        parts: (claim.parts.iter())
            .map(|part| pb::ClaimPart {
                payer: part.payer.code().to_owned(),
                amount: part.amount.to_string(),
                state: part.state.code().to_owned(),
                attempts: part.attempts,
                returned: part.returned.to_string(),
            })
            .collect(),
        masked_name: claim.masked_name.clone(),
        masked_id: claim.masked_id.clone(),
        notice_days: notice.days,
        notice_from: date(notice.from),
        notice_until: date(notice.until),
        open_objections: notice.open_objections,
        waiting: claim.waiting,
        batch: match claim.batch {
            0 => String::new(),
            batch => format!("funds/{}/batches/{batch}", claim.id.fund),
        },
        submitted: Some(signature(&claim.submitted)?),
        decided: optional_signature(claim.decided.as_ref())?,
        etag: claim.etag(),
    })
}

/// Writes a claim with what is around it.
pub fn from_detail(detail: ClaimDetail) -> Result<pb::GetClaimResponse, Error> {
    let claim = &detail.claim;
    let objections = detail.objections.iter().map(|objection| {
        Ok(pb::Objection {
            name: objection_name(&claim.id, objection.number),
            state: objection.state.clone(),
            raised: Some(signature(&objection.raised)?),
            resolved: optional_signature(objection.resolved.as_ref())?,
            resolution: objection.resolution.clone(),
        })
    });
    Ok(pb::GetClaimResponse {
        objections: objections.collect::<Result<_, Error>>()?,
        claim: Some(from_claim(claim)?),
        payments: detail.payments.iter().map(from_payment).collect(),
        facts: detail.facts.into_iter().collect(),
        documents: detail.documents,
        masked_account: detail.masked_account,
    })
}

fn from_payment(payment: &Payment) -> pb::ClaimPayment {
    pb::ClaimPayment {
        reference: payment.reference.clone(),
        batch: format!("funds/{}/batches/{}", payment.claim.fund, payment.batch),
        payer: payment.payer.code().to_owned(),
        attempt: payment.attempt,
        amount: payment.amount.to_string(),
        state: payment.state.code().to_owned(),
        bank_reference: payment.bank_reference.clone(),
        concluded_on: payment.concluded_on.clone(),
        reason: payment.reason.clone(),
    }
}

/// Writes what happened to a claim.
pub fn from_event(change: &Change) -> Result<pb::ClaimEvent, Error> {
    Ok(pb::ClaimEvent {
        number: change.number,
        kind: change.kind.clone(),
        state: change.state.clone(),
        amount: change.amount.to_string(),
        note: change.note.clone(),
        signed: Some(signature(&change.signed)?),
    })
}

/// Writes what became of one claim of a bulk call.
pub fn from_outcome(outcome: &Outcome) -> pb::ClaimOutcome {
    match outcome {
        Ok(receipt) => pb::ClaimOutcome {
            name: receipt.claim.to_string(),
            state: receipt.state.code().to_owned(),
            amount: receipt.amount.to_string(),
            etag: receipt.etag.clone(),
            ..pb::ClaimOutcome::default()
        },
        Err(refusal) => pb::ClaimOutcome {
            reason: refusal.reason.clone(),
            message: Some(super::localized(&refusal.message)),
            faults: (refusal.violations.iter())
                .map(|violation| pb::ClaimFault {
                    field: violation.field.clone(),
                    found: violation.found.clone(),
                    allowed: Some(super::localized(&violation.allowed)),
                })
                .collect(),
            ..pb::ClaimOutcome::default()
        },
    }
}
