//! Balances and months: computed from what is stored, signed by two.

use crate::app::audit::digest_of;
use crate::app::{App, Mutation, clock};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::money::Money;
use crate::domain::reconciliation::balance::{Item, ItemKind};
use crate::domain::reconciliation::period::{Closing, Obstacle, Standing, obstacles};
use crate::domain::reconciliation::{AccountId, Balance, BankAccount, Month, Period, PeriodState};
use crate::domain::subsidy::format_date;
use crate::store::Tx;
use crate::store::reconciliation::{BalanceQuery, Reach};
use time::{Date, Time, UtcOffset};

/// A month, and what stands in the way of its close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodDetail {
    /// The month.
    pub period: Period,
    /// What stands in the way.
    pub obstacles: Vec<Obstacle>,
}

impl App {
    /// The balances of an account on a day; none means the last day that a statement reaches to.
    pub async fn balance(&self, account: &AccountId, on: Option<Date>) -> Result<Balance, Error> {
        let account = self.bank_account(account)?;
        let tx = self.store().begin_read().await?;
        let reach = tx
            .reach(&account.id)
            .await?
            .ok_or_else(|| no_statement(&account.id))?;
        balance(&tx, &account, &reach, on.unwrap_or(reach.to)).await
    }

    /// A month of an account.
    pub async fn period(&self, account: &AccountId, month: Month) -> Result<PeriodDetail, Error> {
        let account = self.bank_account(account)?;
        let tx = self.store().begin_read().await?;
        let mut period = stored(&tx, &account.id, month).await?;
        if period.state == PeriodState::Closed {
            return Ok(PeriodDetail {
                period,
                obstacles: Vec::new(),
            });
        }
        let (standing, closing) = standing(&tx, &account, month).await?;
        if let Some(closing) = closing.filter(|_| period.state == PeriodState::Open) {
            period.balance = Some(closing.balance);
            period.resolved = closing.resolved;
            period.carried = closing.carried;
        }
        Ok(PeriodDetail {
            period,
            obstacles: obstacles(month, &standing),
        })
    }

    /// At most `limit` months of an account that were prepared or closed, those after one.
    pub async fn periods(
        &self,
        account: &AccountId,
        after: Option<Month>,
        limit: u64,
    ) -> Result<Vec<Period>, Error> {
        self.bank_account(account)?;
        let tx = self.store().begin_read().await?;
        tx.periods(account, after, limit).await
    }

    /// Prepares the close of a month.
    pub async fn prepare_period(
        &self,
        mutation: &Mutation,
        account: &AccountId,
        month: Month,
        etag: &str,
    ) -> Result<Period, Error> {
        self.close_period(mutation, "PreparePeriod", account, month, etag, Period::prepare)
            .await
    }

    /// Signs a month that another person prepared.
    pub async fn sign_period(
        &self,
        mutation: &Mutation,
        account: &AccountId,
        month: Month,
        etag: &str,
    ) -> Result<Period, Error> {
        self.close_period(mutation, "SignPeriod", account, month, etag, Period::sign)
            .await
    }

    async fn close_period(
        &self,
        mutation: &Mutation,
        method: &'static str,
        account: &AccountId,
        month: Month,
        etag: &str,
        act: impl Fn(
            &mut Period,
            &Standing,
            Option<Closing>,
            crate::domain::allocation::Signature,
        ) -> Result<(), Error>,
    ) -> Result<Period, Error> {
        let account = &self.bank_account(account)?;
        let act = &act;
        self.mutate(mutation, method, |tx| async move {
            tx.lock_breaks(&account.id).await?;
            let known = tx.period(&account.id, month).await?;
            let before = known.as_ref().map(digest_of).transpose()?;
            let mut period = known.unwrap_or_else(|| Period::open(account.id.clone(), month));
            period.check_etag(etag)?;
            let (standing, closing) = standing(&tx, account, month).await?;
            act(&mut period, &standing, closing, clock::sign(&mutation.caller))?;
            tx.store_period(&period).await?;
            let after = digest_of(&period)?;
            tx.trail(|trail| trail.touch(period.resource_name(), before, Some(after)));
            Ok((tx, period))
        })
        .await
    }
}

/// Whether a month of an account is closed.
pub(super) async fn month_is_closed(tx: &Tx, account: &AccountId, month: Month) -> Result<bool, Error> {
    Ok(tx.closed_to(account).await?.is_some_and(|to| month <= to))
}

async fn stored(tx: &Tx, account: &AccountId, month: Month) -> Result<Period, Error> {
    let found = tx.period(account, month).await?;
    Ok(found.unwrap_or_else(|| Period::open(account.clone(), month)))
}

/// What is known of a month, and what would be signed.
async fn standing(
    tx: &Tx,
    account: &BankAccount,
    month: Month,
) -> Result<(Standing, Option<Closing>), Error> {
    let reach = tx.reach(&account.id).await?;
    let balance = match &reach {
        Some(reach) => Some(balance(tx, account, reach, month.last()).await?),
        None => None,
    };
    let closing = match &balance {
        Some(balance) => Some(Closing {
            balance: balance.clone(),
            resolved: tx.resolved_breaks(&account.id, month).await?,
            carried: tx.carried_breaks(&account.id, month.next()).await?,
        }),
        None => None,
    };
    let standing = Standing {
        begins: reach.as_ref().map(|reach| Month::of(reach.from)),
        stated_to: reach.as_ref().map(|reach| reach.to),
        closed_to: tx.closed_to(&account.id).await?,
        reconciled_to: reach.as_ref().and_then(|reach| reach.reconciled_to),
        unreconciled: reach.as_ref().is_some_and(|reach| reach.through < reach.last),
        open_breaks: tx.open_breaks(&account.id, month).await?,
        open_postings: tx.open_postings(&account.id).await?,
        balance,
        today: clock::today()?,
    };
    Ok((standing, closing))
}

/// Both balances on a day, and what lies between.
async fn balance(tx: &Tx, account: &BankAccount, reach: &Reach, on: Date) -> Result<Balance, Error> {
    if on < reach.from {
        let first = format_date(reach.from);
        return Err(Violation::new(
            "date",
            format_date(on),
            format!("{first}, the first day of the first statement, or later"),
            format!("{first}(首张对账单的首日)或以后"),
        )
        .into());
    }
    let (from_day, to_day) = (format_date(reach.from), format_date(on));
    let query = BalanceQuery {
        account: &account.id,
        scope: &account.scope,
        from: (&from_day, midnight(reach.from)?),
        to: (&to_day, midnight(on.next_day().unwrap_or(on))?),
    };
    let bank = tx.bank_balance(query, reach.opening).await?;
    let books = tx.book_sums(query).await?;
    let (_, before) = tx.payments_before(query).await?;
    let (linked, linked_before) = tx.linked_receipts(query).await?;
    let book = sum([reach.opening.fen(), books.moved, before, linked_before.1])?;
    let mut items = tx.open_lines(query).await?;
    let mut add = |kind, (count, fen): (u64, i64)| -> Result<(), Error> {
        items.push(Item {
            kind,
            count,
            amount: sum([fen])?,
        });
        Ok(())
    };
    let (lines, payments) = tx.matched_across(query).await?;
    add(ItemKind::EarlyDebits, lines)?;
    add(ItemKind::Outstanding, payments)?;
    add(ItemKind::Outstanding, tx.open_payments(query).await?)?;
    add(ItemKind::ReturnsAtBank, tx.unposted_returns(query).await?)?;
    let (failed, posted) = (tx.failed_payments(query).await?, tx.posted_returns(query).await?);
    let returns = books.returns.1 - failed.1 - posted.1;
    let count = books.returns.0.saturating_sub(failed.0 + posted.0);
    // An amount is never left out for want of a count.
    add(
        ItemKind::UncreditedReturns,
        (count.max(u64::from(returns != 0)), returns),
    )?;
    let receipts = books.receipts.1 - linked.1;
    let count = books.receipts.0.saturating_sub(linked.0);
    add(
        ItemKind::UncreditedReceipts,
        (count.max(u64::from(receipts != 0)), receipts),
    )?;
    unlink(&mut items, linked.0 + linked_before.0, linked.1 + linked_before.1)?;
    let stated_to = reach.to.min(on);
    Ok(Balance::new(on, stated_to, reach.opening, book, bank, items))
}

/// Lines whose entry is known are in the books: they lie between no more.
fn unlink(items: &mut [Item], count: u64, fen: i64) -> Result<(), Error> {
    if let Some(item) = items.iter_mut().find(|item| item.kind == ItemKind::Receipts) {
        item.count = item.count.saturating_sub(count);
        item.amount = sum([item.amount.fen(), -fen])?;
    }
    Ok(())
}

fn sum<const N: usize>(fen: [i64; N]) -> Result<Money, Error> {
    let sum = fen.iter().try_fold(0_i64, |sum, fen| sum.checked_add(*fen));
    sum.and_then(Money::from_fen)
        .ok_or_else(|| Error::internal("a balance beyond the limits"))
}

/// The moment at which a day begins in China, in microseconds since 1970.
fn midnight(day: Date) -> Result<i64, Error> {
    let offset = UtcOffset::from_hms(8, 0, 0).map_err(Error::internal)?;
    let at = day.with_time(Time::MIDNIGHT).assume_offset(offset);
    i64::try_from(at.unix_timestamp_nanos() / 1_000).map_err(Error::internal)
}

fn no_statement(account: &AccountId) -> Error {
    Error::State {
        name: account.resource_name(),
        reason: "NO_STATEMENT",
        message: Bilingual::new(
            format!("account {account} has no statement: import one first"),
            format!("账户 {account} 没有对账单,请先导入"),
        ),
    }
}
