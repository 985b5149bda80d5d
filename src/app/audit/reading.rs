//! Reading the log.

use crate::app::App;
use crate::domain::audit::{ChainName, Chained, Outcome};
use crate::domain::error::Error;

/// Which records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only of this chain.
    pub chain: Option<ChainName>,
    /// Only of this person.
    pub by: Option<String>,
    /// Only of this method.
    pub action: Option<String>,
    /// Only of this resource; also where a record counts many and it is one of them.
    pub resource: Option<String>,
    /// Only of this request.
    pub request_id: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Not before this time.
    pub from: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
}

/// A place in the log: after the record of a chain with a number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPosition {
    /// The chain; empty for before the first.
    pub chain: String,
    /// The number.
    pub number: u64,
}

impl AuditPosition {
    /// After a record.
    pub fn after(chain: &ChainName, record: &Chained) -> Self {
        Self {
            chain: chain.as_str().to_owned(),
            number: record.number,
        }
    }
}

impl App {
    /// At most `limit` records after a position, by chain and number.
    pub async fn audit_records(
        &self,
        filter: &AuditFilter,
        after: &AuditPosition,
        limit: u64,
    ) -> Result<Vec<(ChainName, Chained)>, Error> {
        let tx = self.store().begin_read().await?;
        tx.audit_records(filter, after, limit).await
    }
}
