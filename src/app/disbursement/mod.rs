//! Payment batches: collect claims, freeze, release by a second person.
//!
//! Until its release a batch is its claims, which carry its number; its lines can be looked at, and are no
//! payments yet. The release makes them: for every bound part of every claim one payment with its own
//! reference, and the payee sealed with it as it is sent to the bank, so that whatever is corrected later,
//! a batch is exported as it was released. [`export`] writes the files, [`results`] takes the answers.
//!
//! Every call here locks the end of the fund's journal first, so that what it reads nobody else changes,
//! and takes the same number of round trips whatever the batch holds.

mod export;
mod results;

pub use export::{BankFile, FileFormat};
pub use results::{ImportedResults, ResultRow, ResultScope, RowOutcome};

use super::books::OpenBooks;
use super::claims;
use super::desk::told;
use super::records::{BatchFilter, ClaimFilter};
use super::vault::{Sealed, Vault};
use super::{App, Mutation, clock};
use crate::app::books::Told;
use crate::domain::allocation::{FundId, Signature};
use crate::domain::claim::{Claim, ClaimId, Part, PartState, Payee, State};
use crate::domain::disbursement::{Batch, BatchAction, BatchState, Payment, PaymentState};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::ledger::Account;
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::payment::{Origin, Reference};
use crate::domain::region::RegionCode;
use crate::domain::subsidy::{ProgrammeCode, format_date};
use crate::store::Tx;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use time::Date;
use zeroize::Zeroizing;

/// Most claims in a batch.
pub const MAX_CLAIMS: u64 = 10_000;
/// Longest note, in characters.
const MAX_NOTE: usize = 500;
/// Furthest day, counted from today, on which the bank can be told to pay.
const MAX_DAYS_AHEAD: i64 = 366;
/// What a fund's ordinal is multiplied by in references: more claims than a fund will ever have.
const CLAIMS_OF_A_FUND: u64 = 1_000_000_000;

/// Names a batch: its fund, and its number there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchName {
    /// The fund.
    pub fund: FundId,
    /// Counted from 1 within the fund.
    pub number: u64,
}

impl fmt::Display for BatchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "funds/{}/batches/{}", self.fund, self.number)
    }
}

/// Which claims to collect.
#[derive(Debug, Clone)]
pub struct CreateBatch {
    /// The fund.
    pub fund: FundId,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Only of this region.
    pub region: Option<RegionCode>,
    /// When the bank is to pay.
    pub execution_date: Date,
    /// At most so many claims; 0 means [`MAX_CLAIMS`].
    pub max_claims: u64,
    /// At most so much money.
    pub max_amount: Option<Money>,
    /// A note; may be empty.
    pub note: String,
}

/// A batch with its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchDetail {
    /// The batch.
    pub batch: Batch,
    /// By payer and state; before the release there is no state.
    pub totals: Vec<LineTotal>,
}

/// How many lines of a batch there are, and their sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineTotal {
    /// Whose money.
    pub payer: Payer,
    /// Where the payments are; none before the release.
    pub state: Option<PaymentState>,
    /// How many.
    pub count: u64,
    /// Their sum.
    pub amount: Money,
}

/// A line of a batch, with nothing in it that is not masked. Before the release the payment has no
/// reference, and will be instructed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchLine {
    /// The payment, or what it will be.
    pub payment: Payment,
    /// Whether it has been released.
    pub released: bool,
    /// The claim's region.
    pub region: RegionCode,
    /// The applicant's name, masked.
    pub masked_name: String,
    /// The account that is paid, masked.
    pub masked_account: String,
}

impl App {
    /// Collects payable claims in the order of their numbers, up to the limits, into a new batch. Each
    /// claim is collected whole.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where nothing can be collected: how many claims wait, and for what.
    pub async fn create_batch(&self, mutation: &Mutation, create: CreateBatch) -> Result<Batch, Error> {
        let create = &create;
        self.mutate_posting(mutation, "CreateBatch", |tx| async move {
            let today = clock::today()?;
            create.check(today)?;
            let fund = &create.fund;
            let mut books = open(&tx, fund).await?;
            let signed = clock::sign(&mutation.caller);
            let mut claims = collect(&tx, create, today).await?;
            let head = &mut books.fund(fund)?.head;
            head.batches += 1;
            let number = head.batches;
            let (lines, amount) = sum(&claims)?;
            let batch = Batch {
                fund: fund.clone(),
                number,
                programme: create.programme.clone(),
                state: BatchState::Draft,
                version: 1,
                execution_date: format_date(create.execution_date),
                lines,
                amount,
                created: signed.clone(),
                frozen: None,
                released: None,
                closed: None,
                note: create.note.clone(),
            };
            change_claims(
                &tx,
                &mut books,
                &mut claims,
                &signed,
                "claim.collected",
                |claim| claim.collect(number, today),
            )
            .await?;
            books.fund(fund)?.tell(of_batch(&batch, "batch.created"), &signed);
            tx.store_batch(&batch).await?;
            books.write(&tx).await?;
            Ok((tx, batch))
        })
        .await
    }

    /// Takes claims out of a draft.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where one is not in the batch, or none would be left.
    pub async fn remove_from_batch(
        &self,
        mutation: &Mutation,
        name: &BatchName,
        etag: &str,
        numbers: &[u64],
    ) -> Result<Batch, Error> {
        self.mutate_posting(mutation, "RemoveFromBatch", |tx| async move {
            let mut books = open(&tx, &name.fund).await?;
            let signed = clock::sign(&mutation.caller);
            let mut batch = find(&tx, name).await?;
            batch.check_etag(etag)?;
            batch.act(BatchAction::Change, false, signed.clone())?;
            let wanted: BTreeSet<u64> = numbers.iter().copied().collect();
            let (mut removed, left): (Vec<Claim>, Vec<Claim>) = claims_of(&tx, &batch)
                .await?
                .into_iter()
                .partition(|claim| wanted.contains(&claim.id.number));
            check_removal(name, &wanted, &removed, &left)?;
            (batch.lines, batch.amount) = sum(&left)?;
            let kind = "claim.taken_out";
            change_claims(&tx, &mut books, &mut removed, &signed, kind, |claim| {
                claim.uncollect();
                Ok(())
            })
            .await?;
            books
                .fund(&name.fund)?
                .tell(of_batch(&batch, "batch.changed"), &signed);
            tx.store_batch(&batch).await?;
            books.write(&tx).await?;
            Ok((tx, batch))
        })
        .await
    }

    /// Fixes the lines of a draft.
    pub async fn freeze_batch(
        &self,
        mutation: &Mutation,
        name: &BatchName,
        etag: &str,
    ) -> Result<Batch, Error> {
        self.mutate_posting(mutation, "FreezeBatch", |tx| async move {
            let mut books = open(&tx, &name.fund).await?;
            let signed = clock::sign(&mutation.caller);
            let mut batch = find(&tx, name).await?;
            batch.check_etag(etag)?;
            batch.act(BatchAction::Freeze, false, signed.clone())?;
            books
                .fund(&name.fund)?
                .tell(of_batch(&batch, "batch.frozen"), &signed);
            tx.store_batch(&batch).await?;
            books.write(&tx).await?;
            Ok((tx, batch))
        })
        .await
    }

    /// Gives up a batch that is not released; its claims may be collected again.
    pub async fn cancel_batch(
        &self,
        mutation: &Mutation,
        name: &BatchName,
        etag: &str,
    ) -> Result<Batch, Error> {
        self.mutate_posting(mutation, "CancelBatch", |tx| async move {
            let mut books = open(&tx, &name.fund).await?;
            let signed = clock::sign(&mutation.caller);
            let mut batch = find(&tx, name).await?;
            batch.check_etag(etag)?;
            batch.act(BatchAction::Cancel, false, signed.clone())?;
            let mut claims = claims_of(&tx, &batch).await?;
            let kind = "claim.taken_out";
            change_claims(&tx, &mut books, &mut claims, &signed, kind, |claim| {
                claim.uncollect();
                Ok(())
            })
            .await?;
            books
                .fund(&name.fund)?
                .tell(of_batch(&batch, "batch.cancelled"), &signed);
            tx.store_batch(&batch).await?;
            books.write(&tx).await?;
            Ok((tx, batch))
        })
        .await
    }

    /// Releases a frozen batch, by another person than those who collected and froze it: the money of every
    /// claim is in payment from now on, and every part has a payment with a reference.
    pub async fn release_batch(
        &self,
        mutation: &Mutation,
        name: &BatchName,
        etag: &str,
    ) -> Result<Batch, Error> {
        let vault = self.vault()?;
        self.mutate_posting(mutation, "ReleaseBatch", |tx| async move {
            let mut books = open(&tx, &name.fund).await?;
            let signed = clock::sign(&mutation.caller);
            let mut batch = find(&tx, name).await?;
            batch.check_etag(etag)?;
            batch.act(BatchAction::Release, true, signed.clone())?;
            check_not_past(&batch, clock::today()?)?;
            instruct(&tx, vault, &mut books, &batch, &signed).await?;
            books
                .fund(&name.fund)?
                .tell(of_batch(&batch, "batch.released"), &signed);
            tx.store_batch(&batch).await?;
            books.write(&tx).await?;
            Ok((tx, batch))
        })
        .await
    }

    /// A batch with its numbers.
    pub async fn batch(&self, name: &BatchName) -> Result<BatchDetail, Error> {
        let tx = self.store().begin_read().await?;
        let batch = find(&tx, name).await?;
        let totals = match batch.state {
            BatchState::Cancelled => Vec::new(),
            BatchState::Draft | BatchState::Frozen => planned(&claims_of(&tx, &batch).await?)?,
            BatchState::Released | BatchState::Closed => (tx.payment_totals(&name.fund, name.number).await?)
                .into_iter()
                .map(|(payer, state, count, amount)| LineTotal {
                    payer,
                    state: Some(state),
                    count,
                    amount,
                })
                .collect(),
        };
        Ok(BatchDetail { batch, totals })
    }

    /// At most `limit` batches of a fund after a number, by number.
    pub async fn batches(
        &self,
        fund: &FundId,
        filter: &BatchFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Batch>, Error> {
        let tx = self.store().begin_read().await?;
        tx.batches(fund, filter, after, limit).await
    }

    /// At most `limit` lines of a batch after a line; before the release, what the lines will be. A
    /// cancelled batch has none.
    pub async fn batch_lines(
        &self,
        name: &BatchName,
        after: u64,
        limit: u64,
    ) -> Result<Vec<BatchLine>, Error> {
        let vault = self.vault()?;
        let tx = self.store().begin_read().await?;
        let batch = find(&tx, name).await?;
        let released = matches!(batch.state, BatchState::Released | BatchState::Closed);
        let payments = if released {
            tx.payments_of_batch(&name.fund, name.number, after, limit)
                .await?
        } else {
            let claims = claims_of(&tx, &batch).await?;
            let lines = claims.iter().flat_map(|claim| {
                let bound = claim.parts.iter().filter(|part| is_bound(part));
                bound.map(move |part| (claim, part))
            });
            let skipped = usize::try_from(after).unwrap_or(usize::MAX);
            let most = usize::try_from(limit).unwrap_or(usize::MAX);
            lines
                .zip(1..)
                .skip(skipped)
                .take(most)
                .map(|((claim, part), line)| {
                    payment(&batch, line, claim, part, part.attempts + 1, String::new())
                })
                .collect()
        };
        lines(&tx, vault, payments, released).await
    }
}

impl CreateBatch {
    fn check(&self, today: Date) -> Result<(), Vec<Violation>> {
        let mut faults = Vec::new();
        let last = today.saturating_add(time::Duration::days(MAX_DAYS_AHEAD));
        if !(today..=last).contains(&self.execution_date) {
            let (from, to) = (format_date(today), format_date(last));
            faults.push(Violation::new(
                "execution_date",
                format_date(self.execution_date),
                format!("{from} (today) to {to}"),
                format!("{from}(今天)至 {to}"),
            ));
        }
        if self.max_claims > MAX_CLAIMS {
            faults.push(Violation::new(
                "max_claims",
                self.max_claims.to_string(),
                format!("at most {MAX_CLAIMS}; 0 means that many"),
                format!("至多 {MAX_CLAIMS};0 表示取此上限"),
            ));
        }
        if let Some(amount) = self.max_amount.filter(|amount| *amount <= Money::ZERO) {
            faults.push(Violation::new(
                "max_amount",
                amount.to_string(),
                "above 0",
                "大于 0",
            ));
        }
        let length = self.note.chars().count();
        if length > MAX_NOTE || self.note.chars().any(char::is_control) {
            faults.push(Violation::new(
                "note",
                format!("{length} characters"),
                format!("at most {MAX_NOTE} characters, no control characters"),
                format!("至多 {MAX_NOTE} 个字符,不含控制字符"),
            ));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// Opens the books of a fund that there is.
async fn open(tx: &Tx, fund: &FundId) -> Result<OpenBooks, Error> {
    let mut books = OpenBooks::open(tx, &BTreeSet::from([fund.clone()])).await?;
    books.fund(fund)?;
    Ok(books)
}

async fn find(tx: &Tx, name: &BatchName) -> Result<Batch, Error> {
    let found = tx.batch(&name.fund, name.number).await?;
    found.ok_or_else(|| Error::NotFound {
        kind: "payment batch",
        name: name.to_string(),
    })
}

/// The claims of a batch that is not released, by number.
async fn claims_of(tx: &Tx, batch: &Batch) -> Result<Vec<Claim>, Error> {
    let filter = ClaimFilter {
        programme: Some(batch.programme.clone()),
        state: Some(State::Reserved),
        batch: Some(batch.number),
        ..ClaimFilter::default()
    };
    tx.list_claims(&batch.fund, &filter, 0, MAX_CLAIMS).await
}

/// The payable claims that a batch takes, by number.
async fn collect(tx: &Tx, create: &CreateBatch, today: Date) -> Result<Vec<Claim>, Error> {
    let filter = ClaimFilter {
        region: create.region.clone(),
        programme: Some(create.programme.clone()),
        state: Some(State::Reserved),
        batch: Some(0),
        ..ClaimFilter::default()
    };
    let most = match create.max_claims {
        0 => MAX_CLAIMS,
        most => most,
    };
    let mut chosen: Vec<Claim> = Vec::new();
    let mut amount = Money::ZERO;
    let (mut noticed, mut objected, mut after) = (0_u64, 0_u64, 0);
    'pages: loop {
        let page = tx.list_claims(&create.fund, &filter, after, MAX_CLAIMS).await?;
        let Some(last) = page.last() else { break };
        after = last.id.number;
        for claim in page {
            if !claim.payable_on(today) {
                let held = claim.notice.open_objections > 0;
                objected += u64::from(held);
                noticed += u64::from(!held);
                continue;
            }
            let due = due(&claim)?;
            let with = amount.checked_add(due);
            let fits = with.filter(|with| create.max_amount.is_none_or(|most| *with <= most));
            let Some(with) = fits else {
                if chosen.is_empty() {
                    return Err(too_much(create, &claim, due));
                }
                break 'pages;
            };
            amount = with;
            chosen.push(claim);
            if chosen.len() as u64 == most {
                break 'pages;
            }
        }
    }
    if chosen.is_empty() {
        return Err(nothing_payable(create, noticed, objected));
    }
    Ok(chosen)
}

fn nothing_payable(create: &CreateBatch, noticed: u64, objected: u64) -> Error {
    let CreateBatch { fund, programme, .. } = create;
    let (place_en, place_zh) = match &create.region {
        Some(region) => (format!(" in region {region}"), format!("地区 {region} ")),
        None => Default::default(),
    };
    Error::State {
        name: format!("funds/{fund}"),
        reason: "NOTHING_PAYABLE",
        message: Bilingual::new(
            format!(
                "fund {fund} has no claim for {programme}{place_en} that can be paid now: of those with money \
                 bound and in no batch, {noticed} are under public notice and {objected} are held by objections"
            ),
            format!(
                "资金 {fund} 中{place_zh}没有可支付的 {programme} 申请:已冻结指标且未列入批次的申请中,\
                 {noticed} 件在公示期,{objected} 件有异议未处理"
            ),
        ),
    }
}

fn too_much(create: &CreateBatch, claim: &Claim, due: Money) -> Error {
    let most = create.max_amount.unwrap_or(Money::MAX);
    let id = &claim.id;
    Error::State {
        name: id.to_string(),
        reason: "LIMIT_BELOW_FIRST_CLAIM",
        message: Bilingual::new(
            format!("{id} comes first and is due {due}, which is more than max_amount {most}"),
            format!("排在最前的 {id} 应付 {due},超过批次金额上限 {most}"),
        ),
    }
}

fn is_bound(part: &Part) -> bool {
    part.state == PartState::Reserved
}

/// What is to be paid of a claim: its bound parts; what was paid before is not paid again.
fn due(claim: &Claim) -> Result<Money, Error> {
    let parts = claim.parts.iter().filter(|part| is_bound(part));
    total(parts.map(|part| part.amount))
}

/// How many payments claims will have, and their sum.
fn sum(claims: &[Claim]) -> Result<(u64, Money), Error> {
    let parts = || {
        claims
            .iter()
            .flat_map(|claim| claim.parts.iter().filter(|part| is_bound(part)))
    };
    Ok((parts().count() as u64, total(parts().map(|part| part.amount))?))
}

fn total(mut amounts: impl Iterator<Item = Money>) -> Result<Money, Error> {
    amounts
        .try_fold(Money::ZERO, |sum, amount| sum.checked_add(amount))
        .ok_or_else(|| Error::internal("a sum beyond the limits"))
}

fn planned(claims: &[Claim]) -> Result<Vec<LineTotal>, Error> {
    let mut by_payer: BTreeMap<Payer, (u64, Vec<Money>)> = BTreeMap::new();
    for part in claims
        .iter()
        .flat_map(|claim| &claim.parts)
        .filter(|part| is_bound(part))
    {
        let (count, amounts) = by_payer.entry(part.payer).or_default();
        *count += 1;
        amounts.push(part.amount);
    }
    by_payer
        .into_iter()
        .map(|(payer, (count, amounts))| {
            Ok(LineTotal {
                payer,
                state: None,
                count,
                amount: total(amounts.into_iter())?,
            })
        })
        .collect()
}

fn check_removal(
    name: &BatchName,
    wanted: &BTreeSet<u64>,
    removed: &[Claim],
    left: &[Claim],
) -> Result<(), Error> {
    let refuse = |reason, en: String, zh: String| {
        Err(Error::State {
            name: name.to_string(),
            reason,
            message: Bilingual::new(en, zh),
        })
    };
    if wanted.is_empty() {
        return Err(Violation::new("claims", "", "at least one claim", "至少一件申请").into());
    }
    let found: BTreeSet<u64> = removed.iter().map(|claim| claim.id.number).collect();
    let missing: Vec<String> = wanted
        .difference(&found)
        .take(10)
        .map(|number| format!("funds/{}/claims/{number}", name.fund))
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return refuse(
            "CLAIM_NOT_IN_BATCH",
            format!("not in {name}: {missing}"),
            format!("不在批次 {name} 中:{missing}"),
        );
    }
    if left.is_empty() {
        return refuse(
            "BATCH_EMPTY",
            format!("{name} would be left without claims: cancel it instead"),
            format!("{name} 将没有申请,请改为取消该批次"),
        );
    }
    Ok(())
}

/// A bank pays nothing on a day that is over.
fn check_not_past(batch: &Batch, today: Date) -> Result<(), Error> {
    let today = format_date(today);
    if batch.execution_date >= today {
        return Ok(());
    }
    let (name, day) = (batch.resource_name(), &batch.execution_date);
    Err(Error::State {
        reason: "EXECUTION_DATE_PASSED",
        message: Bilingual::new(
            format!("{name} was to be paid on {day}, which is over: cancel it and collect its claims again"),
            format!("{name} 的付款日 {day} 已过,请取消后重新归集"),
        ),
        name,
    })
}

/// Changes claims, tells it, and stores them.
async fn change_claims(
    tx: &Tx,
    books: &mut OpenBooks,
    claims: &mut [Claim],
    signed: &Signature,
    kind: &str,
    change: impl Fn(&mut Claim) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut rows = Vec::with_capacity(claims.len());
    for claim in claims {
        let stored = claim.version;
        let batch = claim.batch;
        change(claim)?;
        let note = format!("batch {}", batch.max(claim.batch));
        books.fund(&claim.id.fund)?.tell(told(claim, kind, &note), signed);
        rows.push((&*claim, stored));
    }
    tx.update_claims(&rows).await
}

/// Sends the bound parts of the claims of a batch to the bank.
async fn instruct(
    tx: &Tx,
    vault: &Vault,
    books: &mut OpenBooks,
    batch: &Batch,
    signed: &Signature,
) -> Result<(), Error> {
    let fund = &batch.fund;
    let mut claims = claims_of(tx, batch).await?;
    let accounts: BTreeSet<(FundId, Account)> = claims
        .iter()
        .flat_map(|claim| claim.accounts().map(|account| (fund.clone(), account)))
        .collect();
    books.load(tx, accounts).await?;
    let ids: Vec<&ClaimId> = claims.iter().map(|claim| &claim.id).collect();
    let mut sealed: HashMap<ClaimId, Sealed> = (tx.claim_material(&ids).await?.into_iter())
        .map(|(id, material)| (id, material.sealed))
        .collect();
    let open = books.fund(fund)?;
    let mut payments: Vec<(Payment, Sealed)> = Vec::new();
    let mut rows = Vec::with_capacity(claims.len());
    let note = format!("batch {}", batch.number);
    for claim in &mut claims {
        let stored = claim.version;
        let postings = claim.instruct()?;
        let personal = sealed
            .remove(&claim.id)
            .ok_or_else(|| super::desk::no_claim(&claim.id))?;
        let payee = Zeroizing::new(
            serde_json::to_vec(&claims::open(vault, &claim.id, &personal)?.payee).map_err(Error::internal)?,
        );
        for part in claim
            .parts
            .iter()
            .filter(|part| part.state == PartState::InPayment)
        {
            let reference = reference(open.head.ordinal, claim, part)?;
            let line = payments.len() as u64 + 1;
            let payee = vault.seal(&payee_name(reference.as_str()), &payee)?;
            let payment = payment(batch, line, claim, part, part.attempts, reference.to_string());
            payments.push((payment, payee));
        }
        let moved = total(postings.iter().map(|posting| posting.amount))?;
        open.post(postings, signed)?;
        let told = Told {
            amount: moved,
            ..told(claim, "claim.instructed", &note)
        };
        open.tell(told, signed);
        rows.push((&*claim, stored));
    }
    let amount = total(payments.iter().map(|(payment, _)| payment.amount))?;
    if (payments.len() as u64, amount) != (batch.lines, batch.amount) {
        return Err(Error::internal(format!(
            "{} has other lines than it was frozen with",
            batch.resource_name()
        )));
    }
    tx.update_claims(&rows).await?;
    tx.insert_payments(&payments).await
}

/// The payment of a claim's part.
fn payment(batch: &Batch, line: u64, claim: &Claim, part: &Part, attempt: u32, reference: String) -> Payment {
    Payment {
        claim: claim.id.clone(),
        batch: batch.number,
        line,
        payer: part.payer,
        attempt,
        reference,
        amount: part.amount,
        state: PaymentState::Instructed,
        bank_reference: String::new(),
        concluded_on: String::new(),
        reason: String::new(),
        concluded: None,
    }
}

/// What comes back on the statement. Numbers of claims are within a fund, references are not: the fund's
/// ordinal stands before the number.
fn reference(ordinal: u64, claim: &Claim, part: &Part) -> Result<Reference, Error> {
    let number = claim.id.number;
    let claim_number = ordinal
        .checked_mul(CLAIMS_OF_A_FUND)
        .filter(|_| number < CLAIMS_OF_A_FUND)
        .and_then(|base| base.checked_add(number))
        .ok_or_else(|| Error::internal(format!("no reference for {}", claim.id)))?;
    Ok(Reference::of(Origin {
        claim: claim_number,
        payer: part.payer,
        attempt: part.attempts,
    })?)
}

/// What a payee is sealed for.
fn payee_name(reference: &str) -> String {
    format!("payments/{reference}/payee")
}

/// The payee of a payment, as it was sent to the bank.
fn open_payee(vault: &Vault, reference: &str, sealed: &Sealed) -> Result<Payee, Error> {
    let name = payee_name(reference);
    let plain = vault.open(&name, sealed)?;
    serde_json::from_slice(&plain)
        .map_err(|_| Error::internal(format!("what is sealed for {name} is not a payee")))
}

/// Payments as lines: with what they need of their claims, masked.
async fn lines(
    tx: &Tx,
    vault: &Vault,
    payments: Vec<Payment>,
    released: bool,
) -> Result<Vec<BatchLine>, Error> {
    let ids: BTreeSet<&ClaimId> = payments.iter().map(|payment| &payment.claim).collect();
    let ids: Vec<&ClaimId> = ids.into_iter().collect();
    let claims: HashMap<ClaimId, Claim> = (tx.claims(&ids).await?.into_iter())
        .map(|claim| (claim.id.clone(), claim))
        .collect();
    let accounts = masked_accounts(tx, vault, &payments, released).await?;
    payments
        .into_iter()
        .zip(accounts)
        .map(|(payment, masked_account)| {
            let id = &payment.claim;
            let claim = claims.get(id).ok_or_else(|| super::desk::no_claim(id))?;
            Ok(BatchLine {
                released,
                region: claim.region.clone(),
                masked_name: claim.masked_name.clone(),
                masked_account,
                payment,
            })
        })
        .collect()
}

async fn masked_accounts(
    tx: &Tx,
    vault: &Vault,
    payments: &[Payment],
    released: bool,
) -> Result<Vec<String>, Error> {
    let mask = |payee: &Payee| crate::domain::identity::mask_account(&payee.account);
    let mut masked = Vec::with_capacity(payments.len());
    if released {
        let references: Vec<&str> = payments
            .iter()
            .map(|payment| payment.reference.as_str())
            .collect();
        let payees = tx.payees(&references).await?;
        for reference in references {
            let sealed = payees.get(reference).ok_or_else(|| no_payment(reference))?;
            masked.push(mask(&open_payee(vault, reference, sealed)?));
        }
        return Ok(masked);
    }
    let ids: BTreeSet<&ClaimId> = payments.iter().map(|payment| &payment.claim).collect();
    let materials = tx.claim_material(&ids.into_iter().collect::<Vec<_>>()).await?;
    let materials: HashMap<ClaimId, Sealed> = materials
        .into_iter()
        .map(|(id, material)| (id, material.sealed))
        .collect();
    for payment in payments {
        let id = &payment.claim;
        let sealed = materials.get(id).ok_or_else(|| super::desk::no_claim(id))?;
        masked.push(mask(&claims::open(vault, id, sealed)?.payee));
    }
    Ok(masked)
}

/// Seals the payees of payments of these claims anew where another key than the one in use sealed them.
pub(super) async fn reseal_payees(tx: &Tx, vault: &Vault, ids: &[&ClaimId]) -> Result<(), Error> {
    let old = tx.payees_sealed_otherwise(ids, vault.sealing_key()).await?;
    let mut renewed = Vec::with_capacity(old.len());
    for (reference, sealed) in old {
        let name = payee_name(&reference);
        let plain = vault.open(&name, &sealed)?;
        renewed.push((reference, vault.seal(&name, &plain)?));
    }
    tx.update_payees(&renewed).await
}

/// Closes the batches whose last open payment was among those concluded in this transaction.
pub(super) async fn close_finished(
    tx: &Tx,
    books: &mut OpenBooks,
    concluded: &[&Payment],
) -> Result<(), Error> {
    let touched: BTreeSet<(&FundId, u64)> = concluded
        .iter()
        .map(|payment| (&payment.claim.fund, payment.batch))
        .collect();
    if touched.is_empty() {
        return Ok(());
    }
    let touched: Vec<(&FundId, u64)> = touched.into_iter().collect();
    for mut batch in tx.finished_batches(&touched).await? {
        let signed = concluded
            .iter()
            .filter(|payment| payment.batch == batch.number && payment.claim.fund == batch.fund)
            .filter_map(|payment| payment.concluded.as_ref())
            .max_by_key(|signed| signed.at)
            .cloned()
            .ok_or_else(|| Error::internal("a conclusion that nobody signed"))?;
        batch.act(BatchAction::Conclude, false, signed.clone())?;
        books
            .fund(&batch.fund)?
            .tell(of_batch(&batch, "batch.closed"), &signed);
        tx.store_batch(&batch).await?;
    }
    Ok(())
}

/// There is no payment with this reference.
fn no_payment(reference: &str) -> Error {
    Error::NotFound {
        kind: "payment",
        name: crate::domain::error::excerpt(reference),
    }
}

fn of_batch<'a>(batch: &'a Batch, kind: &'a str) -> Told<'a> {
    Told {
        kind,
        resource: batch.resource_name(),
        state: batch.state.code(),
        amount: batch.amount,
        note: &batch.note,
    }
}
