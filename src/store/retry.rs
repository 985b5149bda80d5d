//! Trying again after a conflict.

use crate::domain::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Most attempts; with the waits between them, about two seconds.
const ATTEMPTS: u32 = 10;
/// The first wait is up to this long; each further one up to twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(8);
/// No wait is longer.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Runs `attempt`, and again after a pause of random length while it fails with [`Error::Conflict`].
///
/// An attempt begins its own transaction and reads anew all that it decides on: what it read before
/// is what changed. Any other error is returned at once.
///
/// # Errors
///
/// What `attempt` returns; [`Error::Unavailable`] where it still meets conflicts after 10 attempts.
pub async fn retrying<T, F, Fut>(mut attempt: F) -> Result<T, Error>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Error>>,
{
    let mut bound = FIRST_WAIT;
    for tried in 1.. {
        let detail = match attempt().await {
            Err(Error::Conflict { detail }) => detail,
            decided => return decided,
        };
        if tried == ATTEMPTS {
            return Err(Error::Unavailable {
                detail: format!("gave up after {ATTEMPTS} attempts: {detail}"),
            });
        }
        tracing::debug!(tried, detail, "conflict, trying again");
        tokio::time::sleep(random_below(bound)).await;
        bound = (bound * 2).min(LONGEST_WAIT);
    }
    // The loop has no other end.
    Err(Error::internal("no attempt was made"))
}

/// A random part of `bound`, so that those who collided once do not collide again.
fn random_below(bound: Duration) -> Duration {
    // Every RandomState has other keys; hashing nothing gives a random number without another crate.
    let random = RandomState::new().hash_one(());
    let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX).max(1);
    Duration::from_nanos(random % nanos)
}
