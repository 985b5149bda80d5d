//! Bad statements: refused with what is wrong and where, and nothing is stored.

use super::office::{CITY, NUMBER, Office, camt, last_month, other};
use crate::harness::{Client, World, id, inner, refused, stories};
use incentive_fund::grpc::pb;
use rust_xlsxwriter::{Formula, Workbook};
use time::Duration;

stories!(what_is_not_in_order_is_refused_and_leaves_nothing);

const MAPPING: &str = include_str!("../../../config/statements/corporate-ebank.toml");

async fn statements(client: &mut Client) -> usize {
    let request = pb::ListStatementsRequest {
        account: CITY.to_owned(),
        ..Default::default()
    };
    inner(client.reconciliations.list_statements(request).await)
        .statements
        .len()
}

async fn what_is_not_in_order_is_refused_and_leaves_nothing(world: World) {
    let Office {
        server, mut maker, ..
    } = Office::open(&world, 0).await;
    let (first, last) = last_month();
    let lines = [other(first, -5_00, "手续费"), other(last, 12_34, "利息")];
    let (good, closing) = camt("1", (first, last), 1_000_00, &lines);
    let laughs = good.replace(
        "?>\n",
        "?>\n<!DOCTYPE lolz [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>\n",
    );
    for (what, file, field, words) in [
        (
            "truncated",
            good[..good.len() / 2].to_owned(),
            "line 2",
            "well-formed XML",
        ),
        ("billion laughs", laughs, "line 2", "a document type (DOCTYPE)"),
        (
            "another version",
            good.replace("camt.053.001.02", "camt.053.001.99"),
            "line 2",
            "the namespace urn:iso:std:iso:20022:tech:xsd:camt.053.001.99",
        ),
        (
            "three decimals",
            good.replace(">5.00<", ">5.001<"),
            "line 2, Ntry/Amt",
            "at most two decimals",
        ),
        (
            "lines that do not add up",
            good.replace(">5.00<", ">6.00<"),
            "closing",
            "1006.34",
        ),
        (
            "another's account",
            good.replace(NUMBER, "999900001111222233"),
            "account",
            "payment.debtor",
        ),
        ("nothing", String::new(), "file", "an empty file"),
    ] {
        let refusal = refused(maker.import_statement(&file).await);
        assert_eq!(refusal.reason, "INVALID_FIELDS", "{what}");
        let said = format!("{refusal:?}");
        assert!(
            !said.contains("999900001111222233") && !said.contains(NUMBER),
            "{what}: {said}"
        );
        refusal.tells(field, &[words]);
        assert_eq!(statements(&mut maker).await, 0, "{what}");
    }
    // A workbook whose amounts are formulas; the same with values is in order.
    let header = |validate_only: bool| pb::ImportStatementHeader {
        account: CITY.to_owned(),
        file_name: "june.xlsx".to_owned(),
        mapping: MAPPING.to_owned(),
        request_id: id(),
        validate_only,
        ..Default::default()
    };
    for (what, formula) in [("the amount of a row", 1), ("the balance of a row", 3)] {
        let file = workbook((first, last), Some(formula));
        let refusal = refused(maker.import_statement_as(header(false), &file).await);
        assert_eq!(refusal.reason, "INVALID_FIELDS", "{what}");
        let field = ["", "line 5, column 借方金额", "", "line 5, column 余额"][formula as usize];
        refusal.tells(field, &["a formula", "not what the bank wrote"]);
        assert_eq!(statements(&mut maker).await, 0, "{what}");
    }
    let file = workbook((first, last), None);
    maker.import_statement_as(header(true), &file).await.unwrap();
    assert_eq!(statements(&mut maker).await, 0);
    // Cut short on its way.
    let header = pb::ImportStatementHeader {
        bytes: good.len() as u64 + 1,
        ..Default::default()
    };
    refused(maker.import_statement_as(header, good.as_bytes()).await).tells("header.bytes", &["cut short"]);
    // Another format or account than was said.
    let header = pb::ImportStatementHeader {
        format: pb::StatementFormat::Mt940.into(),
        ..Default::default()
    };
    refused(maker.import_statement_as(header, good.as_bytes()).await).tells("header.format", &["camt"]);
    let header = pb::ImportStatementHeader {
        account: "bankAccounts/county".to_owned(),
        ..Default::default()
    };
    refused(maker.import_statement_as(header, good.as_bytes()).await);
    let header = pb::ImportStatementHeader {
        account: "bankAccounts/state".to_owned(),
        ..Default::default()
    };
    refused(maker.import_statement_as(header, good.as_bytes()).await).tells("header.account", &["state"]);
    // A trial keeps nothing; then it is taken.
    let header = pb::ImportStatementHeader {
        validate_only: true,
        ..Default::default()
    };
    maker.import_statement_as(header, good.as_bytes()).await.unwrap();
    assert_eq!(statements(&mut maker).await, 0);
    maker.import_statement(&good).await.unwrap();
    // What overlaps with it, or leaves out what moved the balance between.
    for (what, from, opening, field, words) in [
        ("overlap", last, closing, "from", "the two overlap"),
        (
            "gap",
            last + Duration::days(2),
            closing + 1,
            "opening",
            "the closing balance of the statement before",
        ),
    ] {
        let (file, _) = camt("2", (from, last + Duration::days(9)), opening, &[]);
        let refusal = refused(maker.import_statement(&file).await);
        assert_eq!(refusal.reason, "INVALID_FIELDS", "{what}: {refusal:?}");
        refusal.tells(field, &[words]);
        assert_eq!(statements(&mut maker).await, 1, "{what}");
    }
    // Jobs and breaks that there are not.
    let request = pb::GetReconciliationRequest {
        name: "reconciliations/7".to_owned(),
    };
    assert_eq!(
        refused(maker.reconciliations.get_reconciliation(request).await).reason,
        "NOT_FOUND"
    );
    let request = pb::GetBreakRequest {
        name: format!("{CITY}/breaks/7"),
    };
    assert_eq!(
        refused(maker.reconciliations.get_break(request).await).reason,
        "NOT_FOUND"
    );
    let request = pb::CreateReconciliationRequest {
        account: "bankAccounts/county".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        refused(maker.reconciliations.create_reconciliation(request).await).reason,
        "NO_STATEMENT"
    );
    server.stop().await;
}

/// Two lines as e-banking exports them. With a column, the first line has a formula there, which gives the same.
fn workbook((first, last): (time::Date, time::Date), formula: Option<u16>) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_string(0, 0, format!("账号:{NUMBER}")).unwrap();
    sheet
        .write_string(1, 0, format!("查询时间:{first} 至 {last}"))
        .unwrap();
    sheet.write_string(2, 0, "期初余额").unwrap();
    sheet.write_number(2, 3, 1_000.0).unwrap();
    for (column, head) in (0..).zip(["交易日期", "借方金额", "贷方金额", "余额", "摘要"]) {
        sheet.write_string(3, column, head).unwrap();
    }
    for (row, day, column, amount, balance) in [(4, first, 1, 5.0, 995.0), (5, last, 2, 12.34, 1_007.34)] {
        sheet.write_string(row, 0, day.to_string()).unwrap();
        sheet.write_number(row, column, amount).unwrap();
        sheet.write_number(row, 3, balance).unwrap();
    }
    if let Some(column) = formula {
        let (text, result) = if column == 1 {
            ("2+3", "5")
        } else {
            ("1000-5", "995")
        };
        sheet
            .write_formula(4, column, Formula::new(text).set_result(result))
            .unwrap();
    }
    book.save_to_buffer().unwrap()
}
