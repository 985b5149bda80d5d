//! A ledger that was changed behind the program's back: refused by the database, and found where it was not.

use super::{line, office};
use crate::harness::{Client, World, stories};
use incentive_fund::grpc::pb;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend};
use std::collections::BTreeSet;

stories!(
    the_database_refuses_changes,
    verification_names_what_was_changed,
    a_clean_ledger_is_read_to_its_end,
);

const COLUMNS: &str = "at, made_by, event, from_account, to_account, amount_fen, from_balance_fen, \
    to_balance_fen, subject, note, reverses, digest";

async fn run(db: &DatabaseConnection, statement: &str) {
    let affected = db.execute_unprepared(statement).await.unwrap().rows_affected();
    assert!(affected > 0 || statement.contains("TABLE"), "{statement}");
}

async fn the_database_refuses_changes(world: World) {
    let (server, mut maker, _, _) = office(&world).await;
    let db = Database::connect(&world.url).await.unwrap();
    for statement in [
        "UPDATE ledger_entry SET amount_fen = 1 WHERE number = 1",
        "UPDATE ledger_entry SET note = '' WHERE number = 1",
        "DELETE FROM ledger_entry WHERE number = 10",
        "UPDATE ledger_change SET note = '' WHERE number = 1",
        "DELETE FROM ledger_change WHERE number = 1",
    ] {
        let refused = db.execute_unprepared(statement).await.unwrap_err();
        assert!(
            refused.to_string().contains("append-only"),
            "{statement}: {refused}"
        );
    }
    for statement in [
        "UPDATE ledger_account SET balance_fen = -1 WHERE account = 'city/-/-/unallocated'",
        "INSERT INTO ledger_entry SELECT fund, 1000, at, made_by, event, from_account, to_account, 0, 0, 0, \
         subject, note, reverses, digest FROM ledger_entry WHERE number = 1",
        "INSERT INTO ledger_entry SELECT fund, 1000, at, made_by, event, from_account, from_account, 1, 0, 0, \
         subject, note, reverses, digest FROM ledger_entry WHERE number = 1",
    ] {
        let refused = db.execute_unprepared(statement).await.unwrap_err();
        assert!(
            refused.to_string().to_lowercase().contains("check"),
            "{statement}: {refused}"
        );
    }
    maker.verifies("f").await;
    db.close().await.unwrap();
    server.stop().await;
}

/// Where findings are: `3 digest` for an entry, `account balance`, or `entries` for the fund.
fn places(found: &pb::LedgerVerification) -> BTreeSet<String> {
    assert_eq!(found.finding_count, found.findings.len() as u64);
    found
        .findings
        .iter()
        .map(|finding| match (finding.entry, finding.account.as_str()) {
            (0, "") => finding.field.clone(),
            (0, account) => format!("{account} {}", finding.field),
            (entry, _) => format!("{entry} {}", finding.field),
        })
        .collect()
}

async fn found(
    client: &mut Client,
    db: &DatabaseConnection,
    change: &[&str],
    undo: &[&str],
) -> pb::LedgerVerification {
    for statement in change {
        run(db, statement).await;
    }
    let (found, _) = client.verify("f").await;
    assert!(found.finding_count > 0, "{change:?}");
    for statement in undo {
        run(db, statement).await;
    }
    client.verifies("f").await;
    found
}

async fn verification_names_what_was_changed(world: World) {
    let (server, mut maker, mut checker, _) = office(&world).await;
    maker
        .assign(
            "f",
            vec![
                line("411081", "deed-tax", "70.00"),
                line("411081", "deed-tax-2", "8.00"),
            ],
        )
        .await
        .unwrap();
    maker.receive("g", "100000000.00").await.unwrap();
    checker.reverse("f", 12).await.unwrap();
    let db = Database::connect(&world.url).await.unwrap();
    if db.get_database_backend() == DbBackend::Postgres {
        db.execute_unprepared("DROP TRIGGER ledger_entry_append_only ON ledger_entry")
            .await
            .unwrap();
    } else {
        for trigger in ["ledger_entry_no_update", "ledger_entry_no_delete"] {
            db.execute_unprepared(&format!("DROP TRIGGER {trigger}"))
                .await
                .unwrap();
        }
    }
    let expect =
        |places: &[&str]| -> BTreeSet<String> { places.iter().map(|place| (*place).to_owned()).collect() };

    let flipped = found(
        &mut maker,
        &db,
        &["UPDATE ledger_entry SET amount_fen = amount_fen + 1 WHERE fund = 'f' AND number = 11"],
        &["UPDATE ledger_entry SET amount_fen = amount_fen - 1 WHERE fund = 'f' AND number = 11"],
    )
    .await;
    assert_eq!(
        places(&flipped),
        expect(&[
            "11 digest",
            "11 from_balance",
            "11 to_balance",
            "city/411081/-/quota balance",
            "city/411081/deed-tax/quota balance"
        ])
    );
    let deed_tax = flipped
        .findings
        .iter()
        .find(|finding| finding.account == "city/411081/deed-tax/quota")
        .unwrap();
    assert_eq!((&*deed_tax.stored, &*deed_tax.expected), ("70.00", "70.01"));

    let deleted = found(
        &mut maker,
        &db,
        &[
            "CREATE TABLE kept AS SELECT * FROM ledger_entry WHERE fund = 'f' AND number = 5",
            "DELETE FROM ledger_entry WHERE fund = 'f' AND number = 5",
        ],
        &["INSERT INTO ledger_entry SELECT * FROM kept", "DROP TABLE kept"],
    )
    .await;
    let missing = places(&deleted);
    for place in [
        "6 number",
        "6 digest",
        "6 from_balance",
        "city/-/-/unallocated balance",
    ] {
        assert!(missing.contains(place), "{place} {missing:?}");
    }

    let to = |from: u32, to: u32| {
        format!("UPDATE ledger_entry SET number = {to} WHERE fund = 'f' AND number = {from}")
    };
    let swap = [to(3, 1_000), to(4, 3), to(1_000, 4)];
    let swap: Vec<&str> = swap.iter().map(String::as_str).collect();
    let swapped = places(&found(&mut maker, &db, &swap, &swap).await);
    for place in ["3 digest", "4 digest", "3 from_balance"] {
        assert!(swapped.contains(place), "{place} {swapped:?}");
    }

    let append = format!(
        "INSERT INTO ledger_entry (fund, number, {COLUMNS}) SELECT fund, 14, {} FROM ledger_entry \
         WHERE fund = 'f' AND number = 11",
        COLUMNS.replace("reverses", "0")
    );
    let appended = places(
        &found(
            &mut maker,
            &db,
            &[&append],
            &["DELETE FROM ledger_entry WHERE fund = 'f' AND number = 14"],
        )
        .await,
    );
    for place in [
        "14 digest",
        "14 at",
        "entries",
        "digest",
        "city/411081/deed-tax/quota entry",
    ] {
        assert!(appended.contains(place), "{place} {appended:?}");
    }

    let balance = found(
        &mut maker,
        &db,
        &["UPDATE ledger_account SET balance_fen = balance_fen + 100 WHERE fund = 'f' AND account = 'city/411081/-/quota'"],
        &["UPDATE ledger_account SET balance_fen = balance_fen - 100 WHERE fund = 'f' AND account = 'city/411081/-/quota'"],
    )
    .await;
    assert_eq!(places(&balance), expect(&["city/411081/-/quota balance"]));

    let nonsense = found(
        &mut maker,
        &db,
        &["UPDATE ledger_entry SET event = 'gift' WHERE fund = 'f' AND number = 12"],
        &["UPDATE ledger_entry SET event = 'assign' WHERE fund = 'f' AND number = 12"],
    )
    .await;
    assert!(places(&nonsense).contains("12 entry"), "{nonsense:?}");
    assert!(places(&nonsense).contains("13 reverses"), "{nonsense:?}");

    let cut_short = found(
        &mut maker,
        &db,
        &["UPDATE ledger_fund SET entries = 12 WHERE fund = 'f'"],
        &["UPDATE ledger_fund SET entries = 13 WHERE fund = 'f'"],
    )
    .await;
    assert_eq!(places(&cut_short), expect(&["entries"]));

    // One chain cannot be passed off as that of another fund.
    maker.receive("h", "100000000.00").await.unwrap();
    run(&db, "DELETE FROM ledger_entry WHERE fund = 'h'").await;
    run(
        &db,
        &format!(
            "INSERT INTO ledger_entry (fund, number, {COLUMNS}) SELECT 'h', number, {COLUMNS} \
             FROM ledger_entry WHERE fund = 'g'"
        ),
    )
    .await;
    let (other, _) = maker.verify("h").await;
    assert!(places(&other).contains("1 digest"), "{other:?}");
    db.close().await.unwrap();
    server.stop().await;
}

async fn a_clean_ledger_is_read_to_its_end(world: World) {
    let (server, mut maker, _, _) = office(&world).await;
    let many = (0..2_500).map(|n| line("411082", &format!("p{n}"), "0.01"));
    maker.assign("f", many.collect()).await.unwrap();
    let (found, read) = maker.verify("f").await;
    assert_eq!((found.finding_count, read), (0, 2_510));
    let list = pb::ListFundsRequest::default();
    let funds = maker.ledger.list_funds(list).await.unwrap().into_inner().funds;
    assert_eq!(funds[0].digest, found.digest);
    assert_eq!(found.accounts, 2 + 9 + 2_500);
    server.stop().await;
}
