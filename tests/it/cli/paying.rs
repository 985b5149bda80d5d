//! From a workbook of claims to money that is paid, comes back and is paid again; and an import that is cut off.

use super::office::{Office, golden, kept};
use crate::claims::setup::id_number;
use rust_xlsxwriter::Workbook;
use std::process::Stdio;
use std::time::{Duration, Instant};

const HEADER: &str = "地区代码,姓名,身份证号,户名,账号,开户行,联行号,材料,registration,residence_permit,level,in_demand,\
                      certificate_date,application_date,training_fee";

/// Rows of people, one each, who ask for the incentive of a junior certificate: 1,000 yuan, 700 of the city's.
fn rows(people: std::ops::Range<usize>) -> Vec<String> {
    people
        .map(|n| {
            format!(
                "411002,示例甲,{},示例甲,9999{n:015},示例银行许昌支行,102100099996,certificate,农村户籍,否,junior,否,\
                 2024-05-31,2024-06-10,3000",
                id_number(n)
            )
        })
        .collect()
}

/// An office with keys, rules, accounts that pay, and quota for training in Weidu.
fn office() -> Office {
    let office = Office::xuchang();
    office.ok("keys generate --out keys.toml --id 2026");
    configure(&office, "keys.toml");
    office.ok("policy defaults --examples");
    office.ok("fund receive f 86000000 --document 豫财预〔2024〕101号 --as 张三");
    let draft = kept(&office.ok(
        "allocate --data-set xuchang --formula config/formulas/xuchang-settled-resident.toml --year 2024 \
         --fund f --pool 86000000 --as 张三",
    ));
    office.ok(&format!("runs approve {draft} --as 李四"));
    office.ok(&format!("runs issue {draft} --as 王五"));
    office.ok("fund contribute f 2000000 --region 411002 --document 县级配套 --as 张三");
    for (payer, amount) in [("city", "2800000"), ("county", "1200000")] {
        office.ok(&format!(
            "fund assign f --region 411002 --programme training --payer {payer} --amount {amount} --as 张三"
        ));
    }
    office
}

fn configure(office: &Office, keys: &str) {
    let debtor = |payer: &str, account: &str| {
        format!(
            "[[payment.debtor]]\npayer = \"{payer}\"\nname = \"示例财政局\"\naccount = \"{account}\"\n\
             bank_code = \"102100099996\"\n"
        )
    };
    let text = format!(
        "[privacy]\nkey_file = \"{keys}\"\n{}{}",
        debtor("city", "411000000000054321"),
        debtor("county", "411002000000054321")
    );
    office.write("incentive-fund.toml", text);
}

/// A workbook in which every cell is text.
fn workbook(office: &Office, name: &str, lines: &[String]) {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (row, line) in (0..).zip(lines) {
        for (column, text) in (0..).zip(line.split(',')) {
            sheet.write_string(row, column, text).unwrap();
        }
    }
    workbook.save(office.path(name)).unwrap();
}

const IMPORT: &str = "--fund f --programme training --as 经办人";

/// A cell of the first row of a CSV text where another cell is `value`.
fn cell(csv: &str, column: &str, value: &str) -> String {
    let mut lines = csv.lines();
    let at = lines
        .next()
        .unwrap()
        .split(',')
        .position(|name| name == column)
        .unwrap_or_else(|| panic!("no {column} in {csv}"));
    let row = lines
        .find(|line| line.split(',').any(|cell| cell == value))
        .unwrap_or_else(|| panic!("no {value} in {csv}"));
    row.split(',').nth(at).unwrap().to_owned()
}

#[test]
fn from_a_workbook_of_claims_to_money_that_is_paid_comes_back_and_is_paid_again() {
    let office = office();
    let mut lines = vec![HEADER.to_owned()];
    lines.extend(rows(1..4));
    workbook(&office, "claims.xlsx", &lines);
    assert_eq!(
        office.ok(&format!("claim import claims.xlsx {IMPORT} --rows 3")),
        "3 of 3 claims / 件申请 handed in / 已申报\n"
    );
    office.ok("claim approve f/1 f/2 f/3 --as 审批人 --format csv");

    let created = office.ok("batch create f --programme training --date 2026-12-01 --as 经办人");
    assert!(created.contains("funds/f/batches/1: draft"), "{created}");
    office.ok("batch freeze f/1 --as 经办人");
    let error = office.fails(1, "batch release f/1 --as 经办人");
    assert!(error.contains("经办人"), "{error}");
    let released = office.ok("batch release f/1 --as 复核人");
    assert!(
        released.contains("6 payment(s)") && released.contains("3000.00 yuan"),
        "{released}"
    );
    for format in ["pain001", "csv", "xlsx"] {
        let written = office.ok(&format!("batch export f/1 --format {format} --as 经办人"));
        assert_eq!(written.lines().count(), 2, "a file for each account: {written}");
    }

    // The bank's answers: the county's part of the second claim fails.
    let payments = office.ok("batch payments f/1 --format csv");
    golden("batch-payments.csv", &payments);
    let mut answer = String::from("业务参考号,金额,处理结果,失败原因,交易日期\n");
    let mut failed = String::new();
    let header: Vec<&str> = payments.lines().next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
    for line in payments.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let (reference, amount) = (cells[at("reference")], cells[at("amount")]);
        if cells[at("claim")] == "2" && amount == "300.00" {
            reference.clone_into(&mut failed);
            answer += &format!("{reference},{amount},失败,户名不符,\n");
        } else {
            answer += &format!("{reference},{amount},成功,,2026-12-01\n");
        }
    }
    office.write("answer.csv", format!("{answer}合计,3000.00,共6笔,,\n"));
    let dry = office.ok("batch results f/1 answer.csv --dry-run --as 经办人 --format csv");
    assert!(dry.contains(&failed), "{dry}");
    office.ok("batch results f/1 answer.csv --as 经办人");
    let batches = office.ok("batch list f --format csv");
    assert!(batches.contains("closed"), "{batches}");

    // Corrected, approved by nobody anew, paid with another reference.
    let account = "name = \"示例甲\"\naccount = \"9999000000000000077\"\nbank_name = \"示例银行许昌支行\"\n\
                   bank_code = \"102100099996\"\n";
    office.write("payee.toml", account);
    let retried = office.ok("claim retry f/2 --payee payee.toml --reason 更正户名 --as 经办人 --format csv");
    assert!(retried.contains("reserved"), "{retried}");
    office.ok("batch create f --programme training --date 2026-12-02 --as 经办人");
    office.ok("batch freeze f/2 --as 经办人");
    office.ok("batch release f/2 --as 复核人");
    let again = office.ok("batch payments f/2 --format csv");
    let reference = cell(&again, "reference", "300.00");
    assert_ne!(reference, failed);
    office.ok(&format!(
        "batch record {reference} --settled --amount 300.00 --date 2026-12-02 --as 经办人"
    ));
    let paid = office.ok("claim list f --state paid --format csv");
    assert_eq!(paid.lines().count(), 4, "{paid}");

    // A part comes back, then the rest.
    let part = office.ok("claim return f/3 --payer city --amount 200 --reason 核减 --as 经办人 --format csv");
    assert!(part.contains("paid"), "{part}");
    let error = office.fails(
        1,
        "claim return f/3 --payer city --amount 500.01 --reason 核减 --as 经办人",
    );
    assert!(error.contains("500.00"), "{error}");
    office.ok("claim return f/3 --payer city --amount 500 --reason 退回 --as 经办人");
    let whole =
        office.ok("claim return f/3 --payer county --amount 300 --reason 退回 --as 经办人 --format csv");
    assert!(whole.contains("returned"), "{whole}");
    golden("fund-status-paid.csv", &office.ok("fund status f --format csv"));

    // New keys: what the old ones sealed is sealed anew, and the same person is still known.
    office.ok("keys generate --out new.toml --id 2027 --before keys.toml");
    configure(&office, "new.toml");
    let rotated = office.ok("keys rotate");
    assert!(rotated.contains('3'), "{rotated}");
    std::fs::remove_file(office.path("keys.toml")).unwrap();
    let new = std::fs::read_to_string(office.path("new.toml")).unwrap();
    assert!(new.contains("2026") && new.contains("2027"));
    workbook(&office, "again.xlsx", &lines[..2]);
    let twice = office.run(&format!("claim import again.xlsx {IMPORT} --rows 1"));
    assert_eq!(twice.code, 1, "{}", twice.out);
    let refused = std::fs::read_to_string(office.path("again.xlsx.refused.csv")).unwrap();
    assert!(refused.contains("ALREADY_SUBSIDISED"), "{refused}");
    office.ok("fund verify f");
}

#[test]
fn an_import_that_was_cut_off_is_finished_by_importing_again() {
    let office = office();
    const COUNT: usize = 3_000;
    let mut text = format!("{HEADER}\n");
    for row in rows(1..COUNT + 1) {
        text += &format!("{row}\n");
    }
    office.write("claims.csv", text);
    let listed = || office.ok("claim list f --format csv").lines().count() - 1;
    let mut midway = 0;
    let begun = Instant::now();
    // Cut off at one moment after another, until one of them was in the middle.
    for wait in 1.. {
        assert!(begun.elapsed() < Duration::from_secs(120), "never in the middle");
        let mut child = office
            .command()
            .args(["claim", "import", "claims.csv"])
            .args(IMPORT.split(' '))
            .args(["--rows", &COUNT.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(100 * wait));
        let _ = child.kill();
        child.wait().unwrap();
        midway = listed();
        if midway > 0 {
            break;
        }
    }
    assert!(midway % 250 == 0, "messages are whole: {midway}");
    assert_eq!(
        office.ok(&format!("claim import claims.csv {IMPORT} --rows {COUNT}")),
        format!("{COUNT} of {COUNT} claims / 件申请 handed in / 已申报\n")
    );
    assert_eq!(listed(), COUNT);
    office.ok("fund verify f");
}
