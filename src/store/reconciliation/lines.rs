//! Lines of statements.

use super::super::block::{Block, get, get_money, get_number, int, number, text};
use super::super::claims::id_rows;
use super::super::copy::Rows;
use super::super::{Store, Tx};
use super::{literal, to_code, to_line};
use crate::app::reconciliation::records::{LineChunk, StoredLine};
use crate::app::vault::Sealed;
use crate::domain::claim::ClaimId;
use crate::domain::error::Error;
use crate::domain::reconciliation::{Class, LineId, Rule};
use sea_orm::QueryResult;
use std::collections::BTreeSet;

impl Store {
    /// Writes lines of a statement that is being loaded; what is written stays, and nobody sees it. It is on the disk
    /// when the statement is published.
    pub async fn write_lines(&self, statement: u64, chunk: &LineChunk) -> Result<(), Error> {
        if self.has_one_writer() {
            let tx = self.begin_bulk().await?;
            tx.write_lines(statement, chunk).await?;
            return tx.commit().await;
        }
        let mut rows = Rows::with_capacity(chunk.lines.len() * 160);
        for line in &chunk.lines {
            rows.row(10);
            rows.number(statement);
            rows.number(line.line);
            rows.text(&line.booked);
            rows.text(&line.valued);
            rows.int(line.amount);
            rows.int(line.reversal.into());
            rows.text(&line.reference);
            rows.text(&line.order);
            rows.text(&line.bank_reference);
            rows.text(&line.payee_hash);
        }
        let mut seals = Rows::with_capacity(
            chunk
                .sealed
                .iter()
                .map(|(.., sealed)| sealed.text.len() + 80)
                .sum(),
        );
        for (first, last, sealed) in &chunk.sealed {
            seals.row(5);
            seals.number(statement);
            seals.number(*first);
            seals.number(*last);
            seals.text(&sealed.text);
            seals.text(&sealed.key);
        }
        let columns = "statement, line, booked, valued, amount_fen, reversal, reference, order_id, bank_reference, \
             payee_hash";
        let sealed_columns = "statement, first_line, last_line, sealed, sealing_key";
        self.copy([
            ("bank_line", columns, rows),
            ("bank_line_sealed", sealed_columns, seals),
        ])
        .await
    }
}

impl Tx {
    /// Writes lines of a statement that is being loaded.
    async fn write_lines(&self, statement: u64, chunk: &LineChunk) -> Result<(), Error> {
        let mut block = Block::new([
            "statement#",
            "line#",
            "booked",
            "valued",
            "amount_fen#",
            "reversal#",
            "reference",
            "order_id",
            "bank_reference",
            "payee_hash",
        ]);
        for line in &chunk.lines {
            block.row([
                number(statement),
                number(line.line),
                text(&line.booked),
                text(&line.valued),
                int(line.amount),
                int(line.reversal.into()),
                text(&line.reference),
                text(&line.order),
                text(&line.bank_reference),
                text(&line.payee_hash),
            ]);
        }
        self.insert_block("bank_line", block).await?;
        self.write_sealed(statement, &chunk.sealed).await
    }

    /// Writes what of lines is sealed.
    async fn write_sealed(&self, statement: u64, sealed: &[(u64, u64, Sealed)]) -> Result<(), Error> {
        let mut block = Block::new(["statement#", "first_line#", "last_line#", "sealed", "sealing_key"]);
        for (first, last, sealed) in sealed {
            block.row([
                number(statement),
                number(*first),
                number(*last),
                text(&sealed.text),
                text(&sealed.key),
            ]);
        }
        self.insert_block("bank_line_sealed", block).await
    }

    /// At most `limit` lines of a statement after a line.
    pub async fn statement_lines(
        &self,
        statement: u64,
        after: u64,
        limit: u64,
    ) -> Result<Vec<StoredLine>, Error> {
        let limit = limit.min(1_000_000);
        self.lines_where(&format!(
            "l.statement = {statement} AND l.line > {after} ORDER BY l.line LIMIT {limit}"
        ))
        .await
    }

    /// These lines, in no order.
    pub async fn lines_by_id(&self, ids: &[LineId]) -> Result<Vec<StoredLine>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(500) {
            let pairs: Vec<String> = (ids.iter())
                .map(|id| format!("({}, {})", id.statement, id.line))
                .collect();
            let condition = format!("(l.statement, l.line) IN (VALUES {})", pairs.join(", "));
            found.extend(self.lines_where(&condition).await?);
        }
        Ok(found)
    }

    async fn lines_where(&self, condition: &str) -> Result<Vec<StoredLine>, Error> {
        // By the line's own reference there is an index over all matches, by the line over all others.
        let own = |what: &str| {
            format!(
                "(SELECT {what} FROM bank_match m WHERE m.reference = l.reference AND m.rule = 'reference' \
                 AND m.statement = l.statement AND m.line = l.line)"
            )
        };
        let other = |what: &str| {
            format!(
                "(SELECT {what} FROM bank_match m WHERE m.rule <> 'reference' \
                 AND m.statement = l.statement AND m.line = l.line)"
            )
        };
        let (own_class, own_rule, own_count) = (own("MIN(m.class)"), own("MIN(m.rule)"), own("COUNT(*)"));
        let (other_class, other_rule, other_count) =
            (other("MIN(m.class)"), other("MIN(m.rule)"), other("COUNT(*)"));
        let rows = self
            .query(&format!(
                "SELECT l.statement, l.line, l.booked, l.valued, l.amount_fen, l.reversal, l.reference, l.order_id, \
                 l.bank_reference, \
                 COALESCE({own_class}, {other_class}, \
                 (SELECT MAX(k.class) FROM bank_break k WHERE k.account = s.account AND k.reference = '' \
                 AND k.statement = l.statement AND k.line = l.line), '') AS class, \
                 COALESCE({own_rule}, {other_rule}, '') AS rule, {own_count} + {other_count} AS payments \
                 FROM bank_line l JOIN bank_statement s ON s.number = l.statement AND s.state = 'ready' WHERE {condition}"
            ))
            .await?;
        rows.iter().map(to_stored).collect()
    }

    /// What of lines is sealed: of those sets that have one of these lines, first and last line, and the seal.
    pub async fn sealed_lines(&self, ids: &[LineId]) -> Result<Vec<(u64, u64, u64, Sealed)>, Error> {
        let mut wanted = Block::new(["statement#", "line#"]);
        for id in ids {
            wanted.row([number(id.statement), number(id.line)]);
        }
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT DISTINCT z.statement, z.first_line, z.last_line, z.sealed, z.sealing_key FROM {rows} AS r \
                     JOIN bank_line_sealed z ON z.statement = r.statement AND z.first_line <= r.line \
                     AND z.last_line >= r.line"
                )
            })
            .await?;
        rows.iter().map(to_sealed).collect()
    }

    /// The lines that pay these claims or speak of their payments: matched, open, or not looked at yet.
    pub async fn lines_of_claims(&self, ids: &[&ClaimId]) -> Result<Vec<LineId>, Error> {
        const SOURCES: [&str; 3] = [
            "JOIN bank_match l ON l.reference = p.reference",
            "JOIN bank_open_line l ON l.reference = p.reference",
            "JOIN bank_line l ON l.reference = p.reference \
             JOIN bank_statement s ON s.number = l.statement AND l.line > s.examined",
        ];
        let mut found = BTreeSet::new();
        for source in SOURCES {
            let rows = self
                .query_with(id_rows(ids), |rows| {
                    format!(
                        "SELECT l.statement, l.line FROM {rows} AS r \
                         JOIN payment p ON p.fund = r.fund AND p.claim = r.number {source}"
                    )
                })
                .await?;
            for row in &rows {
                found.insert((get_number(row, "statement")?, get_number(row, "line")?));
            }
        }
        let id = |(statement, line)| LineId { statement, line };
        Ok(found.into_iter().map(id).collect())
    }

    /// What another key sealed: at most `limit`, of statements after `after`.
    pub async fn lines_sealed_otherwise(
        &self,
        key: &str,
        limit: u64,
    ) -> Result<Vec<(u64, u64, u64, Sealed)>, Error> {
        let key = literal(key);
        let rows = self
            .query(&format!(
                "SELECT z.statement, z.first_line, z.last_line, z.sealed, z.sealing_key FROM bank_line_sealed z \
                 JOIN bank_statement s ON s.number = z.statement AND s.state = 'ready' \
                 WHERE z.sealing_key <> {key} ORDER BY z.statement, z.first_line LIMIT {limit}"
            ))
            .await?;
        rows.iter().map(to_sealed).collect()
    }

    /// Replaces seals.
    pub async fn reseal_lines(&self, sealed: &[(u64, u64, Sealed)]) -> Result<(), Error> {
        let mut block = Block::new(["statement#", "first_line#", "sealed", "sealing_key"]);
        for (statement, first, sealed) in sealed {
            block.row([
                number(*statement),
                number(*first),
                text(&sealed.text),
                text(&sealed.key),
            ]);
        }
        self.execute_with(block, |rows| {
            format!(
                "UPDATE bank_line_sealed AS z SET sealed = r.sealed, sealing_key = r.sealing_key FROM {rows} AS r \
                 WHERE z.statement = r.statement AND z.first_line = r.first_line"
            )
        })
        .await
        .map(drop)
    }

    /// A complete statement whose accounts another key hashed: its number, digest and part.
    pub async fn statement_hashed_otherwise(&self, key: &str) -> Result<Option<(u64, String, u64)>, Error> {
        let key = literal(key);
        let rows = self
            .query(&format!(
                "SELECT number, digest, part FROM bank_statement WHERE state = 'ready' AND lookup_key <> {key} \
                 ORDER BY number LIMIT 1"
            ))
            .await?;
        rows.first()
            .map(|row| {
                Ok((
                    get_number(row, "number")?,
                    get(row, "digest")?,
                    get_number(row, "part")?,
                ))
            })
            .transpose()
    }

    /// Of a statement the lines with a hash, after a line.
    pub async fn hashed_lines(&self, statement: u64, after: u64, limit: u64) -> Result<Vec<LineId>, Error> {
        let rows = self
            .query(&format!(
                "SELECT statement, line FROM bank_line WHERE statement = {statement} AND line > {after} \
                 AND payee_hash <> '' ORDER BY line LIMIT {limit}"
            ))
            .await?;
        rows.iter().map(|row| to_line(row, "statement", "line")).collect()
    }

    /// Replaces hashes of lines.
    pub async fn rehash_lines(&self, hashes: &[(LineId, String)]) -> Result<(), Error> {
        let mut block = Block::new(["statement#", "line#", "hash"]);
        for (id, hash) in hashes {
            block.row([number(id.statement), number(id.line), text(hash)]);
        }
        self.execute_with(block, |rows| {
            format!(
                "UPDATE bank_line AS l SET payee_hash = r.hash FROM {rows} AS r \
                 WHERE l.statement = r.statement AND l.line = r.line"
            )
        })
        .await
        .map(drop)
    }

    /// Notes which key hashed the accounts of a statement.
    pub async fn note_lookup_key(&self, statement: u64, key: &str) -> Result<(), Error> {
        let key = literal(key);
        self.execute(&format!(
            "UPDATE bank_statement SET lookup_key = {key} WHERE number = {statement}"
        ))
        .await
        .map(drop)
    }

    /// The digest and the part of the file that complete statements came from, by number.
    pub async fn statement_origins(&self, numbers: &[u64]) -> Result<Vec<(u64, String, u64)>, Error> {
        let mut wanted = Block::new(["number#"]);
        for statement in numbers {
            wanted.row([number(*statement)]);
        }
        let rows = self
            .query_with(wanted, |rows| {
                format!("SELECT s.number, s.digest, s.part FROM {rows} AS r JOIN bank_statement s ON s.number = r.number")
            })
            .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    get_number(row, "number")?,
                    get(row, "digest")?,
                    get_number(row, "part")?,
                ))
            })
            .collect()
    }

    /// The payments that a line is matched with, and by which rule.
    pub async fn matches_of_line(&self, id: LineId) -> Result<Vec<(String, Class, Rule)>, Error> {
        let LineId { statement, line } = id;
        let rows = self
            .query(&format!(
                "SELECT m.reference, m.class, m.rule FROM bank_line l JOIN bank_match m ON m.reference = l.reference \
                 AND m.statement = l.statement AND m.line = l.line AND m.rule = 'reference' \
                 WHERE l.statement = {statement} AND l.line = {line} \
                 UNION ALL SELECT m.reference, m.class, m.rule FROM bank_match m \
                 WHERE m.rule <> 'reference' AND m.statement = {statement} AND m.line = {line} ORDER BY reference"
            ))
            .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    get(row, "reference")?,
                    to_code(row, "class", Class::parse)?,
                    to_code(row, "rule", Rule::parse)?,
                ))
            })
            .collect()
    }

    /// The lines that a payment is matched with, in order.
    pub async fn matches_of_payment(&self, reference: &str) -> Result<Vec<(LineId, Class, Rule)>, Error> {
        let reference = literal(reference);
        let rows = self
            .query(&format!(
                "SELECT statement, line, class, rule FROM bank_match WHERE reference = {reference} \
                 ORDER BY statement, line"
            ))
            .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    to_line(row, "statement", "line")?,
                    to_code(row, "class", Class::parse)?,
                    to_code(row, "rule", Rule::parse)?,
                ))
            })
            .collect()
    }
}

fn to_sealed(row: &QueryResult) -> Result<(u64, u64, u64, Sealed), Error> {
    let sealed = Sealed {
        key: get(row, "sealing_key")?,
        text: get(row, "sealed")?,
    };
    Ok((
        get_number(row, "statement")?,
        get_number(row, "first_line")?,
        get_number(row, "last_line")?,
        sealed,
    ))
}

fn to_stored(row: &QueryResult) -> Result<StoredLine, Error> {
    let optional = |column: &str| -> Result<Option<String>, Error> {
        let text: String = get(row, column)?;
        Ok((!text.is_empty()).then_some(text))
    };
    let class = optional("class")?
        .map(|_| to_code(row, "class", Class::parse))
        .transpose()?;
    let rule = optional("rule")?
        .map(|_| to_code(row, "rule", Rule::parse))
        .transpose()?;
    Ok(StoredLine {
        id: to_line(row, "statement", "line")?,
        booked: get(row, "booked")?,
        valued: get(row, "valued")?,
        amount: get_money(row, "amount_fen")?,
        reversal: get::<i64>(row, "reversal")? != 0,
        reference: get(row, "reference")?,
        order: get(row, "order_id")?,
        bank_reference: get(row, "bank_reference")?,
        class,
        rule,
        payments: get_number(row, "payments")?,
    })
}
