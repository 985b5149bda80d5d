//! The store: SQLite or PostgreSQL behind one set of queries. The only place that knows SQL.
//!
//! All work happens in a transaction, [`Tx`]. A use case begins one, loads, asks the domain, stores
//! and commits; [`retrying`] repeats the whole of it where another change came in between.

mod audit;
mod block;
mod catalog;
mod checkpoints;
mod claims;
mod convert;
mod copy;
mod data_sets;
mod entity;
mod erasure;
mod error;
mod formulas;
mod journal;
mod ledger;
#[cfg(target_os = "linux")]
mod nodelay;
mod observations;
mod options;
mod payments;
mod policies;
mod reads;
pub mod reconciliation;
mod requests;
mod retry;
mod runs;
mod simulations;
#[cfg(test)]
mod tests;
mod tokens;
mod writes;

pub use audit::StoredRecord;
pub use journal::StoredEntry;
pub use observations::ObservationFilter;
pub use options::StoreOptions;
pub use policies::RuleDocument;
pub use reads::{First, Found, Taken, Waiting};
pub use retry::retrying;
pub use writes::{ReadyWrites, Writes};

use crate::app::audit::Trail;
use crate::domain::error::Error;
use error::failed;
use sea_orm::{
    AccessMode, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

/// A pool of connections to one database; clones share it.
#[derive(Clone)]
pub struct Store {
    db: DatabaseConnection,
    /// Where writers connect: on SQLite by a connection of their own.
    writing: DatabaseConnection,
    /// SQLite has one writer at a time. Writers of this process queue here, in order: waiting inside
    /// SQLite is polling, and a writer that is out of luck there starves.
    writer: Option<Arc<Mutex<()>>>,
    acquire_timeout: Duration,
    /// Counts the commits of this process, so that who waits for a change need not ask the database often.
    commits: watch::Sender<u64>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({:?})", self.db.get_database_backend())
    }
}

/// Makes PostgreSQL look rows up by index (<https://www.postgresql.org/docs/current/runtime-config-query.html>).
const BY_KEY: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
     SET LOCAL plan_cache_mode = force_generic_plan";

impl Store {
    /// Connects; a SQLite file that does not exist is created. The schema is left as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where the URL is none, [`Error::Unavailable`] where the database does not answer.
    pub async fn connect(options: &StoreOptions) -> Result<Self, Error> {
        let db = Database::connect(options.to_connect_options()?)
            .await
            .map_err(error::not_connected)?;
        let sqlite = db.get_database_backend() == DbBackend::Sqlite;
        let writing = if sqlite && !options.in_memory() {
            Database::connect(options.to_writer_options()?)
                .await
                .map_err(error::not_connected)?
        } else {
            db.clone()
        };
        let writer = sqlite.then(Arc::default);
        let commits = watch::Sender::new(0);
        if sqlite && !options.in_memory() {
            tokio::spawn(checkpoints::keep(db.clone(), commits.subscribe()));
        }
        Ok(Self {
            db,
            writing,
            writer,
            acquire_timeout: options.acquire_timeout,
            commits,
        })
    }

    /// Applies the pending steps of the schema and says how many there were.
    ///
    /// Several servers may do this at the same moment: one of them applies a step, the others find it done.
    pub async fn migrate(&self) -> Result<u32, Error> {
        let _writer = self.writer_turn().await?;
        let before = migrations::pending(&self.db).await.map_err(failed)?;
        retrying(|| async {
            let left = migrations::pending(&self.db).await.map_err(failed)?;
            if left.is_empty() {
                return Ok(());
            }
            let Err(defect) = migrations::apply(&self.db).await else {
                return Ok(());
            };
            // Creating what another server has created meanwhile fails in many ways ("exists already",
            // a unique violation in the system's tables); what is left to do tells whether it was that.
            let now = migrations::pending(&self.db).await.map_err(failed)?;
            if now.len() < left.len() || error::exists_already(&defect) {
                return Err(Error::Conflict {
                    detail: defect.to_string(),
                });
            }
            Err(failed(defect))
        })
        .await?;
        Ok(u32::try_from(before.len()).unwrap_or(u32::MAX))
    }

    /// The names of the schema's steps that the database lacks; changes nothing.
    pub async fn pending(&self) -> Result<Vec<String>, Error> {
        migrations::pending(&self.db).await.map_err(failed)
    }

    /// Checks that the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.db.ping().await.map_err(failed)
    }

    /// Begins to read: everything read comes from one moment. A write is refused.
    pub async fn begin_read(&self) -> Result<Tx, Error> {
        let options = match self.db.get_database_backend() {
            DbBackend::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                sqlite_transaction_mode: None,
            },
            // SQLite's transactions read from one moment by themselves; it knows no other settings.
            _ => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
                ..TransactionOptions::default()
            },
        };
        let db = begin(&self.db, options).await?;
        Ok(Tx {
            db,
            mode: Mode::Read,
            trail: std::sync::Mutex::default(),
        })
    }

    /// Begins to write: the outcome is as if writers had come one after another.
    ///
    /// # Errors
    ///
    /// This and every use of the transaction may fail with [`Error::Conflict`]; see [`retrying`].
    pub async fn begin_write(&self) -> Result<Tx, Error> {
        let options = match self.db.get_database_backend() {
            DbBackend::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::Serializable),
                access_mode: Some(AccessMode::ReadWrite),
                sqlite_transaction_mode: None,
            },
            // A transaction that reads first and wants to write later would fail instead of waiting.
            _ => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            },
        };
        let writer = self.writer_turn().await?;
        let db = begin(&self.writing, options).await?;
        Ok(Tx {
            db,
            mode: self.write_mode(writer),
            trail: std::sync::Mutex::default(),
        })
    }

    /// Begins to post to the ledger. Every posting locks the end of its fund's journal first
    /// ([`Tx::fund_heads`]), so postings to a fund come one after another and each sees what those before
    /// it did; nothing is gained by the database watching for conflicts as well.
    pub async fn begin_posting(&self) -> Result<Tx, Error> {
        if self.db.get_database_backend() != DbBackend::Postgres {
            return self.begin_write().await;
        }
        let options = TransactionOptions {
            isolation_level: Some(IsolationLevel::ReadCommitted),
            access_mode: Some(AccessMode::ReadWrite),
            sqlite_transaction_mode: None,
        };
        let db = begin(&self.db, options).await?;
        // A posting looks up rows by their keys and nothing else. The planner takes the arrays that it is
        // given for long ones and would read whole tables instead, the more so the larger they are. The
        // settings end with the transaction.
        db.execute_unprepared(BY_KEY).await.map_err(failed)?;
        Ok(Tx {
            db,
            mode: self.write_mode(None),
            trail: std::sync::Mutex::default(),
        })
    }

    /// Begins to work on many rows by sets. What must not come together is kept apart by a row that the worker locks
    /// first; the database watching for conflicts on a million rows would only cost.
    pub async fn begin_bulk(&self) -> Result<Tx, Error> {
        if self.db.get_database_backend() != DbBackend::Postgres {
            return self.begin_write().await;
        }
        let options = TransactionOptions {
            isolation_level: Some(IsolationLevel::ReadCommitted),
            access_mode: Some(AccessMode::ReadWrite),
            sqlite_transaction_mode: None,
        };
        let db = begin(&self.db, options).await?;
        Ok(Tx {
            db,
            mode: self.write_mode(None),
            trail: std::sync::Mutex::default(),
        })
    }

    /// Whether a writer has the whole database to itself.
    pub fn has_one_writer(&self) -> bool {
        self.writer.is_some()
    }

    /// Closes every connection; waits for those in use.
    pub async fn close(self) {
        let writing = self.has_one_writer().then_some(self.writing);
        for db in writing.into_iter().chain([self.db]) {
            if let Err(defect) = db.close().await {
                tracing::warn!(error = %defect, "closing the store");
            }
        }
    }

    /// Whether the database is a server, so that every statement is a round trip.
    pub fn is_remote(&self) -> bool {
        self.db.get_database_backend() != DbBackend::Sqlite
    }

    /// Tells of every commit of this process, by a count.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    fn write_mode(&self, turn: Option<OwnedMutexGuard<()>>) -> Mode {
        Mode::Write {
            _turn: turn,
            commits: self.commits.clone(),
        }
    }

    async fn writer_turn(&self) -> Result<Option<OwnedMutexGuard<()>>, Error> {
        let Some(writer) = &self.writer else {
            return Ok(None);
        };
        tokio::time::timeout(self.acquire_timeout, Arc::clone(writer).lock_owned())
            .await
            .map(Some)
            .map_err(|_| Error::Unavailable {
                detail: "waited too long for other writers".to_owned(),
            })
    }
}

/// A transaction. It is rolled back when dropped; only [`Tx::commit`] keeps what it did.
///
/// After an error the transaction is of no more use: PostgreSQL refuses every further statement.
pub struct Tx {
    // Dropped in this order: the next writer's turn comes after the rollback is under way.
    db: DatabaseTransaction,
    mode: Mode,
    /// What it did, as far as it was told.
    trail: std::sync::Mutex<Trail>,
}

/// What a transaction may do. SQLite has no read-only transactions that it would enforce itself.
enum Mode {
    Read,
    Write {
        _turn: Option<OwnedMutexGuard<()>>,
        commits: watch::Sender<u64>,
    },
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tx")
    }
}

impl Tx {
    /// Keeps what the transaction did.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`]: nothing was kept. [`Error::Unavailable`]: the connection broke while
    /// committing, and whether the change was kept is not known; a repeated request with the same
    /// `request_id` finds out.
    pub async fn commit(self) -> Result<(), Error> {
        self.db.commit().await.map_err(failed)?;
        if let Mode::Write { commits, .. } = &self.mode {
            commits.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(())
    }

    /// The connection, for a statement that writes.
    fn writing(&self) -> Result<&DatabaseTransaction, Error> {
        match self.mode {
            Mode::Write { .. } => Ok(&self.db),
            Mode::Read => Err(Error::internal("a write in a transaction that reads")),
        }
    }
}

/// Begins a transaction. On PostgreSQL in a task of its own: whoever goes away while it begins would leave a connection
/// that is within a transaction and does not know it (sqlx 0.9 ends what was begun only once it knows that it was),
/// for the next one to fail on.
async fn begin(db: &DatabaseConnection, options: TransactionOptions) -> Result<DatabaseTransaction, Error> {
    if db.get_database_backend() != DbBackend::Postgres {
        return db.begin_with_options(options).await.map_err(failed);
    }
    let db = db.clone();
    let begun = tokio::spawn(async move { db.begin_with_options(options).await });
    begun.await.map_err(Error::internal)?.map_err(failed)
}
