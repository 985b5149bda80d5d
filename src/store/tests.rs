//! Every method on both databases. PostgreSQL is the one that INCENTIVE_FUND_TEST_POSTGRES names
//! (`scripts/test` starts one); each test has a database of its own.

mod catalog;
mod concurrency;
mod connecting;
mod data;
mod formulas;
mod ledger;
mod runs;
mod samples;

use super::{Store, StoreOptions};
use sea_orm::{ConnectionTrait, Database};
use std::time::Duration;
use tempfile::TempDir;

/// An empty database that goes with its directory, or with the test's PostgreSQL server.
struct Fresh {
    options: StoreOptions,
    _directory: Option<TempDir>,
}

impl Fresh {
    fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("test.db").display());
        Self {
            options: options(url),
            _directory: Some(directory),
        }
    }

    async fn postgres() -> Self {
        let server = std::env::var("INCENTIVE_FUND_TEST_POSTGRES")
            .expect("INCENTIVE_FUND_TEST_POSTGRES must name a PostgreSQL server; scripts/test starts one");
        let name = format!("it_{}", uuid::Uuid::now_v7().simple());
        let admin = Database::connect(&server).await.unwrap();
        // template0: nobody is connected to it, so that tests do not wait for each other's copies.
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        admin.execute_unprepared(&create).await.unwrap();
        admin.close().await.unwrap();
        let (server, _) = server.rsplit_once('/').unwrap();
        Self {
            options: options(format!("{server}/{name}")),
            _directory: None,
        }
    }

    /// A store of its own on the database, whose schema is as it is.
    async fn connect(&self) -> Store {
        Store::connect(&self.options).await.unwrap()
    }

    /// A store on the database, whose schema is complete.
    async fn store(&self) -> Store {
        let store = self.connect().await;
        store.migrate().await.unwrap();
        store
    }
}

fn options(url: String) -> StoreOptions {
    StoreOptions {
        url,
        max_connections: 20,
        acquire_timeout: Duration::from_secs(30),
        statement_log: false,
    }
}

/// Runs each function, which takes a [`Fresh`] database, as a test on SQLite and one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::store::tests::Fresh::sqlite()).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::store::tests::Fresh::postgres().await).await;
                }
            )*
        }
    };
}
use on_both;
