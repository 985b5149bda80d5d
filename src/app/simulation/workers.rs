//! Threads that compute: as many at a time as configured, results in order, and an end as soon as nobody
//! waits for them.
//!
//! The threads of a call share one plan, so they live within the call ([`std::thread::scope`]). Thread `t` of
//! `n` computes pieces `t`, `t + n`, and so on, and hands each over a channel with room for one; whoever collects
//! them takes from the channels in turn. So the order, and with it every byte, is the same for any number of
//! threads, and what is in memory is bounded by the number of threads.

use crate::domain::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a thread that waits looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(10);

/// Threads that compute at a time, over all calls.
#[derive(Debug)]
pub(super) struct Workers {
    threads: usize,
    free: Mutex<usize>,
    freed: Condvar,
    computing: AtomicUsize,
}

/// A turn to compute.
struct Turn<'w>(&'w Workers);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.lock() += 1;
        self.0.freed.notify_one();
    }
}

/// A thread that is there.
struct Present<'w>(&'w AtomicUsize);

impl<'w> Present<'w> {
    fn new(count: &'w AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Why a computation ended early.
#[derive(Debug, Clone)]
pub enum Ended {
    /// Nobody waits for the result any more.
    Cancelled,
    /// It failed.
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Ended> for Error {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Failed(error) => error,
            // Whoever would read it has gone.
            Ended::Cancelled => Self::Unavailable {
                detail: "cancelled".to_owned(),
            },
        }
    }
}

impl Workers {
    pub(super) fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self {
            threads,
            free: Mutex::new(threads),
            freed: Condvar::new(),
            computing: AtomicUsize::new(0),
        })
    }

    /// Threads that exist for computations now, whether they compute or wait.
    pub(super) fn computing(&self) -> usize {
        self.computing.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        // A count is whole whatever happened to who held it.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn to compute; none where the call is cancelled before.
    fn turn(&self, cancel: &CancellationToken) -> Option<Turn<'_>> {
        let mut free = self.lock();
        loop {
            if cancel.is_cancelled() {
                return None;
            }
            if *free > 0 {
                *free -= 1;
                return Some(Turn(self));
            }
            free = self
                .freed
                .wait_timeout(free, LOOK)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Computes something that is one piece, on this thread.
    pub(super) fn alone<T>(
        &self,
        cancel: &CancellationToken,
        work: impl FnOnce() -> Result<T, Ended>,
    ) -> Result<T, Ended> {
        let _present = Present::new(&self.computing);
        let _turn = self.turn(cancel).ok_or(Ended::Cancelled)?;
        work()
    }

    /// Computes pieces `0..pieces` and gives each to `collect`, in order.
    ///
    /// `worker` makes what a thread computes with; it gives a piece by its number, or nothing where it was cancelled.
    pub(super) fn in_order<T: Send, W: FnMut(u64) -> Option<T>>(
        &self,
        pieces: u64,
        cancel: &CancellationToken,
        worker: impl Fn() -> W + Sync,
        mut collect: impl FnMut(T) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        let threads = self
            .threads
            .min(usize::try_from(pieces).unwrap_or(usize::MAX))
            .max(1);
        // Ends the threads of this call, however it ends.
        let ending = cancel.child_token();
        let guard = ending.clone().drop_guard();
        std::thread::scope(|scope| {
            let mut channels: Vec<Receiver<T>> = Vec::with_capacity(threads);
            for first in 0..threads {
                let (sender, receiver) = sync_channel(1);
                channels.push(receiver);
                let (worker, ending) = (&worker, ending.clone());
                scope.spawn(move || {
                    let _present = Present::new(&self.computing);
                    let step = threads as u64;
                    self.pieces(first as u64, step, pieces, &ending, worker(), &sender);
                });
            }
            let collected = (|| {
                for (piece, channel) in (0..pieces).zip(channels.iter().cycle()) {
                    collect(receive(channel, cancel, piece)?)?;
                }
                Ok(())
            })();
            // A thread that has a piece that nobody takes must not wait for it to be taken.
            drop(guard);
            drop(channels);
            collected
        })
    }

    fn pieces<T>(
        &self,
        first: u64,
        step: u64,
        pieces: u64,
        ending: &CancellationToken,
        mut worker: impl FnMut(u64) -> Option<T>,
        sender: &SyncSender<T>,
    ) {
        let mut piece = first;
        while piece < pieces {
            let Some(turn) = self.turn(ending) else { return };
            let Some(computed) = worker(piece) else { return };
            drop(turn);
            if sender.send(computed).is_err() {
                return;
            }
            piece += step;
        }
    }
}

fn receive<T>(channel: &Receiver<T>, cancel: &CancellationToken, piece: u64) -> Result<T, Ended> {
    loop {
        match channel.recv_timeout(LOOK) {
            Ok(computed) => return Ok(computed),
            Err(_) if cancel.is_cancelled() => return Err(Ended::Cancelled),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::internal(format!("piece {piece} was not computed")).into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn pieces_come_in_order_from_any_number_of_threads() {
        for threads in [1, 2, 8] {
            let workers = Workers::new(threads);
            let mut seen = Vec::new();
            let cancel = CancellationToken::new();
            let collect = |piece: u64| {
                seen.push(piece);
                Ok(())
            };
            workers
                .in_order(100, &cancel, || |piece| Some(piece * piece), collect)
                .unwrap();
            assert_eq!(seen, (0..100).map(|piece| piece * piece).collect::<Vec<_>>());
            assert_eq!(workers.computing(), 0);
        }
    }

    #[test]
    fn a_failure_or_a_cancellation_ends_all_threads() {
        let workers = Workers::new(4);
        let cancel = CancellationToken::new();
        let mut taken = 0;
        let begun = Instant::now();
        let ended = workers.in_order(
            1_000_000,
            &cancel,
            || {
                |piece| {
                    std::thread::sleep(Duration::from_millis(1));
                    Some(piece)
                }
            },
            |_| {
                taken += 1;
                if taken == 20 {
                    cancel.cancel();
                }
                Ok(())
            },
        );
        assert!(matches!(ended, Err(Ended::Cancelled)), "{ended:?}");
        let failing = CancellationToken::new();
        let ended = workers.in_order(
            1_000_000,
            &failing,
            || Some,
            |_| Err(Ended::Failed(Error::internal("full"))),
        );
        assert!(matches!(ended, Err(Ended::Failed(_))), "{ended:?}");
        assert_eq!(workers.computing(), 0);
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}
