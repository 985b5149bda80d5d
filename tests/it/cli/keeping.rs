//! `fund`: money comes in, becomes quota, is assigned, shown, verified and exported.

use super::office::{Office, kept};
use serde_json::Value;

const FUND: &str = "citizenization-2025";

/// An office in which 86 of 90 million are issued.
fn issued() -> Office {
    let office = Office::xuchang();
    let run = kept(&office.ok(&format!(
        "allocate --data-set xuchang --formula config/formulas/xuchang-settled-resident.toml --pool 86000000 \
         --year 2024 --fund {FUND} --as 张三"
    )));
    office.ok(&format!("runs approve {run} --as 李四"));
    let received = office.ok(&format!(
        "fund receive {FUND} 90000000 --document 豫财预〔2024〕101号 --as 王五"
    ));
    for shown in [
        "收到资金 receive",
        "90,000,000.00",
        "city/-/-/unallocated",
        "豫财预〔2024〕101号",
    ] {
        assert!(received.contains(shown), "{shown}\n{received}");
    }
    office.ok(&format!("runs issue {run} --as 王五"));
    office
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn money_is_kept_from_receipt_to_programme() {
    let office = issued();
    let dry = office.ok(&format!("fund surrender {FUND} 1000000 --document x --dry-run"));
    assert!(dry.contains("试运行,未记账 dry run, nothing posted"), "{dry}");
    let error = office.fails(1, &format!("fund surrender {FUND} 4000000.01 --document x"));
    assert!(
        error.contains("0.01 short") && error.contains("不足 0.01"),
        "{error}"
    );
    office.ok(&format!(
        "fund contribute {FUND} 500000 --region 411081 --document 县财〔2025〕3号"
    ));
    let error = office.fails(
        1,
        &format!("fund retract {FUND} 500000.01 --region 411081 --document x"),
    );
    assert!(error.contains("0.01 short"), "{error}");
    office.ok(&format!(
        "fund retract {FUND} 100000 --region 411081 --document x"
    ));

    office.write(
        "安排.csv",
        "地区代码,项目,资金来源,金额\n411081,housing-purchase,市级,12000000\n411081,housing-purchase,县级,300000\n\
         411081,deed-tax,,2000000.50\n",
    );
    let assigned = office.ok(&format!(
        "fund assign {FUND} --file 安排.csv --note 第一批 --format json"
    ));
    let assigned = json(&assigned);
    assert_eq!(assigned["rows"].as_array().unwrap().len(), 3);
    assert_eq!(assigned["rows"][1]["to"], "county/411081/housing-purchase/quota");
    assert_eq!(assigned["rows"][2]["amount"], "2000000.50");
    assert_eq!(assigned["rows"][2]["note"], "第一批");
    office.write(
        "bad.csv",
        "region,programme,amount\n411081,deed-tax,1\n411082,Deed,x\n",
    );
    let error = office.fails(2, &format!("fund assign {FUND} --file bad.csv"));
    for shown in ["line 3, column programme", "line 3, column amount"] {
        assert!(error.contains(shown), "{error}");
    }
    let error = office.fails(2, &format!("fund assign {FUND} --region 411081"));
    assert!(error.contains("--programme"), "{error}");
    office.ok(&format!(
        "fund unassign {FUND} --region 411081 --programme deed-tax --amount 0.50"
    ));

    // The contribution was entry 11; 400,000 of it are assigned or retracted.
    let error = office.fails(1, &format!("fund reverse {FUND} 11 --note 记错 --as 李四"));
    assert!(error.contains("400000.00 short"), "{error}");
    let error = office.fails(1, &format!("fund reverse {FUND} 2 --note 记错 --as 李四"));
    assert!(error.contains("请在该处更正"), "{error}");
    let error = office.fails(1, &format!("fund reverse {FUND} 12 --note 记错"));
    assert!(error.contains("不得自行冲正"), "{error}");
    let reversed = office.ok(&format!(
        "fund reverse {FUND} 12 --note 记错 --format csv --as 李四"
    ));
    assert!(
        reversed.contains(",退出配套 retract,county/411081/-/source,county/411081/-/quota,100000.00,"),
        "{reversed}"
    );

    let status = json(&office.ok(&format!("fund status {FUND} --format json")));
    let totals = &status["totals"];
    for (column, amount) in [
        ("received", "90500000.00"),
        ("unallocated", "4000000.00"),
        ("allocated", "86000000.00"),
        ("issued", "86500000.00"),
        ("assigned", "0.00"),
        ("available", "86500000.00"),
        ("paid", "0.00"),
    ] {
        assert_eq!(totals[column], amount, "{column}");
    }
    let by_region = json(&office.ok(&format!("fund status {FUND} --by region --format json")));
    assert_eq!(by_region["rows"].as_array().unwrap().len(), 11);
    assert_eq!(by_region["totals"]["available"], totals["available"]);
    assert_eq!(by_region["totals"]["unassigned"], "72200000.00");
    let table = office.ok(&format!("fund status {FUND}"));
    for shown in [
        "资金执行情况表",
        "禹州市",
        "housing-purchase",
        "未安排 unassigned",
        "12,000,000.00",
        "合计 Total",
    ] {
        assert!(table.contains(shown), "{shown}\n{table}");
    }
    office.ok(&format!("fund status {FUND} --format xlsx -o status.xlsx"));
    let bytes = std::fs::read(office.path("status.xlsx")).unwrap();
    assert!(bytes.starts_with(b"PK"));
    let csv = office.ok(&format!("fund status {FUND} --format csv"));
    assert!(
        csv.contains("411081,禹州市,housing-purchase,县级 county,"),
        "{csv}"
    );
}

#[test]
fn a_ledger_is_shown_verified_and_exported() {
    let office = issued();
    office.ok(&format!(
        "fund assign {FUND} --region 411081 --programme deed-tax --amount 1000"
    ));
    let list = office.ok("fund list --format csv");
    assert!(list.contains(&format!("\n{FUND},11,")), "{list}");
    let entries = json(&office.ok(&format!("fund entries {FUND} --format json")));
    assert_eq!(entries["rows"].as_array().unwrap().len(), 11);
    let rows = |filter: &str| {
        let csv = office.ok(&format!("fund entries {FUND} --format csv {filter}"));
        csv.lines().count() - 1
    };
    assert_eq!(rows("--event issue"), 9);
    assert_eq!(rows("--account city/411081/-/quota"), 2);
    assert_eq!(rows("--account city/411081/-/quota --event assign"), 1);
    assert_eq!(rows("--from 2020-01-01T00:00:00+08:00"), 11);
    assert_eq!(rows("--until 2020-01-01T00:00:00+08:00"), 0);
    let error = office.fails(2, &format!("fund entries {FUND} --account quota"));
    assert!(error.contains("city/411081/-/quota"), "{error}");
    let error = office.fails(2, &format!("fund entries {FUND} --event gift"));
    assert!(error.contains("receive, surrender"), "{error}");

    let now = json(&office.ok(&format!("fund balances {FUND} --format json")));
    assert_eq!(now["totals"]["balance"], "0.00");
    let then = office.ok(&format!("fund balances {FUND} --at-entry 1 --format csv"));
    assert!(then.contains("city,,,待分配 unallocated,90000000.00"), "{then}");
    let then = office.ok(&format!("fund balances {FUND} --at 2020-01-01T00:00:00Z"));
    assert!(then.contains("after entry 0"), "{then}");
    let error = office.fails(2, &format!("fund balances {FUND} --at-entry 12"));
    assert!(error.contains("at most 11"), "{error}");

    let verified = office.ok(&format!("fund verify {FUND}"));
    assert!(
        verified.contains("11 笔分录 entries, 12 个账户 accounts: 无差异 nothing differs"),
        "{verified}"
    );
    let journal = office.ok(&format!("fund journal {FUND}"));
    assert!(journal.contains(" (11) assign 安排\n"), "{journal}");
    office.ok(&format!("fund journal {FUND} -o fund.journal"));
    assert_eq!(
        std::fs::read_to_string(office.path("fund.journal")).unwrap(),
        journal
    );
    let checked = std::process::Command::new("hledger")
        .args([
            "-f",
            office.path("fund.journal").to_str().unwrap(),
            "check",
            "--strict",
            "ordereddates",
        ])
        .env("LC_ALL", "C.UTF-8")
        .status();
    assert!(
        checked
            .expect("hledger in PATH; scripts/test installs it")
            .success()
    );

    let changes = office.ok(&format!("fund watch {FUND} --no-wait"));
    let changes: Vec<Value> = changes.lines().map(json).collect();
    let kinds: Vec<&str> = changes
        .iter()
        .map(|change| change["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["ledger.receive", "allocation.issued", "ledger.assign"]);
    assert_eq!(changes[1]["by"], "王五");
    assert_eq!(office.ok(&format!("fund watch {FUND} --no-wait --after 3")), "");
    let error = office.fails(1, "fund status none");
    assert!(error.contains("funds/none does not exist"), "{error}");
}
