//! Deciding on commands, in memory: a refusal changes nothing.

use super::{Held, KeyName, Sheet, Touched, told};
use crate::app::audit::digest_of;
use crate::app::books::OpenFund;
use crate::app::clock;
use crate::app::desk::command::{
    Command, Outcome, PROGRAMME_BUCKETS, Receipt, Refusal, Submission, no_claim, objection_name,
};
use crate::app::desk::writing::Writing;
use crate::app::desk::{BREATH, STAGE};
use crate::app::records::{ClaimMaterial, Objection, OnceKey};
use crate::domain::access::Scope;
use crate::domain::allocation::{FundId, Signature};
use crate::domain::claim::{Claim, ClaimId, Notice, Part, State};
use crate::domain::disbursement::Answer;
use crate::domain::error::{Bilingual, Error, Violation, excerpt};
use crate::domain::ledger::{Account, Posting};
use crate::domain::money::Money;
use crate::domain::subsidy::ProgrammeCode;
use std::collections::BTreeSet;

impl Sheet<'_> {
    /// Carries out the rows of a bulk call, and has them written by and by where there is `writing`. A defect is
    /// nobody's refusal: the call fails as a whole.
    pub(in crate::app::desk) async fn rows(
        &mut self,
        commands: &[Result<Command, Refusal>],
        scope: &Scope,
        signed: &Signature,
        mut writing: Option<&mut Writing>,
    ) -> Result<Vec<Outcome>, Error> {
        let mut outcomes = Vec::with_capacity(commands.len());
        for (number, command) in (1..).zip(commands) {
            let outcome = match command {
                Ok(command) => match self.carry_out(command, scope, signed) {
                    Ok(claim) => Ok(Receipt::of(claim)),
                    Err(defect @ Error::Internal { .. }) => return Err(defect),
                    Err(refused) => Err(Refusal::from(&refused)),
                },
                Err(refusal) => Err(refusal.clone()),
            };
            outcomes.push(outcome);
            if number % BREATH > 0 {
                continue;
            }
            tokio::task::yield_now().await;
            // The first soon, so that the database has something to do.
            if let Some(writing) = &mut writing
                && (number % STAGE == 0 || commands.len() > STAGE && !writing.has_begun())
            {
                self.write(writing).await?;
            }
        }
        Ok(outcomes)
    }

    /// Carries out one command for a caller who reaches `scope`; refused, it changes nothing.
    pub(in crate::app::desk) fn carry_out(
        &mut self,
        command: &Command,
        scope: &Scope,
        signed: &Signature,
    ) -> Result<Claim, Error> {
        self.admit(command, scope)?;
        match command {
            Command::Submit(submission) => self.submit(submission, scope, signed),
            Command::Approve { claim, etag, wait } => self.approve(claim, etag, *wait, signed),
            Command::Reject { claim, etag, note } => self.change(claim, etag, signed, |claim| {
                claim.reject(signed.clone())?;
                Ok((Vec::new(), "claim.rejected", note.clone()))
            }),
            Command::Withdraw { claim, etag, note } => self.change(claim, etag, signed, |claim| {
                claim.withdraw()?;
                Ok((Vec::new(), "claim.withdrawn", note.clone()))
            }),
            Command::Cancel { claim, etag, note } => self.change(claim, etag, signed, |claim| {
                Ok((claim.cancel()?, "claim.cancelled", note.clone()))
            }),
            Command::Object { claim, said } => self.object(claim, said, signed),
            Command::Resolve {
                claim,
                objection,
                upheld,
                note,
            } => self.resolve(claim, *objection, *upheld, note, signed),
            Command::Retry {
                claim,
                etag,
                sealed,
                note,
            } => {
                let answer = self.change(claim, etag, signed, |claim| {
                    claim.retry()?;
                    Ok((Vec::new(), "claim.retried", note.clone()))
                })?;
                if let Some(sealed) = sealed {
                    self.resealed.push((claim.clone(), sealed.clone()));
                }
                Ok(answer)
            }
            Command::Return {
                claim,
                payer,
                amount,
                note,
            } => {
                let (payer, amount) = (*payer, *amount);
                self.change(claim, "", signed, |claim| {
                    Ok((claim.take_back(payer, amount)?, "claim.returned", note.clone()))
                })
            }
            Command::Conclude {
                reference,
                amount,
                answer,
            } => self.conclude(reference, *amount, answer, signed),
        }
    }

    /// What is out of the caller's reach is refused as what is not there.
    fn admit(&self, command: &Command, scope: &Scope) -> Result<(), Error> {
        let reached = |id: &ClaimId| {
            let held = self.claims.get(id);
            held.is_some_and(|held| scope.covers(&held.claim.region))
        };
        match command {
            Command::Submit(submission) => scope.admit_region(&submission.region),
            Command::Conclude { reference, .. } => {
                let payment = self.payments.get(reference);
                if payment.is_some_and(|payment| reached(&payment.claim)) {
                    Ok(())
                } else {
                    Err(no_payment(reference))
                }
            }
            other => match other.claim() {
                Some(id) if !reached(id) => Err(no_claim(id)),
                _ => Ok(()),
            },
        }
    }

    fn submit(&mut self, submission: &Submission, scope: &Scope, signed: &Signature) -> Result<Claim, Error> {
        let Submission {
            fund,
            region,
            programme,
            ..
        } = submission;
        self.check_quota(submission)?;
        let mut seen = BTreeSet::new();
        for key in submission.keys.iter().flatten() {
            let name = key_name(programme, key);
            if let Some((by, region)) = self.taken.get(&name) {
                let by = scope.covers(region).then_some(by);
                return Err(already_subsidised(programme, &key.kind, fund, by));
            }
            seen.insert(name);
        }
        let open = self.books.fund(fund)?;
        let id = ClaimId {
            fund: fund.clone(),
            number: open.head.claims + 1,
        };
        let sealed = self.vault.seal(&id.to_string(), &submission.personal)?;
        let keys: Vec<OnceKey> = submission
            .keys
            .iter()
            .filter_map(|hashes| hashes.first().cloned())
            .collect();
        let amount = submission
            .parts
            .iter()
            .try_fold(Money::ZERO, |sum, (_, amount)| sum.checked_add(*amount))
            .ok_or_else(|| Error::internal("an amount beyond the limits"))?;
        let claim = Claim {
            id: id.clone(),
            region: region.clone(),
            programme: programme.clone(),
            policy: submission.policy.0.clone(),
            policy_revision: submission.policy.1,
            state: State::Submitted,
            version: 1,
            amount,
            parts: (submission.parts.iter())
                .filter(|(_, amount)| *amount > Money::ZERO)
                .map(|(payer, amount)| Part::new(*payer, *amount))
                .collect(),
            notice: Notice {
                days: submission.notice_days,
                ..Notice::default()
            },
            submitted: signed.clone(),
            decided: None,
            waiting: 0,
            batch: 0,
            masked_name: submission.masked_name.clone(),
            masked_id: submission.masked_id.clone(),
        };
        open.head.claims += 1;
        open.tell(told(&claim, "claim.submitted", ""), signed);
        for name in seen {
            self.taken.insert(name, (id.clone(), region.clone()));
        }
        for key in &keys {
            self.new_keys.push((id.clone(), programme.clone(), key.clone()));
        }
        self.touched.push(Touched {
            claim: id.clone(),
            before: None,
            after: digest_of(&claim)?,
        });
        let held = Held {
            claim: claim.clone(),
            stored: None,
            material: Some(ClaimMaterial {
                law_revision: submission.law_revision,
                facts: submission.facts.clone(),
                documents: submission.documents.clone(),
                sealed,
                keys,
            }),
        };
        self.changed.insert(id.clone());
        self.claims.insert(id, held);
        Ok(claim)
    }

    /// A region that was never given quota for the programme takes no claims.
    fn check_quota(&mut self, submission: &Submission) -> Result<(), Error> {
        let Submission {
            fund,
            region,
            programme,
            ..
        } = submission;
        let books = &self.books.fund(fund)?.books;
        let lacks = submission.parts.iter().find(|(payer, amount)| {
            let bucket = |bucket| {
                books.balance(&Account::new(
                    *payer,
                    region.clone(),
                    Some(programme.clone()),
                    bucket,
                ))
            };
            *amount > Money::ZERO && PROGRAMME_BUCKETS.into_iter().all(|b| bucket(b) == Money::ZERO)
        });
        let Some((payer, _)) = lacks else { return Ok(()) };
        Err(Error::State {
            name: format!("funds/{fund}"),
            reason: "NO_QUOTA",
            message: Bilingual::new(
                format!("region {region} has no quota of the {payer} for {programme} in fund {fund}"),
                format!(
                    "地区 {region} 在资金 {fund} 中没有 {programme} 的{}预算指标",
                    payer.zh()
                ),
            ),
        })
    }

    fn approve(&mut self, id: &ClaimId, etag: &str, wait: bool, signed: &Signature) -> Result<Claim, Error> {
        let held = self.claims.get(id).ok_or_else(|| no_claim(id))?;
        let place = (
            id.fund.clone(),
            held.claim.region.clone(),
            held.claim.programme.clone(),
        );
        let before = self.waiting.get(&place).copied().unwrap_or(0);
        if held.claim.state == State::Approved {
            // Bound here, it would overtake those before it.
            return Err(Error::State {
                name: id.to_string(),
                reason: "CLAIM_WAITING",
                message: Bilingual::new(
                    format!("{id} is approved and waits for quota: it leaves the waiting list in its turn"),
                    format!("{id} 已批准,正在等候指标,须按等候名单的顺序冻结指标"),
                ),
            });
        }
        let queues = before > 0 && held.claim.state == State::Submitted;
        if !queues {
            let today = clock::today()?;
            let reserved = self.change(id, etag, signed, |claim| {
                Ok((
                    claim.reserve(signed.clone(), today)?,
                    "claim.approved",
                    String::new(),
                ))
            });
            match reserved {
                Err(Error::State {
                    reason: "QUOTA_EXCEEDED",
                    ..
                }) if wait => {}
                decided => return decided,
            }
        } else if !wait {
            return Err(Error::State {
                name: id.to_string(),
                reason: "CLAIMS_WAITING",
                message: Bilingual::new(
                    format!(
                        "{before} approved claims wait for quota before {id}: it may only join the waiting list"
                    ),
                    format!("{id} 之前已有 {before} 件获批申请等待指标,只能列入等候名单"),
                ),
            });
        }
        let rank = self.books.fund(&id.fund)?.head.changes + 1;
        self.change(id, etag, signed, |claim| {
            claim.wait(signed.clone(), rank)?;
            Ok((Vec::new(), "claim.waiting", String::new()))
        })
    }

    fn object(&mut self, id: &ClaimId, said: &str, signed: &Signature) -> Result<Claim, Error> {
        let mut number = 0;
        let vault = self.vault;
        let mut sealed = None;
        let claim = self.change(id, "", signed, |claim| {
            number = claim.object()?;
            sealed = Some(vault.seal(&objection_name(id, number), said.as_bytes())?);
            Ok((Vec::new(), "claim.objected", format!("objection {number}")))
        })?;
        if let Some(sealed) = sealed {
            let key = (id.clone(), number);
            let objection = Objection {
                claim: id.clone(),
                number,
                state: "open".to_owned(),
                sealed,
                raised: signed.clone(),
                resolved: None,
                resolution: String::new(),
            };
            self.objections.insert(key.clone(), objection);
            self.touched_objections.insert(key);
        }
        Ok(claim)
    }

    fn resolve(
        &mut self,
        id: &ClaimId,
        number: u32,
        upheld: bool,
        note: &str,
        signed: &Signature,
    ) -> Result<Claim, Error> {
        let key = (id.clone(), number);
        let not_open = || Error::NotFound {
            kind: "open objection",
            name: objection_name(id, number),
        };
        let objection = self.objections.get(&key).ok_or_else(not_open)?;
        if objection.state != "open" {
            return Err(not_open());
        }
        if objection.raised.by == signed.by {
            return Err(Error::Forbidden {
                reason: "RESOLVER_RAISED_OBJECTION",
                message: Bilingual::new(
                    format!(
                        "{} noted the objection and may not resolve it: another person must",
                        signed.by
                    ),
                    format!("{} 是异议登记人,不得自行处理,须由他人处理", signed.by),
                ),
            });
        }
        let kind = if upheld {
            "claim.objection_upheld"
        } else {
            "claim.objection_dismissed"
        };
        let claim = self.change(id, "", signed, |claim| {
            Ok((claim.resolve_objection(upheld)?, kind, note.to_owned()))
        })?;
        if let Some(objection) = self.objections.get_mut(&key) {
            objection.state = if upheld { "upheld" } else { "dismissed" }.to_owned();
            objection.resolved = Some(signed.clone());
            note.clone_into(&mut objection.resolution);
            self.touched_objections.insert(key);
        }
        Ok(claim)
    }

    fn conclude(
        &mut self,
        reference: &str,
        amount: Option<Money>,
        answer: &Answer,
        signed: &Signature,
    ) -> Result<Claim, Error> {
        let unknown = || no_payment(reference);
        let mut payment = self.payments.get(reference).cloned().ok_or_else(unknown)?;
        if let Some(amount) = amount
            && amount != payment.amount
        {
            return Err(Violation::new(
                "amount",
                amount.to_string(),
                format!("the amount of payment {reference}: {}", payment.amount),
                format!("付款 {reference} 的金额 {}", payment.amount),
            )
            .into());
        }
        let id = payment.claim.clone();
        if !payment.conclude(answer, signed.clone())? {
            let held = self.claims.get(&id).ok_or_else(|| no_claim(&id))?;
            return Ok(held.claim.clone());
        }
        let kind = if answer.settled {
            "payment.settled"
        } else {
            "payment.failed"
        };
        let note = format!("{reference} {}", excerpt_or_nothing(&answer.reason));
        let claim = self.change(&id, "", signed, |claim| {
            Ok((
                claim.conclude(payment.payer, answer.settled)?,
                kind,
                note.trim_end().to_owned(),
            ))
        })?;
        self.concluded.insert(reference.to_owned());
        self.payments.insert(reference.to_owned(), payment);
        Ok(claim)
    }

    /// Changes a claim, posts what follows from it, and tells it; refused, nothing is changed.
    fn change(
        &mut self,
        id: &ClaimId,
        etag: &str,
        signed: &Signature,
        what: impl FnOnce(&mut Claim) -> Result<(Vec<Posting>, &'static str, String), Error>,
    ) -> Result<Claim, Error> {
        let held = self.claims.get_mut(id).ok_or_else(|| no_claim(id))?;
        held.claim.check_etag(etag)?;
        let mut claim = held.claim.clone();
        let (postings, kind, note) = what(&mut claim)?;
        let open: &mut OpenFund = self.books.fund(&id.fund)?;
        let moved = postings.iter().map(|posting| posting.amount).sum();
        open.post(postings, signed)?;
        let mut told = told(&claim, kind, &note);
        if moved > Money::ZERO {
            told.amount = moved;
        }
        open.tell(told, signed);
        if held.claim.state.holds_keys() && !claim.state.holds_keys() {
            let material = held
                .material
                .as_ref()
                .ok_or_else(|| Error::internal(format!("the unique keys of {id} were not loaded")))?;
            for key in &material.keys {
                let name = key_name(&claim.programme, key);
                self.taken.remove(&name);
                if held.stored.is_some() {
                    self.freed_keys
                        .push((id.clone(), claim.programme.clone(), key.clone()));
                }
                self.new_keys.retain(|(of, _, new)| of != id || new != key);
            }
        }
        let (waited, waits) = (
            held.claim.state == State::Approved,
            claim.state == State::Approved,
        );
        self.touched.push(Touched {
            claim: id.clone(),
            before: Some(digest_of(&held.claim)?),
            after: digest_of(&claim)?,
        });
        held.claim = claim.clone();
        self.changed.insert(id.clone());
        if waited != waits {
            let place = (id.fund.clone(), claim.region.clone(), claim.programme.clone());
            let waiting = self.waiting.entry(place).or_insert(0);
            *waiting = if waits {
                *waiting + 1
            } else {
                waiting.saturating_sub(1)
            };
        }
        Ok(claim)
    }
}

fn excerpt_or_nothing(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        excerpt(text)
    }
}

fn key_name(programme: &ProgrammeCode, key: &OnceKey) -> KeyName {
    (programme.as_str().to_owned(), key.kind.clone(), key.hash.clone())
}

fn no_payment(reference: &str) -> Error {
    Error::NotFound {
        kind: "payment",
        name: excerpt(reference),
    }
}

/// That there is a claim already must be told, whoever has it; which one it is only where it is in reach.
fn already_subsidised(programme: &ProgrammeCode, kind: &str, fund: &FundId, by: Option<&ClaimId>) -> Error {
    let (name, en, zh) = match by {
        Some(by) => (by.to_string(), by.to_string(), by.to_string()),
        None => (
            format!("funds/{fund}"),
            "in another region".to_owned(),
            "在其他地区".to_owned(),
        ),
    };
    Error::State {
        name,
        reason: "ALREADY_SUBSIDISED",
        message: Bilingual::new(
            format!("the {kind} has a claim for {programme} already: {en}"),
            format!("该{}已有 {programme} 的申请:{zh}", kind_zh(kind)),
        ),
    }
}

fn kind_zh(kind: &str) -> &str {
    match kind.split(' ').next().unwrap_or(kind) {
        "household" => "家庭",
        "home" => "住房",
        "person" => "人员",
        "payee" => "收款账户",
        _ => kind,
    }
}
