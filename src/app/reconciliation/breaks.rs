//! Working on breaks: who, how, and with whose approval.
//!
//! Every call locks the account first, so that what it reads nobody else changes. What moves money goes through
//! the desk, under a request id that follows from the break and its version: however often an approval is
//! repeated, and whatever broke off between, it is carried out once.

use super::periods::month_is_closed;
use crate::app::desk::Command;
use crate::app::records::BreakFilter;
use crate::app::{App, Mutation, check_request_id, clock};
use crate::domain::access::Scope;
use crate::domain::allocation::{FundId, Signature};
use crate::domain::digest::Digest;
use crate::domain::disbursement::{Answer, Payment, PaymentState};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::identity::Principal;
use crate::domain::ledger::Event;
use crate::domain::money::Money;
use crate::domain::reconciliation::breaks::{Category, Correction, How, Resolution, Step, check_sums, words};
use crate::domain::reconciliation::period::closed;
use crate::domain::reconciliation::{
    AccountId, BankAccount, Break, BreakId, BreakState, Class, LineId, Month, Subject,
};
use crate::store::Tx;
use crate::store::reconciliation::{HandLine, HandLink};
use std::collections::BTreeMap;
use time::Date;

/// A break with everything that was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakDetail {
    /// The break.
    pub found: Break,
    /// What was done, in order.
    pub history: Vec<Step>,
}

/// Breaks of one class and age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgeingCell {
    /// The class.
    pub class: Class,
    /// The first day of the band.
    pub from_days: u32,
    /// The last day of the band; none where it has no end.
    pub to_days: Option<u32>,
    /// How many.
    pub count: u64,
    /// What is at stake.
    pub amount: Money,
}

/// The last days of the bands where none are asked for.
const BANDS: [u32; 4] = [3, 7, 30, 90];
/// Most bands.
const MAX_BANDS: usize = 20;

impl App {
    /// At most `limit` breaks of an account by number, those after `after`.
    pub async fn breaks(
        &self,
        account: &AccountId,
        filter: &BreakFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Break>, Error> {
        self.bank_account(account)?;
        let tx = self.store().begin_read().await?;
        tx.bank_breaks(account, filter, after, limit).await
    }

    /// A break with its history.
    pub async fn bank_break(&self, id: &BreakId) -> Result<BreakDetail, Error> {
        let tx = self.store().begin_read().await?;
        Ok(BreakDetail {
            found: find(&tx, id).await?,
            history: tx.steps_of(id).await?,
        })
    }

    /// Open breaks by class and age on a day.
    pub async fn ageing(
        &self,
        account: &AccountId,
        on: Option<Date>,
        bands: &[u32],
    ) -> Result<Vec<AgeingCell>, Error> {
        self.bank_account(account)?;
        let bands = check_bands(bands)?;
        let on = match on {
            Some(on) => on,
            None => clock::today()?,
        };
        let rows = self.store().begin_read().await?.break_ages(account).await?;
        let mut cells: BTreeMap<(Class, usize), (u64, Money)> = BTreeMap::new();
        for row in rows {
            let since = crate::domain::subsidy::parse_date("since", &row.since)?;
            let age = u32::try_from((on - since).whole_days()).unwrap_or(0);
            let band = bands.partition_point(|last| *last < age);
            let cell = cells.entry((row.class, band)).or_default();
            cell.0 += row.count;
            cell.1 = [cell.1, row.amount].into_iter().sum();
        }
        let first = |band: usize| {
            band.checked_sub(1)
                .and_then(|before| bands.get(before))
                .map_or(0, |last| last + 1)
        };
        Ok(cells
            .into_iter()
            .map(|((class, band), (count, amount))| AgeingCell {
                class,
                from_days: first(band),
                to_days: bands.get(band).copied(),
                count,
                amount,
            })
            .collect())
    }

    /// Says who works on a break.
    pub async fn assign_break(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
        assignee: Option<Principal>,
    ) -> Result<Break, Error> {
        let assignee = &assignee;
        self.mutate(mutation, "AssignBreak", |tx| async move {
            let mut work = Work::begin(&tx, id, etag).await?;
            work.still_open(&tx).await?;
            let step = work
                .found
                .assign(assignee.clone(), clock::sign(&mutation.caller))?;
            work.write(&tx, &[step]).await?;
            Ok((tx, work.found))
        })
        .await
    }

    /// Adds a remark to a break.
    pub async fn comment_break(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
        comment: &str,
    ) -> Result<Break, Error> {
        let comment = &words("comment", comment)?;
        self.mutate(mutation, "CommentBreak", |tx| async move {
            let mut work = Work::begin(&tx, id, etag).await?;
            work.still_open(&tx).await?;
            let step = work.found.comment(comment.clone(), clock::sign(&mutation.caller));
            work.write(&tx, &[step]).await?;
            Ok((tx, work.found))
        })
        .await
    }

    /// Resolves a break, or proposes to.
    pub async fn resolve_break(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
        how: How,
        reason: &str,
    ) -> Result<Break, Error> {
        let account = &self.bank_account(&id.account)?;
        let (how, reason) = (&how, &words("reason", reason)?);
        self.mutate(mutation, "ResolveBreak", |tx| async move {
            let mut work = Work::begin(&tx, id, etag).await?;
            work.still_open(&tx).await?;
            let today = clock::today()?;
            if *how == How::CarryOver && work.found.period > Month::of(today) {
                return Err(Violation::new(
                    "carry_over",
                    work.found.period.to_string(),
                    "a break of this month or of one before",
                    "本月及以前月份的差异",
                )
                .into());
            }
            let steps = work
                .found
                .resolve(how.clone(), reason.clone(), clock::sign(&mutation.caller))?;
            check(&tx, account, &work.found, how).await?;
            work.write(&tx, &steps).await?;
            Ok((tx, work.found))
        })
        .await
    }

    /// Approves what was proposed and carries it out. An approval that was cut short is completed by approving
    /// again.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for whoever proposed it. Where the ledger refuses, its refusal; the break is open
    /// again.
    pub async fn approve_resolution(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
    ) -> Result<Break, Error> {
        const METHOD: &str = "ApproveResolution";
        let account = &self.bank_account(&id.account)?;
        check_request_id(&mutation.request_id)?;
        if let Some(answer) = self.answered(mutation, METHOD).await? {
            return Ok(answer);
        }
        // First, that it is approved; from here on it can be completed, whatever happens.
        let first = Mutation {
            request_id: String::new(),
            ..mutation.clone()
        };
        let approved: Break = self
            .mutate(&first, "ApproveResolution.begin", |tx| async move {
                let mut work = Work::begin(&tx, id, etag).await?;
                work.still_open(&tx).await?;
                if let Some(step) = work.found.approve(clock::sign(&mutation.caller))? {
                    let how = work.how()?;
                    check(&tx, account, &work.found, &how).await?;
                    work.write(&tx, &[step]).await?;
                }
                Ok((tx, work.found))
            })
            .await?;
        if mutation.validate_only {
            return Ok(approved);
        }
        if let Err(refused) = self.carry_out_resolution(&approved, &mutation.peer).await {
            if passing(&refused) {
                return Err(refused);
            }
            self.fall_back(&approved, &refused, &mutation.peer).await?;
            return Err(refused);
        }
        self.mutate(mutation, METHOD, |tx| async move {
            let mut work = Work::begin(&tx, id, "").await?;
            if work.found.version != approved.version {
                // Another approval of the same has completed it.
                return Ok((tx, work.found));
            }
            let resolution = work.resolution()?;
            let signed = resolution.approved.clone().unwrap_or(resolution.proposed.clone());
            let step = work.found.complete(clock::sign(&signed.by))?;
            link(&tx, &work.found, &resolution).await?;
            work.write(&tx, &[step]).await?;
            others(&tx, &work.found, &resolution, &clock::sign(&signed.by)).await?;
            Ok((tx, work.found))
        })
        .await
    }

    /// Refuses what was proposed.
    pub async fn reject_resolution(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
        reason: &str,
    ) -> Result<Break, Error> {
        let reason = &words("reason", reason)?;
        self.mutate(mutation, "RejectResolution", |tx| async move {
            let mut work = Work::begin(&tx, id, etag).await?;
            let step = work.found.reject(reason.clone(), clock::sign(&mutation.caller))?;
            work.write(&tx, &[step]).await?;
            Ok((tx, work.found))
        })
        .await
    }

    /// Opens a break again; of one of a closed month, the one that takes its place.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where what was done cannot be undone here.
    pub async fn reopen_break(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
        reason: &str,
    ) -> Result<Break, Error> {
        let reason = &words("reason", reason)?;
        self.mutate(mutation, "ReopenBreak", |tx| async move {
            let mut work = Work::begin(&tx, id, etag).await?;
            let signed = clock::sign(&mutation.caller);
            if work.found.state != BreakState::Resolved {
                // Says why not.
                work.found.reopen(reason.clone(), signed)?;
                return Ok((tx, work.found));
            }
            let newest = tx
                .breaks_of(&id.account, std::slice::from_ref(&work.found.evidence.subject))
                .await?;
            if let Some(newer) = newest.first().filter(|newest| newest.id != *id) {
                return Err(replaced(id, &newer.id));
            }
            let how = work.how()?;
            if matches!(how, How::Correct { .. }) {
                return Err(posted(id));
            }
            if month_is_closed(&tx, &id.account, work.found.period).await? {
                if let How::Match { .. } = how {
                    return Err(closed(&id.account, work.found.period));
                }
                let to = tx.closed_to(&id.account).await?;
                let period = to.map_or(work.found.period, Month::next);
                let (new, step) = work.found.correction(work.last + 1, period, reason, signed);
                tx.insert_break(&new).await?;
                tx.insert_steps(&[(&new.id, &step)]).await?;
                return Ok((tx, new));
            }
            let step = work.found.reopen(reason.clone(), signed.clone())?;
            if let How::Match { lines, payments } = &how {
                unlocked(&tx, &id.account, lines).await?;
                tx.unlink_by_hand(&id.account, lines, payments).await?;
                reopen_others(&tx, &work.found, lines, payments, reason, &signed).await?;
            }
            work.write(&tx, &[step]).await?;
            Ok((tx, work.found))
        })
        .await
    }

    /// Moves the money that an approved resolution moves.
    async fn carry_out_resolution(&self, approved: &Break, peer: &str) -> Result<(), Error> {
        let resolution = approved
            .resolution
            .as_ref()
            .ok_or_else(|| Error::internal("an approved break without a resolution"))?;
        let approver = resolution.approved.as_ref().unwrap_or(&resolution.proposed);
        let commands = match &resolution.how {
            How::Match { lines, payments } => self.settlements(approved, lines, payments).await?,
            How::Correct { correction } => vec![self.correction(correction, &resolution.reason).await?],
            _ => Vec::new(),
        };
        if commands.is_empty() {
            return Ok(());
        }
        let id = &approved.id;
        let mutation = Mutation {
            caller: approver.by.clone(),
            peer: peer.to_owned(),
            scope: Scope::All,
            request_id: format!("rec:{}:{}:{}", id.account, id.number, approved.version),
            body: Digest::of(id.to_string().as_bytes()),
            validate_only: false,
        };
        let place = (self.store(), self.vault()?);
        if let [command] = commands.as_slice() {
            return self
                .desk
                .one(place, mutation, "ApproveResolution.post", command.clone())
                .await
                .map(drop);
        }
        let commands = commands.into_iter().map(Ok).collect();
        let outcomes = self
            .desk
            .many(place, mutation, "ApproveResolution.post", commands)
            .await?;
        match outcomes.into_iter().find_map(Result::err) {
            None => Ok(()),
            Some(refusal) => Err(Error::State {
                name: id.to_string(),
                reason: "POSTING_REFUSED",
                message: refusal.message,
            }),
        }
    }

    /// Settles payments that are still with the bank, by the lines that a person says pay them.
    ///
    /// The commands depend on what is proposed alone, so that a repeated call has the same ones: a payment that
    /// is settled is settled again without effect.
    async fn settlements(
        &self,
        approved: &Break,
        lines: &[LineId],
        payments: &[String],
    ) -> Result<Vec<Command>, Error> {
        let tx = self.store().begin_read().await?;
        let lines = tx.hand_lines(&approved.id.account, lines).await?;
        let on = lines
            .iter()
            .map(|line| line.booked.clone())
            .max()
            .unwrap_or_default();
        Ok(payments
            .iter()
            .map(|reference| Command::Conclude {
                reference: reference.clone(),
                amount: None,
                answer: Answer {
                    settled: true,
                    bank_reference: String::new(),
                    on: on.clone(),
                    reason: String::new(),
                },
            })
            .collect())
    }

    async fn correction(&self, correction: &Correction, reason: &str) -> Result<Command, Error> {
        Ok(match correction {
            Correction::Settle { payment, on } => Command::Conclude {
                reference: payment.clone(),
                amount: None,
                answer: Answer {
                    settled: true,
                    bank_reference: String::new(),
                    on: on.clone(),
                    reason: String::new(),
                },
            },
            Correction::Fail { payment } => Command::Conclude {
                reference: payment.clone(),
                amount: None,
                answer: Answer {
                    settled: false,
                    bank_reference: String::new(),
                    on: String::new(),
                    reason: reason.to_owned(),
                },
            },
            Correction::Return { payment, amount } => {
                let tx = self.store().begin_read().await?;
                let found = payment_of(&tx, payment).await?;
                Command::Return {
                    claim: found.claim,
                    payer: found.payer,
                    amount: *amount,
                    note: format!("{payment}: {reason}"),
                }
            }
        })
    }

    /// What was approved could not be carried out: the break is open again, and its history says why.
    async fn fall_back(&self, approved: &Break, refused: &Error, peer: &str) -> Result<(), Error> {
        let approver = approved
            .resolution
            .as_ref()
            .and_then(|resolution| resolution.approved.clone());
        let by = approver
            .ok_or_else(|| Error::internal("an approval by nobody"))?
            .by;
        let message = refused.message();
        let why = format!("{} / {}", message.zh, message.en);
        let why = &why;
        let mutation = Mutation {
            caller: by.clone(),
            peer: peer.to_owned(),
            scope: Scope::All,
            request_id: String::new(),
            body: Digest::of(b""),
            validate_only: false,
        };
        self.mutate(&mutation, "ApproveResolution.refused", |tx| {
            let by = by.clone();
            async move {
                let mut work = Work::begin(&tx, &approved.id, "").await?;
                if work.found.version == approved.version {
                    let step = work.found.fall_back(why.clone(), clock::sign(&by))?;
                    work.write(&tx, &[step]).await?;
                }
                Ok((tx, ()))
            }
        })
        .await
    }

    /// The answer that a call got before.
    async fn answered(&self, mutation: &Mutation, method: &str) -> Result<Option<Break>, Error> {
        if mutation.request_id.is_empty() {
            return Ok(None);
        }
        let tx = self.store().begin_read().await?;
        let Some(stored) = tx.request(mutation.caller.as_str(), &mutation.request_id).await? else {
            return Ok(None);
        };
        if stored.method != method || stored.body != mutation.body {
            return Err(Error::RequestIdReused {
                request_id: stored.request_id,
            });
        }
        serde_json::from_str(&stored.response)
            .map(Some)
            .map_err(Error::internal)
    }
}

/// A break at work: its account is locked.
struct Work {
    found: Break,
    /// Its version as it was read.
    had: u32,
    /// The number of the account's last break.
    last: u64,
}

impl Work {
    async fn begin(tx: &Tx, id: &BreakId, etag: &str) -> Result<Self, Error> {
        let last = tx.lock_breaks(&id.account).await?;
        let found = find(tx, id).await?;
        found.check_etag(etag)?;
        Ok(Self {
            had: found.version,
            found,
            last,
        })
    }

    async fn still_open(&self, tx: &Tx) -> Result<(), Error> {
        let (account, period) = (&self.found.id.account, self.found.period);
        if month_is_closed(tx, account, period).await? {
            return Err(closed(account, period));
        }
        Ok(())
    }

    fn resolution(&self) -> Result<Resolution, Error> {
        let resolution = self.found.resolution.clone();
        resolution.ok_or_else(|| Error::internal("a break without a resolution"))
    }

    fn how(&self) -> Result<How, Error> {
        self.resolution().map(|resolution| resolution.how)
    }

    async fn write(&self, tx: &Tx, steps: &[Step]) -> Result<(), Error> {
        tx.update_breaks(&[(&self.found, self.had)]).await?;
        let steps: Vec<(&BreakId, &Step)> = steps.iter().map(|step| (&self.found.id, step)).collect();
        tx.insert_steps(&steps).await
    }
}

async fn find(tx: &Tx, id: &BreakId) -> Result<Break, Error> {
    let found = tx.bank_break(id).await?;
    found.ok_or_else(|| Error::NotFound {
        kind: "break",
        name: id.to_string(),
    })
}

async fn payment_of(tx: &Tx, reference: &str) -> Result<Payment, Error> {
    let found = tx.payments_by_reference(&[reference]).await?.pop();
    found.ok_or_else(|| Error::NotFound {
        kind: "payment",
        name: crate::domain::error::excerpt(reference),
    })
}

/// Whether a refusal passes by itself, so that the approval stands and can be completed later.
const fn passing(refused: &Error) -> bool {
    matches!(
        refused,
        Error::Unavailable { .. } | Error::Conflict { .. } | Error::Internal { .. }
    )
}

/// Whether what is proposed is possible with the lines, payments and entries that there are.
async fn check(tx: &Tx, account: &BankAccount, found: &Break, how: &How) -> Result<(), Error> {
    match how {
        How::Match { lines, payments } => check_match(tx, account, lines, payments).await,
        How::Correct { correction } => check_correction(tx, account, found, correction).await,
        How::Explain { category, entry } if *category == Category::Receipt && !entry.is_empty() => {
            check_entry(tx, account, found, entry).await
        }
        _ => Ok(()),
    }
}

async fn check_match(
    tx: &Tx,
    account: &BankAccount,
    lines: &[LineId],
    payments: &[String],
) -> Result<(), Error> {
    let named = lines;
    let lines: Vec<HandLine> = tx.hand_lines(&account.id, named).await?;
    for (at, line) in named.iter().enumerate() {
        let place = format!("statement {} line {}", line.statement, line.line);
        let Some(there) = lines.iter().find(|there| there.id == *line) else {
            return Err(Violation::new(
                format!("match.lines[{at}]"),
                place,
                format!("a line of a statement of account {}", account.id),
                format!("账户 {} 对账单中的明细", account.id),
            )
            .into());
        };
        if there.matched {
            return Err(Violation::new(
                format!("match.lines[{at}]"),
                format!("{place}, which is matched"),
                "a line that is not matched",
                "尚未勾对的明细",
            )
            .into());
        }
    }
    let references: Vec<&str> = payments.iter().map(String::as_str).collect();
    let places = tx.hand_payments(&references).await?;
    let known = tx.payments_by_reference(&references).await?;
    for (at, reference) in payments.iter().enumerate() {
        let field = format!("match.payments[{at}]");
        let payment = known.iter().find(|payment| payment.reference == *reference);
        let place = places
            .get(reference)
            .filter(|place| account.scope.contains(place.payer, &place.region));
        let (Some(payment), Some(place)) = (payment, place) else {
            return Err(Violation::new(
                field,
                reference,
                format!("a payment from account {}", account.id),
                format!("账户 {} 的付款", account.id),
            )
            .into());
        };
        if place.matched || payment.state == PaymentState::Failed {
            let state = if place.matched {
                "matched"
            } else {
                payment.state.code()
            };
            return Err(Violation::new(
                field,
                format!("{reference}, which is {state}"),
                "a payment that is instructed or settled and not matched",
                "支付中或支付成功、尚未勾对的付款",
            )
            .into());
        }
    }
    let sums = check_sums(
        lines.iter().map(|line| line.amount),
        known.iter().map(|payment| payment.amount),
    );
    sums.map_err(Error::from)
}

async fn check_correction(
    tx: &Tx,
    account: &BankAccount,
    found: &Break,
    correction: &Correction,
) -> Result<(), Error> {
    const FIELD: &str = "correction.payment";
    let reference = correction.payment();
    // The same words where there is no such payment: whose account it is not must not learn that there is one.
    let places = tx.hand_payments(&[reference]).await?;
    if !places
        .get(reference)
        .is_some_and(|place| account.scope.contains(place.payer, &place.region))
    {
        return Err(Violation::new(
            FIELD,
            reference,
            format!("a payment from account {}", account.id),
            format!("账户 {} 的付款", account.id),
        )
        .into());
    }
    let payment = payment_of(tx, reference).await?;
    let (wanted, en, zh) = match correction {
        Correction::Return { .. } => (
            PaymentState::Settled,
            "a payment that is settled",
            "支付成功的付款",
        ),
        _ => (
            PaymentState::Instructed,
            "a payment that is with the bank",
            "支付中的付款",
        ),
    };
    if payment.state != wanted {
        return Err(Violation::new(FIELD, format!("{reference}, which is {}", payment.state), en, zh).into());
    }
    let brought = found.line().map(|_| found.evidence.found);
    if let (Correction::Return { amount, .. }, Some(brought)) = (correction, brought)
        && brought > Money::ZERO
        && *amount != brought
    {
        return Err(Violation::new(
            "correction.amount",
            amount.to_string(),
            format!("{brought}, what the line brought"),
            format!("{brought}(该明细的金额)"),
        )
        .into());
    }
    Ok(())
}

/// An entry is what the line is where it brought as much into the fund, on this account, and no other line is it.
async fn check_entry(tx: &Tx, account: &BankAccount, found: &Break, name: &str) -> Result<(), Error> {
    const FIELD: &str = "explanation.entry";
    let amount = found.evidence.found;
    let refused = |is: &str| {
        Error::from(Violation::new(
            FIELD,
            is,
            format!(
                "an entry that brings {amount} into a fund from account {}, named once",
                account.id
            ),
            format!("账户 {} 收到 {amount} 的分录,且只注明一次", account.id),
        ))
    };
    let (fund, number) = name
        .strip_prefix("funds/")
        .and_then(|rest| rest.split_once("/entries/"))
        .and_then(|(fund, number)| Some((FundId::parse(FIELD, fund).ok()?, number.parse().ok()?)))
        .ok_or_else(|| refused(name))?;
    let entry = tx.entries_numbered(&fund, [number]).await?.remove(&number);
    let Some(Ok(entry)) = entry else {
        return Err(refused(name));
    };
    let posting = &entry.posting;
    let to = &posting.to;
    let here = match &to.region {
        Some(region) => account.scope.contains(to.payer, region),
        None => account
            .scope
            .covers()
            .iter()
            .any(|cover| cover.payer == to.payer && cover.region.is_none()),
    };
    let receives = matches!(posting.event, Event::Receive | Event::Contribute) && posting.reverses.is_none();
    // What an entry of another account says is told to nobody who works on this one.
    if !here {
        return Err(refused(name));
    }
    if !receives || posting.amount != amount {
        return Err(refused(&format!("{name}: {} {}", posting.event, posting.amount)));
    }
    if tx.entry_is_taken(name).await? {
        return Err(refused(&format!("{name}, which another line is")));
    }
    Ok(())
}

/// Links the lines and payments of what was approved.
async fn link(tx: &Tx, found: &Break, resolution: &Resolution) -> Result<(), Error> {
    match &resolution.how {
        How::Match { lines, payments } => {
            let pairs = lines
                .iter()
                .flat_map(|line| payments.iter().map(move |payment| (*line, payment)));
            let links: Vec<HandLink<'_>> = pairs
                .map(|(line, reference)| HandLink {
                    line,
                    reference,
                    class: Class::Matched,
                })
                .collect();
            tx.link_by_hand(&links).await
        }
        How::Correct {
            correction: Correction::Return { payment, amount },
        } => {
            let Some(line) = found.line().filter(|_| found.evidence.found > Money::ZERO) else {
                return Ok(());
            };
            let link = HandLink {
                line,
                reference: payment,
                class: Class::Reversed,
            };
            tx.link_by_hand(&[link]).await?;
            tx.note_posting(line, payment, *amount, clock::now()).await
        }
        _ => Ok(()),
    }
}

/// The subjects of a match by hand.
fn subjects(lines: &[LineId], payments: &[String]) -> Vec<Subject> {
    let lines = lines.iter().copied().map(Subject::Line);
    lines
        .chain(payments.iter().cloned().map(Subject::Payment))
        .collect()
}

/// Resolves the other breaks of what was matched by hand.
async fn others(tx: &Tx, found: &Break, resolution: &Resolution, signed: &Signature) -> Result<(), Error> {
    let How::Match { lines, payments } = &resolution.how else {
        return Ok(());
    };
    let account = &found.id.account;
    for mut other in tx.breaks_of(account, &subjects(lines, payments)).await? {
        if other.id == found.id || other.state != BreakState::Open {
            continue;
        }
        let had = other.version;
        let step = other.resolve_with(resolution.clone(), signed.clone())?;
        tx.update_breaks(&[(&other, had)]).await?;
        tx.insert_steps(&[(&other.id, &step)]).await?;
    }
    Ok(())
}

/// Opens the other breaks of what was matched by hand again.
async fn reopen_others(
    tx: &Tx,
    found: &Break,
    lines: &[LineId],
    payments: &[String],
    reason: &str,
    signed: &Signature,
) -> Result<(), Error> {
    for mut other in tx
        .breaks_of(&found.id.account, &subjects(lines, payments))
        .await?
    {
        let same = other.resolution.as_ref().map(|resolution| &resolution.how)
            == found_how(found, lines, payments).as_ref();
        if other.id == found.id || other.state != BreakState::Resolved || !same {
            continue;
        }
        let had = other.version;
        let step = other.reopen(reason.to_owned(), signed.clone())?;
        tx.update_breaks(&[(&other, had)]).await?;
        tx.insert_steps(&[(&other.id, &step)]).await?;
    }
    Ok(())
}

fn found_how(_: &Break, lines: &[LineId], payments: &[String]) -> Option<How> {
    Some(How::Match {
        lines: lines.to_vec(),
        payments: payments.to_vec(),
    })
}

/// What was matched by hand cannot be undone where a line lies in a closed month.
async fn unlocked(tx: &Tx, account: &AccountId, lines: &[LineId]) -> Result<(), Error> {
    for line in tx.hand_lines(account, lines).await? {
        let day = crate::domain::subsidy::parse_date("booked", &line.booked)?;
        let month = Month::of(day);
        if month_is_closed(tx, account, month).await? {
            return Err(closed(account, month));
        }
    }
    Ok(())
}

fn replaced(id: &BreakId, newer: &BreakId) -> Error {
    Error::State {
        name: id.to_string(),
        reason: "BREAK_REPLACED",
        message: Bilingual::new(
            format!("{newer} has taken the place of {id}: work on that one"),
            format!("{id} 已由 {newer} 代替,请处理后者"),
        ),
    }
}

fn posted(id: &BreakId) -> Error {
    Error::State {
        name: id.to_string(),
        reason: "CORRECTION_POSTED",
        message: Bilingual::new(
            format!(
                "what resolved {id} is posted to the ledger and stays: correct it there by a further entry"
            ),
            format!("{id} 的更正已记入账簿,不能撤回,请另行更正"),
        ),
    }
}

fn check_bands(bands: &[u32]) -> Result<Vec<u32>, Violation> {
    if bands.is_empty() {
        return Ok(BANDS.to_vec());
    }
    if bands.len() <= MAX_BANDS && bands.is_sorted_by(|one, next| one < next) {
        return Ok(bands.to_vec());
    }
    let found: Vec<String> = bands.iter().take(2 * MAX_BANDS).map(u32::to_string).collect();
    Err(Violation::new(
        "bands",
        found.join(", "),
        format!("at most {MAX_BANDS} days, ascending"),
        format!("至多 {MAX_BANDS} 个递增的天数"),
    ))
}
