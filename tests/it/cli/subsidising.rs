//! Policies and claims from the command line.

use super::office::{Office, Served};

fn office() -> Office {
    let office = Office::new();
    office.ok("import regions examples/xuchang/regions.csv");
    office.ok("policy defaults --examples");
    office
}

const CLAIM: &str = r#"
registration = "rural"
home_order = "first"
new_home = true
location = "county_seat"
contract_date = "2024-08-01"
tax_date = "2024-12-10"
area = "140.01"
price = 654000
price_without_vat = 600000
tax_paid = "9000.00"
subsidised_before = false
"#;

#[test]
fn a_fresh_machine_needs_no_files() {
    let office = Office::new();
    let dry = office.ok("policy defaults --dry-run");
    assert_eq!(dry.lines().count(), 6);
    assert_eq!(
        office.ok("policy programmes --format csv").lines().count(),
        1,
        "nothing stored"
    );
    assert_eq!(office.ok("policy defaults"), dry);
    assert!(office.ok("policy programmes").contains("decisive"));
    assert!(office.ok("policy deed-tax").contains("公告2024年第16号"));
    let error = office.fails(2, "policy defaults --examples");
    assert!(error.contains("region"), "the regions are not there: {error}");
    office.ok("import regions examples/xuchang/regions.csv");
    let examples = office.ok("policy defaults --examples");
    assert_eq!(
        office.ok("policy defaults --examples"),
        examples,
        "again is no change"
    );
    assert_eq!(office.ok("policy list --format csv").lines().count(), 9);
    assert_eq!(
        office
            .ok("policy list --region 411024 --format csv")
            .lines()
            .count(),
        2
    );
}

#[test]
fn a_stored_policy_prints_as_the_file_it_could_come_from() {
    let office = office();
    for id in ["xuchang-housing-purchase-2024", "xuchang-rental-2024"] {
        let printed = office.ok(&format!("policy show {id}"));
        office.write("again.toml", &printed);
        assert!(office.ok("policy check again.toml").contains("programmes/"));
        let created = office.ok("policy create again.toml");
        assert!(
            created.starts_with(&format!("policies/{id}/revisions/1 ")),
            "{created}"
        );
    }
    let law = office.ok("policy deed-tax");
    office.write("law.toml", law);
    assert!(
        office
            .ok("policy deed-tax --import law.toml")
            .starts_with("deedTaxLaw/revisions/1 ")
    );
    let files = "config/programmes/rental.toml config/programmes/training.toml";
    let stored = office.ok(&format!("policy programmes --import {files}"));
    assert!(stored.starts_with("programmes/rental/revisions/1 "), "{stored}");
}

#[test]
fn a_clerk_reads_why() {
    let office = office();
    office.write("claim.toml", CLAIM);
    let line = "claim assess --region 411024 --programme deed-tax --facts claim.toml";
    let zh = office.ok(&format!("{line} --language zh"));
    for sentence in [
        "核定结果 Assessment: 符合条件 / eligible",
        "金额 Amount: 4500.00 元 yuan(市级 city 0.00,县级 county 4500.00)",
        "政策适用于契税缴纳日期在 2024-06-01 起的申请",
        "户籍为农村户籍;要求:农村户籍",
        "不含增值税价格 600000.00 元 × 1.5% = 9000,计至分 9000.00 元",
        "完税凭证为 9000.00 元:两者一致",
        "建筑面积 140.01 平方米:适用档次“高于 140 平方米”",
        "完税凭证税额 9000.00 元 × 50% = 4500 元",
        "公示 Public notice: 7 天 days",
        "契税完税凭证 / receipt of the deed tax (tax_receipt)",
        "本政策整体为示例",
    ] {
        assert!(zh.contains(sentence), "{sentence}\nin\n{zh}");
    }
    let en = office.ok(&format!("{line} --language en --fact tax_paid=8999.99"));
    assert!(
        en.contains("not eligible") && en.contains("receipt less law: -0.01 yuan"),
        "{en}"
    );

    let json = office.ok(&format!("{line} --json --document tax_receipt"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["amount"], "4500.00");
    assert_eq!(json["deed_tax"]["percent"], "1.5");
    assert_eq!(json["documents_missing"].as_array().unwrap().len(), 0);
    assert_eq!(json["clauses"][0]["id"], "in_force");

    let served = Served::start(&office);
    let office = office.through(&served);
    assert_eq!(
        office.ok(&format!("{line} --language zh")),
        zh,
        "a server says the same"
    );
}

#[test]
fn what_is_wrong_is_named() {
    let office = office();
    office.write("claim.toml", CLAIM.replace("2024-12-10", "2024-07-31"));
    let line = "claim assess --region 411024 --programme deed-tax --facts claim.toml";
    let error = office.fails(2, line);
    assert!(
        error.contains("facts.contract_date") && error.contains("不得晚于"),
        "{error}"
    );
    office.write("claim.toml", CLAIM.replace("\"140.01\"", "140.01"));
    assert!(office.fails(2, line).contains("not exact"));
    let error = office.fails(2, &format!("{line} --fact area"));
    assert!(
        error.contains("CODE=VALUE") || error.contains("not exact"),
        "{error}"
    );
    office.write("claim.toml", CLAIM);
    let error = office.fails(2, &line.replace("deed-tax", "pony"));
    assert!(
        error.contains("housing-purchase"),
        "the programmes there are: {error}"
    );
    let error = office.fails(
        1,
        &format!("{line} --fact tax_date=2024-11-30").replace("411024", "410000"),
    );
    assert!(error.contains("no policy"), "{error}");

    let policy = std::fs::read_to_string(office.path("config/policies/xuchang-rental-2024.toml")).unwrap();
    office.write(
        "bad.toml",
        policy.replace("percent = \"30\"", "percent = \"130\""),
    );
    let error = office.fails(
        2,
        "policy create config/policies/xuchang-rental-2024.toml bad.toml",
    );
    assert!(
        error.contains("bad.toml") && error.contains("benefits[0].percent"),
        "{error}"
    );
    office.write("new.toml", policy.replace("notice_days = 5", "notice_days = 6"));
    office.fails(2, "policy create new.toml bad.toml");
    let revisions = office.ok("policy list xuchang-rental-2024 --format csv");
    assert_eq!(revisions.lines().count(), 2, "one wrong file: none is stored");
    assert!(office.ok("policy create new.toml").contains("/revisions/2 "));
    let nested = |depth: usize| {
        let when = format!(
            "when = {}{{ fact = \"owns_home\", is = false }}{}",
            "{ all = [".repeat(depth),
            "] }".repeat(depth)
        );
        policy.replace("when = { fact = \"owns_home\", is = false }", &when)
    };
    for depth in [7, 30, 60, 100, 1_000, 10_000] {
        office.write("bad.toml", nested(depth));
        let error = office.fails(2, "policy check bad.toml");
        assert!(
            error.contains("bad.toml") && error.len() < 4_000,
            "{depth}: {error}"
        );
    }
    office.write("good.toml", nested(5));
    office.ok("policy check good.toml");
}
