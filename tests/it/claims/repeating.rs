//! The same request again: the same answer, whatever happened since.

use super::setup::{approval, claim, message, quota, ready, submission};
use crate::harness::{World, id, inner, refused, stories};
use incentive_fund::grpc::pb;
use tokio::task::JoinSet;
use tonic::Code;

stories!(
    repeated_it_gives_the_first_answer,
    at_once_it_is_done_once,
    refused_first_it_may_succeed_later,
    validated_only_nothing_is_stored,
);

async fn repeated_it_gives_the_first_answer(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    let submit = submission(claim(1));
    let first = inner(clerk.subsidies.submit_claim(submit.clone()).await);
    let name = first.claim.as_ref().unwrap().name.clone();
    let approve = approval(&name);
    let approved = inner(chief.subsidies.approve_claim(approve.clone()).await);
    let object = pb::ObjectToClaimRequest {
        name: name.clone(),
        text: "异议".to_owned(),
        request_id: id(),
        validate_only: false,
    };
    let objected = inner(clerk.subsidies.object_to_claim(object.clone()).await);
    let resolve = pb::ResolveObjectionRequest {
        name: format!("{name}/objections/1"),
        request_id: id(),
        ..Default::default()
    };
    let resolved = inner(chief.subsidies.resolve_objection(resolve.clone()).await);
    let cancel = pb::CancelClaimRequest {
        name: name.clone(),
        request_id: id(),
        ..Default::default()
    };
    let cancelled = inner(chief.subsidies.cancel_claim(cancel.clone()).await);
    let reserve = pb::ReserveWaitingClaimsRequest {
        fund: "funds/f".to_owned(),
        region: "regions/411002".to_owned(),
        programme: "programmes/housing-purchase".to_owned(),
        request_id: id(),
        validate_only: false,
    };
    let reserved = inner(chief.subsidies.reserve_waiting_claims(reserve.clone()).await);
    for (id, again) in [
        (&submit.request_id, claim(2)),
        (&submit.request_id, {
            let mut other = claim(1);
            other.phone.clear();
            other
        }),
    ] {
        let other = pb::SubmitClaimRequest {
            claim: Some(again),
            request_id: id.clone(),
            validate_only: false,
        };
        let refusal = refused(clerk.subsidies.submit_claim(other).await);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::InvalidArgument, "REQUEST_ID_REUSED")
        );
    }
    let other_method = pb::WithdrawClaimRequest {
        name: name.clone(),
        request_id: cancel.request_id.clone(),
        ..Default::default()
    };
    let refusal = refused(chief.subsidies.withdraw_claim(other_method).await);
    assert_eq!(refusal.reason, "REQUEST_ID_REUSED");
    // Another person's ids are their own.
    let theirs = refused(
        chief
            .subsidies
            .submit_claim(pb::SubmitClaimRequest {
                claim: None,
                ..submit.clone()
            })
            .await,
    );
    assert_ne!(theirs.reason, "REQUEST_ID_REUSED");

    server.stop().await;
    let server = world.serve().await;
    let (mut clerk, mut chief) = (server.client("经办人").await, server.client("审批人").await);
    for _ in 0..2 {
        assert_eq!(inner(clerk.subsidies.submit_claim(submit.clone()).await), first);
        assert_eq!(
            inner(chief.subsidies.approve_claim(approve.clone()).await),
            approved
        );
        assert_eq!(
            inner(clerk.subsidies.object_to_claim(object.clone()).await),
            objected
        );
        assert_eq!(
            inner(chief.subsidies.resolve_objection(resolve.clone()).await),
            resolved
        );
        assert_eq!(
            inner(chief.subsidies.cancel_claim(cancel.clone()).await),
            cancelled
        );
        assert_eq!(
            inner(chief.subsidies.reserve_waiting_claims(reserve.clone()).await),
            reserved
        );
    }
    assert_eq!(clerk.history(&name).await.len(), 5);
    clerk.verifies("f").await;
    server.stop().await;
}

async fn at_once_it_is_done_once(world: World) {
    let (server, clerk, mut chief) = ready(&world, "100000", "100000").await;
    let request = submission(claim(1));
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let (mut clerk, request) = (clerk.clone(), request.clone());
        calls.spawn(async move { inner(clerk.subsidies.submit_claim(request).await) });
    }
    let answers = calls.join_all().await;
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    let request = approval("funds/f/claims/1");
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let (mut chief, request) = (chief.clone(), request.clone());
        calls.spawn(async move { inner(chief.subsidies.approve_claim(request).await) });
    }
    let answers = calls.join_all().await;
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(
        chief.bound().await,
        ["92920.00", "7080.00", "89380.00", "10620.00"]
    );
    server.stop().await;
}

async fn refused_first_it_may_succeed_later(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100", "100").await;
    let name = clerk.submit(claim(1)).await.unwrap().name;
    let approve = approval(&name);
    let refusal = refused(chief.subsidies.approve_claim(approve.clone()).await);
    assert_eq!(refusal.reason, "QUOTA_EXCEEDED");
    quota(&mut clerk, "10000", "20000").await;
    let approved = inner(chief.subsidies.approve_claim(approve.clone()).await);
    assert_eq!(approved.claim.as_ref().unwrap().state, "reserved");
    assert_eq!(inner(chief.subsidies.approve_claim(approve).await), approved);

    let second = submission(claim(1));
    refused(clerk.subsidies.submit_claim(second.clone()).await);
    chief.cancel_claim(&name).await.unwrap();
    let submitted = inner(clerk.subsidies.submit_claim(second.clone()).await);
    assert_eq!(inner(clerk.subsidies.submit_claim(second).await), submitted);
    server.stop().await;
}

async fn validated_only_nothing_is_stored(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    let status = async |client: &mut crate::harness::Client| {
        let request = pb::GetFundStatusRequest {
            name: "funds/f".to_owned(),
        };
        inner(client.ledger.get_fund_status(request).await).fund.unwrap()
    };
    let before = status(&mut clerk).await;
    let submit = pb::SubmitClaimRequest {
        validate_only: true,
        ..submission(claim(1))
    };
    let valid = inner(clerk.subsidies.submit_claim(submit).await).claim.unwrap();
    assert_eq!(
        (valid.name.as_str(), valid.amount.as_str()),
        ("funds/f/claims/1", "17700.00")
    );
    let bulk = pb::SubmitClaimsRequest {
        validate_only: true,
        ..message(vec![claim(1), claim(2), claim(1)])
    };
    let answers = clerk.submit_all(vec![bulk]).await.unwrap();
    let reasons: Vec<&str> = answers[0]
        .outcomes
        .iter()
        .map(|outcome| outcome.reason.as_str())
        .collect();
    assert_eq!(reasons, ["", "", "ALREADY_SUBSIDISED"]);
    assert_eq!(status(&mut clerk).await, before);
    assert_eq!(clerk.claims(pb::ListClaimsRequest::default()).await, []);

    let name = clerk.submit(claim(1)).await.unwrap().name;
    let before = status(&mut clerk).await;
    let approve = pb::ApproveClaimRequest {
        validate_only: true,
        ..approval(&name)
    };
    let valid = inner(chief.subsidies.approve_claim(approve).await).claim.unwrap();
    assert_eq!(valid.state, "reserved");
    assert_eq!(status(&mut clerk).await, before);
    assert_eq!(clerk.claim(&name).await.claim.unwrap().state, "submitted");
    server.stop().await;
}
