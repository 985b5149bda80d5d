//! Statements and their lines, with what is personal masked.

use super::records::{LinePersonal, Statement, StoredLine};
use crate::app::App;
use crate::app::vault::Sealed;
use crate::domain::error::Error;
use crate::domain::identity::{mask_account, mask_name};
use crate::domain::reconciliation::{AccountId, LineId};
use crate::store::Tx;
use std::collections::{BTreeSet, HashMap};

/// A line with the other side, masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownLine {
    /// The line.
    pub line: StoredLine,
    /// The other side's name, masked; may be empty.
    pub masked_name: String,
    /// Its account, masked; may be empty.
    pub masked_account: String,
}

impl App {
    /// At most `limit` statements of an account after a number.
    pub async fn statements(
        &self,
        account: &AccountId,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Statement>, Error> {
        let tx = self.store().begin_read().await?;
        tx.statements(account, after, limit).await
    }

    /// A statement.
    pub async fn statement(&self, number: u64) -> Result<Statement, Error> {
        let tx = self.store().begin_read().await?;
        tx.statement(number).await?.ok_or_else(|| no_statement(number))
    }

    /// At most `limit` lines of a statement after a line.
    pub async fn statement_lines(
        &self,
        statement: u64,
        after: u64,
        limit: u64,
    ) -> Result<Vec<ShownLine>, Error> {
        let tx = self.store().begin_read().await?;
        tx.statement(statement)
            .await?
            .ok_or_else(|| no_statement(statement))?;
        let lines = tx.statement_lines(statement, after, limit).await?;
        self.shown(&tx, lines).await
    }

    /// These lines, in the order of statements; of those that do not exist none.
    pub async fn lines(&self, ids: &[LineId]) -> Result<Vec<ShownLine>, Error> {
        let tx = self.store().begin_read().await?;
        let mut lines = tx.lines_by_id(ids).await?;
        lines.sort_by_key(|line| line.id);
        self.shown(&tx, lines).await
    }

    async fn shown(&self, tx: &Tx, lines: Vec<StoredLine>) -> Result<Vec<ShownLine>, Error> {
        let vault = self.vault()?;
        let ids: Vec<LineId> = lines.iter().map(|line| line.id).collect();
        let sealed = tx.sealed_lines(&ids).await?;
        let numbers: BTreeSet<u64> = sealed.iter().map(|(statement, ..)| *statement).collect();
        let origins: HashMap<u64, (String, u64)> = tx
            .statement_origins(&numbers.into_iter().collect::<Vec<_>>())
            .await?
            .into_iter()
            .map(|(number, digest, part)| (number, (digest, part)))
            .collect();
        let mut personal: HashMap<LineId, LinePersonal> = HashMap::new();
        for (statement, first, _, sealed) in sealed {
            let (digest, part) = origins
                .get(&statement)
                .ok_or_else(|| Error::internal("lines of no statement"))?;
            for line in open_lines(vault, digest, *part, first, &sealed)? {
                let id = LineId {
                    statement,
                    line: line.0,
                };
                personal.insert(id, line);
            }
        }
        let masked = |text: &str, mask: fn(&str) -> String| {
            if text.is_empty() {
                String::new()
            } else {
                mask(text)
            }
        };
        Ok(lines
            .into_iter()
            .map(|line| {
                let LinePersonal(_, name, account, _) = personal.remove(&line.id).unwrap_or_default();
                ShownLine {
                    masked_name: masked(&name, mask_name),
                    masked_account: masked(&account, mask_account),
                    line,
                }
            })
            .collect())
    }
}

/// What is personal of the lines that are sealed together.
pub(super) fn open_lines(
    vault: &crate::app::vault::Vault,
    digest: &str,
    part: u64,
    first: u64,
    sealed: &Sealed,
) -> Result<Vec<LinePersonal>, Error> {
    let name = Statement::sealed_name(digest, part, first);
    let plain = vault.open(&name, sealed)?;
    serde_json::from_slice(&plain)
        .map_err(|_| Error::internal(format!("what is sealed for {name} is not of lines")))
}

fn no_statement(number: u64) -> Error {
    Error::NotFound {
        kind: "statement",
        name: format!("statements/{number}"),
    }
}
