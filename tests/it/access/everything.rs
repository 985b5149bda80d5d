//! Every method, as the descriptors have them, for every role, in their own region and in another's; and that
//! nothing of another's is seen, told apart from what is not there, counted or reached by forged names.

use super::setup::{Guarded, OTHER, OWN, Place, bearer, each_text, methods, sample, token};
use crate::harness::{World, id, inner, refusal, refused, stories};
use incentive_fund::domain::access::{Permission, Scope};
use incentive_fund::grpc::access::{Reach, rule};
use incentive_fund::grpc::pb;
use prost::Message;
use std::collections::BTreeSet;
use tonic::{Code, Status};

stories!(
    every_method_for_every_role_in_every_region,
    what_is_elsewhere_is_not_there,
    page_tokens_are_of_no_use_to_others,
    a_watcher_hears_of_its_own_region,
    rows_of_a_bulk_call_need_their_own_permissions,
    two_tokens_of_one_person_are_one_person,
    texts_in_every_field_are_only_texts,
);

/// Roles as they ship, and one that could be configured, each with the regions of its token.
const PEOPLE: [(&str, &[&str]); 10] = [
    ("city_budget", &[]),
    ("city_treasury", &[]),
    ("county_clerk", &[OWN]),
    ("county_approver", &[OWN]),
    ("auditor", &[]),
    ("operator", &[]),
    ("reconciler", &[]),
    // Limited by their tokens.
    ("auditor", &[OWN]),
    ("city_treasury", &[OWN]),
    ("reconciler", &[OWN]),
];

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Names of things that are in a place and nowhere else, by which its traces are known.
fn traces(place: &Place) -> Vec<String> {
    let mut all = vec![format!("regions/{}", place.region), place.reference.clone()];
    all.extend([&place.claim, &place.submitted, &place.draft, &place.released].map(String::clone));
    all.extend([place.account.clone(), format!("reconciliations/{}", place.job)]);
    all
}

async fn every_method_for_every_role_in_every_region(world: World) {
    let guarded = Guarded::open(&world).await;
    let known = super::setup::roles();
    let mut cases = 0;
    for (role, regions) in PEOPLE {
        let token = token(&guarded.server, "somebody", &[role], regions).await;
        let own = Scope::of(
            regions
                .iter()
                .map(|code| incentive_fund::domain::region::RegionCode::parse("region", code).unwrap()),
        );
        let grants = known.grant([role], (!regions.is_empty()).then_some(&own));
        for (path, method) in methods() {
            let rule = rule(&path).unwrap_or_else(|| panic!("{path} is in no table"));
            let scope = grants.any(rule.permissions);
            for place in [&guarded.own, &guarded.other] {
                cases += 1;
                let elsewhere = scope.as_ref().is_some_and(|scope| !scope.is_all()) && place.region == OTHER;
                let messages = sample(&method, &guarded, place);
                let messages = messages.iter().map(Message::encode_to_vec).collect();
                let answer = guarded.call(&path, Some(&token), messages).await;
                let who = format!("{path} for {role} {regions:?} in {}", place.region);
                check(&guarded, &who, rule.reach, scope.as_ref(), elsewhere, answer);
            }
        }
    }
    assert_eq!(cases, PEOPLE.len() * methods().len() * 2);
    // Nobody gets anywhere without a token.
    for (path, method) in methods() {
        let messages = sample(&method, &guarded, &guarded.own);
        let messages = messages.iter().map(Message::encode_to_vec).collect();
        let answer = guarded.call(&path, None, messages).await;
        let refusal = refused(answer);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::Unauthenticated, "NO_CREDENTIALS"),
            "{path}"
        );
    }
    guarded.stop().await;
}

fn check(
    guarded: &Guarded,
    who: &str,
    reach: Reach,
    scope: Option<&Scope>,
    elsewhere: bool,
    answer: Result<Vec<tonic::codegen::Bytes>, Status>,
) {
    let denied = |answer: &Result<_, Status>, reason: &str| {
        let status = answer
            .as_ref()
            .err()
            .unwrap_or_else(|| panic!("{who} was let in"));
        let refusal = refusal(status);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::PermissionDenied, reason),
            "{who}"
        );
    };
    let Some(scope) = scope else {
        denied(&answer, "NO_PERMISSION");
        return;
    };
    if reach == Reach::Whole && !scope.is_all() {
        denied(&answer, "ALL_REGIONS_NEEDED");
        return;
    }
    // Let in: whatever comes of it, it is not for want of permission, and never a defect.
    if let Err(status) = &answer {
        assert!(
            !matches!(
                status.code(),
                Code::Unauthenticated
                    | Code::Internal
                    | Code::Unknown
                    | Code::Unimplemented
                    | Code::Unavailable
            ),
            "{who}: {status:?}"
        );
        if status.code() == Code::PermissionDenied {
            let reason = refusal(status).reason;
            assert!(
                !matches!(reason.as_str(), "NO_PERMISSION" | "ALL_REGIONS_NEEDED"),
                "{who}: {status:?}"
            );
        }
    }
    if reach != Reach::Regions || scope.is_all() {
        return;
    }
    let published = who.contains("AllocationService");
    match &answer {
        Ok(messages) => {
            for trace in traces(&guarded.other) {
                let asked = elsewhere && who.contains("Claims for");
                let seen = messages.iter().any(|message| contains(message, &trace));
                // A bulk call repeats the names it was given.
                assert!(!seen || published || asked, "{who} shows {trace}");
            }
        }
        Err(status) if elsewhere && !published => {
            assert_eq!(status.code(), Code::NotFound, "{who}: {status:?}");
        }
        Err(status) => {
            // In their own region, what is there is found; released batches cannot be released again and the like.
            assert_ne!(status.code(), Code::NotFound, "{who}: {status:?}");
        }
    }
}

/// A place where nothing is.
fn nowhere(guarded: &Guarded) -> Place {
    Place {
        region: "999999".to_owned(),
        claim: "funds/f/claims/999999".to_owned(),
        submitted: "funds/f/claims/999998".to_owned(),
        draft: "funds/f/batches/999999".to_owned(),
        released: "funds/f/batches/999998".to_owned(),
        reference: "RF00NOTHING".to_owned(),
        entry: 999_999,
        account: "bankAccounts/county-999999".to_owned(),
        statement: 999_999,
        job: 999_999,
        ..guarded.other.clone()
    }
}

/// The refusal in words, with the names taken out.
fn plain(status: &Status, place: &Place) -> String {
    let refusal = refusal(status);
    let mut text = format!(
        "{:?} {} {} {}",
        refusal.code, refusal.reason, refusal.en, refusal.zh
    );
    let entry = format!("entries/{}", place.entry);
    let job = format!("reconciliations/{}", place.job);
    let names = [
        &place.account,
        &job,
        &place.claim,
        &place.submitted,
        &place.draft,
        &place.released,
        &place.reference,
        &entry,
        &place.region,
    ];
    for name in names {
        text = text.replace(name.as_str(), "…");
    }
    text
}

async fn what_is_elsewhere_is_not_there(world: World) {
    let guarded = Guarded::open(&world).await;
    let nowhere = nowhere(&guarded);
    let people = [
        "county_clerk",
        "county_approver",
        "city_treasury",
        "auditor",
        "reconciler",
    ];
    let token = token(&guarded.server, "张三", &people, &[OWN]).await;
    let mut compared = BTreeSet::new();
    for (path, method) in methods() {
        if rule(&path).unwrap().reach != Reach::Regions || path.contains("AllocationService") {
            continue;
        }
        let ask = async |place: &Place| {
            let messages = sample(&method, &guarded, place);
            let messages = messages.iter().map(Message::encode_to_vec).collect();
            guarded.call(&path, Some(&token), messages).await
        };
        match (ask(&guarded.other).await, ask(&nowhere).await) {
            (Err(elsewhere), Err(nowhere_status)) => {
                assert_eq!(
                    plain(&elsewhere, &guarded.other),
                    plain(&nowhere_status, &nowhere),
                    "{path}"
                );
                compared.insert(path);
            }
            (Ok(elsewhere), Ok(nothing)) => {
                let sizes = |messages: &[tonic::codegen::Bytes]| messages.len();
                assert_eq!(sizes(&elsewhere), sizes(&nothing), "{path}");
            }
            other => panic!("{path} tells them apart: {other:?}"),
        }
    }
    assert!(compared.len() > 45, "{compared:?}");
    // What is of both regions is not for those of one.
    let mut clerk = bearer(&guarded.channel, &token);
    let batch = pb::GetBatchRequest {
        name: guarded.mixed.clone(),
    };
    assert_eq!(
        refused(clerk.disbursements.get_batch(batch).await).code,
        Code::NotFound
    );
    // Drafts of the city are the city's.
    let draft = pb::GetAllocationRequest {
        name: guarded.unpublished.clone(),
    };
    assert_eq!(
        refused(clerk.allocations.get_allocation(draft).await).code,
        Code::NotFound
    );
    let list = pb::ListAllocationsRequest::default();
    let list = inner(clerk.allocations.list_allocations(list).await);
    assert_eq!(list.allocations.len(), 1);
    // Sums are those of the region.
    let status = pb::GetFundStatusRequest {
        name: "funds/f".to_owned(),
    };
    let status = inner(clerk.ledger.get_fund_status(status).await);
    assert!(!status.lines.is_empty());
    assert!(
        status
            .lines
            .iter()
            .all(|line| line.region == format!("regions/{OWN}"))
    );
    let issued: i128 = (status.regions.iter())
        .map(|line| crate::harness::fen(&line.issued))
        .sum();
    assert_eq!(crate::harness::fen(&status.total.unwrap().issued), issued);
    assert_eq!(status.fund.unwrap().entries, 0);
    // Entries move an account of the region, and tell no balance of another.
    let list = pb::ListEntriesRequest {
        fund: "funds/f".to_owned(),
        page_size: 1_000,
        ..Default::default()
    };
    let entries = inner(clerk.ledger.list_entries(list).await).entries;
    assert!(!entries.is_empty());
    for entry in entries {
        let own = format!("regions/{OWN}");
        let (from, to) = (entry.from.unwrap(), entry.to.unwrap());
        assert!(from.region == own || to.region == own);
        assert_eq!(
            from.region == own,
            !entry.from_balance.is_empty(),
            "{}",
            entry.name
        );
        assert_eq!(to.region == own, !entry.to_balance.is_empty(), "{}", entry.name);
    }
    // That a household has a claim elsewhere is told, but not which one.
    let mut twice = crate::disbursement::claim(OWN, 1);
    twice.region = format!("regions/{OWN}");
    let submit = pb::SubmitClaimRequest {
        claim: Some(twice),
        request_id: id(),
        validate_only: false,
    };
    let refusal = refused(clerk.subsidies.submit_claim(submit).await);
    assert_eq!(refusal.reason, "ALREADY_SUBSIDISED");
    assert!(!refusal.en.contains("claims/"), "{}", refusal.en);
    guarded.stop().await;
}

async fn page_tokens_are_of_no_use_to_others(world: World) {
    let guarded = Guarded::open(&world).await;
    let city = token(&guarded.server, "city", &["city_budget"], &[]).await;
    let county = token(&guarded.server, "county", &["county_clerk"], &[OWN]).await;
    let (mut city, mut county) = (bearer(&guarded.channel, &city), bearer(&guarded.channel, &county));
    let list = |page_token: &str| pb::ListClaimsRequest {
        parent: "funds/f".to_owned(),
        page_size: 1,
        page_token: page_token.to_owned(),
        ..Default::default()
    };
    let theirs = inner(city.subsidies.list_claims(list("")).await).next_page_token;
    refused(county.subsidies.list_claims(list(&theirs)).await).names("page_token");
    // A token that is forged to begin anywhere shows what is there for its caller, and no more.
    let own = inner(county.subsidies.list_claims(list("")).await);
    let text = String::from_utf8(hex::decode(&own.next_page_token).unwrap()).unwrap();
    let (query, _) = text.split_once(' ').unwrap();
    for after in ["0", "1", "2", "3", "18446744073709551615", "x", "0 OR 1=1", "-1"] {
        let forged = hex::encode(format!("{query} {after}"));
        let answer = county.subsidies.list_claims(list(&forged)).await;
        for claim in answer.map(|page| page.into_inner().claims).unwrap_or_default() {
            assert_eq!(claim.region, format!("regions/{OWN}"));
        }
    }
    // All pages together are what is in the region, as the city sees it.
    let filter = pb::ListClaimsRequest {
        parent: "funds/f".to_owned(),
        region: format!("regions/{OWN}"),
        page_size: 1_000,
        ..Default::default()
    };
    let expected: Vec<String> = (inner(city.subsidies.list_claims(filter).await).claims.into_iter())
        .map(|claim| claim.name)
        .collect();
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = inner(county.subsidies.list_claims(list(&page_token)).await);
        found.extend(page.claims.into_iter().map(|claim| claim.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, expected);
    assert!(found.len() > 3);
    guarded.stop().await;
}

async fn a_watcher_hears_of_its_own_region(world: World) {
    let guarded = Guarded::open(&world).await;
    let county = token(&guarded.server, "county", &["county_clerk"], &[OWN]).await;
    let watch = pb::WatchChangesRequest {
        fund: "funds/f".to_owned(),
        after: 0,
    };
    let answers = guarded
        .call(
            "/incentivefund.v1.LedgerService/WatchChanges",
            Some(&county),
            vec![watch.encode_to_vec()],
        )
        .await
        .unwrap();
    let changes: Vec<pb::Change> = answers
        .into_iter()
        .flat_map(|answer| pb::WatchChangesResponse::decode(answer).unwrap().changes)
        .collect();
    assert!(changes.iter().any(|change| change.resource == guarded.own.claim));
    let theirs = traces(&guarded.other);
    for change in &changes {
        assert!(!theirs.contains(&change.resource), "{change:?}");
        assert!(!change.kind.starts_with("ledger.receive"), "{change:?}");
    }
    guarded.stop().await;
}

async fn rows_of_a_bulk_call_need_their_own_permissions(world: World) {
    let guarded = Guarded::open(&world).await;
    let clerk = token(&guarded.server, "clerk", &["county_clerk"], &[OWN]).await;
    let change = |name: &str, action: &str| pb::ClaimChange {
        name: name.to_owned(),
        action: action.to_owned(),
        reason: "said".to_owned(),
        ..Default::default()
    };
    let message = pb::ChangeClaimsRequest {
        changes: vec![
            change(&guarded.own.submitted, "approve"),
            change(&guarded.other.submitted, "withdraw"),
            change(&guarded.own.submitted, "withdraw"),
        ],
        request_id: id(),
        validate_only: false,
    };
    let answers = guarded
        .call(
            "/incentivefund.v1.SubsidyService/ChangeClaims",
            Some(&clerk),
            vec![message.encode_to_vec()],
        )
        .await
        .unwrap();
    let answer = pb::ChangeClaimsResponse::decode(answers[0].clone()).unwrap();
    let reasons: Vec<&str> = answer
        .outcomes
        .iter()
        .map(|outcome| outcome.reason.as_str())
        .collect();
    assert_eq!(reasons, ["NO_PERMISSION", "NOT_FOUND", ""], "{answer:?}");
    guarded.stop().await;
}

async fn two_tokens_of_one_person_are_one_person(world: World) {
    let guarded = Guarded::open(&world).await;
    let files = token(&guarded.server, "李四", &["county_clerk"], &[OWN]).await;
    let decides = token(&guarded.server, "李四", &["county_approver"], &[OWN]).await;
    let another = token(&guarded.server, "王五", &["county_approver"], &[OWN]).await;
    let submit = pb::SubmitClaimRequest {
        claim: Some(crate::disbursement::claim(OWN, 80)),
        request_id: id(),
        validate_only: false,
    };
    let claim = inner(
        bearer(&guarded.channel, &files)
            .subsidies
            .submit_claim(submit)
            .await,
    );
    let claim = claim.claim.unwrap();
    assert_eq!(claim.submitted.unwrap().principal, "李四");
    let approve = || pb::ApproveClaimRequest {
        name: claim.name.clone(),
        request_id: id(),
        ..Default::default()
    };
    let mut same = bearer(&guarded.channel, &decides);
    let refusal = refused(same.subsidies.approve_claim(approve()).await);
    assert_eq!(refusal.code, Code::PermissionDenied);
    assert_ne!(refusal.reason, "NO_PERMISSION");
    let mut other = bearer(&guarded.channel, &another);
    inner(other.subsidies.approve_claim(approve()).await);
    // Nor does anybody take back what they posted by another token.
    let again = token(&guarded.server, "李四", &["county_approver"], &[OWN]).await;
    let entry = same.contribute("f", OWN, "2.00").await.unwrap();
    let refusal = refused(bearer(&guarded.channel, &again).reverse("f", entry.number).await);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::PermissionDenied, "REVERSER_POSTED_ENTRY")
    );
    other.reverse("f", entry.number).await.unwrap();
    guarded.stop().await;
}

/// What each field is given: quotes, comments, ends of statements, patterns, bytes that end strings elsewhere.
const TEXTS: [&str; 6] = [
    "'; DROP TABLE claim; --",
    "\" OR \"\"=\"",
    "x' OR '1'='1' /*",
    "%' || (SELECT 1) || '_$1?",
    "\\'; SELECT pg_sleep(9); --",
    "a\u{0}b\u{feff}'",
];

async fn texts_in_every_field_are_only_texts(world: World) {
    let guarded = Guarded::open(&world).await;
    // Everybody at once, so that every method is reached.
    let all: Vec<&str> = PEOPLE.iter().map(|(role, _)| *role).take(7).collect();
    let token = token(&guarded.server, "o'brien", &all, &[OWN, OTHER, "411000"]).await;
    let whole = super::setup::token(&guarded.server, "o'brien", &all[..2], &[]).await;
    let mut tried = 0;
    for (path, method) in methods() {
        let token = if rule(&path).unwrap().reach == Reach::Whole {
            &whole
        } else {
            &token
        };
        let messages = sample(&method, &guarded, &guarded.own);
        for (at, text) in TEXTS.iter().enumerate() {
            // All texts for the first, and then by turns: each field meets two.
            for (position, (field, changed)) in each_text(&messages[0], &|_| (*text).to_owned())
                .into_iter()
                .enumerate()
            {
                if at > 0 && position % (TEXTS.len() - 1) != at - 1 {
                    continue;
                }
                tried += 1;
                let mut all = vec![changed.encode_to_vec()];
                all.extend(messages[1..].iter().map(Message::encode_to_vec));
                let answer = guarded.call(&path, Some(token), all).await;
                if let Err(status) = answer {
                    assert!(
                        !matches!(
                            status.code(),
                            Code::Internal | Code::Unknown | Code::Unavailable | Code::DeadlineExceeded
                        ),
                        "{path} {field} {text:?}: {status:?}"
                    );
                }
            }
        }
    }
    assert!(tried > 400, "{tried}");
    let mut city = bearer(&guarded.channel, &whole);
    let claims = pb::ListClaimsRequest {
        parent: "funds/f".to_owned(),
        page_size: 1_000,
        ..Default::default()
    };
    assert!(inner(city.subsidies.list_claims(claims).await).claims.len() > 10);
    assert!(Permission::ALL.len() > 20);
    guarded.stop().await;
}
