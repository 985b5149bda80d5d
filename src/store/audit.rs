//! The audit log: records, what waits to be chained, ends of chains, checkpoints.

use super::Tx;
use super::block::{Block, Parameters, get, get_number, int, number, text};
use super::convert::stored;
use super::writes::Writes;
use crate::app::audit::{AuditFilter, AuditPosition, Trail};
use crate::domain::allocation::FundId;
use crate::domain::audit::{ChainName, Chained, Changes, Checkpoint, Head, Outcome, Record};
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use sea_orm::QueryResult;
use std::sync::PoisonError;

/// A record read, or its number and digest and why it cannot be.
pub type StoredRecord = Result<Chained, (u64, Digest, String)>;

const RECORD: &str = "number, at, made_by, peer, action, request_id, outcome, reason, resource, resources, \
     before_digest, after_digest, first_change, last_change, changes_digest, digest";

impl Tx {
    /// What this transaction did, as far as it was told.
    pub fn trail<T>(&self, work: impl FnOnce(&mut Trail) -> T) -> T {
        work(&mut self.trail.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stores a record that is to be chained after this transaction. `id` orders it.
    pub async fn insert_pending_record(&self, id: &str, record: &Record) -> Result<(), Error> {
        let mut block = Block::new(["id", "record"]);
        let json = serde_json::to_string(record).map_err(Error::internal)?;
        block.row([text(id), text(json)]);
        self.insert_block("audit_pending", block).await
    }

    /// The first records that wait to be chained, with their ids.
    pub async fn pending_records(&self, limit: usize) -> Result<Vec<(String, Record)>, Error> {
        let statement = format!("SELECT id, record FROM audit_pending ORDER BY id LIMIT {limit}");
        let rows = self.query(&statement).await?;
        rows.iter()
            .map(|row| {
                let json: String = get(row, "record")?;
                Ok((
                    get(row, "id")?,
                    serde_json::from_str(&json).map_err(Error::internal)?,
                ))
            })
            .collect()
    }

    /// Deletes what has been chained.
    pub async fn delete_pending_records(&self, ids: &[String]) -> Result<(), Error> {
        let mut wanted = Block::new(["id"]);
        for id in ids {
            wanted.row([text(id)]);
        }
        self.execute_with(wanted, |rows| {
            format!("DELETE FROM audit_pending WHERE id IN (SELECT r.id FROM {rows} AS r)")
        })
        .await
        .map(drop)
    }

    /// The end of the general chain, locked for this transaction where it writes.
    pub async fn general_audit_head(&self) -> Result<Head, Error> {
        let lock = self.for_update();
        let mut parameters = Parameters::default();
        let general = parameters.add(text(ChainName::general().as_str()));
        let statement = format!("SELECT records, digest FROM audit_head WHERE chain = {general}{lock}");
        let rows = self.query_by(&statement, parameters).await?;
        rows.first().map_or_else(|| Ok(Head::empty()), to_head)
    }

    /// Moves the end of the general chain on; its row was locked by [`Tx::general_audit_head`].
    pub async fn update_general_audit_head(&self, head: &Head) -> Result<(), Error> {
        let mut block = Block::new(["chain", "records#", "digest"]);
        block.row([
            text(ChainName::general().as_str()),
            number(head.records),
            text(head.digest.as_str()),
        ]);
        self.execute_with(block, |rows| {
            format!(
                "INSERT INTO audit_head (chain, records, digest) SELECT chain, records, digest FROM {rows} AS r \
                 WHERE true ON CONFLICT (chain) DO UPDATE SET records = excluded.records, digest = excluded.digest"
            )
        })
        .await
        .map(drop)
    }

    /// The ends of all chains as they are stored, the general one first, then funds by id.
    pub async fn audit_heads(&self) -> Result<Vec<(ChainName, Head)>, Error> {
        let mut heads = vec![(ChainName::general(), self.general_audit_head().await?)];
        let statement = "SELECT fund, audit_records AS records, audit_digest AS digest FROM ledger_fund \
             ORDER BY fund";
        for row in self.query(statement).await? {
            let fund: String = get(&row, "fund")?;
            heads.push((ChainName::from_stored(format!("funds/{fund}")), to_head(&row)?));
        }
        Ok(heads)
    }

    /// The first chain after `after` that has records, whatever its name.
    pub async fn next_audit_chain(&self, after: &str) -> Result<Option<ChainName>, Error> {
        let mut parameters = Parameters::default();
        let after = parameters.add(text(after));
        let statement =
            format!("SELECT chain FROM audit_record WHERE chain > {after} ORDER BY chain LIMIT 1");
        let rows = self.query_by(&statement, parameters).await?;
        let chain = |row| Ok(ChainName::from_stored(get(row, "chain")?));
        rows.first().map(chain).transpose()
    }

    /// At most `limit` records of a chain after number `after`, in order, as they are stored.
    pub async fn stored_audit_records(
        &self,
        chain: &ChainName,
        after: u64,
        limit: u64,
    ) -> Result<Vec<StoredRecord>, Error> {
        let mut parameters = Parameters::default();
        let chain = parameters.add(text(chain.as_str()));
        let after = parameters.add(number(after));
        let statement = format!(
            "SELECT {RECORD} FROM audit_record WHERE chain = {chain} AND number > {after} ORDER BY number LIMIT {limit}"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter()
            .map(|row| match to_record(row) {
                Ok(record) => Ok(Ok(record)),
                Err(defect) => Ok(Err((
                    get_number(row, "number")?,
                    Digest::from_stored(get(row, "digest")?),
                    defect.to_string(),
                ))),
            })
            .collect()
    }

    /// At most `limit` records of one chain, or of all, after a position, by chain and number.
    pub async fn audit_records(
        &self,
        filter: &AuditFilter,
        after: &AuditPosition,
        limit: u64,
    ) -> Result<Vec<(ChainName, Chained)>, Error> {
        let mut parameters = Parameters::default();
        let mut wanted = Vec::new();
        if let Some(chain) = &filter.chain {
            wanted.push(format!("chain = {}", parameters.add(text(chain.as_str()))));
            wanted.push(format!("number > {}", parameters.add(number(after.number))));
        } else {
            let chain = parameters.add(text(after.chain.as_str()));
            let same = parameters.add(text(after.chain.as_str()));
            let number = parameters.add(number(after.number));
            wanted.push(format!(
                "(chain > {chain} OR (chain = {same} AND number > {number}))"
            ));
        }
        for (column, value) in [
            ("made_by", &filter.by),
            ("action", &filter.action),
            ("request_id", &filter.request_id),
        ] {
            if let Some(value) = value {
                wanted.push(format!("{column} = {}", parameters.add(text(value))));
            }
        }
        if let Some(outcome) = filter.outcome {
            wanted.push(format!("outcome = {}", parameters.add(text(outcome.code()))));
        }
        if let Some(from) = filter.from {
            wanted.push(format!("at >= {}", parameters.add(int(from))));
        }
        if let Some(until) = filter.until {
            wanted.push(format!("at < {}", parameters.add(int(until))));
        }
        if let Some(resource) = &filter.resource {
            let named = parameters.add(text(resource));
            let fund = resource
                .strip_prefix("funds/")
                .and_then(|rest| rest.split('/').next());
            wanted.push(match fund {
                None => format!("resource = {named}"),
                // A record of many resources names them by the lines of the history that it accounts for.
                Some(fund) => {
                    let general = parameters.add(text(ChainName::general().as_str()));
                    let chain = parameters.add(text(format!("funds/{fund}")));
                    let fund = parameters.add(text(fund));
                    let told = parameters.add(text(resource));
                    format!(
                        "chain IN ({general}, {chain}) AND (resource = {named} OR (last_change > 0 AND EXISTS \
                         (SELECT 1 FROM ledger_change c WHERE c.fund = {fund} AND c.resource = {told} \
                         AND c.number BETWEEN audit_record.first_change AND audit_record.last_change)))"
                    )
                }
            });
        }
        let statement = format!(
            "SELECT chain, {RECORD} FROM audit_record WHERE {} ORDER BY chain, number LIMIT {}",
            wanted.join(" AND "),
            limit.min(1_000_000)
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter()
            .map(|row| Ok((ChainName::from_stored(get(row, "chain")?), to_record(row)?)))
            .collect()
    }

    /// The digests of entries of journals, as they are stored.
    pub async fn entry_digests(&self, entries: &[(&str, u64)]) -> Result<Vec<(String, u64, Digest)>, Error> {
        let mut wanted = Block::new(["fund", "number#"]);
        for (fund, at) in entries {
            wanted.row([text(*fund), number(*at)]);
        }
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT e.fund, e.number, e.digest FROM {rows} AS r \
                     JOIN ledger_entry e ON e.fund = r.fund AND e.number = r.number"
                )
            })
            .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    get(row, "fund")?,
                    get_number(row, "number")?,
                    Digest::from_stored(get(row, "digest")?),
                ))
            })
            .collect()
    }

    /// The ends of the journals that have entries, by fund.
    pub async fn journal_heads(&self) -> Result<Vec<(FundId, u64, Digest)>, Error> {
        let statement = "SELECT fund, entries, digest FROM ledger_fund WHERE entries > 0 ORDER BY fund";
        let rows = self.query(statement).await?;
        rows.iter()
            .map(|row| {
                Ok((
                    stored(FundId::parse("ledger_fund.fund", &get::<String>(row, "fund")?))?,
                    get_number(row, "entries")?,
                    Digest::from_stored(get(row, "digest")?),
                ))
            })
            .collect()
    }

    /// Keeps a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where another transaction kept one with its number.
    pub async fn insert_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let mut block = Block::new(["number#", "document"]);
        let json = serde_json::to_string(checkpoint).map_err(Error::internal)?;
        block.row([number(checkpoint.number), text(json)]);
        self.insert_block("audit_checkpoint", block).await
    }

    /// At most `limit` checkpoints after number `after`, as they are stored: number and document.
    pub async fn checkpoints(&self, after: u64, limit: u64) -> Result<Vec<(u64, String)>, Error> {
        let mut parameters = Parameters::default();
        let after = parameters.add(number(after));
        let statement = format!(
            "SELECT number, document FROM audit_checkpoint WHERE number > {after} ORDER BY number LIMIT {limit}"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter()
            .map(|row| Ok((get_number(row, "number")?, get(row, "document")?)))
            .collect()
    }

    /// The newest checkpoint as it is stored.
    pub async fn last_checkpoint(&self) -> Result<Option<(u64, String)>, Error> {
        let statement = "SELECT number, document FROM audit_checkpoint ORDER BY number DESC LIMIT 1";
        let rows = self.query(statement).await?;
        rows.first()
            .map(|row| Ok((get_number(row, "number")?, get(row, "document")?)))
            .transpose()
    }
}

impl Writes {
    /// Adds records to chains, each with the end of its chain moved on by the caller.
    pub fn insert_audit_records(&mut self, records: &[(&ChainName, &[Chained])]) {
        let mut block = Block::new([
            "chain",
            "number#",
            "at#",
            "made_by",
            "peer",
            "action",
            "request_id",
            "outcome",
            "reason",
            "resource",
            "resources#",
            "before_digest",
            "after_digest",
            "first_change#",
            "last_change#",
            "changes_digest",
            "digest",
        ]);
        for &(chain, chained) in records {
            for Chained {
                number: at,
                record,
                digest,
            } in chained
            {
                let changes = record.changes.as_ref();
                block.row([
                    text(chain.as_str()),
                    number(*at),
                    int(record.at),
                    text(&record.by),
                    text(&record.peer),
                    text(&record.action),
                    text(&record.request_id),
                    text(record.outcome.code()),
                    text(&record.reason),
                    text(&record.resource),
                    number(record.count),
                    text(&record.before),
                    text(&record.after),
                    number(changes.map_or(0, |changes| changes.first)),
                    number(changes.map_or(0, |changes| changes.last)),
                    text(changes.map_or("", |changes| changes.digest.as_str())),
                    text(digest.as_str()),
                ]);
            }
        }
        self.insert("audit_record", block);
    }
}

fn to_head(row: &QueryResult) -> Result<Head, Error> {
    Ok(Head {
        records: get_number(row, "records")?,
        digest: Digest::from_stored(get(row, "digest")?),
    })
}

fn to_record(row: &QueryResult) -> Result<Chained, Error> {
    let text = |column: &str| get::<String>(row, column);
    let last = get_number(row, "last_change")?;
    Ok(Chained {
        number: get_number(row, "number")?,
        record: Record {
            at: get(row, "at")?,
            by: text("made_by")?,
            peer: text("peer")?,
            action: text("action")?,
            request_id: text("request_id")?,
            outcome: stored(Outcome::parse("audit_record.outcome", &text("outcome")?))?,
            reason: text("reason")?,
            resource: text("resource")?,
            count: get_number(row, "resources")?,
            before: text("before_digest")?,
            after: text("after_digest")?,
            changes: (last > 0)
                .then(|| {
                    Ok::<_, Error>(Changes {
                        first: get_number(row, "first_change")?,
                        last,
                        digest: Digest::from_stored(text("changes_digest")?),
                    })
                })
                .transpose()?,
        },
        digest: Digest::from_stored(text("digest")?),
    })
}
