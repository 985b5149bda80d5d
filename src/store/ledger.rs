//! The ledger: the ends of funds' journals, balances, entries, changes.

use super::Tx;
use super::block::{Block, Parameters, get, get_money, get_number, int, number, text};
use super::convert::{signature, stored};
use super::reads::Query;
use super::writes::{Changes, Writes};
use crate::app::records::{Change, FundHead};
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::audit;
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use crate::domain::ledger::{Account, Entry, Event, Head, Posting};
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use sea_orm::QueryResult;
use std::collections::BTreeMap;

/// The columns of a fund.
pub(super) const FUND: &str =
    "fund, ordinal, entries, digest, at, changes, claims, batches, audit_records, audit_digest";
/// The columns of an entry.
pub(super) const ENTRY: &str = "number, at, made_by, event, from_account, to_account, amount_fen, \
     from_balance_fen, to_balance_fen, subject, note, reverses, digest";

impl Tx {
    /// The ends of the journals of these funds, locked for this transaction where it writes. A fund
    /// that is not there has none.
    ///
    /// Locked in the order of their names: two that lock the same funds do not wait for one another.
    pub async fn fund_heads(&self, funds: &[FundId]) -> Result<BTreeMap<FundId, FundHead>, Error> {
        let [rows] = self.query_each([self.heads_query(funds)]).await?;
        rows.iter().map(to_fund).collect()
    }

    pub(super) fn heads_query(&self, funds: &[FundId]) -> Query {
        let mut block = Block::new(["fund"]);
        for fund in funds {
            block.row([text(fund.as_str())]);
        }
        Query {
            before: format!("SELECT {FUND} FROM ledger_fund WHERE fund IN (SELECT r.fund FROM "),
            block,
            after: match self.for_update() {
                "" => " AS r) ORDER BY fund",
                _ => " AS r) ORDER BY fund FOR UPDATE",
            },
        }
    }

    /// The highest ordinal of a fund; 0 where there is none.
    pub async fn last_fund_ordinal(&self) -> Result<u64, Error> {
        let statement = "SELECT COALESCE(MAX(ordinal), 0) AS last FROM ledger_fund";
        let rows = self.query(statement).await?;
        rows.first().map_or(Ok(0), |row| get_number(row, "last"))
    }

    /// Adds a fund.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where another transaction added it, or another with its ordinal.
    pub async fn insert_fund(&self, fund: &FundId, head: &FundHead) -> Result<(), Error> {
        let mut writes = Writes::default();
        writes.insert_fund(fund, head);
        self.write(writes).await
    }

    /// The balances of these accounts; an account without a row is left out.
    pub async fn balances(
        &self,
        accounts: &[(&FundId, &Account)],
    ) -> Result<Vec<(FundId, Account, Money)>, Error> {
        let [rows] = self.query_each([balances_query(accounts)]).await?;
        rows.iter().map(to_balance).collect()
    }

    /// At most `limit` changes of a fund in the regions of `scope` after number `after`, in order; only of
    /// `resource` where one is given.
    pub async fn changes(
        &self,
        fund: &FundId,
        scope: &Scope,
        resource: Option<&str>,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Change>, Error> {
        let mut parameters = Parameters::default();
        let fund = parameters.add(text(fund.as_str()));
        let after = parameters.add(number(after));
        let of_resource = match resource {
            Some(resource) => format!("AND resource = {}", parameters.add(text(resource))),
            None => String::new(),
        };
        let within = parameters.within("region", scope);
        let limit = limit.min(1_000_000);
        let statement = format!(
            "SELECT number, at, made_by, kind, region, resource, state, amount_fen, note FROM ledger_change \
             WHERE fund = {fund} AND number > {after} {of_resource}{within} ORDER BY number LIMIT {limit}"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter().map(to_change).collect()
    }
}

impl Writes {
    /// Adds a fund.
    ///
    /// Written, it is an [`Error::Conflict`] where another transaction added it, or another with its ordinal.
    pub fn insert_fund(&mut self, fund: &FundId, head: &FundHead) {
        self.insert("ledger_fund", fund_rows(&[(fund, head)]));
    }

    /// Moves the ends of journals on; their rows were locked by [`Tx::fund_heads`].
    pub fn update_fund_heads(&mut self, heads: &[(&FundId, &FundHead)]) {
        self.add(
            "UPDATE ledger_fund AS f SET entries = r.entries, digest = r.digest, at = r.at, changes = r.changes, \
             claims = r.claims, batches = r.batches, audit_records = r.audit_records, \
             audit_digest = r.audit_digest FROM "
                .to_owned(),
            fund_rows(heads),
            " AS r WHERE f.fund = r.fund",
            Changes::Each,
        );
    }

    /// Adds entries to a fund's journal.
    pub fn insert_entries(&mut self, entries: &[(&FundId, &Entry)]) {
        let mut block = Block::new([
            "fund",
            "number#",
            "at#",
            "made_by",
            "event",
            "from_account",
            "to_account",
            "amount_fen#",
            "from_balance_fen#",
            "to_balance_fen#",
            "subject",
            "note",
            "reverses#",
            "digest",
        ]);
        for &(fund, entry) in entries {
            let posting = &entry.posting;
            block.row([
                text(fund.as_str()),
                number(entry.number),
                int(entry.signed.at),
                text(entry.signed.by.as_str()),
                text(posting.event.code()),
                text(posting.from.to_string()),
                text(posting.to.to_string()),
                int(posting.amount.fen()),
                int(entry.from_balance.fen()),
                int(entry.to_balance.fen()),
                text(&posting.subject),
                text(&posting.note),
                number(posting.reverses.unwrap_or(0)),
                text(entry.digest.as_str()),
            ]);
        }
        self.insert("ledger_entry", block);
    }

    /// Stores the balances of accounts, each with the number of the entry that last moved it.
    pub fn store_balances(&mut self, balances: &[(&FundId, &Account, Money, u64)]) {
        let mut block = Block::new([
            "fund",
            "account",
            "payer",
            "region",
            "programme",
            "bucket",
            "balance_fen#",
            "entry#",
        ]);
        for &(fund, account, balance, entry) in balances {
            block.row([
                text(fund.as_str()),
                text(account.to_string()),
                text(account.payer.code()),
                text(account.region.as_ref().map_or("", |region| region.as_str())),
                text(
                    account
                        .programme
                        .as_ref()
                        .map_or("", |programme| programme.as_str()),
                ),
                text(account.bucket.code()),
                int(balance.fen()),
                number(entry),
            ]);
        }
        self.upsert(
            "ledger_account",
            block,
            " AS r WHERE true ON CONFLICT (fund, account) DO UPDATE SET balance_fen = excluded.balance_fen, \
             entry = excluded.entry",
        );
    }

    /// Adds changes to a fund's history.
    pub fn insert_changes(&mut self, changes: &[(&FundId, &Change)]) {
        let mut block = Block::new([
            "fund",
            "number#",
            "at#",
            "made_by",
            "kind",
            "region",
            "resource",
            "state",
            "amount_fen#",
            "note",
        ]);
        for &(fund, change) in changes {
            block.row([
                text(fund.as_str()),
                number(change.number),
                int(change.signed.at),
                text(change.signed.by.as_str()),
                text(&change.kind),
                text(change.region.as_ref().map_or("", RegionCode::as_str)),
                text(&change.resource),
                text(&change.state),
                int(change.amount.fen()),
                text(&change.note),
            ]);
        }
        self.insert("ledger_change", block);
    }
}

pub(super) fn balances_query(accounts: &[(&FundId, &Account)]) -> Query {
    let mut block = Block::new(["fund", "account"]);
    for &(fund, account) in accounts {
        block.row([text(fund.as_str()), text(account.to_string())]);
    }
    Query {
        before: "SELECT a.fund, a.account, a.balance_fen FROM ledger_account a JOIN ".to_owned(),
        block,
        after: " AS r ON a.fund = r.fund AND a.account = r.account",
    }
}

pub(super) fn to_balance(row: &QueryResult) -> Result<(FundId, Account, Money), Error> {
    let fund: String = get(row, "fund")?;
    Ok((
        stored(FundId::parse("ledger_account.fund", &fund))?,
        Account::from_stored(&get::<String>(row, "account")?)?,
        get_money(row, "balance_fen")?,
    ))
}

/// The region in a column that may be empty.
pub(super) fn optional_region(code: &str) -> Result<Option<RegionCode>, Error> {
    match code {
        "" => Ok(None),
        code => stored(RegionCode::parse("region", code)).map(Some),
    }
}

fn fund_rows(heads: &[(&FundId, &FundHead)]) -> Block {
    let mut block = Block::new([
        "fund",
        "ordinal#",
        "entries#",
        "digest",
        "at#",
        "changes#",
        "claims#",
        "batches#",
        "audit_records#",
        "audit_digest",
    ]);
    for &(fund, head) in heads {
        block.row([
            text(fund.as_str()),
            number(head.ordinal),
            number(head.journal.entries),
            text(head.journal.digest.as_str()),
            int(head.journal.at),
            number(head.changes),
            number(head.claims),
            number(head.batches),
            number(head.audit.records),
            text(head.audit.digest.as_str()),
        ]);
    }
    block
}

/// Reads a row of `ledger_fund`.
pub(super) fn to_fund(row: &QueryResult) -> Result<(FundId, FundHead), Error> {
    let fund: String = get(row, "fund")?;
    let fund = stored(FundId::parse("ledger_fund.fund", &fund))?;
    let head = FundHead {
        ordinal: get_number(row, "ordinal")?,
        journal: Head {
            entries: get_number(row, "entries")?,
            digest: Digest::from_stored(get(row, "digest")?),
            at: get(row, "at")?,
        },
        changes: get_number(row, "changes")?,
        claims: get_number(row, "claims")?,
        batches: get_number(row, "batches")?,
        audit: audit::Head {
            records: get_number(row, "audit_records")?,
            digest: Digest::from_stored(get(row, "audit_digest")?),
        },
    };
    Ok((fund, head))
}

/// Reads a row of [`ENTRY`].
pub(super) fn to_entry(row: &QueryResult) -> Result<Entry, Error> {
    let text = |column: &str| get::<String>(row, column);
    let reverses = get_number(row, "reverses")?;
    Ok(Entry {
        number: get_number(row, "number")?,
        signed: signature(&text("made_by")?, get(row, "at")?)?,
        posting: Posting {
            event: stored(Event::parse("ledger_entry.event", &text("event")?))?,
            from: Account::from_stored(&text("from_account")?)?,
            to: Account::from_stored(&text("to_account")?)?,
            amount: get_money(row, "amount_fen")?,
            subject: text("subject")?,
            note: text("note")?,
            reverses: (reverses > 0).then_some(reverses),
        },
        from_balance: get_money(row, "from_balance_fen")?,
        to_balance: get_money(row, "to_balance_fen")?,
        digest: Digest::from_stored(text("digest")?),
    })
}

fn to_change(row: &QueryResult) -> Result<Change, Error> {
    let text = |column: &str| get::<String>(row, column);
    Ok(Change {
        number: get_number(row, "number")?,
        signed: signature(&text("made_by")?, get(row, "at")?)?,
        kind: text("kind")?,
        region: optional_region(&text("region")?)?,
        resource: text("resource")?,
        state: text("state")?,
        amount: get_money(row, "amount_fen")?,
        note: text("note")?,
    })
}
