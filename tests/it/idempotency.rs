//! A repeated request is harmless, and concurrent ones agree.

use crate::harness::{
    Client, Refusal, World, header, header_message, id, import_xuchang, inner, refusal, refused, region, row,
    rows_message, share_by, stories, xuchang_request,
};
use incentive_fund::grpc::pb;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::{Code, Status};

stories!(
    every_mutation_repeated_gives_the_first_answer,
    a_repeated_import_may_be_cut_otherwise,
    sixteen_at_once_do_it_once,
    a_lost_reply_is_found_again,
    the_answer_outlives_the_server,
    another_body_is_refused,
    each_principal_has_request_ids_of_their_own,
    a_refused_request_leaves_its_id_free,
    a_request_id_is_short_and_plain,
    concurrent_imports_give_consistent_revisions,
    one_approval_wins,
    one_run_of_a_fund_is_issued,
    two_servers_share_a_database,
);

async fn every_mutation_repeated_gives_the_first_answer(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;

    let regions = pb::ImportRegionsRequest {
        regions: vec![region("Q")],
        request_id: id(),
        validate_only: false,
    };
    let indicators = pb::ImportIndicatorsRequest {
        indicators: vec![crate::harness::indicator("q", "person")],
        request_id: id(),
        validate_only: false,
    };
    for _ in 0..2 {
        assert_eq!(
            inner(maker.statistics.import_regions(regions.clone()).await).imported,
            1
        );
        assert_eq!(
            inner(maker.statistics.import_indicators(indicators.clone()).await).imported,
            1
        );
    }
    let data_set = pb::CreateDataSetRequest {
        data_set_id: "q".to_owned(),
        title: "Q".to_owned(),
        request_id: id(),
        validate_only: false,
    };
    let first = inner(maker.statistics.create_data_set(data_set.clone()).await);
    let head = header("q");
    let imported = maker
        .import_as(head.clone(), vec![row(2, "Q", "q", "1")])
        .await
        .unwrap();
    // What happened since does not change the answer.
    maker.import("q", vec![row(2, "Q", "q", "2")]).await.unwrap();
    assert_eq!(inner(maker.statistics.create_data_set(data_set).await), first);
    let again = maker.import_as(head, vec![row(2, "Q", "q", "1")]).await.unwrap();
    assert_eq!(again, imported);
    assert_eq!(maker.observations("dataSets/q").await[0].value, "2");

    let formula = pb::CreateFormulaRequest {
        document: Some(share_by("q", "q")),
        request_id: id(),
        validate_only: false,
    };
    let first = inner(maker.formulas.create_formula(formula.clone()).await);
    maker.create_formula(share_by("q", "2 * q")).await.unwrap();
    assert_eq!(inner(maker.formulas.create_formula(formula).await), first);

    let create = xuchang_request("f");
    let draft = maker.create(create.clone()).await.unwrap();
    let name = draft.name.clone();
    let approve = pb::ApproveAllocationRequest {
        name: name.clone(),
        request_id: id(),
        ..Default::default()
    };
    let approved = inner(checker.allocations.approve_allocation(approve.clone()).await);
    maker.receive("f", "80000000.00").await.unwrap();
    let issue = pb::IssueAllocationRequest {
        name: name.clone(),
        request_id: id(),
        ..Default::default()
    };
    let issued = inner(maker.allocations.issue_allocation(issue.clone()).await);
    let replacement = maker.create(xuchang_request("f")).await.unwrap();
    checker.approve(&replacement.name).await.unwrap();
    let supersede = pb::SupersedeAllocationRequest {
        name: name.clone(),
        replacement: replacement.name,
        request_id: id(),
        ..Default::default()
    };
    let superseded = inner(maker.allocations.supersede_allocation(supersede.clone()).await);
    for _ in 0..2 {
        assert_eq!(maker.create(create.clone()).await.unwrap(), draft);
        assert_eq!(
            inner(checker.allocations.approve_allocation(approve.clone()).await),
            approved
        );
        assert_eq!(
            inner(maker.allocations.issue_allocation(issue.clone()).await),
            issued
        );
        assert_eq!(
            inner(maker.allocations.supersede_allocation(supersede.clone()).await),
            superseded
        );
    }
    assert_eq!(Some(maker.get(&name).await), superseded.allocation);
    assert_eq!(runs(&mut maker).await.len(), 2);
    server.stop().await;
}

async fn runs(client: &mut Client) -> Vec<pb::Allocation> {
    let request = pb::ListAllocationsRequest::default();
    inner(client.allocations.list_allocations(request).await).allocations
}

async fn small(client: &mut Client) {
    client
        .import_regions(vec![region("A"), region("B")])
        .await
        .unwrap();
    client
        .import_indicators(vec![crate::harness::indicator("people", "person")])
        .await
        .unwrap();
    client.create_data_set("small").await.unwrap();
}

async fn a_repeated_import_may_be_cut_otherwise(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let rows = vec![row(2, "A", "people", "1"), row(3, "B", "people", "2")];
    let head = header("small");
    let first = client.import_as(head.clone(), rows.clone()).await.unwrap();
    let mut cut = vec![header_message(head)];
    cut.extend(rows.into_iter().map(|row| rows_message(vec![row])));
    cut.push(rows_message(Vec::new()));
    let again = client
        .statistics
        .import_observations(tokio_stream::iter(cut))
        .await;
    assert_eq!(inner(again).revision.unwrap(), first);
    server.stop().await;
}

async fn sixteen_at_once_do_it_once(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let request = xuchang_request("f");
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        calls.spawn(create_patiently(client.clone(), request.clone()));
    }
    let answers = calls.join_all().await;
    let first = answers[0].clone().unwrap();
    assert!(answers.into_iter().all(|answer| answer.unwrap() == first));
    assert_eq!(runs(&mut client).await.len(), 1);

    let head = header("xuchang");
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let rows = vec![row(2, "411081", "settled_new", "1")];
        calls.spawn(import_patiently(
            server.client("编制人").await,
            head.clone(),
            rows,
        ));
    }
    let answers = calls.join_all().await;
    let first = answers[0].clone().unwrap();
    assert_eq!((first.added, first.revised), (0, 1));
    assert!(answers.into_iter().all(|answer| answer.unwrap() == first));
    assert_eq!(client.data_set("xuchang").await.revision, 2);
    server.stop().await;
}

/// Calls again while the server asks for it.
async fn patient<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    for _ in 0..50 {
        match call().await {
            Err(status) if status.code() == Code::Unavailable => {
                let wait = refusal(&status).retry_after.expect("when to try again");
                tokio::time::sleep(wait.min(Duration::from_millis(100))).await;
            }
            decided => return decided,
        }
    }
    panic!("always told to try again");
}

async fn create_patiently(
    caller: Client,
    request: pb::CreateAllocationRequest,
) -> Result<pb::Allocation, Status> {
    patient(|| {
        let (mut caller, request) = (caller.clone(), request.clone());
        async move { caller.create(request).await }
    })
    .await
}

async fn import_patiently(
    caller: Client,
    head: pb::ImportObservationsHeader,
    rows: Vec<pb::ObservationRow>,
) -> Result<pb::DataSetRevision, Status> {
    patient(|| {
        let (mut caller, head, rows) = (caller.clone(), head.clone(), rows.clone());
        async move { caller.import_as(head, rows).await }
    })
    .await
}

async fn a_lost_reply_is_found_again(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let mut names = BTreeSet::new();
    // The caller gives up at all kinds of moments.
    for patience_ms in [0, 1, 2, 4, 8, 12, 16, 24, 32, 64] {
        let request = xuchang_request("f");
        let given_up = {
            let mut hasty = server.client("编制人").await;
            let call = hasty.create(request.clone());
            tokio::time::timeout(Duration::from_millis(patience_ms), call).await
        };
        let run = client.create(request.clone()).await.unwrap();
        if let Ok(Ok(first)) = given_up {
            assert_eq!(first, run);
        }
        assert_eq!(client.create(request).await.unwrap(), run);
        names.insert(run.name);
    }
    assert_eq!(names.len(), 10);
    let listed: BTreeSet<String> = runs(&mut client).await.into_iter().map(|run| run.name).collect();
    assert_eq!(listed, names);
    server.stop().await;
}

async fn the_answer_outlives_the_server(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let create = xuchang_request("f");
    let head = header("xuchang");
    let rows = vec![row(2, "411081", "settled_new", "1")];
    let imported = client.import_as(head.clone(), rows.clone()).await.unwrap();
    // The server ends while the caller still waits; what was begun is finished.
    let mut waiting = client.clone();
    let request = create.clone();
    let call = tokio::spawn(async move { waiting.create(request).await });
    tokio::time::sleep(Duration::from_millis(5)).await;
    server.stop().await;
    let first = call.await.unwrap();

    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    let run = client.create(create.clone()).await.unwrap();
    if let Ok(first) = first {
        assert_eq!(first, run);
    }
    assert_eq!(client.import_as(head, rows).await.unwrap(), imported);
    assert_eq!(client.create(create).await.unwrap(), run);
    assert_eq!(runs(&mut client).await.len(), 1);
    server.stop().await;
}

#[track_caller]
fn reused(refusal: &Refusal, request_id: &str) {
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::InvalidArgument, "REQUEST_ID_REUSED")
    );
    assert!(refusal.en.contains(request_id) && refusal.zh.contains(request_id));
}

async fn another_body_is_refused(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let request = xuchang_request("f");
    let run = client.create(request.clone()).await.unwrap();
    let other_pool = pb::CreateAllocationRequest {
        pool: "80000000.01".to_owned(),
        ..request.clone()
    };
    reused(&refused(client.create(other_pool).await), &request.request_id);
    let only_validated = pb::CreateAllocationRequest {
        validate_only: true,
        ..request.clone()
    };
    reused(&refused(client.create(only_validated).await), &request.request_id);
    // Another method is another request too.
    let approve = pb::ApproveAllocationRequest {
        name: run.name.clone(),
        request_id: request.request_id.clone(),
        ..Default::default()
    };
    let other_method = client.allocations.approve_allocation(approve).await;
    reused(&refused(other_method), &request.request_id);
    let head = header("xuchang");
    let rows = vec![row(2, "411081", "settled_new", "1")];
    client.import_as(head.clone(), rows).await.unwrap();
    let other_rows = vec![row(2, "411081", "settled_new", "2")];
    reused(
        &refused(client.import_as(head.clone(), other_rows).await),
        &head.request_id,
    );
    assert_eq!(client.get(&run.name).await, run);
    assert_eq!(runs(&mut client).await.len(), 1);
    assert_eq!(client.data_set("xuchang").await.revision, 2);
    server.stop().await;
}

async fn each_principal_has_request_ids_of_their_own(world: World) {
    let server = world.serve().await;
    let mut one = server.client("甲").await;
    let mut other = server.client("乙").await;
    import_xuchang(&mut one).await;
    let request = xuchang_request("f");
    let first = one.create(request.clone()).await.unwrap();
    let second = other.create(request.clone()).await.unwrap();
    assert_ne!(first.name, second.name);
    assert_eq!(second.created.as_ref().unwrap().principal, "乙");
    assert_eq!(one.create(request.clone()).await.unwrap(), first);
    let third = pb::CreateAllocationRequest {
        fund: "funds/g".to_owned(),
        ..request
    };
    let mut third_person = server.client("丙").await;
    third_person.create(third).await.unwrap();
    // Without an id, every call is a new one.
    let without = pb::CreateAllocationRequest {
        request_id: String::new(),
        ..xuchang_request("h")
    };
    let names = [
        one.create(without.clone()).await.unwrap().name,
        one.create(without).await.unwrap().name,
    ];
    assert_ne!(names[0], names[1]);
    server.stop().await;
}

async fn a_refused_request_leaves_its_id_free(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    small(&mut client).await;
    let head = header("small");
    let faulty = vec![row(2, "NOWHERE", "people", "1")];
    refused(client.import_as(head.clone(), faulty).await);
    let sound = vec![row(2, "A", "people", "1")];
    let imported = client.import_as(head, sound).await.unwrap();
    assert_eq!(imported.added, 1);
    server.stop().await;
}

async fn a_request_id_is_short_and_plain(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    let create = |request_id: &str| pb::CreateDataSetRequest {
        data_set_id: "d".to_owned(),
        title: "D".to_owned(),
        request_id: request_id.to_owned(),
        validate_only: false,
    };
    for bad in ["a b", "é", "'; DROP TABLE request; --", "\0", &"x".repeat(65)] {
        refused(client.statistics.create_data_set(create(bad)).await).names("request_id");
    }
    let longest = create(&"x".repeat(64));
    inner(client.statistics.create_data_set(longest.clone()).await);
    inner(client.statistics.create_data_set(longest).await);
    server.stop().await;
}

async fn concurrent_imports_give_consistent_revisions(world: World) {
    const CALLERS: u32 = 32;
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let mut calls = JoinSet::new();
    for at in 0..CALLERS {
        let caller = server.client(&format!("统计员 {at}")).await;
        // One value of everybody's own, and one that all of them correct.
        let rows = vec![
            pb::ObservationRow {
                year: (1990 + at).to_string(),
                ..row(2, "A", "people", &at.to_string())
            },
            row(3, "B", "people", &at.to_string()),
        ];
        calls.spawn(import_patiently(caller, header("small"), rows));
    }
    let mut revisions: Vec<pb::DataSetRevision> =
        calls.join_all().await.into_iter().map(Result::unwrap).collect();
    let number = |revision: &pb::DataSetRevision| -> u32 {
        revision.name.rsplit('/').next().unwrap().parse().unwrap()
    };
    revisions.sort_by_key(number);
    let numbers: Vec<u32> = revisions.iter().map(number).collect();
    assert_eq!(numbers, (1..=CALLERS).collect::<Vec<_>>());
    let listed = pb::ListDataSetRevisionsRequest {
        parent: "dataSets/small".to_owned(),
        ..Default::default()
    };
    let listed = inner(client.statistics.list_data_set_revisions(listed).await);
    assert_eq!(listed.revisions, revisions);
    // Each revision holds what those before it brought, and its own correction.
    for revision in [1, 2, 17, CALLERS] {
        let name = format!("dataSets/small/revisions/{revision}");
        let there = client.observations(&name).await;
        assert_eq!(there.len(), revision as usize + 1);
        let shared = there.last().unwrap();
        assert_eq!((shared.region.as_str(), shared.revision), ("regions/B", revision));
        let by = revisions[revision as usize - 1]
            .created
            .clone()
            .unwrap()
            .principal;
        assert_eq!(by, format!("统计员 {}", shared.value));
    }
    server.stop().await;
}

async fn one_approval_wins(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    import_xuchang(&mut maker).await;
    let draft = maker.create(xuchang_request("f")).await.unwrap();
    let mut calls = JoinSet::new();
    for at in 0..32 {
        let caller = server.client(&format!("审核人 {at}")).await;
        let name = draft.name.clone();
        calls.spawn(async move {
            patient(|| {
                let (mut caller, name) = (caller.clone(), name.clone());
                async move { caller.approve(&name).await }
            })
            .await
        });
    }
    let (won, lost): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 31));
    let winner = won.into_iter().next().unwrap().unwrap();
    assert_eq!(maker.get(&draft.name).await, winner);
    for answer in lost {
        let refusal = refused(answer);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::FailedPrecondition, "ALLOCATION_STATE")
        );
        assert!(refusal.en.contains("is approved and cannot be approved"));
    }
    server.stop().await;
}

async fn one_run_of_a_fund_is_issued(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;
    maker.receive("f", "80000000.00").await.unwrap();
    let mut calls = JoinSet::new();
    let mut names = Vec::new();
    for _ in 0..8 {
        let run = maker.create(xuchang_request("f")).await.unwrap();
        checker.approve(&run.name).await.unwrap();
        names.push(run.name);
    }
    for name in names {
        let caller = server.client("编制人").await;
        calls.spawn(async move {
            patient(|| {
                let (mut caller, name) = (caller.clone(), name.clone());
                async move { caller.issue(&name).await }
            })
            .await
        });
    }
    let (won, lost): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    let winner = won.into_iter().next().unwrap().unwrap();
    for answer in lost {
        let refusal = refused(answer);
        assert_eq!(refusal.reason, "ANOTHER_ALLOCATION_ISSUED");
        assert!(refusal.en.contains(&winner.name));
    }
    server.stop().await;
}

async fn two_servers_share_a_database(world: World) {
    let (one, other) = (world.serve().await, world.serve().await);
    let mut client = one.client("编制人").await;
    import_xuchang(&mut client).await;
    let request = xuchang_request("f");
    let mut calls = JoinSet::new();
    for at in 0..8 {
        let server = if at % 2 == 0 { &one } else { &other };
        calls.spawn(create_patiently(server.client("编制人").await, request.clone()));
    }
    let answers: Vec<pb::Allocation> = calls.join_all().await.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let mut elsewhere = other.client("审核人").await;
    let approved = elsewhere.approve(&answers[0].name).await.unwrap();
    assert_eq!(client.get(&answers[0].name).await, approved);
    // An import through both at once.
    let mut calls = JoinSet::new();
    for at in 0..8_u32 {
        let server = if at % 2 == 0 { &one } else { &other };
        let rows = vec![row(2, "411081", "settled_new", &(at + 1).to_string())];
        calls.spawn(import_patiently(
            server.client("统计员").await,
            header("xuchang"),
            rows,
        ));
    }
    for answer in calls.join_all().await {
        answer.unwrap();
    }
    assert_eq!(client.data_set("xuchang").await.revision, 9);
    one.stop().await;
    other.stop().await;
}
