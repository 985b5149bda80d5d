//! Jobs whose workers compete, break off, or are told to stop.

use super::books::{Said, account, mutation, open};
use super::defects::{AS_OF, World0, check_all, database, generate, import, kept, reconcile, rows};
use crate::bureau::seed;
use crate::harness::{World, stories};
use incentive_fund::app::App;
use incentive_fund::app::reconciliation::{CreateJob, ReconciliationOptions, Worked};
use incentive_fund::domain::reconciliation::{JobState, Step};
use std::time::Duration;

stories!(
    two_workers_do_no_work_twice,
    a_worker_that_breaks_off_is_replaced,
    a_worker_that_breaks_off_while_it_posts_is_replaced,
    a_cancelled_job_stops_and_another_finishes,
    rules_that_are_left_out_match_nothing,
    a_job_needs_a_statement_and_a_later_day,
);

/// Pieces so small that there are many of them.
fn options() -> ReconciliationOptions {
    ReconciliationOptions {
        range: 40,
        lease: Duration::from_secs(2),
        ..ReconciliationOptions::default()
    }
}

async fn filled(app: &App, told: &mut World0) -> Vec<((u64, u64), &'static str)> {
    told.books.write(app, true).await;
    let mut lines = Vec::new();
    let mut opening = 1_000_000_000_000;
    for (sequence, days, said) in told.statements() {
        let only: Vec<Said> = said.iter().map(|(said, _)| said.clone()).collect();
        let (number, closing) = import(app, sequence, days, opening, &only).await;
        opening = closing;
        lines.extend(
            (1..)
                .zip(&said)
                .map(|(line, (_, class))| ((number, line), *class)),
        );
    }
    lines
}

async fn create(app: &App) -> u64 {
    let create = CreateJob {
        account: account(),
        as_of: AS_OF,
        dry_run: false,
    };
    let made = app
        .create_reconciliation(&mutation("会计", "", "job"), &create)
        .await;
    made.unwrap().number
}

async fn two_workers_do_no_work_twice(world: World) {
    let mut told = generate(seed("two workers"), 380);
    let app = open(&world, options()).await;
    let lines = filled(&app, &mut told).await;
    let jobs = [create(&app).await, create(&app).await, create(&app).await];
    let mut workers = tokio::task::JoinSet::new();
    for name in ["one", "two"] {
        let app = open(&world, options()).await;
        workers.spawn(async move {
            let mut ended = Vec::new();
            let mut idle = 0;
            while idle < 40 {
                match app.work_once(name).await.unwrap() {
                    Worked::Ended(job) => {
                        assert_eq!(job.state, JobState::Finished, "{}", job.failure);
                        ended.push(job.number);
                        idle = 0;
                    }
                    Worked::Nothing => {
                        idle += 1;
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    Worked::Lost(job) => panic!("{name} lost {job}"),
                }
            }
            ended
        });
    }
    let mut ended = workers.join_all().await.concat();
    ended.sort_unstable();
    assert_eq!(ended, jobs, "each job once");
    let db = database(&world.url).await;
    check_all(&db, &told.expected, &lines).await;
}

async fn a_worker_that_breaks_off_is_replaced(world: World) {
    let mut told = generate(seed("broken off"), 380);
    let app = open(&world, options()).await;
    let lines = filled(&app, &mut told).await;
    let number = create(&app).await;
    let db = database(&world.url).await;
    let mut broken = 0;
    loop {
        let worker = format!("worker {broken}");
        let doomed = open(&world, options()).await;
        let work = tokio::spawn(async move { doomed.work_once(&worker).await });
        // At another moment each time.
        tokio::time::sleep(Duration::from_millis(60 + 170 * broken)).await;
        work.abort();
        if let Ok(worked) = work.await {
            match worked.unwrap() {
                Worked::Ended(job) => {
                    assert_eq!(
                        (job.number, job.state),
                        (number, JobState::Finished),
                        "{}",
                        job.failure
                    );
                    break;
                }
                // The lease of the one before is not over.
                Worked::Nothing => {}
                Worked::Lost(job) => panic!("lost {job}"),
            }
        }
        broken += 1;
        assert!(broken < 60, "{:?}", app.reconciliation(number).await);
    }
    check_all(&db, &told.expected, &lines).await;
    let before = kept(&db).await;
    reconcile(&app, AS_OF, false).await;
    assert_eq!(kept(&db).await, before);
}

/// Money that came back must not be left for whatever job comes next.
async fn a_worker_that_breaks_off_while_it_posts_is_replaced(world: World) {
    let mut told = generate(seed("broken off while posting"), 760);
    let app = open(&world, options()).await;
    let lines = filled(&app, &mut told).await;
    let number = create(&app).await;
    let db = database(&world.url).await;
    let doomed = open(&world, options()).await;
    let work = tokio::spawn(async move { doomed.work_once("doomed").await });
    while app.reconciliation(number).await.unwrap().step != Step::Post && !work.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    work.abort();
    let ended = work.await.is_ok();
    println!("broken off while it posted: {}", !ended);
    // The lease of the one before has to end first.
    let mut over = ended;
    while !over {
        match app.work_once("other").await.unwrap() {
            Worked::Ended(job) => {
                assert_eq!(job.state, JobState::Finished, "{}", job.failure);
                over = true;
            }
            Worked::Nothing => tokio::time::sleep(Duration::from_millis(50)).await,
            Worked::Lost(job) => panic!("lost {job}"),
        }
    }
    check_all(&db, &told.expected, &lines).await;
}

async fn a_cancelled_job_stops_and_another_finishes(world: World) {
    let mut told = generate(seed("cancelled"), 1_900);
    // In many pieces, so that the worker is not done before it is told.
    let options = ReconciliationOptions {
        range: 10,
        ..options()
    };
    let app = open(&world, options).await;
    let lines = filled(&app, &mut told).await;
    // One that nobody has begun is over at once.
    let waiting = create(&app).await;
    let cancelled = app
        .cancel_reconciliation(&mutation("会计", "c1", "cancel"), waiting)
        .await;
    assert_eq!(cancelled.unwrap().state, JobState::Cancelled);
    let again = app
        .cancel_reconciliation(&mutation("会计", "c2", "cancel again"), waiting)
        .await;
    assert!(again.unwrap_err().to_string().contains("cancelled"));
    // One that runs stops at its next step.
    let running = create(&app).await;
    // In the same process, where writers take turns: on SQLite, one in another process would have to be lucky.
    let worker = app.clone();
    let work = tokio::spawn(async move { worker.work_once("worker").await.unwrap() });
    while app.reconciliation(running).await.unwrap().done == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    app.cancel_reconciliation(&mutation("会计", "c3", "cancel"), running)
        .await
        .unwrap();
    let Worked::Ended(job) = work.await.unwrap() else {
        panic!("not ended");
    };
    assert_eq!((job.number, job.state), (running, JobState::Cancelled));
    let db = database(&world.url).await;
    reconcile(&app, AS_OF, false).await;
    assert!(
        rows(&db, "SELECT job FROM reconciliation_finding")
            .await
            .is_empty()
    );
    check_all(&db, &told.expected, &lines).await;
}

async fn rules_that_are_left_out_match_nothing(world: World) {
    let mut told = generate(seed("rules"), 38);
    let mut options = options();
    options.rules.rules.truncate(1);
    let app = open(&world, options).await;
    filled(&app, &mut told).await;
    let job = reconcile(&app, AS_OF, false).await;
    let rules: Vec<&str> = job.report.rules.iter().map(|total| total.rule.code()).collect();
    assert_eq!(rules, ["reference", "related"]);
}

async fn a_job_needs_a_statement_and_a_later_day(world: World) {
    let mut told = generate(seed("days"), 38);
    let app = open(&world, options()).await;
    let job = |as_of, dry_run| CreateJob {
        account: account(),
        as_of,
        dry_run,
    };
    let refused = app
        .create_reconciliation(&mutation("会计", "", "1"), &job(AS_OF, false))
        .await;
    assert!(refused.unwrap_err().to_string().contains("no statement"));
    filled(&app, &mut told).await;
    reconcile(&app, AS_OF, false).await;
    let before = AS_OF.previous_day().unwrap();
    let refused = app
        .create_reconciliation(&mutation("会计", "", "2"), &job(before, false))
        .await;
    assert!(refused.unwrap_err().to_string().contains("2026-01-31"));
    assert!(
        app.create_reconciliation(&mutation("会计", "", "3"), &job(before, true))
            .await
            .is_ok()
    );
}
