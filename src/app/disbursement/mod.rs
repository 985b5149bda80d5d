//! Payment batches: collect claims, freeze, release by a second person.
//!
//! Until its release a batch is its claims, which carry its number; its lines can be looked at, and are no
//! payments yet. The release makes them: for every bound part of every claim one payment with its own
//! reference, and the payee sealed with it as it is sent to the bank, so that whatever is corrected later,
//! a batch is exported as it was released. `export` writes the files, `results` takes the answers.
//!
//! Every call here locks the end of the fund's journal first, so that what it reads nobody else changes,
//! and takes the same number of round trips whatever the batch holds.

mod collect;
mod export;
mod lines;
mod release;
mod results;
mod words;

pub use collect::CreateBatch;
pub(super) use export::parse_order_id;
pub use export::{BankFile, FileFormat};
pub use lines::{BatchDetail, BatchLine, LineTotal};
pub(super) use release::{open_payee, payee_lookup, reseal_payees};
pub use results::{ImportedResults, ResultRow, ResultScope, RowOutcome};

use super::audit::digest_of;
use super::books::OpenBooks;
use super::desk::told;
use super::records::ClaimFilter;
use super::{App, Mutation, clock};
use crate::app::books::Told;
use crate::domain::access::Scope;
use crate::domain::allocation::{FundId, Signature};
use crate::domain::claim::{Claim, State};
use crate::domain::digest::Digest;
use crate::domain::disbursement::{Batch, BatchAction, BatchState, Payment};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::subsidy::format_date;
use crate::store::Tx;
use collect::{collect, sum};
use release::instruct;
use std::collections::BTreeSet;
use std::fmt;
use time::Date;

/// Most claims in a batch.
pub const MAX_CLAIMS: u64 = 10_000;

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

impl App {
    /// Collects payable claims in the order of their numbers, up to the limits, into a new batch. Each
    /// claim is collected whole.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where nothing can be collected: how many claims wait, and for what.
    pub async fn create_batch(&self, mutation: &Mutation, create: CreateBatch) -> Result<Batch, Error> {
        let create = &create;
        create.check_reach(&mutation.scope)?;
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
                region: create.region.clone(),
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
            touch(&tx, &batch, None)?;
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
            let mut batch = find(&tx, &mutation.scope, name).await?;
            batch.check_etag(etag)?;
            let before = digest_of(&batch)?;
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
            touch(&tx, &batch, Some(before))?;
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
            let mut batch = find(&tx, &mutation.scope, name).await?;
            batch.check_etag(etag)?;
            let before = digest_of(&batch)?;
            batch.act(BatchAction::Freeze, false, signed.clone())?;
            books
                .fund(&name.fund)?
                .tell(of_batch(&batch, "batch.frozen"), &signed);
            tx.store_batch(&batch).await?;
            touch(&tx, &batch, Some(before))?;
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
            let mut batch = find(&tx, &mutation.scope, name).await?;
            batch.check_etag(etag)?;
            let before = digest_of(&batch)?;
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
            touch(&tx, &batch, Some(before))?;
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
            let mut batch = find(&tx, &mutation.scope, name).await?;
            batch.check_etag(etag)?;
            let before = digest_of(&batch)?;
            batch.act(BatchAction::Release, true, signed.clone())?;
            check_not_past(&batch, clock::today()?)?;
            instruct(&tx, vault, &mut books, &batch, &signed).await?;
            books
                .fund(&name.fund)?
                .tell(of_batch(&batch, "batch.released"), &signed);
            tx.store_batch(&batch).await?;
            touch(&tx, &batch, Some(before))?;
            books.write(&tx).await?;
            Ok((tx, batch))
        })
        .await
    }
}

/// Says in the audit log what became of a batch. Its claims are named by the history that the record accounts for.
fn touch(tx: &Tx, batch: &Batch, before: Option<Digest>) -> Result<(), Error> {
    let after = digest_of(batch)?;
    tx.trail(|trail| trail.touch(batch.resource_name(), before, Some(after)));
    Ok(())
}

/// Opens the books of a fund that there is.
async fn open(tx: &Tx, fund: &FundId) -> Result<OpenBooks, Error> {
    let mut books = OpenBooks::open(tx, &BTreeSet::from([fund.clone()])).await?;
    books.fund(fund)?;
    Ok(books)
}

/// A batch that is there and in reach; one out of reach is not there. A batch of claims of any region is in
/// reach of those who reach all.
async fn find(tx: &Tx, scope: &Scope, name: &BatchName) -> Result<Batch, Error> {
    let found = tx.batch(&name.fund, name.number).await?;
    let found = found.filter(|batch| scope.covers_optional(batch.region.as_ref()));
    found.ok_or_else(|| no_batch(&name.to_string()))
}

/// There is no such batch.
pub(super) fn no_batch(name: &str) -> Error {
    Error::NotFound {
        kind: "payment batch",
        name: name.to_owned(),
    }
}

/// The claims of a batch that is not released, by number.
async fn claims_of(tx: &Tx, batch: &Batch) -> Result<Vec<Claim>, Error> {
    let filter = ClaimFilter {
        programme: Some(batch.programme.clone()),
        state: Some(State::Reserved),
        batch: Some(batch.number),
        ..ClaimFilter::default()
    };
    tx.list_claims(&batch.fund, &Scope::All, &filter, 0, MAX_CLAIMS)
        .await
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
pub(super) fn no_payment(reference: &str) -> Error {
    Error::NotFound {
        kind: "payment",
        name: crate::domain::error::excerpt(reference),
    }
}

fn of_batch<'a>(batch: &'a Batch, kind: &'a str) -> Told<'a> {
    Told {
        kind,
        region: batch.region.clone(),
        resource: batch.resource_name(),
        state: batch.state.code(),
        amount: batch.amount,
        note: &batch.note,
    }
}
