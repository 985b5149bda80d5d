//! What is read of whole files, and what is refused.

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
const CAMT_8: &[u8] = fixture!("camt053-08.xml");
const MT940: &[u8] = fixture!("mt940-blocks.sta");

/// The file with one text in place of another, which must be there.
fn changed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

/// Holds the first fault of each changed file against what it should be.
fn refuse_all(bytes: &[u8], changes: &[(&str, &str, &str)]) {
    let differing: Vec<String> = changes
        .iter()
        .map(|(from, to, wanted)| (first(&changed(bytes, from, to)), wanted, to))
        .filter(|(found, wanted, _)| found != *wanted)
        .map(|(found, wanted, to)| format!("{to}\n  found  {found}\n  wanted {wanted}"))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
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
fn refuses_xml_that_means_harm() {
    let laughs = changed(
        CAMT,
        "<Document",
        "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;\">]><Document",
    );
    assert_eq!(first(&laughs), "line 3: a document type (DOCTYPE)");
    let entity = changed(CAMT, "YLCZ-2025-117", "&lol;");
    assert!(first(&entity).contains("an entity"), "{}", first(&entity));
    let outside = changed(CAMT, "<Stmt>", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><Stmt>");
    assert!(first(&outside).contains("DOCTYPE"));
    let long = changed(CAMT, "退汇", &"退".repeat(40_000));
    assert_eq!(refused(&long)[0].found, "a longer piece");
    let deep = changed(CAMT, "<Ownr>", &"<Ownr>".repeat(40));
    assert_eq!(refused(&deep)[0].found, "deeper nesting");
    let tag = changed(CAMT, "<Ownr>", &format!("<Ownr x=\"{}\">", "x".repeat(5_000)));
    assert_eq!(refused(&tag)[0].found, "a longer tag");
}

#[test]
fn refuses_other_messages_and_versions() {
    for (from, to) in [
        ("camt.053.001.02", "camt.053.001.04"),
        ("camt.053.001.02", "camt.052.001.02"),
        ("camt.053.001.02", "pain.001.001.09"),
    ] {
        let faults = refused(&changed(CAMT, from, to));
        assert!(faults[0].found.contains(to), "{}", faults[0]);
        assert!(faults[0].allowed.en.contains("camt.053.001.08"), "{}", faults[0]);
    }
    // A statement in the namespace of a notification.
    let faults = refused(&changed(CAMT, "camt.053.001.02", "camt.054.001.02"));
    assert_eq!(faults[0].allowed.en, "Stmt in camt.053, Ntfctn in camt.054");
    let none = changed(
        CAMT,
        " xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.02\"",
        "",
    );
    assert_eq!(refused(&none)[0].found, "no namespace");
    let empty = format!(
        "<Document xmlns=\"{}\"><BkToCstmrStmt/></Document>",
        NAMESPACES[0]
    );
    assert_eq!(first(empty.as_bytes()), "file: a message without statement");
}

#[test]
fn refuses_elements_that_are_no_statement() {
    refuse_all(
        CAMT,
        &[
            (
                "<Amt Ccy=\"CNY\">7500.50</Amt>",
                "<Amt Ccy=\"CNY\">7500.500</Amt>",
                "line 53, Ntry/Amt: 7500.500",
            ),
            (
                "<Amt Ccy=\"CNY\">7500.50</Amt>",
                "<Amt Ccy=\"USD\">7500.50</Amt>",
                "line 53, Ntry/Amt Ccy: USD",
            ),
            (
                "<Amt Ccy=\"CNY\">7500.50</Amt>",
                "<Amt>7500.50</Amt>",
                "line 53, Ntry/Amt Ccy: (empty)",
            ),
            (
                "<Amt Ccy=\"CNY\">7500.50</Amt>",
                "<Amt Ccy=\"CNY\">-7500.50</Amt>",
                "line 53, Ntry/Amt: -7500.50",
            ),
            ("<Amt Ccy=\"CNY\">7500.50</Amt>", "", "line 52, Ntry: no Amt"),
            (
                "<CdtDbtInd>DBIT</CdtDbtInd>\n        <Sts>",
                "<CdtDbtInd>D</CdtDbtInd>\n        <Sts>",
                "line 54, Ntry/CdtDbtInd: D",
            ),
            ("<RvslInd>true", "<RvslInd>ja", "line 80, Ntry/RvslInd: ja"),
            ("<Sts>PDNG</Sts>", "", "line 101, Ntry/Sts: (empty)"),
            (
                "<BookgDt><Dt>2025-06-13</Dt></BookgDt>\n        <ValDt>",
                "<ValDt>",
                "line 52, Ntry: no BookgDt",
            ),
            (
                "<BookgDt><Dt>2025-06-13</Dt>",
                "<BookgDt><Dt>2025-06-31</Dt>",
                "line 56, Ntry/BookgDt/Dt: 2025-06-31",
            ),
            ("<Cd>CLBD</Cd>", "<Cd>CLAV</Cd>", "line 131, Stmt: no Bal CLBD"),
            (
                "100000.00</Amt>",
                "100000.01</Amt>",
                "line 34, Bal OPBD: PRCD 100000.01, OPBD 100000.00",
            ),
            (
                "<Cd>CLAV</Cd>",
                "<Cd>CLBD</Cd>",
                "line 46, Bal CLBD: CLBD again, or behind an entry",
            ),
            (
                "411024000000054321",
                "NL80SNSB0266365538",
                "line 18, Acct/Id/Othr/Id: characters that are no digits",
            ),
            ("<Ccy>CNY</Ccy>", "<Ccy>EUR</Ccy>", "line 19, Acct/Ccy: EUR"),
            (
                "<ElctrncSeqNb>117",
                "<ElctrncSeqNb>1 17",
                "line 11, ElctrncSeqNb: 1 17",
            ),
            (
                "SLYH202506130001",
                &"1".repeat(65),
                "line 58, Ntry/AcctSvcrRef: 65 characters",
            ),
            (
                "<TxDtls><Refs><EndToEndId>RF24123C1",
                "<TxDtls><AmtDtls><TxAmt><Amt Ccy=\"CNY\">1</Amt></TxAmt></AmtDtls><Refs><EndToEndId>RF24123C1",
                "line 127, Ntry/NtryDtls/TxDtls: transactions with and without amounts in one entry",
            ),
        ],
    );
    refuse_all(
        CAMT_8,
        &[
            (
                "<PgNb>1</PgNb><LastPgInd>true",
                "<PgNb>1</PgNb><LastPgInd>false",
                "line 8, GrpHdr/MsgPgntn/LastPgInd: false",
            ),
            (
                "<StmtPgntn><PgNb>1",
                "<StmtPgntn><PgNb>2",
                "line 12, StmtPgntn/PgNb: 2",
            ),
            (
                "<Amt Ccy=\"CNY\">10</Amt>",
                "<Amt Ccy=\"CNY\">11</Amt>",
                "line 32, Ntry: 311.00 in 3 transactions",
            ),
            (
                "<Amt Ccy=\"CNY\">10</Amt><CdtDbtInd>DBIT",
                "<Amt Ccy=\"CNY\">10</Amt><CdtDbtInd>CRDT",
                "line 63, Ntry/NtryDtls/TxDtls/CdtDbtInd: credit",
            ),
        ],
    );
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
fn refuses_what_mt940_does_not_have() {
    refuse_all(
        MT940,
        &[
            (
                ":61:2506130613D7500,5",
                ":61:2506130613D7500,555",
                "line 6, :61: amount: 7500,555",
            ),
            (
                ":61:2506130613D7500,5",
                ":61:2506130613D7500.5",
                "line 6, :61: amount: 7500.5",
            ),
            (
                ":61:2506130613D7500,5",
                ":61:2506310613D7500,5",
                "line 6, :61: day: 250631",
            ),
            (
                ":61:2506130613D7500,5",
                ":61:2506131313D7500,5",
                "line 6, :61: day: 1313",
            ),
            (
                ":61:2506130613D7500,5",
                ":61:2506130613ED7500,5",
                "line 6, :61:: another mark",
            ),
            (
                ":60F:C250612CNY",
                ":60F:C250612EUR",
                "line 5, :60F: currency: EUR",
            ),
            (
                ":60F:C250612CNY100000,",
                ":60F:C250612CNY100000,01",
                "line 11, :62M:: 92499.50",
            ),
            (
                ":60M:C250613CNY92499,50",
                ":60M:C250613CNY92499,",
                "line 17, :60M:: 92499.00",
            ),
            (
                ":28C:117/2",
                ":28C:117/3",
                "line 17, :60M:: an intermediate balance",
            ),
            (
                ":28C:117/2",
                ":28C:118/2",
                "line 17, :60M:: an intermediate balance",
            ),
            (
                ":28C:117/1",
                ":28C:117/2",
                "line 5, :60F:: :60F: on a page that is not the first",
            ),
            (
                ":28C:117/1",
                ":28C:117",
                "line 11, :62M:: an intermediate balance without a page number in :28C:",
            ),
            (":60F:", ":60M:", "line 5, :60M:: an intermediate balance"),
            (":62M:", ":62F:", "line 17, :60M:: an intermediate balance"),
            (
                ":25:313491099996/411024000000054321",
                ":25:NL80SNSB0266365538",
                "line 3, :25:: characters that are no digits",
            ),
            (
                ":25:313491099996/411024000000054321\r\n",
                "",
                "line 4, :60F:: no :25: before it",
            ),
            (":20:YLCZ0613", ":20:", "line 2, :20:: 0 characters"),
            ("O940", "O942", "line 1, block 2: MT942"),
            (":64:", ":63:", "line 23, :63:: a field that MT940 does not have"),
            (":64:C", ":61:C", "line 23, :61:: a field out of place"),
            (
                "PAYMENT\r\n:86:SUBSIDY",
                "PAYMENT\r\n:86:A\r\n:86:SUBSIDY",
                "line 9, :86:: :86: that belongs to no line",
            ),
            (
                ":20:YLCZ0613",
                "garbage\r\n:20:YLCZ0613",
                "line 2: a line that belongs to no field",
            ),
            ("SUBSIDY", &"S".repeat(5000), "line 8: a longer piece"),
            (
                "SUBSIDY",
                &"令狐\r\n".repeat(5000),
                "line 8, :86:: a longer field",
            ),
        ],
    );
    assert_eq!(first(b":20:X\r\n:25:411000\r\n"), "line 2: the end of a message");
    assert_eq!(first(b"{1:F01X}{2:O9400}"), "file: no message");
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

mod written {
    use super::super::samples::{ACCOUNT, Movement, Sample};
    use super::*;
    use crate::domain::money::Money;
    use crate::domain::payer::Payer;
    use crate::domain::payment::{Origin, Reference};
    use crate::domain::reconciliation::Direction;
    use proptest::prelude::*;
    use time::macros::date;

    prop_compose! {
        fn movement()(
            (valued, out, reversal) in (-40_i64..40, any::<bool>(), prop::bool::weighted(0.2)),
            fen in prop_oneof![1..10_000_000_i64, 1..100_i64, Just(99_999_999_999)],
            reference in prop::option::of((1..=Origin::MAX_CLAIM, any::<bool>(), 1..=Origin::MAX_ATTEMPT)),
            bank_reference in "[A-Z0-9]{0,16}",
            text in "([a-zA-Z0-9许昌购房补贴]{1,12}( [a-zA-Z0-9许昌]{1,8}){0,3})?",
        ) -> Movement {
            let day = date!(2025 - 06 - 13);
            Movement {
                booked: day,
                valued: day + time::Duration::days(valued),
                direction: if out { Direction::Debit } else { Direction::Credit },
                amount: Money::from_fen(fen).unwrap(),
                reversal,
                reference: reference.map(|(claim, county, attempt)| Reference::of(Origin {
                    claim,
                    payer: if county { Payer::County } else { Payer::City },
                    attempt,
                }).unwrap()),
                bank_reference,
                text,
            }
        }
    }

    prop_compose! {
        fn sample()(
            sequence in 1..1_000_u64,
            opening in -1_000_000_000_i64..1_000_000_000,
            movements in prop::collection::vec(movement(), 0..12),
        ) -> Sample {
            let day = date!(2025 - 06 - 13);
            Sample { sequence, day, opening: Money::from_fen(opening).unwrap(), movements }
        }
    }

    /// What is the same in all formats: head and lines.
    fn content(text: &str) -> (StatementHead, Vec<StatementLine>) {
        let mapping = mapping("corporate-ebank", &[]).unwrap();
        let mut reader = Reader::open(source(text.as_bytes()), Some(&mapping), Given::default())
            .unwrap_or_else(|faults| panic!("{faults:?} in\n{text}"));
        let (mut lines, mut checker, mut heads) = (Vec::new(), Checker::default(), Vec::new());
        while let Some(event) = reader
            .next()
            .unwrap_or_else(|faults| panic!("{faults:?} in\n{text}"))
        {
            match event {
                Event::Begin(_) => {}
                Event::Line(line) => {
                    checker.line(&line).unwrap();
                    lines.push(StatementLine { at: 0, ..*line });
                }
                Event::End(head) => {
                    heads.push(
                        checker
                            .finish(&head)
                            .unwrap_or_else(|faults| panic!("{faults:?} in\n{text}")),
                    );
                }
            }
        }
        assert_eq!(heads.len(), 1);
        (heads.remove(0), lines)
    }

    proptest! {
        #[test]
        fn a_statement_is_the_same_in_every_format(sample in sample(), lines_a_page in 1..5_usize) {
            let (head, lines) = content(&sample.camt(false));
            prop_assert_eq!(head.account.as_str(), ACCOUNT);
            prop_assert_eq!((head.opening, head.closing), (sample.opening, sample.closing()));
            prop_assert_eq!(lines.len(), sample.movements.len());
            for (line, movement) in lines.iter().zip(&sample.movements) {
                prop_assert_eq!((line.booked, line.valued), (movement.booked, Some(movement.valued)));
                prop_assert_eq!((line.direction, line.amount), (movement.direction, movement.amount));
                prop_assert_eq!(line.reversal, movement.reversal);
                prop_assert_eq!(&line.reference, &movement.reference);
                prop_assert_eq!(&line.bank_reference, &movement.bank_reference);
                prop_assert_eq!(&line.text, &movement.text);
            }
            prop_assert!(content(&sample.camt(true)) == (head.clone(), lines.clone()));
            let (mt940, mt940_lines) = content(&sample.mt940(lines_a_page));
            prop_assert!(mt940 == head);
            prop_assert!(mt940_lines == lines);
            let (csv, csv_lines) = content(&sample.csv());
            // A table says neither its number nor what it is called.
            let unnamed = StatementHead {
                sequence: None,
                identification: csv.identification.clone(),
                ..head
            };
            prop_assert!(csv == unnamed);
            prop_assert!(csv_lines == lines, "{:?}\n{:?}", csv_lines, lines);
        }

        #[test]
        fn no_damage_is_a_panic(
            sample in sample(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            format in 0..4_usize,
        ) {
            let text = match format {
                0 => sample.camt(false),
                1 => sample.camt(true),
                2 => sample.mt940(3),
                _ => sample.csv(),
            };
            let mut bytes = text.into_bytes();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let mapping = mapping("corporate-ebank", &[]).unwrap();
            if let Ok(mut reader) = Reader::open(source(&bytes), Some(&mapping), Given::default()) {
                let _ = told(&mut reader);
            }
        }
    }

    /// A file of any length that is made as it is read.
    struct Endless {
        head: String,
        tail: String,
        left: u64,
        made: fn(u64) -> String,
        buffer: Cursor<Vec<u8>>,
    }

    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            loop {
                let read = self.buffer.read(buffer)?;
                if read > 0 {
                    return Ok(read);
                }
                let next = if !self.head.is_empty() {
                    std::mem::take(&mut self.head)
                } else if self.left > 0 {
                    self.left -= 1;
                    (self.made)(self.left)
                } else if !self.tail.is_empty() {
                    std::mem::take(&mut self.tail)
                } else {
                    return Ok(0);
                };
                self.buffer = Cursor::new(next.into_bytes());
            }
        }
    }

    #[test]
    fn a_tag_or_text_without_end_fills_no_memory() {
        let namespace = NAMESPACES[0];
        for (head, made) in [
            (
                format!("<Document xmlns=\"{namespace}\"><BkToCstmrStmt><Stmt><Id>"),
                (|_| "x".repeat(1 << 16)) as fn(u64) -> String,
            ),
            (format!("<Document xmlns=\"{namespace}\" "), |_| {
                "x".repeat(1 << 16)
            }),
            (format!("<Document xmlns=\"{namespace}\"><!-- "), |_| {
                "x".repeat(1 << 16)
            }),
            (format!("<Document xmlns=\"{namespace}\"><![CDATA["), |_| {
                "x".repeat(1 << 16)
            }),
            (format!("<Document xmlns=\"{namespace}\">&"), |_| {
                "x".repeat(1 << 16)
            }),
            (":20:X\n:25:".to_owned(), |_| "x".repeat(1 << 16)),
            (":20:X\n:86:".to_owned(), |_| "x".repeat(60) + "\n"),
            ("a,b\n\"".to_owned(), |_| "x".repeat(1 << 16)),
            ("a,b\n\"".to_owned(), |_| "x\n".repeat(1 << 15)),
        ] {
            // A terabyte; it would be read for hours if it were not refused at once.
            let source = Box::new(Endless {
                head: head.clone(),
                tail: String::new(),
                left: 1 << 24,
                made,
                buffer: Cursor::default(),
            });
            let mapping = mapping("corporate-ebank", &[]).unwrap();
            let mut reader = Reader::open(source, Some(&mapping), Given::default()).unwrap();
            let faults = told(&mut reader).unwrap_err();
            assert!(!faults.is_empty(), "{head}");
        }
    }

    #[test]
    fn an_entry_of_many_transactions_is_read_as_it_comes() {
        const COUNT: u64 = 20_000;
        let head = format!(
            "<Document xmlns=\"{}\"><BkToCstmrStmt><Stmt><Id>1</Id><Acct><Id><Othr><Id>{ACCOUNT}</Id></Othr></Id></Acct>\
             <Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{COUNT}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2025-06-13</Dt></Dt></Bal>\
             <Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">0</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2025-06-13</Dt></Dt></Bal>\
             <Ntry><Amt Ccy=\"CNY\">{COUNT}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2025-06-13</Dt></BookgDt><NtryDtls>",
            NAMESPACES[1]
        );
        let source = Box::new(Endless {
            head,
            tail: "</NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>".to_owned(),
            left: COUNT,
            made: |left| {
                format!(
                    "<TxDtls><Refs><EndToEndId>{left}</EndToEndId></Refs><Amt Ccy=\"CNY\">1</Amt></TxDtls>"
                )
            },
            buffer: Cursor::default(),
        });
        let mut reader = Reader::open(source, None, Given::default()).unwrap();
        let mut checker = Checker::default();
        let mut most = 0;
        while let Some(event) = reader.next().unwrap() {
            match event {
                Event::Begin(_) => {}
                Event::Line(line) => {
                    checker.line(&line).unwrap();
                    most = most.max(line.part.unwrap());
                }
                Event::End(head) => {
                    checker.finish(&head).unwrap();
                }
            }
        }
        assert_eq!(u64::from(most), COUNT);
    }
}
