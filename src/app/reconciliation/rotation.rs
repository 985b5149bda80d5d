//! Keys are changed: what older keys sealed and hashed of statements is sealed and hashed anew.

use super::import::ACCOUNT_KIND;
use super::reading::open_lines;
use super::records::{LinePersonal, Statement};
use crate::app::App;
use crate::domain::error::Error;
use crate::domain::reconciliation::LineId;
use crate::store::retrying;
use std::collections::HashMap;

/// Sets of lines that are sealed anew in one transaction.
const PAGE: u64 = 200;
/// Lines that are hashed anew in one transaction.
const HASHED: u64 = 2_000;

impl App {
    /// Seals and hashes the lines of statements anew under the keys in use, and says how many sets of lines and
    /// statements were changed. Payees of payments are hashed anew by the next reconciliation. It may run while the
    /// service does, and may be stopped and begun again.
    pub async fn rotate_statement_keys(&self) -> Result<u64, Error> {
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
                for (statement, first, _, sealed) in old {
                    let (digest, part) = origins
                        .get(&statement)
                        .ok_or_else(|| Error::internal("lines of no statement"))?;
                    let name = Statement::sealed_name(digest, *part, first);
                    let plain = vault.open(&name, &sealed)?;
                    renewed.push((statement, first, vault.seal(&name, &plain)?));
                }
                tx.reseal_lines(&renewed).await?;
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
            self.rehash(statement, &digest, part).await?;
            changed += 1;
        }
        retrying(|| async {
            let tx = self.store().begin_bulk().await?;
            tx.forget_payee_hashes(vault.lookup_key()).await?;
            tx.commit().await
        })
        .await?;
        Ok(changed)
    }

    /// Hashes the accounts in the lines of a statement anew.
    async fn rehash(&self, statement: u64, digest: &str, part: u64) -> Result<(), Error> {
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
