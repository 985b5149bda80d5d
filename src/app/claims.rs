//! Claims: hand in, decide, and everything after, one by one and in bulk.

use super::audit::{Asking, digest_of};
use super::books::OpenBooks;
use super::desk::{
    Command, Outcome, Refusal, answered_many, answered_one, no_claim, objection_name, with_masked_texts,
};
use super::disbursement::no_payment;
use super::personal::Disclosure;
use super::policies::compile;
use super::records::{Change, ClaimFilter, ClaimMaterial, Objection};
use super::rules::AssessRequest;
use super::submission::prepare;
use super::vault::{Sealed, Vault};
use super::{App, Mutation, clock};
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::claim::{Claim, ClaimId, Payee, Personal, State};
use crate::domain::disbursement::{Answer, Payment};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::{
    Assessment, DeedTaxLaw, DeedTaxLawDocument, Detail, Facts, ProgrammeCode, assess,
};
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
/// Claims that are assessed before others get a turn.
const BREATH: usize = 25;
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
        mutation.scope.admit_region(&input.assess.region)?;
        let regions = BTreeSet::from([input.assess.region.clone()]);
        let reading = self.readings.of(self.store(), &self.rules, regions).await?;
        let submission = match reading.prepare(vault, input) {
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
        // A region that is out of reach is refused in words that name it, also where the call is repeated and the
        // claim was handed in when it was in reach.
        let elsewhere: Vec<Option<Refusal>> = inputs
            .iter()
            .map(|input| {
                let region = &input.as_ref().ok()?.assess.region;
                let refused = mutation.scope.admit_region(region).err()?;
                Some(Refusal::from(&refused))
            })
            .collect();
        let told = |outcomes: Vec<Outcome>| {
            let both = outcomes.into_iter().zip(elsewhere.iter().cloned());
            both.map(|(outcome, refusal)| refusal.map_or(outcome, Err))
                .collect()
        };
        let commands = {
            let tx = self.store().begin_read().await?;
            if let Some(answer) = answered_many(&tx, mutation, "SubmitClaims").await? {
                return Ok(told(answer));
            }
            let rules = self.rules(&tx).await?;
            let mut paths: HashMap<RegionCode, Vec<RegionCode>> = HashMap::new();
            let mut commands = Vec::with_capacity(inputs.len());
            for (number, input) in (1..).zip(inputs) {
                if number % BREATH == 0 {
                    // Others get a turn.
                    tokio::task::yield_now().await;
                }
                let input = match input {
                    Ok(input) => input,
                    Err(refusal) => {
                        commands.push(Err(refusal));
                        continue;
                    }
                };
                let region = &input.assess.region;
                if let Err(refused) = mutation.scope.admit_region(region) {
                    commands.push(Err(Refusal::from(&refused)));
                    continue;
                }
                if !paths.contains_key(region) {
                    paths.insert(region.clone(), tx.region_path(region).await?);
                }
                let path = paths.get(region).map(Vec::as_slice).unwrap_or_default();
                commands.push(match prepare(&rules, vault, path, input) {
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
            .map(told)
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
                let (claim, material) = find(&tx, &mutation.scope, id).await?;
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
        let concluded = self.change_claim(mutation, "RecordPaymentResult", command).await;
        // A payment that is out of reach by now is told by its reference, as in a first call.
        concluded.map_err(|refused| match refused {
            Error::NotFound { kind: "claim", .. } => no_payment(reference),
            other => other,
        })
    }

    /// Binds quota for claims that wait, in the order of their approval, until one does not fit.
    pub async fn reserve_waiting(
        &self,
        mutation: &Mutation,
        fund: &FundId,
        region: &RegionCode,
        programme: &ProgrammeCode,
    ) -> Result<Vec<Claim>, Error> {
        mutation.scope.admit_region(region)?;
        let mut claims = self
            .mutate_posting(mutation, "ReserveWaitingClaims", |tx| async move {
                let mut books = OpenBooks::open(&tx, &BTreeSet::from([fund.clone()])).await?;
                books.fund(fund)?;
                let filter = ClaimFilter {
                    region: Some(region.clone()),
                    programme: Some(programme.clone()),
                    state: Some(State::Approved),
                    by_waiting: true,
                    ..ClaimFilter::default()
                };
                let waiting = tx
                    .list_claims(fund, &mutation.scope, &filter, 0, MAX_FROM_LIST)
                    .await?;
                let accounts = waiting
                    .iter()
                    .flat_map(|claim| claim.accounts().map(|account| (fund.clone(), account)));
                books.load(&tx, accounts.collect::<Vec<_>>()).await?;
                let today = clock::today()?;
                let signed = clock::sign(&mutation.caller);
                let mut reserved: Vec<(Claim, u32)> = Vec::new();
                for mut claim in waiting {
                    let stored = claim.version;
                    let before = digest_of(&claim)?;
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
                    let after = digest_of(&claim)?;
                    tx.trail(|trail| trail.touch(claim.id.to_string(), Some(before), Some(after)));
                    reserved.push((claim, stored));
                }
                let rows: Vec<(&Claim, u32)> =
                    reserved.iter().map(|(claim, stored)| (claim, *stored)).collect();
                tx.update_claims(&rows).await?;
                books.write(&tx).await?;
                let claims: Vec<Claim> = reserved.into_iter().map(|(claim, _)| claim).collect();
                Ok((tx, claims))
            })
            .await?;
        let tx = self.store().begin_read().await?;
        with_masked_texts(&tx, claims.iter_mut().collect()).await?;
        Ok(claims)
    }

    /// A claim with what is around it.
    pub async fn claim(&self, scope: &Scope, id: &ClaimId) -> Result<ClaimDetail, Error> {
        let vault = self.vault()?;
        let tx = self.store().begin_read().await?;
        let (claim, material) = find(&tx, scope, id).await?;
        Ok(ClaimDetail {
            payments: tx.payments_of_claim(id).await?,
            objections: tx.objections(&[id]).await?,
            masked_account: if material.sealed.is_erased() {
                String::new()
            } else {
                open(vault, id, &material.sealed)?.masked_account()
            },
            claim,
            facts: material.facts,
            documents: material.documents,
        })
    }

    /// At most `limit` claims of a fund after a number, by number.
    pub async fn claims(
        &self,
        scope: &Scope,
        fund: &FundId,
        filter: &ClaimFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Claim>, Error> {
        let tx = self.store().begin_read().await?;
        tx.list_claims(fund, scope, filter, after, limit).await
    }

    /// What happened to a claim, oldest first, after a change.
    pub async fn claim_history(
        &self,
        scope: &Scope,
        id: &ClaimId,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Change>, Error> {
        let tx = self.store().begin_read().await?;
        find(&tx, scope, id).await?;
        // The claim is in reach, and so is all that happened to it, also before regions were noted.
        let resource = id.to_string();
        tx.changes(&id.fund, &Scope::All, Some(&resource), after, limit)
            .await
    }

    /// Assesses a claim again from what was handed in, under the revision of the policy that it was
    /// assessed by. Both are immutable, so the amount must come out the same; if it does not, that is an
    /// internal error and nothing is explained.
    pub async fn explain_claim(&self, scope: &Scope, id: &ClaimId) -> Result<Assessment, Error> {
        let tx = self.store().begin_read().await?;
        let (claim, material) = find(&tx, scope, id).await?;
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
        let assessment = assess(&policy, &facts, &material.documents, &law, Detail::Derived)?;
        if assessment.amount != claim.amount {
            return Err(Error::internal(format!(
                "{id} assessed again comes to another amount"
            )));
        }
        Ok(assessment)
    }

    /// What an objection says; that it was asked for is recorded.
    pub async fn objection_text(
        &self,
        asking: &Asking,
        scope: &Scope,
        id: &ClaimId,
        number: u32,
    ) -> Result<Zeroizing<String>, Error> {
        let vault = self.vault()?;
        let tx = self.store().begin_read().await?;
        find(&tx, scope, id).await?;
        let objections = tx.objections(&[id]).await?;
        let objection = objections
            .into_iter()
            .find(|objection| objection.number == number);
        let name = objection_name(id, number);
        let objection = objection.ok_or_else(|| Error::NotFound {
            kind: "objection",
            name: name.clone(),
        })?;
        if objection.sealed.is_erased() {
            return Err(erased(&name));
        }
        drop(tx);
        self.disclose(asking, Disclosure::Objection, name.clone(), 1)
            .await?;
        let said = vault.open(&name, &objection.sealed)?;
        String::from_utf8(said.to_vec())
            .map(Zeroizing::new)
            .map_err(Error::internal)
    }
}

/// A claim that is there and in reach; one out of reach is not there.
async fn find(tx: &Tx, scope: &Scope, id: &ClaimId) -> Result<(Claim, ClaimMaterial), Error> {
    let claim = tx.claims(&[id]).await?.pop();
    let claim = claim.filter(|claim| scope.covers(&claim.region));
    let claim = claim.ok_or_else(|| no_claim(id))?;
    let material = tx.claim_material(&[id]).await?.pop();
    let (_, material) = material.ok_or_else(|| no_claim(id))?;
    Ok((claim, material))
}

/// What was said or who was meant is not there any more.
pub(super) fn erased(name: &str) -> Error {
    Error::State {
        name: name.to_owned(),
        reason: "PERSON_ERASED",
        message: Bilingual::new(
            format!("the personal data of {name} was erased"),
            format!("{name} 的个人信息已删除"),
        ),
    }
}

/// The personal data of a claim.
pub(super) fn open(vault: &Vault, id: &ClaimId, sealed: &Sealed) -> Result<Personal, Error> {
    let plain = vault.open(&id.to_string(), sealed)?;
    serde_json::from_slice(&plain)
        .map_err(|_| Error::internal(format!("what is sealed for {id} is not personal data")))
}

/// Personal data as it is sealed.
pub(super) fn sealable(personal: &Personal) -> Result<Zeroizing<Vec<u8>>, Error> {
    serde_json::to_vec(personal)
        .map(Zeroizing::new)
        .map_err(Error::internal)
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
