//! Connecting, the schema, and a database out of reach.

use super::{Fresh, on_both, options};
use crate::domain::error::Error;
use crate::store::{Store, StoreOptions};
use sea_orm::{ConnectionTrait, Statement};
use std::time::Duration;

on_both!(
    applies_the_schema_once,
    lets_several_servers_apply_the_schema,
    works_on_the_schema_of_a_newer_release,
    waits_only_so_long_for_a_connection,
);

async fn applies_the_schema_once(database: Fresh) {
    let store = database.connect().await;
    store.ping().await.unwrap();
    let pending = store.pending().await.unwrap();
    assert!(pending.is_sorted(), "{pending:?}");
    assert_eq!(pending[0], "m0001_regions_and_indicators");
    assert_eq!(store.pending().await.unwrap(), pending, "looking changes nothing");
    assert_eq!(store.migrate().await.unwrap() as usize, pending.len());
    assert_eq!(store.pending().await.unwrap(), Vec::<String>::new());
    assert_eq!(store.migrate().await.unwrap(), 0);
    store.close().await;
}

async fn lets_several_servers_apply_the_schema(database: Fresh) {
    let mut servers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let store = database.connect().await;
        servers.spawn(async move {
            store.migrate().await.unwrap();
            store.pending().await.unwrap()
        });
    }
    while let Some(pending) = servers.join_next().await {
        assert_eq!(pending.unwrap(), Vec::<String>::new());
    }
}

async fn works_on_the_schema_of_a_newer_release(database: Fresh) {
    let store = database.store().await;
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_newer', 0)";
    store.db.execute_unprepared(newer).await.unwrap();
    assert_eq!(store.pending().await.unwrap(), Vec::<String>::new());
    assert_eq!(store.migrate().await.unwrap(), 0);
}

async fn waits_only_so_long_for_a_connection(mut database: Fresh) {
    database.options.max_connections = 1;
    database.options.acquire_timeout = Duration::from_millis(200);
    let store = database.store().await;
    let held = store.begin_write().await.unwrap();
    let refused = store.begin_write().await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    if store.has_one_writer() {
        // SQLite's writers have a connection of their own, and never keep readers out.
        drop(store.begin_read().await.unwrap());
        drop(held);
    }
    let _held = store.begin_read().await;
    let refused = store.begin_read().await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
}

/// Text that rows are ordered by must not follow a language's order.
#[tokio::test]
async fn orders_keys_bytewise_on_postgres() {
    let database = Fresh::postgres().await;
    let store = database.store().await;
    let keys = "SELECT table_name || '.' || column_name AS name FROM information_schema.columns \
                WHERE table_schema = 'public' AND collation_name = 'C' ORDER BY 1";
    let statement = Statement::from_string(store.db.get_database_backend(), keys);
    let rows = store.db.query_all_raw(statement).await.unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.try_get("", "name").unwrap()).collect();
    for key in [
        "allocation.id",
        "allocation_line.allocation",
        "allocation_line.region",
        "data_set.id",
        "data_set_revision.data_set",
        "formula_revision.id",
        "indicator.code",
        "observation.data_set",
        "observation.indicator",
        "observation.region",
        "region.code",
        "request.principal",
        "request.request_id",
    ] {
        assert!(
            names.iter().any(|name| name == key),
            "{key} is not among {names:?}"
        );
    }
}

#[tokio::test]
async fn keeps_a_database_in_memory_on_one_connection() {
    let store = Store::connect(&options("sqlite::memory:".to_owned()))
        .await
        .unwrap();
    assert!(store.migrate().await.unwrap() > 0);
    let tx = store.begin_write().await.unwrap();
    super::samples::catalog(&tx).await;
    tx.commit().await.unwrap();
    assert_eq!(
        store.begin_read().await.unwrap().regions().await.unwrap().len(),
        11
    );
}

#[tokio::test]
async fn writes_sqlite_durably() {
    let database = Fresh::sqlite();
    let store = database.connect().await;
    for (pragma, expected) in [("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30_000)] {
        let statement = Statement::from_string(store.db.get_database_backend(), format!("PRAGMA {pragma}"));
        let row = store.db.query_one_raw(statement).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), expected, "{pragma}");
    }
    let statement = Statement::from_string(store.db.get_database_backend(), "PRAGMA journal_mode");
    let row = store.db.query_one_raw(statement).await.unwrap().unwrap();
    assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "wal");
}

#[tokio::test]
async fn tells_a_wrong_url_from_a_database_out_of_reach() {
    for url in [
        "",
        "mysql://h/d",
        "data.db",
        "postgres://user:secret@[:5432/d",
        "postgres://u:secret@h:99999/d",
    ] {
        let refused = Store::connect(&options(url.to_owned())).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid(_)), "{url}: {refused:?}");
        assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
    }
    for url in [
        "postgres://user:secret@127.0.0.1:1/d",
        "sqlite:///no/such/directory/x.db",
    ] {
        let mut options = options(url.to_owned());
        options.acquire_timeout = Duration::from_millis(300);
        let refused = Store::connect(&options).await.unwrap_err();
        assert!(matches!(refused, Error::Unavailable { .. }), "{url}: {refused:?}");
        assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
    }
    let shown = format!("{:?}", options("postgres://user:secret@h/d".to_owned()));
    assert!(!shown.contains("secret"), "{shown}");
}

/// Servers spawn what they do, so every future here must be able to move between threads.
#[test]
fn has_futures_that_move_between_threads() {
    fn check<T: Send>(_: T) {}
    fn futures(store: &Store, options: &StoreOptions) {
        check(Store::connect(options));
        check(store.migrate());
        check(store.begin_write());
        check(async {
            let tx = store.begin_read().await?;
            tx.regions().await?;
            tx.commit().await
        });
    }
    let _ = futures;
}

/// A statement that is longer than a segment must not wait for an acknowledgement in its middle.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn sends_at_once_to_postgres() {
    use rustix::net::{getsockname, sockopt};
    let database = Fresh::postgres().await;
    let store = database.store().await;
    let asked = Statement::from_string(
        store.db.get_database_backend(),
        "SELECT inet_client_port() AS port",
    );
    let row = store.db.query_one_raw(asked).await.unwrap().unwrap();
    let own: i32 = row.try_get("", "port").unwrap();
    let (server, _) = database.options.url.rsplit_once('/').unwrap();
    let port = server.rsplit_once(':').unwrap().1.parse().unwrap();
    let sockets = crate::store::nodelay::sockets_to(port).unwrap();
    let ours = sockets.iter().find(|socket| {
        let address: std::net::SocketAddr = getsockname(socket).unwrap().try_into().unwrap();
        i32::from(address.port()) == own
    });
    assert!(sockopt::tcp_nodelay(ours.unwrap()).unwrap());
}
