//! Statements coming in: whole or not at all, once, in order, and with nothing personal in clear.

use super::books::{Said, mutation, open, statement};
use super::defects::{database, rows};
use crate::harness::{World, stories};
use incentive_fund::app::App;
use incentive_fund::app::reconciliation::records::ImportedStatements;
use incentive_fund::app::reconciliation::{ImportStatement, ReconciliationOptions};
use incentive_fund::domain::error::Error;
use incentive_fund::domain::money::Money;
use incentive_fund::statement::Event;
use time::macros::date;

stories!(
    the_same_file_is_taken_once,
    what_does_not_follow_or_add_up_leaves_nothing,
    what_an_import_left_behind_is_removed,
    nothing_personal_is_stored_in_clear,
    a_complete_statement_is_not_changed,
);

const PAYEE: &str = "6222020123456789012";

type Events = Vec<Result<Event, Error>>;

fn lines() -> Vec<Said> {
    let line = |day, amount| Said {
        booked: Some(day),
        amount,
        bank_reference: "2026010300123456789".to_owned(),
        payee: PAYEE.to_owned(),
        ..Said::default()
    };
    vec![
        line(date!(2026 - 01 - 02), -1_000),
        line(date!(2026 - 01 - 03), 250),
        line(date!(2026 - 01 - 04), -30),
    ]
}

fn first() -> (Events, i64) {
    statement(1, (date!(2026 - 01 - 01), date!(2026 - 01 - 10)), 5_000, &lines())
}

async fn import(
    app: &App,
    request_id: &str,
    digest: &str,
    events: Events,
) -> Result<ImportedStatements, Error> {
    let import = ImportStatement {
        account: None,
        digest: digest.to_owned(),
        format: "camt".to_owned(),
    };
    app.import_statement(&mutation("出纳", request_id, digest), &import, events.into_iter())
        .await
}

async fn app(world: &World) -> App {
    open(world, ReconciliationOptions::default()).await
}

async fn the_same_file_is_taken_once(world: World) {
    let app = app(&world).await;
    let taken = import(&app, "r1", "d1", first().0).await.unwrap();
    assert!(!taken.known);
    assert_eq!(taken.statements[0].lines, 3);
    assert_eq!(taken.statements[0].closing, Money::from_fen(4_220).unwrap());
    // The same call is answered the same; the same file under another id is known.
    assert_eq!(import(&app, "r1", "d1", first().0).await.unwrap(), taken);
    let again = import(&app, "r2", "d1", first().0).await.unwrap();
    assert!(again.known);
    assert_eq!(again.statements, taken.statements);
    let db = database(&world.url).await;
    assert_eq!(
        rows(&db, "SELECT COUNT(*) AS count FROM bank_line").await[0][0],
        "3"
    );
    // Another file under the same id is refused.
    let reused = import(&app, "r1", "d2", first().0).await.unwrap_err();
    assert!(matches!(reused, Error::RequestIdReused { .. }), "{reused}");
}

async fn what_does_not_follow_or_add_up_leaves_nothing(world: World) {
    let app = app(&world).await;
    import(&app, "", "d1", first().0).await.unwrap();
    let next = (date!(2026 - 01 - 11), date!(2026 - 01 - 20));
    let line = Said {
        booked: Some(next.0),
        amount: -10,
        ..Said::default()
    };
    let mut wrong_sum = statement(2, next, 4_220, std::slice::from_ref(&line)).0;
    if let Some(Ok(Event::End(head))) = wrong_sum.last_mut() {
        head.closing = Money::from_fen(1);
    }
    let mut other_account = statement(2, next, 4_220, std::slice::from_ref(&line)).0;
    if let Some(Ok(Event::Begin(head))) = other_account.first_mut() {
        head.account =
            incentive_fund::domain::payment::AccountNumber::parse("account", "999900001111222233").ok();
    }
    let mut broken = statement(2, next, 4_220, std::slice::from_ref(&line)).0;
    broken.insert(
        2,
        Err(incentive_fund::domain::error::Violation::new("line 2", "cut", "all of it", "完整文件").into()),
    );
    let overlapping = (date!(2026 - 01 - 09), date!(2026 - 01 - 20));
    let mut cut = statement(2, next, 4_220, std::slice::from_ref(&line)).0;
    cut.pop();
    for (what, events, field) in [
        ("a sum", wrong_sum, Some("closing")),
        ("another's account", other_account, Some("account")),
        ("a fault of the file", broken, Some("line 2")),
        (
            "an overlap",
            statement(2, overlapping, 4_220, std::slice::from_ref(&line)).0,
            Some("from"),
        ),
        (
            "a gap",
            statement(3, next, 4_220, std::slice::from_ref(&line)).0,
            Some("sequence"),
        ),
        (
            "another balance",
            statement(2, next, 4_000, std::slice::from_ref(&line)).0,
            Some("opening"),
        ),
        ("no end", cut, None),
        ("nothing", Vec::new(), Some("file")),
    ] {
        let refused = import(&app, "", "d2", events).await.unwrap_err();
        match (&refused, field) {
            (Error::Invalid(violations), Some(field)) => {
                assert!(
                    violations.iter().any(|violation| violation.field == field),
                    "{what}: {violations:?}"
                );
                assert!(!refused.to_string().contains("999900001111222233"), "{refused}");
            }
            (Error::Internal { .. }, None) => {}
            _ => panic!("{what}: {refused:?}"),
        }
        let db = database(&world.url).await;
        let left = rows(
            &db,
            "SELECT (SELECT COUNT(*) FROM bank_statement) AS statements, (SELECT COUNT(*) FROM bank_line) AS lines",
        )
        .await;
        assert_eq!(left[0], ["1", "3"], "{what}");
    }
    // What was refused does not stand in the way of what is right.
    let right = statement(2, next, 4_220, std::slice::from_ref(&line)).0;
    import(&app, "", "d2", right).await.unwrap();
}

async fn what_an_import_left_behind_is_removed(world: World) {
    let app = app(&world).await;
    // As a process leaves it that ends in the middle of the same file.
    let tx = app.store().begin_write().await.unwrap();
    let number = tx
        .begin_statement(&super::books::account(), "d1", 1, "test", 1)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let db = database(&world.url).await;
    sea_orm::ConnectionTrait::execute_unprepared(
        &db,
        &format!(
            "INSERT INTO bank_line (statement, line, booked, valued, amount_fen, reversal, reference, order_id, \
             bank_reference, payee_hash) VALUES ({number}, 1, '2026-01-01', '', -5, 0, '', '', '', '')"
        ),
    )
    .await
    .unwrap();
    assert!(
        app.statements(&super::books::account(), 0, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let taken = import(&app, "", "d1", first().0).await.unwrap();
    assert_eq!(taken.statements.len(), 1);
    let left = rows(
        &db,
        "SELECT statement, COUNT(*) AS count FROM bank_line GROUP BY statement",
    )
    .await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0][1], "3");
}

async fn nothing_personal_is_stored_in_clear(world: World) {
    let app = app(&world).await;
    let taken = import(&app, "r1", "d1", first().0).await.unwrap();
    let db = database(&world.url).await;
    for table in ["bank_statement", "bank_line", "bank_line_sealed", "request"] {
        let all = format!("{:?}", rows(&db, &format!("SELECT * FROM {table}")).await);
        for personal in [PAYEE, "令狐试例", "购房补贴", "2026010300123456789"] {
            assert!(!all.contains(personal), "{table} has {personal}");
        }
    }
    let shown = app
        .statement_lines(taken.statements[0].number, 0, 10)
        .await
        .unwrap();
    assert_eq!(shown.len(), 3);
    assert_eq!(shown[0].masked_name, "令***");
    assert!(shown[0].masked_account.ends_with("9012") && shown[0].masked_account.starts_with('*'));
}

async fn a_complete_statement_is_not_changed(world: World) {
    let app = app(&world).await;
    import(&app, "", "d1", first().0).await.unwrap();
    let db = database(&world.url).await;
    for change in [
        "UPDATE bank_line SET amount_fen = 1 WHERE line = 1",
        "DELETE FROM bank_line WHERE line = 1",
        "UPDATE bank_statement SET closing_fen = 1",
        "INSERT INTO bank_line (statement, line, booked, valued, amount_fen, reversal, reference, order_id, \
         bank_reference, payee_hash) SELECT statement, 99, booked, valued, amount_fen, reversal, reference, order_id, \
         bank_reference, payee_hash FROM bank_line WHERE line = 1",
    ] {
        let refused = sea_orm::ConnectionTrait::execute_unprepared(&db, change).await;
        assert!(
            refused.unwrap_err().to_string().contains("closed to this change"),
            "{change}"
        );
    }
}
