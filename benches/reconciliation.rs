//! How fast payments are reconciled with a bank's statement, from the file to stored matches and the report; and the
//! books and files that this takes. benches/README.md has the figures; benches/reconciliation.sh runs this with a
//! PostgreSQL server, and psql and the sqlite3 shell beside it.
//!
//! `prepare URL COUNT DIRECTORY` fills a fresh database with so many payments and writes the bank's file and the plain
//! lines; `run URL DIRECTORY` imports and reconciles, and prints seconds and memory.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

#[path = "reconciliation/books.rs"]
mod books;

use books::{account, app, mutation};
use incentive_fund::app::reconciliation::records::Job;
use incentive_fund::app::reconciliation::{CreateJob, Events, ImportStatement, Worked};
use incentive_fund::domain::reconciliation::JobState;
use incentive_fund::statement::{Given, Reader};
use std::path::Path;
use std::time::Instant;
use time::macros::date;

/// The same as that of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["prepare", url, count, directory] => {
            books::prepare(url, count.parse().unwrap(), Path::new(directory)).await;
        }
        ["run", url, directory] => run(url, Path::new(directory)).await,
        _ => println!("benches/reconciliation.sh runs this"),
    }
}

async fn run(url: &str, directory: &Path) {
    let app = app(url, directory).await;
    let begun = Instant::now();
    // As the service does: the file is hashed while it comes in, and read again from its place.
    let file = directory.join("statement.csv");
    let digest = books::digest(&file);
    let mapping = incentive_fund::statement::mapping("corporate-ebank", &[]).unwrap();
    let source = Box::new(std::fs::File::open(&file).unwrap());
    let (opening, closing) = books::balances(directory);
    let given = Given {
        opening: Some(opening),
        closing: Some(closing),
        ..Given::default()
    };
    let reader = Reader::open(source, Some(&mapping), given).unwrap();
    let import = ImportStatement {
        account: Some(account()),
        digest,
        format: "csv".to_owned(),
    };
    let imported = app
        .import_statement(&mutation("import"), &import, Events::of(reader))
        .await
        .unwrap();
    let import_seconds = begun.elapsed().as_secs_f64();
    assert!(!imported.known);
    let create = CreateJob {
        account: account(),
        as_of: date!(2026 - 01 - 31),
        dry_run: false,
    };
    app.create_reconciliation(&mutation("job"), &create)
        .await
        .unwrap();
    let Worked::Ended(job) = app.work_once("bench").await.unwrap() else {
        panic!("no job");
    };
    let seconds = begun.elapsed().as_secs_f64();
    check(&job, imported.statements[0].lines);
    // Whoever reads the line may take the database.
    app.store().clone().close().await;
    println!(
        "{seconds:.2} {import_seconds:.2} {:.2} {}",
        seconds - import_seconds,
        books::peak_megabytes()
    );
}

/// All lines are matched but those that were written otherwise.
fn check(job: &Job, lines: u64) {
    assert_eq!(job.state, JobState::Finished, "{}", job.failure);
    let found: u64 = job.report.classes.iter().map(|total| total.lines).sum();
    assert_eq!(found, lines);
    let matched = job
        .report
        .classes
        .iter()
        .find(|total| total.class.code() == "matched");
    let matched = matched.unwrap();
    assert_eq!(
        (matched.lines, matched.payments),
        (lines - lines / 1_000, lines - lines / 1_000)
    );
}
