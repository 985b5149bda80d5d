//! A claim, and everything that can happen to it.
//!
//! Every method that moves money gives the postings; the caller posts them, and keeps the claim as it was
//! where the ledger refuses them.

use super::part::{Part, PartState};
use super::state::{Action, State};
use crate::domain::allocation::{FundId, Signature};
use crate::domain::digest::DigestBuilder;
use crate::domain::error::{Bilingual, Error, Violation, excerpt};
use crate::domain::ledger::{Account, Bucket, Event, Posting};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use std::fmt;
use time::Date;

/// Names a claim: its fund, and its number there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ClaimId {
    /// The fund.
    pub fund: FundId,
    /// Counted from 1 within the fund.
    pub number: u64,
}

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "funds/{}/claims/{}", self.fund, self.number)
    }
}

/// A public notice (公示) and what was said against the claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Notice {
    /// Whole days that the policy asks for; 0 where it asks for none.
    pub days: u32,
    /// Its first day.
    pub from: Option<Date>,
    /// Its last day.
    pub until: Option<Date>,
    /// Objections that are not resolved.
    pub open_objections: u32,
    /// Objections ever raised.
    pub objections: u32,
}

/// A claim. It holds no personal data but masked texts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Claim {
    /// Its name.
    pub id: ClaimId,
    /// The region whose quota pays.
    pub region: RegionCode,
    /// The programme.
    pub programme: ProgrammeCode,
    /// The policy it was assessed by.
    pub policy: String,
    /// The revision of the policy.
    pub policy_revision: u32,
    /// Where it is.
    pub state: State,
    /// Counts changes; gives the etag.
    pub version: u32,
    /// The amount, the sum of the parts.
    pub amount: Money,
    /// By payer, in the order of [`Payer::ALL`]; a payer without a part owes nothing.
    pub parts: Vec<Part>,
    /// The public notice.
    pub notice: Notice,
    /// Who handed it in.
    pub submitted: Signature,
    /// Who approved or rejected it.
    pub decided: Option<Signature>,
    /// Place in the waiting list: a lower one comes first; 0 where it does not wait.
    pub waiting: u64,
    /// The batch that it is collected in, 0 where it is in none.
    pub batch: u64,
    /// The applicant's name, masked. Left out where a claim is serialised: what is kept of it beside its own
    /// row, such as answers to requests and digests, must not say who it is for.
    #[serde(skip)]
    pub masked_name: String,
    /// The applicant's ID number, masked; likewise left out.
    #[serde(skip)]
    pub masked_id: String,
}

impl Claim {
    /// Changes whenever the claim does.
    pub fn etag(&self) -> String {
        let mut digest = DigestBuilder::new("incentivefund.v1.ClaimEtag");
        digest
            .field(&self.id.to_string())
            .field(&self.version.to_string());
        digest.finish().short().to_owned()
    }

    /// Refuses an etag that is given and is not the current one.
    pub fn check_etag(&self, given: &str) -> Result<(), Error> {
        if given.is_empty() || given == self.etag() {
            return Ok(());
        }
        Err(Error::EtagMismatch {
            name: self.id.to_string(),
            given: excerpt(given),
            current: self.etag(),
        })
    }

    /// Approves a claim and binds its amount; also for one that waits. A public notice begins on `today`.
    ///
    /// # Errors
    ///
    /// [`Error::State`]; [`Error::Forbidden`] where the approver handed it in.
    pub fn reserve(&mut self, signature: Signature, today: Date) -> Result<Vec<Posting>, Error> {
        self.require(Action::Reserve)?;
        if self.state == State::Submitted {
            self.check_second_person(&signature)?;
            self.decided = Some(signature);
        }
        self.begin_notice(today)?;
        self.waiting = 0;
        let postings = self.move_parts(
            |state| state == PartState::Free,
            Event::Reserve,
            PartState::Reserved,
        );
        self.enter(State::Reserved);
        postings
    }

    /// Approves a claim whose amount does not fit the quota: it waits at `place`.
    pub fn wait(&mut self, signature: Signature, place: u64) -> Result<(), Error> {
        self.require(Action::Wait)?;
        self.check_second_person(&signature)?;
        self.decided = Some(signature);
        self.waiting = place;
        self.enter(State::Approved);
        Ok(())
    }

    /// Refuses a claim.
    pub fn reject(&mut self, signature: Signature) -> Result<(), Error> {
        self.require(Action::Reject)?;
        self.check_second_person(&signature)?;
        self.decided = Some(signature);
        self.enter(State::Rejected);
        Ok(())
    }

    /// Takes a claim back; whoever handed it in, or an office of the same duty, may.
    pub fn withdraw(&mut self) -> Result<(), Error> {
        self.require(Action::Withdraw)?;
        self.waiting = 0;
        self.enter(State::Withdrawn);
        Ok(())
    }

    /// Ends an approved claim unpaid and frees what it binds.
    pub fn cancel(&mut self) -> Result<Vec<Posting>, Error> {
        self.require(Action::Cancel)?;
        self.check_not_collected("cancelled", "取消")?;
        self.end_unpaid(State::Cancelled)
    }

    /// Holds a claim on an objection, and gives the objection's number.
    pub fn object(&mut self) -> Result<u32, Error> {
        self.require(Action::Object)?;
        self.check_not_collected("objected to", "提出异议")?;
        self.notice.objections += 1;
        self.notice.open_objections += 1;
        self.enter(State::Reserved);
        Ok(self.notice.objections)
    }

    /// Resolves an open objection: one that is upheld ends the claim, one that is dismissed frees it.
    pub fn resolve_objection(&mut self, upheld: bool) -> Result<Vec<Posting>, Error> {
        self.notice.open_objections = self.notice.open_objections.saturating_sub(1);
        if upheld && self.state == State::Reserved {
            return self.end_unpaid(State::Rejected);
        }
        self.enter(self.state);
        Ok(Vec::new())
    }

    /// Whether a batch may take the claim on `today`: bound, not held, its notice over.
    pub fn payable_on(&self, today: Date) -> bool {
        self.state == State::Reserved
            && self.batch == 0
            && self.notice.open_objections == 0
            && self.notice.until.is_none_or(|until| until < today)
    }

    /// Puts a claim into a batch.
    pub fn collect(&mut self, batch: u64, today: Date) -> Result<(), Error> {
        self.require(Action::Instruct)?;
        if !self.payable_on(today) {
            return Err(self.state_error(
                "CLAIM_NOT_PAYABLE",
                "is held by an objection, under public notice, or in another batch",
                "处于异议、公示期或已列入其他批次",
            ));
        }
        self.batch = batch;
        self.enter(State::Reserved);
        Ok(())
    }

    /// Takes a claim out of a batch that is not sent.
    pub fn uncollect(&mut self) {
        self.batch = 0;
        self.enter(self.state);
    }

    /// Sends the bound parts of a collected claim to the bank; the attempts count up.
    pub fn instruct(&mut self) -> Result<Vec<Posting>, Error> {
        self.require(Action::Instruct)?;
        for part in &mut self.parts {
            if part.state == PartState::Reserved {
                part.attempts += 1;
            }
        }
        let postings = self.move_parts(
            |state| state == PartState::Reserved,
            Event::Instruct,
            PartState::InPayment,
        );
        self.enter(State::InPayment);
        postings
    }

    /// Notes the bank's answer to the payment of one part.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where the part is not with the bank.
    pub fn conclude(&mut self, payer: Payer, settled: bool) -> Result<Vec<Posting>, Error> {
        self.require(Action::Conclude)?;
        let (event, state) = if settled {
            (Event::Settle, PartState::Paid)
        } else {
            (Event::Fail, PartState::Failed)
        };
        let refused = self.state_error(
            "PAYMENT_NOT_OPEN",
            &format!("has no payment of the {payer} with the bank"),
            &format!("没有支付中的{}款项", payer.zh()),
        );
        let (id, region, programme) = (&self.id, &self.region, &self.programme);
        let part = self
            .parts
            .iter_mut()
            .find(|part| part.payer == payer && part.state == PartState::InPayment)
            .ok_or(refused)?;
        let posting = posting_of(id, region, programme, event, payer, part.amount)?;
        part.state = state;
        self.enter_by_parts();
        Ok(vec![posting])
    }

    /// Makes the failed parts of a claim ready to be paid again.
    pub fn retry(&mut self) -> Result<(), Error> {
        self.require(Action::Retry)?;
        for part in &mut self.parts {
            if part.state == PartState::Failed {
                part.state = PartState::Reserved;
            }
        }
        self.batch = 0;
        self.enter(State::Reserved);
        Ok(())
    }

    /// Notes money of one payer that came back, all or some.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where the amount is not above zero; [`Error::State`] where it is more than was paid.
    pub fn take_back(&mut self, payer: Payer, amount: Money) -> Result<Vec<Posting>, Error> {
        self.require(Action::Return)?;
        if amount <= Money::ZERO {
            return Err(Violation::new("amount", amount.to_string(), "above 0", "大于 0").into());
        }
        let (id, region, programme) = (&self.id, &self.region, &self.programme);
        let part = self.parts.iter_mut().find(|part| part.payer == payer);
        let outstanding = part.as_ref().map(|part| part.outstanding()).unwrap_or_default();
        let Some(part) = part.filter(|_| amount <= outstanding) else {
            return Err(self.state_error(
                "RETURN_BEYOND_PAID",
                &format!("has {outstanding} of the {payer} paid and not returned, {amount} is more"),
                &format!("{}已支付且未退回 {outstanding},不足 {amount}", payer.zh()),
            ));
        };
        let posting = posting_of(id, region, programme, Event::Return, payer, amount)?;
        part.returned = part.returned.checked_add(amount).unwrap_or(part.amount);
        self.enter_by_parts();
        Ok(vec![posting])
    }

    /// The accounts that the claim's postings touch.
    pub fn accounts(&self) -> impl Iterator<Item = Account> {
        self.parts.iter().flat_map(|part| {
            [Bucket::Quota, Bucket::Reserved, Bucket::InPayment, Bucket::Paid].map(|bucket| {
                Account::new(
                    part.payer,
                    self.region.clone(),
                    Some(self.programme.clone()),
                    bucket,
                )
            })
        })
    }

    /// Refuses an action that the state does not allow.
    fn require(&self, action: Action) -> Result<(), Error> {
        if self.state.allows(action) {
            return Ok(());
        }
        let (en, zh) = action.words();
        let from: Vec<State> = State::ALL
            .into_iter()
            .filter(|state| state.allows(action))
            .collect();
        let codes = from
            .iter()
            .map(|state| state.code())
            .collect::<Vec<_>>()
            .join(" or ");
        let names = from.iter().map(|state| state.zh()).collect::<Vec<_>>().join("或");
        Err(self.state_error(
            "CLAIM_STATE",
            &format!(
                "is {} and cannot be {en}: only one that is {codes} can",
                self.state
            ),
            &format!("当前为“{}”,不能{zh};只有“{names}”的申请可以{zh}", self.state.zh()),
        ))
    }

    fn check_second_person(&self, signature: &Signature) -> Result<(), Error> {
        if signature.by != self.submitted.by {
            return Ok(());
        }
        let (by, id) = (&signature.by, &self.id);
        Err(Error::Forbidden {
            reason: "APPROVER_IS_SUBMITTER",
            message: Bilingual::new(
                format!("{by} submitted {id} and may not decide on it: another person must"),
                format!("{by} 是 {id} 的申报人,不得自行审批,须由他人审批"),
            ),
        })
    }

    fn check_not_collected(&self, en: &str, zh: &str) -> Result<(), Error> {
        if self.batch == 0 || self.state != State::Reserved {
            return Ok(());
        }
        let batch = self.batch;
        Err(self.state_error(
            "CLAIM_IN_BATCH",
            &format!("is in payment batch {batch} and cannot be {en}: take it out of the batch first"),
            &format!("已列入支付批次 {batch},不能{zh},请先移出批次"),
        ))
    }

    fn begin_notice(&mut self, today: Date) -> Result<(), Error> {
        if self.notice.days == 0 {
            return Ok(());
        }
        let days = time::Duration::days(i64::from(self.notice.days) - 1);
        self.notice.from = Some(today);
        self.notice.until = Some(today.checked_add(days).ok_or_else(|| {
            Error::internal(format!(
                "a notice of {} days ends beyond the calendar",
                self.notice.days
            ))
        })?);
        Ok(())
    }

    fn end_unpaid(&mut self, end: State) -> Result<Vec<Posting>, Error> {
        if self.parts.iter().any(|part| part.outstanding() > Money::ZERO) {
            return Err(self.state_error(
                "CLAIM_PARTLY_PAID",
                "is paid in part: note the return of that money first",
                "已部分支付,请先登记退回",
            ));
        }
        let bound = |state| matches!(state, PartState::Reserved | PartState::Failed);
        let postings = self.move_parts(bound, Event::Release, PartState::Free);
        self.waiting = 0;
        self.batch = 0;
        self.enter(end);
        postings
    }

    fn move_parts(
        &mut self,
        which: impl Fn(PartState) -> bool,
        event: Event,
        to: PartState,
    ) -> Result<Vec<Posting>, Error> {
        let (id, region, programme) = (&self.id, &self.region, &self.programme);
        let moved = self.parts.iter_mut().filter(|part| which(part.state));
        moved
            .map(|part| {
                part.state = to;
                posting_of(id, region, programme, event, part.payer, part.amount)
            })
            .collect()
    }

    /// The state that the parts make.
    fn enter_by_parts(&mut self) {
        let any = |state| self.parts.iter().any(|part| part.state == state);
        let state = if any(PartState::InPayment) {
            State::InPayment
        } else if any(PartState::Failed) {
            State::Failed
        } else if self.parts.iter().all(|part| part.outstanding() == Money::ZERO) {
            State::Returned
        } else {
            State::Paid
        };
        self.enter(state);
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.version += 1;
    }

    fn state_error(&self, reason: &'static str, en: &str, zh: &str) -> Error {
        Error::State {
            name: self.id.to_string(),
            reason,
            message: Bilingual::new(format!("{} {en}", self.id), format!("{} {zh}", self.id)),
        }
    }
}

fn posting_of(
    id: &ClaimId,
    region: &RegionCode,
    programme: &ProgrammeCode,
    event: Event,
    payer: Payer,
    amount: Money,
) -> Result<Posting, Error> {
    let (from, to) = event.accounts(payer, Some(region), Some(programme))?;
    Ok(Posting {
        event,
        from,
        to,
        amount,
        subject: id.to_string(),
        note: String::new(),
        reverses: None,
    })
}
