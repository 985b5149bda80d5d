//! Keys are changed while statements lie sealed under the old ones; and what is recorded of all work on them.

use super::office::{CITY, Office, Said, camt, debit, last_month, month, other, today};
use crate::bureau::{FUND, payee};
use crate::harness::{Client, World, id, inner, stories};
use incentive_fund::app::App;
use incentive_fund::app::audit::Asking;
use incentive_fund::app::vault::Vault;
use incentive_fund::domain::allocation::FundId;
use incentive_fund::domain::identity::Principal;
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::resolve_break_request::How;
use time::Duration;

stories!(
    keys_are_changed_and_lines_are_read_and_matched_as_before,
    a_statement_of_many_sets_is_taken_up_where_it_was_left,
    every_call_names_what_it_changed,
);

const PART: i64 = 140_000;

fn operator() -> Asking {
    Asking {
        caller: Principal::parse("管理员").unwrap(),
        peer: "in-process".to_owned(),
    }
}

/// The old key file, one with both keys, and one with the new key alone.
fn keys() -> [Vault; 3] {
    let old = Vault::generate("2026", None).unwrap().to_string();
    let new = Vault::generate("2027", None).unwrap().to_string();
    let both = format!("{new}\n{old}");
    [old, both, new].map(|text| Vault::parse(&text).unwrap())
}

impl Client {
    async fn lines_of(&mut self, statement: u64) -> Vec<pb::StatementLine> {
        let request = pb::ListStatementLinesRequest {
            statement: format!("{CITY}/statements/{statement}"),
            page_size: 1_000,
            ..Default::default()
        };
        inner(self.reconciliations.list_statement_lines(request).await).lines
    }

    /// What the log says of a resource or of an action, a line for each record.
    async fn recorded(&mut self, action: &str, resource: &str) -> Vec<pb::AuditRecord> {
        let request = pb::ListAuditRecordsRequest {
            action: action.to_owned(),
            resource: resource.to_owned(),
            ..Default::default()
        };
        self.audit_records(request).await
    }
}

async fn rotate(app: &App) -> u64 {
    app.rotate_statement_keys(&operator()).await.unwrap()
}

async fn keys_are_changed_and_lines_are_read_and_matched_as_before(mut world: World) {
    let [old, both, new] = keys();
    world.vault = old;
    let mut office = Office::open(&world, 2).await;
    let (first, last) = (today(), today() + Duration::days(1));
    // One names its payment; the other is told from the payee's account alone, by its hash.
    let lines = [
        debit(first, PART, office.reference(0)),
        Said {
            account: payee(2).account,
            ..debit(first, PART, "NOTPROVIDED")
        },
        other(first, -7_00, "手续费"),
    ];
    let (file, closing) = camt("1", (first, first), 5_000_000_00, &lines);
    office.maker.import_statement(&file).await.unwrap();
    let shown = office.maker.lines_of(1).await;
    assert_eq!(shown[0].counterparty, "王**");
    office.server.stop().await;

    world.vault = both;
    let server = world.serve().await;
    let mut maker = server.client("经办人").await;
    assert_eq!(maker.lines_of(1).await, shown, "under the old key");
    // A statement of the new key, which there is nothing to do about.
    let (next, _) = camt("2", (last, last), closing, &[debit(last, 1_00, "NOTPROVIDED")]);
    maker.import_statement(&next).await.unwrap();
    let newer = maker.lines_of(2).await;
    let fund = FundId::parse("fund", FUND).unwrap();
    assert_eq!(server.app.rotate_keys(&operator(), &fund).await.unwrap(), 2);
    assert_eq!(
        rotate(&server.app).await,
        2,
        "one set of lines, one statement's hashes"
    );
    assert_eq!(rotate(&server.app).await, 0, "nothing is left");
    let mut records = maker.recorded("RotateKeys", "").await;
    records.retain(|record| record.chain == "general");
    let told: Vec<(&str, &str, &str, &str)> = records
        .iter()
        .map(|record| {
            (
                &*record.principal,
                &*record.peer,
                &*record.resource,
                &*record.reason,
            )
        })
        .collect();
    let statement = format!("{CITY}/statements/1");
    assert_eq!(
        told[..2],
        [
            (
                "管理员",
                "in-process",
                &*statement,
                "sealing=2027 lookup=2027 sets=1"
            ),
            (
                "管理员",
                "in-process",
                &*statement,
                "sealing=2027 lookup=2027 accounts"
            ),
        ],
        "{records:#?}"
    );
    assert!(
        records[2..].iter().all(|record| record.resource == "payments"),
        "{records:#?}"
    );
    maker.log_verifies(&[]).await;
    server.stop().await;

    // The old key is needed for nothing any more.
    world.vault = new;
    let server = world.serve().await;
    let mut maker = server.client("经办人").await;
    assert_eq!(maker.lines_of(1).await, shown);
    assert_eq!(maker.lines_of(2).await, newer);
    // Both sides are hashed with the new key: the line finds its payment.
    maker.reconcile(first, false).await;
    let matched = maker.lines_of(1).await;
    let rules: Vec<&str> = matched.iter().map(|line| &*line.rule).collect();
    assert_eq!(rules, ["reference", "account-date", ""], "{matched:#?}");
    maker.ties(first).await;
    server.stop().await;
}

/// More sets of lines than one transaction seals, and more lines than one hashes.
async fn a_statement_of_many_sets_is_taken_up_where_it_was_left(mut world: World) {
    const LINES: usize = 26_000;
    let [old, both, new] = keys();
    world.vault = old;
    let office = Office::open(&world, 0).await;
    let mut maker = office.maker;
    let day = today();
    let lines: Vec<_> = (0..LINES).map(|_| debit(day, 1, "NOTPROVIDED")).collect();
    let (file, _) = camt("1", (day, day), 5_000_000_00, &lines);
    maker.import_statement(&file).await.unwrap();
    let shown = maker.lines_of(1).await;
    office.server.stop().await;
    world.vault = both;
    let server = world.serve().await;
    // Given up in the middle, wherever that is, and begun again.
    let app = server.app.clone();
    let rotating = tokio::spawn(async move { app.rotate_statement_keys(&operator()).await });
    tokio::time::sleep(std::time::Duration::from_millis(120)).await;
    rotating.abort();
    let _ = rotating.await;
    let left = rotate(&server.app).await;
    assert!(left <= LINES.div_ceil(128) as u64 + 1, "{left}");
    assert_eq!(rotate(&server.app).await, 0);
    server.stop().await;
    world.vault = new;
    let server = world.serve().await;
    let mut maker = server.client("经办人").await;
    assert_eq!(maker.lines_of(1).await, shown);
    let records = maker
        .recorded("RotateKeys", &format!("{CITY}/statements/1"))
        .await;
    let sets: u64 = records
        .iter()
        .filter_map(|record| record.reason.rsplit_once("sets=")?.1.parse::<u64>().ok())
        .sum();
    assert_eq!(sets, LINES.div_ceil(128) as u64, "each set once: {records:#?}");
    assert!(records.iter().any(|record| record.reason.ends_with(" accounts")));
    maker.log_verifies(&[]).await;
    server.stop().await;
}

async fn every_call_names_what_it_changed(world: World) {
    let office = Office::open(&world, 0).await;
    let (mut maker, mut checker) = (office.maker, office.checker);
    let (first, last) = last_month();
    let closed = month(last);
    let lines = [other(first, -5_00, "手续费"), other(last, 12_34, "利息")];
    let (file, _) = camt("1", (first, last), 1_000_00, &lines);
    maker.import_statement(&file).await.unwrap();
    let job = maker.reconcile(last, false).await;
    let fee = maker.break_of(|found| found.found == "-5.00").await;
    let interest = maker.break_of(|found| found.found == "12.34").await;
    let assign = pb::AssignBreakRequest {
        name: fee.name.clone(),
        assignee: "李四".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    inner(maker.reconciliations.assign_break(assign.clone()).await);
    // The same call again is answered and changes nothing.
    inner(maker.reconciliations.assign_break(assign).await);
    let comment = pb::CommentBreakRequest {
        name: fee.name.clone(),
        comment: "已电话询问".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    inner(maker.reconciliations.comment_break(comment).await);
    let explained = |category: pb::ExplanationCategory| {
        How::Explanation(pb::LineExplanation {
            category: category.into(),
            entry: String::new(),
        })
    };
    for (name, category) in [
        (&fee.name, pb::ExplanationCategory::Other),
        (&interest.name, pb::ExplanationCategory::Interest),
    ] {
        maker
            .resolve_break_as(name, explained(category), "对账单附言")
            .await
            .unwrap();
    }
    maker.reopen_break_again(&fee.name, "再看").await.unwrap();
    let fees = explained(pb::ExplanationCategory::Fee);
    maker
        .resolve_break_as(&fee.name, fees, "对账单附言")
        .await
        .unwrap();
    let name = format!("{CITY}/periods/{closed}");
    let prepare = pb::PreparePeriodRequest {
        name: name.clone(),
        request_id: id(),
        ..Default::default()
    };
    inner(maker.reconciliations.prepare_period(prepare).await);
    let sign = pb::SignPeriodRequest {
        name: name.clone(),
        request_id: id(),
        ..Default::default()
    };
    inner(checker.reconciliations.sign_period(sign).await);
    // Of a closed month: the new break is what is recorded, and the old one stays.
    let correction = maker.reopen_break_again(&fee.name, "再查").await.unwrap();

    for (resource, actions) in [
        (job.name.as_str(), vec!["CreateReconciliation"]),
        (
            &fee.name,
            vec![
                "AssignBreak",
                "CommentBreak",
                "ResolveBreak",
                "ReopenBreak",
                "ResolveBreak",
            ],
        ),
        (&interest.name, vec!["ResolveBreak"]),
        (&name, vec!["PreparePeriod", "SignPeriod"]),
        (&correction.name, vec!["ReopenBreak"]),
    ] {
        let records = maker.recorded("", resource).await;
        let told: Vec<&str> = records.iter().map(|record| &*record.action).collect();
        assert_eq!(told, actions, "{resource}: {records:#?}");
        // Digests make a chain of what became of it, whoever worked on it.
        for (before, after) in records.iter().zip(&records[1..]) {
            assert_eq!(before.after_digest, after.before_digest, "{resource}");
        }
        assert!(records.iter().all(|record| !record.after_digest.is_empty()));
        assert!(
            records
                .iter()
                .all(|record| record.before_digest != record.after_digest)
        );
    }
    let of_job = maker.recorded("", &job.name).await;
    assert_eq!(of_job[0].before_digest, "");
    maker.log_verifies(&[]).await;
    office.server.stop().await;
}
