//! The sealer: puts records into the chain of what has no fund, those of many callers in one transaction.

use crate::domain::audit::{ChainName, Record};
use crate::domain::error::Error;
use crate::store::{Store, retrying};
use std::sync::OnceLock;
use tokio::sync::{mpsc, oneshot};

/// Requests that wait at most; callers beyond wait for a place.
const QUEUE: usize = 4_096;
/// Records that go into one transaction.
const AT_ONCE: usize = 1_000;

/// The queue before the sealer.
#[derive(Debug, Default)]
pub(in crate::app) struct Sealer {
    queue: OnceLock<mpsc::Sender<Job>>,
}

/// What is to be sealed: a record of its own, or what is pending in the store.
#[derive(Debug)]
struct Job {
    record: Option<Record>,
    reply: oneshot::Sender<Result<(), Error>>,
}

impl Sealer {
    /// Puts a record into the chain.
    pub(in crate::app) async fn record(&self, store: &Store, record: Record) -> Result<(), Error> {
        self.call(store, Some(record)).await
    }

    /// Puts what is pending into the chain.
    pub(in crate::app) async fn seal(&self, store: &Store) -> Result<(), Error> {
        self.call(store, None).await
    }

    async fn call(&self, store: &Store, record: Option<Record>) -> Result<(), Error> {
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            tokio::spawn(serve(store.clone(), receiver));
            sender
        });
        let (reply, answer) = oneshot::channel();
        let gone = || Error::internal("the sealer broke off");
        queue.send(Job { record, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Takes what has come in, and carries it out together.
async fn serve(store: Store, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::new();
    while queue.recv_many(&mut jobs, AT_ONCE).await > 0 {
        let (records, replies): (Vec<_>, Vec<_>) = jobs.drain(..).map(|job| (job.record, job.reply)).unzip();
        let records: Vec<Record> = records.into_iter().flatten().collect();
        let result = retrying(|| seal(&store, &records)).await;
        for reply in replies {
            // A caller that has gone away does not want its answer.
            let _ = reply.send(result.clone());
        }
    }
}

/// What is pending first, by the time that it was stored, then `records`.
async fn seal(store: &Store, records: &[Record]) -> Result<(), Error> {
    let chain = ChainName::general();
    loop {
        let tx = store.begin_posting().await?;
        let mut head = tx.general_audit_head().await?;
        let before = head.records;
        let pending = tx.pending_records(AT_ONCE).await?;
        let all = pending.len() < AT_ONCE;
        let (ids, waiting): (Vec<String>, Vec<Record>) = pending.into_iter().unzip();
        let new = if all { records } else { &[] };
        let chained: Vec<_> = waiting
            .into_iter()
            .chain(new.iter().cloned())
            .map(|record| head.chain(&chain, record))
            .collect();
        if head.records > before {
            tx.insert_audit_records(&[(&chain, chained.as_slice())]).await?;
            tx.delete_pending_records(&ids).await?;
            tx.update_general_audit_head(&head).await?;
            tx.commit().await?;
        }
        if all {
            return Ok(());
        }
    }
}
