//! Persons go out of the bank's lines, too, when they are erased from their claims.

use super::reading::open_lines;
use super::records::{LinePersonal, Statement};
use crate::app::App;
use crate::domain::claim::ClaimId;
use crate::domain::error::Error;
use crate::store::Tx;
use std::collections::{BTreeSet, HashMap};
use zeroize::Zeroizing;

impl App {
    /// Deletes name, account and text of the lines that belong to the payments of these claims. Amounts, days and
    /// references stay, in closed months as well.
    pub(in crate::app) async fn erase_from_statements(
        &self,
        tx: &Tx,
        claims: &[&ClaimId],
    ) -> Result<(), Error> {
        let lines = tx.lines_of_claims(claims).await?;
        if lines.is_empty() {
            return Ok(());
        }
        let vault = self.vault()?;
        let erased: BTreeSet<(u64, u64)> = lines.iter().map(|id| (id.statement, id.line)).collect();
        let sets = tx.sealed_lines(&lines).await?;
        let statements: BTreeSet<u64> = sets.iter().map(|(statement, ..)| *statement).collect();
        let statements: Vec<u64> = statements.into_iter().collect();
        let origins: HashMap<u64, (String, u64)> = (tx.statement_origins(&statements).await?.into_iter())
            .map(|(number, digest, part)| (number, (digest, part)))
            .collect();
        let mut renewed = Vec::with_capacity(sets.len());
        for (statement, first, _, sealed) in sets {
            let (digest, part) = origins
                .get(&statement)
                .ok_or_else(|| Error::internal("lines of no statement"))?;
            let mut personal = open_lines(vault, digest, *part, first, &sealed)?;
            personal.retain(|LinePersonal(line, ..)| !erased.contains(&(statement, *line)));
            let plain = Zeroizing::new(serde_json::to_vec(&personal).map_err(Error::internal)?);
            let name = Statement::sealed_name(digest, *part, first);
            renewed.push((statement, first, vault.seal(&name, &plain)?));
        }
        tx.reseal_lines(&renewed).await
    }
}
