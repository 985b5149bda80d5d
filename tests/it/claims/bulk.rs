//! Many at a time, in a stream: each row by itself, each message once.

use super::setup::{AMOUNT, CITY, COUNTY, claim, message, ready, with_facts};
use crate::harness::{World, id, refusal, stories};
use incentive_fund::grpc::pb;
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

stories!(
    rows_are_refused_by_themselves,
    a_message_sent_again_gets_the_same_answer,
    three_thousand_in_a_stream,
    what_comes_later_in_a_message_sees_what_came_before,
    a_message_has_limits,
    a_stream_that_stays_open_does_not_keep_the_server,
);

fn reasons(answer: &pb::SubmitClaimsResponse) -> Vec<&str> {
    answer
        .outcomes
        .iter()
        .map(|outcome| outcome.reason.as_str())
        .collect()
}

async fn rows_are_refused_by_themselves(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    let mut wrong = with_facts(claim(2), &[("area", "0")]);
    wrong.applicant.as_mut().unwrap().id_number = "411002199001010010".to_owned();
    let mut nowhere = claim(3);
    nowhere.region = "411002".to_owned();
    let mut no_fund = claim(4);
    no_fund.fund = "funds/none".to_owned();
    let rows = vec![
        claim(1),
        wrong,
        nowhere,
        no_fund,
        with_facts(claim(5), &[("first_home", "false")]),
        claim(1),
        claim(6),
    ];
    let answers = clerk.submit_all(vec![message(rows)]).await.unwrap();
    assert_eq!(
        reasons(&answers[0]),
        [
            "",
            "INVALID",
            "INVALID",
            "NOT_FOUND",
            "NOT_ELIGIBLE",
            "ALREADY_SUBSIDISED",
            ""
        ]
    );
    let outcomes = &answers[0].outcomes;
    assert_eq!(
        (
            outcomes[0].name.as_str(),
            outcomes[0].state.as_str(),
            outcomes[0].amount.as_str()
        ),
        ("funds/f/claims/1", "submitted", AMOUNT)
    );
    assert_eq!(outcomes[6].name, "funds/f/claims/2");
    let fields: Vec<&str> = outcomes[1]
        .faults
        .iter()
        .map(|fault| fault.field.as_str())
        .collect();
    assert_eq!(fields, ["facts.area", "applicant.id_number"]);
    assert_eq!(outcomes[2].faults[0].field, "region");
    let zh = &outcomes[4].message.as_ref().unwrap().zh;
    assert!(zh.contains("家庭首套商品住房"), "{zh}");
    let change = |n: u32, action: &str| pb::ClaimChange {
        name: format!("funds/f/claims/{n}"),
        action: action.to_owned(),
        reason: "批量".to_owned(),
        ..Default::default()
    };
    let request = pb::ChangeClaimsRequest {
        changes: vec![
            change(1, "approve"),
            change(1, "approve"),
            change(9, "approve"),
            change(2, "pay"),
            change(2, "reject"),
            pb::ClaimChange {
                etag: "0".to_owned(),
                ..change(1, "cancel")
            },
        ],
        request_id: id(),
        validate_only: false,
    };
    let answers = chief.change_all(vec![request.clone(), request]).await.unwrap();
    let reasons: Vec<&str> = answers[0]
        .outcomes
        .iter()
        .map(|outcome| outcome.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        ["", "CLAIM_STATE", "NOT_FOUND", "INVALID", "", "ETAG_MISMATCH"]
    );
    assert_eq!(answers[0], answers[1]);
    assert_eq!(clerk.bound().await, ["92920.00", CITY, "89380.00", COUNTY]);
    clerk.verifies("f").await;
    server.stop().await;
}

async fn a_message_sent_again_gets_the_same_answer(world: World) {
    let (server, mut clerk, _) = ready(&world, "100000", "100000").await;
    let one = message(vec![claim(1), claim(2), claim(1)]);
    let two = message(vec![claim(3)]);
    let first = clerk
        .submit_all(vec![one.clone(), one.clone(), two.clone()])
        .await
        .unwrap();
    assert_eq!(first[0], first[1]);
    assert_eq!(first[0].request_id, one.request_id);
    server.stop().await;
    let server = world.serve().await;
    let mut clerk = server.client("经办人").await;
    let again = clerk.submit_all(vec![two.clone(), one.clone()]).await.unwrap();
    assert_eq!(prost_bytes(&again[1]), prost_bytes(&first[0]));
    assert_eq!(prost_bytes(&again[0]), prost_bytes(&first[2]));
    let mut other = one;
    other.claims.pop();
    let refused = refusal(&clerk.submit_all(vec![other]).await.unwrap_err());
    assert_eq!(refused.reason, "REQUEST_ID_REUSED");
    assert_eq!(clerk.claims(pb::ListClaimsRequest::default()).await.len(), 3);
    server.stop().await;
}

fn prost_bytes(answer: &pb::SubmitClaimsResponse) -> Vec<u8> {
    prost::Message::encode_to_vec(answer)
}

async fn three_thousand_in_a_stream(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "1000000", "1000000").await;
    let claims: Vec<pb::ClaimInput> = (0..3_000).map(claim).collect();
    let messages: Vec<_> = claims.chunks(250).map(|rows| message(rows.to_vec())).collect();
    let answers = clerk.submit_all(messages.clone()).await.unwrap();
    assert_eq!(answers.len(), 12);
    for (answer, sent) in answers.iter().zip(&messages) {
        assert_eq!(answer.request_id, sent.request_id, "in the order of the messages");
        assert!(answer.outcomes.iter().all(|outcome| outcome.reason.is_empty()));
    }
    let all = clerk
        .claims(pb::ListClaimsRequest {
            page_size: 1_000,
            ..Default::default()
        })
        .await;
    assert_eq!(all.len(), 3_000);
    assert!(
        all.iter()
            .zip(1..)
            .all(|(claim, n)| claim.name == format!("funds/f/claims/{n}"))
    );
    let changes: Vec<pb::ClaimChange> = (all.iter().take(120))
        .map(|claim| pb::ClaimChange {
            name: claim.name.clone(),
            action: "approve".to_owned(),
            may_wait: true,
            ..Default::default()
        })
        .collect();
    let request = pb::ChangeClaimsRequest {
        changes,
        request_id: id(),
        validate_only: false,
    };
    let answers = chief.change_all(vec![request]).await.unwrap();
    // 1,000,000 of the county holds 94 claims of 10,620; the rest waits.
    let count = |state: &str| {
        answers[0]
            .outcomes
            .iter()
            .filter(|outcome| outcome.state == state)
            .count()
    };
    assert_eq!((count("reserved"), count("approved")), (94, 26));
    clerk.verifies("f").await;
    server.stop().await;
}

/// The beginning of a long message is written while its end is decided on.
async fn what_comes_later_in_a_message_sees_what_came_before(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "1000000", "1000000").await;
    let mut rows: Vec<pb::ClaimInput> = (0..700).map(claim).collect();
    rows.push(claim(3));
    let answers = clerk.submit_all(vec![message(rows)]).await.unwrap();
    let (last, before) = answers[0].outcomes.split_last().unwrap();
    assert!(before.iter().all(|outcome| outcome.reason.is_empty()));
    assert_eq!(last.reason, "ALREADY_SUBSIDISED");
    let change = |n: usize, action: &str| pb::ClaimChange {
        name: format!("funds/f/claims/{n}"),
        action: action.to_owned(),
        reason: "批量".to_owned(),
        ..Default::default()
    };
    // 1,000,000 of the county holds 94 claims: what is cancelled makes room for as many again.
    let mut changes: Vec<pb::ClaimChange> = (1..=94).map(|n| change(n, "approve")).collect();
    changes.extend((200..=500).map(|n| change(n, "reject")));
    changes.extend((1..=94).map(|n| change(n, "cancel")));
    changes.extend((95..=188).map(|n| change(n, "approve")));
    changes.push(change(189, "approve"));
    changes.push(change(1, "approve"));
    let request = pb::ChangeClaimsRequest {
        changes,
        request_id: id(),
        validate_only: false,
    };
    let answers = chief.change_all(vec![request.clone(), request]).await.unwrap();
    assert_eq!(answers[0], answers[1]);
    let refused: Vec<(usize, &str)> = (answers[0].outcomes.iter().enumerate())
        .filter(|(_, outcome)| !outcome.reason.is_empty())
        .map(|(at, outcome)| (at, outcome.reason.as_str()))
        .collect();
    assert_eq!(refused, [(583, "QUOTA_EXCEEDED"), (584, "CLAIM_STATE")]);
    let reserved = pb::ListClaimsRequest {
        state: "reserved".to_owned(),
        page_size: 1_000,
        ..Default::default()
    };
    assert_eq!(clerk.claims(reserved).await.len(), 94);
    // What ended is free again; what holds is not.
    let rows = [1, 250, 100, 600].map(|n| claim(n - 1)).to_vec();
    let answers = clerk.submit_all(vec![message(rows)]).await.unwrap();
    assert_eq!(
        reasons(&answers[0]),
        ["", "", "ALREADY_SUBSIDISED", "ALREADY_SUBSIDISED"]
    );
    clerk.verifies("f").await;
    chief.log_verifies(&[]).await;
    server.stop().await;
}

async fn a_message_has_limits(world: World) {
    let (server, mut clerk, _) = ready(&world, "100000", "100000").await;
    for rows in [Vec::new(), vec![pb::ClaimInput::default(); 1_001]] {
        let refused = refusal(&clerk.submit_all(vec![message(rows)]).await.unwrap_err());
        refused.names("claims");
    }
    let bad = pb::SubmitClaimsRequest {
        request_id: "有空格 的".to_owned(),
        ..message(vec![claim(1)])
    };
    let refused = refusal(&clerk.submit_all(vec![bad]).await.unwrap_err());
    refused.names("request_id");
    let empty = clerk
        .submit_all(vec![message(vec![pb::ClaimInput::default()])])
        .await
        .unwrap();
    assert_eq!(reasons(&empty[0]), ["INVALID"]);
    let refused = refusal(
        &clerk
            .named("")
            .submit_all(vec![message(vec![claim(1)])])
            .await
            .unwrap_err(),
    );
    assert_eq!(refused.code, Code::Unauthenticated);
    server.stop().await;
}

async fn a_stream_that_stays_open_does_not_keep_the_server(world: World) {
    let (server, mut clerk, _) = ready(&world, "100000", "100000").await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    sender.send(message(vec![claim(1)])).await.unwrap();
    let response = clerk
        .subsidies
        .submit_claims(ReceiverStream::new(receiver))
        .await
        .unwrap();
    let mut answers = response.into_inner();
    let first = answers.message().await.unwrap().unwrap();
    assert_eq!(reasons(&first), [""]);
    let stopping = server.stopping();
    let end = tokio::time::timeout(Duration::from_secs(10), answers.message()).await;
    let status = end.expect("the stream ends when the server does").unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    tokio::time::timeout(Duration::from_secs(10), stopping)
        .await
        .unwrap()
        .unwrap();
    drop(sender);
}
