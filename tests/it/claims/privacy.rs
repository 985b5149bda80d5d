//! Names and numbers go in, and come out of nothing: no answer, no error, no stored byte.

use super::setup::{
    account, approval, claim, home, id_number, message, name, phone, ready, submission, with_facts,
};
use crate::harness::{Engine, World, id, inner, refusal, stories};
use incentive_fund::grpc::pb;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use std::fmt::Debug;
use tonic::Status;

stories!(nothing_personal_is_shown_or_stored_in_clear,);

/// What must be nowhere: of families 1 to 9 all that is personal.
pub fn secrets() -> Vec<String> {
    let people = (2..20).flat_map(|n| [name(n), id_number(n)]);
    let families = (1..10).flat_map(|n| [account(n), phone(n), home(n)]);
    people.chain(families).collect()
}

/// All that was seen.
#[derive(Default)]
pub struct Seen(Vec<String>);

impl Seen {
    pub fn answer<T: Debug>(&mut self, answer: T) {
        self.0.push(format!("{answer:?}"));
    }

    pub fn error<T: Debug>(&mut self, answer: Result<T, Status>) {
        let status = answer.unwrap_err();
        self.0
            .push(format!("{:?} {}", refusal(&status), status.message()));
        // The details as they travel.
        self.0
            .push(String::from_utf8_lossy(status.details()).into_owned());
        self.0.push(format!("{:?}", status.metadata()));
    }

    pub fn holds_none_of(&self, secrets: &[String]) {
        for text in &self.0 {
            for secret in secrets {
                assert!(!text.contains(secret.as_str()), "{secret} in {text}");
            }
        }
    }
}

async fn nothing_personal_is_shown_or_stored_in_clear(world: World) {
    let (server, mut clerk, mut chief) = ready(&world, "10000", "100000").await;
    let mut seen = Seen::default();
    seen.answer(clerk.submit(claim(1)).await.unwrap());
    seen.error(clerk.submit(claim(1)).await);
    seen.answer(
        clerk
            .submit_all(vec![message(vec![claim(2), claim(1), claim(2)])])
            .await
            .unwrap(),
    );
    // Everything in the wrong place, and with a digit too few or too many.
    let mut shifted = claim(3);
    let payee = shifted.payee.as_mut().unwrap();
    payee.bank_code = account(3);
    payee.account = name(6);
    payee.bank_name = format!("{}\u{200b}", name(6));
    payee.name = id_number(6);
    shifted.phone = name(7);
    shifted.home = format!("{}\n", name(6));
    shifted.applicant = Some(pb::Person {
        name: format!("{}\u{7}", name(6)),
        id_number: name(6),
    });
    shifted.household[0].id_number = format!("{}1", id_number(7));
    seen.error(clerk.submit(shifted.clone()).await);
    let mut misplaced = claim(4);
    misplaced.facts.insert("area".to_owned(), id_number(8));
    misplaced.facts.insert("price".to_owned(), account(4));
    misplaced.facts.insert("location".to_owned(), name(8));
    misplaced.facts.insert("contract_date".to_owned(), phone(4));
    misplaced.facts.insert(name(8), name(8));
    seen.error(clerk.submit(misplaced.clone()).await);
    let mut documents = claim(5);
    documents.documents.push(name(10));
    seen.error(clerk.submit(documents.clone()).await);
    seen.answer(
        clerk
            .submit_all(vec![message(vec![shifted, misplaced, documents])])
            .await
            .unwrap(),
    );
    seen.error(
        clerk
            .submit(with_facts(claim(6), &[("first_home", "false")]))
            .await,
    );
    let request = submission(claim(7));
    let reused = pb::SubmitClaimRequest {
        claim: Some(claim(8)),
        ..request.clone()
    };
    seen.answer(inner(clerk.subsidies.submit_claim(request).await));
    seen.error(clerk.subsidies.submit_claim(reused).await);

    let first = "funds/f/claims/1";
    seen.answer(inner(chief.subsidies.approve_claim(approval(first)).await));
    seen.error(chief.approve_claim("funds/f/claims/2").await);
    seen.answer(chief.approve_or_wait("funds/f/claims/2").await.unwrap());
    let said = format!("{}({})已有住房", name(2), id_number(2));
    seen.answer(clerk.object_to(first, &said).await.unwrap());
    seen.error(clerk.object_to(first, &said.repeat(200)).await);
    seen.answer(
        chief
            .resolve(&format!("{first}/objections/1"), false)
            .await
            .unwrap(),
    );
    seen.answer(chief.cancel_claim(first).await.unwrap());
    let retry = pb::RetryClaimRequest {
        name: first.to_owned(),
        payee: Some(pb::PayeeAccount {
            name: name(9),
            account: account(9),
            bank_code: account(9),
            bank_name: name(9),
        }),
        request_id: id(),
        ..Default::default()
    };
    seen.error(clerk.subsidies.retry_claim(retry).await);
    seen.answer(clerk.claim(first).await);
    seen.answer(clerk.claims(pb::ListClaimsRequest::default()).await);
    seen.answer(clerk.history(first).await);
    let request = pb::ExplainClaimRequest {
        name: first.to_owned(),
    };
    seen.answer(inner(clerk.subsidies.explain_claim(request).await));
    let request = pb::ListPublicNoticesRequest {
        parent: "funds/f".to_owned(),
        ..Default::default()
    };
    seen.answer(inner(clerk.subsidies.list_public_notices(request).await));
    seen.answer(clerk.journal("f").await);
    seen.holds_none_of(&secrets());
    assert!(
        seen.0
            .iter()
            .any(|text| text.contains("令*****") && text.contains("4110************")),
        "masked"
    );

    stored_in_clear(&world, &secrets()).await;
    server.stop().await;
    stored_in_clear(&world, &secrets()).await;
}

/// Searches all that the database holds.
pub async fn stored_in_clear(world: &World, secrets: &[String]) {
    let mut held: Vec<String> = Vec::new();
    match world.engine() {
        Engine::Sqlite => {
            let file = world
                .url
                .trim_start_matches("sqlite://")
                .split('?')
                .next()
                .unwrap();
            for end in ["", "-wal"] {
                // The log is gone once the last connection is closed.
                let bytes = std::fs::read(format!("{file}{end}")).unwrap_or_default();
                held.push(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        Engine::Postgres => {
            let db = Database::connect(&world.url).await.unwrap();
            let all = |sql: &str| db.query_all_raw(Statement::from_string(DbBackend::Postgres, sql));
            let tables = all("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
                .await
                .unwrap();
            for table in tables {
                let table: String = table.try_get("", "tablename").unwrap();
                for row in all(&format!("SELECT t::text AS row FROM \"{table}\" t"))
                    .await
                    .unwrap()
                {
                    held.push(row.try_get("", "row").unwrap());
                }
            }
            db.close().await.unwrap();
        }
    }
    assert!(
        held.iter().any(|text| text.contains("housing-purchase")),
        "the search finds what is there"
    );
    for secret in secrets {
        for text in &held {
            assert!(!text.contains(secret.as_str()), "{secret} is stored in clear");
        }
    }
}
