//! Wrong input: refused precisely, and nothing is stored.

use super::setup::{claim, person, ready, tax_facts, with_facts};
use crate::harness::{World, refused, stories};
use incentive_fund::grpc::pb;
use tonic::Code;

stories!(
    each_fault_is_named,
    each_rule_is_named,
    all_faults_at_once,
    without_keys_there_are_no_claims,
);

/// A change of a claim, the field at fault, and words that say what is allowed.
type Fault = (&'static str, fn(&mut pb::ClaimInput), &'static str, &'static str);

fn fact(claim: &mut pb::ClaimInput, code: &str, text: &str) {
    claim.facts.insert(code.to_owned(), text.to_owned());
}

fn tax(claim: &mut pb::ClaimInput, code: &str, text: &str) {
    claim.programme = "programmes/deed-tax".to_owned();
    claim.facts = tax_facts();
    claim.documents = vec!["contract".to_owned(), "tax_receipt".to_owned()];
    fact(claim, code, text);
}

const FAULTS: &[Fault] = &[
    (
        "a wrong check character",
        |claim| {
            claim.applicant = Some(pb::Person {
                id_number: "411002199001010010".to_owned(),
                ..person(2)
            })
        },
        "applicant.id_number",
        "check character",
    ),
    (
        "no ID number",
        |claim| claim.household[0].id_number.clear(),
        "household[0].id_number",
        "GB 11643",
    ),
    (
        "no name",
        |claim| " ".clone_into(&mut claim.household[0].name),
        "household[0].name",
        "1 to 50",
    ),
    (
        "the applicant again",
        |claim| claim.household.push(person(2)),
        "household",
        "each person once",
    ),
    (
        "too many people",
        |claim| claim.household = (10..40).map(person).collect(),
        "household",
        "at most 20",
    ),
    (
        "an account of somebody else",
        |claim| claim.payee.as_mut().unwrap().name = "他人".to_owned(),
        "payee.name",
        "applicant",
    ),
    (
        "no account number",
        |claim| claim.payee.as_mut().unwrap().account = "62220O".to_owned(),
        "payee.account",
        "digits",
    ),
    (
        "a wrong bank code",
        |claim| claim.payee.as_mut().unwrap().bank_code = "102100099997".to_owned(),
        "payee.bank_code",
        "CNAPS",
    ),
    (
        "no bank",
        |claim| claim.payee.as_mut().unwrap().bank_name.clear(),
        "payee.bank_name",
        "characters",
    ),
    (
        "a name for a telephone",
        |claim| claim.phone = "打我手机".to_owned(),
        "phone",
        "digits",
    ),
    ("no home", |claim| claim.home.clear(), "home", "register"),
    ("no fund", |claim| claim.fund.clear(), "fund", "funds/"),
    (
        "no such region",
        |claim| claim.region = "regions/411099".to_owned(),
        "region",
        "imported",
    ),
    (
        "no such programme",
        |claim| claim.programme = "programmes/none".to_owned(),
        "programme",
        "imported",
    ),
    (
        "no area",
        |claim| fact(claim, "area", "0"),
        "facts.area",
        "above 0",
    ),
    (
        "a negative area",
        |claim| fact(claim, "area", "-1"),
        "facts.area",
        "above 0",
    ),
    (
        "a palace",
        |claim| fact(claim, "area", "1000.01"),
        "facts.area",
        "1000",
    ),
    (
        "three decimals",
        |claim| fact(claim, "price", "800000.001"),
        "facts.price",
        "two decimals",
    ),
    (
        "no such fact",
        |claim| fact(claim, "balcony", "1"),
        "facts.balcony",
        "",
    ),
    (
        "no such date",
        |claim| fact(claim, "contract_date", "2024-02-30"),
        "facts.contract_date",
        "YYYY-MM-DD",
    ),
    (
        "dates out of order",
        |claim| fact(claim, "filing_date", "2024-07-31"),
        "facts",
        "not later",
    ),
    (
        "neither yes nor no",
        |claim| fact(claim, "first_home", "maybe"),
        "facts.first_home",
        "",
    ),
    (
        "no such place",
        |claim| fact(claim, "location", "moon"),
        "facts.location",
        "village",
    ),
    (
        "tax above the price",
        |claim| tax(claim, "tax_paid", "654000.01"),
        "facts",
        "below the price",
    ),
    (
        "a document of no known kind",
        |claim| claim.documents.push("令狐试例的户口簿".to_owned()),
        "documents[3]",
        "underscore",
    ),
    (
        "a document twice",
        |claim| claim.documents.push("contract".to_owned()),
        "documents[3]",
        "once",
    ),
];

async fn each_fault_is_named(world: World) {
    let (server, mut clerk, _) = ready(&world, "100000", "100000").await;
    let before = clerk.history_of_fund().await;
    let mut wrong = Vec::new();
    for (case, change, field, words) in FAULTS {
        let mut input = claim(1);
        change(&mut input);
        match clerk.submit(input).await {
            Ok(_) => wrong.push(format!("{case}: taken")),
            Err(status) => {
                let refusal = crate::harness::refusal(&status);
                let named = refusal.fields.len() == 1
                    && refusal.fields[0].0.starts_with(field)
                    && refusal.fields[0].1.contains(words);
                if refusal.code != Code::InvalidArgument || !named {
                    wrong.push(format!("{case}: {:?} {:?}", refusal.code, refusal.fields));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(clerk.history_of_fund().await, before, "nothing was stored");
    clerk.submit(claim(1)).await.unwrap();
    server.stop().await;
}

async fn each_rule_is_named(world: World) {
    let (server, mut clerk, _) = ready(&world, "100000", "100000").await;
    let cases: [(&str, pb::ClaimInput, Code, &str, &str); 7] = [
        (
            "no quota",
            pb::ClaimInput {
                region: "regions/411003".to_owned(),
                ..claim(1)
            },
            Code::FailedPrecondition,
            "NO_QUOTA",
            "411003",
        ),
        (
            "no fund",
            pb::ClaimInput {
                fund: "funds/none".to_owned(),
                ..claim(1)
            },
            Code::NotFound,
            "NOT_FOUND",
            "funds/none",
        ),
        (
            "no policy of that day",
            with_facts(claim(1), &[("contract_date", "2023-12-31")]),
            Code::FailedPrecondition,
            "NO_POLICY_IN_FORCE",
            "2023-12-31",
        ),
        (
            "not eligible",
            with_facts(claim(1), &[("new_home", "false")]),
            Code::FailedPrecondition,
            "NOT_ELIGIBLE",
            "new_home",
        ),
        (
            "no contract",
            pb::ClaimInput {
                documents: vec!["household_register".to_owned(), "filing".to_owned()],
                ..claim(1)
            },
            Code::FailedPrecondition,
            "DOCUMENTS_MISSING",
            "contract",
        ),
        (
            "no band",
            with_facts(claim(1), &[("area", "140.01")]),
            Code::FailedPrecondition,
            "NOTHING_DUE",
            "0.00",
        ),
        (
            "no region at all",
            pb::ClaimInput {
                region: "regions/410000".to_owned(),
                ..claim(1)
            },
            Code::FailedPrecondition,
            "NO_POLICY_IN_FORCE",
            "410000",
        ),
    ];
    for (case, input, code, reason, words) in cases {
        let refusal = refused(clerk.submit(input).await);
        assert_eq!((refusal.code, refusal.reason.as_str()), (code, reason), "{case}");
        assert!(refusal.en.contains(words), "{case}: {}", refusal.en);
    }
    assert_eq!(clerk.claims(pb::ListClaimsRequest::default()).await, []);
    // None of this took the household.
    assert_eq!(clerk.submit(claim(1)).await.unwrap().name, "funds/f/claims/1");
    server.stop().await;
}

async fn all_faults_at_once(world: World) {
    let (server, mut clerk, _) = ready(&world, "100000", "100000").await;
    let mut input = with_facts(claim(1), &[("area", "0"), ("price", "1.001")]);
    input.applicant.as_mut().unwrap().id_number.pop();
    input.payee.as_mut().unwrap().bank_code = "1".to_owned();
    input.home.clear();
    let refusal = refused(clerk.submit(input).await);
    let mut fields: Vec<&str> = refusal.fields.iter().map(|(field, _)| field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "applicant.id_number",
            "facts.area",
            "facts.price",
            "home",
            "payee.bank_code"
        ]
    );
    server.stop().await;
}

async fn without_keys_there_are_no_claims(world: World) {
    let (server, mut clerk, _) = ready(&world, "100000", "100000").await;
    clerk.submit(claim(1)).await.unwrap();
    server.stop().await;
    let server = world.serve_without_keys().await;
    let mut clerk = server.client("经办人").await;
    let refusal = refused(clerk.submit(claim(2)).await);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::FailedPrecondition, "NO_KEYS")
    );
    assert!(refusal.zh.contains("keys generate"), "{}", refusal.zh);
    let get = pb::GetClaimRequest {
        name: "funds/f/claims/1".to_owned(),
    };
    assert_eq!(refused(clerk.subsidies.get_claim(get).await).reason, "NO_KEYS");
    // What needs no key works.
    assert_eq!(clerk.claims(pb::ListClaimsRequest::default()).await.len(), 1);
    server.stop().await;
}

impl crate::harness::Client {
    /// How many changes the fund has.
    async fn history_of_fund(&mut self) -> u64 {
        let request = pb::GetFundStatusRequest {
            name: "funds/f".to_owned(),
        };
        crate::harness::inner(self.ledger.get_fund_status(request).await)
            .fund
            .unwrap()
            .changes
    }
}
