//! How statements over many rows are carried out on PostgreSQL, where that is left to us.
//!
//! Lines that have just come in have no statistics: the planner would look a million payments up one by one, or take the
//! whole of a table for a page. And it lets several processors work on `CREATE TABLE AS` and not on `INSERT`
//! (<https://www.postgresql.org/docs/current/when-can-parallel-query-be-used.html>), so what many rows come to is set
//! aside first. SQLite has neither choice.

use super::super::Tx;
use crate::domain::error::Error;

/// Rows from which on reading everything at once is better than looking rows up.
pub(super) const MANY: u64 = 20_000;

impl Tx {
    /// Has the statements that follow join everything at once, in memory and on all processors that the server grants;
    /// until [`Tx::join_freely`], or the transaction's end.
    pub(super) async fn join_at_once(&self) -> Result<(), Error> {
        self.execute(
            "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off; SET LOCAL parallel_tuple_cost = 0; \
             SET LOCAL work_mem = '256MB'; SET LOCAL jit = off",
        )
        .await
        .map(drop)
    }

    /// Has the statements that follow join as the planner sees fit.
    pub(super) async fn join_freely(&self) -> Result<(), Error> {
        self.execute(
            "SET LOCAL enable_nestloop TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT; \
             SET LOCAL parallel_tuple_cost TO DEFAULT; SET LOCAL work_mem TO DEFAULT; SET LOCAL jit TO DEFAULT",
        )
        .await
        .map(drop)
    }

    /// Tells the planner of lines that have come in. Without, it takes a million for a dozen, and reads and sorts them on
    /// one processor.
    pub(super) async fn count_lines(&self) -> Result<(), Error> {
        self.take_statistics("bank_line (statement, line, booked, amount_fen, reversal, reference)")
            .await
    }

    /// Tells the planner of what was matched, for the steps that look rows up.
    pub(super) async fn count_matches(&self) -> Result<(), Error> {
        self.take_statistics("bank_match (statement, line, reference, part, class, rule)")
            .await
    }

    /// A fifth of the usual sample: what matters is how many rows there are. Autovacuum takes the usual one later.
    async fn take_statistics(&self, of: &str) -> Result<(), Error> {
        self.execute(&format!(
            "SET LOCAL default_statistics_target = 20; ANALYZE {of}; SET LOCAL default_statistics_target TO DEFAULT"
        ))
        .await
        .map(drop)
    }

    /// Keeps what a query gives in a table of this transaction, and says how many rows that is.
    pub(super) async fn set_aside(&self, table: &str, query: &str) -> Result<u64, Error> {
        self.execute(&format!(
            "CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS {query}"
        ))
        .await
    }

    /// Lets go of what was set aside: a dry run does so more than once in a transaction.
    pub(super) async fn let_go(&self, table: &str) -> Result<(), Error> {
        self.execute(&format!("DROP TABLE {table}")).await.map(drop)
    }
}
