//! What is read of tables, and what is refused.

mod mappings;
mod unread;

use super::super::tests::{golden, source, told};
use super::super::{Given, Reader, mapping as mapping_of, shipped};
use super::*;
use rust_xlsxwriter::{ExcelDateTime, Format as CellFormat, Formula, Workbook};

fn read(bytes: &[u8], mapping: &Mapping) -> Result<String, Vec<Violation>> {
    told(&mut Reader::open(source(bytes), Some(mapping), Given::default())?)
}

fn known(code: &str) -> Mapping {
    mapping_of(code, &[]).unwrap()
}

/// The first fault; none repeats what is personal.
fn first(bytes: &[u8], mapping: &Mapping) -> String {
    let faults = match read(bytes, mapping) {
        Err(faults) => faults,
        Ok(read) => panic!("it was read as\n{read}"),
    };
    for fault in &faults {
        let said = format!("{fault:?}");
        for personal in ["令狐", "司空", "6222", "6217", "54321"] {
            assert!(!said.contains(personal), "{said}");
        }
    }
    format!("{}: {}", faults[0].field, faults[0].found)
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/data/statements/", $name))
    };
}

macro_rules! wanted {
    ($name:literal) => {
        include_str!(concat!("../../../tests/data/statements/golden/", $name, ".txt"))
    };
}

const CORPORATE: &[u8] = fixture!("corporate-ebank-gbk.csv");

#[test]
fn details_of_corporate_e_banking() {
    let found = read(CORPORATE, &known("corporate-ebank")).unwrap_or_else(|faults| panic!("{faults:#?}"));
    golden(
        &found,
        wanted!("corporate-ebank-gbk.csv"),
        "corporate-ebank-gbk.csv.txt",
    );
}

#[test]
fn the_list_of_an_agent_bank() {
    let mapping = known("agent-bank");
    let bytes = fixture!("agent-bank.csv");
    let found = read(bytes, &mapping).unwrap_or_else(|faults| panic!("{faults:#?}"));
    golden(&found, wanted!("agent-bank.csv"), "agent-bank.csv.txt");
    // With balances that are named beside it, it adds up.
    let given = Given {
        opening: Money::from_fen(50_000),
        closing: Money::from_fen(40_000),
        ..Given::default()
    };
    let found = told(&mut Reader::open(source(bytes), Some(&mapping), given).unwrap()).unwrap();
    assert!(
        found.contains("adds up: 2 debits 300.00, 1 credits 200.00"),
        "{found}"
    );
}

/// The list of a treasury centre as a workbook; `change` may write more.
fn treasury(change: impl FnOnce(&mut rust_xlsxwriter::Worksheet)) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let day = CellFormat::new().set_num_format("yyyy-mm-dd");
    let money = CellFormat::new().set_num_format("#,##0.00");
    sheet.write_string(0, 0, "国库集中支付资金明细表").unwrap();
    sheet.write_string(1, 0, "账号:411000000000000001").unwrap();
    sheet.write_string(1, 2, "对账期间").unwrap();
    sheet.write_string(1, 3, "20250601-20250630").unwrap();
    sheet.write_string(2, 0, "期初余额").unwrap();
    sheet.write_number_with_format(2, 1, -250, &money).unwrap();
    for (column, heading) in [
        "清算日期",
        "清算流水号",
        "借贷方向",
        "金额(元)",
        "余额",
        "收款人账号",
        "收款人名称",
        "用途",
    ]
    .into_iter()
    .enumerate()
    {
        sheet.write_string(4, column as u16, heading).unwrap();
    }
    let rows = [
        (
            "2025-06-30",
            "K3",
            "贷",
            200_000.0,
            199_440.0,
            "",
            "河南省财政厅",
            "奖补资金",
        ),
        (
            "2025-06-29",
            "K2",
            "贷方",
            10.0,
            -560.0,
            "6217990000000000018",
            "司空样本",
            "退回 RF87124C1",
        ),
        (
            "2025-06-28",
            "K1",
            "借",
            320.0,
            -570.0,
            "6222021234567890123",
            "令狐试例",
            "契税补贴 RF24123C1",
        ),
    ];
    for (at, (date, number, way, amount, balance, account, name, text)) in rows.into_iter().enumerate() {
        let row = 5 + at as u32;
        let date = ExcelDateTime::parse_from_str(date).unwrap();
        sheet.write_datetime_with_format(row, 0, &date, &day).unwrap();
        sheet.write_string(row, 1, number).unwrap();
        sheet.write_string(row, 2, way).unwrap();
        sheet.write_number_with_format(row, 3, amount, &money).unwrap();
        sheet.write_number_with_format(row, 4, balance, &money).unwrap();
        sheet.write_string(row, 5, account).unwrap();
        sheet.write_string(row, 6, name).unwrap();
        sheet.write_string(row, 7, text).unwrap();
    }
    sheet.write_string(8, 0, "合计").unwrap();
    sheet
        .write_formula(8, 3, Formula::new("SUM(D6:D8)").set_result("200330"))
        .unwrap();
    sheet.write_string(9, 0, "制表人:某某").unwrap();
    change(sheet);
    workbook.save_to_buffer().unwrap()
}

#[test]
fn the_list_of_a_treasury_centre_as_a_workbook() {
    let found =
        read(&treasury(|_| {}), &known("treasury-centre")).unwrap_or_else(|faults| panic!("{faults:#?}"));
    golden(
        &found,
        wanted!("treasury-centre.xlsx"),
        "treasury-centre.xlsx.txt",
    );
}

#[test]
fn refuses_cells_of_a_workbook_that_are_no_values() {
    let mapping = known("treasury-centre");
    let formula = treasury(|sheet| {
        sheet
            .write_formula(6, 3, Formula::new("5+5").set_result("10"))
            .unwrap();
    });
    assert_eq!(first(&formula, &mapping), "line 7, column 金额(元): a formula");
    let balance = treasury(|sheet| {
        sheet
            .write_formula(7, 4, Formula::new("E7-10").set_result("-570"))
            .unwrap();
    });
    assert_eq!(first(&balance, &mapping), "line 8, column 余额: a formula");
    let percent = treasury(|sheet| {
        let format = CellFormat::new().set_num_format("0%");
        sheet.write_number_with_format(6, 3, 10.0, &format).unwrap();
    });
    assert_eq!(
        first(&percent, &mapping),
        "line 7, column 金额(元): a cell that cannot be read as text"
    );
    let truth = treasury(|sheet| {
        sheet.write_boolean(6, 3, true).unwrap();
    });
    assert_eq!(
        first(&truth, &mapping),
        "line 7, column 金额(元): a cell that cannot be read as text"
    );
    let sum = treasury(|sheet| {
        sheet.write_number(8, 3, 200_331).unwrap();
    });
    assert_eq!(first(&sum, &mapping), "line 9, column 金额(元): 200331.00");
    let beyond = treasury(|sheet| {
        sheet.write_string(6, 9, "令狐试例").unwrap();
    });
    assert_eq!(first(&beyond, &mapping), "line 7: 10 cells");
    // A formula where nothing is read, and an account that has lost its digits: neither is needed.
    let unread = treasury(|sheet| {
        sheet.write_number(6, 5, 6_217_990_000_000_000_018_f64).unwrap();
    });
    assert_eq!(
        first(&unread, &mapping),
        "line 7, column 收款人账号: a cell that cannot be read as text"
    );
    assert_eq!(
        first(b"PK\x03\x04 and nothing", &mapping).split(':').next(),
        Some("file")
    );
}

#[test]
fn a_table_whose_columns_have_slipped_gives_nothing_away() {
    let mapping = known("agent-bank");
    for row in [
        "1,20250630,A1,6222021234567890123,令狐试例,RF24123C1,x",
        "1,20250630,A1,6222 0212 3456 789,139-1234-5678,RF24123C1,x",
        "1,20250630,A1,411024199001010018,6222021234567890123,RF24123C1,x",
    ] {
        let text = format!("序号,户名,账号,金额,交易日期,交易流水号,附言\n{row}\n");
        let faults = read(text.as_bytes(), &mapping).unwrap_err();
        let said = format!("{faults:?}");
        for personal in ["令狐", "6222", "5678", "411024"] {
            assert!(!said.contains(personal), "{said}");
        }
    }
}

fn text() -> String {
    encoding_rs::GB18030.decode(CORPORATE).0.into_owned()
}

fn refuse_all(mapping: &Mapping, text: &str, changes: &[(&str, &str, &str)]) {
    let differing: Vec<String> = changes
        .iter()
        .map(|(from, to, wanted)| {
            assert!(text.contains(from), "{from}");
            (first(text.replacen(from, to, 1).as_bytes(), mapping), wanted, to)
        })
        .filter(|(found, wanted, _)| found != *wanted)
        .map(|(found, wanted, to)| format!("{to}\n  found  {found}\n  wanted {wanted}"))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn refuses_rows_that_are_no_movements() {
    refuse_all(
        &known("corporate-ebank"),
        &text(),
        &[
            (
                "\"7,500.50\"",
                "\"7,500.505\"",
                "line 7, column 借方发生额: 7,500.505",
            ),
            (
                "\"7,500.50\"",
                "\"75,00.50\"",
                "line 7, column 借方发生额: 75,00.50",
            ),
            (
                "\"7,500.50\"",
                "令狐试例",
                "line 7, column 借方发生额: another text",
            ),
            (
                "\"7,500.50\",",
                "\"7,500.50\",1.00",
                "line 7: a debit and a credit",
            ),
            (
                "\"92,499.50\"",
                "\"92,499.51\"",
                "line 7, column 账户余额: 92499.51",
            ),
            (
                "\"100,000.00\"",
                "\"100,000.01\"",
                "line 7, column 账户余额: 92499.50",
            ),
            (
                "2025-06-03 09",
                "2025-06-31 09",
                "line 7, column 交易日期: 2025-06-31 09:15:02",
            ),
            (
                "2025-06-03 09:15:02",
                "令狐",
                "line 7, column 交易日期: another text",
            ),
            ("RF24123C1,CNY", "RF24123C1,USD", "line 7, column 币种: USD"),
            ("RF24123C1,CNY", "RF24123C1,CNY,6222", "line 7: 11 cells"),
            ("令狐试例,转账付款,", "令狐试例,", "line 7: 9 cells"),
            (
                "0603000001",
                &"1".repeat(65),
                "line 7, column 交易流水号: 65 characters",
            ),
            (
                "\"12,000.00\",30.25",
                "\"12,000.00\",30.26",
                "line 14, column 贷方发生额: 30.26",
            ),
            ("共4笔", "共7笔", "line 14: 7 rows"),
            ("打印时间", "20250630", "line 15: a row"),
            (
                "借方发生额",
                "令狐",
                "header: no row with all columns that the mapping needs",
            ),
            ("对方账号", "账户余额", "header, column 账户余额: twice"),
            (
                "账号:4110",
                "账号:X",
                "head.account: characters that are no digits",
            ),
            ("币种:人民币", "币种:美元", "head.currency: another text"),
            ("2025-06-01 至", "六月", "head.period: another text"),
            (
                "打印时间:2025",
                "\"打印时间:2025",
                "line 14: a quotation mark that is never closed",
            ),
            ("余额\r\n", &"余".repeat(100_000), "line 11: a longer piece"),
            ("转账付款", &"款".repeat(11_000), "line 7, column H: 33000 bytes"),
        ],
    );
}

#[test]
fn a_table_may_be_in_any_encoding_and_delimiter() {
    let mapping = known("corporate-ebank");
    let plain = read(CORPORATE, &mapping).unwrap();
    let text = text();
    let utf16: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    for bytes in [
        text.clone().into_bytes(),
        format!("\u{feff}{text}").into_bytes(),
        utf16,
    ] {
        assert_eq!(read(&bytes, &mapping).unwrap(), plain);
    }
    let agent = std::str::from_utf8(fixture!("agent-bank.csv")).unwrap();
    let plain = read(agent.as_bytes(), &known("agent-bank")).unwrap();
    let tabs = agent
        .replace("\"补贴,契税 ", "补贴，契税 ")
        .replace("C1\"", "C1")
        .replace(',', "\t");
    let read_tabs = read(tabs.as_bytes(), &known("agent-bank")).unwrap();
    assert_eq!(read_tabs.replace('，', ","), plain);
    let excel = format!(
        "sep=;\n{}",
        tabs.trim_start_matches('\u{feff}').replace('\t', ";")
    );
    let shifted = read(excel.as_bytes(), &known("agent-bank")).unwrap();
    assert!(shifted.contains("1 at 5: 2025-06-30"), "{shifted}");
}

const SMALL: &str = r#"
code = "small"
name_zh = "小"
name_en = "Small"
source = "none"
dates = ["YYYY-MM-DD"]
[columns]
booked = ["date"]
amount = ["amount"]
balance = ["balance"]
account = ["own"]
reversal = ["back"]
[amounts]
style = "sign"
outgoing = "negative"
thousands = ""
reversal_words = ["yes"]
"#;

fn small(change: impl FnOnce(&mut MappingDocument)) -> Mapping {
    let mut document = Mapping::parse(SMALL).unwrap().document().clone();
    change(&mut document);
    Mapping::check(document).unwrap_or_else(|faults| panic!("{faults:?}"))
}

#[test]
fn balances_are_taken_from_their_column() {
    let oldest = "date,amount,balance,own,back\n2025-06-01,-1.00,9.00,411000,\n2025-06-02,3,,411000,yes\n2025-06-03,-2,10.00,411000,no\n";
    let found = read(oldest.as_bytes(), &small(|_| {})).unwrap();
    assert!(
        found.contains("begin Statement account 411000 id \"\" sequence None - to - opening 10.00"),
        "{found}"
    );
    assert!(found.contains("end Statement account 411000 id \"\" sequence None 2025-06-01 to 2025-06-03 opening 10.00 closing 10.00"), "{found}");
    assert!(
        found.contains("2 at 3: 2025-06-02 valued - credit 3.00 reversal"),
        "{found}"
    );
    assert!(
        found.contains("adds up: 2 debits 3.00, 1 credits 3.00"),
        "{found}"
    );
    let mut lines: Vec<&str> = oldest.lines().collect();
    lines[1..].reverse();
    let newest = lines.join("\n");
    let mapping = small(|document| document.order = "newest_first".to_owned());
    let found = read(newest.as_bytes(), &mapping).unwrap();
    assert!(found.contains("opening - closing 10.00\n1 at"), "{found}");
    assert!(
        found.contains("opening 10.00 closing 10.00\nadds up: 2 debits 3.00, 1 credits 3.00"),
        "{found}"
    );
    // In the wrong order, no balance follows from the one before.
    assert_eq!(
        first(newest.as_bytes(), &small(|_| {})),
        "line 4, column balance: 9.00"
    );
    assert_eq!(
        first(oldest.as_bytes(), &mapping),
        "line 4, column balance: 10.00"
    );
    let other = oldest.replacen("3,,411000", "3,,411001", 1);
    assert_eq!(
        first(other.as_bytes(), &small(|_| {})),
        "line 3, column own: **1001"
    );
    let none = "date,amount,balance,own,back\n";
    let found = read(none.as_bytes(), &small(|_| {})).unwrap();
    assert!(found.contains("fault: opening: found (empty)"), "{found}");
}

#[test]
fn a_table_needs_a_mapping() {
    let Err(faults) = Reader::open(source(CORPORATE), None, Given::default()) else {
        panic!("it was opened");
    };
    assert_eq!(faults[0].field, "mapping");
    let faults = mapping_of("other", &[small(|_| {})]).unwrap_err();
    assert_eq!(
        faults[0].allowed.en,
        "one of small, corporate-ebank, treasury-centre, agent-bank"
    );
    assert_eq!(mapping_of("small", &[small(|_| {})]).unwrap().code(), "small");
}

#[test]
fn amounts_below_zero_are_refused_where_nobody_says_what_they_mean() {
    let words = r#"
code = "words"
name_zh = "词"
name_en = "Words"
source = "none"
dates = ["YYYY-MM-DD"]
[columns]
booked = ["date"]
amount = ["amount"]
direction = ["way"]
[amounts]
style = "words"
debit_words = ["out"]
credit_words = ["in"]
"#;
    let mapping = Mapping::parse(words).unwrap();
    let row = |row: &str| format!("date,way,amount\n2025-06-01,{row}\n");
    assert_eq!(first(row("out,-1").as_bytes(), &mapping), "line 2: -1.00");
    assert_eq!(
        first(row("over,1").as_bytes(), &mapping),
        "line 2, column way: another text"
    );
    assert_eq!(
        first(row(",1").as_bytes(), &mapping),
        "line 2, column way: (empty)"
    );
    let reversing = Mapping::parse(&words.replace("style =", "negative = \"reversal\"\nstyle =")).unwrap();
    let found = read(row("OUT,-1").as_bytes(), &reversing).unwrap();
    assert!(
        found.contains("1 at 2: 2025-06-01 valued - credit 1.00 reversal"),
        "{found}"
    );
}
