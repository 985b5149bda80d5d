//! Amounts stay, the person goes.

use crate::claims::setup::{AMOUNT, claim, ready, submission, without_notice};
use crate::harness::{Client, Engine, World, id, inner, refused, stories};
use incentive_fund::app::App;
use incentive_fund::app::Mutation;
use incentive_fund::app::erasure::Which;
use incentive_fund::domain::access::Scope;
use incentive_fund::domain::allocation::FundId;
use incentive_fund::domain::digest::Digest;
use incentive_fund::domain::identity::Principal;
use incentive_fund::grpc::pb;
use incentive_fund::store::{Store, StoreOptions};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use std::time::Duration;
use tonic::{Code, Status};

stories!(
    the_person_goes_and_the_books_stay,
    who_asks_does_not_erase,
    what_ended_long_ago_is_due,
);

impl Client {
    async fn ask_to_erase(&mut self, numbers: &[u64]) -> Result<Vec<pb::Erasure>, Status> {
        let request = pb::RequestErasureRequest {
            parent: "funds/f".to_owned(),
            claims: numbers.iter().map(|n| format!("funds/f/claims/{n}")).collect(),
            reason: "当事人申请".to_owned(),
            request_id: id(),
            ..Default::default()
        };
        Ok(self.privacy.request_erasure(request).await?.into_inner().erasures)
    }

    async fn erase(&mut self, numbers: &[u64]) -> Result<Vec<pb::Erasure>, Status> {
        let request = pb::EraseClaimantsRequest {
            parent: "funds/f".to_owned(),
            claims: numbers.iter().map(|n| format!("funds/f/claims/{n}")).collect(),
            all: numbers.is_empty(),
            request_id: id(),
            ..Default::default()
        };
        Ok(self.privacy.erase_claimants(request).await?.into_inner().erasures)
    }
}

/// What is kept of the persons of claims 1 and 2: sealed texts, and masked numbers.
async fn kept_of_persons(db: &DatabaseConnection) -> Vec<String> {
    let mut kept = Vec::new();
    for sql in [
        "SELECT sealed AS kept FROM claim WHERE number IN (1, 2)",
        "SELECT sealed AS kept FROM claim_objection WHERE claim IN (1, 2)",
        "SELECT sealed AS kept FROM payment WHERE claim IN (1, 2)",
    ] {
        let statement = Statement::from_string(db.get_database_backend(), sql);
        for row in db.query_all_raw(statement).await.unwrap() {
            kept.push(row.try_get::<String>("", "kept").unwrap());
        }
    }
    kept.retain(|text| !text.is_empty());
    kept
}

async fn the_person_goes_and_the_books_stay(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "10000000", "10000000").await;
    without_notice(&mut clerk).await;
    let handed_in = submission(claim(1));
    let first = inner(clerk.subsidies.submit_claim(handed_in.clone()).await)
        .claim
        .unwrap();
    let second = clerk.submit(claim(2)).await.unwrap().name;
    clerk.submit(claim(3)).await.unwrap();
    chief.approve_claim(&first.name).await.unwrap();
    clerk.object_to(&first.name, "已有住房").await.unwrap();
    let objection = format!("{}/objections/1", first.name);
    chief.resolve(&objection, false).await.unwrap();
    chief.pay_all(true).await;
    clerk.withdraw_claim(&second).await.unwrap();
    let before = clerk.claim(&first.name).await;
    let db = Database::connect(&world.url).await.unwrap();
    let kept = kept_of_persons(&db).await;
    assert_eq!(kept.len(), 5, "two claims, an objection, two payments");

    clerk.ask_to_erase(&[1, 2]).await.unwrap();
    let erased = chief.erase(&[]).await.unwrap();
    assert_eq!(erased.len(), 2);
    assert!(
        erased
            .iter()
            .all(|erasure| erasure.erased.as_ref().unwrap().principal == "审批人")
    );
    // Again: nothing more to do, and no error.
    assert_eq!(chief.erase(&[1, 2]).await.unwrap(), erased);
    assert_eq!(clerk.ask_to_erase(&[1, 2]).await.unwrap(), erased);

    assert!(kept_of_persons(&db).await.is_empty());
    let after = clerk.claim(&first.name).await;
    let claim_after = after.claim.clone().unwrap();
    assert_eq!(
        (
            &*claim_after.masked_name,
            &*claim_after.masked_id,
            &*after.masked_account
        ),
        ("", "", "")
    );
    assert_eq!(
        (&*claim_after.amount, claim_after.state),
        (AMOUNT, before.claim.as_ref().unwrap().state.clone())
    );
    assert_eq!(after.payments, before.payments);
    assert_eq!(after.facts, before.facts);
    // The answer that was kept for the request never said who it was.
    let again = inner(clerk.subsidies.submit_claim(handed_in).await)
        .claim
        .unwrap();
    assert_eq!((&*again.masked_name, &*again.amount), ("", &*first.amount));
    let explain = pb::ExplainClaimRequest {
        name: first.name.clone(),
    };
    let explained = inner(clerk.subsidies.explain_claim(explain).await);
    assert_eq!(explained.assessment.unwrap().amount, AMOUNT);
    let read = pb::GetObjectionRequest { name: objection };
    assert_eq!(
        refused(chief.subsidies.get_objection(read).await).reason,
        "PERSON_ERASED"
    );
    let export = pb::ExportBatchRequest {
        name: "funds/f/batches/1".to_owned(),
        format: pb::BankFileFormat::Pain001.into(),
        ..Default::default()
    };
    assert_eq!(
        refused(chief.disbursements.export_batch(export).await).reason,
        "PERSON_ERASED"
    );
    let list = pb::ListPaymentsRequest {
        batch: "funds/f/batches/1".to_owned(),
        ..Default::default()
    };
    let payments = inner(chief.disbursements.list_payments(list).await).payments;
    assert!(
        payments
            .iter()
            .all(|payment| payment.applicant.is_empty() && payment.account.is_empty())
    );

    // Who was paid stays known by hash; who was not does not.
    assert_eq!(refused(clerk.submit(claim(1)).await).reason, "ALREADY_SUBSIDISED");
    clerk.submit(claim(2)).await.unwrap();
    // Money that comes back is still taken.
    chief.take_back(&first.name, "city", "1.00").await.unwrap();
    clerk.verifies("f").await;
    clerk.log_verifies(&[]).await;
    let list = pb::ListErasuresRequest {
        parent: "funds/f".to_owned(),
        ..Default::default()
    };
    assert_eq!(inner(chief.privacy.list_erasures(list).await).erasures, erased);
    let kinds: Vec<String> = (clerk.history(&first.name).await.into_iter())
        .map(|event| event.kind)
        .collect();
    assert!(
        kinds.contains(&"claim.erasure_requested".to_owned()) && kinds.contains(&"claim.erased".to_owned()),
        "{kinds:?}"
    );
    let records = chief
        .audit_records(pb::ListAuditRecordsRequest {
            action: "EraseClaimants".to_owned(),
            ..Default::default()
        })
        .await;
    assert_eq!(records[0].resource_count, 2);
    db.close().await.unwrap();
    server.stop().await;
    // Not even the bytes are there.
    if world.engine() == Engine::Sqlite {
        let file = world
            .url
            .trim_start_matches("sqlite://")
            .split('?')
            .next()
            .unwrap();
        let bytes = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        for text in kept {
            assert!(!bytes.contains(&text), "what was sealed is still in the file");
        }
    }
}

async fn who_asks_does_not_erase(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "1000000", "1000000").await;
    let open = clerk.submit(claim(1)).await.unwrap().name;
    let ended = clerk.submit(claim(2)).await.unwrap().name;
    clerk.withdraw_claim(&ended).await.unwrap();
    assert_eq!(refused(clerk.ask_to_erase(&[1]).await).reason, "CLAIM_OPEN");
    assert_eq!(refused(clerk.ask_to_erase(&[2, 99]).await).code, Code::NotFound);
    assert_eq!(refused(chief.erase(&[2]).await).reason, "ERASURE_NOT_REQUESTED");
    clerk.ask_to_erase(&[2]).await.unwrap();
    let refusal = refused(clerk.erase(&[2]).await);
    assert_eq!(
        (refusal.code, &*refusal.reason),
        (Code::PermissionDenied, "ERASER_REQUESTED_ERASURE")
    );
    assert!(!clerk.claim(&ended).await.claim.unwrap().masked_name.is_empty());
    let reason = pb::RequestErasureRequest {
        parent: "funds/f".to_owned(),
        claims: vec![ended.clone()],
        request_id: id(),
        ..Default::default()
    };
    refused(clerk.privacy.request_erasure(reason).await).names("reason");
    let both = pb::EraseClaimantsRequest {
        parent: "funds/f".to_owned(),
        claims: vec![ended.clone()],
        all: true,
        request_id: id(),
        ..Default::default()
    };
    refused(chief.privacy.erase_claimants(both).await).names("claims");
    let checked = pb::EraseClaimantsRequest {
        parent: "funds/f".to_owned(),
        all: true,
        validate_only: true,
        ..Default::default()
    };
    assert_eq!(
        inner(chief.privacy.erase_claimants(checked).await).erasures.len(),
        1
    );
    assert!(!clerk.claim(&ended).await.claim.unwrap().masked_name.is_empty());
    chief.erase(&[2]).await.unwrap();
    assert_eq!(clerk.claim(&ended).await.claim.unwrap().masked_name, "");
    assert!(!clerk.claim(&open).await.claim.unwrap().masked_name.is_empty());
    let refusals = pb::ListAuditRecordsRequest {
        outcome: pb::AuditOutcome::Refused.into(),
        action: "EraseClaimants".to_owned(),
        ..Default::default()
    };
    let reasons: Vec<String> = (chief.audit_records(refusals).await.into_iter())
        .map(|record| record.reason)
        .collect();
    assert_eq!(reasons, ["ERASURE_NOT_REQUESTED", "ERASER_REQUESTED_ERASURE"]);
    server.stop().await;
}

async fn what_ended_long_ago_is_due(world: World) {
    let (server, mut clerk, _) = ready(&world, "1000000", "1000000").await;
    for n in 1..=3 {
        let name = clerk.submit(claim(n)).await.unwrap().name;
        if n < 3 {
            clerk.withdraw_claim(&name).await.unwrap();
        }
    }
    let store = Store::connect(&StoreOptions {
        url: world.url.clone(),
        max_connections: 4,
        acquire_timeout: Duration::from_secs(30),
        statement_log: false,
    })
    .await
    .unwrap();
    let app = App::new(store).with_vault(world.vault.clone());
    let mutation = || Mutation {
        caller: Principal::parse("管理员").unwrap(),
        peer: "in-process".to_owned(),
        scope: Scope::All,
        request_id: String::new(),
        body: Digest::of(b""),
        validate_only: false,
    };
    let fund = FundId::parse("fund", "f").unwrap();
    let refused = app
        .request_erasure(&mutation(), &fund, &Which::All, "保存期满")
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("retention_years"), "{refused}");
    let app = app.with_retention_years(10);
    let due = app
        .request_erasure(&mutation(), &fund, &Which::All, "保存期满")
        .await
        .unwrap();
    assert!(due.is_empty());
    // As if the first had ended eleven years ago.
    let db = Database::connect(&world.url).await.unwrap();
    if world.engine() == Engine::Postgres {
        db.execute_unprepared("DROP TRIGGER ledger_change_append_only ON ledger_change")
            .await
            .unwrap();
    } else {
        db.execute_unprepared("DROP TRIGGER ledger_change_no_update")
            .await
            .unwrap();
    }
    db.execute_unprepared(
        "UPDATE ledger_change SET at = at - 346896000000000 WHERE resource = 'funds/f/claims/1'",
    )
    .await
    .unwrap();
    let due = app
        .request_erasure(&mutation(), &fund, &Which::All, "保存期满")
        .await
        .unwrap();
    let claims: Vec<u64> = due.iter().map(|erasure| erasure.claim.number).collect();
    assert_eq!(claims, [1]);
    db.close().await.unwrap();
    app.store().clone().close().await;
    server.stop().await;
}
