//! Matching by sets: by reference, by account and day, and by the bank's own reference of an earlier line.

use super::super::Tx;
use super::super::block::{Block, get, get_number, int, text};
use super::sets::MANY;
use super::{literal, of_account};
use crate::domain::error::Error;
use crate::domain::reconciliation::{AccountId, AccountScope};

/// The days that follow from a batch's execution date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The execution date.
    pub execution: String,
    /// The last day that the bank has.
    pub deadline: String,
    /// The first and the last day on which a line may be a payment by its account.
    pub window: (String, String),
}

/// What a step works on.
#[derive(Debug, Clone)]
pub struct Span<'a> {
    /// The job.
    pub job: u64,
    /// The account.
    pub account: &'a AccountId,
    /// Which payments are made from it.
    pub scope: &'a AccountScope,
    /// The last statement to look at.
    pub through: u64,
    /// The last day to look at.
    pub as_of: &'a str,
    /// The days of every batch.
    pub due: &'a [Due],
}

impl Span<'_> {
    pub(super) fn due(&self) -> Block {
        let mut block = Block::new(["execution_date", "deadline", "earliest", "latest"]);
        for due in self.due {
            block.row([
                text(&due.execution),
                text(&due.deadline),
                text(&due.window.0),
                text(&due.window.1),
            ]);
        }
        block
    }

    /// The same as text: what is set aside has no parameters.
    pub(super) fn due_literals(&self) -> String {
        const COLUMNS: &str = "execution_date, deadline, earliest, latest";
        let rows = self.due.iter().map(|due| {
            let days = [&due.execution, &due.deadline, &due.window.0, &due.window.1];
            format!("({})", days.map(|day| literal(day)).join(", "))
        });
        let rows: Vec<String> = rows.collect();
        if rows.is_empty() {
            return format!("(SELECT {COLUMNS} FROM (VALUES ('', '', '', '')) AS v({COLUMNS}) WHERE 1 = 0)");
        }
        format!(
            "(SELECT {COLUMNS} FROM (VALUES {}) AS v({COLUMNS}))",
            rows.join(", ")
        )
    }
}

/// Payments that no line is matched with, and that no open debit speaks of.
pub(super) fn untouched(span: &Span<'_>) -> String {
    let account = literal(span.account.as_str());
    format!(
        "{} AND p.state <> 'failed' AND NOT EXISTS (SELECT 1 FROM bank_match m WHERE m.reference = p.reference) \
         AND NOT EXISTS (SELECT 1 FROM bank_open_line w JOIN bank_line v ON v.statement = w.statement AND v.line = w.line \
         AND v.amount_fen < 0 WHERE w.account = {account} AND w.reference = p.reference)",
        of_account(span.scope, "p")
    )
}

impl Tx {
    /// The execution dates that batches have.
    pub async fn execution_dates(&self) -> Result<Vec<String>, Error> {
        let rows = self
            .query("SELECT DISTINCT execution_date FROM payment_batch WHERE state IN ('released', 'closed')")
            .await?;
        rows.iter().map(|row| get(row, "execution_date")).collect()
    }

    /// The next lines of an account that no reconciliation has looked at: statement, and first and last line; and
    /// how many lines there are in all that none has looked at.
    pub async fn unexamined(
        &self,
        account: &AccountId,
        through: u64,
        most: u64,
    ) -> Result<(Option<(u64, u64, u64)>, u64), Error> {
        let account = literal(account.as_str());
        let of = format!(
            "FROM bank_statement WHERE account = {account} AND state = 'ready' AND number <= {through} \
             AND examined < lines"
        );
        let rows = self
            .query(&format!(
                "SELECT number, examined, lines {of} ORDER BY number LIMIT 1"
            ))
            .await?;
        let Some(row) = rows.first() else {
            return Ok((None, 0));
        };
        let (statement, examined, lines) = (
            get_number(row, "number")?,
            get_number(row, "examined")?,
            get_number(row, "lines")?,
        );
        let rows = self
            .query(&format!(
                "SELECT CAST(SUM(lines - examined) AS BIGINT) AS left_over {of}"
            ))
            .await?;
        let left = rows.first().map_or(Ok(0), |row| get_number(row, "left_over"))?;
        Ok((
            Some((statement, examined + 1, lines.min(examined.saturating_add(most)))),
            left,
        ))
    }

    /// Matches lines of a range with the payments whose references they carry; what is left of the range is
    /// noted as open. Of several lines that fit one payment it is the first.
    pub async fn match_references(&self, span: &Span<'_>, range: (u64, u64, u64)) -> Result<u64, Error> {
        let (statement, first, last) = range;
        let matched = if self.by_sets() {
            self.match_set(span, range).await?
        } else {
            self.match_in_order(span, range).await?
        };
        if matched > 0 {
            self.find_late(
                span,
                &format!(
                    "m.class <> 'matched' AND m.statement = {statement} AND m.line BETWEEN {first} AND {last}"
                ),
            )
            .await?;
        }
        self.execute(&format!(
            "UPDATE bank_statement SET examined = {last} WHERE number = {statement}"
        ))
        .await?;
        Ok(matched)
    }

    /// On PostgreSQL: every line of the range with its payment, if it has one, is set aside once; from there go the
    /// matches, in the order of their index, and what is open.
    async fn match_set(&self, span: &Span<'_>, range: (u64, u64, u64)) -> Result<u64, Error> {
        let (statement, first, last) = range;
        let (job, as_of, account) = (span.job, literal(span.as_of), literal(span.account.as_str()));
        let scope = of_account(span.scope, "p");
        let many = last + 1 - first >= MANY;
        if many {
            self.count_lines().await?;
            self.join_at_once().await?;
        }
        let due = span.due_literals();
        // Sorted here, where several processors do it, and not there: what comes sorted is only looked through.
        let sorted = if many { " ORDER BY l.reference, l.line" } else { "" };
        let lines = self
            .set_aside(
                "bank_examined",
                &format!(
                    "SELECT l.line, l.reference, CASE WHEN k.reference IS NULL THEN '' \
                     WHEN l.booked > k.deadline THEN 'late' ELSE 'matched' END AS class FROM bank_line l LEFT JOIN \
                     (SELECT p.reference, p.amount_fen, d.deadline FROM payment p \
                     JOIN payment_batch b ON b.fund = p.fund AND b.number = p.batch \
                     JOIN {due} AS d ON d.execution_date = b.execution_date WHERE p.state <> 'failed' AND {scope} \
                     AND NOT EXISTS (SELECT 1 FROM bank_match m WHERE m.reference = p.reference AND m.part = 0)) AS k \
                     ON k.reference = l.reference AND k.amount_fen = - l.amount_fen AND l.amount_fen < 0 \
                     AND l.reversal = 0 AND l.booked <= {as_of} \
                     WHERE l.statement = {statement} AND l.line BETWEEN {first} AND {last}{sorted}"
                ),
            )
            .await?;
        let matched = self
            .execute(&format!(
                "INSERT INTO bank_match (statement, line, reference, part, class, rule, job) \
                 SELECT {statement}, x.line, x.reference, 0, x.class, 'reference', {job} FROM \
                 (SELECT DISTINCT ON (reference) line, reference, class FROM bank_examined WHERE class <> '' \
                 ORDER BY reference, line) AS x"
            ))
            .await?;
        let open = format!(
            "INSERT INTO bank_open_line (account, statement, line, reference) \
             SELECT {account}, {statement}, x.line, x.reference FROM bank_examined x WHERE"
        );
        let without = self.execute(&format!("{open} x.class = ''")).await?;
        if lines > matched + without {
            self.execute(&format!(
                "{open} x.class <> '' AND NOT EXISTS (SELECT 1 FROM bank_match m WHERE m.reference = x.reference \
                 AND m.part = 0 AND m.statement = {statement} AND m.line = x.line)"
            ))
            .await?;
        }
        self.let_go("bank_examined").await?;
        if many {
            self.join_freely().await?;
            self.count_matches().await?;
        }
        Ok(matched)
    }

    /// On SQLite: payment by payment, in the order of the matches' key, and of several lines the first. It looks into the
    /// index anyway when it inserts, and passes over what is there; in the order of lines it would write its pages again
    /// and again.
    async fn match_in_order(&self, span: &Span<'_>, range: (u64, u64, u64)) -> Result<u64, Error> {
        let (statement, first, last) = range;
        let within = format!("l.statement = {statement} AND l.line BETWEEN {first} AND {last}");
        let (job, as_of) = (span.job, literal(span.as_of));
        let scope = of_account(span.scope, "p");
        let mut matched = 0;
        if !span.due.is_empty() {
            matched = self
                .execute_with(span.due(), |due| {
                    format!(
                        "INSERT INTO bank_match (statement, line, reference, part, class, rule, job) \
                         SELECT l.statement, l.line, l.reference, 0, \
                         CASE WHEN l.booked > d.deadline THEN 'late' ELSE 'matched' END, 'reference', {job} \
                         FROM bank_line l JOIN payment p ON p.reference = l.reference AND p.amount_fen = - l.amount_fen \
                         JOIN payment_batch b ON b.fund = p.fund AND b.number = p.batch \
                         JOIN {due} AS d ON d.execution_date = b.execution_date \
                         WHERE {within} AND l.amount_fen < 0 AND l.reversal = 0 AND l.booked <= {as_of} \
                         AND p.state <> 'failed' AND {scope} ORDER BY l.reference, l.line \
                         ON CONFLICT (reference, part) DO NOTHING"
                    )
                })
                .await?;
        }
        if matched < last + 1 - first {
            let account = literal(span.account.as_str());
            self.execute(&format!(
                "INSERT INTO bank_open_line (account, statement, line, reference) \
                 SELECT {account}, l.statement, l.line, l.reference FROM bank_line l WHERE {within} AND NOT EXISTS \
                 (SELECT 1 FROM bank_match m WHERE m.reference = l.reference AND m.part = 0 \
                 AND m.statement = l.statement AND m.line = l.line)"
            ))
            .await?;
        }
        Ok(matched)
    }

    /// Findings for payments that were matched late.
    pub(super) async fn find_late(&self, span: &Span<'_>, which: &str) -> Result<(), Error> {
        let job = span.job;
        self.execute_with(span.due(), |due| {
            format!(
                "INSERT INTO reconciliation_finding (job, since, reference, statement, line, class, reason, \
                 other_reference, other_statement, other_line, expected_fen, found_fen, expected_on, found_on, \
                 candidates) SELECT {job}, b.execution_date, m.reference, 0, 0, 'late', 'after_deadline', '', \
                 m.statement, m.line, - p.amount_fen, - p.amount_fen, d.deadline, l.booked, 0 \
                 FROM bank_match m JOIN bank_line l ON l.statement = m.statement AND l.line = m.line \
                 JOIN payment p ON p.reference = m.reference \
                 JOIN payment_batch b ON b.fund = p.fund AND b.number = p.batch \
                 JOIN {due} AS d ON d.execution_date = b.execution_date \
                 WHERE {which} AND m.class = 'late' AND m.part = 0 \
                 ON CONFLICT (job, reference, statement, line) DO NOTHING"
            )
        })
        .await
        .map(drop)
    }

    /// Matches open lines without a reference with the one payment that they fit by amount, payee's account
    /// and day; what fits several, or competes with another line, is left and found as ambiguous.
    pub async fn match_accounts(&self, span: &Span<'_>) -> Result<u64, Error> {
        let (job, through, as_of) = (span.job, span.through, literal(span.as_of));
        let account = literal(span.account.as_str());
        if span.due.is_empty() {
            return Ok(0);
        }
        let open = format!(
            "bank_open_line o JOIN bank_line l ON l.statement = o.statement AND l.line = o.line \
             WHERE o.account = {account} AND o.statement <= {through} AND o.reference = '' AND l.payee_hash <> '' \
             AND l.order_id = '' AND l.amount_fen < 0 AND l.reversal = 0 AND l.booked <= {as_of} \
             AND NOT EXISTS (SELECT 1 FROM bank_match m WHERE m.rule <> 'reference' \
             AND m.statement = l.statement AND m.line = l.line)"
        );
        let any = self
            .query(&format!("SELECT 1 AS one FROM {open} LIMIT 1"))
            .await?;
        if any.is_empty() {
            return Ok(0);
        }
        self.execute(&format!(
            "DELETE FROM reconciliation_finding WHERE job = {job} AND reason = 'ambiguous'"
        ))
        .await?;
        let untouched = untouched(span);
        let fits = |due: &str| {
            format!(
                "(SELECT l.statement, l.line, l.booked, l.amount_fen, p.reference, d.deadline FROM \
                 (SELECT l.statement, l.line, l.booked, l.amount_fen, l.payee_hash FROM {open}) AS l \
                 JOIN payment p ON p.payee_hash = l.payee_hash AND p.amount_fen = - l.amount_fen \
                 JOIN payment_batch b ON b.fund = p.fund AND b.number = p.batch AND b.state IN ('released', 'closed') \
                 JOIN {due} AS d ON d.execution_date = b.execution_date AND l.booked BETWEEN d.earliest AND d.latest \
                 WHERE {untouched}) AS f"
            )
        };
        let counted = |due: &str| {
            format!(
                "(SELECT f.statement, f.line, f.booked, f.amount_fen, f.reference, f.deadline, \
                 COUNT(*) OVER (PARTITION BY f.statement, f.line) AS payments, \
                 COUNT(*) OVER (PARTITION BY f.reference) AS lines FROM {}) AS c",
                fits(due)
            )
        };
        self.execute_with(span.due(), |due| {
            format!(
                "INSERT INTO reconciliation_finding (job, since, reference, statement, line, class, reason, \
                 other_reference, other_statement, other_line, expected_fen, found_fen, expected_on, found_on, \
                 candidates) SELECT {job}, MIN(c.booked), '', c.statement, c.line, 'unknown_at_bank', 'ambiguous', '', \
                 0, 0, 0, MIN(c.amount_fen), '', MIN(c.booked), MAX(c.payments) FROM {} \
                 GROUP BY c.statement, c.line HAVING MAX(c.payments) > 1 OR MAX(c.lines) > 1 \
                 ON CONFLICT (job, reference, statement, line) DO UPDATE SET candidates = excluded.candidates",
                counted(due)
            )
        })
        .await?;
        let matched = self
            .execute_with(span.due(), |due| {
                format!(
                    "INSERT INTO bank_match (statement, line, reference, part, class, rule, job) \
                     SELECT c.statement, c.line, c.reference, 0, \
                     CASE WHEN c.booked > c.deadline THEN 'late' ELSE 'matched' END, 'account-date', {job} \
                     FROM {} WHERE c.payments = 1 AND c.lines = 1",
                    counted(due)
                )
            })
            .await?;
        if matched > 0 {
            let closed = "EXISTS (SELECT 1 FROM bank_match m WHERE m.rule <> 'reference' \
                 AND m.statement = bank_open_line.statement AND m.line = bank_open_line.line \
                 AND m.rule = 'account-date')";
            self.execute(&format!(
                "DELETE FROM bank_open_line WHERE account = {account} AND reference = '' AND {closed}"
            ))
            .await?;
            self.find_late(
                span,
                &format!("m.class <> 'matched' AND m.rule = 'account-date' AND m.job = {job}"),
            )
            .await?;
        }
        Ok(matched)
    }

    /// Credits without a reference that carry the bank's own reference of one matched debit of the same amount
    /// speak of that debit's payment.
    pub async fn trace_credits(&self, span: &Span<'_>) -> Result<u64, Error> {
        let (through, as_of) = (span.through, literal(span.as_of));
        let account = literal(span.account.as_str());
        let open = format!(
            "SELECT l.statement, l.line, l.amount_fen, l.bank_reference FROM bank_open_line o \
             JOIN bank_line l ON l.statement = o.statement AND l.line = o.line \
             WHERE o.account = {account} AND o.statement <= {through} AND o.reference = '' AND l.order_id = '' \
             AND l.amount_fen > 0 AND l.bank_reference <> '' AND l.booked <= {as_of}"
        );
        let any = self.query(&format!("{open} LIMIT 1")).await?;
        if any.is_empty() {
            return Ok(0);
        }
        let debits = format!(
            "(SELECT c.statement, c.line, c.amount_fen, c.bank_reference, l.statement AS debit_statement, \
             l.line AS debit_line, l.reference AS own FROM ({open}) AS c \
             JOIN bank_line l ON l.bank_reference = c.bank_reference AND l.amount_fen = - c.amount_fen \
             AND (l.statement < c.statement OR (l.statement = c.statement AND l.line < c.line)) \
             JOIN bank_statement s ON s.number = l.statement AND s.account = {account} AND s.state = 'ready') AS d"
        );
        // One debit with one payment, and one credit, carry it.
        let rows = self
            .query(&format!(
                "SELECT c.statement, c.line, MIN(c.reference) AS reference FROM \
                 (SELECT d.*, m.reference FROM {debits} JOIN bank_match m ON m.reference = d.own \
                 AND m.statement = d.debit_statement AND m.line = d.debit_line AND m.rule = 'reference' \
                 AND m.class IN ('matched', 'late') \
                 UNION ALL SELECT d.*, m.reference FROM {debits} JOIN bank_match m ON m.rule <> 'reference' \
                 AND m.statement = d.debit_statement AND m.line = d.debit_line AND m.class IN ('matched', 'late')) AS c \
                 WHERE NOT EXISTS (SELECT 1 FROM ({open}) AS x WHERE x.bank_reference = c.bank_reference \
                 AND x.amount_fen = c.amount_fen AND (x.statement <> c.statement OR x.line <> c.line)) \
                 GROUP BY c.statement, c.line HAVING COUNT(*) = 1"
            ))
            .await?;
        let mut block = Block::new(["account", "statement#", "line#", "reference"]);
        for row in &rows {
            block.row([
                text(span.account.as_str()),
                int(get(row, "statement")?),
                int(get(row, "line")?),
                text(get::<String>(row, "reference")?),
            ]);
        }
        self.execute_with(block, |rows| {
            format!(
                "UPDATE bank_open_line AS o SET reference = r.reference FROM {rows} AS r \
                 WHERE o.account = r.account AND o.statement = r.statement AND o.line = r.line"
            )
        })
        .await
    }
}
