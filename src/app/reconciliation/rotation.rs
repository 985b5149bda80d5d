//! Keys are changed: what older keys sealed and hashed of statements is sealed and hashed anew.

use super::intake::ACCOUNT_KIND;
use super::reading::open_lines;
use super::records::{LinePersonal, Statement};
use crate::app::App;
use crate::app::audit::{Asking, Call};
use crate::app::vault::Vault;
use crate::domain::audit::{Outcome, Record};
use crate::domain::error::Error;
use crate::domain::reconciliation::LineId;
use crate::store::{Tx, retrying};
use std::collections::{BTreeMap, HashMap};

/// Sets of lines that are sealed anew in one transaction.
const PAGE: u64 = 200;
/// Lines that are hashed anew in one transaction.
const HASHED: u64 = 2_000;

impl App {
    /// Seals and hashes the lines of statements anew under the keys in use, and says how many sets of lines and
    /// statements were changed. Payees of payments are hashed anew by the next reconciliation. It may run while the
    /// service does, and may be stopped and begun again: each page is a transaction with its records in the audit
    /// log, one for each statement, and what has the keys in use is passed over.
    pub async fn rotate_statement_keys(&self, asking: &Asking) -> Result<u64, Error> {
        let changed = self.rotate_statements(asking).await;
        // Also where it broke off: what was changed until then is recorded, and only waits to be chained.
        let sealed = self.seal_audit_log().await;
        let changed = changed?;
        sealed?;
        Ok(changed)
    }

    async fn rotate_statements(&self, asking: &Asking) -> Result<u64, Error> {
        let vault = self.vault()?;
        let mut changed = 0;
        loop {
            let page = retrying(|| async {
                let tx = self.store().begin_write().await?;
                let old = tx.lines_sealed_otherwise(vault.sealing_key(), PAGE).await?;
                let numbers: Vec<u64> = old.iter().map(|(statement, ..)| *statement).collect();
                let origins = tx.statement_origins(&numbers).await?;
                let origins: HashMap<u64, (String, u64)> = origins
                    .into_iter()
                    .map(|(number, digest, part)| (number, (digest, part)))
                    .collect();
                let mut renewed = Vec::with_capacity(old.len());
                let mut sets: BTreeMap<u64, u64> = BTreeMap::new();
                for (statement, first, _, sealed) in old {
                    let (digest, part) = origins
                        .get(&statement)
                        .ok_or_else(|| Error::internal("lines of no statement"))?;
                    let name = Statement::sealed_name(digest, *part, first);
                    let plain = vault.open(&name, &sealed)?;
                    renewed.push((statement, first, vault.seal(&name, &plain)?));
                    *sets.entry(statement).or_default() += 1;
                }
                tx.reseal_lines(&renewed).await?;
                for (statement, sets) in sets {
                    let name = named(&tx, statement).await?;
                    record(&tx, asking, vault, (name, 1), &format!("sets={sets}")).await?;
                }
                tx.commit().await?;
                Ok(renewed.len() as u64)
            })
            .await?;
            changed += page;
            if page == 0 {
                break;
            }
        }
        loop {
            let tx = self.store().begin_read().await?;
            let Some((statement, digest, part)) = tx.statement_hashed_otherwise(vault.lookup_key()).await?
            else {
                break;
            };
            drop(tx);
            self.rehash(asking, statement, &digest, part).await?;
            changed += 1;
        }
        retrying(|| async {
            let tx = self.store().begin_bulk().await?;
            let payments = tx.forget_payee_hashes(vault.lookup_key()).await?;
            if payments > 0 {
                let all = ("payments".to_owned(), payments);
                record(&tx, asking, vault, all, "accounts").await?;
            }
            tx.commit().await
        })
        .await?;
        Ok(changed)
    }

    /// Hashes the accounts in the lines of a statement anew. Its record is in the first transaction of several: nothing
    /// is changed that has none.
    async fn rehash(&self, asking: &Asking, statement: u64, digest: &str, part: u64) -> Result<(), Error> {
        let vault = self.vault()?;
        let mut after = 0;
        loop {
            let last = retrying(|| async {
                let tx = self.store().begin_write().await?;
                let lines = tx.hashed_lines(statement, after, HASHED).await?;
                let mut accounts: HashMap<LineId, String> = HashMap::new();
                for (_, first, _, sealed) in tx.sealed_lines(&lines).await? {
                    for LinePersonal(line, _, account, _) in open_lines(vault, digest, part, first, &sealed)?
                    {
                        accounts.insert(LineId { statement, line }, account);
                    }
                }
                let mut hashes = Vec::with_capacity(lines.len());
                for id in &lines {
                    let account = accounts.get(id).map_or("", String::as_str);
                    let lookup = vault.lookups(ACCOUNT_KIND, account).into_iter().next();
                    hashes.push((*id, lookup.map(|lookup| lookup.hash).unwrap_or_default()));
                }
                tx.rehash_lines(&hashes).await?;
                if after == 0 {
                    let name = named(&tx, statement).await?;
                    record(&tx, asking, vault, (name, 1), "accounts").await?;
                }
                if lines.is_empty() {
                    tx.note_lookup_key(statement, vault.lookup_key()).await?;
                }
                tx.commit().await?;
                Ok(lines.last().map(|id| id.line))
            })
            .await?;
            match last {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }
}

/// The resource name of a statement.
async fn named(tx: &Tx, statement: u64) -> Result<String, Error> {
    let found = tx.statement(statement).await?;
    let found = found.ok_or_else(|| Error::internal("lines of no statement"))?;
    Ok(found.resource_name())
}

/// Records that so many of a resource are sealed or hashed anew; `what` says what of them.
async fn record(
    tx: &Tx,
    asking: &Asking,
    vault: &Vault,
    (resource, count): (String, u64),
    what: &str,
) -> Result<(), Error> {
    let call = Call {
        by: asking.caller.as_str().to_owned(),
        peer: asking.peer.clone(),
        action: "RotateKeys".to_owned(),
        request_id: String::new(),
    };
    let record = Record {
        reason: format!(
            "sealing={} lookup={} {what}",
            vault.sealing_key(),
            vault.lookup_key()
        ),
        resource,
        count,
        ..call.record(Outcome::Done)
    };
    let id = uuid::Uuid::now_v7().to_string();
    tx.insert_pending_record(&id, &record).await
}
