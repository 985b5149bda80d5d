//! How statements over many rows are carried out on PostgreSQL, where that is left to us.
//!
//! Lines that have just come in have no statistics: the planner would look a million payments up one by one, or take the
//! whole of a table for a page. And it lets several processors work on `CREATE TABLE AS` and not on `INSERT`
//! (<https://www.postgresql.org/docs/current/when-can-parallel-query-be-used.html>), so what many rows come to is set
//! aside first. SQLite has neither choice; there nothing is done here.

use super::super::Tx;
use crate::domain::error::Error;

/// How a statement is to find its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Everything at once: joins in memory, on all processors that the server grants.
    Sets,
    /// A few rows, each by its key.
    Keys,
    /// As the planner sees fit.
    Free,
}

/// Rows from which on reading everything at once is better than looking rows up.
pub(super) const MANY: u64 = 20_000;

impl Tx {
    /// Has the statements that follow find their rows in a way. It ends with the transaction.
    pub(super) async fn find_by(&self, way: Way) -> Result<(), Error> {
        if !self.by_sets() {
            return Ok(());
        }
        let settings = match way {
            Way::Sets => {
                "SET LOCAL enable_nestloop = off; SET LOCAL parallel_tuple_cost = 0; SET LOCAL jit = off; \
                 SET LOCAL work_mem = '256MB'"
            }
            Way::Keys => "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off",
            Way::Free => {
                "SET LOCAL enable_nestloop TO DEFAULT; SET LOCAL parallel_tuple_cost TO DEFAULT; \
                 SET LOCAL jit TO DEFAULT; SET LOCAL work_mem TO DEFAULT; \
                 SET LOCAL enable_hashjoin TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT"
            }
        };
        self.execute(settings).await.map(drop)
    }

    /// Keeps what a query gives in a table of this transaction, and says how many rows that is. PostgreSQL only.
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
