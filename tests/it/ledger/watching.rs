//! Those who watch a fund: everything, in order, once, and on from where they were.

use super::{line, office};
use crate::harness::{Client, Engine, World, limits, refusal, refused, stories};
use incentive_fund::grpc::pb;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use std::time::{Duration, Instant};
use tonic::{Code, Status, Streaming};

stories!(
    changes_come_in_order_and_live,
    a_watcher_goes_on_from_its_cursor,
    changes_of_another_server_come,
    a_watch_outlives_the_timeout_of_calls,
    a_watch_ends_when_the_server_stops,
    many_watch_while_many_post,
    a_watch_holds_no_transaction,
);

async fn watch(client: &mut Client, fund: &str, after: u64) -> Streaming<pb::WatchChangesResponse> {
    let request = pb::WatchChangesRequest {
        fund: format!("funds/{fund}"),
        after,
    };
    client.ledger.watch_changes(request).await.unwrap().into_inner()
}

/// The next changes, at least `count` of them.
async fn next(watch: &mut Streaming<pb::WatchChangesResponse>, count: usize) -> Vec<pb::Change> {
    let mut found = Vec::new();
    while found.len() < count {
        let answer = tokio::time::timeout(Duration::from_secs(20), watch.message());
        let answer = answer.await.expect("a change in time").unwrap().expect("no end");
        assert!(!answer.changes.is_empty());
        found.extend(answer.changes);
    }
    found
}

async fn changes_come_in_order_and_live(world: World) {
    let (server, mut maker, mut checker, allocation) = office(&world).await;
    let mut watcher = watch(&mut maker, "f", 0).await;
    let first = next(&mut watcher, 2).await;
    let kinds: Vec<(u64, &str, &str, &str, &str)> = (first.iter())
        .map(|c| (c.number, &*c.kind, &*c.resource, &*c.state, &*c.amount))
        .collect();
    assert_eq!(
        kinds,
        [
            (1, "ledger.receive", "funds/f/entries/1", "posted", "100000000.00"),
            (2, "allocation.issued", &*allocation.name, "issued", "80000000.00"),
        ]
    );
    assert_eq!(first[0].note, "豫财预〔2024〕101号");
    assert_eq!(first[0].made.as_ref().unwrap().principal, "编制人");
    // What comes now comes at once: it is not asked for every 200 ms.
    let mut slowest = Duration::ZERO;
    for number in 3..13_u64 {
        let lines = vec![line("411081", &format!("p{number}"), "1.00")];
        checker.assign("f", lines).await.unwrap();
        let begun = Instant::now();
        let change = next(&mut watcher, 1).await;
        slowest = slowest.max(begun.elapsed());
        assert_eq!((change[0].number, &*change[0].kind), (number, "ledger.assign"));
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    // Refused and dry ones tell nothing.
    refused(checker.surrender("f", "99000000.00").await);
    maker.reverse("f", 11).await.unwrap();
    let change = next(&mut watcher, 1).await;
    assert_eq!((change[0].number, &*change[0].kind), (13, "ledger.reverse"));
    drop(watcher);
    server.stop().await;
}

async fn a_watcher_goes_on_from_its_cursor(world: World) {
    let (server, mut maker, _, _) = office(&world).await;
    let many = (0..1_500).map(|n| line("411082", &format!("p{n}"), "0.01"));
    maker.assign("f", many.collect()).await.unwrap();
    let mut all = next(&mut watch(&mut maker, "f", 0).await, 1_502).await;
    assert!(all.iter().map(|change| change.number).eq(1..=1_502));
    let rest = next(&mut watch(&mut maker, "f", 1_000).await, 502).await;
    assert_eq!(rest, all.split_off(1_000));
    let request = pb::WatchChangesRequest {
        fund: "funds/f".to_owned(),
        after: 1_503,
    };
    refused(maker.ledger.watch_changes(request).await).names("after");
    let mut at_the_end = watch(&mut maker, "f", 1_502).await;
    maker.receive("f", "1.00").await.unwrap();
    assert_eq!(next(&mut at_the_end, 1).await[0].number, 1_503);
    drop(at_the_end);
    server.stop().await;
}

async fn changes_of_another_server_come(world: World) {
    let (one, mut maker, _, _) = office(&world).await;
    let other = world.serve().await;
    let mut watcher = watch(&mut maker, "f", 2).await;
    let mut elsewhere = other.client("出纳").await;
    elsewhere.receive("f", "1.00").await.unwrap();
    let change = next(&mut watcher, 1).await;
    assert_eq!((change[0].number, &*change[0].kind), (3, "ledger.receive"));
    drop(watcher);
    other.stop().await;
    one.stop().await;
}

async fn a_watch_outlives_the_timeout_of_calls(world: World) {
    let server = world
        .serve_within(incentive_fund::grpc::server::Limits {
            call_timeout: Duration::from_secs(2),
            ..limits()
        })
        .await;
    let mut client = server.client("出纳").await;
    client.receive("f", "1.00").await.unwrap();
    let mut watcher = watch(&mut client, "f", 1).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    client.receive("f", "1.00").await.unwrap();
    assert_eq!(next(&mut watcher, 1).await[0].number, 2);
    drop(watcher);
    server.stop().await;
}

async fn end(watch: &mut Streaming<pb::WatchChangesResponse>) -> Status {
    loop {
        match watch.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("ended as if that were all"),
            Err(status) => return status,
        }
    }
}

async fn a_watch_ends_when_the_server_stops(world: World) {
    let server = world.serve().await;
    let mut client = server.client("出纳").await;
    client.receive("f", "1.00").await.unwrap();
    let mut watcher = watch(&mut client, "f", 0).await;
    next(&mut watcher, 1).await;
    let begun = Instant::now();
    let stopping = server.stopping();
    let refusal = refusal(&end(&mut watcher).await);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::Unavailable, "SERVER_STOPPING")
    );
    assert!(refusal.retry_after.is_some());
    stopping.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // And on with the next server.
    let server = world.serve().await;
    let mut client = server.client("出纳").await;
    let mut watcher = watch(&mut client, "f", 1).await;
    client.receive("f", "2.00").await.unwrap();
    assert_eq!(next(&mut watcher, 1).await[0].amount, "2.00");
    drop(watcher);
    server.stop().await;
}

async fn many_watch_while_many_post(world: World) {
    const POSTERS: usize = 8;
    const POSTS: usize = 20;
    let server = world.serve().await;
    let mut client = server.client("出纳").await;
    client.receive("f", "1.00").await.unwrap();
    let mut watchers = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let mut client = server.client("监管").await;
        watchers.spawn(async move {
            let mut watcher = watch(&mut client, "f", 0).await;
            next(&mut watcher, 1 + POSTERS * POSTS).await
        });
    }
    let mut posters = tokio::task::JoinSet::new();
    for poster in 0..POSTERS {
        let mut client = server.client(&format!("出纳{poster}")).await;
        posters.spawn(async move {
            for _ in 0..POSTS {
                client.receive("f", "1.00").await.unwrap();
            }
        });
    }
    posters.join_all().await;
    for seen in watchers.join_all().await {
        assert!(
            seen.iter()
                .map(|change| change.number)
                .eq(1..=(1 + POSTERS * POSTS) as u64)
        );
    }
    client.verifies("f").await;
    server.stop().await;
}

async fn a_watch_holds_no_transaction(world: World) {
    let server = world.serve().await;
    let mut client = server.client("出纳").await;
    client.receive("f", "1.00").await.unwrap();
    let mut watcher = watch(&mut client, "f", 1).await;
    let engine = if world.url.starts_with("sqlite") {
        Engine::Sqlite
    } else {
        Engine::Postgres
    };
    if engine == Engine::Postgres {
        let db = Database::connect(&world.url).await.unwrap();
        let statement = Statement::from_string(
            DbBackend::Postgres,
            "SELECT COUNT(*) AS open FROM pg_stat_activity WHERE datname = current_database() \
             AND state LIKE 'idle in transaction%' AND now() - xact_start > interval '1 second'",
        );
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i64>("", "open").unwrap(), 0);
        db.close().await.unwrap();
    } else {
        // The write-ahead log can be taken over into the database whole: nobody reads an old state of it.
        let db = Database::connect(&world.url).await.unwrap();
        let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let row = db.query_one_raw(statement.clone()).await.unwrap().unwrap();
            if row.try_get::<i64>("", "busy").unwrap() == 0 {
                break;
            }
            assert!(Instant::now() < deadline, "the log stays in use");
        }
        db.close().await.unwrap();
    }
    client.receive("f", "1.00").await.unwrap();
    assert_eq!(next(&mut watcher, 1).await[0].number, 2);
    drop(watcher);
    server.stop().await;
}
