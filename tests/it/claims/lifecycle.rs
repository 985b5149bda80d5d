//! From hand-in to payment and back, person by person.

use super::setup::{
    AMOUNT, CITY, COUNTY, PURCHASE, REGION, claim, create_policy, policy, quota, ready, tax_facts,
    without_notice,
};
use crate::harness::{World, id, inner, refused, stories};
use crate::ledger::{line, own};
use incentive_fund::app::clock;
use incentive_fund::grpc::pb;
use time::Duration;
use tonic::Code;

stories!(
    handed_in_approved_by_another_noticed_and_bound,
    rejected_withdrawn_and_cancelled,
    an_objection_holds_and_another_resolves_it,
    the_cost_is_split_between_two_payers,
    paid_failed_retried_and_returned,
    explained_by_the_rules_of_its_day,
    listed_page_by_page,
    an_etag_that_is_not_current_is_refused,
);

async fn handed_in_approved_by_another_noticed_and_bound(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    let submitted = clerk.submit(claim(1)).await.unwrap();
    assert_eq!(submitted.name, "funds/f/claims/1");
    assert_eq!(
        (submitted.state.as_str(), submitted.amount.as_str()),
        ("submitted", AMOUNT)
    );
    assert_eq!(
        submitted.policy,
        "policies/xuchang-housing-purchase-2024/revisions/1"
    );
    assert_eq!(submitted.region, format!("regions/{REGION}"));
    assert_eq!(submitted.submitted.as_ref().unwrap().principal, "经办人");
    assert_eq!((submitted.notice_days, submitted.notice_from.as_str()), (5, ""));
    let free = ["100000.00", "0.00", "100000.00", "0.00"];
    assert_eq!(clerk.bound().await, free, "handing in binds nothing");

    let own = refused(clerk.approve_claim(&submitted.name).await);
    assert_eq!(
        (own.code, own.reason.as_str()),
        (Code::PermissionDenied, "APPROVER_IS_SUBMITTER")
    );
    assert!(own.zh.contains("须由他人审批"), "{}", own.zh);
    let approved = chief.approve_claim(&submitted.name).await.unwrap();
    assert_eq!(approved.state, "reserved");
    assert_eq!(approved.decided.as_ref().unwrap().principal, "审批人");
    let today = clock::today().unwrap();
    assert_eq!(approved.notice_from, today.to_string());
    assert_eq!(approved.notice_until, (today + Duration::days(4)).to_string());
    assert_ne!(approved.etag, submitted.etag);
    assert_eq!(clerk.bound().await, ["92920.00", CITY, "89380.00", COUNTY]);
    let twice = refused(chief.approve_claim(&submitted.name).await);
    assert_eq!(twice.reason, "CLAIM_STATE");

    let request = pb::ListPublicNoticesRequest {
        parent: "funds/f".to_owned(),
        ..Default::default()
    };
    let notices = inner(chief.subsidies.list_public_notices(request).await).claims;
    assert_eq!(notices.as_slice(), std::slice::from_ref(&approved));
    let kinds: Vec<(String, String, String)> = (clerk.history(&submitted.name).await.into_iter())
        .map(|event| (event.kind, event.state, event.signed.unwrap().principal))
        .collect();
    let told = |kind: &str, state: &str, by: &str| (kind.to_owned(), state.to_owned(), by.to_owned());
    assert_eq!(
        kinds,
        [
            told("claim.submitted", "submitted", "经办人"),
            told("claim.approved", "reserved", "审批人")
        ]
    );
    let detail = clerk.claim(&submitted.name).await;
    assert_eq!(detail.claim, Some(approved));
    assert_eq!(detail.facts["area"], "88.5");
    assert_eq!(detail.documents, ["household_register", "contract", "filing"]);
    clerk.verifies("f").await;
    server.stop().await;
}

async fn rejected_withdrawn_and_cancelled(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    let mut names = Vec::new();
    for n in 1..=4 {
        names.push(clerk.submit(claim(n)).await.unwrap().name);
    }
    let own = refused(clerk.reject_claim(&names[0]).await);
    assert_eq!(own.reason, "APPROVER_IS_SUBMITTER");
    let rejected = chief.reject_claim(&names[0]).await.unwrap();
    assert_eq!(rejected.state, "rejected");
    assert_eq!(clerk.history(&names[0]).await[1].note, "材料不符");
    assert_eq!(clerk.withdraw_claim(&names[1]).await.unwrap().state, "withdrawn");
    chief.approve_claim(&names[2]).await.unwrap();
    let late = refused(clerk.withdraw_claim(&names[2]).await);
    assert_eq!(late.reason, "CLAIM_STATE");
    assert_eq!(chief.cancel_claim(&names[2]).await.unwrap().state, "cancelled");
    let free = ["100000.00", "0.00", "100000.00", "0.00"];
    assert_eq!(clerk.bound().await, free);
    let early = refused(chief.cancel_claim(&names[3]).await);
    assert_eq!(
        (early.code, early.reason.as_str()),
        (Code::FailedPrecondition, "CLAIM_STATE")
    );
    for ended in &names[..3] {
        for answer in [
            chief.approve_claim(ended).await,
            chief.reject_claim(ended).await,
            clerk.withdraw_claim(ended).await,
            chief.cancel_claim(ended).await,
            clerk.object_to(ended, "异议").await,
            clerk.take_back(ended, "city", "1.00").await,
        ] {
            assert_eq!(refused(answer).reason, "CLAIM_STATE");
        }
    }
    let none = refused(chief.approve_claim("funds/f/claims/99").await);
    assert_eq!(none.code, Code::NotFound);
    let none = refused(chief.approve_claim("funds/none/claims/1").await);
    assert_eq!(none.code, Code::NotFound);
    refused(chief.approve_claim("claims/1").await).names("name");
    clerk.verifies("f").await;
    server.stop().await;
}

async fn an_objection_holds_and_another_resolves_it(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    without_notice(&mut clerk).await;
    let name = clerk.submit(claim(1)).await.unwrap().name;
    let early = refused(clerk.object_to(&name, "早了").await);
    assert_eq!(early.reason, "CLAIM_STATE");
    chief.approve_claim(&name).await.unwrap();
    refused(clerk.object_to(&name, "  ").await).names("text");
    refused(clerk.object_to(&name, &"长".repeat(2_001)).await).names("text");
    let held = clerk.object_to(&name, "邻居反映其已有住房").await.unwrap();
    assert_eq!((held.state.as_str(), held.open_objections), ("reserved", 1));
    let held = chief.object_to(&name, "第二条异议").await.unwrap();
    assert_eq!(held.open_objections, 2);
    let batch = pb::CreateBatchRequest {
        fund: "funds/f".to_owned(),
        programme: format!("programmes/{PURCHASE}"),
        execution_date: clock::today().unwrap().to_string(),
        request_id: id(),
        ..Default::default()
    };
    refused(chief.disbursements.create_batch(batch).await);

    let first = format!("{name}/objections/1");
    let text = inner(
        chief
            .subsidies
            .get_objection(pb::GetObjectionRequest { name: first.clone() })
            .await,
    );
    assert_eq!(text.text, "邻居反映其已有住房");
    let own = refused(clerk.resolve(&first, false).await);
    assert_eq!(
        (own.code, own.reason.as_str()),
        (Code::PermissionDenied, "RESOLVER_RAISED_OBJECTION")
    );
    let freed = chief.resolve(&first, false).await.unwrap();
    assert_eq!((freed.state.as_str(), freed.open_objections), ("reserved", 1));
    let again = refused(chief.resolve(&first, true).await);
    assert_eq!(again.code, Code::NotFound);
    let detail = clerk.claim(&name).await;
    let shown: Vec<(&str, &str, &str)> = (detail.objections.iter())
        .map(|objection| {
            (
                objection.name.as_str(),
                objection.state.as_str(),
                objection.resolution.as_str(),
            )
        })
        .collect();
    let second = format!("{name}/objections/2");
    assert_eq!(
        shown,
        [(first.as_str(), "dismissed", "核查结果"), (&second, "open", "")]
    );

    // Upheld, the claim ends and its household may hand in again.
    let ended = clerk.resolve(&second, true).await.unwrap();
    assert_eq!(ended.state, "rejected");
    assert_eq!(clerk.bound().await, ["100000.00", "0.00", "100000.00", "0.00"]);
    clerk.submit(claim(1)).await.unwrap();
    let none = refused(chief.resolve("funds/f/claims/2/objections/1", true).await);
    assert_eq!(none.code, Code::NotFound);
    clerk.verifies("f").await;
    server.stop().await;
}

async fn the_cost_is_split_between_two_payers(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, CITY, "10619.99").await;
    let name = clerk.submit(claim(1)).await.unwrap().name;
    let short = refused(chief.approve_claim(&name).await);
    assert_eq!(
        (short.code, short.reason.as_str()),
        (Code::FailedPrecondition, "QUOTA_EXCEEDED")
    );
    assert!(short.en.contains("0.01 short"), "{}", short.en);
    assert!(short.zh.contains("不足 0.01"), "{}", short.zh);
    assert_eq!(
        clerk.bound().await,
        [CITY, "0.00", "10619.99", "0.00"],
        "not even the city's part"
    );
    assert_eq!(clerk.claim(&name).await.claim.unwrap().state, "submitted");
    quota(&mut clerk, "", "0.01").await;
    let approved = chief.approve_claim(&name).await.unwrap();
    let parts: Vec<(&str, &str, &str)> = (approved.parts.iter())
        .map(|part| (part.payer.as_str(), part.amount.as_str(), part.state.as_str()))
        .collect();
    assert_eq!(
        parts,
        [("city", CITY, "reserved"), ("county", COUNTY, "reserved")]
    );
    assert_eq!(clerk.bound().await, ["0.00", CITY, "0.00", COUNTY]);
    let entries = clerk
        .entries(pb::ListEntriesRequest {
            fund: "funds/f".to_owned(),
            subject: name.clone(),
            ..Default::default()
        })
        .await;
    let posted: Vec<(pb::Payer, &str)> = (entries.iter())
        .map(|entry| (entry.from.as_ref().unwrap().payer(), entry.amount.as_str()))
        .collect();
    assert_eq!(posted, [(pb::Payer::City, CITY), (pb::Payer::County, COUNTY)]);
    clerk.verifies("f").await;
    server.stop().await;
}

async fn paid_failed_retried_and_returned(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    without_notice(&mut clerk).await;
    let name = clerk.submit(claim(1)).await.unwrap().name;
    chief.approve_claim(&name).await.unwrap();
    let early = refused(clerk.take_back(&name, "city", "1.00").await);
    assert_eq!(early.reason, "CLAIM_STATE");
    clerk.pay_all(false).await;
    let failed = clerk.claim(&name).await;
    assert_eq!(failed.claim.as_ref().unwrap().state, "failed");
    assert_eq!(failed.payments.len(), 2);
    assert_eq!(
        clerk.bound().await,
        ["92920.00", CITY, "89380.00", COUNTY],
        "still bound"
    );

    // To another account, of a member of the household; one of somebody else is refused.
    let account = |name: String, account: String| pb::PayeeAccount {
        name,
        account,
        ..claim(1).payee.unwrap()
    };
    let retry = |payee: pb::PayeeAccount| pb::RetryClaimRequest {
        name: name.clone(),
        payee: Some(payee),
        reason: "更正账号".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    let stranger = retry(account(super::setup::name(77), super::setup::account(77)));
    let refusal = refused(clerk.subsidies.retry_claim(stranger).await);
    refusal.names("payee.name");
    let corrected = retry(account(super::setup::name(3), super::setup::account(78)));
    let retried = inner(clerk.subsidies.retry_claim(corrected.clone()).await);
    assert_eq!(retried.claim.as_ref().unwrap().state, "reserved");
    assert_eq!(inner(clerk.subsidies.retry_claim(corrected).await), retried);
    let detail = clerk.claim(&name).await;
    assert_eq!(detail.masked_account, "****0078");
    clerk.pay_all(true).await;
    let paid = clerk.claim(&name).await;
    assert_eq!(paid.claim.as_ref().unwrap().state, "paid");
    assert_eq!(paid.payments.len(), 4);
    assert!(paid.claim.unwrap().parts.iter().all(|part| part.attempts == 2));

    for (payer, amount, field) in [
        ("city", "0", "amount"),
        ("city", "1.001", "amount"),
        ("state", "1", "payer"),
    ] {
        refused(clerk.take_back(&name, payer, amount).await).names(field);
    }
    let beyond = refused(clerk.take_back(&name, "city", "7080.01").await);
    assert_eq!(beyond.reason, "RETURN_BEYOND_PAID");
    let part = clerk.take_back(&name, "city", "80.00").await.unwrap();
    assert_eq!(
        (part.state.as_str(), part.parts[0].returned.as_str()),
        ("paid", "80.00")
    );
    assert_eq!(clerk.bound().await, ["93000.00", "0.00", "89380.00", "0.00"]);
    let second = refused(clerk.submit(claim(1)).await);
    assert_eq!(
        second.reason, "ALREADY_SUBSIDISED",
        "paid in part, the household stays taken"
    );
    clerk.take_back(&name, "city", "7000.00").await.unwrap();
    let whole = clerk.take_back(&name, "county", COUNTY).await.unwrap();
    assert_eq!(whole.state, "returned");
    let free = ["100000.00", "0.00", "100000.00", "0.00"];
    assert_eq!(clerk.bound().await, free);
    let more = refused(clerk.take_back(&name, "county", "0.01").await);
    assert_eq!(more.reason, "CLAIM_STATE");
    clerk.submit(claim(1)).await.unwrap();
    clerk.verifies("f").await;
    server.stop().await;
}

async fn explained_by_the_rules_of_its_day(world: World) {
    let (server, mut clerk, _) = ready(&world, "100000", "100000").await;
    let mut tax = claim(1);
    tax.programme = "programmes/deed-tax".to_owned();
    tax.facts = tax_facts();
    tax.documents = vec!["contract".to_owned(), "tax_receipt".to_owned()];
    clerk.contribute("f", REGION, "5000").await.unwrap();
    let lines = vec![line(REGION, "deed-tax", "5000"), own(REGION, "deed-tax", "5000")];
    clerk.assign("f", lines).await.unwrap();
    for input in [claim(1), tax] {
        let assess = pb::AssessClaimRequest {
            region: input.region.clone(),
            programme: input.programme.clone(),
            facts: input.facts.clone(),
            documents: input.documents.clone(),
        };
        let assessed = inner(clerk.subsidies.assess_claim(assess).await)
            .assessment
            .unwrap();
        let submitted = clerk.submit(input.clone()).await.unwrap();
        let mut changed = policy(if input.programme.ends_with("deed-tax") {
            "xuchang-deed-tax-2024"
        } else {
            "xuchang-housing-purchase-2024"
        });
        changed.caps[0].amount = "1".to_owned();
        create_policy(&mut clerk, changed).await;
        let request = pb::ExplainClaimRequest {
            name: submitted.name.clone(),
        };
        let explained = inner(clerk.subsidies.explain_claim(request).await).assessment;
        assert_eq!(explained, Some(assessed));
    }
    let none = pb::ExplainClaimRequest {
        name: "funds/f/claims/9".to_owned(),
    };
    assert_eq!(
        refused(clerk.subsidies.explain_claim(none).await).code,
        Code::NotFound
    );
    server.stop().await;
}

async fn listed_page_by_page(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    for n in 1..=5 {
        clerk.submit(claim(n)).await.unwrap();
    }
    for n in [2, 4] {
        chief.approve_claim(&format!("funds/f/claims/{n}")).await.unwrap();
    }
    let numbers = |claims: Vec<pb::Claim>| -> Vec<String> {
        claims
            .into_iter()
            .map(|claim| claim.name.rsplit('/').next().unwrap().to_owned())
            .collect()
    };
    let page = |page_size: i32, state: &str, region: &str, programme: &str| pb::ListClaimsRequest {
        page_size,
        state: state.to_owned(),
        region: region.to_owned(),
        programme: programme.to_owned(),
        ..Default::default()
    };
    assert_eq!(
        numbers(clerk.claims(page(2, "", "", "")).await),
        ["1", "2", "3", "4", "5"]
    );
    assert_eq!(
        numbers(clerk.claims(page(1, "reserved", "", "")).await),
        ["2", "4"]
    );
    assert_eq!(
        numbers(clerk.claims(page(0, "", "regions/411002", "")).await).len(),
        5
    );
    assert_eq!(
        numbers(clerk.claims(page(0, "", "regions/411081", "")).await).len(),
        0
    );
    assert_eq!(
        numbers(clerk.claims(page(0, "", "", "programmes/deed-tax")).await).len(),
        0
    );
    let wrong = pb::ListClaimsRequest {
        parent: "funds/f".to_owned(),
        ..page(0, "done", "", "")
    };
    refused(clerk.subsidies.list_claims(wrong).await).names("state");
    let mut pages = 0;
    let mut request = pb::ListPublicNoticesRequest {
        parent: "funds/f".to_owned(),
        page_size: 1,
        ..Default::default()
    };
    loop {
        let page = inner(clerk.subsidies.list_public_notices(request.clone()).await);
        pages += page.claims.len();
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(pages, 2);
    let request = pb::ListClaimHistoryRequest {
        parent: "funds/f/claims/2".to_owned(),
        page_size: 1,
        page_token: String::new(),
    };
    let first = inner(clerk.subsidies.list_claim_history(request.clone()).await);
    assert_eq!(first.events[0].kind, "claim.submitted");
    let request = pb::ListClaimHistoryRequest {
        page_token: first.next_page_token,
        ..request
    };
    let second = inner(clerk.subsidies.list_claim_history(request).await);
    assert_eq!(
        (second.events[0].kind.as_str(), second.next_page_token.as_str()),
        ("claim.approved", "")
    );
    server.stop().await;
}

async fn an_etag_that_is_not_current_is_refused(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    let submitted = clerk.submit(claim(1)).await.unwrap();
    for etag in [
        "0",
        "000000000000",
        &submitted.etag.to_uppercase(),
        &"é".repeat(3_000),
    ] {
        let request = pb::ApproveClaimRequest {
            etag: (*etag).to_owned(),
            ..super::setup::approval(&submitted.name)
        };
        if request.etag == submitted.etag {
            continue;
        }
        let refusal = refused(chief.subsidies.approve_claim(request).await);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::Aborted, "ETAG_MISMATCH")
        );
    }
    let request = pb::ApproveClaimRequest {
        etag: submitted.etag.clone(),
        ..super::setup::approval(&submitted.name)
    };
    let approved = inner(chief.subsidies.approve_claim(request).await).claim.unwrap();
    let cancel = pb::CancelClaimRequest {
        name: submitted.name,
        etag: submitted.etag,
        request_id: id(),
        ..Default::default()
    };
    let old = refused(chief.subsidies.cancel_claim(cancel.clone()).await);
    assert_eq!(old.reason, "ETAG_MISMATCH");
    let cancel = pb::CancelClaimRequest {
        etag: approved.etag,
        ..cancel
    };
    inner(chief.subsidies.cancel_claim(cancel).await);
    server.stop().await;
}
