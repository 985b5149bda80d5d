//! Every mutation, refusal and disclosure has its record.

use crate::claims::setup::{approval, claim, message, ready, submission, without_notice};
use crate::harness::{World, inner, refused, stories};
use incentive_fund::app::clock;
use incentive_fund::grpc::pb;
use std::collections::BTreeMap;

stories!(
    everything_that_is_done_is_recorded,
    a_bulk_call_is_one_record_that_names_its_claims,
    what_is_recorded_once_is_not_recorded_again,
    checkpoints_are_kept_and_compared_with,
    the_log_is_exported,
    records_of_many_callers_make_whole_chains,
);

fn all() -> pb::ListAuditRecordsRequest {
    pb::ListAuditRecordsRequest {
        page_size: 7,
        ..Default::default()
    }
}

fn of(resource: &str) -> pb::ListAuditRecordsRequest {
    pb::ListAuditRecordsRequest {
        resource: resource.to_owned(),
        ..all()
    }
}

/// How often each action has which outcome.
fn counted(records: &[pb::AuditRecord]) -> BTreeMap<(&str, &str), usize> {
    let mut counts = BTreeMap::new();
    for record in records {
        let outcome = record
            .outcome()
            .as_str_name()
            .trim_start_matches("AUDIT_OUTCOME_");
        *counts.entry((record.action.as_str(), outcome)).or_default() += 1;
    }
    counts
}

async fn everything_that_is_done_is_recorded(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "10000000", "10000000").await;
    without_notice(&mut clerk).await;
    let request = submission(claim(1));
    let request_id = request.request_id.clone();
    let first = inner(clerk.subsidies.submit_claim(request).await)
        .claim
        .unwrap()
        .name;
    // Who handed it in does not approve it.
    assert_eq!(
        refused(clerk.approve_claim(&first).await).reason,
        "APPROVER_IS_SUBMITTER"
    );
    chief.approve_claim(&first).await.unwrap();
    let second = clerk.submit(claim(2)).await.unwrap().name;
    chief.approve_claim(&second).await.unwrap();
    clerk.object_to(&second, "已有住房").await.unwrap();
    let objection = format!("{second}/objections/1");
    let read = pb::GetObjectionRequest {
        name: objection.clone(),
    };
    inner(chief.subsidies.get_objection(read).await);
    chief.resolve(&objection, false).await.unwrap();
    assert_eq!(refused(clerk.submit(claim(1)).await).reason, "ALREADY_SUBSIDISED");
    chief.pay_all(true).await;
    let export = pb::ExportBatchRequest {
        name: "funds/f/batches/1".to_owned(),
        format: pb::BankFileFormat::Pain001.into(),
        ..Default::default()
    };
    let mut parts = inner(chief.disbursements.export_batch(export).await);
    while parts.message().await.unwrap().is_some() {}
    chief.take_back(&first, "city", "7080.00").await.unwrap();

    let records = chief.audit_records(all()).await;
    let counts = counted(&records);
    for (action, outcome, count) in [
        ("ImportRegions", "DONE", 1),
        ("ImportIndicators", "DONE", 1),
        ("CreateDataSet", "DONE", 1),
        ("ImportObservations", "DONE", 1),
        ("CreateFormula", "DONE", 2),
        ("ImportProgrammes", "DONE", 1),
        ("ImportDeedTaxLaw", "DONE", 1),
        ("CreateAllocation", "DONE", 1),
        ("ApproveAllocation", "DONE", 1),
        ("IssueAllocation", "DONE", 1),
        ("SubmitClaim", "DONE", 2),
        ("SubmitClaim", "REFUSED", 1),
        ("ApproveClaim", "DONE", 2),
        ("ApproveClaim", "REFUSED", 1),
        ("ObjectToClaim", "DONE", 1),
        ("GetObjection", "DISCLOSED", 1),
        ("ResolveObjection", "DONE", 1),
        ("CreateBatch", "DONE", 1),
        ("FreezeBatch", "DONE", 1),
        ("ReleaseBatch", "DONE", 1),
        ("RecordPaymentResult", "DONE", 4),
        ("batch.closed", "DONE", 1),
        ("ExportBatch", "DISCLOSED", 1),
        ("ReturnClaim", "DONE", 1),
    ] {
        assert_eq!(
            counts.get(&(action, outcome)),
            Some(&count),
            "{action} {outcome}: {counts:#?}"
        );
    }
    for record in &records {
        assert!(!record.principal.is_empty(), "{record:?}");
        let expected = if record.action == "batch.closed" {
            "in-process"
        } else {
            "127.0.0.1:"
        };
        assert!(record.peer.starts_with(expected), "{record:?}");
        assert!(clock::parse("time", &record.time).is_ok());
        assert!(
            !record.resource.is_empty() && record.resource_count > 0
                || record.outcome() == pb::AuditOutcome::Refused,
            "{record:?}"
        );
    }

    // One claim's records, as a chain of digests from nothing to its end.
    let of_first = chief.audit_records(of(&first)).await;
    let told: Vec<(&str, &str, &str)> = of_first
        .iter()
        .map(|record| (&*record.action, &*record.principal, &*record.reason))
        .collect();
    assert_eq!(
        told,
        [
            ("SubmitClaim", "经办人", ""),
            ("ApproveClaim", "经办人", "APPROVER_IS_SUBMITTER"),
            ("ApproveClaim", "审批人", ""),
            ("CreateBatch", "出纳甲", ""),
            ("ReleaseBatch", "出纳乙", ""),
            ("RecordPaymentResult", "出纳乙", ""),
            ("RecordPaymentResult", "出纳乙", ""),
            ("ReturnClaim", "审批人", ""),
        ]
    );
    assert_eq!(of_first[0].request_id, request_id);
    assert_eq!(
        (&*of_first[0].before_digest, of_first[0].chain.as_str()),
        ("", "funds/f")
    );
    assert_eq!(of_first[0].after_digest, of_first[2].before_digest);
    assert_ne!(of_first[2].after_digest, of_first[2].before_digest);
    assert_eq!(of_first[5].after_digest, of_first[6].before_digest);
    assert_eq!(of_first[6].after_digest, of_first[7].before_digest);

    let disclosed = pb::ListAuditRecordsRequest {
        outcome: pb::AuditOutcome::Disclosed.into(),
        ..all()
    };
    let disclosed = chief.audit_records(disclosed).await;
    let told: Vec<(&str, &str, &str, u64)> = disclosed
        .iter()
        .map(|record| {
            (
                &*record.chain,
                &*record.resource,
                &*record.reason,
                record.resource_count,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("general", objection.as_str(), "objections.read", 1),
            ("general", "funds/f/batches/1", "payments.export", 4),
        ]
    );
    let verified = chief.log_verifies(&[]).await;
    let chains: Vec<&str> = verified.chains.iter().map(|chain| &*chain.chain).collect();
    assert_eq!(chains, ["funds/f", "general"]);
    assert_eq!(
        verified.chains.iter().map(|chain| chain.records).sum::<u64>(),
        records.len() as u64
    );
    server.stop().await;
}

async fn a_bulk_call_is_one_record_that_names_its_claims(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    let bulk = message(vec![claim(1), claim(2), claim(1), claim(3)]);
    let request_id = bulk.request_id.clone();
    clerk.submit_all(vec![bulk]).await.unwrap();
    let of_request = pb::ListAuditRecordsRequest { request_id, ..all() };
    let records = chief.audit_records(of_request).await;
    let [record] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(
        (
            &*record.action,
            &*record.resource,
            record.resource_count,
            &*record.reason
        ),
        ("SubmitClaims", "funds/f/claims", 3, "ALREADY_SUBSIDISED=1")
    );
    assert_eq!(record.last_change - record.first_change, 2);
    for n in 1..=3 {
        let found = chief.audit_records(of(&format!("funds/f/claims/{n}"))).await;
        assert_eq!(found, records, "{n}");
    }
    assert!(chief.audit_records(of("funds/f/claims/4")).await.is_empty());
    server.stop().await;
}

async fn what_is_recorded_once_is_not_recorded_again(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    let request = submission(claim(1));
    let submitted = inner(clerk.subsidies.submit_claim(request.clone()).await);
    let before = chief.audit_records(all()).await;
    // A repeated request has the same answer, masked texts and all, and no record of its own.
    let again = inner(clerk.subsidies.submit_claim(request).await);
    assert_eq!(again, submitted);
    assert!(again.claim.unwrap().masked_name.starts_with('令'));
    // What was only checked, what is not there and what makes no sense is not recorded.
    let checked = pb::SubmitClaimRequest {
        validate_only: true,
        ..submission(claim(2))
    };
    inner(clerk.subsidies.submit_claim(checked).await);
    refused(chief.approve_claim("funds/f/claims/99").await);
    refused(chief.approve_claim("nonsense").await);
    let stale = pb::ApproveClaimRequest {
        etag: "stale".to_owned(),
        ..approval("funds/f/claims/1")
    };
    refused(chief.subsidies.approve_claim(stale).await);
    assert_eq!(chief.audit_records(all()).await, before);
    server.stop().await;
}

async fn checkpoints_are_kept_and_compared_with(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    clerk.submit(claim(1)).await.unwrap();
    let first = chief.checkpoint().await;
    assert_eq!(first.number, 1);
    clerk.submit(claim(2)).await.unwrap();
    let second = chief.checkpoint().await;
    assert_eq!(second.number, 2);
    let kept = [first.checkpoint.clone(), second.checkpoint];
    assert_eq!(chief.log_verifies(&kept).await.checkpoints, 4);
    let document: serde_json::Value = serde_json::from_str(&first.checkpoint).unwrap();
    assert_eq!(document["journals"][0]["fund"], "f");
    // One that somebody changed is none, whatever it says of the log.
    let forged = first.checkpoint.replace("\"records\": ", "\"records\": 1");
    let found = chief.verify_log(&[forged]).await;
    assert_eq!(
        (&*found.findings[0].chain, &*found.findings[0].field),
        ("checkpoint 1", "digest")
    );
    let refusal = refused(
        chief
            .audit
            .verify_audit_log(pb::VerifyAuditLogRequest {
                checkpoints: vec!["{}".to_owned()],
                ..Default::default()
            })
            .await,
    );
    refusal.names("checkpoints[0]");
    // By itself the program makes one where something was recorded since the last.
    assert_eq!(server.app.periodic_checkpoint().await.unwrap(), None);
    clerk.submit(claim(3)).await.unwrap();
    let third = server.app.periodic_checkpoint().await.unwrap().unwrap();
    assert_eq!(third.number, 3);
    assert_eq!(server.app.periodic_checkpoint().await.unwrap(), None);
    server.stop().await;
    // Another server without the key, and the public half of it.
    let mut without = world.clone();
    without.signing = incentive_fund::app::audit::SigningKey::parse(
        &incentive_fund::app::audit::generate_signing_key("other", None).unwrap(),
    )
    .unwrap();
    let server = without.serve().await;
    let mut chief = server.client("审计").await;
    let found = chief.verify_log(&[]).await;
    assert_eq!(found.findings[0].field, "key", "{found:?}");
    let request = pb::VerifyAuditLogRequest {
        checkpoints: kept.to_vec(),
        public_keys: first.public_keys,
        ..Default::default()
    };
    let mut answers = inner(chief.audit.verify_audit_log(request).await);
    let mut last = None;
    while let Some(answer) = answers.message().await.unwrap() {
        last = answer.verification;
    }
    assert_eq!(last.unwrap().finding_count, 0);
    server.stop().await;
}

async fn the_log_is_exported(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    clerk.submit(claim(1)).await.unwrap();
    let mut formula = clerk.named("=HYPERLINK(1)");
    formula.receive("g", "1.00").await.unwrap();
    let records = chief.audit_records(all()).await;
    let json = chief.export_log(pb::AuditFormat::JsonLines).await;
    let lines: Vec<serde_json::Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), records.len());
    for (line, record) in lines.iter().zip(&records) {
        assert_eq!(line["digest"], record.digest);
        assert_eq!(line["number"], record.number);
        assert_eq!(line["principal"], record.principal);
    }
    let text = chief.export_log(pb::AuditFormat::Csv).await;
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = csv.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), records.len());
    assert!(
        rows.iter().any(|row| row["principal"] == "'=HYPERLINK(1)"),
        "no formula for a spreadsheet"
    );
    assert!(
        rows.iter()
            .zip(&records)
            .all(|(row, record)| row["digest"] == record.digest)
    );
    server.stop().await;
}

async fn records_of_many_callers_make_whole_chains(world: World) {
    let (server, clerk, mut chief) = ready(&world, "10000000", "10000000").await;
    let other = world.serve().await;
    let before = chief.log_verifies(&[]).await;
    let read: u64 = before.chains.iter().map(|chain| chain.records).sum();
    let mut tasks = Vec::new();
    for n in 0..8 {
        let mut at_this = clerk.named(&format!("经办{n}"));
        let mut at_other = other.client(&format!("外地{n}")).await;
        tasks.push(tokio::spawn(async move {
            for k in 0..5 {
                at_this.submit(claim(100 + n * 10 + k)).await.unwrap();
                // General ones, from two servers at the same moment.
                let set = format!("set-{n}-{k}");
                at_other.create_data_set(&set).await.unwrap();
                at_this.receive(&format!("fund-{}", k % 2), "1.00").await.unwrap();
                refused(at_other.create_data_set(&set).await);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let after = chief.log_verifies(&[]).await;
    let now: u64 = after.chains.iter().map(|chain| chain.records).sum();
    assert_eq!(now - read, 8 * 5 * 4);
    let waiting = pb::ListAuditRecordsRequest {
        action: "CreateDataSet".to_owned(),
        outcome: pb::AuditOutcome::Refused.into(),
        ..all()
    };
    assert_eq!(chief.audit_records(waiting).await.len(), 40);
    other.stop().await;
    server.stop().await;
}
