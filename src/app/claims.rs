//! Claims: hand in, decide, and everything after, one by one and in bulk.

use super::books::OpenBooks;
use super::desk::{
    Command, Outcome, Refusal, Submission, answered_many, answered_one, no_claim, objection_name,
};
use super::policies::compile;
use super::records::{Change, ClaimFilter, ClaimMaterial, Objection, OnceKey};
use super::rules::{AssessRequest, Assessed};
use super::vault::{Sealed, Vault};
use super::{App, Mutation, clock};
use crate::domain::allocation::FundId;
use crate::domain::claim::{Claim, ClaimId, Payee, Personal, State};
use crate::domain::disbursement::{Answer, Payment};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::programme::Once;
use crate::domain::subsidy::{Assessment, DeedTaxLaw, DeedTaxLawDocument, Facts, ProgrammeCode, assess};
use crate::store::Tx;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use zeroize::Zeroizing;

/// A claim as handed in.
#[derive(Debug, Clone)]
pub struct ClaimInput {
    /// The fund that is to pay.
    pub fund: FundId,
    /// What it is assessed from.
    pub assess: AssessRequest,
    /// Who it is for.
    pub personal: Personal,
}

/// A claim with what is around it.
#[derive(Debug, Clone)]
pub struct ClaimDetail {
    /// The claim.
    pub claim: Claim,
    /// The facts that it states.
    pub facts: BTreeMap<String, String>,
    /// The documents that came with it.
    pub documents: Vec<String>,
    /// Its payments, oldest first.
    pub payments: Vec<Payment>,
    /// Objections; what they say stays sealed.
    pub objections: Vec<Objection>,
    /// The account that is paid, masked.
    pub masked_account: String,
}

/// Claims of one message of a bulk call, at most.
pub const MAX_CLAIMS: usize = 1_000;
/// Claims that leave the waiting list in one call, at most.
const MAX_FROM_LIST: u64 = 1_000;

impl App {
    /// Hands in one claim.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault; [`Error::State`] where it is not eligible, lacks documents,
    /// comes to nothing, is a second one for a household or a home, or the region has no quota.
    pub async fn submit_claim(&self, mutation: &Mutation, input: ClaimInput) -> Result<Claim, Error> {
        let vault = self.vault()?;
        let regions = BTreeSet::from([input.assess.region.clone()]);
        let reading = self.readings.of(self.store(), &self.rules, regions).await?;
        let assessed = reading.assess(&input.assess);
        let submission = match assessed.and_then(|assessed| prepare(vault, input, &assessed)) {
            Ok(submission) => submission,
            Err(refused) => {
                // What was answered stays answered, whatever the rules are by now.
                let tx = self.store().begin_read().await?;
                let answer = answered_one(&tx, mutation, "SubmitClaim").await?;
                return answer.ok_or(refused);
            }
        };
        let command = Command::Submit(Box::new(submission));
        self.desk
            .one((self.store(), vault), mutation.clone(), "SubmitClaim", command)
            .await
    }

    /// Hands in many claims, each by itself; the whole is answered once for each `request_id`.
    pub async fn submit_claims(
        &self,
        mutation: &Mutation,
        inputs: Vec<Result<ClaimInput, Refusal>>,
    ) -> Result<Vec<Outcome>, Error> {
        check_count(inputs.len())?;
        let vault = self.vault()?;
        let commands = {
            let tx = self.store().begin_read().await?;
            if let Some(answer) = answered_many(&tx, mutation, "SubmitClaims").await? {
                return Ok(answer);
            }
            let rules = self.rules(&tx).await?;
            let mut paths: HashMap<RegionCode, Vec<RegionCode>> = HashMap::new();
            let mut commands = Vec::with_capacity(inputs.len());
            for input in inputs {
                let input = match input {
                    Ok(input) => input,
                    Err(refusal) => {
                        commands.push(Err(refusal));
                        continue;
                    }
                };
                let region = &input.assess.region;
                if !paths.contains_key(region) {
                    paths.insert(region.clone(), tx.region_path(region).await?);
                }
                let path = paths.get(region).map(Vec::as_slice).unwrap_or_default();
                let prepared = rules
                    .assess(path, &input.assess)
                    .and_then(|assessed| prepare(vault, input, &assessed));
                commands.push(match prepared {
                    Ok(submission) => Ok(Command::Submit(Box::new(submission))),
                    Err(defect @ Error::Internal { .. }) => return Err(defect),
                    Err(refused) => Err(Refusal::from(&refused)),
                });
            }
            commands
        };
        self.desk
            .many((self.store(), vault), mutation.clone(), "SubmitClaims", commands)
            .await
    }

    /// Does something to one claim.
    pub async fn change_claim(
        &self,
        mutation: &Mutation,
        method: &'static str,
        command: Command,
    ) -> Result<Claim, Error> {
        self.desk
            .one((self.store(), self.vault()?), mutation.clone(), method, command)
            .await
    }

    /// Does something to each of many claims; the whole is answered once for each `request_id`.
    pub async fn change_claims(
        &self,
        mutation: &Mutation,
        method: &'static str,
        commands: Vec<Result<Command, Refusal>>,
    ) -> Result<Vec<Outcome>, Error> {
        check_count(commands.len())?;
        self.desk
            .many((self.store(), self.vault()?), mutation.clone(), method, commands)
            .await
    }

    /// Makes a claim that the bank rejected ready to be paid again, to another account where one is given.
    pub async fn retry_claim(
        &self,
        mutation: &Mutation,
        id: &ClaimId,
        etag: &str,
        payee: Option<Payee>,
        note: &str,
    ) -> Result<Claim, Error> {
        let vault = self.vault()?;
        let sealed = match payee {
            Some(payee) => {
                let tx = self.store().begin_read().await?;
                if let Some(answer) = answered_one(&tx, mutation, "RetryClaim").await? {
                    return Ok(answer);
                }
                let (claim, material) = find(&tx, id).await?;
                let programme = self.rules(&tx).await?;
                let programme = programme
                    .programme(&claim.programme)
                    .ok_or_else(|| Error::internal(format!("no programme {}", claim.programme)))?;
                let personal = Personal {
                    payee,
                    ..open(vault, id, &material.sealed)?
                };
                let personal = personal.check(&programme.once, programme.payee)?;
                Some(vault.seal(&id.to_string(), &sealable(&personal)?)?)
            }
            None => None,
        };
        let command = Command::Retry {
            claim: id.clone(),
            etag: etag.to_owned(),
            sealed,
            note: note.to_owned(),
        };
        self.change_claim(mutation, "RetryClaim", command).await
    }

    /// Notes the bank's answer to a payment.
    pub async fn conclude_payment(
        &self,
        mutation: &Mutation,
        reference: &str,
        amount: Option<Money>,
        answer: Answer,
    ) -> Result<Claim, Error> {
        let command = Command::Conclude {
            reference: reference.to_owned(),
            amount,
            answer,
        };
        self.change_claim(mutation, "RecordPaymentResult", command).await
    }

    /// Binds quota for claims that wait, in the order of their approval, until one does not fit.
    pub async fn reserve_waiting(
        &self,
        mutation: &Mutation,
        fund: &FundId,
        region: &RegionCode,
        programme: &ProgrammeCode,
    ) -> Result<Vec<Claim>, Error> {
        self.mutate_posting(mutation, "ReserveWaitingClaims", |tx| async move {
            let mut books = OpenBooks::open(&tx, &BTreeSet::from([fund.clone()])).await?;
            books.fund(fund)?;
            let filter = ClaimFilter {
                region: Some(region.clone()),
                programme: Some(programme.clone()),
                state: Some(State::Approved),
                by_waiting: true,
                ..ClaimFilter::default()
            };
            let waiting = tx.list_claims(fund, &filter, 0, MAX_FROM_LIST).await?;
            let accounts = waiting
                .iter()
                .flat_map(|claim| claim.accounts().map(|account| (fund.clone(), account)));
            books.load(&tx, accounts.collect::<Vec<_>>()).await?;
            let today = clock::today()?;
            let signed = clock::sign(&mutation.caller);
            let mut reserved: Vec<(Claim, u32)> = Vec::new();
            for mut claim in waiting {
                let stored = claim.version;
                let postings = claim.reserve(signed.clone(), today)?;
                let open = books.fund(fund)?;
                match open.post(postings, &signed) {
                    Ok(()) => {}
                    // Those behind it wait on: nobody is overtaken.
                    Err(Error::State {
                        reason: "QUOTA_EXCEEDED",
                        ..
                    }) => break,
                    Err(failed) => return Err(failed),
                }
                open.tell(super::desk::told(&claim, "claim.reserved", ""), &signed);
                reserved.push((claim, stored));
            }
            let rows: Vec<(&Claim, u32)> = reserved.iter().map(|(claim, stored)| (claim, *stored)).collect();
            tx.update_claims(&rows).await?;
            books.write(&tx).await?;
            let claims: Vec<Claim> = reserved.into_iter().map(|(claim, _)| claim).collect();
            Ok((tx, claims))
        })
        .await
    }

    /// A claim with what is around it.
    pub async fn claim(&self, id: &ClaimId) -> Result<ClaimDetail, Error> {
        let vault = self.vault()?;
        let tx = self.store().begin_read().await?;
        let (claim, material) = find(&tx, id).await?;
        Ok(ClaimDetail {
            payments: tx.payments_of_claim(id).await?,
            objections: tx.objections(&[id]).await?,
            masked_account: open(vault, id, &material.sealed)?.masked_account(),
            claim,
            facts: material.facts,
            documents: material.documents,
        })
    }

    /// At most `limit` claims of a fund after a number, by number.
    pub async fn claims(
        &self,
        fund: &FundId,
        filter: &ClaimFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Claim>, Error> {
        let tx = self.store().begin_read().await?;
        tx.list_claims(fund, filter, after, limit).await
    }

    /// What happened to a claim, oldest first, after a change.
    pub async fn claim_history(&self, id: &ClaimId, after: u64, limit: u64) -> Result<Vec<Change>, Error> {
        let tx = self.store().begin_read().await?;
        find(&tx, id).await?;
        tx.changes(&id.fund, Some(&id.to_string()), after, limit).await
    }

    /// Assesses a claim again from what was handed in, under the revision of the policy that it was
    /// assessed by. Both are immutable, so the amount must come out the same; if it does not, that is an
    /// internal error and nothing is explained.
    pub async fn explain_claim(&self, id: &ClaimId) -> Result<Assessment, Error> {
        let tx = self.store().begin_read().await?;
        let (claim, material) = find(&tx, id).await?;
        let stored = tx.policy(&claim.policy, Some(claim.policy_revision)).await?;
        let stored = stored.ok_or_else(|| Error::internal(format!("{id} has no policy {}", claim.policy)))?;
        let policy = compile(&tx, stored).await?;
        let law = match material.law_revision {
            0 => DeedTaxLaw::empty(),
            revision => {
                let law = tx
                    .rule::<DeedTaxLawDocument>(super::policies::DEED_TAX_LAW, Some(revision))
                    .await?;
                let law = law.ok_or_else(|| Error::internal(format!("no deed-tax law {revision}")))?;
                DeedTaxLaw::check(law.document)
                    .map_err(super::policies::broken)?
                    .with_revision(revision)
            }
        };
        let facts = Facts::parse(&policy.programme, &material.facts)?;
        let assessment = assess(&policy, &facts, &material.documents, &law)?;
        if assessment.amount != claim.amount {
            return Err(Error::internal(format!(
                "{id} assessed again comes to another amount"
            )));
        }
        Ok(assessment)
    }

    /// What an objection says.
    pub async fn objection_text(&self, id: &ClaimId, number: u32) -> Result<Zeroizing<String>, Error> {
        let vault = self.vault()?;
        let tx = self.store().begin_read().await?;
        let objections = tx.objections(&[id]).await?;
        let objection = objections
            .into_iter()
            .find(|objection| objection.number == number);
        let name = objection_name(id, number);
        let objection = objection.ok_or_else(|| Error::NotFound {
            kind: "objection",
            name: name.clone(),
        })?;
        let said = vault.open(&name, &objection.sealed)?;
        String::from_utf8(said.to_vec())
            .map(Zeroizing::new)
            .map_err(Error::internal)
    }

    /// Seals the personal data of claims anew under the keys in use, a page at a time, and says how many
    /// claims were changed. It may run while the service does, and may be stopped and begun again.
    pub async fn rotate_keys(&self, fund: &FundId) -> Result<u64, Error> {
        const PAGE: u64 = 500;
        let vault = self.vault()?;
        let (mut after, mut changed) = (0, 0);
        loop {
            let (last, page) = crate::store::retrying(|| async {
                let tx = self.store().begin_posting().await?;
                // Nobody changes these claims meanwhile.
                tx.fund_heads(std::slice::from_ref(fund)).await?;
                let claims = tx.list_claims(fund, &ClaimFilter::default(), after, PAGE).await?;
                let last = claims.last().map(|claim| claim.id.number);
                let changed = rotate_page(&tx, vault, &claims).await?;
                tx.commit().await?;
                Ok((last, changed))
            })
            .await?;
            changed += page;
            match last {
                Some(last) => after = last,
                None => return Ok(changed),
            }
        }
    }
}

async fn rotate_page(tx: &Tx, vault: &Vault, claims: &[Claim]) -> Result<u64, Error> {
    let ids: Vec<&ClaimId> = claims.iter().map(|claim| &claim.id).collect();
    let programmes: HashMap<&ClaimId, &Claim> = claims.iter().map(|claim| (&claim.id, claim)).collect();
    let (mut sealed, mut keys) = (Vec::new(), Vec::new());
    let (mut old_keys, mut new_keys) = (Vec::new(), Vec::new());
    for (id, material) in tx.claim_material(&ids).await? {
        let hashed_anew = material
            .keys
            .iter()
            .any(|key| key.lookup_key != vault.lookup_key());
        if material.sealed.key == vault.sealing_key() && !hashed_anew {
            continue;
        }
        let personal = open(vault, &id, &material.sealed)?;
        sealed.push((id.clone(), vault.seal(&id.to_string(), &sealable(&personal)?)?));
        if !hashed_anew {
            continue;
        }
        let claim = programmes.get(&id).ok_or_else(|| no_claim(&id))?;
        let renewed: Vec<OnceKey> = (material.keys.iter())
            .map(|key| renew(vault, &personal, key))
            .collect::<Result<_, _>>()?;
        if claim.state.holds_keys() {
            let programme = &claim.programme;
            old_keys.extend(
                material
                    .keys
                    .iter()
                    .map(|key| (id.clone(), programme.clone(), key.clone())),
            );
            new_keys.extend(
                renewed
                    .iter()
                    .map(|key| (id.clone(), programme.clone(), key.clone())),
            );
        }
        keys.push((id, renewed));
    }
    let rows: Vec<(&ClaimId, &Sealed)> = sealed.iter().map(|(id, sealed)| (id, sealed)).collect();
    tx.update_sealed(&rows).await?;
    super::disbursement::reseal_payees(tx, vault, &ids).await?;
    let mut objections = tx.objections(&ids).await?;
    objections.retain(|objection| objection.sealed.key != vault.sealing_key());
    for objection in &mut objections {
        let name = objection_name(&objection.claim, objection.number);
        let said = vault.open(&name, &objection.sealed)?;
        objection.sealed = vault.seal(&name, &said)?;
    }
    tx.store_objections(&objections.iter().collect::<Vec<_>>())
        .await?;
    let rows: Vec<(&ClaimId, &[OnceKey])> = keys.iter().map(|(id, keys)| (id, keys.as_slice())).collect();
    tx.update_key_lists(&rows).await?;
    tx.delete_keys(&super::desk::key_rows(&old_keys)).await?;
    tx.insert_keys(&super::desk::key_rows(&new_keys)).await?;
    Ok(sealed.len() as u64)
}

/// The same key hashed with the key in use: the value is the one that the old hash is of.
fn renew(vault: &Vault, personal: &Personal, key: &OnceKey) -> Result<OnceKey, Error> {
    use crate::domain::subsidy::programme::OnceBy;
    let values = [OnceBy::Household, OnceBy::Home, OnceBy::Payee].map(|by| personal.values(by));
    values
        .iter()
        .flatten()
        .map(|value| vault.lookups(&key.kind, value))
        .find(|lookups| lookups.iter().any(|lookup| lookup.hash == key.hash))
        .and_then(|lookups| lookups.into_iter().next())
        .map(|lookup| OnceKey {
            kind: key.kind.clone(),
            hash: lookup.hash,
            lookup_key: lookup.key,
        })
        .ok_or_else(|| Error::internal(format!("the key file lacks the lookup key {}", key.lookup_key)))
}

async fn find(tx: &Tx, id: &ClaimId) -> Result<(Claim, ClaimMaterial), Error> {
    let claim = tx.claims(&[id]).await?.pop().ok_or_else(|| no_claim(id))?;
    let material = tx.claim_material(&[id]).await?.pop();
    let (_, material) = material.ok_or_else(|| no_claim(id))?;
    Ok((claim, material))
}

/// The personal data of a claim.
pub(super) fn open(vault: &Vault, id: &ClaimId, sealed: &Sealed) -> Result<Personal, Error> {
    let plain = vault.open(&id.to_string(), sealed)?;
    serde_json::from_slice(&plain)
        .map_err(|_| Error::internal(format!("what is sealed for {id} is not personal data")))
}

fn sealable(personal: &Personal) -> Result<Zeroizing<Vec<u8>>, Error> {
    serde_json::to_vec(personal)
        .map(Zeroizing::new)
        .map_err(Error::internal)
}

/// An assessed claim, ready to be handed in.
fn prepare(vault: &Vault, input: ClaimInput, assessed: &Assessed) -> Result<Submission, Error> {
    let Assessed {
        policy,
        facts,
        assessment,
    } = assessed;
    let ClaimInput {
        fund,
        assess: AssessRequest {
            region, documents, ..
        },
        personal,
    } = input;
    check_entitled(assessment)?;
    let programme = &policy.programme;
    let personal = personal.check(&programme.once, programme.payee)?;
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

fn check_count(count: usize) -> Result<(), Error> {
    if (1..=MAX_CLAIMS).contains(&count) {
        return Ok(());
    }
    Err(Violation::new(
        "claims",
        count.to_string(),
        format!("1 to {MAX_CLAIMS} in a message"),
        format!("每条消息 1 至 {MAX_CLAIMS} 件"),
    )
    .into())
}
