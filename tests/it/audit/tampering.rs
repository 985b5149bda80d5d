//! A log that was changed behind the program's back: refused by the database, and found where it was not.

use crate::claims::setup::{claim, message, ready};
use crate::harness::{Client, World, stories};
use incentive_fund::grpc::pb;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend};

stories!(
    the_database_refuses_changes,
    verification_names_the_first_bad_record,
    the_history_is_proven_by_the_records,
    what_was_written_anew_is_found_by_a_checkpoint_kept_elsewhere,
    ledger_verification_names_the_first_bad_entry,
);

async fn run(db: &DatabaseConnection, statement: &str) {
    let affected = db
        .execute_unprepared(statement)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"))
        .rows_affected();
    assert!(affected > 0 || statement.contains("TABLE"), "{statement}");
}

/// As somebody does who has the database in hand.
async fn without_triggers(db: &DatabaseConnection, table: &str) {
    if db.get_database_backend() == DbBackend::Postgres {
        run_any(db, &format!("DROP TRIGGER {table}_append_only ON {table}")).await;
        run_any(
            db,
            &format!("DROP TRIGGER IF EXISTS {table}_no_truncate ON {table}"),
        )
        .await;
    } else {
        for change in ["update", "delete"] {
            run_any(db, &format!("DROP TRIGGER {table}_no_{change}")).await;
        }
    }
}

async fn run_any(db: &DatabaseConnection, statement: &str) {
    db.execute_unprepared(statement).await.unwrap();
}

async fn the_database_refuses_changes(world: World) {
    let (server, _, mut chief) = ready(&world, "100000", "100000").await;
    chief.checkpoint().await;
    let db = Database::connect(&world.url).await.unwrap();
    let mut statements = vec![
        "UPDATE audit_record SET made_by = 'x' WHERE number = 1",
        "DELETE FROM audit_record WHERE number = 2",
        "UPDATE audit_checkpoint SET document = '' WHERE number = 1",
        "DELETE FROM audit_checkpoint",
    ];
    if db.get_database_backend() == DbBackend::Postgres {
        statements.extend(["TRUNCATE audit_record", "TRUNCATE audit_checkpoint"]);
    }
    for statement in statements {
        let refused = db.execute_unprepared(statement).await.unwrap_err();
        assert!(
            refused.to_string().contains("append-only"),
            "{statement}: {refused}"
        );
    }
    chief.log_verifies(&[]).await;
    db.close().await.unwrap();
    server.stop().await;
}

/// `funds/f 3 digest`, in the order in which they were told.
fn places(found: &pb::AuditVerification) -> Vec<String> {
    assert_eq!(found.finding_count, found.findings.len() as u64);
    let findings = found.findings.iter();
    findings
        .map(|finding| format!("{} {} {}", finding.chain, finding.record, finding.field))
        .collect()
}

/// What is found after a change, which is then undone.
async fn found(
    client: &mut Client,
    db: &DatabaseConnection,
    change: &[&str],
    undo: &[&str],
    checkpoints: &[String],
) -> Vec<String> {
    for statement in change {
        run(db, statement).await;
    }
    let found = client.verify_log(checkpoints).await;
    assert!(found.finding_count > 0, "{change:?}");
    for statement in undo {
        run(db, statement).await;
    }
    client.log_verifies(checkpoints).await;
    places(&found)
}

const COLUMNS: &str = "at, made_by, peer, action, request_id, outcome, reason, resource, resources, before_digest, \
     after_digest, first_change, last_change, changes_digest, digest";

/// A fund with claims, and the number of the last record of its chain.
async fn claims(world: &World) -> (crate::harness::Running, Client, u64) {
    let (server, mut clerk, mut chief) = ready(world, "1000000", "1000000").await;
    for n in 1..=6 {
        let claim = clerk.submit(claim(n)).await.unwrap();
        if n % 2 == 0 {
            chief.approve_claim(&claim.name).await.unwrap();
        }
    }
    clerk
        .submit_all(vec![message((10..20).map(claim).collect())])
        .await
        .unwrap();
    let records = chief
        .audit_records(pb::ListAuditRecordsRequest {
            chain: "funds/f".to_owned(),
            ..Default::default()
        })
        .await;
    let last = records.last().unwrap().number;
    assert!(last > 10);
    (server, chief, last)
}

async fn verification_names_the_first_bad_record(world: World) {
    let (server, mut chief, last) = claims(&world).await;
    let db = Database::connect(&world.url).await.unwrap();
    without_triggers(&db, "audit_record").await;

    // Flipped, field by field.
    for (field, flip, back) in [
        ("at", "at + 1", "at - 1"),
        (
            "made_by",
            "made_by || 'x'",
            "substr(made_by, 1, length(made_by) - 1)",
        ),
        ("peer", "peer || 'x'", "substr(peer, 1, length(peer) - 1)"),
        ("action", "action || 'x'", "substr(action, 1, length(action) - 1)"),
        (
            "request_id",
            "request_id || 'x'",
            "substr(request_id, 1, length(request_id) - 1)",
        ),
        ("outcome", "'refused'", "'done'"),
        (
            "resource",
            "resource || 'x'",
            "substr(resource, 1, length(resource) - 1)",
        ),
        ("resources", "resources + 1", "resources - 1"),
        (
            "after_digest",
            "after_digest || 'x'",
            "substr(after_digest, 1, length(after_digest) - 1)",
        ),
    ] {
        let set = |to: &str| {
            format!("UPDATE audit_record SET {field} = {to} WHERE chain = 'funds/f' AND number = 7")
        };
        let flipped = found(&mut chief, &db, &[&set(flip)], &[&set(back)], &[]).await;
        assert_eq!(flipped, ["funds/f 7 digest"], "{field}");
    }
    let nonsense = found(
        &mut chief,
        &db,
        &["UPDATE audit_record SET outcome = 'gift' WHERE chain = 'general' AND number = 2"],
        &["UPDATE audit_record SET outcome = 'done' WHERE chain = 'general' AND number = 2"],
        &[],
    )
    .await;
    assert_eq!(nonsense, ["general 2 record"]);

    let deleted = found(
        &mut chief,
        &db,
        &[
            "CREATE TABLE kept AS SELECT * FROM audit_record WHERE chain = 'funds/f' AND number = 5",
            "DELETE FROM audit_record WHERE chain = 'funds/f' AND number = 5",
        ],
        &["INSERT INTO audit_record SELECT * FROM kept", "DROP TABLE kept"],
        &[],
    )
    .await;
    assert_eq!(
        deleted[..2],
        ["funds/f 5 record", "funds/f 6 digest"],
        "{deleted:?}"
    );

    let to = |from: u32, to: u32| {
        format!("UPDATE audit_record SET number = {to} WHERE chain = 'funds/f' AND number = {from}")
    };
    let swap = [to(3, 1_000), to(4, 3), to(1_000, 4)];
    let swap: Vec<&str> = swap.iter().map(String::as_str).collect();
    let swapped = found(&mut chief, &db, &swap, &swap, &[]).await;
    assert_eq!(swapped[0], "funds/f 3 digest", "{swapped:?}");

    let append = format!(
        "INSERT INTO audit_record (chain, number, {COLUMNS}) SELECT chain, {}, {COLUMNS} FROM audit_record \
         WHERE chain = 'funds/f' AND number = 2",
        last + 1
    );
    let remove = format!(
        "DELETE FROM audit_record WHERE chain = 'funds/f' AND number = {}",
        last + 1
    );
    let appended = found(&mut chief, &db, &[&append], &[&remove], &[]).await;
    assert_eq!(
        appended[0],
        format!("funds/f {} digest", last + 1),
        "{appended:?}"
    );
    assert!(
        appended.contains(&format!("funds/f {} record", last + 1)),
        "{appended:?}"
    );

    let cut = [
        format!(
            "CREATE TABLE kept AS SELECT * FROM audit_record WHERE chain = 'funds/f' AND number > {}",
            last - 2
        ),
        format!(
            "DELETE FROM audit_record WHERE chain = 'funds/f' AND number > {}",
            last - 2
        ),
    ];
    let cut: Vec<&str> = cut.iter().map(String::as_str).collect();
    let restore = ["INSERT INTO audit_record SELECT * FROM kept", "DROP TABLE kept"];
    let truncated = found(&mut chief, &db, &cut, &restore, &[]).await;
    assert_eq!(truncated, [format!("funds/f {} record", last - 1)]);

    // A chain of a fund that never was.
    let other = format!(
        "INSERT INTO audit_record (chain, number, {COLUMNS}) SELECT 'funds/zz', number, {COLUMNS} FROM audit_record \
         WHERE chain = 'funds/f' AND number = 1"
    );
    let invented = found(
        &mut chief,
        &db,
        &[&other],
        &["DELETE FROM audit_record WHERE chain = 'funds/zz'"],
        &[],
    )
    .await;
    assert_eq!(invented[0], "funds/zz 1 digest", "{invented:?}");
    db.close().await.unwrap();
    server.stop().await;
}

async fn the_history_is_proven_by_the_records(world: World) {
    let (server, mut chief, last) = claims(&world).await;
    let db = Database::connect(&world.url).await.unwrap();
    without_triggers(&db, "ledger_change").await;
    let records = chief
        .audit_records(pb::ListAuditRecordsRequest {
            chain: "funds/f".to_owned(),
            ..Default::default()
        })
        .await;
    let bulk = records.last().unwrap();
    assert_eq!((bulk.number, bulk.resource_count), (last, 10));
    let at = bulk.first_change + 4;
    let expected = [format!("funds/f {last} history")];
    for (flip, back) in [
        ("kind = 'claim.approved'", "kind = 'claim.submitted'"),
        ("amount_fen = amount_fen + 1", "amount_fen = amount_fen - 1"),
        ("made_by = '别人'", "made_by = '经办人'"),
    ] {
        let set = |to: &str| format!("UPDATE ledger_change SET {to} WHERE fund = 'f' AND number = {at}");
        let flipped = found(&mut chief, &db, &[&set(flip)], &[&set(back)], &[]).await;
        assert_eq!(flipped, expected, "{flip}");
    }
    let deleted = found(
        &mut chief,
        &db,
        &[
            &format!("CREATE TABLE kept AS SELECT * FROM ledger_change WHERE fund = 'f' AND number = {at}"),
            &format!("DELETE FROM ledger_change WHERE fund = 'f' AND number = {at}"),
        ],
        &["INSERT INTO ledger_change SELECT * FROM kept", "DROP TABLE kept"],
        &[],
    )
    .await;
    assert_eq!(deleted, expected);
    db.close().await.unwrap();
    server.stop().await;
}

/// Somebody cuts the last records off and puts the end right; only what was kept elsewhere tells.
async fn what_was_written_anew_is_found_by_a_checkpoint_kept_elsewhere(world: World) {
    let (server, mut chief, last) = claims(&world).await;
    let kept = chief.checkpoint().await.checkpoint;
    let db = Database::connect(&world.url).await.unwrap();
    for table in [
        "audit_record",
        "audit_checkpoint",
        "ledger_entry",
        "ledger_change",
    ] {
        without_triggers(&db, table).await;
    }
    chief.log_verifies(std::slice::from_ref(&kept)).await;
    let cut = last - 3;
    run(
        &db,
        &format!("DELETE FROM audit_record WHERE chain = 'funds/f' AND number > {cut}"),
    )
    .await;
    run(
        &db,
        &format!(
            "UPDATE ledger_fund SET audit_records = {cut}, audit_digest = (SELECT digest FROM audit_record \
             WHERE chain = 'funds/f' AND number = {cut}) WHERE fund = 'f'"
        ),
    )
    .await;
    let found = places(&chief.verify_log(&[]).await);
    assert_eq!(
        found,
        [
            format!("funds/f {cut} history"),
            format!("funds/f {last} checkpoint")
        ],
        "lines that no record accounts for"
    );
    run(
        &db,
        &format!(
            "UPDATE ledger_fund SET changes = (SELECT MAX(last_change) FROM audit_record WHERE chain = 'funds/f' \
             AND number <= {cut}) WHERE fund = 'f'"
        ),
    )
    .await;
    run(
        &db,
        "DELETE FROM ledger_change WHERE fund = 'f' AND number > (SELECT changes FROM ledger_fund WHERE fund = 'f')",
    )
    .await;
    // The checkpoint in the database goes as well.
    run(&db, "DELETE FROM audit_checkpoint").await;
    run(&db, "DELETE FROM audit_record WHERE action = 'CreateCheckpoint'").await;
    run(
        &db,
        "UPDATE audit_head SET records = (SELECT MAX(number) FROM audit_record WHERE chain = 'general'), \
         digest = (SELECT digest FROM audit_record WHERE chain = 'general' ORDER BY number DESC LIMIT 1)",
    )
    .await;
    chief.log_verifies(&[]).await;
    let found = chief.verify_log(std::slice::from_ref(&kept)).await;
    assert_eq!(places(&found), [format!("funds/f {last} checkpoint")]);
    // And the journal, entry by entry.
    run(&db, "UPDATE ledger_entry SET digest = 'sha256:00' WHERE fund = 'f' AND number = (SELECT entries FROM ledger_fund WHERE fund = 'f')").await;
    let found = places(&chief.verify_log(&[kept]).await);
    assert!(
        found
            .iter()
            .any(|place| place.starts_with("funds/f/entries ") && place.ends_with(" checkpoint")),
        "{found:?}"
    );
    db.close().await.unwrap();
    server.stop().await;
}

/// The ledger's own verification, with entries of claims: flipped, deleted, swapped, appended, cut off.
async fn ledger_verification_names_the_first_bad_entry(world: World) {
    let (server, mut chief, _) = claims(&world).await;
    let db = Database::connect(&world.url).await.unwrap();
    without_triggers(&db, "ledger_entry").await;
    let (clean, last) = chief.verify("f").await;
    assert_eq!(clean.finding_count, 0);
    let columns = "at, made_by, event, from_account, to_account, amount_fen, from_balance_fen, to_balance_fen, \
         subject, note, reverses, digest";
    let keep = |which: &str| {
        [
            format!("CREATE TABLE kept AS SELECT * FROM ledger_entry WHERE fund = 'f' AND {which}"),
            format!("DELETE FROM ledger_entry WHERE fund = 'f' AND {which}"),
        ]
    };
    let restore = [
        "INSERT INTO ledger_entry SELECT * FROM kept".to_owned(),
        "DROP TABLE kept".to_owned(),
    ];
    let to = |from: u64, to: u64| {
        format!("UPDATE ledger_entry SET number = {to} WHERE fund = 'f' AND number = {from}")
    };
    let swap = vec![to(last - 1, 100_000), to(last, last - 1), to(100_000, last)];
    let cases: Vec<(Vec<String>, Vec<String>, u64)> = vec![
        (
            vec![format!(
                "UPDATE ledger_entry SET made_by = 'x' WHERE fund = 'f' AND number = {last}"
            )],
            vec![format!(
                "UPDATE ledger_entry SET made_by = '审批人' WHERE fund = 'f' AND number = {last}"
            )],
            last,
        ),
        // The first that stands after the gap.
        (
            keep(&format!("number = {}", last - 1)).to_vec(),
            restore.to_vec(),
            last,
        ),
        (swap.clone(), swap, last - 1),
        (
            vec![format!(
                "INSERT INTO ledger_entry (fund, number, {columns}) SELECT fund, {}, {} FROM ledger_entry \
                 WHERE fund = 'f' AND number = {last}",
                last + 1,
                columns.replace("reverses", "0")
            )],
            vec![format!(
                "DELETE FROM ledger_entry WHERE fund = 'f' AND number = {}",
                last + 1
            )],
            last + 1,
        ),
    ];
    for (change, undo, first) in cases {
        for statement in &change {
            run(&db, statement).await;
        }
        let (found, _) = chief.verify("f").await;
        assert_eq!(found.findings[0].entry, first, "{change:?}: {found:?}");
        for statement in &undo {
            run(&db, statement).await;
        }
        chief.verifies("f").await;
    }
    for statement in keep(&format!("number = {last}")) {
        run(&db, &statement).await;
    }
    let (found, read) = chief.verify("f").await;
    assert_eq!(read, last - 1);
    assert!(
        found.findings.iter().any(|finding| finding.field == "entries"
            && finding.stored == last.to_string()
            && finding.expected == (last - 1).to_string()),
        "{found:?}"
    );
    db.close().await.unwrap();
    server.stop().await;
}
