//! Reading the ledger: balances at any moment, entries, sums, and everything as it is stored.

use super::Tx;
use super::block::{Block, Parameters, get, get_money, get_number, int, number, text};
use super::convert::stored;
use super::error::failed;
use super::ledger::{ENTRY, FUND, to_entry, to_fund};
use crate::app::records::{AccountFilter, EntryFilter, FundHead};
use crate::domain::access::Scope;
use crate::domain::allocation::{FundId, RunId, State};
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use crate::domain::ledger::{Account, Bucket, Entry, StoredBalance};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use sea_orm::ConnectionTrait as _;
use std::collections::BTreeMap;

/// An entry read, or its number and digest and why it cannot be.
pub type StoredEntry = Result<Entry, (u64, Digest, String)>;

impl Tx {
    /// At most `limit` funds by id, those after `after`.
    pub async fn funds(&self, after: &str, limit: u64) -> Result<Vec<(FundId, FundHead)>, Error> {
        let mut parameters = Parameters::default();
        let after = parameters.add(text(after));
        let limit = limit.min(MOST);
        let statement = format!(
            "SELECT {FUND} FROM ledger_fund \
             WHERE fund > {after} ORDER BY fund LIMIT {limit}"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter().map(to_fund).collect()
    }

    /// The fund of a run.
    pub async fn fund_of_run(&self, run: &RunId) -> Result<Option<FundId>, Error> {
        let mut parameters = Parameters::default();
        let run = parameters.add(text(run.as_str()));
        let statement = format!("SELECT fund FROM allocation WHERE id = {run}");
        let rows = self.query_by(&statement, parameters).await?;
        let fund = |row| stored(FundId::parse("allocation.fund", &get::<String>(row, "fund")?));
        rows.first().map(fund).transpose()
    }

    /// The number of the last entry at a time; 0 where there is none.
    ///
    /// Times never go back within a fund, so they are searched by halves: an index of times would be one more that
    /// every posting enters.
    pub async fn last_entry_at(&self, fund: &FundId, at: i64) -> Result<u64, Error> {
        let mut parameters = Parameters::default();
        let fund = parameters.add(text(fund.as_str()));
        let at = parameters.add(int(at));
        let statement = format!(
            "WITH RECURSIVE half(low, high) AS (SELECT CAST(0 AS BIGINT), f.entries FROM ledger_fund f \
             WHERE f.fund = {fund} UNION ALL SELECT CASE WHEN e.at <= {at} THEN e.number ELSE half.low END, \
             CASE WHEN e.at <= {at} THEN half.high ELSE e.number - 1 END FROM half JOIN ledger_entry e \
             ON e.fund = {fund} AND e.number = (half.low + half.high + 1) / 2 WHERE half.low < half.high) \
             SELECT low, high FROM half ORDER BY high - low LIMIT 1"
        );
        let rows = self.query_by(&statement, parameters).await?;
        let Some(row) = rows.first() else { return Ok(0) };
        let (low, high) = (get_number(row, "low")?, get_number(row, "high")?);
        if low < high {
            let gap = format!("there is a gap in the journal after {low}");
            return Err(Error::internal(gap));
        }
        Ok(low)
    }

    /// The number of the last entry up to `last` that moves an account of the regions of `scope`; 0 where there is none.
    pub async fn last_entry_within(&self, fund: &FundId, scope: &Scope, last: u64) -> Result<u64, Error> {
        if scope.is_all() {
            return Ok(last);
        }
        let mut parameters = Parameters::default();
        let fund = parameters.add(text(fund.as_str()));
        let last = parameters.add(number(last));
        let within = parameters.within("a.region", scope);
        // Each side is the end of a range in an index, account by account.
        let side = |side: &str| {
            let moves = self.moves(side, "a.fund", "a.account");
            format!(
                "SELECT (SELECT e.number FROM ledger_entry e WHERE {moves} AND e.number <= {last} \
                 ORDER BY e.number DESC LIMIT 1) AS number FROM ledger_account a WHERE a.fund = {fund}{within}"
            )
        };
        let statement = format!(
            "SELECT COALESCE(MAX(x.number), 0) AS number FROM ({} UNION ALL {}) AS x",
            side("from_account"),
            side("to_account")
        );
        self.number_of(&statement, parameters)
            .await
            .map(Option::unwrap_or_default)
    }

    /// The number of a fund's last entry that is stored, whatever the fund's row says; 0 where there is none.
    pub async fn last_entry(&self, fund: &FundId) -> Result<u64, Error> {
        let mut parameters = Parameters::default();
        let fund = parameters.add(text(fund.as_str()));
        let statement =
            format!("SELECT number FROM ledger_entry WHERE fund = {fund} ORDER BY number DESC LIMIT 1");
        self.number_of(&statement, parameters)
            .await
            .map(Option::unwrap_or_default)
    }

    /// The entry that takes back entry `reversed`.
    pub async fn reversal_of(&self, fund: &FundId, reversed: u64) -> Result<Option<u64>, Error> {
        let mut parameters = Parameters::default();
        let fund = parameters.add(text(fund.as_str()));
        let reversed = parameters.add(number(reversed));
        let statement = format!(
            "SELECT number FROM ledger_entry WHERE fund = {fund} AND reverses = {reversed} AND reverses > 0"
        );
        self.number_of(&statement, parameters).await
    }

    /// That the entry `e` has an account on a side, said as that side's index has it.
    fn moves(&self, side: &str, fund: &str, account: &str) -> String {
        let said = format!("e.fund = {fund} AND e.{side} = {account}");
        if !self.by_sets() {
            return said;
        }
        let hash = |fund: &str, account: &str| format!("hashtextextended({fund} || '/' || {account}, 0)");
        let (stored, asked) = (hash("e.fund", &format!("e.{side}")), hash(fund, account));
        format!("{said} AND {stored} = {asked}")
    }

    async fn number_of(&self, statement: &str, parameters: Parameters) -> Result<Option<u64>, Error> {
        let rows = self.query_by(statement, parameters).await?;
        rows.first().map(|row| get_number(row, "number")).transpose()
    }

    /// At most `limit` accounts of a fund in the regions of `scope` by text, those after `after`, with their balances after the
    /// entry with number `at`; none means now. Accounts that no entry had moved by then have nothing.
    pub async fn balances_at(
        &self,
        fund: &FundId,
        scope: &Scope,
        filter: &AccountFilter,
        at: Option<u64>,
        after: &str,
        limit: u64,
    ) -> Result<Vec<(Account, Money)>, Error> {
        let mut parameters = Parameters::default();
        let mut only = format!(
            "a.fund = {} AND a.account > {}",
            parameters.add(text(fund.as_str())),
            parameters.add(text(after))
        );
        for (column, given) in [
            ("payer", filter.payer.map(Payer::code)),
            ("region", filter.region.as_ref().map(RegionCode::as_str)),
            ("programme", filter.programme.as_ref().map(ProgrammeCode::as_str)),
            ("bucket", filter.bucket.map(Bucket::code)),
        ] {
            if let Some(code) = given {
                let code = parameters.add(text(code));
                only.push_str(&format!(" AND a.{column} = {code}"));
            }
        }
        only.push_str(&parameters.within("a.region", scope));
        let limit = limit.min(MOST);
        let accounts = |columns: &str| {
            format!("SELECT {columns} FROM ledger_account a WHERE {only} ORDER BY a.account LIMIT {limit}")
        };
        let statement = match at {
            None => accounts("a.account, a.balance_fen"),
            Some(at) => {
                let at = parameters.add(number(at));
                // The last entry that gave from an account and the last that gave to it, each the end of a
                // range in an index; the later of the two has the balance.
                let last = |side: &str| {
                    let moves = self.moves(side, "a.fund", "a.account");
                    format!(
                        "COALESCE((SELECT e.number FROM ledger_entry e WHERE {moves} \
                         AND e.number <= {at} ORDER BY e.number DESC LIMIT 1), 0)"
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
            }
        };
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter()
            .map(|row| {
                Ok((
                    Account::from_stored(&get::<String>(row, "account")?)?,
                    get_money(row, "balance_fen")?,
                ))
            })
            .collect()
    }

    /// At most `limit` entries of a fund after number `after`, in order: those that move an account in the
    /// regions of `scope`.
    pub async fn entries(
        &self,
        fund: &FundId,
        scope: &Scope,
        filter: &EntryFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Entry>, Error> {
        let mut parameters = Parameters::default();
        let of_fund = parameters.add(text(fund.as_str()));
        let after = match filter.from {
            Some(from) => after.max(self.last_entry_at(fund, from.saturating_sub(1)).await?),
            None => after,
        };
        let mut only = format!("fund = {of_fund} AND number > {}", parameters.add(number(after)));
        if let Some(until) = filter.until {
            let last = self.last_entry_at(fund, until.saturating_sub(1)).await?;
            only.push_str(&format!(" AND number <= {}", parameters.add(number(last))));
        }
        match &filter.account {
            // An account in reach needs no further look.
            Some(account) if scope.covers_optional(account.region.as_ref()) => {}
            Some(_) => return Ok(Vec::new()),
            None if scope.is_all() => {}
            None => {
                let within = parameters.within("a.region", scope);
                let accounts =
                    format!("SELECT a.account FROM ledger_account a WHERE a.fund = {of_fund}{within}");
                only.push_str(&format!(
                    " AND (from_account IN ({accounts}) OR to_account IN ({accounts}))"
                ));
            }
        }
        for (condition, value) in [
            ("event =", filter.event.map(|event| text(event.code()))),
            ("subject =", filter.subject.as_deref().map(text)),
        ] {
            if let Some(value) = value {
                let value = parameters.add(value);
                only.push_str(&format!(" AND {condition} {value}"));
            }
        }
        let limit = limit.min(MOST);
        let page = |also: &str| {
            format!("SELECT {ENTRY} FROM ledger_entry e WHERE {only}{also} ORDER BY number LIMIT {limit}")
        };
        let statement = match &filter.account {
            None => page(""),
            Some(account) => {
                // Each side has an index of its own; no entry is on both.
                let account = parameters.add(text(account.to_string()));
                let side = |side| page(&format!(" AND {}", self.moves(side, &of_fund, &account)));
                format!(
                    "SELECT {ENTRY} FROM (SELECT * FROM ({}) AS gave UNION ALL SELECT * FROM ({}) AS took) AS sides \
                     ORDER BY number LIMIT {limit}",
                    side("from_account"),
                    side("to_account")
                )
            }
        };
        let rows = self.query_by(&statement, parameters).await?;
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
            .query_with(wanted, |rows| {
                format!(
                    "SELECT {ENTRY} FROM (SELECT e.* FROM {rows} AS r JOIN ledger_entry e \
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

    /// At most `limit` entries of a fund after number `after`, as they are stored, whatever that is.
    pub async fn stored_entries(
        &self,
        fund: &FundId,
        after: u64,
        limit: u64,
    ) -> Result<Vec<StoredEntry>, Error> {
        let mut parameters = Parameters::default();
        let fund = parameters.add(text(fund.as_str()));
        let after = parameters.add(number(after));
        let limit = limit.min(MOST);
        if self.by_sets() {
            // Entries that have just come in have no statistics: PostgreSQL would find a fund's by some other index, and
            // sort all of them for each page.
            let in_order = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off";
            self.db.execute_unprepared(in_order).await.map_err(failed)?;
        }
        let statement = format!(
            "SELECT {ENTRY} FROM ledger_entry WHERE fund = {fund} AND number > {after} \
             ORDER BY number LIMIT {limit}"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter()
            .map(|row| checked(row, get_number(row, "number")?))
            .collect()
    }

    /// The balances of a fund as they are stored, by account.
    pub async fn stored_balances(&self, fund: &FundId) -> Result<Vec<StoredBalance>, Error> {
        let mut parameters = Parameters::default();
        let fund = parameters.add(text(fund.as_str()));
        let statement = format!(
            "SELECT account, payer, region, programme, bucket, balance_fen, entry FROM ledger_account \
             WHERE fund = {fund} ORDER BY account"
        );
        let rows = self.query_by(&statement, parameters).await?;
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

    /// What the issued runs of a fund give each region.
    pub async fn allocated(&self, fund: &FundId) -> Result<BTreeMap<RegionCode, Money>, Error> {
        let mut parameters = Parameters::default();
        let fund = parameters.add(text(fund.as_str()));
        let state = parameters.add(text(State::Issued.code()));
        let statement = format!(
            "SELECT l.region, CAST(SUM(l.amount_fen - l.advanced_fen) AS BIGINT) AS sum_fen FROM allocation a \
             JOIN allocation_line l ON l.allocation = a.id WHERE a.fund = {fund} AND a.state = {state} \
             GROUP BY l.region"
        );
        let rows = self.query_by(&statement, parameters).await?;
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
        let mut parameters = Parameters::default();
        let fund = parameters.add(text(fund.as_str()));
        // The event is written out: it is what an index is kept of.
        let statement = format!(
            "SELECT from_account, CAST(SUM(amount_fen) AS BIGINT) AS sum_fen FROM ledger_entry \
             WHERE fund = {fund} AND event = 'return' GROUP BY from_account"
        );
        let rows = self.query_by(&statement, parameters).await?;
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
