//! Moves what writers have put into SQLite's log to the database, beside the writers.
//!
//! A commit that finds the log long moves it, and everybody waits meanwhile: with a hundred pages a transaction that was
//! an eighth of the time. What is moved by another connection before holds nobody up
//! (<https://www.sqlite.org/wal.html>, "Checkpointing"). The log itself begins anew only where a writer finds all of it
//! moved; under load that is when its own limit is reached, and little is left to move.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use std::time::Duration;
use tokio::sync::watch;

/// Shortest time between two times: pages that are written again meanwhile are moved once.
const PAUSE: Duration = Duration::from_millis(100);

/// Moves the log's pages a while after each commit, until the store is gone.
pub(super) async fn keep(db: DatabaseConnection, mut commits: watch::Receiver<u64>) {
    while commits.changed().await.is_ok() {
        tokio::time::sleep(PAUSE).await;
        // Never waits for a reader or a writer; what it could not move, it moves the next time.
        if let Err(defect) = db.execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)").await {
            tracing::debug!(error = %defect, "the log was not moved");
            if db.ping().await.is_err() {
                return;
            }
        }
    }
}
