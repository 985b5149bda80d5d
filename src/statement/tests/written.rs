//! Statements that are made up: the same in every format, damaged, and without end.

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
            format!("<TxDtls><Refs><EndToEndId>{left}</EndToEndId></Refs><Amt Ccy=\"CNY\">1</Amt></TxDtls>")
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
