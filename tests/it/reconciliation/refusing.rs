//! Bad statements: refused with what is wrong and where, and nothing is stored.

use super::office::{CITY, NUMBER, Office, camt, last_month, other};
use crate::harness::{Client, World, id, inner, refused, stories};
use incentive_fund::grpc::pb;
use rust_xlsxwriter::Workbook;
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
    for (what, file) in [
        ("truncated", good[..good.len() / 2].to_owned()),
        ("billion laughs", laughs),
        (
            "another version",
            good.replace("camt.053.001.02", "camt.053.001.99"),
        ),
        ("three decimals", good.replace(">5.00<", ">5.001<")),
        ("lines that do not add up", good.replace(">5.00<", ">6.00<")),
        ("another's account", good.replace(NUMBER, "999900001111222233")),
        ("nothing", String::new()),
    ] {
        let refusal = refused(maker.import_statement(&file).await);
        assert_eq!(refusal.reason, "INVALID_FIELDS", "{what}");
        let said = format!("{refusal:?}");
        assert!(
            !said.contains("999900001111222233") && !said.contains(NUMBER),
            "{what}: {said}"
        );
        println!("{what}: {said}");
        assert_eq!(statements(&mut maker).await, 0, "{what}");
    }
    // A workbook whose amounts are formulas.
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, head) in (0..).zip([
        "交易日期",
        "借方金额",
        "贷方金额",
        "余额",
        "对方户名",
        "对方账号",
        "摘要",
    ]) {
        sheet.write_string(0, column, head).unwrap();
    }
    sheet.write_string(1, 0, first.to_string()).unwrap();
    sheet.write_formula(1, 1, "=2+3").unwrap();
    sheet.write_number(1, 3, 995.0).unwrap();
    let header = pb::ImportStatementHeader {
        account: CITY.to_owned(),
        file_name: "june.xlsx".to_owned(),
        mapping: MAPPING.to_owned(),
        request_id: id(),
        ..Default::default()
    };
    let refusal = refused(
        maker
            .import_statement_as(header, &book.save_to_buffer().unwrap())
            .await,
    );
    println!("formulas: {refusal:?}");
    assert_eq!(refusal.reason, "INVALID_FIELDS");
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
    for (what, from, opening) in [
        ("overlap", last, closing),
        ("gap", last + Duration::days(2), closing + 1),
    ] {
        let (file, _) = camt("2", (from, last + Duration::days(9)), opening, &[]);
        let refusal = refused(maker.import_statement(&file).await);
        assert_eq!(refusal.reason, "INVALID_FIELDS", "{what}: {refusal:?}");
    }
    assert_eq!(statements(&mut maker).await, 1);
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
