//! Writing what was decided while more is decided.

use crate::domain::error::Error;
use crate::store::{ReadyWrites, Tx, Writes};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Writes of one transaction, carried out in their order by a task of their own while its later commands are decided
/// on: so that the database and this process are at work at the same time, rather than in turns.
///
/// Nothing else may ask the transaction between [`Writing::push`] and [`Writing::finish`]: it would come between two
/// writes. Dropped, it leaves off; the transaction is rolled back.
pub(super) struct Writing {
    tx: Arc<Tx>,
    queue: Option<mpsc::UnboundedSender<ReadyWrites>>,
    /// The task, or none.
    task: JoinSet<Result<(), Error>>,
}

impl Writing {
    /// Nothing yet.
    pub(super) fn new(tx: &Arc<Tx>) -> Self {
        Self {
            tx: Arc::clone(tx),
            queue: None,
            task: JoinSet::new(),
        }
    }

    /// Whether anything is being written.
    pub(super) const fn has_begun(&self) -> bool {
        self.queue.is_some()
    }

    /// Adds what is to be written next, and goes on at once.
    ///
    /// # Errors
    ///
    /// What has become of an earlier write.
    pub(super) async fn push(&mut self, writes: Writes) -> Result<(), Error> {
        let queue = self.queue.get_or_insert_with(|| {
            let (queue, mut waiting) = mpsc::unbounded_channel();
            let tx = Arc::clone(&self.tx);
            self.task.spawn(async move {
                while let Some(writes) = waiting.recv().await {
                    tx.carry_out(writes).await?;
                }
                Ok(())
            });
            queue
        });
        if queue.send(self.tx.make_ready(writes)).is_ok() {
            return Ok(());
        }
        self.finish().await?;
        Err(Error::internal("writing left off"))
    }

    /// Waits until all is written.
    pub(super) async fn finish(&mut self) -> Result<(), Error> {
        self.queue = None;
        while let Some(done) = self.task.join_next().await {
            done.map_err(Error::internal)??;
        }
        Ok(())
    }
}
