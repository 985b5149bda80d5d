//! What a reconciliation came to, counted.

use super::super::Tx;
use super::super::block::{get, get_money, get_number};
use super::matching::Span;
use super::{literal, of_account, to_code};
use crate::app::reconciliation::records::{ClassTotal, JobReport, RuleTotal};
use crate::domain::disbursement::PaymentState;
use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::domain::reconciliation::{Class, Rule};
use std::collections::BTreeMap;

/// Counts and sums of payments and of lines.
#[derive(Default, Clone, Copy)]
struct Totals {
    payments: i64,
    payment_fen: i64,
    lines: i64,
    line_fen: i64,
}

impl Tx {
    /// Counts payments and lines by class, and matches by rule. What is matched is what there is less what is
    /// anything else: nothing is left out.
    pub async fn count_classes(
        &self,
        span: &Span<'_>,
        first: &str,
        report: &mut JobReport,
    ) -> Result<(), Error> {
        let mut classes: BTreeMap<Class, Totals> = BTreeMap::new();
        let (payments, mut failed) = self.all_payments(span, first).await?;
        let lines = self.all_lines(span).await?;
        let matched = classes.entry(Class::Matched).or_default();
        matched.payments = payments.0;
        matched.payment_fen = payments.1;
        matched.lines = lines.0;
        matched.line_fen = lines.1;
        for (state, class, count, fen) in self.other_payments(span).await? {
            let other = classes.entry(class).or_default();
            other.payments += count;
            other.payment_fen += fen;
            if state == PaymentState::Failed {
                failed -= count;
                continue;
            }
            let matched = classes.entry(Class::Matched).or_default();
            matched.payments -= count;
            matched.payment_fen -= fen;
        }
        report.failed_payments = u64::try_from(failed).unwrap_or_default();
        for (class, count, fen) in self.other_lines(span).await? {
            let other = classes.entry(class).or_default();
            other.lines += count;
            other.line_fen += fen;
            let matched = classes.entry(Class::Matched).or_default();
            matched.lines -= count;
            matched.line_fen -= fen;
        }
        let fen = |fen: i64| Money::from_fen(fen).ok_or_else(|| Error::internal("a sum beyond the limits"));
        let count =
            |count: i64| u64::try_from(count).map_err(|_| Error::internal("more breaks than there is"));
        report.classes.clear();
        for (class, totals) in classes {
            if totals.payments != 0 || totals.lines != 0 {
                report.classes.push(ClassTotal {
                    class,
                    payments: count(totals.payments)?,
                    payment_amount: fen(totals.payment_fen)?,
                    lines: count(totals.lines)?,
                    line_amount: fen(totals.line_fen)?,
                });
            }
        }
        let account = literal(span.account.as_str());
        let rows = self
            .query(&format!(
                "SELECT m.rule, COUNT(*) AS count FROM bank_match m JOIN bank_statement s ON s.number = m.statement \
                 AND s.account = {account} GROUP BY m.rule ORDER BY m.rule"
            ))
            .await?;
        report.rules.clear();
        for row in &rows {
            report.rules.push(RuleTotal {
                rule: to_code(row, "rule", Rule::parse)?,
                matches: get_number(row, "count")?,
            });
        }
        let rows = self
            .query(&format!(
                "SELECT COUNT(*) AS count FROM bank_break b WHERE b.account = {account} AND b.state <> 'resolved' \
                 AND b.class <> 'in_flight'"
            ))
            .await?;
        report.open_breaks = rows.first().map_or(Ok(0), |row| get_number(row, "count"))?;
        Ok(())
    }

    /// Payments that a line is expected for or there is one for, and how many failed: none is expected for those.
    async fn all_payments(&self, span: &Span<'_>, first: &str) -> Result<((i64, i64), i64), Error> {
        let (scope, as_of) = (of_account(span.scope, "p"), literal(span.as_of));
        let outside: Vec<String> = (span.due.iter())
            .filter(|due| due.deadline.as_str() < first)
            .map(|due| literal(&due.execution))
            .collect();
        let within = if outside.is_empty() {
            String::new()
        } else {
            format!(
                " AND (b.execution_date NOT IN ({}) OR EXISTS \
                 (SELECT 1 FROM bank_match m WHERE m.reference = p.reference))",
                outside.join(", ")
            )
        };
        let rows = self
            .query(&format!(
                "SELECT COUNT(*) AS count, CAST(COALESCE(SUM(p.amount_fen), 0) AS BIGINT) AS sum_fen FROM payment p \
                 JOIN payment_batch b ON b.fund = p.fund AND b.number = p.batch AND b.state IN ('released', 'closed') \
                 WHERE {scope} AND p.state <> 'failed' AND b.execution_date <= {as_of}{within}"
            ))
            .await?;
        let row = rows
            .first()
            .ok_or_else(|| Error::internal("a sum without a row"))?;
        let live: (i64, i64) = (get(row, "count")?, get(row, "sum_fen")?);
        let rows = self
            .query(&format!(
                "SELECT COUNT(*) AS count FROM payment_batch b \
                 JOIN payment p ON p.fund = b.fund AND p.batch = b.number AND p.state = 'failed' \
                 WHERE b.state IN ('released', 'closed') AND {scope} AND b.execution_date <= {as_of}"
            ))
            .await?;
        let failed = rows.first().map_or(Ok(0), |row| get(row, "count"))?;
        Ok((live, failed))
    }

    async fn all_lines(&self, span: &Span<'_>) -> Result<(i64, i64), Error> {
        let (account, through, as_of) = (literal(span.account.as_str()), span.through, literal(span.as_of));
        let rows = self
            .query(&format!(
                "SELECT CAST(COALESCE(SUM(x.lines), 0) AS BIGINT) AS count, \
                 CAST(COALESCE(SUM(x.fen), 0) AS BIGINT) AS sum_fen FROM \
                 (SELECT s.lines, s.credits_fen - s.debits_fen AS fen FROM bank_statement s \
                 WHERE s.account = {account} AND s.state = 'ready' AND s.number <= {through} AND s.to_day <= {as_of} \
                 UNION ALL SELECT COUNT(*), CAST(COALESCE(SUM(l.amount_fen), 0) AS BIGINT) FROM bank_statement s \
                 JOIN bank_line l ON l.statement = s.number AND l.booked <= {as_of} \
                 WHERE s.account = {account} AND s.state = 'ready' AND s.number <= {through} AND s.to_day > {as_of}) AS x"
            ))
            .await?;
        let row = rows
            .first()
            .ok_or_else(|| Error::internal("a sum without a row"))?;
        Ok((get(row, "count")?, get(row, "sum_fen")?))
    }

    /// Payments that are not simply matched, by state and class, from the breaks about them.
    async fn other_payments(&self, span: &Span<'_>) -> Result<Vec<(PaymentState, Class, i64, i64)>, Error> {
        let (account, as_of, job) = (literal(span.account.as_str()), literal(span.as_of), span.job);
        // Late and reversed payments were found by this job or an earlier one; all others by this one.
        let rows = self
            .query(&format!(
                "SELECT p.state, x.class, COUNT(*) AS count, CAST(SUM(p.amount_fen) AS BIGINT) AS sum_fen FROM \
                 (SELECT f.class, f.reference FROM reconciliation_finding f WHERE f.job = {job} AND f.reference <> '' \
                 AND f.class <> 'matched' \
                 UNION ALL SELECT b.class, b.reference FROM bank_break b WHERE b.account = {account} \
                 AND b.reference <> '' AND b.class IN ('late', 'reversed') \
                 AND NOT EXISTS (SELECT 1 FROM bank_break n WHERE n.account = b.account AND n.reference = b.reference \
                 AND n.statement = b.statement AND n.line = b.line AND n.corrects = b.number) \
                 AND NOT (b.state = 'resolved' AND b.resolution = 'rule') \
                 AND NOT EXISTS (SELECT 1 FROM reconciliation_finding f WHERE f.job = {job} \
                 AND f.reference = b.reference AND f.statement = 0 AND f.line = 0)) AS x \
                 JOIN payment p ON p.reference = x.reference \
                 JOIN payment_batch b ON b.fund = p.fund AND b.number = p.batch AND b.execution_date <= {as_of} \
                 GROUP BY p.state, x.class"
            ))
            .await?;
        rows.iter()
            .map(|row| {
                let (class, count, fen) = to_total(row)?;
                Ok((to_code(row, "state", PaymentState::parse)?, class, count, fen))
            })
            .collect()
    }

    /// Lines that are not simply matched, by class: of matches, and of findings about lines without one.
    async fn other_lines(&self, span: &Span<'_>) -> Result<Vec<(Class, i64, i64)>, Error> {
        let (account, job) = (literal(span.account.as_str()), span.job);
        let rows = self
            .query(&format!(
                "SELECT x.class, COUNT(*) AS count, CAST(SUM(l.amount_fen) AS BIGINT) AS sum_fen FROM \
                 (SELECT DISTINCT m.class, m.statement, m.line FROM bank_match m \
                 JOIN bank_statement s ON s.number = m.statement AND s.account = {account} WHERE m.class <> 'matched' \
                 UNION ALL SELECT f.class, f.statement, f.line FROM reconciliation_finding f \
                 WHERE f.job = {job} AND f.statement > 0 AND f.class <> 'matched' \
                 AND NOT EXISTS (SELECT 1 FROM bank_match m WHERE m.class <> 'matched' \
                 AND m.statement = f.statement AND m.line = f.line)) AS x \
                 JOIN bank_line l ON l.statement = x.statement AND l.line = x.line GROUP BY x.class"
            ))
            .await?;
        rows.iter().map(to_total).collect()
    }
}

fn to_total(row: &sea_orm::QueryResult) -> Result<(Class, i64, i64), Error> {
    let _: Money = get_money(row, "sum_fen")?;
    Ok((
        to_code(row, "class", Class::parse)?,
        get(row, "count")?,
        get(row, "sum_fen")?,
    ))
}
