//! What is left is put into classes; what an older release wrote is filled in.

use super::super::Tx;
use super::super::block::{Block, get, get_number, number, text};
use super::super::convert::stored;
use super::matching::Span;
use super::{literal, of_account};
use crate::app::vault::{Lookup, Sealed};
use crate::domain::allocation::FundId;
use crate::domain::error::Error;

/// A payment that lacks what matching needs: its key, its reference, and the payee.
pub type UnhashedPayment = ((FundId, u64, u64), String, Sealed);

impl Tx {
    /// Payments without a hash of the payee's account, or with one of another key.
    pub async fn unhashed_payments(&self, limit: u64) -> Result<Vec<UnhashedPayment>, Error> {
        let rows = self
            .query(&format!(
                "SELECT fund, batch, line, reference, sealed, sealing_key FROM payment WHERE payee_hash = '' AND sealed <> '' \
                 ORDER BY fund, batch, line LIMIT {limit}"
            ))
            .await?;
        rows.iter()
            .map(|row| {
                let key = (
                    stored(FundId::parse("fund", &get::<String>(row, "fund")?))?,
                    get_number(row, "batch")?,
                    get_number(row, "line")?,
                );
                let sealed = Sealed {
                    key: get(row, "sealing_key")?,
                    text: get(row, "sealed")?,
                };
                Ok((key, get(row, "reference")?, sealed))
            })
            .collect()
    }

    /// Stores hashes of payees' accounts, and the regions of the claims.
    pub async fn complete_payments(&self, hashes: &[((FundId, u64, u64), Lookup)]) -> Result<(), Error> {
        let mut block = Block::new(["fund", "batch#", "line#", "hash", "hash_key"]);
        for ((fund, batch, line), lookup) in hashes {
            block.row([
                text(fund.as_str()),
                number(*batch),
                number(*line),
                text(&lookup.hash),
                text(&lookup.key),
            ]);
        }
        self.execute_with(block, |rows| {
            format!(
                "UPDATE payment AS p SET payee_hash = r.hash, payee_hash_key = r.hash_key, \
                 region = (SELECT c.region FROM claim c WHERE c.fund = p.fund AND c.number = p.claim) \
                 FROM {rows} AS r WHERE p.fund = r.fund AND p.batch = r.batch AND p.line = r.line"
            )
        })
        .await
        .map(drop)
    }

    /// Forgets the hashes of payees that another key made: the next reconciliation makes them anew.
    pub async fn forget_payee_hashes(&self, key: &str) -> Result<u64, Error> {
        let key = literal(key);
        self.execute(&format!(
            "UPDATE payment SET payee_hash = '', payee_hash_key = '' WHERE payee_hash_key NOT IN ('', {key})"
        ))
        .await
    }

    /// Finds lines that nothing explains.
    pub async fn find_unknown(&self, span: &Span<'_>) -> Result<(), Error> {
        let (job, account) = (span.job, literal(span.account.as_str()));
        let (through, as_of) = (span.through, literal(span.as_of));
        self.execute(&format!(
            "INSERT INTO reconciliation_finding (job, since, reference, statement, line, class, reason, \
             other_reference, other_statement, other_line, expected_fen, found_fen, expected_on, found_on, candidates) \
             SELECT {job}, l.booked, '', l.statement, l.line, 'unknown_at_bank', 'nothing_fits', '', 0, 0, 0, \
             l.amount_fen, '', l.booked, 0 FROM bank_open_line o \
             JOIN bank_line l ON l.statement = o.statement AND l.line = o.line \
             WHERE o.account = {account} AND o.statement <= {through} AND l.booked <= {as_of} \
             AND NOT EXISTS (SELECT 1 FROM bank_match m WHERE m.rule <> 'reference' \
             AND m.statement = l.statement AND m.line = l.line) \
             ON CONFLICT (job, reference, statement, line) DO NOTHING"
        ))
        .await
        .map(drop)
    }

    /// Finds payments without a line: missing where the bank's days are over by `covered`, the last day that
    /// statements tell of, and else in flight. Those whose days were over before `first`, when statements begin,
    /// are none of its business, unless a line speaks of them. Lines that only undo each other pay nothing.
    pub async fn find_missing(&self, span: &Span<'_>, first: &str, covered: &str) -> Result<(), Error> {
        let (job, scope) = (span.job, of_account(span.scope, "p"));
        let (as_of, first, covered) = (literal(span.as_of), literal(first), literal(covered));
        let account = literal(span.account.as_str());
        if span.due.is_empty() {
            return Ok(());
        }
        // Of a million payments few lack a line: which ones, PostgreSQL finds on all processors.
        let payments = if self.by_sets() {
            self.join_at_once().await?;
            self.set_aside(
                "payment_without_line",
                &format!(
                    "SELECT p.reference FROM payment p WHERE {scope} AND p.state <> 'failed' AND NOT EXISTS \
                     (SELECT 1 FROM bank_match m WHERE m.reference = p.reference AND m.class <> 'reversed')"
                ),
            )
            .await?;
            self.join_freely().await?;
            "payment_without_line x JOIN payment p ON p.reference = x.reference"
        } else {
            "payment p"
        };
        self.execute_with(span.due(), |due| {
            format!(
                "INSERT INTO reconciliation_finding (job, since, reference, statement, line, class, reason, \
                 other_reference, other_statement, other_line, expected_fen, found_fen, expected_on, found_on, \
                 candidates) SELECT {job}, b.execution_date, p.reference, 0, 0, \
                 CASE WHEN d.deadline <= {covered} THEN 'missing_at_bank' ELSE 'in_flight' END, \
                 CASE WHEN d.deadline <= {covered} THEN 'no_line' ELSE 'due' END, \
                 '', 0, 0, - p.amount_fen, 0, d.deadline, '', 0 FROM {payments} \
                 JOIN payment_batch b ON b.fund = p.fund AND b.number = p.batch AND b.state IN ('released', 'closed') \
                 JOIN {due} AS d ON d.execution_date = b.execution_date \
                 WHERE {scope} AND p.state <> 'failed' AND b.execution_date <= {as_of} \
                 AND NOT EXISTS (SELECT 1 FROM bank_match m WHERE m.reference = p.reference AND m.class <> 'reversed') \
                 AND (d.deadline >= {first} OR EXISTS (SELECT 1 FROM bank_match m WHERE m.reference = p.reference)) \
                 AND NOT EXISTS (SELECT 1 FROM bank_break k WHERE k.account = {account} AND k.reference = p.reference \
                 AND k.class = 'reversed' AND NOT (k.state = 'resolved' AND k.resolution = 'rule') \
                 AND NOT EXISTS (SELECT 1 FROM bank_break n WHERE n.account = k.account AND n.reference = k.reference \
                 AND n.statement = k.statement AND n.line = k.line AND n.corrects = k.number)) \
                 ON CONFLICT (job, reference, statement, line) DO NOTHING"
            )
        })
        .await?;
        if self.by_sets() {
            self.let_go("payment_without_line").await?;
        }
        Ok(())
    }
}
