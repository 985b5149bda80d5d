//! What matches move in the ledger.

use super::super::Tx;
use super::super::block::{Block, get, get_money, get_number, int, number, text};
use super::super::convert::stored;
use super::matching::Span;
use super::{literal, of_account, to_line};
use crate::app::reconciliation::records::{PendingPosting, PendingSettlement, PostingTotal};
use crate::domain::allocation::FundId;
use crate::domain::claim::ClaimId;
use crate::domain::error::Error;
use crate::domain::payer::Payer;
use crate::domain::reconciliation::LineId;

/// Payments that are with the bank and that a line pays. Batches that are closed have none.
fn confirmed(span: &Span<'_>) -> String {
    format!(
        "FROM payment_batch b JOIN payment p ON p.fund = b.fund AND p.batch = b.number AND p.state = 'instructed' \
         JOIN bank_match m ON m.reference = p.reference AND m.part = 0 AND m.class IN ('matched', 'late') \
         WHERE b.state = 'released' AND {} AND NOT EXISTS (SELECT 1 FROM bank_posting q \
         WHERE q.reference = p.reference AND q.action = 'fail' AND q.done_at = 0)",
        of_account(span.scope, "p")
    )
}

impl Tx {
    /// What is to be posted, by kind.
    pub async fn posting_totals(&self, span: &Span<'_>) -> Result<Vec<PostingTotal>, Error> {
        let account = literal(span.account.as_str());
        let rows = self
            .query(&format!(
                "SELECT 'settle' AS action, COUNT(*) AS count, CAST(COALESCE(SUM(p.amount_fen), 0) AS BIGINT) AS sum_fen {} \
                 UNION ALL SELECT q.action, COUNT(*), CAST(SUM(q.amount_fen) AS BIGINT) FROM bank_posting q \
                 JOIN bank_statement s ON s.number = q.statement AND s.account = {account} \
                 WHERE q.done_at = 0 GROUP BY q.action",
                confirmed(span)
            ))
            .await?;
        let mut totals = Vec::new();
        for row in &rows {
            let total = PostingTotal {
                action: get(row, "action")?,
                count: get_number(row, "count")?,
                amount: get_money(row, "sum_fen")?,
            };
            if total.count > 0 {
                totals.push(total);
            }
        }
        totals.sort_by(|one, other| one.action.cmp(&other.action));
        Ok(totals)
    }

    /// The next payments that the bank confirms, behind a place.
    pub async fn settlements(
        &self,
        span: &Span<'_>,
        after: Option<&(FundId, u64, u64)>,
        limit: u64,
    ) -> Result<Vec<PendingSettlement>, Error> {
        let behind = after.map_or(String::new(), |(fund, batch, line)| {
            format!(
                " AND (p.fund, p.batch, p.line) > ({}, {batch}, {line})",
                literal(fund.as_str())
            )
        });
        let rows = self
            .query(&format!(
                "SELECT x.*, l.booked, l.bank_reference FROM (SELECT p.fund, p.batch, p.line AS place, p.reference, \
                 p.amount_fen, m.statement, m.line {}{behind} ORDER BY p.fund, p.batch, p.line LIMIT {limit}) AS x \
                 JOIN bank_line l ON l.statement = x.statement AND l.line = x.line \
                 ORDER BY x.fund, x.batch, x.place",
                confirmed(span)
            ))
            .await?;
        rows.iter()
            .map(|row| {
                Ok(PendingSettlement {
                    reference: get(row, "reference")?,
                    place: (
                        stored(FundId::parse("fund", &get::<String>(row, "fund")?))?,
                        get_number(row, "batch")?,
                        get_number(row, "place")?,
                    ),
                    amount: get_money(row, "amount_fen")?,
                    line: to_line(row, "statement", "line")?,
                    booked: get(row, "booked")?,
                    bank_reference: get(row, "bank_reference")?,
                })
            })
            .collect()
    }

    /// The next postings of money that came back.
    pub async fn pending_postings(&self, span: &Span<'_>, limit: u64) -> Result<Vec<PendingPosting>, Error> {
        let account = literal(span.account.as_str());
        let rows = self
            .query(&format!(
                "SELECT q.statement, q.line, q.reference, q.action, q.amount_fen, p.fund, p.claim, p.payer, l.booked \
                 FROM bank_posting q JOIN bank_statement s ON s.number = q.statement AND s.account = {account} \
                 JOIN payment p ON p.reference = q.reference \
                 JOIN bank_line l ON l.statement = q.statement AND l.line = q.line \
                 WHERE q.done_at = 0 ORDER BY q.statement, q.line, q.reference LIMIT {limit}"
            ))
            .await?;
        rows.iter()
            .map(|row| {
                Ok(PendingPosting {
                    line: to_line(row, "statement", "line")?,
                    reference: get(row, "reference")?,
                    claim: ClaimId {
                        fund: super::super::claims::to_fund(row)?,
                        number: get_number(row, "claim")?,
                    },
                    payer: stored(Payer::parse("payment.payer", &get::<String>(row, "payer")?))?,
                    fails: get::<String>(row, "action")? == "fail",
                    amount: get_money(row, "amount_fen")?,
                    booked: get(row, "booked")?,
                })
            })
            .collect()
    }

    /// Notes that postings were done, or why they were refused; a refusal changes what was found.
    pub async fn note_postings(&self, job: u64, done: &[(LineId, &str, &str)], at: i64) -> Result<(), Error> {
        let mut block = Block::new(["statement#", "line#", "reference", "refusal", "at#"]);
        let mut refused = Block::new(["reference"]);
        for (line, reference, refusal) in done {
            block.row([
                number(line.statement),
                number(line.line),
                text(*reference),
                text(*refusal),
                int(at),
            ]);
            if !refusal.is_empty() {
                refused.row([text(*reference)]);
            }
        }
        self.execute_with(block, |rows| {
            format!(
                "UPDATE bank_posting AS q SET done_at = r.at, refusal = r.refusal FROM {rows} AS r \
                 WHERE q.statement = r.statement AND q.line = r.line AND q.reference = r.reference"
            )
        })
        .await?;
        self.execute_with(refused, |rows| {
            format!(
                "UPDATE reconciliation_finding AS f SET reason = 'posting_refused' FROM {rows} AS r \
                 WHERE f.job = {job} AND f.reference = r.reference AND f.class = 'reversed'"
            )
        })
        .await
        .map(drop)
    }

    /// Takes back the matches of payments that the ledger would not settle: they were noted as failed meanwhile.
    pub async fn unmatch_refused(&self, span: &Span<'_>, references: &[&str]) -> Result<(), Error> {
        let account = literal(span.account.as_str());
        for statement in [
            format!(
                "INSERT INTO bank_open_line (account, statement, line, reference) \
                 SELECT DISTINCT {account}, m.statement, m.line, l.reference FROM ROWS AS r \
                 JOIN bank_match m ON m.reference = r.reference \
                 JOIN bank_line l ON l.statement = m.statement AND l.line = m.line WHERE true \
                 ON CONFLICT (account, statement, line) DO NOTHING"
            ),
            "DELETE FROM bank_match WHERE reference IN (SELECT reference FROM ROWS AS r)".to_owned(),
        ] {
            let mut block = Block::new(["reference"]);
            for reference in references {
                block.row([text(*reference)]);
            }
            self.execute_with(block, |rows| statement.replace("ROWS", rows))
                .await?;
        }
        Ok(())
    }
}
