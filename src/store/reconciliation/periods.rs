//! Months of accounts, and what is known of them.

use crate::domain::error::Error;
use crate::domain::reconciliation::{AccountId, Month, Period, PeriodState};
use crate::domain::subsidy::parse_date;
use crate::store::Tx;
use crate::store::block::{Block, Parameters, get, get_number, int, number, text};
use crate::store::claims::{signed, to_signed};
use crate::store::convert::{count, from_json, json, stored};
use sea_orm::QueryResult;
use time::Date;

const PERIOD: &str = "account, period, state, version, balance, resolved_breaks, carried_breaks, prepared_by, \
     prepared_at, signed_by, signed_at";

/// How far statements and jobs of an account reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The first day of the first statement.
    pub from: Date,
    /// The balance before its first line.
    pub opening: crate::domain::money::Money,
    /// The last day of the last statement; there are no gaps between.
    pub to: Date,
    /// The last statement that the last finished job looked at; 0 where there was no job.
    pub through: u64,
    /// The last statement.
    pub last: u64,
    /// The day that job reconciled to.
    pub reconciled_to: Option<Date>,
}

impl Tx {
    /// A month of an account, if anything was done about it.
    pub async fn period(&self, account: &AccountId, month: Month) -> Result<Option<Period>, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(account.as_str()));
        let month = parameters.add(text(month.to_string()));
        let statement = format!(
            "SELECT {PERIOD} FROM reconciliation_period WHERE account = {account} AND period = {month}"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.first().map(to_period).transpose()
    }

    /// At most `limit` months of an account, those after one.
    pub async fn periods(
        &self,
        account: &AccountId,
        after: Option<Month>,
        limit: u64,
    ) -> Result<Vec<Period>, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(account.as_str()));
        let after = after.map(|month| month.to_string()).unwrap_or_default();
        let after = parameters.add(text(after));
        let limit = limit.min(10_000);
        let statement = format!(
            "SELECT {PERIOD} FROM reconciliation_period WHERE account = {account} AND period > {after} \
             ORDER BY period LIMIT {limit}"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter().map(to_period).collect()
    }

    /// The last month of an account that is closed.
    pub async fn closed_to(&self, account: &AccountId) -> Result<Option<Month>, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(account.as_str()));
        let statement = format!(
            "SELECT period FROM reconciliation_period WHERE account = {account} AND state = 'closed' \
             ORDER BY period DESC LIMIT 1"
        );
        let rows = self.query_by(&statement, parameters).await?;
        let month = |row| {
            stored(Month::parse(
                "reconciliation_period.period",
                &get::<String>(row, "period")?,
            ))
        };
        rows.first().map(month).transpose()
    }

    /// Adds a month, or stores what changed of it; the account is locked.
    pub async fn store_period(&self, period: &Period) -> Result<(), Error> {
        let mut block = Block::new([
            "account",
            "period",
            "state",
            "version#",
            "balance",
            "resolved_breaks#",
            "carried_breaks#",
            "digest",
            "prepared_by",
            "prepared_at#",
            "signed_by",
            "signed_at#",
        ]);
        let (prepared_by, prepared_at) = signed(period.prepared.as_ref());
        let (signed_by, signed_at) = signed(period.signed.as_ref());
        block.row([
            text(period.account.as_str()),
            text(period.month.to_string()),
            text(period.state.code()),
            int(period.version.into()),
            text(json(&period.balance)?),
            number(period.resolved),
            number(period.carried),
            text(period.digest().as_str()),
            text(prepared_by),
            int(prepared_at),
            text(signed_by),
            int(signed_at),
        ]);
        self.execute_with(block, |rows| {
            format!(
                "INSERT INTO reconciliation_period (account, period, state, version, balance, resolved_breaks, \
                 carried_breaks, digest, prepared_by, prepared_at, signed_by, signed_at) \
                 SELECT account, period, state, version, balance, resolved_breaks, carried_breaks, digest, \
                 prepared_by, prepared_at, signed_by, signed_at FROM {rows} AS r WHERE true \
                 ON CONFLICT (account, period) DO UPDATE SET state = excluded.state, version = excluded.version, \
                 balance = excluded.balance, resolved_breaks = excluded.resolved_breaks, \
                 carried_breaks = excluded.carried_breaks, digest = excluded.digest, \
                 prepared_by = excluded.prepared_by, prepared_at = excluded.prepared_at, \
                 signed_by = excluded.signed_by, signed_at = excluded.signed_at"
            )
        })
        .await
        .map(drop)
    }

    /// How far the statements and jobs of an account reach; none where there is no statement.
    pub async fn reach(&self, account: &AccountId) -> Result<Option<Reach>, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(account.as_str()));
        let statement = format!(
            "SELECT s.from_day, s.opening_fen, \
             (SELECT MAX(l.to_day) FROM bank_statement l WHERE l.account = s.account AND l.state = 'ready') AS to_day, \
             (SELECT MAX(l.number) FROM bank_statement l WHERE l.account = s.account AND l.state = 'ready') AS last, \
             COALESCE((SELECT j.through FROM bank_account a JOIN reconciliation_job j ON j.number = a.job \
             WHERE a.account = s.account), 0) AS through, \
             COALESCE((SELECT a.reconciled_to FROM bank_account a WHERE a.account = s.account), '') AS reconciled_to \
             FROM bank_statement s WHERE s.account = {account} AND s.state = 'ready' \
             ORDER BY s.from_day, s.number LIMIT 1"
        );
        let rows = self.query_by(&statement, parameters).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let day = |column: &str| stored(parse_date(column, &get::<String>(row, column)?));
        let reconciled_to: String = get(row, "reconciled_to")?;
        Ok(Some(Reach {
            from: day("from_day")?,
            opening: crate::store::block::get_money(row, "opening_fen")?,
            to: day("to_day")?,
            through: get_number(row, "through")?,
            last: get_number(row, "last")?,
            reconciled_to: if reconciled_to.is_empty() {
                None
            } else {
                Some(day("reconciled_to")?)
            },
        }))
    }

    /// How many lines of an account wait to be posted to the ledger.
    pub async fn open_postings(&self, account: &AccountId) -> Result<u64, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(account.as_str()));
        let statement = format!(
            "SELECT COUNT(*) AS count FROM bank_posting p JOIN bank_statement s ON s.number = p.statement \
             WHERE s.account = {account} AND p.done_at = 0 AND p.refusal = ''"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.first().map_or(Ok(0), |row| get_number(row, "count"))
    }
}

fn to_period(row: &QueryResult) -> Result<Period, Error> {
    let text = |column: &str| get::<String>(row, column);
    Ok(Period {
        account: stored(AccountId::parse(
            "reconciliation_period.account",
            &text("account")?,
        ))?,
        month: stored(Month::parse("reconciliation_period.period", &text("period")?))?,
        state: stored(PeriodState::parse("reconciliation_period.state", &text("state")?))?,
        version: count("reconciliation_period.version", get(row, "version")?)?,
        balance: from_json("reconciliation_period.balance", &text("balance")?)?,
        resolved: get_number(row, "resolved_breaks")?,
        carried: get_number(row, "carried_breaks")?,
        prepared: to_signed(row, "prepared_by", "prepared_at")?,
        signed: to_signed(row, "signed_by", "signed_at")?,
    })
}
