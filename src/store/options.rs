//! How to connect.

use crate::domain::error::{Error, Violation};
use sea_orm::ConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use std::fmt;
use std::time::Duration;

/// An idle connection older than this is asked whether it is still alive before it is used, so that
/// a fail-over of the database costs no request an error. Under load none is asked.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// Where the database is and how to use it.
#[derive(Clone)]
pub struct StoreOptions {
    /// `sqlite://path/to/file`, `sqlite::memory:` or `postgres://user:password@host:port/database`.
    pub url: String,
    /// Most connections at a time; at least 1. A database in memory has one only.
    pub max_connections: u32,
    /// How long a request waits for a connection, and on SQLite for its turn to write.
    pub acquire_timeout: Duration,
    /// Whether every statement goes to the log, at level `info`. Values are not logged.
    pub statement_log: bool,
}

/// Leaves the URL out: it may hold a password.
impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_log", &self.statement_log)
            .finish_non_exhaustive()
    }
}

/// Memory for a connection's pages between transactions, in KiB, with the minus sign that SQLite wants for it. Not more:
/// a commit behind a transaction that split pages goes through the whole cache (SQLite 3.51: `balance_nonroot` gives a
/// page the number of the lock byte's page for a moment, so that the commit believes the file to have become shorter).
const SQLITE_CACHE: &str = "-8192";
/// Pages that a transaction may have in memory before any is written out and read back: 32 MiB, in which a transaction
/// of a thousand claims fits.
const SQLITE_SPILL: &str = "8192";
/// Pages in the log before a writer itself moves them to the database, so that the log begins anew: 64 MiB. Most are
/// there by then ([`super::checkpoints`]).
const SQLITE_CHECKPOINT: &str = "16384";
/// Statements that a connection to SQLite keeps prepared: for each of some twenty that take rows, one for each
/// power of two up to 512 rows.
const SQLITE_STATEMENTS: usize = 256;

impl StoreOptions {
    /// The same for SeaORM.
    pub(super) fn to_connect_options(&self) -> Result<ConnectOptions, Error> {
        let sqlite = self.url.starts_with("sqlite:");
        let postgres = ["postgres:", "postgresql:"]
            .iter()
            .any(|scheme| self.url.starts_with(scheme));
        if !sqlite && !postgres {
            return Err(bad_url());
        }
        let mut options = ConnectOptions::new(self.url.clone());
        options
            .max_connections(self.max_connections.max(1))
            .acquire_timeout(self.acquire_timeout)
            .test_before_acquire_if_idle_for(TRUSTED_IDLE)
            .sqlx_logging(self.statement_log);
        if sqlite {
            let busy_timeout = self.acquire_timeout;
            options.map_sqlx_sqlite_opts(move |options| {
                options
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    // What is deleted or replaced is overwritten in its page, at no further writes: a person
                    // who was erased is not to be read from the file.
                    .pragma("secure_delete", "FAST")
                    .statement_cache_capacity(SQLITE_STATEMENTS)
                    .pragma("cache_size", SQLITE_CACHE)
                    .pragma("cache_spill", SQLITE_SPILL)
                    // What a statement of many rows would need to be undone by itself. In a file of its own, made and
                    // removed with each transaction, that is a third of all that is written.
                    .pragma("temp_store", "MEMORY")
                    .pragma("wal_autocheckpoint", SQLITE_CHECKPOINT)
                    .busy_timeout(busy_timeout)
            });
        }
        #[cfg(target_os = "linux")]
        if postgres {
            without_nagle(&mut options);
        }
        // A database in memory lives and dies with its connection.
        if sqlite && self.in_memory() {
            only_one(&mut options);
        }
        Ok(options)
    }

    /// How writers connect to a SQLite file: all of them by one connection. Each connection has a cache of its own, and
    /// forgets all of it once another has written; among the readers' connections, every transaction would begin by
    /// reading again what the one before it had written.
    pub(super) fn to_writer_options(&self) -> Result<ConnectOptions, Error> {
        let mut options = self.to_connect_options()?;
        only_one(&mut options);
        Ok(options)
    }

    pub(super) fn in_memory(&self) -> bool {
        self.url.contains(":memory:") || self.url.contains("mode=memory")
    }
}

/// Each connection that is made sends at once. One that cannot be told so still works.
#[cfg(target_os = "linux")]
fn without_nagle(options: &mut ConnectOptions) {
    use sea_orm::sqlx::postgres::PgConnectOptions;
    let Ok(parsed) = options.get_url().parse::<PgConnectOptions>() else {
        return;
    };
    if parsed.get_socket().is_some() {
        return;
    }
    let port = parsed.get_port();
    options.map_sqlx_postgres_pool_opts(move |pool| {
        pool.after_connect(move |_, _| {
            Box::pin(async move {
                let set = tokio::task::spawn_blocking(move || super::nodelay::send_at_once(port)).await;
                if let Ok(Err(error)) = set {
                    tracing::warn!(%error, "TCP_NODELAY cannot be set: long statements wait for acknowledgements");
                }
                Ok(())
            })
        })
    });
}

/// One connection, which stays.
fn only_one(options: &mut ConnectOptions) {
    options.max_connections(1).idle_timeout(None).max_lifetime(None);
}

/// The URL is not repeated: it may hold a password.
pub(super) fn bad_url() -> Error {
    Violation::new(
        "database.url",
        "(not shown)",
        "a URL such as sqlite://data/fund.db or postgres://user:password@host:5432/database",
        "形如 sqlite://data/fund.db 或 postgres://user:password@host:5432/database 的地址",
    )
    .into()
}
