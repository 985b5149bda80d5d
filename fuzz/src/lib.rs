//! The readers of statements, compiled from their sources, and what must hold of whatever they are given.

#[allow(dead_code)]
#[path = "../../src/domain/mod.rs"]
pub mod domain;
mod payment;
#[path = "../../src/shipped.rs"]
pub mod shipped;
#[path = "../../src/statement/mod.rs"]
pub mod statement;
#[allow(dead_code)]
#[path = "../../src/tabular/mod.rs"]
pub mod tabular;

use domain::money::Money;
use domain::reconciliation::Checker;
use statement::{Event, Format, Given, Mapping, Preview, Reader};
use std::io::Cursor;
use std::sync::LazyLock;

static MAPPINGS: LazyLock<Vec<Mapping>> = LazyLock::new(|| statement::shipped().expect("shipped mappings are right"));

/// Bytes as ISO 20022 XML.
pub fn camt(bytes: &[u8]) {
    read(bytes, Format::Camt, None);
}

/// Bytes as MT940.
pub fn mt940(bytes: &[u8]) {
    read(bytes, Format::Mt940, None);
}

/// Bytes as a table; the first says through which mapping.
pub fn table(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let mapping = &MAPPINGS[usize::from(*first) % MAPPINGS.len()];
    // Not workbooks: a panic of the library that unpacks them is caught, and would end a fuzzer all the same.
    read(bytes, Format::Csv, Some(mapping));
}

fn read(bytes: &[u8], format: Format, mapping: Option<&Mapping>) {
    let open = || Reader::open(Box::new(Cursor::new(bytes.to_vec())), mapping, Given::default());
    let Ok(mut reader) = open() else {
        return;
    };
    if reader.format() != format {
        return;
    }
    let mut checker = None;
    loop {
        match reader.next() {
            Ok(None) => {
                assert!(checker.is_none(), "a file ended within a statement");
                break;
            }
            Ok(Some(Event::Begin(_))) => {
                assert!(checker.replace(Checker::default()).is_none(), "a statement within a statement");
            }
            Ok(Some(Event::Line(line))) => {
                assert!(line.amount > Money::ZERO);
                assert!(line.text.chars().count() <= domain::reconciliation::MAX_TEXT);
                assert!(!line.text.contains(char::is_control));
                let checker = checker.as_mut().expect("a line belongs to a statement");
                // Sums may leave the limits; numbers are in order.
                let before = checker.lines();
                assert_eq!(line.line, before + 1);
                if checker.line(&line).is_err() {
                    return;
                }
            }
            Ok(Some(Event::End(head))) => {
                let checker = checker.take().expect("a statement that ends has begun");
                if let Ok(head) = checker.finish(&head) {
                    let moved = head.credits.sum.fen() - head.debits.sum.fen();
                    assert_eq!(head.opening.fen() + moved, head.closing.fen());
                    assert!(head.from <= head.to);
                }
            }
            Err(faults) => {
                assert!(!faults.is_empty(), "a refusal says why");
                break;
            }
        }
    }
    assert!(matches!(reader.next(), Ok(None)), "nothing comes behind the end");
    if let Ok(reader) = open() {
        let _ = Preview::of(reader, 3);
    }
}
