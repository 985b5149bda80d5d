//! Streams of messages that are each a mutation of their own: read ahead, carried out side by side,
//! answered in order.

use super::gate::Gate;
use super::status::to_status;
use crate::domain::error::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// Messages of one stream that are worked on at a time; a caller that sends faster waits.
const AHEAD: usize = 8;

/// The answers to a stream.
pub(super) type Answers<A> = ReceiverStream<Result<A, Status>>;

/// Answers each message of `incoming` with what `work` makes of it, in order. The first failure ends the
/// stream, and so does the server when it stops; what was begun is carried to its end, even when the caller
/// goes away.
pub(super) fn answer_each<M, A, F, Fut>(gate: Gate, mut incoming: Streaming<M>, work: F) -> Answers<A>
where
    M: Send + 'static,
    A: Send + 'static,
    F: Fn(M) -> Fut + Send + 'static,
    Fut: Future<Output = Result<A, Error>> + Send + 'static,
{
    let (begun, mut begin) = mpsc::channel::<Result<JoinHandle<Result<A, Error>>, Status>>(AHEAD);
    let (answer, answers) = mpsc::channel(AHEAD);
    let spawner = gate.clone();
    tokio::spawn(async move {
        loop {
            // A place in the queue first: so many messages are in memory, and no more.
            let Ok(place) = begun.reserve().await else { return };
            let message = tokio::select! {
                message = incoming.message() => message,
                stopped = spawner.stopped() => Err(stopped),
            };
            match message {
                Ok(Some(message)) => place.send(Ok(spawner.spawn(work(message)))),
                Ok(None) => return,
                Err(broken) => return place.send(Err(broken)),
            }
        }
    });
    tokio::spawn(async move {
        while let Some(task) = begin.recv().await {
            let result = match task {
                Ok(task) => match task.await {
                    Ok(result) => result.map_err(to_status),
                    Err(join) => Err(to_status(Error::internal(join))),
                },
                Err(broken) => Err(broken),
            };
            let failed = result.is_err();
            if answer.send(result).await.is_err() || failed {
                return;
            }
        }
    });
    ReceiverStream::new(answers)
}
