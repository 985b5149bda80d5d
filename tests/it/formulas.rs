//! Formulas: immutable revisions, and everything that is checked before any money is divided.

use crate::harness::{
    Client, World, id, import_xuchang, indicator, inner, refused, region, row, share_by, shipped_formula,
    stories,
};
use incentive_fund::grpc::pb;
use tonic::Code;

stories!(
    formulas_are_kept_by_revision,
    shipped_formulas_are_sound,
    a_faulty_formula_is_refused_by_field,
    every_fault_is_reported_at_once,
    a_million_parentheses_are_refused_in_no_time,
    a_formula_is_checked_against_data,
    a_missing_observation_is_named,
    checking_and_validating_store_nothing,
);

async fn check(
    client: &mut Client,
    document: pb::FormulaDocument,
) -> Result<pb::CheckFormulaResponse, tonic::Status> {
    let request = pb::CheckFormulaRequest {
        document: Some(document),
        ..Default::default()
    };
    Ok(client.formulas.check_formula(request).await?.into_inner())
}

async fn formulas_are_kept_by_revision(world: World) {
    let server = world.serve().await;
    let mut client = server.client("制定人").await;
    client
        .import_indicators(vec![
            indicator("people", "person"),
            indicator("homes", "dwelling"),
        ])
        .await
        .unwrap();
    let by_people = share_by("by-need", "people");
    let first = client.create_formula(by_people.clone()).await.unwrap();
    assert_eq!(first.name, "formulas/by-need/revisions/1");
    assert_eq!(first.document.as_ref(), Some(&by_people));
    assert_eq!(first.created.as_ref().unwrap().principal, "制定人");
    // The same content is the same revision, whoever brings it.
    let mut other = client.named("另一人");
    assert_eq!(other.create_formula(by_people.clone()).await.unwrap(), first);
    let by_homes = share_by("by-need", "homes");
    let second = other.create_formula(by_homes).await.unwrap();
    assert_eq!(second.name, "formulas/by-need/revisions/2");
    assert_ne!(second.digest, first.digest);
    // Also the content of an earlier revision.
    assert_eq!(other.create_formula(by_people).await.unwrap(), first);
    let alone = client.create_formula(share_by("alone", "homes")).await.unwrap();

    let mut get = async |name: &str| {
        let request = pb::GetFormulaRequest {
            name: name.to_owned(),
        };
        client.formulas.get_formula(request).await
    };
    assert_eq!(inner(get("formulas/by-need").await).formula.unwrap(), second);
    assert_eq!(
        inner(get("formulas/by-need/revisions/1").await).formula.unwrap(),
        first
    );
    for name in ["formulas/none", "formulas/by-need/revisions/3"] {
        let refusal = refused(get(name).await);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::NotFound, "NOT_FOUND")
        );
        assert!(refusal.en.contains(name) && refusal.zh.contains(name));
    }
    refused(get("by-need").await).names("name");

    let list = pb::ListFormulasRequest {
        page_size: 1,
        ..Default::default()
    };
    let page = inner(client.formulas.list_formulas(list.clone()).await);
    assert_eq!(page.formulas, [alone]);
    let rest = pb::ListFormulasRequest {
        page_token: page.next_page_token,
        ..list
    };
    let page = inner(client.formulas.list_formulas(rest).await);
    assert_eq!(page.formulas, vec![second.clone()]);
    assert_eq!(page.next_page_token, "");

    let list = pb::ListFormulaRevisionsRequest {
        parent: "formulas/by-need".to_owned(),
        page_size: 1,
        page_token: String::new(),
    };
    let page = inner(client.formulas.list_formula_revisions(list.clone()).await);
    assert_eq!(page.revisions, [first]);
    let rest = pb::ListFormulaRevisionsRequest {
        page_token: page.next_page_token,
        ..list
    };
    let page = inner(client.formulas.list_formula_revisions(rest).await);
    assert_eq!(
        (page.revisions, page.next_page_token),
        (vec![second], String::new())
    );
    server.stop().await;
}

async fn shipped_formulas_are_sound(world: World) {
    let server = world.serve().await;
    let mut client = server.client("制定人").await;
    import_xuchang(&mut client).await;
    client
        .import_indicators(crate::harness::indicators_of("examples/us-cdbg/indicators.csv"))
        .await
        .unwrap();
    for (file, uses) in [
        ("xuchang-settled-resident", "residence_permits settled_new"),
        (
            "settled-taper-bounds",
            "allocation[-1] cost_coefficient evaluation_score fiscal_difficulty migrant_pupils \
             residence_permits settled_new settled_new[-1] settled_new[-2]",
        ),
        (
            "us-cdbg",
            "growth_lag old_housing overcrowding population poverty",
        ),
    ] {
        let document = shipped_formula(file);
        assert_eq!(document.id, file);
        let checked = check(&mut client, document.clone()).await.unwrap();
        assert_eq!(checked.indicators.join(" "), uses);
        let stored = client.create_formula(document).await.unwrap();
        assert_eq!(stored.digest, checked.digest);
    }
    for file in ["xuchang-settled-resident", "settled-taper-bounds"] {
        let request = pb::CheckFormulaRequest {
            document: Some(shipped_formula(file)),
            data_set: "dataSets/xuchang".to_owned(),
            year: 2024,
            scope: "regions/411000".to_owned(),
        };
        inner(client.formulas.check_formula(request).await);
    }
    server.stop().await;
}

/// A sound formula with a little of everything, for faults to be put into.
fn rich() -> pb::FormulaDocument {
    let component = |id: &str, percent: &str, score: &str| pb::Component {
        id: id.to_owned(),
        percent: percent.to_owned(),
        score: score.to_owned(),
        ..Default::default()
    };
    pb::FormulaDocument {
        parameters: vec![pb::Parameter {
            name: "weight".to_owned(),
            value: "0.5".to_owned(),
            ..Default::default()
        }],
        set_asides: vec![pb::SetAside {
            id: "reserve".to_owned(),
            percent: "3".to_owned(),
            ..Default::default()
        }],
        components: vec![
            component("a", "62.5", "people"),
            component("b", "37.5", "$weight * people"),
        ],
        adjustments: vec![pb::Adjustment {
            id: "factor".to_owned(),
            factor: "coefficient".to_owned(),
            ..Default::default()
        }],
        bounds: vec![pb::Bound {
            kind: "floor".to_owned(),
            basis: "absolute".to_owned(),
            amount: "1".to_owned(),
            ..Default::default()
        }],
        ..share_by("rich", "people")
    }
}

fn rate(document: &mut pb::FormulaDocument, rate: &str, remainder: &str) {
    let component = &mut document.components[0];
    component.mode = "rate".to_owned();
    component.rate = rate.to_owned();
    component.remainder = remainder.to_owned();
}

type Spoil = fn(&mut pb::FormulaDocument);

/// What is done to the formula, the field that is to blame, and what the error must say.
const FAULTS: &[(Spoil, &str, &[&str])] = &[
    (|d| d.id = "Not An Id".into(), "id", &["found Not An Id", "a-z"]),
    (|d| d.title_zh.clear(), "title_zh", &["1 to 200"]),
    (|d| d.legal_basis = None, "legal_basis.document", &["1 to 500"]),
    (
        |d| {
            d.rounding = Some(pb::Rounding {
                unit: "dollar".into(),
                ..Default::default()
            });
        },
        "rounding.unit",
        &["found dollar", "ten_thousand_yuan"],
    ),
    (
        |d| {
            d.rounding = Some(pb::Rounding {
                method: "bankers".into(),
                ..Default::default()
            });
        },
        "rounding.method",
        &["found bankers", "largest_remainder"],
    ),
    (
        |d| {
            d.rounding = Some(pb::Rounding {
                tail: "drop".into(),
                ..Default::default()
            });
        },
        "rounding.tail",
        &["found drop", "refuse, retain"],
    ),
    (
        |d| d.components[1].percent = "37.4999".into(),
        "components[].percent",
        &["found 62.5 + 37.4999 = 99.9999", "exactly 100"],
    ),
    (
        |d| d.components[1].percent = "37.5001".into(),
        "components[].percent",
        &["= 100.0001", "exactly 100"],
    ),
    (
        |d| d.components[1].percent = "37.50000000000000000000000001".into(),
        "components[].percent",
        &["= 100.00000000000000000000000001", "exactly 100"],
    ),
    (
        |d| d.components[0].percent = "162.5".into(),
        "components[0].percent",
        &["found 162.5", "0 to 100"],
    ),
    (
        |d| d.components[0].percent = "6e1".into(),
        "components[0].percent",
        &["found 6e1", "no exponent"],
    ),
    (
        |d| d.components[0].amount = "100.00".into(),
        "components[0]",
        &["percent 62.5 and amount 100.00", "only one"],
    ),
    (
        |d| d.components[0].percent.clear(),
        "components[0].percent",
        &["a percent or an amount"],
    ),
    (
        |d| {
            d.components[0].percent.clear();
            d.components[0].amount = "-1.00".into();
        },
        "components[0].amount",
        &["found -1.00", "zero or more"],
    ),
    (
        |d| d.components[1].id = "a".into(),
        "components[1].id",
        &["found a", "once"],
    ),
    (|d| d.components.clear(), "components", &["at least one"]),
    (
        |d| d.components[0].score = "happiness".into(),
        "components[0].score",
        &["found happiness", "imported"],
    ),
    (
        |d| d.components[0].score = "$heavy * people".into(),
        "components[0].score",
        &["found $heavy", "$weight"],
    ),
    (
        |d| d.components[0].score = "people + income".into(),
        "components[0].score",
        &["person beside yuan in \"people + income\"", "same unit"],
    ),
    (
        |d| d.components[0].score = "if people > income then 1 else 2".into(),
        "components[0].score",
        &["person beside yuan"],
    ),
    (
        |d| d.components[0].score = "people > 1".into(),
        "components[0].score",
        &["a number, not a condition"],
    ),
    (
        |d| d.components[0].score = "people +".into(),
        "components[0].score",
        &["found the end", "column 9"],
    ),
    (
        |d| d.components[0].score = "people × 2".into(),
        "components[0].score",
        &["× 2 at column 8", "ASCII"],
    ),
    (
        |d| d.components[0].score = "people[1]".into(),
        "components[0].score",
        &["column 8"],
    ),
    (
        |d| d.components[0].score.clear(),
        "components[0].score",
        &["the end at column 1"],
    ),
    (
        |d| d.components[0].mode = "lottery".into(),
        "components[0].mode",
        &["found lottery", "share, rate"],
    ),
    (
        |d| rate(d, "income", "keep"),
        "components[0].rate",
        &["person*yuan", "gives yuan"],
    ),
    (
        |d| rate(d, "10", ""),
        "components[0].remainder",
        &["keep, redistribute"],
    ),
    (
        |d| {
            rate(d, "10", "redistribute");
            d.components[0].percent = "100".into();
            d.components.truncate(1);
        },
        "components[0].remainder",
        &["found redistribute", "no percentage component in share mode"],
    ),
    (
        |d| d.components[0].rate = "10".into(),
        "components[0].rate",
        &["nothing, in share mode"],
    ),
    (
        |d| d.adjustments[0].factor = "people".into(),
        "adjustments[0].factor",
        &["found person", "without a unit"],
    ),
    (
        |d| d.adjustments[0].components = vec!["z".into()],
        "adjustments[0].components[0]",
        &["found z", "one of a, b"],
    ),
    (
        |d| d.parameters[0].value = "half".into(),
        "parameters[0].value",
        &["found half"],
    ),
    (
        |d| d.parameters[0].unit = "yuan/furlong".into(),
        "parameters[0].unit",
        &["found furlong", "person"],
    ),
    (
        |d| {
            let again = d.parameters[0].clone();
            d.parameters.push(again);
        },
        "parameters[1].name",
        &["found weight", "once"],
    ),
    (
        |d| {
            d.parameters[0].name = "total".into();
            d.components[1].score = "people".into();
        },
        "parameters[0].name",
        &["found total", "word of the language"],
    ),
    (
        |d| d.set_asides[0].percent = "-3".into(),
        "set_asides[0].percent",
        &["found -3", "0 to 100"],
    ),
    (
        |d| d.bounds[0].kind = "ceiling".into(),
        "bounds[0].kind",
        &["floor, cap"],
    ),
    (
        |d| d.bounds[0].basis = "wish".into(),
        "bounds[0].basis",
        &["absolute, per_head, last_year"],
    ),
    (
        |d| d.bounds[0].percent = "90".into(),
        "bounds[0].percent",
        &["nothing, on the basis absolute"],
    ),
    (
        |d| {
            d.bounds[0] = pb::Bound {
                kind: "floor".into(),
                basis: "last_year".into(),
                percent: "90".into(),
                indicator: "people[-1]".into(),
                ..Default::default()
            };
        },
        "bounds[0].indicator",
        &["found person", "yuan"],
    ),
    (
        |d| d.bounds[0].regions = vec!["no code".into()],
        "bounds[0].regions[0]",
        &["found no code", "GB/T 2260"],
    ),
    (
        |d| d.set_asides = vec![d.set_asides[0].clone(); 65],
        "set_asides",
        &["found 65", "at most 64"],
    ),
];

async fn need(client: &mut Client) {
    client
        .import_indicators(vec![
            indicator("people", "person"),
            indicator("income", "yuan"),
            indicator("coefficient", "ratio"),
        ])
        .await
        .unwrap();
}

async fn a_faulty_formula_is_refused_by_field(world: World) {
    let server = world.serve().await;
    let mut client = server.client("制定人").await;
    need(&mut client).await;
    check(&mut client, rich()).await.unwrap();
    for (spoil, field, words) in FAULTS {
        let mut document = rich();
        spoil(&mut document);
        let refusal = refused(check(&mut client, document.clone()).await);
        let told = refusal.names(field);
        assert!(
            words.iter().all(|word| told.contains(word)),
            "{field} {words:?}: {told}"
        );
        assert!(refusal.zh.contains(field), "{}", refusal.zh);
        // What cannot be checked cannot be stored either.
        refused(client.create_formula(document).await).names(field);
    }
    let list = pb::ListFormulasRequest::default();
    assert!(
        inner(client.formulas.list_formulas(list).await)
            .formulas
            .is_empty()
    );
    server.stop().await;
}

async fn every_fault_is_reported_at_once(world: World) {
    let server = world.serve().await;
    let mut client = server.client("制定人").await;
    need(&mut client).await;
    let mut document = rich();
    document.components[0].score = "happiness".into();
    document.components[1].score = "$heavy".into();
    document.adjustments[0].factor = "people".into();
    document.bounds[0].amount = "much".into();
    let refusal = refused(check(&mut client, document).await);
    let fields: Vec<&str> = refusal.fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "adjustments[0].factor",
            "components[0].score",
            "components[1].score",
            "bounds[0].amount"
        ]
    );
    server.stop().await;
}

async fn a_million_parentheses_are_refused_in_no_time(world: World) {
    let server = world.serve().await;
    let mut client = server.client("制定人").await;
    need(&mut client).await;
    let nested = |depth: usize, open: &str, close: &str| {
        format!("{}people{}", open.repeat(depth), close.repeat(depth))
    };
    let begun = std::time::Instant::now();
    let deep = refused(check(&mut client, share_by("deep", &nested(1_000_000, "(", ")"))).await);
    assert!(deep.names("components[0].score").contains("at most 4096 bytes"));
    for (open, close) in [
        ("(", ")"),
        ("-", ""),
        ("not ", ""),
        ("min(1,", ")"),
        ("if 1<2 then ", " else 1"),
    ] {
        let depth = 4_000 / (open.len() + close.len());
        let deep = refused(check(&mut client, share_by("deep", &nested(depth, open, close))).await);
        assert!(
            deep.names("components[0].score").contains("no deeper than 64"),
            "{deep:?}"
        );
    }
    assert!(begun.elapsed().as_secs() < 5);
    let long = vec!["people"; 500].join("+");
    check(&mut client, share_by("long", &long)).await.unwrap();
    server.stop().await;
}

async fn a_formula_is_checked_against_data(world: World) {
    let server = world.serve().await;
    let mut client = server.client("制定人").await;
    need(&mut client).await;
    client
        .import_regions(vec![region("A"), region("B")])
        .await
        .unwrap();
    client.create_data_set("data").await.unwrap();
    let rows = vec![
        row(2, "A", "people", "3"),
        row(3, "B", "people", "0"),
        row(4, "A", "income", "100.50"),
        row(5, "B", "income", "-7"),
    ];
    client.import("data", rows).await.unwrap();
    let mut against = async |score: &str| {
        let request = pb::CheckFormulaRequest {
            document: Some(share_by("f", score)),
            data_set: "dataSets/data".to_owned(),
            year: 2024,
            scope: String::new(),
        };
        client.formulas.check_formula(request).await
    };
    inner(against("people").await);
    for (score, words) in [
        ("income", &["-7.000000 for B B区", "zero or more"][..]),
        ("people - 1", &["-1.000000 for B"]),
        (
            "income / people",
            &["division by zero for B B区", "\"income / people\""],
        ),
        ("1 / (people - 3)", &["division by zero for A"]),
        ("share(people - people)", &["zero"]),
    ] {
        let refusal = refused(against(score).await);
        assert_eq!(refusal.code, Code::InvalidArgument, "{score}");
        refusal.tells("components[0].score", words);
    }
    // What a condition keeps from being computed is no fault.
    inner(against("if people > 0 then income / people else 0").await);

    let request = |data_set: &str, year: i32| pb::CheckFormulaRequest {
        document: Some(share_by("f", "people")),
        data_set: data_set.to_owned(),
        year,
        scope: String::new(),
    };
    refused(client.formulas.check_formula(request("dataSets/data", 0)).await).names("year");
    let none = refused(
        client
            .formulas
            .check_formula(request("dataSets/none", 2024))
            .await,
    );
    assert_eq!(none.code, Code::NotFound);
    server.stop().await;
}

async fn a_missing_observation_is_named(world: World) {
    let server = world.serve().await;
    let mut client = server.client("制定人").await;
    need(&mut client).await;
    client
        .import_regions(vec![region("A"), region("B")])
        .await
        .unwrap();
    client.create_data_set("data").await.unwrap();
    let rows = vec![row(2, "A", "people", "3"), row(3, "B", "income", "1")];
    client.import("data", rows).await.unwrap();
    client
        .create_formula(share_by("f", "people + people[-1]"))
        .await
        .unwrap();
    let request = pb::CheckFormulaRequest {
        document: Some(share_by("f", "people + people[-1]")),
        data_set: "dataSets/data".to_owned(),
        year: 2024,
        scope: String::new(),
    };
    let checked = refused(client.formulas.check_formula(request).await);
    let create = pb::CreateAllocationRequest {
        fund: "funds/f".to_owned(),
        formula: "formulas/f".to_owned(),
        data_set: "dataSets/data".to_owned(),
        pool: "100.00".to_owned(),
        year: 2024,
        request_id: id(),
        ..Default::default()
    };
    for refusal in [checked, refused(client.create(create).await)] {
        assert_eq!(refusal.fields.len(), 3, "{refusal:#?}");
        for missing in [
            "people in 2024 for B B区",
            "people in 2023 for A",
            "people in 2023 for B",
        ] {
            refusal.tells("components[0].score", &[missing, "every region of the run"]);
        }
    }
    server.stop().await;
}

async fn checking_and_validating_store_nothing(world: World) {
    let server = world.serve().await;
    let mut client = server.client("制定人").await;
    need(&mut client).await;
    check(&mut client, share_by("f", "people")).await.unwrap();
    let request = pb::CreateFormulaRequest {
        document: Some(share_by("f", "people")),
        request_id: id(),
        validate_only: true,
    };
    let would = inner(client.formulas.create_formula(request).await)
        .formula
        .unwrap();
    assert_eq!(would.name, "formulas/f/revisions/1");
    let list = pb::ListFormulasRequest::default();
    assert!(
        inner(client.formulas.list_formulas(list).await)
            .formulas
            .is_empty()
    );
    let nothing = pb::CreateFormulaRequest {
        document: None,
        request_id: id(),
        validate_only: false,
    };
    refused(client.formulas.create_formula(nothing).await).tells("id", &["(empty)"]);
    server.stop().await;
}
