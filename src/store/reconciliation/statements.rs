//! Statements: written while nobody sees them, made visible at once.

use super::super::Tx;
use super::super::block::{Block, get, get_money, get_number, int, number, text};
use super::super::claims::to_signed;
use super::super::convert::stored;
use super::literal;
use crate::app::reconciliation::records::Statement;
use crate::domain::error::Error;
use crate::domain::reconciliation::AccountId;
use sea_orm::QueryResult;

const STATEMENT: &str = "s.number, s.account, s.digest, s.part, s.format, s.identification, s.sequence, s.from_day, \
     s.to_day, s.opening_fen, s.closing_fen, s.lines, s.credits_fen, s.debits_fen, s.imported_by, s.imported_at";

impl Tx {
    /// Locks an account for what changes its statements or breaks.
    pub async fn lock_bank_account(&self, account: &AccountId) -> Result<(), Error> {
        let mut block = Block::new(["account", "breaks#", "reconciled_to", "job#"]);
        block.row([text(account.as_str()), int(0), text(""), int(0)]);
        self.execute_with(block, |rows| {
            format!(
                "INSERT INTO bank_account (account, breaks, reconciled_to, job) \
                 SELECT account, breaks, reconciled_to, job FROM {rows} AS r WHERE true ON CONFLICT (account) DO NOTHING"
            )
        })
        .await?;
        let account = literal(account.as_str());
        self.query(&format!(
            "SELECT account FROM bank_account WHERE account = {account}{}",
            self.for_update()
        ))
        .await
        .map(drop)
    }

    /// The statements of a file, where it was imported.
    pub async fn statements_of_file(&self, digest: &str) -> Result<Vec<Statement>, Error> {
        let digest = literal(digest);
        self.statements_where(&format!(
            "s.digest = {digest} AND s.state = 'ready' ORDER BY s.part"
        ))
        .await
    }

    /// The last statement of an account.
    pub async fn last_statement(&self, account: &AccountId) -> Result<Option<Statement>, Error> {
        let account = literal(account.as_str());
        let found = self
            .statements_where(&format!(
                "s.account = {account} AND s.state = 'ready' ORDER BY s.number DESC LIMIT 1"
            ))
            .await?;
        Ok(found.into_iter().next())
    }

    /// The first statement of an account.
    pub async fn first_statement(&self, account: &AccountId) -> Result<Option<Statement>, Error> {
        let account = literal(account.as_str());
        let found = self
            .statements_where(&format!(
                "s.account = {account} AND s.state = 'ready' ORDER BY s.number LIMIT 1"
            ))
            .await?;
        Ok(found.into_iter().next())
    }

    /// At most `limit` statements of an account after a number, by number.
    pub async fn statements(
        &self,
        account: &AccountId,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Statement>, Error> {
        let account = literal(account.as_str());
        let limit = limit.min(1_000_000);
        self.statements_where(&format!(
            "s.account = {account} AND s.state = 'ready' AND s.number > {after} ORDER BY s.number LIMIT {limit}"
        ))
        .await
    }

    /// A statement.
    pub async fn statement(&self, number: u64) -> Result<Option<Statement>, Error> {
        let found = self
            .statements_where(&format!("s.number = {number} AND s.state = 'ready'"))
            .await?;
        Ok(found.into_iter().next())
    }

    async fn statements_where(&self, condition: &str) -> Result<Vec<Statement>, Error> {
        let rows = self
            .query(&format!(
                "SELECT {STATEMENT} FROM bank_statement s WHERE {condition}"
            ))
            .await?;
        rows.iter().map(to_statement).collect()
    }

    /// Begins to write a statement that nobody sees yet, and gives its number. It is removed by whoever finds
    /// it when `until` is over, unless that is extended.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where another statement took the number, or the same file is being written.
    pub async fn begin_statement(
        &self,
        account: &AccountId,
        digest: &str,
        part: u64,
        lookup_key: &str,
        until: i64,
    ) -> Result<u64, Error> {
        let rows = self
            .query("SELECT COALESCE(MAX(number), 0) AS last FROM bank_statement")
            .await?;
        let last = rows.first().map_or(Ok(0), |row| get_number(row, "last"))?;
        let mut block = Block::new([
            "number#",
            "account",
            "state",
            "loading_until#",
            "digest",
            "part#",
            "format",
            "identification",
            "sequence#",
            "from_day",
            "to_day",
            "opening_fen#",
            "closing_fen#",
            "lines#",
            "credits_fen#",
            "debits_fen#",
            "lookup_key",
            "examined#",
            "imported_by",
            "imported_at#",
        ]);
        block.row([
            number(last + 1),
            text(account.as_str()),
            text("loading"),
            int(until),
            text(digest),
            number(part),
            text(""),
            text(""),
            int(0),
            text(""),
            text(""),
            int(0),
            int(0),
            int(0),
            int(0),
            int(0),
            text(lookup_key),
            int(0),
            text(""),
            int(0),
        ]);
        self.insert_block("bank_statement", block).await?;
        Ok(last + 1)
    }

    /// Makes a statement visible; its number is that under which it was begun.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] where it is gone: the writer took longer than it had said.
    pub async fn publish_statement(&self, statement: &Statement) -> Result<(), Error> {
        let mut block = Block::new([
            "number#",
            "format",
            "identification",
            "sequence#",
            "from_day",
            "to_day",
            "opening_fen#",
            "closing_fen#",
            "lines#",
            "credits_fen#",
            "debits_fen#",
            "imported_by",
            "imported_at#",
        ]);
        block.row([
            number(statement.number),
            text(&statement.format),
            text(&statement.identification),
            number(statement.sequence),
            text(&statement.from),
            text(&statement.to),
            int(statement.opening.fen()),
            int(statement.closing.fen()),
            number(statement.lines),
            int(statement.credits.fen()),
            int(statement.debits.fen()),
            text(statement.imported.by.as_str()),
            int(statement.imported.at),
        ]);
        let updated = self
            .execute_with(block, |rows| {
                format!(
                    "UPDATE bank_statement AS s SET state = 'ready', format = r.format, \
                     identification = r.identification, sequence = r.sequence, from_day = r.from_day, \
                     to_day = r.to_day, opening_fen = r.opening_fen, closing_fen = r.closing_fen, lines = r.lines, \
                     credits_fen = r.credits_fen, debits_fen = r.debits_fen, imported_by = r.imported_by, \
                     imported_at = r.imported_at FROM {rows} AS r WHERE s.number = r.number AND s.state = 'loading'"
                )
            })
            .await?;
        if updated == 1 {
            return Ok(());
        }
        Err(Error::internal(format!(
            "{} was removed while it was written",
            statement.resource_name()
        )))
    }

    /// Extends the time that the writer of statements has.
    pub async fn extend_loading(&self, statements: &[u64], until: i64) -> Result<(), Error> {
        let mut block = Block::new(["number#", "until#"]);
        for statement in statements {
            block.row([number(*statement), int(until)]);
        }
        self.execute_with(block, |rows| {
            format!(
                "UPDATE bank_statement AS s SET loading_until = r.until FROM {rows} AS r \
                 WHERE s.number = r.number AND s.state = 'loading'"
            )
        })
        .await
        .map(drop)
    }

    /// The statements whose writer has not been heard of since before `now`: their import broke off.
    pub async fn abandoned_statements(&self, now: i64) -> Result<Vec<u64>, Error> {
        let rows = self
            .query(&format!(
                "SELECT number FROM bank_statement WHERE state = 'loading' AND loading_until < {now}"
            ))
            .await?;
        rows.iter().map(|row| get_number(row, "number")).collect()
    }

    /// Removes statements that were never made visible.
    pub async fn remove_statements(&self, statements: &[u64]) -> Result<(), Error> {
        for statement in statements {
            for table in ["bank_line", "bank_line_sealed"] {
                self.execute(&format!(
                    "DELETE FROM {table} WHERE statement = {statement} AND EXISTS (SELECT 1 FROM bank_statement s \
                     WHERE s.number = {statement} AND s.state = 'loading')"
                ))
                .await?;
            }
            self.execute(&format!(
                "DELETE FROM bank_statement WHERE number = {statement} AND state = 'loading'"
            ))
            .await?;
        }
        Ok(())
    }
}

fn to_statement(row: &QueryResult) -> Result<Statement, Error> {
    let imported = to_signed(row, "imported_by", "imported_at")?;
    Ok(Statement {
        number: get_number(row, "number")?,
        account: stored(AccountId::parse("account", &get::<String>(row, "account")?))?,
        digest: get(row, "digest")?,
        part: get_number(row, "part")?,
        format: get(row, "format")?,
        identification: get(row, "identification")?,
        sequence: get_number(row, "sequence")?,
        from: get(row, "from_day")?,
        to: get(row, "to_day")?,
        opening: get_money(row, "opening_fen")?,
        closing: get_money(row, "closing_fen")?,
        lines: get_number(row, "lines")?,
        credits: get_money(row, "credits_fen")?,
        debits: get_money(row, "debits_fen")?,
        imported: imported.ok_or_else(|| Error::internal("a statement that nobody imported"))?,
    })
}
