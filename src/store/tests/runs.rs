//! Allocation runs.

use super::samples::{by, fund, furnish, run};
use super::{Fresh, on_both};
use crate::app::records::RunFilter;
use crate::domain::allocation::{Run, RunId, Stage, State};
use crate::domain::error::Error;
use crate::store::Store;
use rust_decimal::Decimal;

on_both!(
    keeps_runs_whole,
    keeps_runs_on_what_is_not_stored,
    refuses_runs_on_what_is_not_there,
    changes_state_only_from_the_expected_version,
    lists_the_newest_first,
    issues_one_run_for_a_fund_and_stage,
);

async fn insert(store: &Store, runs: &[Run]) {
    let tx = store.begin_write().await.unwrap();
    for run in runs {
        tx.insert_run(run).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn keeps_runs_whole(database: Fresh) {
    let store = database.store().await;
    furnish(&store).await;
    let percent = Decimal::from_str_exact("33.33333333333333333333333333").unwrap();
    let advance = run(2, Stage::Advance { percent });
    let settlement = run(
        3,
        Stage::Settlement {
            advance: advance.id.clone(),
        },
    );
    let mut without_lines = run(4, Stage::Full);
    without_lines.outcome.lines.clear();
    let runs = [run(1, Stage::Full), advance, settlement, without_lines];
    insert(&store, &runs).await;

    let tx = store.begin_read().await.unwrap();
    for run in &runs {
        assert_eq!(tx.run(&run.id).await.unwrap().as_ref(), Some(run));
    }
    assert_eq!(tx.run(&run(9, Stage::Full).id).await.unwrap(), None);
}

async fn keeps_runs_on_what_is_not_stored(database: Fresh) {
    let store = database.store().await;
    let mut run = run(1, Stage::Full);
    run.inputs.formula.revision = 0;
    run.inputs.data.revision = 0;
    insert(&store, std::slice::from_ref(&run)).await;
    let tx = store.begin_read().await.unwrap();
    assert_eq!(tx.run(&run.id).await.unwrap(), Some(run));
}

async fn refuses_runs_on_what_is_not_there(database: Fresh) {
    let store = database.store().await;
    furnish(&store).await;
    let mut no_formula = run(1, Stage::Full);
    no_formula.inputs.formula.revision = 2;
    let mut no_data = run(1, Stage::Full);
    no_data.inputs.data.revision = 2;
    let no_advance = run(
        1,
        Stage::Settlement {
            advance: run(2, Stage::Full).id,
        },
    );
    let mut unknown_placement = run(1, Stage::Full);
    unknown_placement.outcome.lines[0].placement = "elsewhere".to_owned();
    for defective in [no_formula, no_data, no_advance, unknown_placement] {
        let tx = store.begin_write().await.unwrap();
        let refused = tx.insert_run(&defective).await;
        assert!(matches!(refused, Err(Error::Internal { .. })), "{refused:?}");
    }
}

async fn changes_state_only_from_the_expected_version(database: Fresh) {
    let store = database.store().await;
    furnish(&store).await;
    let mut changed = run(1, Stage::Full);
    insert(&store, &[changed.clone(), run(2, Stage::Full)]).await;

    let tx = store.begin_write().await.unwrap();
    changed.approve(by("李四", 2000)).unwrap();
    tx.update_run(&changed, 0).await.unwrap();
    assert_eq!(tx.run(&changed.id).await.unwrap().as_ref(), Some(&changed));
    changed.issue(by("王五", 3000)).unwrap();
    tx.update_run(&changed, 1).await.unwrap();
    tx.commit().await.unwrap();

    let tx = store.begin_write().await.unwrap();
    for expected in [0, 1, 3] {
        let refused = tx.update_run(&changed, expected).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    }
    let mut replacement = run(2, Stage::Full);
    replacement.approve(by("李四", 4000)).unwrap();
    changed
        .supersede(Some(&mut replacement), by("王五", 5000))
        .unwrap();
    tx.update_run(&changed, 2).await.unwrap();
    tx.update_run(&replacement, 0).await.unwrap();
    assert_eq!(tx.run(&changed.id).await.unwrap(), Some(changed));
    assert_eq!(tx.run(&replacement.id).await.unwrap(), Some(replacement));
}

async fn lists_the_newest_first(database: Fresh) {
    let store = database.store().await;
    furnish(&store).await;
    // Two runs each share a moment of creation.
    let mut runs: Vec<Run> = (0..9).map(|n| run(n, Stage::Full)).collect();
    for n in [1, 4, 6] {
        runs[n].inputs.fund = fund("fund-2026");
    }
    for n in [1, 2, 3] {
        runs[n].approve(by("李四", 1)).unwrap();
    }
    insert(&store, &runs).await;
    runs.reverse();
    // A list holds everything but the lines.
    for run in &mut runs {
        run.outcome.lines.clear();
    }
    let tx = store.begin_read().await.unwrap();
    let everything = RunFilter::default();
    assert_eq!(tx.runs(&everything, None, 100).await.unwrap(), runs);

    let mut paged: Vec<Run> = Vec::new();
    loop {
        let last = paged.last().map(|run| (run.created.at, &run.id));
        let page = tx.runs(&everything, last, 4).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, runs);

    let filter = RunFilter {
        published: false,
        fund: Some(fund("fund-2026")),
        state: Some(State::Approved),
    };
    for filter in [
        RunFilter {
            published: false,
            fund: None,
            ..filter.clone()
        },
        RunFilter {
            published: false,
            state: None,
            ..filter.clone()
        },
        filter,
    ] {
        let fits = |run: &&Run| {
            filter.fund.as_ref().is_none_or(|fund| *fund == run.inputs.fund)
                && filter.state.is_none_or(|state| state == run.state)
        };
        let listed = tx.runs(&filter, None, 100).await.unwrap();
        assert!(listed.iter().eq(runs.iter().filter(fits)), "{filter:?}");
    }
}

async fn issues_one_run_for_a_fund_and_stage(database: Fresh) {
    let store = database.store().await;
    furnish(&store).await;
    let issued = |n: u32, stage: Stage| {
        let mut run = run(n, stage);
        run.approve(by("李四", 1)).unwrap();
        run.issue(by("王五", 2)).unwrap();
        run
    };
    let first = issued(1, Stage::Full);
    let advance = issued(
        2,
        Stage::Advance {
            percent: Decimal::from(50),
        },
    );
    let mut elsewhere = issued(3, Stage::Full);
    elsewhere.inputs.fund = fund("fund-2026");
    let mut second = run(4, Stage::Full);
    second.approve(by("李四", 1)).unwrap();
    insert(
        &store,
        &[first.clone(), advance.clone(), elsewhere, second.clone()],
    )
    .await;

    let tx = store.begin_write().await.unwrap();
    let id = |run: &Run| -> Option<RunId> { Some(run.id.clone()) };
    let of = fund("fund-2025");
    assert_eq!(tx.issued_run(&of, "full").await.unwrap(), id(&first));
    assert_eq!(tx.issued_run(&of, "advance").await.unwrap(), id(&advance));
    assert_eq!(tx.issued_run(&of, "settlement").await.unwrap(), None);
    second.issue(by("王五", 3)).unwrap();
    let refused = tx.update_run(&second, 1).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    drop(tx);
    let tx = store.begin_write().await.unwrap();
    let refused = tx.insert_run(&issued(5, Stage::Full)).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
}
