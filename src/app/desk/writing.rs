//! Writing what was decided while more is decided.

use crate::domain::error::Error;
use crate::store::{Tx, Writes};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

type UnderWay<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// Writes of one transaction, carried out in their order while its later commands are decided on: so that the database
/// and this process are at work at the same time, rather than in turns.
///
/// Nothing else may ask the transaction before [`Writing::finish`]: it would wait for a write that nobody drives.
pub(super) struct Writing<'a> {
    tx: &'a Tx,
    waiting: VecDeque<Writes>,
    under_way: Option<UnderWay<'a>>,
}

impl<'a> Writing<'a> {
    /// Nothing yet.
    pub(super) const fn new(tx: &'a Tx) -> Self {
        Self {
            tx,
            waiting: VecDeque::new(),
            under_way: None,
        }
    }

    /// Adds what is to be written next, and lets it begin.
    pub(super) async fn push(&mut self, writes: Writes) -> Result<(), Error> {
        self.waiting.push_back(writes);
        self.go_on().await
    }

    /// Drives what is under way as far as it goes without waiting.
    pub(super) async fn go_on(&mut self) -> Result<(), Error> {
        loop {
            if self.under_way.is_none() {
                let Some(writes) = self.waiting.pop_front() else {
                    return Ok(());
                };
                self.under_way = Some(Box::pin(self.tx.write(writes)));
            }
            let Some(under_way) = &mut self.under_way else {
                return Ok(());
            };
            let now = poll_fn(|context| Poll::Ready(under_way.as_mut().poll(context))).await;
            let Poll::Ready(written) = now else {
                return Ok(());
            };
            self.under_way = None;
            written?;
        }
    }

    /// Waits until all is written.
    pub(super) async fn finish(&mut self) -> Result<(), Error> {
        if let Some(under_way) = self.under_way.take() {
            under_way.await?;
        }
        while let Some(writes) = self.waiting.pop_front() {
            self.tx.write(writes).await?;
        }
        Ok(())
    }
}
