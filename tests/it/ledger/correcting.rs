//! Corrections: entries that take others back.

use super::{account, line, office, own};
use crate::harness::{World, id, refused, stories};
use incentive_fund::grpc::pb;
use tonic::Code;

stories!(
    entries_are_reversed_once_while_the_money_is_there,
    who_posted_an_entry_does_not_reverse_it,
);

async fn entries_are_reversed_once_while_the_money_is_there(world: World) {
    let (server, mut maker, mut checker, allocation) = office(&world).await;
    let wrong = maker.receive("f", "7.00").await.unwrap();
    let reversal = checker.reverse("f", wrong.number).await.unwrap();
    assert_eq!(reversal.reverses, wrong.name);
    assert_eq!((&reversal.from, &reversal.to), (&wrong.to, &wrong.from));
    assert_eq!(
        (reversal.event(), &reversal.amount),
        (wrong.event(), &wrong.amount)
    );
    assert_eq!(reversal.note, "记错了");
    assert_eq!(reversal.posted.as_ref().unwrap().principal, "审核人");
    for (number, reason) in [
        (wrong.number, "ENTRY_REVERSED"),
        (reversal.number, "ENTRY_IS_REVERSAL"),
        (2, "ENTRY_NOT_MANUAL"),
    ] {
        let refusal = refused(maker.reverse("f", number).await);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::FailedPrecondition, reason)
        );
    }
    let by_run = refused(maker.reverse("f", 2).await);
    assert!(by_run.en.contains(&allocation.name), "{}", by_run.en);
    // 80 of the 100 million are out.
    let gone = refused(checker.reverse("f", 1).await);
    assert_eq!(gone.reason, "QUOTA_EXCEEDED");
    assert!(gone.en.contains("80000000.00 short"), "{}", gone.en);
    assert_eq!(refused(maker.reverse("f", 999).await).code, Code::NotFound);
    let assigned = maker
        .assign("f", vec![line("411081", "deed-tax", "10.00")])
        .await
        .unwrap();
    maker
        .unassign("f", vec![line("411081", "deed-tax", "4.00")])
        .await
        .unwrap();
    let gone = refused(checker.reverse("f", assigned[0].number).await);
    assert!(gone.en.contains("4.00 short"), "{}", gone.en);
    let unassigned = checker.reverse("f", assigned[0].number + 1).await.unwrap();
    assert_eq!(unassigned.to, Some(account("city/411081/deed-tax/quota")));
    checker.reverse("f", assigned[0].number).await.unwrap();
    assert_eq!(maker.balance("f", "city/411081/deed-tax/quota").await, "0.00");
    maker.verifies("f").await;
    server.stop().await;
}

async fn who_posted_an_entry_does_not_reverse_it(world: World) {
    let (server, mut maker, mut checker, _) = office(&world).await;
    // One entry of each kind that may be reversed, all by one person.
    let mut posted = vec![maker.receive("f", "5.00").await.unwrap()];
    posted.push(maker.surrender("f", "4.00").await.unwrap());
    posted.push(maker.contribute("f", "411081", "3.00").await.unwrap());
    posted.push(maker.retract("f", "411081", "1.00").await.unwrap());
    let lines = vec![own("411081", "deed-tax", "2.00")];
    posted.extend(maker.assign("f", lines).await.unwrap());
    let lines = vec![own("411081", "deed-tax", "1.00")];
    posted.extend(maker.unassign("f", lines).await.unwrap());
    let before = maker.balances("f", 0).await;
    for entry in &posted {
        // Whatever the connection, and also where it is only checked.
        for (mut same, validate_only) in [
            (maker.clone(), false),
            (maker.clone(), true),
            (server.client("编制人").await, false),
        ] {
            let request = pb::ReverseEntryRequest {
                name: entry.name.clone(),
                note: "记错了".to_owned(),
                request_id: id(),
                validate_only,
            };
            let refusal = refused(same.ledger.reverse_entry(request).await);
            assert_eq!(
                (refusal.code, refusal.reason.as_str()),
                (Code::PermissionDenied, "REVERSER_POSTED_ENTRY")
            );
            for text in [&refusal.en, &refusal.zh] {
                assert!(text.contains("编制人") && text.contains(&entry.name), "{text}");
            }
        }
    }
    assert_eq!(maker.balances("f", 0).await, before, "nothing was posted");
    // Another person may, from the last one back.
    for entry in posted.iter().rev() {
        checker.reverse("f", entry.number).await.unwrap();
    }
    assert_eq!(maker.balance("f", "county/411081/-/source").await, "0.00");
    assert_eq!(maker.balance("f", "city/-/-/unallocated").await, "20000000.00");
    maker.verifies("f").await;
    server.stop().await;
}
