//! Orders to banks and what banks answer, before judges that share no code with us: the schema of the
//! message through xmllint, and banks in Python.

use crate::cli::office::{Answer, finish, root};
use crate::python::python;
use encoding_rs::GB18030;
use incentive_fund::domain::error::Error;
use incentive_fund::domain::money::Money;
use incentive_fund::domain::payer::Payer;
use incentive_fund::domain::payment::{
    Batch, BatchId, Block, Creditor, Debtor, Header, Instruction, Origin, Outcome, Reference,
};
use incentive_fund::payment::bank_table::{self, Encoding, Format, Options};
use incentive_fund::payment::{pain001, results};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use time::{Date, Month};

/// No such accounts.
const CITY_ACCOUNT: &str = "411000000000012345";
const COUNTY_ACCOUNT: &str = "411024000000054321";
const CLOSED: &str = "6222020000000000099";

fn day(day: u8) -> Date {
    Date::from_calendar_date(2025, Month::June, day).unwrap()
}

fn header() -> Header {
    Header {
        id: BatchId::parse("id", "01975e0c7b6a7f21a6c1d0a5b3c4d5e6").unwrap(),
        // 2025-06-11 23:59:59 UTC, the next day in China.
        created_at: 1_749_686_399_000_000,
        requested_on: day(13),
        initiator: "许昌市财政局".to_owned(),
        fund: "2025 年农业转移人口市民化奖补资金".to_owned(),
        programme: "购房补贴".to_owned(),
    }
}

fn debtor(payer: Payer) -> Debtor {
    let (name, account, bank) = match payer {
        Payer::City => ("许昌市财政局", CITY_ACCOUNT, "313491099996"),
        Payer::County => ("鄢陵县财政局", COUNTY_ACCOUNT, "102100099996"),
    };
    Debtor::parse("debtor", name, account, bank).unwrap()
}

fn pay(claim: u64, payer: Payer, fen: i64, name: &str, account: &str, remittance: &str) -> Instruction {
    let origin = Origin {
        claim,
        payer,
        attempt: 1,
    };
    Instruction {
        reference: Reference::of(origin).unwrap(),
        amount: Money::from_fen(fen).unwrap(),
        creditor: Creditor::parse("creditor", name, account, "中原银行许昌分行", "313491099996").unwrap(),
        remittance: remittance.to_owned(),
    }
}

fn batch(city: Vec<Instruction>, county: Vec<Instruction>) -> Batch {
    let blocks = [(Payer::County, county), (Payer::City, city)]
        .into_iter()
        .filter(|(_, instructions)| !instructions.is_empty())
        .map(|(payer, instructions)| Block {
            payer,
            debtor: debtor(payer),
            instructions,
        })
        .collect();
    Batch::new(header(), blocks).unwrap()
}

/// The batch of the golden files. No such persons.
fn sample() -> Batch {
    let (zhang, account) = ("张三", "6222020000000000012");
    batch(
        vec![
            pay(1001, Payer::City, 1_200_050, zhang, account, "购房补贴"),
            pay(
                1002,
                Payer::City,
                1,
                "O'Neill, \"A\" <&>",
                "6222020000000000013",
                "契税补贴",
            ),
            pay(
                1003,
                Payer::City,
                99_999_999,
                "阿卜杜拉·买买提",
                CLOSED,
                "购房补贴",
            ),
        ],
        vec![pay(1001, Payer::County, 300_000, zhang, account, "购房补贴")],
    )
}

/// As many payments of all kinds as it takes to meet every length that there is.
fn extremes() -> Batch {
    let long = |length: usize| "𠀀㛃许".chars().cycle().take(length).collect::<String>();
    let city = (1..=200_u64)
        .map(|at| {
            let claim = if at == 200 { Origin::MAX_CLAIM } else { at };
            let name = long(1 + (at as usize * 7) % 140);
            let remittance = long(1 + (at as usize * 11) % 114);
            let account = "9".repeat(6 + (at as usize) % 27);
            pay(
                claim,
                Payer::City,
                at as i64 * 1_000_003,
                &name,
                &account,
                &remittance,
            )
        })
        .chain([pay(
            777,
            Payer::City,
            Money::MAX.fen() / 2,
            &long(140),
            "123456",
            &long(114),
        )]);
    batch(city.collect(), Vec::new())
}

fn written(batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    pain001::write(batch, &mut bytes).unwrap();
    bytes
}

/// Holds a file against the schema that the Python package sepaxml ships.
pub fn xmllint(file: &Path) -> Answer {
    let schema = python(
        "tests/clients/schema_path.py",
        &["sepaxml", "schemas/pain.001.001.09.xsd"],
    );
    finish(
        Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema", schema.trim()])
            .arg(file),
    )
}

#[test]
fn orders_are_valid_by_the_schema() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("order.xml");
    for batch in [sample(), extremes()] {
        std::fs::write(&path, written(&batch)).unwrap();
        let answer = xmllint(&path);
        assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    }
    // The judge judges: a wrong method of payment, a text too long, an element out of its place.
    let good = String::from_utf8(written(&sample())).unwrap();
    for (from, to) in [
        ("<PmtMtd>TRF", "<PmtMtd>XXX"),
        ("<MsgId>", "<MsgId>123456"),
        ("<BtchBookg>false</BtchBookg>", ""),
    ] {
        let bad = good.replacen(from, to, 1);
        let bad = if to.is_empty() {
            bad.replacen("</PmtInf>", "<BtchBookg>false</BtchBookg></PmtInf>", 1)
        } else {
            bad
        };
        std::fs::write(&path, bad).unwrap();
        assert_ne!(xmllint(&path).code, 0, "{from}");
    }
}

#[test]
fn files_are_those_that_were_agreed() {
    let golden = |name: &str| std::fs::read(root().join("tests/data/golden").join(name)).unwrap();
    let same = |name: &str, bytes: Vec<u8>| {
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            String::from_utf8_lossy(&golden(name)),
            "{name}"
        );
    };
    same("payment-order.xml", written(&sample()));
    let options = Options {
        format: Format::Csv(Encoding::Utf8),
        total: true,
    };
    same(
        "payment-table.csv",
        bank_table::write(&sample(), Payer::City, options).unwrap(),
    );
    let county = batch(
        Vec::new(),
        vec![pay(1, Payer::County, 1, "张三", "123456", "补贴")],
    );
    assert!(matches!(
        bank_table::write(&county, Payer::City, options),
        Err(Error::NotFound { .. })
    ));
}

/// The texts of all elements of a name.
fn texts<'x>(xml: &'x str, name: &str) -> Vec<&'x str> {
    let end = format!("</{name}>");
    xml.split(&end)
        .filter_map(|part| part.rsplit_once(&format!("<{name}")))
        .filter_map(|(_, rest)| rest.split_once('>'))
        .map(|(_, text)| text)
        .collect()
}

#[test]
fn control_sums_are_the_sums() {
    let fen = |amount: &str| amount.replace('.', "").parse::<i128>().unwrap();
    for batch in [sample(), extremes()] {
        let xml = String::from_utf8(written(&batch)).unwrap();
        let (header, _) = xml.split_once("</GrpHdr>").unwrap();
        let all: Vec<i128> = texts(&xml, "InstdAmt").into_iter().map(fen).collect();
        assert_eq!(fen(texts(header, "CtrlSum")[0]), all.iter().sum());
        assert_eq!(texts(header, "NbOfTxs")[0], all.len().to_string());
        let blocks: Vec<&str> = xml.split("<PmtInf>").skip(1).collect();
        assert_eq!(blocks.len(), batch.blocks().count());
        for block in blocks {
            let amounts: Vec<i128> = texts(block, "InstdAmt").into_iter().map(fen).collect();
            assert_eq!(fen(texts(block, "CtrlSum")[0]), amounts.iter().sum());
            assert_eq!(texts(block, "NbOfTxs")[0], amounts.len().to_string());
        }
    }
}

#[test]
fn another_bank_reads_the_order_and_its_report_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (order, report) = (path("order.xml"), path("report.xml"));
    std::fs::write(&order, written(&sample())).unwrap();
    // The county's account does not hold what it is to pay.
    let debtors = [
        format!("{CITY_ACCOUNT}:1000000000"),
        format!("{COUNTY_ACCOUNT}:299999"),
    ];
    let said = python(
        "tests/clients/answer_order.py",
        &[&order, &report, CLOSED, &debtors[0], &debtors[1]],
    );
    let id = "01975e0c7b6a7f21a6c1d0a5b3c4d5e6";
    let mut expected = String::new();
    for (block, sums) in sample().blocks() {
        expected += &format!(
            "block {} {} {} {}\n",
            header().id.block(block.payer),
            block.debtor.account().as_str(),
            sums.count,
            sums.sum.fen()
        );
        for instruction in &block.instructions {
            expected += &format!(
                "payment {} {} {}\n",
                instruction.reference,
                instruction.amount.fen(),
                instruction.creditor.account().as_str()
            );
        }
    }
    assert_eq!(said, expected);

    let results = results::read("report.xml", &std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(results.batch.as_deref(), Some(id));
    assert_eq!(results.whole, None);
    let county = results.of_block(&header().id, Payer::County).unwrap();
    assert_eq!(county.code(), "failed");
    let codes: Vec<(String, Option<String>)> = results
        .payments
        .iter()
        .map(|payment| match &payment.outcome {
            Outcome::Failed { code, text } => {
                assert!(text.is_some());
                (payment.reference.to_string(), code.clone())
            }
            outcome => (payment.reference.to_string(), Some(outcome.code().to_owned())),
        })
        .collect();
    let references: Vec<String> = sample()
        .blocks()
        .flat_map(|(block, _)| {
            block
                .instructions
                .iter()
                .map(|each| each.reference.to_string())
                .collect::<Vec<_>>()
        })
        .collect();
    let said = ["pending", "pending", "AC04", "AM04"].map(|code| Some(code.to_owned()));
    assert_eq!(codes, references.into_iter().zip(said).collect::<Vec<_>>());
}

/// What the bank of the tables says of the payment with that serial number.
fn answer(serial: usize) -> Outcome {
    if serial.is_multiple_of(3) {
        Outcome::Failed {
            code: None,
            text: Some("户名与账号不符".to_owned()),
        }
    } else if serial.is_multiple_of(5) {
        Outcome::Pending
    } else {
        Outcome::Settled {
            on: day(13),
            transaction: Some(format!("T{serial}")),
        }
    }
}

/// Every payment of the city's block came back with its amount and what was answered.
fn came_back(batch: &Batch, file: &str, bytes: &[u8]) {
    let results = results::read(file, bytes).unwrap_or_else(|faults| panic!("{file}: {faults:?}"));
    let (block, sums) = batch.block(Payer::City).unwrap();
    assert_eq!(results.payments.len() as u64, sums.count);
    let found: HashMap<&Reference, _> = results
        .payments
        .iter()
        .map(|each| (&each.reference, each))
        .collect();
    for (instruction, serial) in block.instructions.iter().zip(1..) {
        let result = found[&instruction.reference];
        assert_eq!(result.amount, Some(instruction.amount), "{file}");
        assert_eq!(result.outcome, answer(serial), "{file}");
    }
}

#[test]
fn tables_come_back_filled_in() {
    for batch in [sample(), extremes()] {
        for encoding in [Encoding::Utf8, Encoding::Gb18030] {
            let options = Options {
                format: Format::Csv(encoding),
                total: true,
            };
            let table = bank_table::write(&batch, Payer::City, options).unwrap();
            let text = match encoding {
                Encoding::Utf8 => String::from_utf8(table).unwrap(),
                Encoding::Gb18030 => GB18030.decode(&table).0.into_owned(),
            };
            let mut filled = String::new();
            for (serial, line) in text.lines().enumerate() {
                let said = match answer(serial) {
                    _ if serial == 0 => "处理结果,失败原因,交易流水号,交易日期".to_owned(),
                    _ if line.starts_with("合计") => ",,,".to_owned(),
                    Outcome::Settled { on, transaction } => {
                        format!("成功,,{},{on}", transaction.unwrap_or_default())
                    }
                    Outcome::Failed { text, .. } => format!("失败,{},,", text.unwrap_or_default()),
                    Outcome::Pending => "处理中,,,".to_owned(),
                };
                filled += &format!("{line},{said}\r\n");
            }
            let bytes = match encoding {
                Encoding::Utf8 => filled.into_bytes(),
                Encoding::Gb18030 => GB18030.encode(&filled).0.into_owned(),
            };
            came_back(&batch, "results.csv", &bytes);
        }
    }
}

#[test]
fn workbooks_come_back_filled_in_by_another_program() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for batch in [sample(), extremes()] {
        for total in [true, false] {
            let options = Options {
                format: Format::Xlsx,
                total,
            };
            std::fs::write(
                path("table.xlsx"),
                bank_table::write(&batch, Payer::City, options).unwrap(),
            )
            .unwrap();
            python(
                "tests/clients/answer_table.py",
                &[&path("table.xlsx"), &path("answer.xlsx")],
            );
            came_back(
                &batch,
                "answer.xlsx",
                &std::fs::read(path("answer.xlsx")).unwrap(),
            );
        }
    }
}
