//! A watch of a reconciliation, as long as it runs and its caller may see it.

use super::super::convert::reconciliation::from_job;
use super::super::gate::Call;
use super::super::pb;
use crate::app::App;
use crate::app::reconciliation::records::Job;
use crate::domain::error::Error;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tonic::Status;

/// Longest wait of a watcher before it asks again: other servers may write to the same database.
const WATCH_EVERY: Duration = Duration::from_millis(200);
/// How often it is seen whether a watcher may still watch.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Tells what a job has come to whenever that changes, until the job is over.
pub(super) async fn watch(
    app: App,
    call: Call,
    number: u64,
    sender: mpsc::Sender<Result<pb::WatchReconciliationResponse, Status>>,
) -> Result<(), Error> {
    let mut commits = app.store().commits();
    let mut told: Option<Job> = None;
    let mut looked = Instant::now();
    loop {
        // What is committed from here on wakes the wait below.
        commits.mark_unchanged();
        if looked.elapsed() >= LOOK_AGAIN {
            call.still().await?;
            looked = Instant::now();
        }
        let job = app.reconciliation(number).await?;
        let over = job.state.is_over();
        if told.as_ref().is_none_or(|told| told.version != job.version) {
            let message = pb::WatchReconciliationResponse {
                reconciliation: Some(from_job(&job)?),
            };
            if sender.send(Ok(message)).await.is_err() {
                return Ok(());
            }
            told = Some(job);
        }
        if over {
            return Ok(());
        }
        // Either way it is time to look again.
        let _ = tokio::time::timeout(WATCH_EVERY, commits.changed()).await;
    }
}
