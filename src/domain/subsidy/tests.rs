//! The shipped data checks; faulty documents and facts are refused with paths; amounts keep their laws.

use super::document::{ConditionText, Text};
use super::precise::{Direction, Precise};
use super::*;
use crate::domain::error::Bilingual;
use crate::domain::money::{Money, RoundingUnit};
use crate::shipped;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::sync::Arc;

fn programme(code: &str) -> Arc<CheckedProgramme> {
    let (_, text) = shipped::PROGRAMMES
        .into_iter()
        .find(|(name, _)| *name == format!("{code}.toml"))
        .unwrap();
    Arc::new(CheckedProgramme::check(ProgrammeDocument::from_toml(text).unwrap()).unwrap())
}

/// Assesses with words, and sees that without them the same is decided.
fn assess(
    policy: &CheckedPolicy,
    facts: &Facts,
    documents: &[String],
    law: &DeedTaxLaw,
) -> Result<Assessment, Vec<Violation>> {
    let worded = super::assess(policy, facts, documents, law, Detail::Derived);
    let decided = super::assess(policy, facts, documents, law, Detail::Decided);
    assert_eq!(worded.clone().map(without_words), decided.map(without_words));
    worded
}

fn without_words(mut assessment: Assessment) -> Assessment {
    let nothing = Bilingual::default;
    for clause in &mut assessment.clauses {
        (clause.text, clause.reason) = (nothing(), nothing());
    }
    if let Some(tax) = &mut assessment.deed_tax {
        tax.derivation = nothing();
    }
    for benefit in &mut assessment.benefits {
        benefit.name = nothing();
        benefit.steps.iter_mut().for_each(|step| *step = nothing());
    }
    let caps = (assessment.benefits.iter_mut()).flat_map(|benefit| &mut benefit.caps);
    for cap in caps.chain(&mut assessment.caps) {
        (cap.name, cap.derivation) = (nothing(), nothing());
    }
    assessment.settlement.clear();
    assessment
}

fn document(id: &str) -> PolicyDocument {
    let (_, text) = shipped::POLICIES
        .into_iter()
        .find(|(name, _)| *name == format!("{id}.toml"))
        .unwrap();
    PolicyDocument::from_toml(text).unwrap()
}

fn policy(id: &str) -> CheckedPolicy {
    let document = document(id);
    let programme = programme(&document.programme);
    CheckedPolicy::check(document, &programme).unwrap()
}

fn law() -> DeedTaxLaw {
    DeedTaxLaw::check(DeedTaxLawDocument::from_toml(shipped::DEED_TAX_LAW).unwrap()).unwrap()
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(code, text)| ((*code).to_owned(), (*text).to_owned()))
        .collect()
}

fn purchase() -> BTreeMap<String, String> {
    texts(&[
        ("registration", "rural"),
        ("first_home", "true"),
        ("new_home", "true"),
        ("location", "county_seat"),
        ("contract_date", "2024-08-01"),
        ("filing_date", "2024-08-20"),
        ("tax_date", "2024-09-01"),
        ("area", "88.5"),
        ("price", "560000"),
        ("subsidised_before", "false"),
    ])
}

fn deed_tax() -> BTreeMap<String, String> {
    texts(&[
        ("registration", "rural"),
        ("home_order", "first"),
        ("new_home", "true"),
        ("location", "county_seat"),
        ("contract_date", "2024-08-01"),
        ("tax_date", "2024-12-10"),
        ("area", "120"),
        ("price", "654000"),
        ("price_without_vat", "600000"),
        ("tax_paid", "6000"),
        ("subsidised_before", "否"),
    ])
}

fn with(mut facts: BTreeMap<String, String>, code: &str, text: &str) -> BTreeMap<String, String> {
    facts.insert(code.to_owned(), text.to_owned());
    facts
}

fn assessed(policy: &CheckedPolicy, facts: &BTreeMap<String, String>) -> Assessment {
    let facts = Facts::parse(&policy.programme, facts).unwrap();
    assess(policy, &facts, &[], &law()).unwrap()
}

fn money(text: &str) -> Money {
    Money::parse("m", text).unwrap()
}

#[test]
fn everything_shipped_checks_and_reads_back_from_its_own_toml_and_json() {
    law();
    for (name, text) in shipped::PROGRAMMES {
        let document = ProgrammeDocument::from_toml(text).unwrap();
        let again = ProgrammeDocument::from_toml(&toml::to_string_pretty(&document).unwrap()).unwrap();
        assert_eq!(document.digest(), again.digest(), "{name}");
        CheckedProgramme::check(document).unwrap();
    }
    for (name, text) in shipped::POLICIES {
        let document = PolicyDocument::from_toml(text).unwrap();
        assert_eq!(name, format!("{}.toml", document.id));
        let again = PolicyDocument::from_toml(&toml::to_string_pretty(&document).unwrap()).unwrap();
        assert_eq!(document, again, "{name}");
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(document, serde_json::from_str::<PolicyDocument>(&json).unwrap());
        assert!(
            !document.legal_basis.illustrative.is_empty(),
            "{name} says what is illustrative"
        );
        policy(&document.id);
    }
}

#[test]
fn says_why_and_how_much() {
    let assessment = assessed(&policy("xuchang-housing-purchase-2024"), &purchase());
    // 88.5 m² × 200 = 17 700; below 20 000 and below 3 % of 560 000 = 16 800: 16 800.
    assert!(assessment.eligible);
    assert_eq!(assessment.exact, "16800");
    assert_eq!(assessment.amount, money("16800"));
    assert_eq!(
        (assessment.city, assessment.county),
        (money("6720"), money("10080"))
    );
    assert!(!assessment.caps[0].applied && assessment.caps[1].applied);
    assert_eq!(
        assessment.benefits[0].steps[1].zh,
        "建筑面积 88.5 平方米 × 200 元/平方米 = 17700 元"
    );
    assert_eq!(assessment.documents_missing.len(), 3);
    assert!(!assessment.is_payable());
    let json = serde_json::to_string(&assessment).unwrap();
    assert_eq!(assessment, serde_json::from_str(&json).unwrap());
}

#[test]
fn a_clause_that_fails_is_named_with_the_value_found() {
    let facts = with(
        with(purchase(), "registration", "urban"),
        "filing_date",
        "2024-11-02",
    );
    let assessment = assessed(&policy("xuchang-housing-purchase-2024"), &facts);
    assert!(!assessment.eligible);
    assert_eq!(
        assessment.failed_clauses().collect::<Vec<_>>(),
        ["rural_or_settled", "filed_in_time"]
    );
    assert_eq!(assessment.amount, Money::ZERO);
    let reason = &assessment.clauses[1].reason;
    assert_eq!(
        reason.en,
        "household registration is urban; demanded: rural; nor: date of settling in a town is not stated; \
         demanded: from 2022-01-01"
    );
}

#[test]
fn the_deed_tax_is_recomputed_and_compared() {
    let lower = policy("xuchang-deed-tax-2024");
    let assessment = assessed(&lower, &with(deed_tax(), "tax_paid", "9000"));
    let tax = assessment.deed_tax.as_ref().unwrap();
    assert_eq!(
        (tax.due, tax.difference),
        (Some(money("6000")), Some(money("3000")))
    );
    assert_eq!(assessment.amount, money("3000"), "half of the lower");
    let below = assessed(&lower, &with(deed_tax(), "tax_paid", "5999.99"));
    assert_eq!(
        below.amount,
        money("2999.99"),
        "half of 5999.99 is 2999.995, down"
    );
    let refuse = policy("yanling-deed-tax-2024");
    let assessment = assessed(&refuse, &with(deed_tax(), "tax_paid", "6000.01"));
    assert_eq!(assessment.failed_clauses().collect::<Vec<_>>(), ["deed_tax"]);
    assert!(assessed(&refuse, &deed_tax()).eligible);
}

#[test]
fn faulty_facts_are_refused_by_name() {
    let purchases = programme("housing-purchase");
    let taxes = programme("deed-tax");
    let cases = [
        (&purchases, with(purchase(), "area", "0"), "facts.area"),
        (&purchases, with(purchase(), "area", "-1"), "facts.area"),
        (&purchases, with(purchase(), "area", "88.123"), "facts.area"),
        (&purchases, with(purchase(), "price", "560000.001"), "facts.price"),
        (&purchases, with(purchase(), "price", "56万"), "facts.price"),
        (
            &purchases,
            with(purchase(), "filing_date", "2024-07-31"),
            "facts.contract_date",
        ),
        (
            &purchases,
            with(purchase(), "contract_date", "2024-02-30"),
            "facts.contract_date",
        ),
        (
            &purchases,
            with(purchase(), "contract_date", ""),
            "facts.contract_date",
        ),
        (&purchases, with(purchase(), "colour", "red"), "facts.colour"),
        (&purchases, with(purchase(), "location", "moon"), "facts.location"),
        (
            &purchases,
            with(purchase(), "first_home", "maybe"),
            "facts.first_home",
        ),
        (&taxes, with(deed_tax(), "tax_paid", "654000"), "facts.tax_paid"),
        (
            &taxes,
            with(deed_tax(), "price_without_vat", "654000.01"),
            "facts.price_without_vat",
        ),
        (
            &taxes,
            with(deed_tax(), "tax_date", "2024-07-31"),
            "facts.contract_date",
        ),
    ];
    for (programme, facts, field) in cases {
        let violations = Facts::parse(programme, &facts).unwrap_err();
        let fields: Vec<&str> = violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        assert_eq!(fields, [field], "{violations:?}");
    }
    let missing = Facts::parse(&purchases, &BTreeMap::new()).unwrap_err();
    assert_eq!(missing.len(), 9, "every required fact is named: {missing:?}");
    let canonical = Facts::parse(&taxes, &with(deed_tax(), "area", " 120.50 "))
        .unwrap()
        .canonical();
    assert_eq!(canonical["area"], "120.5");
    assert_eq!(canonical["tax_paid"], "6000.00");
    assert_eq!(canonical["subsidised_before"], "false");
}

/// A change to a good policy, and the fields that are blamed for it.
type Spoiled = (fn(&mut PolicyDocument), &'static [&'static str]);

#[test]
fn faulty_policies_are_refused_by_path() {
    let cases: [Spoiled; 17] = [
        (|p| p.id = "A".into(), &["id"]),
        (|p| p.region = "x".into(), &["region"]),
        (|p| p.programme = "rental".into(), &["programme"]),
        (|p| p.valid_to = "2023-12-31".into(), &["valid_to"]),
        (|p| p.valid_from = "2024-1-1".into(), &["valid_from"]),
        (|p| p.notice_days = Text("soon".into()), &["notice_days"]),
        (|p| p.eligibility.clear(), &["eligibility"]),
        (
            |p| p.eligibility[0].id = "in_force".into(),
            &["eligibility[0].id"],
        ),
        (
            |p| p.eligibility[1].when.fact = "colour".into(),
            &["eligibility[1].when.fact"],
        ),
        (
            |p| p.eligibility[1].when.is = Text("maybe".into()),
            &["eligibility[1].when.is"],
        ),
        (
            |p| p.eligibility[4].when.not_before = "area".into(),
            &["eligibility[4].when.not_before"],
        ),
        (
            |p| p.benefits[0].bands[1].above = Text("91".into()),
            &["benefits[0].bands[1]"],
        ),
        (|p| p.benefits[0].fact = "price".into(), &["benefits[0].fact"]),
        (|p| p.caps[0].percent = Text("5".into()), &["caps[0].percent"]),
        (
            |p| p.cost_split.city_percent = Text("100.1".into()),
            &["cost_split.city_percent"],
        ),
        (|p| p.on_tax_difference = "lower".into(), &["on_tax_difference"]),
        (
            |p| {
                p.title_zh.clear();
                p.rounding.unit = "cent".into();
                p.benefits[0].kind = "gift".into();
            },
            &["title_zh", "benefits[0].kind", "rounding.unit"],
        ),
    ];
    let good = document("xuchang-housing-purchase-2024");
    let programme = programme("housing-purchase");
    for (at, (spoil, fields)) in cases.into_iter().enumerate() {
        let mut document = good.clone();
        spoil(&mut document);
        let violations = CheckedPolicy::check(document, &programme).unwrap_err();
        let found: Vec<&str> = violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        assert_eq!(found, fields, "case {at}: {violations:?}");
    }
    let mut deep = good;
    for _ in 0..50 {
        deep.eligibility[0].when = ConditionText {
            all: vec![deep.eligibility[0].when.clone()],
            ..ConditionText::default()
        };
    }
    assert!(CheckedPolicy::check(deep, &programme).is_err());
}

#[test]
fn toml_floats_and_unknown_fields_are_refused() {
    let text = shipped::POLICIES[0].1;
    let float = text.replace("percent = \"3\"", "percent = 3.5");
    assert!(
        PolicyDocument::from_toml(&float)
            .unwrap_err()
            .found
            .contains("float")
    );
    let unknown = text.replace("notice_days = 5", "notice_day = 5");
    assert!(
        PolicyDocument::from_toml(&unknown)
            .unwrap_err()
            .found
            .contains("notice_day")
    );
}

#[test]
fn amounts_beyond_all_limits_are_an_error_not_a_wrong_number() {
    let mut document = document("changge-housing-purchase-2024");
    document.caps.clear();
    document.benefits[0].caps.clear();
    document.benefits[0].percent = Text("100".into());
    document.benefits.push(document.benefits[0].clone());
    document.benefits[1].id = "again".into();
    let policy = CheckedPolicy::check(document, &programme("housing-purchase")).unwrap();
    let facts = with(purchase(), "price", "1000000000000000");
    let facts = Facts::parse(&policy.programme, &facts).unwrap();
    let violations = assess(&policy, &facts, &[], &law()).unwrap_err();
    assert_eq!(violations[0].found, "2000000000000000");
}

#[test]
fn facts_of_another_programme_are_refused() {
    let facts = Facts::parse(&programme("deed-tax"), &deed_tax()).unwrap();
    let policy = policy("xuchang-housing-purchase-2024");
    assert_eq!(
        assess(&policy, &facts, &[], &law()).unwrap_err()[0].field,
        "facts"
    );
}

proptest! {
    #[test]
    fn rounding_is_that_of_whole_numbers(mantissa in 0_i64..1_000_000_000_000, scale in 0_u32..8) {
        let value = Precise::from(Decimal::new(mantissa, scale));
        for unit in RoundingUnit::ALL {
            // The value in units is mantissa × 100 / (10^scale × unit).
            let (above, below) = (i128::from(mantissa) * 100, 10_i128.pow(scale) * i128::from(unit.fen()));
            let floor = above / below;
            let ceiling = (above + below - 1) / below;
            let nearest = (2 * above + below) / (2 * below);
            for (direction, units) in [
                (Direction::Down, floor), (Direction::Up, ceiling), (Direction::HalfUp, nearest),
            ] {
                let expected = i64::try_from(units * i128::from(unit.fen())).unwrap();
                prop_assert_eq!(value.to_unit(unit, direction), Money::from_fen(expected));
            }
        }
    }

    #[test]
    fn housing_amounts_keep_below_caps_and_add_up(
        centi_metres in 1_i64..=100_000, price in 100_i64..300_000_000, more in 0_i64..10_000_000,
    ) {
        for id in ["xuchang-housing-purchase-2024", "yuzhou-housing-purchase-2024", "changge-housing-purchase-2024"] {
            let policy = policy_cached(id);
            let area = Decimal::new(centi_metres, 2);
            let at = |fen: i64| {
                let facts = with(purchase(), "area", &area.to_string());
                assessed(policy, &with(facts, "price", &Money::from_fen(fen).unwrap().to_string()))
            };
            let (one, dearer) = (at(price), at(price + more));
            for assessment in [&one, &dearer] {
                prop_assert_eq!(assessment.city.checked_add(assessment.county), Some(assessment.amount));
                prop_assert!(!assessment.city.is_negative() && !assessment.county.is_negative());
                let amount = Decimal::new(assessment.amount.fen(), 2);
                let exact = Decimal::from_str_exact(&assessment.exact).unwrap();
                prop_assert!((amount - exact).abs() < Decimal::ONE, "rounded once, to the yuan");
                for cap in &assessment.caps {
                    prop_assert!(exact <= Decimal::from_str_exact(&cap.limit).unwrap());
                }
            }
            // None of these policies gives less for a dearer home of the same size.
            prop_assert!(one.amount <= dearer.amount, "{} {} then {}", id, one.amount, dearer.amount);
        }
    }

    #[test]
    fn nothing_is_rounded_before_the_end(
        whole in 0_i64..1_000, millionths in 1_u32..1_000_000, fen in 1_i64..10_000_000_000_000_000,
        rate in 0_i64..10_000_000, percent in 0_i64..1_000_000, count in 0_u32..1_000_000,
    ) {
        use num_bigint::BigInt;
        use num_rational::BigRational;
        let fraction = |n: i64, d: i64| BigRational::new(BigInt::from(n), BigInt::from(d));
        let mut text = document("changge-housing-purchase-2024");
        let mut schema = ProgrammeDocument::from_toml(shipped::PROGRAMMES[0].1).unwrap();
        for fact in &mut schema.facts {
            if fact.code == "area" {
                fact.decimals = Text("6".into());
            }
        }
        schema.facts.push(document::FactText {
            code: "count".into(),
            kind: "count".into(),
            ..document::FactText::default()
        });
        let schema = Arc::new(CheckedProgramme::check(schema).unwrap());
        text.caps.clear();
        text.benefits[0].caps.clear();
        text.benefits[0].percent = Text(Decimal::new(percent, 4).to_string());
        text.benefits.push(document::BenefitText {
            id: "more".into(),
            kind: "per_unit".into(),
            fact: "area".into(),
            amount: Text(Decimal::new(rate, 4).to_string()),
            times: "count".into(),
            ..document::BenefitText::default()
        });
        let policy = CheckedPolicy::check(text, &schema).unwrap();
        let price = Money::from_fen(fen).unwrap();
        let facts = with(purchase(), "area", &format!("{whole}.{millionths:06}"));
        let facts = with(with(facts, "price", &price.to_string()), "count", &count.to_string());
        let facts = Facts::parse(&schema, &facts).unwrap();
        let assessment = assess(&policy, &facts, &[], law_cached()).unwrap();
        let area = fraction(whole * 1_000_000 + i64::from(millionths), 1_000_000);
        let expected = fraction(fen, 100) * fraction(percent, 1_000_000)
            + area * fraction(rate, 10_000) * fraction(i64::from(count), 1);
        let (digits, places) = match assessment.exact.split_once('.') {
            Some((whole, places)) => (format!("{whole}{places}"), places.len()),
            None => (assessment.exact.clone(), 0),
        };
        let exact = BigRational::new(digits.parse().unwrap(), BigInt::from(10).pow(u32::try_from(places).unwrap()));
        prop_assert_eq!(&exact, &expected);
        // Half up, once, to the yuan.
        let yuan = (expected + fraction(1, 2)).floor().to_integer();
        prop_assert_eq!(BigInt::from(assessment.amount.fen()), yuan * 100);
    }

    #[test]
    fn the_tax_by_law_rises_with_price_and_area(price in 100_i64..1_000_000_000, area in 1_i64..50_000, more in 0_i64..10_000) {
        let law = law_cached();
        for date in ["2016-02-22", "2024-11-30", "2024-12-01", "2030-01-01"] {
            let date = parse_date("d", date).unwrap();
            for home in ["first", "second"] {
                let due = |fen, area| {
                    law.due(date, home, Decimal::new(area, 2), Money::from_fen(fen).unwrap(), Detail::Decided).unwrap().tax
                };
                prop_assert!(due(price, area) <= due(price + more, area));
                prop_assert!(due(price, area) <= due(price, area + more));
                prop_assert!(law.due(date, "other", Decimal::ONE, Money::ZERO, Detail::Derived).is_none());
            }
        }
    }

    #[test]
    fn deed_tax_subsidies_are_never_more_than_their_share(receipt in 0_i64..6_000_000, area in 1_i64..30_000) {
        let policy = policy_cached("xuchang-deed-tax-2024");
        let facts = with(deed_tax(), "area", &Decimal::new(area, 2).to_string());
        let facts = with(facts, "tax_paid", &Money::from_fen(receipt).unwrap().to_string());
        let assessment = assessed(policy, &facts);
        let tax = assessment.deed_tax.as_ref().unwrap();
        prop_assert!(tax.recognised <= tax.receipt && Some(tax.recognised) <= tax.due);
        let half = tax.recognised.fen() / 2;
        prop_assert_eq!(assessment.amount.fen(), half.min(1_000_000));
    }
}

fn policy_cached(id: &str) -> &'static CheckedPolicy {
    static ALL: std::sync::OnceLock<Vec<CheckedPolicy>> = std::sync::OnceLock::new();
    let all = ALL.get_or_init(|| {
        shipped::POLICIES
            .into_iter()
            .map(|(name, _)| policy(name.trim_end_matches(".toml")))
            .collect()
    });
    all.iter().find(|policy| policy.id.as_str() == id).unwrap()
}

fn law_cached() -> &'static DeedTaxLaw {
    static LAW: std::sync::OnceLock<DeedTaxLaw> = std::sync::OnceLock::new();
    LAW.get_or_init(law)
}
