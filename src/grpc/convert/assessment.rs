//! Assessments: what a claim is entitled to, and a request for it.

use super::policy::of_programme;
use super::{localized, names};
use crate::app::policies::PolicyName;
use crate::app::rules::AssessRequest;
use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::domain::subsidy::assessment::{
    Assessment, BenefitOutcome, CapOutcome, ClauseOutcome, DeedTaxOutcome,
};
use crate::domain::subsidy::policy::OnTaxDifference;
use crate::domain::subsidy::precise::Direction;
use crate::domain::subsidy::programme::Label;
use crate::grpc::pb;

/// Reads a request.
pub fn assess_request(message: pb::AssessClaimRequest) -> Result<AssessRequest, Error> {
    Ok(AssessRequest {
        region: names::region("region", &message.region)?,
        programme: names::programme("programme", &message.programme)?,
        facts: message.facts.into_iter().collect(),
        documents: message.documents,
    })
}

/// Writes an assessment.
pub fn from_assessment(assessment: &Assessment) -> pb::Assessment {
    let policy = &assessment.policy;
    let programme = &assessment.programme;
    let direction = Direction::ALL
        .into_iter()
        .find(|(direction, ..)| *direction == assessment.direction)
        .map_or("down", |(_, code, ..)| code);
    pb::Assessment {
        policy: PolicyName {
            id: policy.id.clone(),
            revision: Some(policy.revision),
        }
        .resource_name(),
        policy_digest: policy.digest.as_str().to_owned(),
        policy_title: Some(localized(&assessment.policy_title)),
        legal_basis: assessment.legal_basis.clone(),
        illustrative: assessment.illustrative.clone(),
        policy_region: names::of_region(&assessment.policy_region),
        programme: of_programme(programme.code.as_str(), programme.revision),
        programme_digest: programme.digest.as_str().to_owned(),
        decisive_date: assessment.decisive_date.clone(),
        eligible: assessment.eligible,
        clauses: assessment.clauses.iter().map(from_clause).collect(),
        deed_tax: assessment.deed_tax.as_ref().map(from_deed_tax),
        benefits: assessment.benefits.iter().map(from_benefit).collect(),
        caps: assessment.caps.iter().map(from_cap).collect(),
        exact: assessment.exact.clone(),
        rounding: Some(pb::AmountRounding {
            unit: assessment.unit.code().to_owned(),
            direction: direction.to_owned(),
        }),
        amount: assessment.amount.to_string(),
        city_amount: assessment.city.to_string(),
        county_amount: assessment.county.to_string(),
        settlement: assessment.settlement.iter().map(localized).collect(),
        notice_days: assessment.notice_days,
        documents_missing: assessment.documents_missing.iter().map(from_label).collect(),
    }
}

fn from_label(label: &Label) -> pb::NamedCode {
    pb::NamedCode {
        code: label.code.clone(),
        name_zh: label.zh.clone(),
        name_en: label.en.clone(),
    }
}

fn from_clause(outcome: &ClauseOutcome) -> pb::ClauseOutcome {
    pb::ClauseOutcome {
        id: outcome.id.clone(),
        clause: outcome.clause.clone(),
        text: Some(localized(&outcome.text)),
        passed: outcome.passed,
        reason: Some(localized(&outcome.reason)),
    }
}

fn from_deed_tax(outcome: &DeedTaxOutcome) -> pb::DeedTaxOutcome {
    let amount = |money: Option<Money>| money.map(|money| money.to_string()).unwrap_or_default();
    pb::DeedTaxOutcome {
        law: outcome.law.clone(),
        percent: outcome.percent.clone(),
        due: amount(outcome.due),
        receipt: outcome.receipt.to_string(),
        difference: amount(outcome.difference),
        on_difference: match outcome.on_difference {
            OnTaxDifference::Lower => "lower",
            OnTaxDifference::Refuse => "refuse",
        }
        .to_owned(),
        recognised: outcome.recognised.to_string(),
        derivation: Some(localized(&outcome.derivation)),
    }
}

fn from_cap(outcome: &CapOutcome) -> pb::CapOutcome {
    pb::CapOutcome {
        id: outcome.id.clone(),
        name: Some(localized(&outcome.name)),
        clause: outcome.clause.clone(),
        limit: outcome.limit.clone(),
        applied: outcome.applied,
        derivation: Some(localized(&outcome.derivation)),
    }
}

fn from_benefit(outcome: &BenefitOutcome) -> pb::BenefitOutcome {
    pb::BenefitOutcome {
        id: outcome.id.clone(),
        name: Some(localized(&outcome.name)),
        clause: outcome.clause.clone(),
        applies: outcome.applies,
        steps: outcome.steps.iter().map(localized).collect(),
        caps: outcome.caps.iter().map(from_cap).collect(),
        exact: outcome.exact.clone(),
    }
}
