//! Many rows into PostgreSQL by `COPY`, in its binary format
//! (<https://www.postgresql.org/docs/current/sql-copy.html>): a million rows cost a fraction of what they cost as
//! arrays. It has a transaction of its own.

use super::Store;
use super::error::failed;
use crate::domain::error::Error;
use sea_orm::sqlx::postgres::PgPoolCopyExt;
use sea_orm::{DbErr, RuntimeErr, SqlxError};
use std::sync::Arc;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Rows in the binary format.
pub(super) struct Rows(Vec<u8>);

impl Rows {
    /// No rows, with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut data = Vec::with_capacity(bytes + 64);
        data.extend_from_slice(SIGNATURE);
        // No flags, no further header.
        data.extend_from_slice(&[0; 8]);
        Self(data)
    }

    /// Begins a row of so many columns.
    pub(super) fn row(&mut self, columns: i16) {
        self.0.extend_from_slice(&columns.to_be_bytes());
    }

    /// A `bigint`.
    pub(super) fn int(&mut self, value: i64) {
        self.0.extend_from_slice(&8_i32.to_be_bytes());
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// A count as a `bigint`; none is above what a column holds.
    pub(super) fn number(&mut self, value: u64) {
        self.int(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// A `text`.
    pub(super) fn text(&mut self, value: &str) {
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value.as_bytes());
    }
}

impl Store {
    /// Copies rows into a table.
    pub(super) async fn copy(&self, table: &str, columns: &str, mut rows: Rows) -> Result<(), Error> {
        rows.0.extend_from_slice(&(-1_i16).to_be_bytes());
        let statement = format!("COPY {table} ({columns}) FROM STDIN WITH (FORMAT binary)");
        let pool = self.db.get_postgres_connection_pool();
        let mut copy = pool.copy_in_raw(&statement).await.map_err(broken)?;
        if let Err(lost) = copy.send(rows.0).await {
            return Err(broken(lost));
        }
        copy.finish().await.map_err(broken)?;
        Ok(())
    }
}

fn broken(error: SqlxError) -> Error {
    failed(DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error))))
}
