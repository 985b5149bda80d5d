//! Transactions and those who write at the same moment.

use super::samples::{data_revision, data_set, data_set_id, region};
use super::{Fresh, on_both};
use crate::domain::error::Error;
use crate::store::{Store, retrying};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

on_both!(
    rolls_back_when_dropped,
    reads_from_one_moment,
    refuses_to_write_while_reading,
    a_caller_that_goes_away_while_it_begins_leaves_nothing_begun,
    appends_without_gaps_from_16_writers,
    appends_without_gaps_from_several_servers,
);

async fn rolls_back_when_dropped(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_write().await.unwrap();
    tx.upsert_regions(&[region("411001", None)]).await.unwrap();
    assert_eq!(tx.regions().await.unwrap().len(), 1);
    drop(tx);
    let tx = store.begin_write().await.unwrap();
    assert_eq!(tx.regions().await.unwrap(), []);
    tx.upsert_regions(&[region("411002", None)]).await.unwrap();
    tx.commit().await.unwrap();
    let left = store.begin_read().await.unwrap().regions().await.unwrap();
    assert_eq!(left, [region("411002", None)]);
}

async fn reads_from_one_moment(database: Fresh) {
    let store = database.store().await;
    let reader = store.begin_read().await.unwrap();
    assert_eq!(reader.regions().await.unwrap(), []);
    let writer = store.begin_write().await.unwrap();
    writer.upsert_regions(&[region("411001", None)]).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(reader.regions().await.unwrap(), []);
    assert_eq!(
        store.begin_read().await.unwrap().regions().await.unwrap().len(),
        1
    );
}

async fn refuses_to_write_while_reading(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_read().await.unwrap();
    let refused = tx.upsert_regions(&[region("411001", None)]).await;
    assert!(matches!(refused, Err(Error::Internal { .. })), "{refused:?}");
}

/// Polls a future so many times, at most, and drops it.
async fn only_poll(future: impl Future, times: usize) {
    let mut future = pin!(future);
    for _ in 0..times {
        if poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn idle_in_transaction(store: &Store) -> i64 {
    if store.db.get_database_backend() != DbBackend::Postgres {
        return 0;
    }
    let count = "SELECT COUNT(*) AS count FROM pg_stat_activity \
         WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    let count = Statement::from_string(DbBackend::Postgres, count);
    let row = store.db.query_one_raw(count).await.unwrap();
    row.unwrap().try_get("", "count").unwrap()
}

async fn a_caller_that_goes_away_while_it_begins_leaves_nothing_begun(database: Fresh) {
    let store = database.store().await;
    let observer = database.connect().await;
    for polls in 0..150 {
        only_poll(store.begin_read(), polls % 75).await;
        only_poll(store.begin_posting(), polls % 75).await;
        // What was begun is ended when its connection is back: nobody else comes for that here.
        let until = Instant::now() + Duration::from_secs(20);
        while idle_in_transaction(&observer).await > 0 {
            assert!(Instant::now() < until, "a connection within nobody's transaction");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let tx = store.begin_write().await.unwrap();
    tx.upsert_regions(&[region("411001", None)]).await.unwrap();
    tx.commit().await.unwrap();
    let left = store.begin_read().await.unwrap().regions().await.unwrap();
    assert_eq!(left, [region("411001", None)]);
}

/// Appends a revision to data set `data`: what any import does.
async fn append(store: &Store) -> Result<(), Error> {
    retrying(|| async {
        let tx = store.begin_write().await?;
        let id = data_set_id("data");
        let newest = tx.data_set(&id).await?.map_or(0, |found| found.revision);
        tx.insert_data_set_revision(&data_revision("data", newest + 1, 1))
            .await?;
        tx.commit().await
    })
    .await
}

async fn check_revisions(store: &Store, expected: u32) {
    let tx = store.begin_read().await.unwrap();
    let revisions = tx
        .data_set_revisions(&data_set_id("data"), 0, 1000)
        .await
        .unwrap();
    let numbers: Vec<u32> = revisions.iter().map(|revision| revision.revision).collect();
    assert_eq!(numbers, (1..=expected).collect::<Vec<_>>());
}

async fn append_from(stores: Vec<Store>, each: u32) -> u32 {
    let tx = stores[0].begin_write().await.unwrap();
    tx.insert_data_set(&data_set("data")).await.unwrap();
    tx.commit().await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for store in &stores {
        let store = store.clone();
        writers.spawn(async move {
            for _ in 0..each {
                append(&store).await.unwrap();
            }
        });
    }
    let count = u32::try_from(writers.len()).unwrap();
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    count * each
}

async fn appends_without_gaps_from_16_writers(database: Fresh) {
    let store = database.store().await;
    let expected = append_from(vec![store.clone(); 16], 4).await;
    check_revisions(&store, expected).await;
}

/// Stores that know nothing of each other, as separate processes would have.
async fn appends_without_gaps_from_several_servers(database: Fresh) {
    let mut stores = vec![database.store().await];
    for _ in 1..6 {
        stores.push(database.connect().await);
    }
    let first = stores[0].clone();
    let expected = append_from(stores, 5).await;
    check_revisions(&first, expected).await;
}

#[tokio::test]
async fn gives_up_on_a_conflict_that_stays() {
    let tried = AtomicU32::new(0);
    let result: Result<(), Error> = retrying(|| async {
        tried.fetch_add(1, Ordering::Relaxed);
        Err(Error::Conflict {
            detail: "always".to_owned(),
        })
    })
    .await;
    assert!(matches!(result, Err(Error::Unavailable { .. })), "{result:?}");
    assert_eq!(tried.into_inner(), 10);
}

#[tokio::test]
async fn returns_other_errors_at_once() {
    let mut tried = 0;
    let result: Result<(), Error> = retrying(|| {
        tried += 1;
        async { Err(Error::internal("once")) }
    })
    .await;
    assert!(matches!(result, Err(Error::Internal { .. })), "{result:?}");
    assert_eq!(tried, 1);
}
