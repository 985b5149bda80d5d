//! What can be asked of the ledger: balances of any moment, entries, status, changes, and whether all is as it was
//! posted.

use super::find_fund;
use crate::app::App;
use crate::app::records::{AccountFilter, Change, EntryFilter, FundHead};
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::error::{Error, Violation};
use crate::domain::ledger::{Account, Entry, StatusLine, Verification, Verifier, status};
use crate::domain::money::Money;
use crate::domain::region::{Region, RegionCode};
use std::collections::BTreeMap;

/// Entries that are read at once where all are read.
const PAGE: u64 = 1_000;

/// Which moment of a ledger is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The newest entry.
    Now,
    /// After the entry with this number.
    Entry(u64),
    /// This time (microseconds since 1970-01-01 UTC): after the last entry that is not later.
    Time(i64),
}

/// Balances at one moment.
#[derive(Debug, Clone)]
pub struct Balances {
    /// The number of the last entry that they hold.
    pub entry: u64,
    /// The balances, by account.
    pub balances: Vec<(Account, Money)>,
}

/// A fund's status at the end of its journal.
#[derive(Debug, Clone)]
pub struct FundStatus {
    /// The fund.
    pub fund: FundId,
    /// The end of its journal.
    pub head: FundHead,
    /// The lines.
    pub lines: Vec<StatusLine>,
    /// The regions that lines name, as far as they are known.
    pub regions: BTreeMap<RegionCode, Region>,
}

impl App {
    /// Funds by id, those after `after`.
    pub async fn funds(&self, after: &str, limit: u64) -> Result<Vec<(FundId, FundHead)>, Error> {
        self.store().begin_read().await?.funds(after, limit).await
    }

    /// Balances at a moment, by account, those after `after`.
    pub async fn balances(
        &self,
        scope: &Scope,
        fund: &FundId,
        moment: Moment,
        filter: &AccountFilter,
        after: &str,
        limit: u64,
    ) -> Result<Balances, Error> {
        let tx = self.store().begin_read().await?;
        let end = find_fund(&tx, fund).await?.journal.entries;
        // Who reaches some regions is not told how much is posted in the others, or when.
        let last = tx.last_entry_within(fund, scope, end).await?;
        let entry = match moment {
            Moment::Now => last,
            Moment::Entry(number) if number > last => {
                return Err(Violation::new(
                    "as_of_entry",
                    number.to_string(),
                    format!("at most {last}, the number of the last entry of {fund}"),
                    format!("不大于 {last}({fund} 最后一笔分录的编号)"),
                )
                .into());
            }
            Moment::Entry(number) => number,
            Moment::Time(at) => {
                let then = tx.last_entry_at(fund, at).await?;
                tx.last_entry_within(fund, scope, then).await?
            }
        };
        let past = (entry < last).then_some(entry);
        let balances = tx.balances_at(fund, scope, filter, past, after, limit).await?;
        Ok(Balances { entry, balances })
    }

    /// Entries after number `after`, in order.
    pub async fn entries(
        &self,
        scope: &Scope,
        fund: &FundId,
        filter: &EntryFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Entry>, Error> {
        let tx = self.store().begin_read().await?;
        find_fund(&tx, fund).await?;
        tx.entries(fund, scope, filter, after, limit).await
    }

    /// Where a fund's money is: all of it, or that of the regions in reach.
    pub async fn fund_status(&self, scope: &Scope, fund: &FundId) -> Result<FundStatus, Error> {
        let tx = self.store().begin_read().await?;
        let head = find_fund(&tx, fund).await?;
        let all = AccountFilter::default();
        let balances = tx.balances_at(fund, scope, &all, None, "", u64::MAX).await?;
        let mut lines = status(balances, &tx.allocated(fund).await?, &tx.returned(fund).await?);
        lines.retain(|line| scope.covers_optional(line.region.as_ref()));
        let regions = tx.regions().await?;
        Ok(FundStatus {
            fund: fund.clone(),
            head,
            lines,
            regions: regions
                .into_iter()
                .map(|region| (region.code.clone(), region))
                .collect(),
        })
    }

    /// Computes a fund's ledger again from its first entry and says what differs, at most `most` things
    /// in full. `progress` is told how many entries of how many were read, and says whether to go on.
    ///
    /// It verifies what was there when it began. Entries never change, so it needs no lasting
    /// transaction, and its memory is bounded by the number of accounts.
    pub async fn verify(
        &self,
        fund: &FundId,
        most: usize,
        mut progress: impl FnMut(u64, u64) -> bool + Send,
    ) -> Result<Option<Verification>, Error> {
        let (head, balances, last) = {
            let tx = self.store().begin_read().await?;
            let head = find_fund(&tx, fund).await?.journal;
            let balances = tx.stored_balances(fund).await?;
            (head, balances, tx.last_entry(fund).await?)
        };
        let mut verifier = Verifier::new(fund.clone(), most);
        let mut after = 0;
        while after < last {
            let tx = self.store().begin_read().await?;
            let page = tx.stored_entries(fund, after, PAGE.min(last - after)).await?;
            let reversed = page.iter().flatten().filter_map(|entry| entry.posting.reverses);
            let targets = tx.entries_numbered(fund, reversed).await?;
            drop(tx);
            for stored in page.iter().filter(|stored| number_of(stored) <= last) {
                match stored {
                    Ok(entry) => {
                        let reversed = entry.posting.reverses;
                        let target = reversed.and_then(|number| targets.get(&number));
                        verifier.entry(entry, target.and_then(|target| target.as_ref().ok()));
                    }
                    Err((number, digest, defect)) => {
                        verifier.unreadable(*number, defect, digest.clone());
                    }
                }
            }
            // A page that is empty though there should be entries is the end as well.
            after = page.last().map_or(last, number_of);
            if !progress(verifier.entries(), last) {
                return Ok(None);
            }
        }
        let verification = verifier.finish(&head, &balances);
        if verification.count > 0 {
            tracing::error!(%fund, findings = verification.count, "the ledger is not as it was written");
        }
        Ok(Some(verification))
    }

    /// Refuses to watch from after a change that there is not yet. Who reaches some regions is not told the number of
    /// the last change in the others.
    pub async fn check_change(&self, scope: &Scope, fund: &FundId, after: u64) -> Result<(), Error> {
        const FIELD: &str = "after";
        let tx = self.store().begin_read().await?;
        let newest = find_fund(&tx, fund).await?.changes;
        let refused = |en: String, zh: String| Violation::new(FIELD, after.to_string(), en, zh).into();
        if scope.is_all() {
            if after <= newest {
                return Ok(());
            }
            return Err(refused(
                format!("at most {newest}, the number of the last change of {fund}"),
                format!("不大于 {newest}({fund} 最后一条变更的编号)"),
            ));
        }
        if after == 0 || !tx.changes(fund, scope, None, after - 1, 1).await?.is_empty() {
            return Ok(());
        }
        Err(refused(
            format!("at most the number of the last change of {fund} in your regions"),
            format!("不大于 {fund} 在权限范围内最后一条变更的编号"),
        ))
    }

    /// The end of a fund's journal.
    pub async fn fund_head(&self, fund: &FundId) -> Result<FundHead, Error> {
        find_fund(&self.store().begin_read().await?, fund).await
    }

    /// Changes of a fund in the regions of `scope` after number `after`, in the order of their commits; and the
    /// number up to which they are all that there are.
    pub async fn changes(
        &self,
        scope: &Scope,
        fund: &FundId,
        after: u64,
        limit: u64,
    ) -> Result<(Vec<Change>, u64), Error> {
        let tx = self.store().begin_read().await?;
        let changes = tx.changes(fund, scope, None, after, limit).await?;
        let upto = match changes.last() {
            Some(last) if scope.is_all() || changes.len() as u64 == limit => last.number,
            // What is elsewhere need not be passed over again the next time.
            _ if !scope.is_all() => find_fund(&tx, fund).await?.changes.max(after),
            _ => after,
        };
        Ok((changes, upto))
    }
}

fn number_of(stored: &crate::store::StoredEntry) -> u64 {
    match stored {
        Ok(entry) => entry.number,
        Err((number, ..)) => *number,
    }
}
