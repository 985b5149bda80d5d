//! Matching by sets: lines that pay a whole batch at once, or bring it back.

use super::super::Tx;
use super::super::block::{get, get_number};
use super::matching::{Span, untouched};
use super::{literal, to_line};
use crate::domain::allocation::FundId;
use crate::domain::error::Error;
use crate::domain::reconciliation::{AccountScope, LineId};

/// A line that names an order of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    /// Which.
    pub id: LineId,
    /// What it names.
    pub order: String,
    /// In fen; money out is below zero.
    pub amount: i64,
    /// The day it was booked.
    pub booked: String,
    /// Whether the bank marks it as undoing another.
    pub reversal: bool,
}

impl Tx {
    /// Open lines that name an order, in order: the line, the order, the amount in fen, the day, and whether the
    /// bank marks it as undoing another. What this job found of them before is forgotten.
    pub async fn order_lines(&self, span: &Span<'_>) -> Result<Vec<OrderLine>, Error> {
        let (account, through, as_of) = (literal(span.account.as_str()), span.through, literal(span.as_of));
        let job = span.job;
        let open = format!(
            "bank_open_line o JOIN bank_line l ON l.statement = o.statement AND l.line = o.line \
             WHERE o.account = {account} AND o.statement <= {through} AND o.reference = '' AND l.order_id <> '' \
             AND l.booked <= {as_of}"
        );
        let rows = self
            .query(&format!(
                "SELECT l.statement, l.line, l.order_id, l.amount_fen, l.booked, l.reversal FROM {open} \
                 ORDER BY l.statement, l.line LIMIT 100000"
            ))
            .await?;
        if !rows.is_empty() {
            self.execute(&format!(
                "DELETE FROM reconciliation_finding WHERE job = {job} AND reference = '' AND EXISTS \
                 (SELECT 1 FROM {open} AND l.statement = reconciliation_finding.statement \
                 AND l.line = reconciliation_finding.line)"
            ))
            .await?;
        }
        rows.iter()
            .map(|row| {
                Ok(OrderLine {
                    id: to_line(row, "statement", "line")?,
                    order: get(row, "order_id")?,
                    amount: get(row, "amount_fen")?,
                    booked: get(row, "booked")?,
                    reversal: get::<i64>(row, "reversal")? != 0,
                })
            })
            .collect()
    }

    /// The fund with an ordinal.
    pub async fn fund_with_ordinal(&self, ordinal: u64) -> Result<Option<FundId>, Error> {
        let rows = self
            .query(&format!("SELECT fund FROM ledger_fund WHERE ordinal = {ordinal}"))
            .await?;
        rows.first().map(super::super::claims::to_fund).transpose()
    }

    /// How many payments of a batch that a line may be the total of there are, and their sum in fen. `scope` is
    /// the part of the account's that the order is about.
    pub async fn open_total(
        &self,
        span: &Span<'_>,
        scope: &AccountScope,
        fund: &FundId,
        batch: u64,
    ) -> Result<(u64, i64), Error> {
        let untouched = untouched(&Span {
            scope,
            ..span.clone()
        });
        let fund = literal(fund.as_str());
        let rows = self
            .query(&format!(
                "SELECT COUNT(*) AS count, CAST(COALESCE(SUM(p.amount_fen), 0) AS BIGINT) AS sum_fen FROM payment p \
                 WHERE p.fund = {fund} AND p.batch = {batch} AND {untouched}"
            ))
            .await?;
        let row = rows
            .first()
            .ok_or_else(|| Error::internal("a sum without a row"))?;
        Ok((get_number(row, "count")?, get(row, "sum_fen")?))
    }

    /// Matches a line with all payments that [`Tx::open_total`] counts.
    pub async fn match_total(
        &self,
        span: &Span<'_>,
        scope: &AccountScope,
        fund: &FundId,
        batch: u64,
        line: LineId,
    ) -> Result<u64, Error> {
        let untouched = untouched(&Span {
            scope,
            ..span.clone()
        });
        let (job, account, fund) = (span.job, literal(span.account.as_str()), literal(fund.as_str()));
        let LineId { statement, line } = line;
        let matched = self
            .execute_with(span.due(), |due| {
                format!(
                    "INSERT INTO bank_match (statement, line, reference, part, class, rule, job) \
                     SELECT l.statement, l.line, p.reference, 0, \
                     CASE WHEN l.booked > d.deadline THEN 'late' ELSE 'matched' END, 'batch-total', {job} \
                     FROM bank_line l JOIN payment p ON p.fund = {fund} AND p.batch = {batch} \
                     JOIN payment_batch b ON b.fund = p.fund AND b.number = p.batch \
                     JOIN {due} AS d ON d.execution_date = b.execution_date \
                     WHERE l.statement = {statement} AND l.line = {line} AND {untouched}"
                )
            })
            .await?;
        self.execute(&format!(
            "DELETE FROM bank_open_line WHERE account = {account} AND statement = {statement} AND line = {line}"
        ))
        .await?;
        self.find_late(
            span,
            &format!("m.class <> 'matched' AND m.statement = {statement} AND m.line = {line}"),
        )
        .await?;
        Ok(matched)
    }

    /// The lines that are matched as totals of an order of a batch and not undone, with how much each is.
    pub async fn total_lines(
        &self,
        fund: &FundId,
        batch: u64,
        order: &str,
    ) -> Result<Vec<(LineId, i64)>, Error> {
        let (order, fund) = (literal(order), literal(fund.as_str()));
        let rows = self
            .query(&format!(
                "SELECT DISTINCT l.statement, l.line, l.amount_fen FROM payment p \
                 JOIN bank_match m ON m.reference = p.reference AND m.rule = 'batch-total' \
                 JOIN bank_line l ON l.statement = m.statement AND l.line = m.line AND l.order_id = {order} \
                 WHERE p.fund = {fund} AND p.batch = {batch} \
                 AND NOT EXISTS (SELECT 1 FROM bank_match u WHERE u.reference = m.reference AND u.part > 0 \
                 AND u.class = 'reversed') ORDER BY l.statement, l.line"
            ))
            .await?;
        rows.iter()
            .map(|row| Ok((to_line(row, "statement", "line")?, get(row, "amount_fen")?)))
            .collect()
    }

    /// Undoes the total of a batch by a line that brings all of it back.
    pub async fn reverse_total(&self, span: &Span<'_>, total: LineId, credit: LineId) -> Result<(), Error> {
        let (job, account) = (span.job, literal(span.account.as_str()));
        let of_total = format!(
            "m.rule <> 'reference' AND m.statement = {} AND m.line = {}",
            total.statement, total.line
        );
        let (statement, line) = (credit.statement, credit.line);
        for (action, state) in [("fail", "instructed"), ("return", "settled")] {
            self.execute(&format!(
                "INSERT INTO bank_posting (statement, line, reference, action, amount_fen, job, done_at, refusal) \
                 SELECT {statement}, {line}, m.reference, '{action}', p.amount_fen, {job}, 0, '' FROM bank_match m \
                 JOIN payment p ON p.reference = m.reference AND p.state = '{state}' WHERE {of_total} \
                 ON CONFLICT (statement, line, reference) DO NOTHING"
            ))
            .await?;
        }
        self.execute(&format!(
            "INSERT INTO reconciliation_finding (job, since, reference, statement, line, class, reason, \
             other_reference, other_statement, other_line, expected_fen, found_fen, expected_on, found_on, candidates) \
             SELECT {job}, l.booked, m.reference, 0, 0, 'reversed', 'returned', '', m.statement, m.line, \
             - p.amount_fen, 0, '', l.booked, 0 FROM bank_match m JOIN payment p ON p.reference = m.reference \
             JOIN bank_line l ON l.statement = {statement} AND l.line = {line} WHERE {of_total} \
             ON CONFLICT (job, reference, statement, line) DO UPDATE SET since = excluded.since, \
             class = excluded.class, reason = excluded.reason, other_statement = excluded.other_statement, \
             other_line = excluded.other_line, expected_fen = excluded.expected_fen, found_fen = excluded.found_fen, \
             expected_on = excluded.expected_on, found_on = excluded.found_on"
        ))
        .await?;
        self.execute(&format!(
            "INSERT INTO bank_match (statement, line, reference, part, class, rule, job) \
             SELECT {statement}, {line}, m.reference, \
             (SELECT MAX(x.part) + 1 FROM bank_match x WHERE x.reference = m.reference), 'reversed', 'reversal', {job} \
             FROM bank_match m WHERE {of_total}"
        ))
        .await?;
        self.execute(&format!(
            "DELETE FROM bank_open_line WHERE account = {account} AND statement = {statement} AND line = {line}"
        ))
        .await
        .map(drop)
    }
}
