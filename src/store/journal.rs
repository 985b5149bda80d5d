//! Reading the ledger: balances at any moment, entries, sums, and everything as it is stored.

use super::Tx;
use super::block::{Block, get, get_money, get_number, int, number, text};
use super::convert::stored;
use super::ledger::{ENTRY, to_entry, to_fund};
use crate::app::records::{AccountFilter, EntryFilter, FundHead};
use crate::domain::allocation::{FundId, RunId, State};
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use crate::domain::ledger::{Account, Entry, Event, StoredBalance};
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use std::collections::BTreeMap;

/// An entry read, or its number and digest and why it cannot be.
pub type StoredEntry = Result<Entry, (u64, Digest, String)>;

impl Tx {
    /// At most `limit` funds by id, those after `after`.
    pub async fn funds(&self, after: &str, limit: u64) -> Result<Vec<(FundId, FundHead)>, Error> {
        let mut wanted = Block::new(["after"]);
        wanted.row([text(after)]);
        let limit = limit.min(MOST);
        let rows = self
            .query_with(&wanted, |rows| {
                format!(
                    "SELECT f.fund, f.ordinal, f.entries, f.digest, f.at, f.changes, f.claims, f.batches \
                     FROM {rows} AS r JOIN ledger_fund f ON f.fund > r.after ORDER BY f.fund LIMIT {limit}"
                )
            })
            .await?;
        rows.iter().map(to_fund).collect()
    }

    /// The fund of a run.
    pub async fn fund_of_run(&self, run: &RunId) -> Result<Option<FundId>, Error> {
        let mut wanted = Block::new(["run"]);
        wanted.row([text(run.as_str())]);
        let rows = self
            .query_with(&wanted, |rows| {
                format!("SELECT a.fund FROM {rows} AS r JOIN allocation a ON a.id = r.run")
            })
            .await?;
        let fund = |row| stored(FundId::parse("allocation.fund", &get::<String>(row, "fund")?));
        rows.first().map(fund).transpose()
    }

    /// The number of the last entry at a time; 0 where there is none. Times never go back within a fund.
    pub async fn last_entry_at(&self, fund: &FundId, at: i64) -> Result<u64, Error> {
        let mut wanted = Block::new(["fund", "at#"]);
        wanted.row([text(fund.as_str()), int(at)]);
        let rows = self
            .query_with(&wanted, |rows| {
                format!(
                    "SELECT e.number FROM {rows} AS r JOIN ledger_entry e ON e.fund = r.fund AND e.at <= r.at \
                     ORDER BY e.at DESC, e.number DESC LIMIT 1"
                )
            })
            .await?;
        rows.first().map_or(Ok(0), |row| get_number(row, "number"))
    }

    /// At most `limit` accounts of a fund by text, those after `after`, with their balances after the
    /// entry with number `at`; none means now. Accounts that no entry had moved by then have nothing.
    pub async fn balances_at(
        &self,
        fund: &FundId,
        filter: &AccountFilter,
        at: Option<u64>,
        after: &str,
        limit: u64,
    ) -> Result<Vec<(Account, Money)>, Error> {
        let mut wanted = Block::new(["fund", "payer", "region", "programme", "bucket", "at#", "after"]);
        wanted.row([
            text(fund.as_str()),
            text(filter.payer.map_or("", |payer| payer.code())),
            text(filter.region.as_ref().map_or("", |region| region.as_str())),
            text(
                filter
                    .programme
                    .as_ref()
                    .map_or("", |programme| programme.as_str()),
            ),
            text(filter.bucket.map_or("", |bucket| bucket.code())),
            number(at.unwrap_or(0)),
            text(after),
        ]);
        let mut only = String::new();
        for (column, given) in [
            ("payer", filter.payer.is_some()),
            ("region", filter.region.is_some()),
            ("programme", filter.programme.is_some()),
            ("bucket", filter.bucket.is_some()),
        ] {
            if given {
                only.push_str(&format!(" AND a.{column} = r.{column}"));
            }
        }
        let limit = limit.min(MOST);
        let rows = self
            .query_with(&wanted, |rows| {
                let accounts = |columns: &str| {
                    format!(
                        "SELECT {columns} FROM {rows} AS r JOIN ledger_account a \
                         ON a.fund = r.fund AND a.account > r.after{only} ORDER BY a.account LIMIT {limit}"
                    )
                };
                if at.is_none() {
                    return accounts("a.account, a.balance_fen");
                }
                // The last entry that gave from an account and the last that gave to it, each the end of a
                // range in an index; the later of the two has the balance.
                let last = |side: &str| {
                    format!(
                        "COALESCE((SELECT e.number FROM ledger_entry e WHERE e.fund = a.fund \
                         AND e.{side} = a.account AND e.number <= r.at ORDER BY e.number DESC LIMIT 1), 0)"
                    )
                };
                let accounts = accounts(&format!(
                    "a.fund, a.account, {} AS gave, {} AS took",
                    last("from_account"),
                    last("to_account")
                ));
                format!(
                    "SELECT l.account, COALESCE(CASE WHEN l.gave > l.took THEN e.from_balance_fen \
                     ELSE e.to_balance_fen END, 0) AS balance_fen FROM ({accounts}) AS l \
                     LEFT JOIN ledger_entry e ON e.fund = l.fund \
                     AND e.number = CASE WHEN l.gave > l.took THEN l.gave ELSE l.took END \
                     ORDER BY l.account"
                )
            })
            .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    Account::from_stored(&get::<String>(row, "account")?)?,
                    get_money(row, "balance_fen")?,
                ))
            })
            .collect()
    }

    /// At most `limit` entries of a fund after number `after`, in order.
    pub async fn entries(
        &self,
        fund: &FundId,
        filter: &EntryFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Entry>, Error> {
        let mut wanted = Block::new(["fund", "account", "event", "subject", "since#", "till#", "after#"]);
        wanted.row([
            text(fund.as_str()),
            text(
                filter
                    .account
                    .as_ref()
                    .map(Account::to_string)
                    .unwrap_or_default(),
            ),
            text(filter.event.map_or("", Event::code)),
            text(filter.subject.as_deref().unwrap_or_default()),
            int(filter.from.unwrap_or(i64::MIN)),
            int(filter.until.unwrap_or(i64::MAX)),
            number(after),
        ]);
        let mut only = String::new();
        for (condition, given) in [
            (" AND e.event = r.event", filter.event.is_some()),
            (" AND e.subject = r.subject", filter.subject.is_some()),
            (" AND e.at >= r.since", filter.from.is_some()),
            (" AND e.at < r.till", filter.until.is_some()),
        ] {
            if given {
                only.push_str(condition);
            }
        }
        let limit = limit.min(MOST);
        let rows = self
            .query_with(&wanted, |rows| {
                let from = |account: &str| {
                    format!(
                        "SELECT {ENTRY} FROM (SELECT e.* FROM r JOIN ledger_entry e \
                         ON e.fund = r.fund AND e.number > r.after{account}{only} \
                         ORDER BY e.number LIMIT {limit}) AS x"
                    )
                };
                if filter.account.is_none() {
                    return format!("WITH r AS {rows} {} ORDER BY number", from(""));
                }
                // Each side has an index of its own; no entry is on both.
                format!(
                    "WITH r AS {rows} SELECT {ENTRY} FROM ({} UNION ALL {}) AS y ORDER BY number LIMIT {limit}",
                    from(" AND e.from_account = r.account"),
                    from(" AND e.to_account = r.account")
                )
            })
            .await?;
        rows.iter().map(to_entry).collect()
    }

    /// The entries of a fund with these numbers, those that are there.
    pub async fn entries_numbered(
        &self,
        fund: &FundId,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Result<BTreeMap<u64, StoredEntry>, Error> {
        let mut wanted = Block::new(["fund", "wanted#"]);
        for wanted_number in numbers {
            wanted.row([text(fund.as_str()), number(wanted_number)]);
        }
        let rows = self
            .query_with(&wanted, |rows| {
                format!(
                    "WITH r AS {rows} SELECT {ENTRY} FROM (SELECT e.* FROM r JOIN ledger_entry e \
                     ON e.fund = r.fund AND e.number = r.wanted) AS x"
                )
            })
            .await?;
        rows.iter()
            .map(|row| {
                let number = get_number(row, "number")?;
                Ok((number, checked(row, number)?))
            })
            .collect()
    }

    /// The entry that takes back entry `reversed`.
    pub async fn reversal_of(&self, fund: &FundId, reversed: u64) -> Result<Option<u64>, Error> {
        let mut wanted = Block::new(["fund", "reversed#"]);
        wanted.row([text(fund.as_str()), number(reversed)]);
        let rows = self
            .query_with(&wanted, |rows| {
                format!(
                    "SELECT e.number FROM {rows} AS r JOIN ledger_entry e \
                     ON e.fund = r.fund AND e.reverses = r.reversed AND e.reverses > 0"
                )
            })
            .await?;
        rows.first().map(|row| get_number(row, "number")).transpose()
    }

    /// At most `limit` entries of a fund after number `after`, as they are stored, whatever that is.
    pub async fn stored_entries(
        &self,
        fund: &FundId,
        after: u64,
        limit: u64,
    ) -> Result<Vec<StoredEntry>, Error> {
        let mut wanted = Block::new(["fund", "after#"]);
        wanted.row([text(fund.as_str()), number(after)]);
        let limit = limit.min(MOST);
        let rows = self
            .query_with(&wanted, |rows| {
                format!(
                    "WITH r AS {rows} SELECT {ENTRY} FROM (SELECT e.* FROM r JOIN ledger_entry e \
                     ON e.fund = r.fund AND e.number > r.after ORDER BY e.number LIMIT {limit}) AS x ORDER BY number"
                )
            })
            .await?;
        rows.iter()
            .map(|row| checked(row, get_number(row, "number")?))
            .collect()
    }

    /// The balances of a fund as they are stored, by account.
    pub async fn stored_balances(&self, fund: &FundId) -> Result<Vec<StoredBalance>, Error> {
        let mut wanted = Block::new(["fund"]);
        wanted.row([text(fund.as_str())]);
        let rows = self
            .query_with(&wanted, |rows| {
                format!(
                    "SELECT a.account, a.payer, a.region, a.programme, a.bucket, a.balance_fen, a.entry \
                     FROM {rows} AS r JOIN ledger_account a ON a.fund = r.fund ORDER BY a.account"
                )
            })
            .await?;
        rows.iter()
            .map(|row| {
                Ok(StoredBalance {
                    account: get(row, "account")?,
                    parts: [
                        get(row, "payer")?,
                        get(row, "region")?,
                        get(row, "programme")?,
                        get(row, "bucket")?,
                    ],
                    fen: get(row, "balance_fen")?,
                    entry: get_number(row, "entry")?,
                })
            })
            .collect()
    }

    /// The number of a fund's last entry that is stored, whatever the fund's row says.
    pub async fn last_entry(&self, fund: &FundId) -> Result<u64, Error> {
        let mut wanted = Block::new(["fund"]);
        wanted.row([text(fund.as_str())]);
        let rows = self
            .query_with(&wanted, |rows| {
                format!(
                    "SELECT e.number FROM {rows} AS r JOIN ledger_entry e ON e.fund = r.fund \
                     ORDER BY e.number DESC LIMIT 1"
                )
            })
            .await?;
        rows.first().map_or(Ok(0), |row| get_number(row, "number"))
    }

    /// What the issued runs of a fund give each region.
    pub async fn allocated(&self, fund: &FundId) -> Result<BTreeMap<RegionCode, Money>, Error> {
        let mut wanted = Block::new(["fund", "state"]);
        wanted.row([text(fund.as_str()), text(State::Issued.code())]);
        let rows = self
            .query_with(&wanted, |rows| {
                format!(
                    "SELECT l.region, CAST(SUM(l.amount_fen - l.advanced_fen) AS BIGINT) AS sum_fen \
                     FROM {rows} AS r JOIN allocation a ON a.fund = r.fund AND a.state = r.state \
                     JOIN allocation_line l ON l.allocation = a.id GROUP BY l.region"
                )
            })
            .await?;
        rows.iter()
            .map(|row| {
                let region: String = get(row, "region")?;
                Ok((
                    stored(RegionCode::parse("allocation_line.region", &region))?,
                    get_money(row, "sum_fen")?,
                ))
            })
            .collect()
    }

    /// What was paid and came back, by the account that it had been paid from.
    pub async fn returned(&self, fund: &FundId) -> Result<BTreeMap<Account, Money>, Error> {
        let mut wanted = Block::new(["fund"]);
        wanted.row([text(fund.as_str())]);
        let rows = self
            .query_with(&wanted, |rows| {
                format!(
                    "SELECT e.from_account, CAST(SUM(e.amount_fen) AS BIGINT) AS sum_fen FROM {rows} AS r \
                     JOIN ledger_entry e ON e.fund = r.fund WHERE e.event = 'return' GROUP BY e.from_account"
                )
            })
            .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    Account::from_stored(&get::<String>(row, "from_account")?)?,
                    get_money(row, "sum_fen")?,
                ))
            })
            .collect()
    }
}

/// Most rows of one answer.
const MOST: u64 = 1_000_000;

/// An entry, or why the row is none. Only what cannot be read at all is an error.
fn checked(row: &sea_orm::QueryResult, number: u64) -> Result<StoredEntry, Error> {
    let digest = Digest::from_stored(get::<String>(row, "digest")?);
    Ok(match to_entry(row) {
        Ok(entry) => Ok(entry),
        Err(Error::Internal { detail }) => Err((number, digest, detail)),
        Err(other) => return Err(other),
    })
}
