//! What the databases do without this program. SQLite: WAL, synchronous=FULL, one connection, prepared statements.

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row, SqliteConnection, query,
};
use std::path::Path;
use std::time::{Duration, Instant};

async fn connect(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await
        .unwrap()
}

/// Commits a second, each of one row of some hundred bytes.
pub async fn single_row_commits(directory: &Path, seconds: u64) -> f64 {
    let mut db = connect(&directory.join("commits.db")).await;
    db.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        .await
        .unwrap();
    let text = "x".repeat(100);
    let begun = Instant::now();
    let mut commits = 0_i64;
    while begun.elapsed() < Duration::from_secs(seconds) {
        query("INSERT INTO row (number, text) VALUES (?, ?)")
            .bind(commits)
            .bind(&text)
            .execute(&mut db)
            .await
            .unwrap();
        commits += 1;
    }
    let rate = commits as f64 / begun.elapsed().as_secs_f64();
    db.close().await.unwrap();
    rate
}

/// Rows of one statement: 25 columns of 512 rows are below SQLite's limit of parameters.
const ROWS: i64 = 500;

/// Takes the database that was served, and inserts the rows that are in it once more into an empty copy of its
/// schema: for claims that were handed in their row, key and change, and for those that were approved their entries
/// and change; so many in each transaction, a claim a second.
pub async fn batched(directory: &Path, count: usize, in_one: usize) -> (f64, f64) {
    let served = directory.join("fund.db");
    let mut source = connect(&served).await;
    let mut copy = connect(&directory.join("raw.db")).await;
    let schema = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND type IN ('table', 'index') \
         AND tbl_name IN ('claim', 'claim_key', 'ledger_change', 'ledger_entry') ORDER BY type DESC";
    for row in source.fetch_all(schema).await.unwrap() {
        let statement: String = row.get(0);
        copy.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    let mut rates = Vec::new();
    for tables in [
        &[
            ("claim", "1 = 1", 1),
            ("claim_key", "1 = 1", 1),
            ("ledger_change", "kind = 'claim.submitted'", 1),
        ][..],
        &[
            ("ledger_entry", "event = 'reserve'", 2),
            ("ledger_change", "kind = 'claim.approved'", 1),
        ],
    ] {
        let mut took = Duration::ZERO;
        let mut loaded = Vec::new();
        for (table, condition, each) in tables {
            let rows = format!("SELECT * FROM {table} WHERE {condition} LIMIT {}", count * each);
            let rows = source.fetch_all(AssertSqlSafe(rows)).await.unwrap();
            assert_eq!(rows.len(), count * each, "{table}");
            loaded.push((table, rows, *each));
        }
        for from in (0..count).step_by(in_one) {
            let begun = Instant::now();
            copy.execute("BEGIN IMMEDIATE").await.unwrap();
            for (table, rows, each) in &loaded {
                let rows = &rows[from * each..((from + in_one) * each).min(rows.len())];
                for rows in rows.chunks(usize::try_from(ROWS).unwrap()) {
                    let tuple = format!("({})", vec!["?"; rows[0].len()].join(", "));
                    let tuples = vec![tuple.as_str(); rows.len()].join(", ");
                    let statement = format!("INSERT INTO {table} VALUES {tuples}");
                    let mut statement = query(AssertSqlSafe(statement));
                    for row in rows {
                        for column in 0..row.len() {
                            statement = match row.try_get::<i64, _>(column) {
                                Ok(number) => statement.bind(number),
                                Err(_) => statement.bind(row.get::<String, _>(column)),
                            };
                        }
                    }
                    statement.execute(&mut copy).await.unwrap();
                }
            }
            copy.execute("COMMIT").await.unwrap();
            took += begun.elapsed();
        }
        rates.push(count as f64 / took.as_secs_f64());
    }
    copy.close().await.unwrap();
    source.close().await.unwrap();
    (rates[0], rates[1])
}

/// What PostgreSQL takes for the rows alone: those that the server holds, read and inserted once more into tables
/// with the same indexes, so many claims in each transaction. Nothing is sent, decided or locked. A claim a second:
/// handed in, approved (its entries, its change, and the claim changed).
pub async fn copied(url: &str, count: usize, in_one: usize) -> (f64, f64) {
    let mut db = PgConnection::connect(url).await.unwrap();
    db.execute("CREATE SCHEMA raw").await.unwrap();
    for table in ["claim", "claim_key", "ledger_change", "ledger_entry"] {
        let create = format!("CREATE TABLE raw.{table} (LIKE public.{table} INCLUDING ALL)");
        db.execute(AssertSqlSafe(create)).await.unwrap();
    }
    let mut rates = Vec::new();
    for tables in [
        &[
            ("claim", "true", 1),
            ("claim_key", "true", 1),
            ("ledger_change", "kind = 'claim.submitted'", 1),
        ][..],
        &[
            ("ledger_entry", "event = 'reserve'", 2),
            ("ledger_change", "kind = 'claim.approved'", 1),
        ],
    ] {
        // In an order of their own first, so that finding the rows is no part of what is measured.
        for (table, condition, _) in tables {
            let number = if *table == "claim_key" { "claim" } else { "number" };
            let stage = format!(
                "CREATE TABLE raw.stage_{table} AS SELECT (row_number() OVER (ORDER BY {number}) - 1)::bigint AS raw_at, \
                 {table}.* FROM public.{table} WHERE {condition}"
            );
            db.execute(AssertSqlSafe(stage)).await.unwrap();
            let index = format!("CREATE INDEX ON raw.stage_{table} (raw_at)");
            db.execute(AssertSqlSafe(index)).await.unwrap();
        }
        let mut columns = Vec::new();
        for (table, ..) in tables {
            let names = format!(
                "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute \
                 WHERE attrelid = 'public.{table}'::regclass AND attnum > 0 AND NOT attisdropped"
            );
            let row = db.fetch_one(AssertSqlSafe(names)).await.unwrap();
            columns.push(row.get::<String, _>(0));
        }
        let approvals = tables.len() == 2;
        let begun = Instant::now();
        for from in (0..count).step_by(in_one) {
            db.execute("BEGIN").await.unwrap();
            for ((table, _, each), names) in tables.iter().zip(&columns) {
                let (first, last) = (from * each, (from + in_one) * each);
                let insert = format!(
                    "INSERT INTO raw.{table} ({names}) SELECT {names} FROM raw.stage_{table} \
                     WHERE raw_at >= $1 AND raw_at < $2"
                );
                let done = query(AssertSqlSafe(insert))
                    .bind(i64::try_from(first).unwrap())
                    .bind(i64::try_from(last).unwrap())
                    .execute(&mut db)
                    .await
                    .unwrap();
                assert_eq!(done.rows_affected(), (in_one * each) as u64, "{table}");
            }
            if approvals {
                let first = i64::try_from(from).unwrap();
                query("UPDATE raw.claim SET state = 'reserved.', version = version + 1 WHERE number > $1 AND number <= $2")
                    .bind(first)
                    .bind(first + i64::try_from(in_one).unwrap())
                    .execute(&mut db)
                    .await
                    .unwrap();
            }
            db.execute("COMMIT").await.unwrap();
        }
        rates.push(count as f64 / begun.elapsed().as_secs_f64());
        for (table, ..) in tables {
            db.execute(AssertSqlSafe(format!("DROP TABLE raw.stage_{table}")))
                .await
                .unwrap();
        }
    }
    db.close().await.unwrap();
    (rates[0], rates[1])
}
