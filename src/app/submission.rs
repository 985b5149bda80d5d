//! A claim as handed in is checked and assessed, so that the desk only has to take it.

use super::claims::{ClaimInput, sealable};
use super::desk::Submission;
use super::records::OnceKey;
use super::rules::{AssessRequest, Assessed, Rules};
use super::vault::Vault;
use crate::domain::claim::{Personal, discreet};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::programme::Once;
use crate::domain::subsidy::{Assessment, Detail, Facts, ItemCode};

/// Most kinds of documents of a claim.
const MAX_DOCUMENTS: usize = 50;

/// Checks and assesses a claim. `path` is its region and those that contain it, from the inside out.
///
/// # Errors
///
/// [`Error::Invalid`] with the faults of facts, documents and personal data together, none of which repeats
/// what may be personal; [`Error::State`] where no policy is in force, or nothing is due under it.
pub(super) fn prepare(
    rules: &Rules,
    vault: &Vault,
    path: &[RegionCode],
    input: ClaimInput,
) -> Result<Submission, Error> {
    let ClaimInput {
        fund,
        assess,
        personal,
    } = input;
    let (assessed, personal) = check(rules, path, &assess, personal)?;
    let Assessed {
        policy,
        facts,
        assessment,
    } = &assessed;
    if let Err(refused) = check_entitled(assessment) {
        // Only a refusal needs words: why, clause by clause.
        let worded = rules.assess(path, &assess, Detail::Derived)?;
        return Err(check_entitled(&worded.assessment).err().unwrap_or(refused));
    }
    let AssessRequest {
        region, documents, ..
    } = assess;
    let programme = &policy.programme;
    let keys = programme
        .once
        .iter()
        .flat_map(|once| once_keys(vault, &personal, facts, once))
        .collect();
    Ok(Submission {
        fund,
        region,
        programme: programme.code.clone(),
        policy: (policy.id.to_string(), policy.revision),
        law_revision: law_revision(assessment),
        parts: vec![(Payer::City, assessment.city), (Payer::County, assessment.county)],
        notice_days: assessment.notice_days,
        facts: facts.canonical(),
        documents,
        keys,
        masked_name: personal.masked_name(),
        masked_id: personal.masked_id(),
        personal: sealable(&personal)?,
    })
}

/// Assesses a claim and checks who it is for; what is wrong with either is told together.
fn check(
    rules: &Rules,
    path: &[RegionCode],
    request: &AssessRequest,
    personal: Personal,
) -> Result<(Assessed, Personal), Error> {
    let assessed = rules.assess(path, request, Detail::Decided);
    let mut faults = Vec::new();
    if let Err(Error::Invalid(violations)) = &assessed {
        faults.extend(violations.iter().cloned().map(discreet));
    }
    faults.extend(check_documents(&request.documents));
    // The policy's own revision of the programme where there is one, else the newest.
    let programme = match &assessed {
        Ok(assessed) => Some(&assessed.policy.programme),
        Err(_) => rules.programme(&request.programme),
    };
    let personal = match programme.map(|programme| personal.check(&programme.once, programme.payee)) {
        Some(Ok(personal)) => Some(personal),
        Some(Err(violations)) => {
            faults.extend(violations);
            None
        }
        None => None,
    };
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let assessed = assessed?;
    let personal = personal.ok_or_else(|| Error::internal("personal data of no programme"))?;
    Ok((assessed, personal))
}

/// Kinds of documents are codes, each once; nothing else gets in among them.
fn check_documents(documents: &[String]) -> Vec<Violation> {
    if documents.len() > MAX_DOCUMENTS {
        return vec![Violation::new(
            "documents",
            documents.len().to_string(),
            format!("at most {MAX_DOCUMENTS} kinds"),
            format!("至多 {MAX_DOCUMENTS} 种"),
        )];
    }
    let check = |(at, kind): (usize, &String)| {
        let field = format!("documents[{at}]");
        if let Err(violation) = ItemCode::parse(&field, kind) {
            return Some(discreet(violation));
        }
        documents.iter().take(at).any(|before| before == kind).then(|| {
            Violation::new(
                field,
                format!("{kind} again"),
                "each kind of document once",
                "每种材料只填一次",
            )
        })
    };
    documents.iter().enumerate().filter_map(check).collect()
}

/// For each value by which it is given once, the hashes under every key.
fn once_keys(vault: &Vault, personal: &Personal, facts: &Facts, once: &Once) -> Vec<Vec<OnceKey>> {
    let within = facts.within(once);
    let kind = match within.as_str() {
        "" => once.by.code().to_owned(),
        within => format!("{} {within}", once.by.code()),
    };
    let key = |value: &&str| {
        let lookups = vault.lookups(&kind, value).into_iter();
        lookups
            .map(|lookup| OnceKey {
                kind: kind.clone(),
                hash: lookup.hash,
                lookup_key: lookup.key,
            })
            .collect()
    };
    personal.values(once.by).iter().map(key).collect()
}

/// The revision of the deed-tax law that an assessment used; 0 where it used none.
fn law_revision(assessment: &Assessment) -> u32 {
    let law = assessment.deed_tax.as_ref().map(|tax| tax.law.as_str());
    law.and_then(|law| law.split(':').next()?.parse().ok())
        .unwrap_or(0)
}

fn check_entitled(assessment: &Assessment) -> Result<(), Error> {
    let refuse = |reason, en: String, zh: String| {
        Err(Error::State {
            name: format!("policies/{}", assessment.policy.id),
            reason,
            message: Bilingual::new(en, zh),
        })
    };
    if !assessment.eligible {
        let failed = assessment.clauses.iter().filter(|clause| !clause.passed);
        let (en, zh): (Vec<_>, Vec<_>) = failed
            .map(|clause| {
                (
                    format!("{} ({})", clause.id, clause.reason.en),
                    format!("{}({})", clause.text.zh, clause.reason.zh),
                )
            })
            .unzip();
        return refuse(
            "NOT_ELIGIBLE",
            format!("not eligible: {}", en.join("; ")),
            format!("不符合条件:{}", zh.join(";")),
        );
    }
    if !assessment.documents_missing.is_empty() {
        let missing = || assessment.documents_missing.iter();
        let en: Vec<&str> = missing().map(|label| label.code.as_str()).collect();
        let zh: Vec<&str> = missing().map(|label| label.zh.as_str()).collect();
        return refuse(
            "DOCUMENTS_MISSING",
            format!("documents are missing: {}", en.join(", ")),
            format!("缺少材料:{}", zh.join("、")),
        );
    }
    if assessment.amount <= Money::ZERO {
        return refuse(
            "NOTHING_DUE",
            "the entitlement is 0.00".to_owned(),
            "核定金额为 0.00".to_owned(),
        );
    }
    Ok(())
}
