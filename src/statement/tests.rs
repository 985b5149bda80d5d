//! What is read of whole files, and what is refused.

mod refusing;
mod written;

use super::*;
use crate::domain::reconciliation::{Checker, StatementHead};
use std::fmt::Write;
use std::io::Cursor;

pub(super) fn source(bytes: &[u8]) -> Source {
    Box::new(Cursor::new(bytes.to_vec()))
}

/// Everything in a file, as it stands in golden files. What is personal is shown: nobody in them is real.
pub(super) fn told(reader: &mut Reader) -> Result<String, Vec<Violation>> {
    let mut out = format!("format {}\n", reader.format().code());
    let mut checker = Checker::default();
    while let Some(event) = reader.next()? {
        match event {
            Event::Begin(head) => {
                checker = Checker::default();
                writeln!(out, "\n{}", head_of("begin", &head)).unwrap();
            }
            Event::Line(line) => {
                checker.line(&line).map_err(|violation| vec![violation])?;
                writeln!(
                    out,
                    "{}{} at {}: {} valued {} {} {}{}{}{} bank {:?} to {:?} {:?} text {:?}",
                    line.line,
                    line.part.map(|part| format!(" part {part}")).unwrap_or_default(),
                    line.at,
                    line.booked,
                    line.valued.map_or_else(|| "-".to_owned(), |day| day.to_string()),
                    line.direction,
                    line.amount,
                    if line.reversal { " reversal" } else { "" },
                    line.reference
                        .map(|found| format!(" reference {found}"))
                        .unwrap_or_default(),
                    line.order
                        .map(|found| format!(" order {found}"))
                        .unwrap_or_default(),
                    line.bank_reference,
                    line.counterparty_account
                        .as_ref()
                        .map_or("", |account| account.as_str()),
                    line.counterparty_name.unwrap_or_default(),
                    line.text,
                )
                .unwrap();
            }
            Event::End(head) => {
                writeln!(out, "{}", head_of("end", &head)).unwrap();
                match checker.finish(&head) {
                    Ok(head) => {
                        let StatementHead { debits, credits, .. } = head;
                        writeln!(
                            out,
                            "adds up: {} debits {}, {} credits {}",
                            debits.count, debits.sum, credits.count, credits.sum
                        )
                        .unwrap();
                    }
                    Err(faults) => {
                        for fault in faults {
                            writeln!(out, "fault: {fault}").unwrap();
                        }
                    }
                }
            }
        }
    }
    Ok(out)
}

fn head_of(word: &str, head: &HeadSoFar) -> String {
    let money = |amount: Option<crate::domain::money::Money>| {
        amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string())
    };
    let day = |day: Option<time::Date>| day.map_or_else(|| "-".to_owned(), |day| day.to_string());
    format!(
        "{word} {:?} account {} id {:?} sequence {:?} {} to {} opening {} closing {}",
        head.kind,
        head.account.as_ref().map_or("-", |account| account.as_str()),
        head.identification,
        head.sequence,
        day(head.from),
        day(head.to),
        money(head.opening),
        money(head.closing),
    )
}

pub(super) fn golden(found: &str, golden: &str, name: &str) {
    if let Some(directory) = std::env::var_os("INCENTIVE_FUND_WRITE_GOLDEN") {
        std::fs::write(std::path::Path::new(&directory).join(name), found).unwrap();
        return;
    }
    assert!(found == golden, "{name} is read as\n{found}");
}

fn read(bytes: &[u8]) -> Result<String, Vec<Violation>> {
    told(&mut Reader::open(source(bytes), None, Given::default())?)
}

/// The faults of a file; none of them, and nothing that is shown of it, repeats what is personal.
pub(super) fn refused(bytes: &[u8]) -> Vec<Violation> {
    let faults = match read(bytes) {
        Err(faults) => faults,
        Ok(read) => panic!("it was read as\n{read}"),
    };
    for fault in &faults {
        let said = format!("{fault:?}");
        for personal in ["令狐", "司空", "6222", "621799", "54321", "411024000"] {
            assert!(!said.contains(personal), "{said}");
        }
    }
    faults
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/data/statements/", $name))
    };
}

macro_rules! reads_as_golden {
    ($($test:ident $name:literal)+) => {$(
        #[test]
        fn $test() {
            let bytes = fixture!($name);
            let found = read(bytes).unwrap_or_else(|faults| panic!("{faults:#?}"));
            let wanted = include_str!(concat!("../../tests/data/statements/golden/", $name, ".txt"));
            golden(&found, wanted, concat!($name, ".txt"));
        }
    )+};
}

reads_as_golden! {
    a_statement_of_version_2 "camt053-02.xml"
    a_statement_of_version_8 "camt053-08.xml"
    a_notification "camt054-08.xml"
    mt940_in_blocks_and_pages "mt940-blocks.sta"
    mt940_bare_in_gbk "mt940-plain-gbk.sta"
}

const CAMT: &[u8] = fixture!("camt053-02.xml");
const MT940: &[u8] = fixture!("mt940-blocks.sta");

/// The file with one text in place of another, which must be there.
fn changed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

fn first(bytes: &[u8]) -> String {
    let faults = refused(bytes);
    format!("{}: {}", faults[0].field, faults[0].found)
}

#[test]
fn the_same_file_in_every_encoding() {
    let plain = read(CAMT).unwrap();
    let text = std::str::from_utf8(CAMT).unwrap();
    let utf16 = text.replace("encoding=\"UTF-8\"", "encoding=\"UTF-16\"");
    let utf16: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(utf16.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let gbk = text.replace("encoding=\"UTF-8\"", "encoding=\"GBK\"");
    let gbk = encoding_rs::GB18030.encode(&gbk).0.into_owned();
    let crlf = text.replace('\n', "\r\n").into_bytes();
    for bytes in [utf16, gbk, crlf] {
        assert_eq!(read(&bytes).unwrap(), plain);
    }
    assert_eq!(
        first(&changed(CAMT, "encoding=\"UTF-8\"", "encoding=\"ISO-8859-1\"")),
        "line 1: encoding iso-8859-1"
    );
}

#[test]
fn every_truncation_of_a_message_is_refused() {
    let whole = CAMT.len();
    for length in (0..whole - 20).step_by(97) {
        refused(&CAMT[..length]);
    }
    let text = std::str::from_utf8(MT940).unwrap();
    for (at, _) in text.match_indices('\n') {
        // Up to the last line, a file without its end lacks a balance.
        if at < text.rfind(":62F:").unwrap() {
            refused(&MT940[..at]);
        }
    }
}

#[test]
fn tells_a_statement_that_does_not_add_up() {
    for (from, to, fault) in [
        (
            "92499.50</Amt>",
            "92499.51</Amt>",
            "fault: closing: found 92499.51, allowed: 92499.50: opening",
        ),
        (
            "<NbOfNtries>2</NbOfNtries>",
            "<NbOfNtries>3</NbOfNtries>",
            "fault: declared number of debit entries: found 3",
        ),
        (
            "<Sum>5000.00",
            "<Sum>5000.01",
            "fault: declared sum of credits: found 5000.01",
        ),
        (
            "<NbOfNtries>5",
            "<NbOfNtries>4",
            "fault: declared number of entries: found 4",
        ),
        (
            "<FrDtTm>2025-06-13",
            "<FrDtTm>2025-06-14",
            "fault: from: found 2025-06-14",
        ),
    ] {
        let read = read(&changed(CAMT, from, to)).unwrap();
        assert!(read.contains(fault), "{read}");
    }
}

#[test]
fn tells_formats_by_content() {
    for (bytes, found) in [
        (&b""[..], "file: an empty file"),
        (b" \r\n", "file: an empty file"),
        (
            b"\xd0\xcf\x11\xe0",
            "file: an .xls file or a workbook with a password",
        ),
        (
            b"<html><table>",
            "file: a page of HTML, whatever its name ends with",
        ),
    ] {
        assert_eq!(first(bytes), found);
    }
    for (bytes, format) in [
        (&b"\xef\xbb\xbf<?xml"[..], Format::Camt),
        (b"\xff\xfe<\0?\0", Format::Camt),
        (b"\r\n{1:F01", Format::Mt940),
        (b":20:X", Format::Mt940),
        (b"PK\x03\x04", Format::Xlsx),
        (b"a,b", Format::Csv),
    ] {
        assert_eq!(format_of(bytes).unwrap(), format);
    }
}

#[test]
fn what_is_said_beside_a_file_must_be_the_same() {
    let account = |digits: &str| crate::domain::payment::AccountNumber::parse("account", digits).ok();
    let given = |account, opening: Option<i64>| Given {
        account,
        opening: opening.and_then(crate::domain::money::Money::from_fen),
        ..Given::default()
    };
    let open = |given| told(&mut Reader::open(source(CAMT), None, given).unwrap());
    assert!(open(given(account("411024000000054321"), Some(10_000_000))).is_ok());
    let faults = open(given(account("411000000000000001"), Some(1))).unwrap_err();
    assert_eq!(faults[0].field, "account");
    assert!(!format!("{faults:?}").contains("411024000"), "{faults:?}");
    assert_eq!(
        faults[1].sentence_en(),
        "opening: found 100000.00, allowed: 0.01, as was said beside the file"
    );
}
