//! Payments of whose lines something is irregular: read a page at a time, and what was decided written.

use super::super::Tx;
use super::super::block::{Block, get, get_money, get_number, int, number, text};
use super::super::convert::stored;
use super::matching::Span;
use super::{literal, of_account, to_code, to_line};
use crate::app::reconciliation::records::ScopedPayment;
use crate::domain::claim::ClaimId;
use crate::domain::disbursement::PaymentState;
use crate::domain::error::Error;
use crate::domain::payer::Payer;
use crate::domain::reconciliation::decide::{Had, Link, Posting, SeenLine};
use crate::domain::reconciliation::{Class, Evidence, LineId, Rule, Subject};
use sea_orm::QueryResult;
use std::collections::{BTreeMap, HashMap};

/// A payment's lines: those that carry its reference, and the line that pays it by another rule, with the day.
pub type GroupLines = (Vec<SeenLine>, Option<(LineId, String)>);

/// References, with what the books and the bank say of them.
#[derive(Debug, Default)]
pub struct GroupPage {
    /// The references, in order.
    pub references: Vec<String>,
    /// The payments of this account among them.
    pub payments: HashMap<String, ScopedPayment>,
    /// The lines, by reference.
    pub lines: BTreeMap<String, GroupLines>,
}

/// What is to be written for a payment: the matches that it has and is to have, and what is to be posted.
#[derive(Debug, Default)]
pub struct GroupChange {
    /// The reference.
    pub reference: String,
    /// Matches that go, by their numbers among the payment's lines.
    pub gone: Vec<u64>,
    /// Matches that are new.
    pub new: Vec<Link>,
    /// Whether each line is open after it.
    pub open: Vec<(LineId, bool)>,
    /// What is to be posted.
    pub postings: Vec<Posting>,
}

impl Tx {
    /// The next references that open lines speak of.
    pub async fn group_page(&self, span: &Span<'_>, after: &str, limit: u64) -> Result<GroupPage, Error> {
        let account = literal(span.account.as_str());
        let (through, as_of, after) = (span.through, literal(span.as_of), literal(after));
        let rows = self
            .query(&format!(
                "SELECT DISTINCT o.reference FROM bank_open_line o WHERE o.account = {account} \
                 AND o.reference > {after} ORDER BY o.reference LIMIT {limit}"
            ))
            .await?;
        let mut page = GroupPage::default();
        for row in &rows {
            page.references.push(get(row, "reference")?);
        }
        if page.references.is_empty() {
            return Ok(page);
        }
        let scope = of_account(span.scope, "p");
        let rows = self
            .query_with(of(&page.references), |rows| {
                format!(
                    "SELECT p.reference, p.fund, p.claim, p.payer, p.amount_fen, p.state, b.execution_date, \
                     CAST(COALESCE((SELECT SUM(q.amount_fen) FROM bank_posting q WHERE q.reference = p.reference \
                     AND q.action = 'return' AND q.done_at > 0 AND q.refusal = ''), 0) AS BIGINT) AS returned_fen, \
                     (SELECT COUNT(*) FROM bank_posting q WHERE q.reference = p.reference AND q.refusal <> '') AS refused \
                     FROM {rows} AS r JOIN payment p ON p.reference = r.reference \
                     JOIN payment_batch b ON b.fund = p.fund AND b.number = p.batch WHERE {scope}"
                )
            })
            .await?;
        for row in &rows {
            let payment = to_scoped(row)?;
            page.payments.insert(payment.reference.clone(), payment);
        }
        let rows = self
            .query_with(of(&page.references), |rows| {
                format!(
                    "SELECT m.reference, m.statement, m.line, m.class, m.rule, m.part, l.booked, l.amount_fen, \
                     l.reversal, (SELECT COUNT(*) FROM bank_statement s JOIN reconciliation_period q \
                     ON q.account = s.account AND q.state = 'closed' AND q.period = substr(l.booked, 1, 7) \
                     WHERE s.number = l.statement) AS locked FROM {rows} AS r \
                     JOIN bank_match m ON m.reference = r.reference \
                     JOIN bank_line l ON l.statement = m.statement AND l.line = m.line"
                )
            })
            .await?;
        let mut linked: HashMap<(String, LineId), ()> = HashMap::new();
        for row in &rows {
            let reference: String = get(row, "reference")?;
            let rule = to_code(row, "rule", Rule::parse)?;
            let id = to_line(row, "statement", "line")?;
            linked.insert((reference.clone(), id), ());
            let group = page.lines.entry(reference).or_default();
            if matches!(rule, Rule::BatchTotal | Rule::AccountDate | Rule::Hand) {
                group.1 = Some((id, get(row, "booked")?));
                continue;
            }
            let mut line = to_seen(row, id)?;
            line.had = Some(Had {
                class: to_code(row, "class", Class::parse)?,
                rule,
                part: get_number(row, "part")?,
                locked: get::<i64>(row, "locked")? > 0,
            });
            group.0.push(line);
        }
        let rows = self
            .query_with(of(&page.references), |rows| {
                format!(
                    "SELECT o.reference, l.statement, l.line, l.booked, l.amount_fen, l.reversal FROM {rows} AS r \
                     JOIN bank_open_line o ON o.account = {account} AND o.reference = r.reference \
                     AND o.statement <= {through} \
                     JOIN bank_line l ON l.statement = o.statement AND l.line = o.line AND l.booked <= {as_of}"
                )
            })
            .await?;
        for row in &rows {
            let reference: String = get(row, "reference")?;
            let id = to_line(row, "statement", "line")?;
            if !linked.contains_key(&(reference.clone(), id)) {
                page.lines.entry(reference).or_default().0.push(to_seen(row, id)?);
            }
        }
        Ok(page)
    }

    /// Writes what was decided.
    pub async fn apply_groups(
        &self,
        span: &Span<'_>,
        changes: &[GroupChange],
        findings: &[Evidence],
    ) -> Result<(), Error> {
        let job = span.job;
        let mut gone = Block::new(["reference", "part#"]);
        let mut new = Block::new([
            "statement#",
            "line#",
            "reference",
            "part#",
            "class",
            "rule",
            "job#",
        ]);
        let mut references = Block::new(["reference"]);
        let mut postings = Block::new([
            "statement#",
            "line#",
            "reference",
            "action",
            "amount_fen#",
            "job#",
            "done_at#",
            "refusal",
        ]);
        let mut opened = Block::new(["account", "statement#", "line#", "reference"]);
        let mut closed = Block::new(["account", "statement#", "line#"]);
        for change in changes {
            let reference = change.reference.as_str();
            references.row([text(reference)]);
            for part in &change.gone {
                gone.row([text(reference), number(*part)]);
            }
            for link in &change.new {
                new.row([
                    number(link.line.statement),
                    number(link.line.line),
                    text(reference),
                    number(link.part),
                    text(link.class.code()),
                    text(link.rule.code()),
                    number(job),
                ]);
            }
            for posting in &change.postings {
                postings.row([
                    number(posting.line.statement),
                    number(posting.line.line),
                    text(reference),
                    text(if posting.fails { "fail" } else { "return" }),
                    int(posting.amount),
                    number(job),
                    int(0),
                    text(""),
                ]);
            }
            for (id, open) in &change.open {
                let account = text(span.account.as_str());
                if *open {
                    opened.row([account, number(id.statement), number(id.line), text(reference)]);
                } else {
                    closed.row([account, number(id.statement), number(id.line)]);
                }
            }
        }
        self.execute_with(gone, |rows| {
            format!(
                "DELETE FROM bank_match WHERE (reference, part) IN (SELECT reference, part FROM {rows} AS r)"
            )
        })
        .await?;
        self.insert_block("bank_match", new).await?;
        // What was planned and not done is planned anew.
        self.execute_with(references, |rows| {
            format!(
                "DELETE FROM bank_posting WHERE done_at = 0 AND reference IN (SELECT reference FROM {rows} AS r)"
            )
        })
        .await?;
        self.execute_with(postings, |rows| {
            format!(
                "INSERT INTO bank_posting (statement, line, reference, action, amount_fen, job, done_at, refusal) \
                 SELECT statement, line, reference, action, amount_fen, job, done_at, refusal FROM {rows} AS r \
                 WHERE true ON CONFLICT (statement, line, reference) DO NOTHING"
            )
        })
        .await?;
        self.execute_with(opened, |rows| {
            format!(
                "INSERT INTO bank_open_line (account, statement, line, reference) \
                 SELECT account, statement, line, reference FROM {rows} AS r WHERE true \
                 ON CONFLICT (account, statement, line) DO NOTHING"
            )
        })
        .await?;
        self.execute_with(closed, |rows| {
            format!(
                "DELETE FROM bank_open_line WHERE (account, statement, line) IN \
                 (SELECT account, statement, line FROM {rows} AS r)"
            )
        })
        .await?;
        self.note_findings(job, findings).await
    }

    /// Notes findings of a job; the last one about a subject counts.
    pub async fn note_findings(&self, job: u64, findings: &[Evidence]) -> Result<(), Error> {
        let mut block = Block::new([
            "job#",
            "since",
            "reference",
            "statement#",
            "line#",
            "class",
            "reason",
            "other_reference",
            "other_statement#",
            "other_line#",
            "expected_fen#",
            "found_fen#",
            "expected_on",
            "found_on",
            "candidates#",
        ]);
        for finding in findings {
            let (reference, line) = match &finding.subject {
                Subject::Payment(reference) => (reference.as_str(), None),
                Subject::Line(line) => ("", Some(*line)),
            };
            let pair = |line: Option<LineId>| line.map_or((0, 0), |line| (line.statement, line.line));
            let (statement, line) = pair(line);
            let (other_statement, other_line) = pair(finding.other_line);
            block.row([
                number(job),
                text(&finding.since),
                text(reference),
                number(statement),
                number(line),
                text(finding.class.code()),
                text(finding.reason.code()),
                text(&finding.other_reference),
                number(other_statement),
                number(other_line),
                int(finding.expected.fen()),
                int(finding.found.fen()),
                text(&finding.expected_on),
                text(&finding.found_on),
                number(finding.candidates),
            ]);
        }
        self.execute_with(block, |rows| {
            format!(
                "INSERT INTO reconciliation_finding (job, since, reference, statement, line, class, reason, \
                 other_reference, other_statement, other_line, expected_fen, found_fen, expected_on, found_on, \
                 candidates) SELECT job, since, reference, statement, line, class, reason, other_reference, \
                 other_statement, other_line, expected_fen, found_fen, expected_on, found_on, candidates \
                 FROM {rows} AS r WHERE true ON CONFLICT (job, reference, statement, line) DO UPDATE SET \
                 since = excluded.since, class = excluded.class, reason = excluded.reason, \
                 other_reference = excluded.other_reference, other_statement = excluded.other_statement, \
                 other_line = excluded.other_line, expected_fen = excluded.expected_fen, \
                 found_fen = excluded.found_fen, expected_on = excluded.expected_on, found_on = excluded.found_on, \
                 candidates = excluded.candidates"
            )
        })
        .await
        .map(drop)
    }
}

fn of(references: &[String]) -> Block {
    let mut block = Block::new(["reference"]);
    for reference in references {
        block.row([text(reference)]);
    }
    block
}

fn to_seen(row: &QueryResult, id: LineId) -> Result<SeenLine, Error> {
    Ok(SeenLine {
        id,
        booked: get(row, "booked")?,
        amount: get(row, "amount_fen")?,
        reversal: get::<i64>(row, "reversal")? != 0,
        had: None,
    })
}

fn to_scoped(row: &QueryResult) -> Result<ScopedPayment, Error> {
    Ok(ScopedPayment {
        reference: get(row, "reference")?,
        claim: ClaimId {
            fund: super::super::claims::to_fund(row)?,
            number: get_number(row, "claim")?,
        },
        payer: stored(Payer::parse("payment.payer", &get::<String>(row, "payer")?))?,
        amount: get_money(row, "amount_fen")?,
        state: to_code(row, "state", PaymentState::parse)?,
        execution: get(row, "execution_date")?,
        returned: get_money(row, "returned_fen")?,
        refused: get::<i64>(row, "refused")? > 0,
    })
}
