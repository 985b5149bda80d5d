//! Once for each household and each home, whoever asks and however many at a time.

use super::setup::{claim, home, message, person, ready, submission};
use crate::harness::{World, inner, refused, stories};
use incentive_fund::grpc::pb;
use std::collections::BTreeSet;
use tokio::task::JoinSet;
use tonic::Code;

stories!(
    a_household_and_a_home_are_subsidised_once,
    sixteen_at_once_and_one_succeeds,
    two_servers_at_once_and_one_succeeds,
    freed_and_taken_again,
    a_household_rents_every_year,
);

async fn a_household_and_a_home_are_subsidised_once(world: World) {
    let (server, mut clerk, _) = ready(&world, "100000", "100000").await;
    clerk.submit(claim(1)).await.unwrap();
    // Another member claims, or somebody who lists a member, or somebody for the same home.
    let mut wife = claim(2);
    wife.applicant = Some(person(3));
    wife.payee.as_mut().unwrap().name = super::setup::name(3);
    wife.household.clear();
    let mut child = claim(2);
    child.household.push(person(2));
    let mut same_home = claim(2);
    same_home.home = format!(" {} ", home(1).to_lowercase());
    let mut small_x = claim(2);
    small_x.household.push(pb::Person {
        name: "另写".to_owned(),
        id_number: person(2).id_number.to_lowercase(),
    });
    for (input, kind) in [
        (wife, "household"),
        (child, "household"),
        (same_home, "home"),
        (small_x, "household"),
    ] {
        let refusal = refused(clerk.submit(input).await);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::FailedPrecondition, "ALREADY_SUBSIDISED")
        );
        assert!(
            refusal.en.contains(kind) && refusal.en.contains("funds/f/claims/1"),
            "{}",
            refusal.en
        );
        assert!(
            refusal.zh.contains(if kind == "home" { "住房" } else { "家庭" }),
            "{}",
            refusal.zh
        );
    }
    // Another programme is another matter.
    let request = pb::ListClaimsRequest::default();
    assert_eq!(clerk.claims(request).await.len(), 1);
    clerk.submit(claim(2)).await.unwrap();
    server.stop().await;
}

async fn sixteen_at_once_and_one_succeeds(world: World) {
    let (server, clerk, _) = ready(&world, "100000", "100000").await;
    let mut calls = JoinSet::new();
    for n in 0..16 {
        let mut caller = clerk.named(&format!("窗口{n}"));
        // The same couple, other homes, accounts and telephones; half of them name the other as applicant.
        let mut input = claim(100 + n);
        let (first, second) = if n % 2 == 0 { (2, 3) } else { (3, 2) };
        input.applicant = Some(person(first));
        input.household = vec![person(second)];
        input.payee.as_mut().unwrap().name = super::setup::name(2);
        calls.spawn(async move { caller.submit(input).await });
    }
    let answers = calls.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for answer in lost {
        assert_eq!(refused(answer).reason, "ALREADY_SUBSIDISED");
    }
    server.stop().await;
}

async fn two_servers_at_once_and_one_succeeds(world: World) {
    let (first, clerk, _) = ready(&world, "100000", "100000").await;
    let second = world.serve().await;
    let mut calls = JoinSet::new();
    for n in 0..16 {
        let mut caller = if n % 2 == 0 {
            clerk.named(&format!("窗口{n}"))
        } else {
            second.client(&format!("窗口{n}")).await
        };
        let mut input = claim(200 + n);
        input.home = home(7);
        calls.spawn(async move { caller.submit(input).await });
    }
    let answers = calls.join_all().await;
    let names: BTreeSet<String> = (answers.iter().flatten())
        .map(|claim| claim.name.clone())
        .collect();
    assert_eq!(names.len(), 1, "{answers:?}");
    for answer in answers.into_iter().filter(Result::is_err) {
        assert_eq!(refused(answer).reason, "ALREADY_SUBSIDISED");
    }
    second.stop().await;
    first.stop().await;
}

async fn freed_and_taken_again(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    let first = clerk.submit(claim(1)).await.unwrap().name;
    chief.reject_claim(&first).await.unwrap();
    let second = clerk.submit(claim(1)).await.unwrap().name;
    clerk.withdraw_claim(&second).await.unwrap();
    let third = clerk.submit(claim(1)).await.unwrap().name;
    chief.approve_claim(&third).await.unwrap();
    chief.cancel_claim(&third).await.unwrap();
    // Within one message: twice refused, as often as it is asked.
    let answers = clerk
        .submit_all(vec![message(vec![claim(1), claim(1), claim(2), claim(1)])])
        .await
        .unwrap();
    let reasons: Vec<&str> = answers[0]
        .outcomes
        .iter()
        .map(|outcome| outcome.reason.as_str())
        .collect();
    assert_eq!(reasons, ["", "ALREADY_SUBSIDISED", "", "ALREADY_SUBSIDISED"]);
    // Validated only, it takes nothing.
    let request = pb::SubmitClaimRequest {
        validate_only: true,
        ..submission(claim(3))
    };
    let valid = inner(clerk.subsidies.submit_claim(request).await).claim.unwrap();
    assert_eq!(valid.state, "submitted");
    clerk.submit(claim(3)).await.unwrap();
    server.stop().await;
}

async fn a_household_rents_every_year(world: World) {
    let (server, mut clerk, _) = ready(&world, "100000", "100000").await;
    let rental = |year: &str| {
        let facts = [
            ("registration", "rural"),
            ("owns_home", "false"),
            ("lease_filed", "true"),
            ("year", year),
            ("lease_start", "2025-01-01"),
            ("lease_end", "2025-12-31"),
            ("months", "12"),
            ("monthly_rent", "900"),
        ];
        let rules = super::setup::policy("xuchang-rental-2024");
        pb::ClaimInput {
            programme: "programmes/rental".to_owned(),
            facts: facts
                .map(|(code, text)| (code.to_owned(), text.to_owned()))
                .into(),
            documents: rules.documents.iter().map(|kind| kind.code.clone()).collect(),
            home: String::new(),
            ..claim(1)
        }
    };
    let region = super::setup::REGION;
    clerk.contribute("f", region, "10000").await.unwrap();
    let lines = vec![
        crate::ledger::line(region, "rental", "10000"),
        crate::ledger::own(region, "rental", "10000"),
    ];
    clerk.assign("f", lines).await.unwrap();
    clerk.submit(rental("2025")).await.unwrap();
    let again = refused(clerk.submit(rental("2025")).await);
    assert_eq!(again.reason, "ALREADY_SUBSIDISED");
    clerk.submit(rental("2026")).await.unwrap();
    server.stop().await;
}
