//! Approved, and the quota is too small: refused, or on the waiting list, which nobody overtakes.

use super::setup::{AMOUNT, CITY, COUNTY, claim, quota, ready, with_facts};
use crate::harness::{World, inner, refused, stories};
use incentive_fund::grpc::pb;
use tonic::Code;

stories!(nobody_overtakes_who_waits, who_waits_may_leave_the_list,);

async fn nobody_overtakes_who_waits(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, CITY, COUNTY).await;
    // 88.5 m² each, but the third is smaller and would fit where the second does not.
    for input in [
        claim(1),
        claim(2),
        with_facts(claim(3), &[("area", "10")]),
        claim(4),
    ] {
        clerk.submit(input).await.unwrap();
    }
    let name = |n: u32| format!("funds/f/claims/{n}");
    chief.approve_claim(&name(1)).await.unwrap();
    let short = refused(chief.approve_claim(&name(2)).await);
    assert_eq!(
        (short.code, short.reason.as_str()),
        (Code::FailedPrecondition, "QUOTA_EXCEEDED")
    );
    assert!(short.en.contains(&format!("{CITY} short")), "{}", short.en);
    let own = refused(clerk.approve_or_wait(&name(2)).await);
    assert_eq!(own.reason, "APPROVER_IS_SUBMITTER");
    let second = chief.approve_or_wait(&name(2)).await.unwrap();
    assert_eq!(
        (second.state.as_str(), second.notice_from.as_str()),
        ("approved", "")
    );
    assert!(second.waiting > 0);
    quota(&mut clerk, "1000", "2000").await;
    // 10 × 200 = 2,000: 800 and 1,200 would fit, and must not.
    let behind = refused(chief.approve_claim(&name(3)).await);
    assert_eq!(
        (behind.code, behind.reason.as_str()),
        (Code::FailedPrecondition, "CLAIMS_WAITING")
    );
    let third = chief.approve_or_wait(&name(3)).await.unwrap();
    assert_eq!(third.state, "approved");
    assert!(third.waiting > second.waiting);
    for again in [
        chief.approve_claim(&name(3)).await,
        chief.approve_or_wait(&name(3)).await,
    ] {
        let overtaking = refused(again);
        assert_eq!(
            overtaking.reason, "CLAIM_WAITING",
            "approved once more, it would overtake"
        );
    }
    assert_eq!(
        chief.reserve_waiting().await.unwrap(),
        [],
        "the first does not fit yet"
    );
    let fourth = chief.approve_or_wait(&name(4)).await.unwrap();
    assert!(fourth.waiting > third.waiting);

    quota(&mut clerk, "7000", "10000").await;
    let reserved = chief.reserve_waiting().await.unwrap();
    let names: Vec<&str> = reserved.iter().map(|claim| claim.name.as_str()).collect();
    assert_eq!(
        names,
        [name(2), name(3)],
        "in the order of approval, as many as fit"
    );
    assert!(
        reserved
            .iter()
            .all(|claim| claim.state == "reserved" && claim.waiting == 0 && !claim.notice_from.is_empty())
    );
    assert_eq!(
        reserved[0].decided.as_ref().unwrap().principal,
        "审批人",
        "who approved stays"
    );
    let request = pb::ReserveWaitingClaimsRequest {
        fund: "funds/none".to_owned(),
        region: "regions/411002".to_owned(),
        programme: "programmes/housing-purchase".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        refused(chief.subsidies.reserve_waiting_claims(request).await).code,
        Code::NotFound
    );
    let kinds: Vec<String> = (clerk.history(&name(2)).await.into_iter())
        .map(|event| event.kind)
        .collect();
    assert_eq!(kinds, ["claim.submitted", "claim.waiting", "claim.reserved"]);
    clerk.verifies("f").await;
    server.stop().await;
}

async fn who_waits_may_leave_the_list(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100", "100").await;
    for n in 1..=4 {
        clerk.submit(claim(n)).await.unwrap();
    }
    let name = |n: u32| format!("funds/f/claims/{n}");
    for n in 1..=3 {
        chief.approve_or_wait(&name(n)).await.unwrap();
    }
    assert_eq!(clerk.withdraw_claim(&name(1)).await.unwrap().waiting, 0);
    assert_eq!(chief.cancel_claim(&name(2)).await.unwrap().waiting, 0);
    quota(&mut clerk, "100000", "100000").await;
    // One message that ends the last one waiting and approves the next: nobody waits any more.
    let change = |n: u32, action: &str| pb::ClaimChange {
        name: name(n),
        action: action.to_owned(),
        ..Default::default()
    };
    let message = pb::ChangeClaimsRequest {
        changes: vec![change(4, "approve"), change(3, "cancel"), change(4, "approve")],
        request_id: crate::harness::id(),
        validate_only: false,
    };
    let answers = chief.change_all(vec![message]).await.unwrap();
    let outcomes: Vec<(&str, &str)> = (answers[0].outcomes.iter())
        .map(|outcome| (outcome.reason.as_str(), outcome.state.as_str()))
        .collect();
    assert_eq!(
        outcomes,
        [("CLAIMS_WAITING", ""), ("", "cancelled"), ("", "reserved")]
    );
    assert_eq!(answers[0].outcomes[2].amount, AMOUNT);
    let waiting = pb::ListClaimsRequest {
        parent: "funds/f".to_owned(),
        state: "approved".to_owned(),
        ..Default::default()
    };
    assert_eq!(inner(clerk.subsidies.list_claims(waiting).await).claims, []);
    clerk.verifies("f").await;
    server.stop().await;
}
