//! Whole files of banks, from bytes to outcomes or faults.

use super::*;
use crate::domain::payer::Payer;
use crate::domain::payment::{BatchId, Outcome};
use encoding_rs::GB18030;
use proptest::prelude::*;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use time::{Date, Month};

const HEADER: &str = "序号,收款人户名,业务参考号,金额,状态,失败原因,交易流水号,交易日期\n";

fn june(day: u8) -> Date {
    Date::from_calendar_date(2025, Month::June, day).unwrap()
}

fn settled(day: u8, transaction: &str) -> Outcome {
    Outcome::Settled {
        on: june(day),
        transaction: Some(transaction.to_owned()),
    }
}

fn failed(code: Option<&str>, text: Option<&str>) -> Outcome {
    Outcome::Failed {
        code: code.map(str::to_owned),
        text: text.map(str::to_owned),
    }
}

/// The faults of a file, which must not repeat what is personal.
fn faults(file_name: &str, text: &str) -> Vec<(String, String)> {
    let faults = read(file_name, text.as_bytes()).unwrap_err();
    for fault in &faults {
        let said = format!("{} {}", fault.sentence_en(), fault.sentence_zh());
        assert!(!said.contains("张三") && !said.contains("62220212"), "{said}");
    }
    faults
        .into_iter()
        .map(|fault| (fault.field, fault.found))
        .collect()
}

fn pairs(faults: &[(String, String)]) -> Vec<(&str, &str)> {
    faults
        .iter()
        .map(|(field, found)| (field.as_str(), found.as_str()))
        .collect()
}

fn rows() -> String {
    format!(
        "{HEADER}\
         1,张三,RF24123C1,\"12,000.50\",成功,,20250613-0001,2025-06-13\n\
         2,李四,RF93 101C 1,0.01,失败,户名与账号不符,,\n\
         3,王五,ＲＦ59102C1,3000,处理中,,,\n\
         合计,共3笔,,15000.51,,,,\n"
    )
}

#[test]
fn reads_a_table() {
    let read = |bytes: &[u8]| super::read("结果.csv", bytes).unwrap();
    let results = read(rows().as_bytes());
    let outcomes: Vec<(u32, &str, &str, &Outcome)> = results
        .payments
        .iter()
        .map(|payment| {
            (
                payment.line,
                payment.reference.as_str(),
                payment.outcome.code(),
                &payment.outcome,
            )
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            (2, "RF24123C1", "settled", &settled(13, "20250613-0001")),
            (3, "RF93101C1", "failed", &failed(None, Some("户名与账号不符"))),
            (4, "RF59102C1", "pending", &Outcome::Pending),
        ]
    );
    assert_eq!(results.payments[0].amount.unwrap().fen(), 1_200_050);
    assert_eq!(results.batch, None);
    assert_eq!(results, read(&GB18030.encode(&rows()).0));
    assert_eq!(results, read(format!("\u{feff}{}", rows()).as_bytes()));
}

#[test]
fn reads_a_workbook() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_string(0, 0, "代发结果清单").unwrap();
    for (column, heading) in (0..).zip(["参考号", "交易金额", "处理结果", "流水号", "交易日期", "收款账号"])
    {
        sheet.write_string(1, column, heading).unwrap();
    }
    let day = Format::new().set_num_format("yyyy/m/d");
    for (row, reference) in (2..).zip(["RF24123C1", "RF93101C1"]) {
        sheet.write_string(row, 0, reference).unwrap();
        sheet.write_number(row, 1, 12000.5).unwrap();
        sheet.write_string(row, 2, "交易成功").unwrap();
        sheet.write_string(row, 3, "7").unwrap();
        let date = ExcelDateTime::from_ymd(2025, 6, 13).unwrap();
        sheet.write_datetime_with_format(row, 4, &date, &day).unwrap();
        sheet.write_number(row, 5, 6_222_021_234_567_890_123_f64).unwrap();
    }
    sheet.write_string(4, 0, "合计").unwrap();
    sheet.write_number(4, 1, 24001).unwrap();
    let results = read("results.xlsx", &workbook.save_to_buffer().unwrap()).unwrap();
    assert_eq!(results.payments.len(), 2);
    assert_eq!(results.payments[1].outcome, settled(13, "7"));
    assert_eq!(results.payments[1].line, 4);
}

#[test]
fn reads_days_and_words_as_banks_write_them() {
    for day in [
        "2025-06-13",
        "2025/6/13",
        "20250613",
        "2025.06.13",
        "2025年6月13日",
        "２０２５-０６-１３",
        "2025-06-13 10:00:00",
    ] {
        let text = format!("参考号,金额,结果,交易日期\nRF24123C1,1,Success,{day}\n");
        let results = read("r.csv", text.as_bytes()).unwrap();
        assert!(
            matches!(results.payments[0].outcome, Outcome::Settled { on, .. } if on == june(13)),
            "{day}"
        );
    }
    for day in [
        "",
        "2025-06-31",
        "25-06-13",
        "13.06.2025",
        "202506",
        "2025-06-13-1",
        "2025--13",
    ] {
        let text = format!("参考号,金额,结果,交易日期\nRF24123C1,1,成功,{day}\n");
        let found = faults("r.csv", &text);
        assert_eq!(found[0].0, "line 2, column date", "{day}");
    }
}

#[test]
fn reports_every_fault_of_a_table_with_its_line() {
    let text = format!(
        "{HEADER}\
         1,张三,RF24123C1,12000.505,成功,,1,2025-06-13\n\
         2,张三,RF25123C1,1.00,成功,,1,2025-06-13\n\
         3,张三,RF24123C1,1.00,已受理,,1,2025-06-13\n\
         4,张三,6222021234567890123,-1.00,失败,,,\n\
         5,张三,,1e3,成功,,1,\n\
         6,张三,RF93101C1,\"1,00.00\",处理中,,{},\n",
        "7".repeat(65)
    );
    let found = faults("r.csv", &text);
    assert_eq!(
        pairs(&found),
        [
            ("line 2, column amount", "12000.505"),
            ("line 3, column reference", "RF25123C1"),
            ("line 4, column reference", "RF24123C1 again"),
            ("line 4, column status", "已受理"),
            (
                "line 5, column reference",
                "19 characters that do not begin with RF"
            ),
            ("line 5, column amount", "-1.00"),
            ("line 5, column reason", "(empty)"),
            ("line 6, column reference", "(empty)"),
            ("line 6, column amount", "1e3"),
            ("line 6, column date", "(empty)"),
            ("line 7, column amount", "1,00.00"),
            ("line 7, column transaction", "65 characters"),
        ]
    );
}

#[test]
fn holds_a_table_against_its_sums() {
    // Without the second row, as in a file that lost one.
    let cut = rows()
        .lines()
        .filter(|line| !line.starts_with('2'))
        .collect::<Vec<_>>()
        .join("\n");
    assert_eq!(
        pairs(&faults("r.csv", &cut)),
        [("line 4, column amount", "15000.51"), ("line 4", "3 payments")]
    );
    // Cut within a row, within a quoted cell, and before any row.
    let full = rows();
    let at = full.find("户名与").unwrap();
    assert_eq!(pairs(&faults("r.csv", &full[..at])), [("line 3", "6 cells")]);
    let at = full.find(",000.50").unwrap();
    assert_eq!(
        pairs(&faults("r.csv", &full[..at])),
        [("line 2", "a quotation mark that is never closed")]
    );
    assert_eq!(pairs(&faults("r.csv", HEADER)), [("file", "no payments")]);
    // Rows below the sums, as in a file that was glued together.
    let glued = format!("{}4,赵六,RF25103C1,1.00,处理中,,,\n", rows());
    assert_eq!(pairs(&faults("r.csv", &glued)), [("line 6", "a row")]);
}

const NS: &str = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10";

fn payment(reference: &str, rest: &str) -> String {
    format!("<TxInfAndSts>\n<OrgnlEndToEndId>{reference}</OrgnlEndToEndId>\n{rest}</TxInfAndSts>\n")
}

/// A report with the header on lines 1 to 5 and payments from line 6.
fn report(group: &str, block: &str, payments: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"{NS}\"><CstmrPmtStsRpt>\n\
         <GrpHdr><MsgId>B1</MsgId><CreDtTm>2025-06-13T18:30:00Z</CreDtTm></GrpHdr>\n\
         <OrgnlGrpInfAndSts><OrgnlMsgId>batch</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}\
         </OrgnlGrpInfAndSts>\n<OrgnlPmtInfAndSts><OrgnlPmtInfId>batch-1</OrgnlPmtInfId>{block}\n{payments}\
         </OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>\n"
    )
}

#[test]
fn reads_a_report() {
    let payments = [
        payment(
            "RF24123C1",
            "<TxSts>ACSC</TxSts><AccptncDtTm>2025-06-12T09:00:00</AccptncDtTm><AcctSvcrRef>T&#49;&amp;</AcctSvcrRef>\
             <OrgnlTxRef><Amt><InstdAmt Ccy=\"CNY\">12000.50</InstdAmt></Amt></OrgnlTxRef>",
        ),
        payment(
            "RF93101C1",
            "<TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AC01</Cd></Rsn><AddtlInf>户名与</AddtlInf><AddtlInf>账号不符</AddtlInf>\
             </StsRsnInf><SplmtryData><Envlp><x xmlns=\"urn:other\">1</x></Envlp></SplmtryData>",
        ),
        payment("RF59102C1", "<TxSts>PDNG</TxSts>"),
        payment("RF25103C1", "<TxSts>ACCC</TxSts>"),
    ]
    .concat();
    let text = report("<GrpSts>PART</GrpSts>", "<PmtInfSts>PART</PmtInfSts>", &payments);
    let results = read("report.xml", text.as_bytes()).unwrap();
    assert_eq!(results.batch.as_deref(), Some("batch"));
    assert_eq!((results.whole.as_ref(), results.blocks.len()), (None, 0));
    let outcomes: Vec<&Outcome> = results.payments.iter().map(|payment| &payment.outcome).collect();
    let late = Outcome::Settled {
        // The message's time, which is the next day in China.
        on: june(14),
        transaction: None,
    };
    assert_eq!(
        outcomes,
        [
            &settled(12, "T1&"),
            &failed(Some("AC01"), Some("户名与 账号不符")),
            &Outcome::Pending,
            &late,
        ]
    );
    assert_eq!(results.payments[0].amount.unwrap().fen(), 1_200_050);
    assert_eq!(results.payments[1].line, 9);

    // The same with a prefix, in GB18030, and behind a comment.
    let prefixed = text
        .replace("UTF-8", "GB18030")
        .replace("xmlns=\"urn:iso", "xmlns:p=\"urn:iso")
        .replace("</", "</p:")
        .replace("<", "<p:")
        .replace("<p:/p:", "</p:")
        .replace("<p:?", "<!-- 回执 --><?")
        .replace("<!-- 回执 --><?xml", "<?xml")
        .replace("<p:x ", "<x ")
        .replace("</p:x>", "</x>");
    assert_eq!(read("report.xml", &GB18030.encode(&prefixed).0).unwrap(), results);
}

#[test]
fn reads_what_is_said_of_whole_blocks() {
    let id = BatchId::parse("id", "batch").unwrap();
    let text = report(
        "<GrpSts>RJCT</GrpSts><StsRsnInf><Rsn><Prtry>X9</Prtry></Rsn></StsRsnInf>",
        "<PmtInfSts>ACSP</PmtInfSts>",
        "",
    );
    let results = read("r", text.as_bytes()).unwrap();
    assert_eq!(results.of_block(&id, Payer::City), Some(&Outcome::Pending));
    let rejected = failed(Some("X9"), None);
    assert_eq!(results.of_block(&id, Payer::County), Some(&rejected));
}

#[test]
fn reports_every_fault_of_a_report_with_its_line() {
    let payments = [
        payment("RF24123C1", "<TxSts>OK</TxSts>"),
        payment("RF25123C1", "<TxSts>PDNG</TxSts>"),
        payment("RF24123C1", "<TxSts>BLCK</TxSts>"),
        payment("张三", "<TxSts>ACSC</TxSts><AccptncDtTm>2025-13-01</AccptncDtTm>"),
        payment(
            "RF93101C1",
            "<TxSts>PDNG</TxSts><TxSts>PDNG</TxSts>\
             <OrgnlTxRef><Amt><InstdAmt Ccy=\"CNY\">1.005</InstdAmt></Amt></OrgnlTxRef>",
        ),
        payment(
            "RF59102C1",
            "<TxSts>PDNG</TxSts><OrgnlTxRef><Amt><InstdAmt Ccy=\"EUR\">1.00</InstdAmt></Amt></OrgnlTxRef>",
        ),
    ]
    .concat();
    let text = report("", "", &payments).replace("pain.001.001.09", "pain.008.001.08");
    assert_eq!(
        pairs(&faults("r.xml", &text)),
        [
            ("line 4, OrgnlMsgNmId", "pain.008.001.08"),
            ("line 6, TxSts", "OK"),
            ("line 9, OrgnlEndToEndId", "RF25123C1"),
            ("line 12, OrgnlEndToEndId", "RF24123C1 again"),
            ("line 12, TxSts", "BLCK"),
            (
                "line 15, OrgnlEndToEndId",
                "2 characters that do not begin with RF"
            ),
            ("line 15, AccptncDtTm", "2025-13-01"),
            ("line 20, TxSts", "TxSts again"),
            ("line 18, InstdAmt", "1.005"),
            ("line 21, InstdAmt", "EUR"),
        ]
    );
    let block = "<OrgnlPmtInfAndSts><OrgnlPmtInfId>batch-1</OrgnlPmtInfId></OrgnlPmtInfAndSts>";
    let text = report("", "<PmtInfSts>PDNG</PmtInfSts>", "")
        .replace("</CstmrPmtStsRpt>", &format!("{block}</CstmrPmtStsRpt>"));
    assert_eq!(
        pairs(&faults("r.xml", &text)),
        [("line 6, OrgnlPmtInfId", "batch-1 again")]
    );
    let empty = report("", "", "");
    assert_eq!(pairs(&faults("r.xml", &empty)), [("file", "no status")]);
}

#[test]
fn refuses_xml_that_is_no_report() {
    let good = report("", "", &payment("RF24123C1", "<TxSts>PDNG</TxSts>"));
    assert!(read("r.xml", good.as_bytes()).is_ok());
    let with = |from: &str, to: &str| good.replacen(from, to, 1);
    for (text, part) in [
        (
            with("<Document", "<!DOCTYPE Document [<!ENTITY a \"b\">]><Document"),
            "DOCTYPE",
        ),
        (with("PDNG", "&a;"), "an entity"),
        (with("PDNG", "&#0;"), "an entity"),
        (with("pain.002.001.10", "pain.002.001.03"), "pain.002.001.03"),
        (with(&format!(" xmlns=\"{NS}\""), ""), "no namespace"),
        (with("<TxSts>", "<TxSts xmlns=\"urn:other\">"), "urn:other"),
        (with("UTF-8", "ISO-8859-1"), "iso-8859-1"),
        (with("</TxSts>", "</TxSt>"), "malformed XML in /Document/"),
        (format!("{good}<Document xmlns=\"{NS}\"/>"), "a second message"),
        (format!("{good}张三"), "text outside"),
        (
            with("<TxSts>", &format!("<TxSts a=\"{}\">", "x".repeat(5_000))),
            "a longer tag",
        ),
        (with("PDNG", &"x".repeat(70_000)), "a longer piece"),
        (
            with("PDNG", &format!("{}{}", "<a>".repeat(40), "</a>".repeat(40))),
            "deeper nesting",
        ),
    ] {
        let found = faults("r.xml", &text);
        assert!(
            found.iter().any(|(_, found)| found.contains(part)),
            "{part}: {found:?}"
        );
    }
}

#[test]
fn takes_nothing_of_a_report_that_was_cut_short() {
    let good = report("", "", &payment("RF24123C1", "<TxSts>PDNG</TxSts>"));
    let whole = good.trim_end().len();
    for end in 1..whole {
        if good.is_char_boundary(end) {
            assert!(
                read("r.xml", &good.as_bytes()[..end]).is_err(),
                "{}",
                &good[..end]
            );
        }
    }
    let found = faults("r.xml", &good[..good.find("</TxInfAndSts>").unwrap()]);
    assert_eq!(found[0].0, "line 8");
    assert!(
        found[0]
            .1
            .starts_with("the end of the file in /Document/CstmrPmtStsRpt"),
        "{found:?}"
    );
}

proptest! {
    /// Whatever happens to a file on its way, reading it ends, and what is personal stays in it.
    #[test]
    fn reads_or_refuses_a_damaged_file(
        xml in any::<bool>(),
        damages in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6),
    ) {
        let text = if xml {
            let payments = payment("RF24123C1", "<TxSts>RJCT</TxSts><StsRsnInf><AddtlInf>张三</AddtlInf></StsRsnInf>");
            report("<GrpSts>PART</GrpSts>", "", &payments)
        } else {
            rows()
        };
        let mut bytes = text.into_bytes();
        for (at, byte, kind) in damages {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        if let Err(faults) = read("r", &bytes) {
            prop_assert!(!faults.is_empty());
        }
    }
}
