//! Requests that are repeated: the first answer is for whoever got it, as long as they reach what it is about. And
//! numbers of the whole, which those who reach a part are not told.

use super::setup::{Guarded, OTHER, OWN, bearer, token};
use crate::harness::{World, id, inner, refused, stories};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::import_results_request::Content;
use prost::Message;
use tonic::Code;
use tonic::codegen::Bytes;

stories!(
    a_repeated_request_gives_nothing_of_a_region_that_was_left,
    a_request_id_of_somebody_else_is_of_no_use,
    balances_and_changes_do_not_count_what_is_elsewhere,
);

const ROLES: [&str; 4] = ["county_clerk", "county_approver", "city_treasury", "reconciler"];

/// A request, as it is on the wire, and whether it is answered row by row.
struct Request {
    path: String,
    messages: Vec<Vec<u8>>,
    rows: bool,
}

fn one(path: &str, message: &impl Message) -> Request {
    Request {
        path: format!("/incentivefund.v1.{path}"),
        messages: vec![message.encode_to_vec()],
        rows: false,
    }
}

fn rows(path: &str, message: &impl Message) -> Request {
    Request {
        rows: true,
        ..one(path, message)
    }
}

/// One of every kind of mutation that keeps an answer, in the own region. They are carried out in this order.
fn requests(guarded: &Guarded) -> Vec<Request> {
    let own = &guarded.own;
    let region = format!("regions/{OWN}");
    let fund = || "funds/f".to_owned();
    let claim = |at| Some(crate::disbursement::claim(OWN, at));
    let change = |name: &str, action: &str| pb::ClaimChange {
        name: name.to_owned(),
        action: action.to_owned(),
        reason: "said".to_owned(),
        ..Default::default()
    };
    let file = format!(
        "reference,amount,status,date\n{},{},settled,20240701\n",
        own.reference, own.amount
    );
    let results = |parent: &str| {
        let header = pb::ImportResultsHeader {
            parent: parent.to_owned(),
            file_name: "results.csv".to_owned(),
            request_id: id(),
            validate_only: false,
        };
        let contents = [Content::Header(header), Content::Piece(file.clone().into_bytes())];
        let messages = contents.map(|content| {
            let message = pb::ImportResultsRequest {
                content: Some(content),
            };
            message.encode_to_vec()
        });
        Request {
            path: "/incentivefund.v1.DisbursementService/ImportResults".to_owned(),
            messages: messages.to_vec(),
            rows: true,
        }
    };
    vec![
        one(
            "SubsidyService/SubmitClaim",
            &pb::SubmitClaimRequest {
                claim: claim(90),
                request_id: id(),
                validate_only: false,
            },
        ),
        rows(
            "SubsidyService/SubmitClaims",
            &pb::SubmitClaimsRequest {
                claims: vec![claim(91).unwrap(), claim(92).unwrap()],
                request_id: id(),
                validate_only: false,
            },
        ),
        rows(
            "SubsidyService/ChangeClaims",
            &pb::ChangeClaimsRequest {
                changes: vec![change(&own.submitted, "approve")],
                request_id: id(),
                validate_only: false,
            },
        ),
        one(
            "SubsidyService/ReserveWaitingClaims",
            &pb::ReserveWaitingClaimsRequest {
                fund: fund(),
                region: region.clone(),
                programme: "programmes/training".to_owned(),
                request_id: id(),
                validate_only: false,
            },
        ),
        one(
            "LedgerService/ContributeFunds",
            &pb::ContributeFundsRequest {
                fund: fund(),
                region: region.clone(),
                amount: "3.00".to_owned(),
                document: "said".to_owned(),
                request_id: id(),
                validate_only: false,
            },
        ),
        one(
            "LedgerService/AssignQuota",
            &pb::AssignQuotaRequest {
                fund: fund(),
                lines: vec![pb::QuotaLine {
                    region: region.clone(),
                    programme: "programmes/training".to_owned(),
                    payer: pb::Payer::County as i32,
                    amount: "1.00".to_owned(),
                }],
                note: String::new(),
                request_id: id(),
                validate_only: false,
            },
        ),
        one(
            "LedgerService/ReverseEntry",
            &pb::ReverseEntryRequest {
                name: format!("funds/f/entries/{}", own.entry),
                note: "said".to_owned(),
                request_id: id(),
                validate_only: false,
            },
        ),
        one(
            "DisbursementService/FreezeBatch",
            &pb::FreezeBatchRequest {
                name: own.draft.clone(),
                request_id: id(),
                ..Default::default()
            },
        ),
        one(
            "DisbursementService/CancelBatch",
            &pb::CancelBatchRequest {
                name: own.draft.clone(),
                request_id: id(),
                ..Default::default()
            },
        ),
        one(
            "DisbursementService/CreateBatch",
            &pb::CreateBatchRequest {
                region,
                max_claims: 1,
                ..crate::disbursement::request()
            },
        ),
        results(&own.released),
        results("funds/f"),
        one(
            "DisbursementService/RecordPaymentResult",
            &pb::RecordPaymentResultRequest {
                reference: own.reference.clone(),
                state: pb::PaymentState::Settled as i32,
                date: "2024-07-01".to_owned(),
                request_id: id(),
                ..Default::default()
            },
        ),
        one(
            "ReconciliationService/CreateReconciliation",
            &pb::CreateReconciliationRequest {
                account: own.account.clone(),
                date: String::new(),
                dry_run: true,
                request_id: id(),
                validate_only: false,
            },
        ),
        one(
            "ReconciliationService/CommentBreak",
            &pb::CommentBreakRequest {
                name: format!("{}/breaks/1", own.account),
                comment: "said".to_owned(),
                request_id: id(),
                ..Default::default()
            },
        ),
    ]
}

fn shows(answers: &[Bytes], text: &str) -> bool {
    let text = text.as_bytes();
    let mut all = answers.iter();
    all.any(|answer| answer.windows(text.len()).any(|window| window == text))
}

async fn a_repeated_request_gives_nothing_of_a_region_that_was_left(world: World) {
    let guarded = Guarded::open(&world).await;
    let before = token(&guarded.server, "调动者", &ROLES, &[OWN]).await;
    let after = token(&guarded.server, "调动者", &ROLES, &[OTHER]).await;
    for request in requests(&guarded) {
        let path = &request.path;
        let ask = async |token: &str| guarded.call(path, Some(token), request.messages.clone()).await;
        let first = ask(&before)
            .await
            .unwrap_or_else(|status| panic!("{path}: {status:?}"));
        // The same person, who has moved.
        match ask(&after).await {
            Err(status) => {
                let refusal = refused::<()>(Err(status));
                assert_eq!(refusal.code, Code::NotFound, "{path}: {refusal:?}");
                // What the request does not name is not told by the refusal.
                let named = |text: &str| {
                    let messages = request.messages.iter().cloned().map(Bytes::from);
                    shows(&messages.collect::<Vec<_>>(), text)
                };
                for word in refusal
                    .en
                    .split([' ', ':', ','])
                    .filter(|word| word.contains('/'))
                {
                    let word = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
                    assert!(named(word), "{path} tells {word}");
                }
            }
            Ok(answers) => {
                assert!(request.rows, "{path} gives the first answer");
                assert_ne!(answers, first, "{path} gives the first answer");
                check_rows(path, &answers);
            }
        }
        // Where they may, it is the first answer and nothing is done twice.
        assert_eq!(ask(&before).await.unwrap(), first, "{path}");
    }
    guarded.stop().await;
}

/// Every row is refused as not there, and names nothing but what was asked for.
fn check_rows(path: &str, answers: &[Bytes]) {
    if path.ends_with("/ImportResults") {
        let answer = pb::ImportResultsResponse::decode(answers.last().unwrap().clone()).unwrap();
        assert!(answer.batches.is_empty(), "{answer:?}");
        assert_eq!((answer.applied, answer.refused), (0, 1), "{answer:?}");
        assert!(answer.rows.iter().all(|row| row.claim.is_empty()), "{answer:?}");
        return;
    }
    let answer = pb::ChangeClaimsResponse::decode(answers[0].clone()).unwrap();
    assert!(!answer.outcomes.is_empty());
    for outcome in &answer.outcomes {
        assert_eq!(outcome.reason, "NOT_FOUND", "{path}: {answer:?}");
    }
    if path.ends_with("/SubmitClaims") {
        assert!(!shows(answers, "/claims/"), "{answer:?}");
    }
}

async fn a_request_id_of_somebody_else_is_of_no_use(world: World) {
    let guarded = Guarded::open(&world).await;
    let first = token(&guarded.server, "甲", &ROLES, &[OWN]).await;
    let second = token(&guarded.server, "乙", &ROLES, &[OTHER]).await;
    for request in requests(&guarded) {
        let path = &request.path;
        let ask = async |token: &str| guarded.call(path, Some(token), request.messages.clone()).await;
        let answer = ask(&first).await.unwrap();
        match ask(&second).await {
            Err(status) => {
                let refusal = refused::<()>(Err(status));
                assert_eq!(refusal.code, Code::NotFound, "{path}: {refusal:?}");
            }
            Ok(answers) => {
                assert!(request.rows && answers != answer, "{path}");
                check_rows(path, &answers);
            }
        }
    }
    guarded.stop().await;
}

async fn balances_and_changes_do_not_count_what_is_elsewhere(world: World) {
    let mut guarded = Guarded::open(&world).await;
    let county = token(&guarded.server, "county", &["county_clerk"], &[OWN]).await;
    let mut county = bearer(&guarded.channel, &county);
    let balances = |as_of_entry: u64, as_of_time: &str| pb::ListBalancesRequest {
        fund: "funds/f".to_owned(),
        as_of_entry,
        as_of_time: as_of_time.to_owned(),
        page_size: 1_000,
        ..Default::default()
    };
    let list = pb::ListEntriesRequest {
        fund: "funds/f".to_owned(),
        page_size: 1_000,
        ..Default::default()
    };
    let entries = inner(county.ledger.list_entries(list).await).entries;
    let last: u64 = entries
        .last()
        .unwrap()
        .name
        .rsplit('/')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let before = inner(county.ledger.list_balances(balances(0, "")).await);
    assert_eq!(before.entry, last);
    // Much happens in another county.
    for _ in 0..3 {
        guarded.open.maker.contribute("f", OTHER, "1.00").await.unwrap();
    }
    let after = inner(county.ledger.list_balances(balances(0, "")).await);
    assert_eq!((after.entry, &after.balances), (last, &before.balances));
    let soon = (time::OffsetDateTime::now_utc() + time::Duration::minutes(5))
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap();
    let then = inner(county.ledger.list_balances(balances(0, &soon)).await);
    assert_eq!((then.entry, &then.balances), (last, &before.balances));
    let refusal = refused(county.ledger.list_balances(balances(last + 1, "")).await);
    assert_eq!(refusal.code, Code::InvalidArgument);
    let same = inner(county.ledger.list_balances(balances(last, "")).await);
    assert_eq!(same.balances, before.balances);
    // Earlier moments are those of the region as well, and pages of one moment belong together.
    let early = inner(county.ledger.list_balances(balances(guarded.own.entry, "")).await);
    assert_eq!(early.entry, guarded.own.entry);
    let mut paged = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListBalancesRequest {
            page_size: 2,
            page_token,
            ..balances(0, "")
        };
        let page = inner(county.ledger.list_balances(request).await);
        paged.extend(page.balances);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, before.balances);
    // Watching begins at a change that was told, or at the first.
    let changes = async |after: u64| {
        let watch = pb::WatchChangesRequest {
            fund: "funds/f".to_owned(),
            after,
        };
        let mut county = county.clone();
        let mut stream = county.ledger.watch_changes(watch).await?.into_inner();
        let next = tokio::time::timeout(std::time::Duration::from_millis(800), stream.message());
        let changes = next.await.map(|message| message.unwrap().unwrap().changes);
        Ok::<_, tonic::Status>(changes.unwrap_or_default())
    };
    let all = changes(0).await.unwrap();
    let newest = all.last().unwrap().number;
    assert!(changes(newest).await.unwrap().is_empty());
    for beyond in [newest + 1, newest + 2, u64::MAX] {
        let refusal = refused(changes(beyond).await);
        assert_eq!(refusal.code, Code::InvalidArgument);
        let text = format!("{} {}", refusal.en, refusal.zh).replace(&beyond.to_string(), "");
        assert!(!text.contains(char::is_numeric), "{text}");
    }
    drop(county);
    guarded.stop().await;
}
