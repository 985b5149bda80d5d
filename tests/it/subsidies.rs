//! Subsidies: worked claims with amounts derived by hand, and the policies and claims of a service on both
//! databases.

use crate::harness::{Client, Running, World, id, part_of, refused, region, regions_of, stories};
use incentive_fund::domain::money::Money;
use incentive_fund::domain::subsidy::{
    CheckedPolicy, CheckedProgramme, DeedTaxLaw, DeedTaxLawDocument, Detail, Facts, PolicyDocument,
    ProgrammeDocument, assess,
};
use incentive_fund::grpc::pb;
use incentive_fund::shipped;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tonic::Code;

type Texts = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Golden {
    bases: HashMap<String, Texts>,
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    name: String,
    policy: String,
    base: String,
    #[serde(default)]
    facts: Texts,
    derivation: String,
    #[serde(default)]
    failed: Vec<String>,
    #[serde(default = "nothing")]
    amount: String,
    #[serde(default = "nothing")]
    city: String,
    #[serde(default = "nothing")]
    county: String,
}

fn nothing() -> String {
    "0.00".to_owned()
}

fn policies() -> HashMap<String, CheckedPolicy> {
    let programmes: HashMap<String, Arc<CheckedProgramme>> = shipped::PROGRAMMES
        .into_iter()
        .map(|(_, text)| {
            let programme = CheckedProgramme::check(ProgrammeDocument::from_toml(text).unwrap()).unwrap();
            (programme.code.to_string(), Arc::new(programme))
        })
        .collect();
    shipped::POLICIES
        .into_iter()
        .map(|(_, text)| {
            let document = PolicyDocument::from_toml(text).unwrap();
            let programme = &programmes[&document.programme];
            (
                document.id.clone(),
                CheckedPolicy::check(document, programme).unwrap(),
            )
        })
        .collect()
}

#[test]
fn worked_claims_come_out_as_derived_by_hand() {
    let golden: Golden = toml::from_str(include_str!("../data/golden/subsidies.toml")).unwrap();
    assert!(golden.claims.len() >= 40);
    let policies = policies();
    let law = DeedTaxLaw::check(DeedTaxLawDocument::from_toml(shipped::DEED_TAX_LAW).unwrap()).unwrap();
    let mut used = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut wrong = Vec::new();
    for claim in &golden.claims {
        assert!(names.insert((&claim.policy, &claim.name)), "{} twice", claim.name);
        assert!(!claim.derivation.is_empty());
        let policy = &policies[&claim.policy];
        used.insert(&claim.policy);
        let mut texts = golden.bases[&claim.base].clone();
        texts.extend(claim.facts.clone());
        let facts = Facts::parse(&policy.programme, &texts)
            .unwrap_or_else(|violations| panic!("{}: {violations:?}", claim.name));
        let assessment = assess(policy, &facts, &[], &law, Detail::Derived).unwrap();
        let decided = assess(policy, &facts, &[], &law, Detail::Decided).unwrap();
        assert_eq!(
            (
                assessment.amount,
                assessment.city,
                assessment.county,
                &assessment.exact
            ),
            (decided.amount, decided.city, decided.county, &decided.exact),
            "{}: with and without words",
            claim.name
        );
        assert!(
            assessment.failed_clauses().eq(decided.failed_clauses()),
            "{}",
            claim.name
        );
        let found = (
            assessment.failed_clauses().map(str::to_owned).collect::<Vec<_>>(),
            assessment.amount.to_string(),
            assessment.city.to_string(),
            assessment.county.to_string(),
        );
        let expected = (
            claim.failed.clone(),
            claim.amount.clone(),
            claim.city.clone(),
            claim.county.clone(),
        );
        if found != expected || assessment.eligible != claim.failed.is_empty() {
            wrong.push(format!(
                "{}: found {found:?}, derived {expected:?} ({})",
                claim.name, claim.derivation
            ));
        }
        let sum = Money::parse("city", &claim.city)
            .unwrap()
            .checked_add(Money::parse("county", &claim.county).unwrap())
            .unwrap();
        assert_eq!(
            sum.to_string(),
            claim.amount,
            "{}: the parts written do not add up",
            claim.name
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        used.len(),
        shipped::POLICIES.len(),
        "every shipped policy has worked claims"
    );
}

stories!(
    a_county_without_its_own_policy_uses_its_citys,
    revisions_are_kept_and_the_newest_counts,
    policies_do_not_overlap,
    what_is_missing_is_said,
    imports_are_idempotent,
    the_rules_in_memory_are_those_of_the_store,
);

/// The regions of Xuchang, the programmes and the law; and a client who is somebody.
async fn office(world: &World) -> (Running, Client) {
    let server = world.serve().await;
    let mut client = server.client("张三").await;
    client
        .import_regions(regions_of("examples/xuchang/regions.csv"))
        .await
        .unwrap();
    let programmes = shipped::PROGRAMMES
        .into_iter()
        .map(|(_, text)| ProgrammeDocument::from_toml(text).unwrap().into())
        .collect();
    import_programmes(&mut client, programmes).await.unwrap();
    import_law(&mut client).await;
    (server, client)
}

async fn import_programmes(
    client: &mut Client,
    programmes: Vec<pb::ProgrammeDocument>,
) -> Result<Vec<pb::ProgrammeRevision>, tonic::Status> {
    let request = pb::ImportProgrammesRequest {
        programmes,
        request_id: id(),
        validate_only: false,
    };
    let response = client.policies.import_programmes(request).await?;
    Ok(response.into_inner().programmes)
}

async fn import_law(client: &mut Client) -> pb::DeedTaxLawRevision {
    let request = pb::ImportDeedTaxLawRequest {
        document: Some(
            DeedTaxLawDocument::from_toml(shipped::DEED_TAX_LAW)
                .unwrap()
                .into(),
        ),
        request_id: id(),
        validate_only: false,
    };
    let response = client.policies.import_deed_tax_law(request).await.unwrap();
    response.into_inner().law.unwrap()
}

fn shipped_policy(id: &str) -> pb::PolicyDocument {
    let (_, text) = shipped::POLICIES
        .into_iter()
        .find(|(name, _)| *name == format!("{id}.toml"))
        .unwrap();
    PolicyDocument::from_toml(text).unwrap().into()
}

async fn create(
    client: &mut Client,
    document: pb::PolicyDocument,
) -> Result<pb::PolicyRevision, tonic::Status> {
    let request = pb::CreatePolicyRequest {
        document: Some(document),
        request_id: id(),
        validate_only: false,
    };
    let response = client.policies.create_policy(request).await?;
    Ok(response.into_inner().policy.unwrap())
}

fn purchase(region: &str, changes: &[(&str, &str)]) -> pb::AssessClaimRequest {
    let golden: Golden = toml::from_str(include_str!("../data/golden/subsidies.toml")).unwrap();
    let mut facts: BTreeMap<String, String> = golden.bases["purchase"].clone().into_iter().collect();
    for (code, text) in changes {
        facts.insert((*code).to_owned(), (*text).to_owned());
    }
    pb::AssessClaimRequest {
        region: format!("regions/{region}"),
        programme: "programmes/housing-purchase".to_owned(),
        facts,
        documents: vec!["contract".to_owned()],
    }
}

async fn assessed(
    client: &mut Client,
    request: pb::AssessClaimRequest,
) -> Result<pb::Assessment, tonic::Status> {
    let response = client.subsidies.assess_claim(request).await?;
    Ok(response.into_inner().assessment.unwrap())
}

async fn a_county_without_its_own_policy_uses_its_citys(world: World) {
    let (server, mut client) = office(&world).await;
    for id in ["xuchang-housing-purchase-2024", "yuzhou-housing-purchase-2024"] {
        create(&mut client, shipped_policy(id)).await.unwrap();
    }
    let own = assessed(&mut client, purchase("411081", &[])).await.unwrap();
    assert_eq!(own.policy, "policies/yuzhou-housing-purchase-2024/revisions/1");
    assert_eq!(
        (
            own.amount.as_str(),
            own.city_amount.as_str(),
            own.county_amount.as_str()
        ),
        ("15000.00", "4500.00", "10500.00")
    );
    assert_eq!(own.notice_days, 7);
    let missing: Vec<&str> = own
        .documents_missing
        .iter()
        .map(|kind| kind.code.as_str())
        .collect();
    assert_eq!(missing, ["household_register", "tax_receipt"]);

    // A zone of the city has none of its own; nor has Yuzhou in the spring of 2024.
    let zone = assessed(&mut client, purchase("4110-DC", &[])).await.unwrap();
    assert_eq!(zone.policy_region, "regions/411000");
    assert_eq!(zone.amount, "17700.00");
    let spring = purchase("411081", &[("contract_date", "2024-06-30")]);
    let spring = assessed(&mut client, spring).await.unwrap();
    assert_eq!(spring.policy_region, "regions/411000");

    let early = purchase("411081", &[("contract_date", "2023-12-31")]);
    let refusal = refused(assessed(&mut client, early).await);
    assert_eq!(refusal.code, Code::FailedPrecondition);
    assert_eq!(refusal.reason, "NO_POLICY_IN_FORCE");
    let province = refused(assessed(&mut client, purchase("410000", &[])).await);
    assert_eq!(
        province.reason, "NO_POLICY_IN_FORCE",
        "a policy does not hold above its region"
    );
    server.stop().await;
}

async fn revisions_are_kept_and_the_newest_counts(world: World) {
    let (server, mut client) = office(&world).await;
    let first = shipped_policy("xuchang-housing-purchase-2024");
    let stored = create(&mut client, first.clone()).await.unwrap();
    assert_eq!(stored.programme, "programmes/housing-purchase/revisions/1");
    assert_eq!(stored.document.as_ref(), Some(&first));
    let again = create(&mut client, first.clone()).await.unwrap();
    assert_eq!(again, stored, "the same content is the same revision");
    assert_eq!(
        assessed(&mut client, purchase("411000", &[]))
            .await
            .unwrap()
            .amount,
        "17700.00"
    );

    let mut second = first.clone();
    second.caps[0].amount = "10000".to_owned();
    let changed = create(&mut client, second).await.unwrap();
    assert_eq!(changed.name, "policies/xuchang-housing-purchase-2024/revisions/2");
    let assessment = assessed(&mut client, purchase("411000", &[])).await.unwrap();
    assert_eq!(
        (assessment.policy, assessment.policy_digest),
        (changed.name, changed.digest)
    );
    assert_eq!(assessment.amount, "10000.00");

    // Going back is a change, too.
    let back = create(&mut client, first).await.unwrap();
    assert_eq!(back.name, "policies/xuchang-housing-purchase-2024/revisions/3");
    assert_eq!(back.digest, stored.digest);
    assert_eq!(
        assessed(&mut client, purchase("411000", &[]))
            .await
            .unwrap()
            .amount,
        "17700.00"
    );

    let request = pb::ListPolicyRevisionsRequest {
        parent: "policies/xuchang-housing-purchase-2024".to_owned(),
        page_size: 2,
        page_token: String::new(),
    };
    let page = client
        .policies
        .list_policy_revisions(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.revisions.len(), 2);
    let next = pb::ListPolicyRevisionsRequest {
        page_token: page.next_page_token,
        ..request
    };
    let page = client
        .policies
        .list_policy_revisions(next)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.revisions, std::slice::from_ref(&back));
    let get = pb::GetPolicyRequest {
        name: "policies/xuchang-housing-purchase-2024/revisions/1".to_owned(),
    };
    let got = client.policies.get_policy(get).await.unwrap().into_inner();
    assert_eq!(got.policy, Some(stored));
    let none = pb::GetPolicyRequest {
        name: "policies/none".to_owned(),
    };
    assert_eq!(
        refused(client.policies.get_policy(none).await).code,
        Code::NotFound
    );

    // A new revision of the programme: policies are applied with the one they were checked against.
    let mut programme: pb::ProgrammeDocument = ProgrammeDocument::from_toml(shipped::PROGRAMMES[0].1)
        .unwrap()
        .into();
    programme.facts.push(pb::FactDefinition {
        code: "garage".to_owned(),
        kind: "bool".to_owned(),
        optional: true,
        ..Default::default()
    });
    let imported = import_programmes(&mut client, vec![programme]).await.unwrap();
    assert_eq!(imported[0].name, "programmes/housing-purchase/revisions/2");
    let assessment = assessed(&mut client, purchase("411000", &[])).await.unwrap();
    assert_eq!(assessment.programme, "programmes/housing-purchase/revisions/1");
    let rebound = create(&mut client, back.document.unwrap()).await.unwrap();
    assert_eq!(rebound.programme, "programmes/housing-purchase/revisions/2");
    assert_eq!(rebound.name, "policies/xuchang-housing-purchase-2024/revisions/4");
    server.stop().await;
}

async fn policies_do_not_overlap(world: World) {
    let (server, mut client) = office(&world).await;
    let first = shipped_policy("xuchang-housing-purchase-2024");
    create(&mut client, first.clone()).await.unwrap();
    let mut next = first.clone();
    next.id = "xuchang-housing-purchase-2026".to_owned();
    next.valid_from = "2025-12-31".to_owned();
    next.valid_to = String::new();
    let refusal = refused(create(&mut client, next.clone()).await);
    assert!(
        refusal
            .names("valid_from")
            .contains("xuchang-housing-purchase-2024")
    );
    next.valid_from = "2026-01-01".to_owned();
    create(&mut client, next.clone()).await.unwrap();
    // In another region the same dates are free.
    next.id = "weidu-housing-purchase-2025".to_owned();
    next.region = "411002".to_owned();
    next.valid_from = "2025-01-01".to_owned();
    create(&mut client, next).await.unwrap();
    let page = pb::ListPoliciesRequest {
        region: "regions/411000".to_owned(),
        programme: "programmes/housing-purchase".to_owned(),
        ..Default::default()
    };
    let page = client.policies.list_policies(page).await.unwrap().into_inner();
    let names: Vec<&str> = page.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "policies/xuchang-housing-purchase-2024/revisions/1",
            "policies/xuchang-housing-purchase-2026/revisions/1"
        ]
    );
    server.stop().await;
}

async fn what_is_missing_is_said(world: World) {
    let server = world.serve().await;
    let mut client = server.client("张三").await;
    client
        .import_regions(vec![region("A"), part_of("A", "A1")])
        .await
        .unwrap();
    let refusal = refused(assessed(&mut client, purchase("A1", &[])).await);
    refusal.names("programme");
    let mut tax: pb::ProgrammeDocument = ProgrammeDocument::from_toml(shipped::PROGRAMMES[1].1)
        .unwrap()
        .into();
    import_programmes(&mut client, vec![tax.clone()]).await.unwrap();
    let mut document = shipped_policy("xuchang-deed-tax-2024");
    let refusal = refused(create(&mut client, document.clone()).await);
    refusal.names("region");
    document.region = "A".to_owned();
    let check = pb::CheckPolicyRequest {
        document: Some(document.clone()),
    };
    let checked = client.policies.check_policy(check).await.unwrap().into_inner();
    let created = create(&mut client, document.clone()).await.unwrap();
    assert_eq!(checked.digest, created.digest);
    document.programme = "none".to_owned();
    refused(create(&mut client, document).await).names("programme");

    let golden: Golden = toml::from_str(include_str!("../data/golden/subsidies.toml")).unwrap();
    let request = pb::AssessClaimRequest {
        region: "regions/A1".to_owned(),
        programme: "programmes/deed-tax".to_owned(),
        facts: golden.bases["tax"].clone().into_iter().collect(),
        documents: Vec::new(),
    };
    let refusal = refused(assessed(&mut client, request.clone()).await);
    assert_eq!(refusal.reason, "NO_DEED_TAX_LAW");
    import_law(&mut client).await;
    let assessment = assessed(&mut client, request.clone()).await.unwrap();
    assert_eq!(assessment.amount, "3000.00");
    let outcome = assessment.deed_tax.unwrap();
    assert_eq!((outcome.percent.as_str(), outcome.due.as_str()), ("1", "6000.00"));

    let unknown = pb::AssessClaimRequest {
        region: "regions/B".to_owned(),
        ..request.clone()
    };
    refused(assessed(&mut client, unknown).await).names("region");
    let mut wrong = request;
    wrong.facts.insert("tax_paid".to_owned(), "6000.001".to_owned());
    wrong.facts.insert("area".to_owned(), "0".to_owned());
    let refusal = refused(assessed(&mut client, wrong).await);
    refusal.tells("facts.tax_paid", &["two decimals"]);
    refusal.tells("facts.area", &["above 0"]);

    tax.facts[0].kind = "colour".to_owned();
    let refusal = refused(import_programmes(&mut client, vec![tax]).await);
    refusal.names("programmes[0].facts[0].kind");
    server.stop().await;
}

async fn imports_are_idempotent(world: World) {
    let (server, mut client) = office(&world).await;
    let request = pb::CreatePolicyRequest {
        document: Some(shipped_policy("xuchang-rental-2024")),
        request_id: id(),
        validate_only: true,
    };
    client.policies.create_policy(request.clone()).await.unwrap();
    let list = client
        .policies
        .list_policies(pb::ListPoliciesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(list.policies.is_empty(), "validate_only stores nothing");
    let request = pb::CreatePolicyRequest {
        validate_only: false,
        ..request
    };
    let first = client
        .policies
        .create_policy(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = client
        .policies
        .create_policy(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, again);
    let other = pb::CreatePolicyRequest {
        document: Some(shipped_policy("xuchang-training-2024")),
        ..request
    };
    let refusal = refused(client.policies.create_policy(other).await);
    assert_eq!(refusal.reason, "REQUEST_ID_REUSED");
    let law = import_law(&mut client).await;
    assert_eq!(law.name, "deedTaxLaw/revisions/1");
    let get = pb::GetDeedTaxLawRequest {
        name: "deedTaxLaw".to_owned(),
    };
    let got = client.policies.get_deed_tax_law(get).await.unwrap().into_inner();
    assert_eq!(got.law, Some(law));
    let list = pb::ListProgrammesRequest::default();
    let list = client.policies.list_programmes(list).await.unwrap().into_inner();
    assert_eq!(list.programmes.len(), shipped::PROGRAMMES.len());
    server.stop().await;
}

/// Many assess while policies change: each sees one revision or the next, never an older one than before.
async fn the_rules_in_memory_are_those_of_the_store(world: World) {
    let (server, mut client) = office(&world).await;
    let document = shipped_policy("xuchang-housing-purchase-2024");
    create(&mut client, document.clone()).await.unwrap();
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                for _ in 0..20 {
                    let assessment = assessed(&mut client, purchase("411002", &[])).await.unwrap();
                    let revision: u32 = assessment.policy.rsplit('/').next().unwrap().parse().unwrap();
                    // Revision n is capped at n thousand; the first at 20 000, which 17 700 does not reach.
                    let amount = if revision == 1 { 17_700 } else { revision * 1_000 };
                    assert_eq!(assessment.amount, format!("{amount}.00"));
                    seen.push(revision);
                }
                assert!(seen.is_sorted(), "{seen:?}");
            })
        })
        .collect();
    for revision in 2..=10 {
        let mut changed = document.clone();
        changed.caps[0].amount = format!("{}", revision * 1_000);
        create(&mut client, changed).await.unwrap();
    }
    for reader in readers {
        reader.await.unwrap();
    }
    let now = assessed(&mut client, purchase("411002", &[])).await.unwrap();
    assert_eq!(now.amount, "10000.00");
    server.stop().await;
}
