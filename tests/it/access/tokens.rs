//! Tokens that the program issues: once shown, revoked at once on every server, never kept or told.

use super::setup::{HOUR, OWN, bearer, door, now, roles, token};
use crate::harness::{World, channel, inner, limits, refused, stories};
use incentive_fund::app::tokens::IssueToken;
use incentive_fund::domain::error::Error;
use incentive_fund::domain::identity::Principal;
use incentive_fund::grpc::pb;
use sea_orm::{ConnectionTrait, Database, Statement};
use tonic::Code;

stories!(
    a_revoked_token_counts_nowhere_from_then_on,
    an_open_stream_ends_with_its_token,
    a_token_ends_with_its_time,
    tokens_are_kept_as_hashes,
    what_is_no_token_is_refused_in_the_same_words,
    a_token_needs_roles_and_regions_that_there_are,
    names_and_roles_in_metadata_count_for_nothing,
);

fn list() -> pb::ListRegionsRequest {
    pb::ListRegionsRequest::default()
}

fn wanted() -> IssueToken {
    IssueToken {
        subject: "auditor".to_owned(),
        roles: vec!["auditor".to_owned()],
        regions: Vec::new(),
        expires_at: now() + HOUR,
        note: String::new(),
    }
}

async fn a_revoked_token_counts_nowhere_from_then_on(world: World) {
    let first = world.serve_guarded(door, limits()).await;
    let second = world.serve_guarded(door, limits()).await;
    let token = token(&first, "auditor", &["auditor"], &[]).await;
    let mut here = bearer(&channel(first.address).await, &token);
    let mut there = bearer(&channel(second.address).await, &token);
    inner(here.statistics.list_regions(list()).await);
    inner(there.statistics.list_regions(list()).await);
    let kept = first.app.tokens().await.unwrap().remove(0);
    let operator = Principal::parse("operator").unwrap();
    first.app.revoke_token(&operator, &kept.id).await.unwrap();
    for client in [&mut here, &mut there] {
        let refusal = refused(client.statistics.list_regions(list()).await);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::Unauthenticated, "TOKEN_REVOKED")
        );
    }
    // Once is enough, and what is not there cannot be revoked.
    let again = first.app.revoke_token(&operator, &kept.id).await.unwrap();
    assert_eq!(again.revoked_by, "operator");
    let unknown = first.app.revoke_token(&operator, "nothing").await;
    assert!(matches!(unknown, Err(Error::NotFound { kind: "token", .. })));
    drop((here, there));
    first.stop().await;
    second.stop().await;
}

async fn an_open_stream_ends_with_its_token(world: World) {
    let (open, _maker, _checker, _) = crate::ledger::office(&world).await;
    let server = world.serve_guarded(door, limits()).await;
    let token = token(&server, "auditor", &["auditor"], &[]).await;
    let mut client = bearer(&channel(server.address).await, &token);
    let watch = pb::WatchChangesRequest {
        fund: "funds/f".to_owned(),
        after: 0,
    };
    let mut changes = inner(client.ledger.watch_changes(watch).await);
    assert!(changes.message().await.unwrap().is_some());
    let kept = server.app.tokens().await.unwrap().remove(0);
    let operator = Principal::parse("operator").unwrap();
    server.app.revoke_token(&operator, &kept.id).await.unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        loop {
            if let Err(status) = changes.message().await {
                return crate::harness::refusal(&status);
            }
        }
    });
    let refusal = ended.await.expect("the stream ends");
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::Unauthenticated, "TOKEN_REVOKED")
    );
    drop((client, changes, _maker, _checker));
    server.stop().await;
    open.stop().await;
}

async fn a_token_ends_with_its_time(world: World) {
    let server = world.serve_guarded(door, limits()).await;
    let token = token(&server, "auditor", &["auditor"], &[]).await;
    let mut client = bearer(&channel(server.address).await, &token);
    inner(client.statistics.list_regions(list()).await);
    // Time cannot be turned forward, but the end can be brought nearer.
    let db = Database::connect(&world.url).await.unwrap();
    db.execute_unprepared(&format!("UPDATE access_token SET expires_at = {}", now() - 1))
        .await
        .unwrap();
    let refusal = refused(client.statistics.list_regions(list()).await);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::Unauthenticated, "TOKEN_EXPIRED")
    );
    db.close().await.unwrap();
    drop(client);
    server.stop().await;
}

async fn tokens_are_kept_as_hashes(world: World) {
    let server = world.serve_guarded(door, limits()).await;
    let token = token(&server, "auditor", &["auditor"], &[]).await;
    assert_eq!(token.len(), 4 + 43, "256 bits in base64");
    let db = Database::connect(&world.url).await.unwrap();
    let columns = "hash || id || subject || roles || regions || note || issued_by";
    let statement = Statement::from_string(
        db.get_database_backend(),
        format!("SELECT {columns} AS kept FROM access_token"),
    );
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    let kept: String = row.try_get("", "kept").unwrap();
    assert!(!kept.contains(&token[4..]), "{kept}");
    // Who has the database has no token from it.
    let record = server.app.tokens().await.unwrap().remove(0);
    let stolen = format!("ift_{}", record.hash.as_str());
    let mut thief = bearer(&channel(server.address).await, &stolen);
    assert_eq!(
        refused(thief.statistics.list_regions(list()).await).code,
        Code::Unauthenticated
    );
    let operator = Principal::parse("o").unwrap();
    let issued = server
        .app
        .issue_token(&operator, &roles(), &wanted())
        .await
        .unwrap();
    assert!(!format!("{issued:?}").contains(&issued.token[4..]));
    db.close().await.unwrap();
    drop(thief);
    server.stop().await;
}

async fn what_is_no_token_is_refused_in_the_same_words(world: World) {
    let server = world.serve_guarded(door, limits()).await;
    let good = token(&server, "auditor", &["auditor"], &[]).await;
    let channel = channel(server.address).await;
    let last = if good.ends_with('A') { "E" } else { "A" };
    let flipped = format!("{}{last}", &good[..good.len() - 1]);
    let another = format!("ift_{}", "A".repeat(43));
    let long = "x".repeat(9_000);
    let mut words = std::collections::BTreeSet::new();
    for bad in ["x", "ift_", "ift_AAAA", &good[4..], &flipped, &another, &long] {
        let mut client = bearer(&channel, bad);
        let refusal = refused(client.statistics.list_regions(list()).await);
        assert_eq!(refusal.code, Code::Unauthenticated, "{bad}");
        words.insert((refusal.reason, refusal.en));
    }
    assert_eq!(words.len(), 1, "{words:?}");
    drop(channel);
    server.stop().await;
}

async fn a_token_needs_roles_and_regions_that_there_are(world: World) {
    let server = world.serve_guarded(door, limits()).await;
    let operator = Principal::parse("operator").unwrap();
    let roles = roles();
    let issue = async |change: fn(&mut IssueToken)| {
        let mut issue = wanted();
        change(&mut issue);
        server.app.issue_token(&operator, &roles, &issue).await
    };
    assert!(issue(|_| {}).await.is_ok());
    #[allow(clippy::type_complexity)]
    let faulty: [(&str, fn(&mut IssueToken)); 8] = [
        ("role[0]", |issue| issue.roles = vec!["king".into()]),
        ("role", |issue| issue.roles.clear()),
        ("region", |issue| issue.roles = vec!["county_clerk".into()]),
        ("region[0]", |issue| issue.regions = vec!["no such".into()]),
        ("expires", |issue| issue.expires_at = now() - 1),
        ("expires", |issue| issue.expires_at = now() + 2_000 * 24 * HOUR),
        ("principal", |issue| issue.subject = String::new()),
        ("note", |issue| issue.note = "\n".into()),
    ];
    for (field, change) in faulty {
        match issue(change).await {
            Err(Error::Invalid(faults)) => assert_eq!(faults[0].field, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    let unknown = issue(|issue| issue.regions = vec![OWN.into()]).await;
    assert!(
        matches!(unknown, Err(Error::NotFound { kind: "region", .. })),
        "{unknown:?}"
    );
    server.stop().await;
}

async fn names_and_roles_in_metadata_count_for_nothing(world: World) {
    let server = world.serve_guarded(door, limits()).await;
    let channel = channel(server.address).await;
    let mut statistics = pb::statistics_service_client::StatisticsServiceClient::new(channel);
    let mut request = tonic::Request::new(list());
    for key in ["incentive-fund-principal", "incentive-fund-roles", "roles"] {
        request.metadata_mut().insert(key, "auditor".parse().unwrap());
    }
    let refusal = refused(statistics.list_regions(request).await);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::Unauthenticated, "NO_CREDENTIALS")
    );
    drop(statistics);
    server.stop().await;
}
