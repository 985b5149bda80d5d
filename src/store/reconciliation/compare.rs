//! Findings become breaks: what is new is added, what is other than it was is changed, what is no more is closed.
//!
//! A break that a person has resolved stays so as long as its evidence is the same. One of a closed period stays
//! as it is; what is found of it now is a break of its own, which says which one it corrects.

use super::super::Tx;
use super::super::block::{get, get_number};
use super::literal;
use crate::domain::allocation::Signature;
use crate::domain::error::Error;
use crate::domain::reconciliation::AccountId;

/// How many breaks a comparison touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compared {
    /// New ones.
    pub new: u64,
    /// Those with other evidence.
    pub changed: u64,
    /// Those that are none any more.
    pub closed: u64,
}

/// The columns of the evidence beside its subject.
const EVIDENCE: [&str; 10] = [
    "class",
    "reason",
    "other_reference",
    "other_statement",
    "other_line",
    "expected_fen",
    "found_fen",
    "expected_on",
    "found_on",
    "candidates",
];

const SUBJECT: &str = "b.reference = f.reference AND b.statement = f.statement AND b.line = f.line";

/// The last break about its subject.
const LAST: &str = "NOT EXISTS (SELECT 1 FROM bank_break n WHERE n.account = b.account AND n.reference = b.reference \
     AND n.statement = b.statement AND n.line = b.line AND n.corrects = b.number)";

const LOCKED: &str = "EXISTS (SELECT 1 FROM reconciliation_period q WHERE q.account = b.account \
     AND q.state = 'closed' AND q.period = b.period)";

fn same() -> String {
    let columns = EVIDENCE.iter().map(|column| format!("b.{column} = f.{column}"));
    columns.collect::<Vec<_>>().join(" AND ")
}

impl Tx {
    /// The last closed month of an account; empty where none is.
    pub async fn last_closed(&self, account: &AccountId) -> Result<String, Error> {
        let account = literal(account.as_str());
        let rows = self
            .query(&format!(
                "SELECT COALESCE(MAX(period), '') AS last FROM reconciliation_period \
                 WHERE account = {account} AND state = 'closed'"
            ))
            .await?;
        rows.first().map_or(Ok(String::new()), |row| get(row, "last"))
    }

    /// Compares what a job found with the breaks of its account, which is locked. `last_closed` is the last
    /// closed month, and `next` the one behind it.
    pub async fn compare_findings(
        &self,
        job: u64,
        account: &AccountId,
        by: &Signature,
        last_closed: &str,
        next: &str,
    ) -> Result<Compared, Error> {
        let of = format!(
            "bank_break b JOIN reconciliation_finding f ON f.job = {job} AND {SUBJECT} \
             WHERE b.account = {} AND {LAST}",
            literal(account.as_str())
        );
        let mut compared = Compared::default();
        // Other evidence, or there again after it was closed by a rule.
        let changed = format!(
            "f.class <> 'matched' AND (NOT ({}) OR (b.state = 'resolved' AND b.resolution = 'rule')) AND NOT {LOCKED}",
            same()
        );
        let action = "CASE WHEN b.state = 'resolved' THEN 'reopened' ELSE 'changed' END";
        compared.changed = self
            .tell_breaks(job, by, action, &format!("FROM {of} AND {changed}"))
            .await?;
        if compared.changed > 0 {
            let set: Vec<String> = (EVIDENCE.iter())
                .map(|column| format!("{column} = c.{column}"))
                .collect();
            let taken: Vec<String> = EVIDENCE.iter().map(|column| format!("f.{column}")).collect();
            self.execute(&format!(
                "UPDATE bank_break AS b SET {}, state = 'open', version = b.version + 1, last_job = {job}, \
                 resolution = '', resolution_reason = '', resolution_detail = '', proposed_by = '', proposed_at = 0, \
                 decided_by = '', decided_at = 0 FROM (SELECT b.account, b.number, {} FROM {of} AND {changed}) AS c \
                 WHERE b.account = c.account AND b.number = c.number",
                set.join(", "),
                taken.join(", ")
            ))
            .await?;
        }
        compared.closed = self.close_breaks(job, account, by).await?;
        compared.new = self.add_breaks(job, account, by, last_closed, next).await?;
        Ok(compared)
    }

    async fn close_breaks(&self, job: u64, account: &AccountId, by: &Signature) -> Result<u64, Error> {
        let account = literal(account.as_str());
        // Late and reversed payments are looked at only when a further line speaks of them.
        let over = format!(
            "FROM bank_break b WHERE b.account = {account} AND b.state <> 'resolved' AND NOT {LOCKED} AND {LAST} AND \
             (EXISTS (SELECT 1 FROM reconciliation_finding f WHERE f.job = {job} AND {SUBJECT} AND f.class = 'matched') \
             OR (b.class NOT IN ('late', 'reversed') AND NOT EXISTS \
             (SELECT 1 FROM reconciliation_finding f WHERE f.job = {job} AND {SUBJECT})))"
        );
        let closed = self.tell_breaks(job, by, "'closed'", &over).await?;
        if closed > 0 {
            let at = by.at;
            let name = literal(by.by.as_str());
            self.execute(&format!(
                "UPDATE bank_break AS b SET state = 'resolved', resolution = 'rule', version = b.version + 1, \
                 last_job = {job}, resolution_reason = '', resolution_detail = '', proposed_by = '', proposed_at = 0, \
                 decided_by = {name}, decided_at = {at} FROM (SELECT b.account, b.number {over}) AS c \
                 WHERE b.account = c.account AND b.number = c.number"
            ))
            .await?;
        }
        Ok(closed)
    }

    async fn add_breaks(
        &self,
        job: u64,
        account: &AccountId,
        by: &Signature,
        last_closed: &str,
        next: &str,
    ) -> Result<u64, Error> {
        let account = literal(account.as_str());
        let rows = self
            .query(&format!(
                "SELECT breaks FROM bank_account WHERE account = {account}"
            ))
            .await?;
        let last = rows.first().map_or(Ok(0), |row| get_number(row, "breaks"))?;
        let (last_closed, next) = (literal(last_closed), literal(next));
        let columns = EVIDENCE.join(", ");
        let new: Vec<String> = EVIDENCE.iter().map(|column| format!("x.{column}")).collect();
        let found: Vec<String> = EVIDENCE.iter().map(|column| format!("f.{column}")).collect();
        let (new, found) = (new.join(", "), found.join(", "));
        let added = self
            .execute(&format!(
                "INSERT INTO bank_break (account, number, reference, statement, line, {columns}, state, version, since, \
                 period, first_job, last_job, assignee, resolution, resolution_reason, resolution_detail, proposed_by, \
                 proposed_at, decided_by, decided_at, carried_to, corrects) \
                 SELECT {account}, {last} + ROW_NUMBER() OVER (ORDER BY x.reference, x.statement, x.line), \
                 x.reference, x.statement, x.line, {new}, 'open', 1, x.since, \
                 CASE WHEN substr(x.since, 1, 7) <= {last_closed} THEN {next} ELSE substr(x.since, 1, 7) END, \
                 {job}, {job}, '', '', '', '', '', 0, '', 0, '', x.corrects FROM \
                 (SELECT f.reference, f.statement, f.line, {found}, f.since, COALESCE(b.number, 0) AS corrects \
                 FROM reconciliation_finding f LEFT JOIN bank_break b ON b.account = {account} AND {SUBJECT} AND {LAST} \
                 WHERE f.job = {job} AND f.class <> 'matched' \
                 AND (b.number IS NULL OR ({LOCKED} AND NOT ({})))) AS x WHERE true",
                same()
            ))
            .await?;
        if added == 0 {
            return Ok(0);
        }
        self.execute(&format!(
            "UPDATE bank_account SET breaks = breaks + {added} WHERE account = {account}"
        ))
        .await?;
        self.tell_breaks(
            job,
            by,
            "'found'",
            &format!("FROM bank_break b WHERE b.account = {account} AND b.number > {last}"),
        )
        .await?;
        Ok(added)
    }

    /// Adds an entry to the history of breaks, and says of how many.
    async fn tell_breaks(&self, job: u64, by: &Signature, action: &str, of: &str) -> Result<u64, Error> {
        let (at, name) = (by.at, literal(by.by.as_str()));
        self.execute(&format!(
            "INSERT INTO bank_break_history (account, \"break\", number, at, made_by, action, note, detail) \
             SELECT b.account, b.number, COALESCE((SELECT MAX(h.number) FROM bank_break_history h \
             WHERE h.account = b.account AND h.\"break\" = b.number), 0) + 1, {at}, {name}, {action}, \
             'reconciliations/{job}', '' {of}"
        ))
        .await
    }
}
