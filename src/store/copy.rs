//! Many rows into PostgreSQL by `COPY`, in its binary format
//! (<https://www.postgresql.org/docs/current/sql-copy.html>): a million rows cost a fraction of what they cost as
//! arrays.

use super::Store;
use super::error::failed;
use crate::domain::error::Error;
use sea_orm::sqlx::{Executor as _, PgPool};
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

/// Rows for a table: its name, its columns, and the rows.
pub(super) type Copy = (&'static str, &'static str, Rows);

impl Store {
    /// Copies rows into tables, in a transaction of its own that does not wait for the disk: they are on it at the
    /// latest when a later transaction is that waits. So these must be rows that count for nothing until then.
    pub(super) async fn copy<const N: usize>(&self, tables: [Copy; N]) -> Result<(), Error> {
        let pool = self.db.get_postgres_connection_pool().clone();
        // A task of its own, for the reason that `begin` has one.
        let copied = tokio::spawn(async move { copy(&pool, tables).await });
        copied.await.map_err(Error::internal)?.map_err(broken)
    }
}

async fn copy<const N: usize>(pool: &PgPool, tables: [Copy; N]) -> Result<(), SqlxError> {
    let mut tx = pool.begin().await?;
    tx.execute("SET LOCAL synchronous_commit = off").await?;
    for (table, columns, mut rows) in tables {
        rows.0.extend_from_slice(&(-1_i16).to_be_bytes());
        let statement = format!("COPY {table} ({columns}) FROM STDIN WITH (FORMAT binary)");
        let mut copy = tx.copy_in_raw(&statement).await?;
        copy.send(rows.0).await?;
        copy.finish().await?;
    }
    tx.commit().await
}

fn broken(error: SqlxError) -> Error {
    failed(DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error))))
}
