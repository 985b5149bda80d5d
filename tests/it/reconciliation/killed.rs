//! The built program, killed (SIGKILL) in the middle of a reconciliation, and started again on the same database until
//! the reconciliation ends: as if nothing had happened.

use super::books::{Books, REGION, Said, account, mutation, open};
use super::defects::{database, import, kept, reconcile, rows};
use crate::bureau::{Random, seed, setting};
use crate::harness::{Engine, World, stories};
use incentive_fund::app::App;
use incentive_fund::app::reconciliation::{CreateJob, ReconciliationOptions};
use incentive_fund::app::vault::Vault;
use incentive_fund::domain::disbursement::PaymentState;
use incentive_fund::domain::reconciliation::JobState;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use time::macros::date;

stories!(a_killed_server_goes_on_where_it_stopped);

/// Longest time for a job that is not killed.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// Settled payments, as many lines, every hundredth of them wrong, and some payments that are still with the bank.
async fn fill(app: &App, lines: u64) {
    let mut books = Books::default();
    let mut said = Vec::new();
    for number in 0..lines {
        if number % 10_000 == 0 {
            books.batch(date!(2026 - 01 - 05));
        }
        let batch = books.batches.len() as u64;
        // What is posted takes most of the time: enough to be killed in, not more.
        let state = if number % (lines / 500).max(1) == 0 {
            PaymentState::Instructed
        } else {
            PaymentState::Settled
        };
        let amount = 100_000 + i64::try_from(number * 7_919 % 1_000_000).unwrap();
        let at = books.pay(batch, amount, state, &format!("62220{number:014}"));
        said.push(Said {
            booked: Some(date!(2026 - 01 - 06)),
            amount: -amount - i64::from(number % 100 == 99),
            reference: books.payments[at].reference.clone(),
            bank_reference: format!("B{number}"),
            ..Said::default()
        });
        if number % 1_000 == 500 {
            // It comes back.
            said.push(Said {
                amount,
                booked: Some(date!(2026 - 01 - 07)),
                reference: books.payments[at].reference.clone(),
                ..Said::default()
            });
        }
    }
    books.write(app, true).await;
    said.sort_by_key(|said| said.booked);
    import(
        app,
        1,
        (date!(2026 - 01 - 01), date!(2026 - 01 - 31)),
        900_000_000_000_000,
        &said,
    )
    .await;
}

fn start(world: &World, directory: &Path) -> Child {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join("log"))
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_incentive-fund"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("INCENTIVE_FUND") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(directory)
        .args(["--config", "config.toml"])
        .args(["--set", &format!("database.url={}", world.url)])
        .args(["--set", &format!("server.address={address}")])
        .arg("serve")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

async fn a_killed_server_goes_on_where_it_stopped(mut world: World) {
    let lines = setting("INCENTIVE_FUND_TEST_KILL_LINES", 50_000);
    let mut random = Random::new(seed("killed"));
    let directory = tempfile::tempdir().unwrap();
    let keys = Vault::generate("test", None).unwrap();
    std::fs::write(directory.path().join("keys.toml"), keys.as_bytes()).unwrap();
    world.vault = Vault::parse(&keys).unwrap();
    let config = format!(
        "[privacy]\nkey_file = \"keys.toml\"\n[log]\nfilter = \"warn\"\n\
         [reconciliation]\nlease_seconds = 5\nrange_lines = {}\n\
         [[payment.debtor]]\npayer = \"county\"\nname = \"县级财政专户\"\naccount = \"411000000000099999\"\n\
         bank_code = \"313491099996\"\n",
        (lines / 25).max(1_000)
    );
    std::fs::write(directory.path().join("config.toml"), config).unwrap();
    assert_eq!(REGION, "411002", "paid by the account for all counties");
    let app = open(&world, ReconciliationOptions::default()).await;
    fill(&app, lines).await;
    let job = CreateJob {
        account: account(),
        as_of: date!(2026 - 01 - 31),
        dry_run: false,
    };
    let job = app
        .create_reconciliation(&mutation("会计", "", "job"), &job)
        .await
        .unwrap()
        .number;
    let begun = Instant::now();
    let mut kills = 0;
    let mut seen = Vec::new();
    while kills < 6 {
        let mut server = start(&world, directory.path());
        // Killed once it has got further than the one before, at a moment that is drawn.
        let before = app.reconciliation(job).await.unwrap();
        let over = loop {
            let now = app.reconciliation(job).await.unwrap();
            if now.state.is_over() {
                break true;
            }
            if (now.step, now.done, &now.at) != (before.step, before.done, &before.at) {
                break false;
            }
            let ended = server.try_wait().unwrap();
            let log = || std::fs::read_to_string(directory.path().join("log")).unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", log());
            assert!(begun.elapsed() < PATIENCE, "{now:?}: {}", log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        if !over {
            tokio::time::sleep(Duration::from_millis(random.below(150))).await;
        }
        server.kill().unwrap();
        server.wait().unwrap();
        let now = app.reconciliation(job).await.unwrap();
        seen.push(format!("{} {}/{}", now.step, now.done, now.total));
        if now.state.is_over() {
            break;
        }
        kills += 1;
    }
    let mut server = start(&world, directory.path());
    let ended = loop {
        let now = app.reconciliation(job).await.unwrap();
        if now.state.is_over() {
            break now;
        }
        assert!(begun.elapsed() < PATIENCE, "{now:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    server.kill().unwrap();
    server.wait().unwrap();
    println!("{lines} lines, killed {kills} times at {seen:?}");
    assert_eq!(ended.state, JobState::Finished, "{}", ended.failure);
    assert!(kills > 0, "it ended before it could be killed: {seen:?}");
    // The same as of a worker that nobody killed, on the same books.
    let db = database(&world.url).await;
    let killed = kept(&db).await;
    let again = reconcile(&app, date!(2026 - 01 - 31), false).await;
    assert_eq!(kept(&db).await, killed, "going on left something to do");
    assert_eq!(again.report.classes, ended.report.classes);
    db.close().await.unwrap();
    let fresh = fresh(&world, directory.path()).await;
    let Some(fresh) = fresh else { return };
    let other = open(&fresh, ReconciliationOptions::default()).await;
    fill(&other, lines).await;
    reconcile(&other, date!(2026 - 01 - 31), false).await;
    let db = database(&fresh.url).await;
    assert!(
        kept(&db).await == killed,
        "another result than without being killed"
    );
    assert!(
        !rows(&db, "SELECT CAST(1 AS BIGINT) AS one FROM bank_posting LIMIT 1")
            .await
            .is_empty()
    );
}

/// Another database of the same kind, where that is only a file.
async fn fresh(world: &World, directory: &Path) -> Option<World> {
    if world.engine() == Engine::Sqlite {
        return Some(World {
            debtors: crate::harness::debtors(),
            url: format!("sqlite://{}?mode=rwc", directory.join("other.db").display()),
            vault: world.vault.clone(),
            signing: world.signing.clone(),
        });
    }
    let (address, name) = world.url.rsplit_once('/')?;
    let db = database(&format!("{address}/postgres")).await;
    let other = format!("{name}_other");
    sea_orm::ConnectionTrait::execute_unprepared(&db, &format!("CREATE DATABASE {other} TEMPLATE template0"))
        .await
        .unwrap();
    Some(World {
        debtors: crate::harness::debtors(),
        url: format!("{address}/{other}"),
        vault: world.vault.clone(),
        signing: world.signing.clone(),
    })
}
