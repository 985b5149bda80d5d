//! Keys are changed while claims lie sealed under the old ones.

use super::setup::{claim, home, message, ready};
use crate::harness::{World, inner, refused, stories};
use incentive_fund::app::App;
use incentive_fund::app::audit::Asking;
use incentive_fund::app::vault::Vault;
use incentive_fund::domain::allocation::FundId;
use incentive_fund::domain::identity::Principal;
use incentive_fund::grpc::pb;
use incentive_fund::store::{Store, StoreOptions};
use sea_orm::{ConnectionTrait, Database, Statement};
use std::time::Duration;

stories!(
    keys_are_changed_and_nothing_is_lost,
    keys_are_changed_while_claims_come_in,
    a_rotation_that_was_broken_off_is_taken_up,
);

/// The whole of a new key file, and the part of it that is new.
fn renewed(old: &str, id: &str) -> (String, String) {
    let alone = Vault::generate(id, None).unwrap().to_string();
    let joined = format!("{alone}\n{old}");
    // TOML allows a table of an array anywhere: the new keys stand first.
    (joined, alone)
}

async fn app(world: &World) -> App {
    let store = Store::connect(&StoreOptions {
        url: world.url.clone(),
        max_connections: 4,
        acquire_timeout: Duration::from_secs(30),
        statement_log: false,
    })
    .await
    .unwrap();
    App::new(store).with_vault(world.vault.clone())
}

fn operator() -> Asking {
    Asking {
        caller: Principal::parse("管理员").unwrap(),
        peer: "in-process".to_owned(),
    }
}

fn fund() -> FundId {
    FundId::parse("fund", "f").unwrap()
}

async fn keys_are_changed_and_nothing_is_lost(mut world: World) {
    let old = Vault::generate("2026", None).unwrap().to_string();
    let (both, new) = renewed(&old, "2027");
    world.vault = Vault::parse(&old).unwrap();
    let (server, mut clerk, mut chief) = ready(&world, "100000", "100000").await;
    let first = clerk.submit(claim(1)).await.unwrap().name;
    chief.approve_claim(&first).await.unwrap();
    clerk.object_to(&first, "令狐试例贰已有住房").await.unwrap();
    let ended = clerk.submit(claim(2)).await.unwrap().name;
    clerk.withdraw_claim(&ended).await.unwrap();
    server.stop().await;

    // Old claims are found under their old keys, and new ones get new keys.
    world.vault = Vault::parse(&both).unwrap();
    let server = world.serve().await;
    let mut clerk = server.client("经办人").await;
    let mut same_home = claim(3);
    same_home.home = home(1);
    for input in [claim(1), same_home] {
        assert_eq!(refused(clerk.submit(input).await).reason, "ALREADY_SUBSIDISED");
    }
    clerk.submit(claim(2)).await.unwrap();
    let detail = clerk.claim(&first).await;

    let app = app(&world).await;
    assert_eq!(
        app.rotate_keys(&operator(), &fund()).await.unwrap(),
        2,
        "the two of the old key"
    );
    assert_eq!(app.rotate_keys(&operator(), &fund()).await.unwrap(), 0);
    for input in [claim(1), claim(2)] {
        assert_eq!(refused(clerk.submit(input).await).reason, "ALREADY_SUBSIDISED");
    }
    server.stop().await;

    // The old key is needed for nothing any more.
    world.vault = Vault::parse(&new).unwrap();
    let server = world.serve().await;
    let (mut clerk, mut chief) = (server.client("经办人").await, server.client("审批人").await);
    for input in [claim(1), claim(2)] {
        assert_eq!(refused(clerk.submit(input).await).reason, "ALREADY_SUBSIDISED");
    }
    assert_eq!(clerk.claim(&first).await, detail);
    let objection = pb::GetObjectionRequest {
        name: format!("{first}/objections/1"),
    };
    let text = inner(clerk.subsidies.get_objection(objection).await).text;
    assert_eq!(text, "令狐试例贰已有住房");
    // An end frees what was hashed anew.
    chief
        .resolve(&format!("{first}/objections/1"), true)
        .await
        .unwrap();
    clerk.submit(claim(1)).await.unwrap();
    clerk.verifies("f").await;
    server.stop().await;
}

async fn keys_are_changed_while_claims_come_in(mut world: World) {
    let old = Vault::generate("2026", None).unwrap().to_string();
    let (both, new) = renewed(&old, "2027");
    world.vault = Vault::parse(&old).unwrap();
    let (server, mut clerk, _) = ready(&world, "100000", "100000").await;
    clerk
        .submit_all(vec![message((0..600).map(claim).collect())])
        .await
        .unwrap();
    server.stop().await;
    world.vault = Vault::parse(&both).unwrap();
    let server = world.serve().await;
    let mut clerk = server.client("经办人").await;
    let app = app(&world).await;
    let rotating = tokio::spawn(async move { app.rotate_keys(&operator(), &fund()).await });
    let messages: Vec<_> = (0..6)
        .map(|at| message((at * 200..at * 200 + 200).map(claim).collect()))
        .collect();
    let answers = clerk.submit_all(messages).await.unwrap();
    let taken = answers
        .iter()
        .flat_map(|answer| &answer.outcomes)
        .filter(|outcome| outcome.reason.is_empty())
        .count();
    assert_eq!(taken, 600, "those that were there are refused, the others taken");
    assert_eq!(rotating.await.unwrap().unwrap(), 600);
    server.stop().await;
    world.vault = Vault::parse(&new).unwrap();
    let server = world.serve().await;
    let mut clerk = server.client("经办人").await;
    let answers = clerk
        .submit_all(vec![message((0..1_000).map(claim).collect())])
        .await
        .unwrap();
    assert!(
        answers[0]
            .outcomes
            .iter()
            .all(|outcome| outcome.reason == "ALREADY_SUBSIDISED")
    );
    server.stop().await;
}

/// Broken off after any page, and begun again while claims come in: in the end nothing needs the old keys.
async fn a_rotation_that_was_broken_off_is_taken_up(mut world: World) {
    let old = Vault::generate("2026", None).unwrap().to_string();
    let (both, new) = renewed(&old, "2027");
    world.vault = Vault::parse(&old).unwrap();
    let (server, mut clerk, _) = ready(&world, "10000000", "10000000").await;
    for from in [1, 301, 601] {
        clerk
            .submit_all(vec![message((from..from + 300).map(claim).collect())])
            .await
            .unwrap();
    }
    server.stop().await;
    world.vault = Vault::parse(&both).unwrap();
    let server = world.serve().await;
    let mut clerk = server.client("经办人").await;
    let coming_in = tokio::spawn(async move {
        for n in 2_000..2_020 {
            clerk.submit(claim(n)).await.unwrap();
        }
    });
    let db = Database::connect(&world.url).await.unwrap();
    let left = async || {
        let sql = "SELECT COUNT(*) AS n FROM claim WHERE sealing_key = '2026'";
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get::<i64>("", "n").unwrap()
    };
    // The first page is 500 claims; after it the task is dropped, wherever it is.
    let rotating = {
        let app = app(&world).await;
        tokio::spawn(async move { app.rotate_keys(&operator(), &fund()).await })
    };
    while left().await == 900 && !rotating.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    rotating.abort();
    let _ = rotating.await;
    let app = app(&world).await;
    let rest = left().await;
    let changed = app.rotate_keys(&operator(), &fund()).await.unwrap();
    // A page that was under way when the task was dropped may have been kept after it was counted.
    assert!(i64::try_from(changed).unwrap() <= rest, "{changed} of {rest}");
    coming_in.await.unwrap();
    assert_eq!(left().await, 0);
    assert_eq!(app.rotate_keys(&operator(), &fund()).await.unwrap(), 0);
    db.close().await.unwrap();
    server.client("审计").await.log_verifies(&[]).await;
    server.stop().await;
    // All of it opens with the new keys alone.
    world.vault = Vault::parse(&new).unwrap();
    let server = world.serve().await;
    let mut clerk = server.client("经办人").await;
    for n in [1, 500, 501, 900, 920] {
        let found = clerk.claim(&format!("funds/f/claims/{n}")).await;
        assert!(found.masked_account.starts_with("****"), "{n}");
    }
    assert_eq!(
        refused(clerk.submit(claim(450)).await).reason,
        "ALREADY_SUBSIDISED"
    );
    server.stop().await;
}
