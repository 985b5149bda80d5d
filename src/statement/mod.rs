//! Reading what banks say of an account: ISO 20022 `camt.053` and `camt.054`, SWIFT MT940, and tables as CSV or
//! XLSX through a mapping.
//!
//! [`Reader`] gives the statements of a file event by event and never holds the file. Which format a file has is told
//! by its content. A file is taken whole or not at all: after the first fault no more lines are given, the faults of
//! the rest are gathered, and the file ends with all of them. No fault repeats a name, the number of an account or a
//! text of the bank's. Whether a statement adds up is for [`Checker`](crate::domain::reconciliation::Checker) to say.

mod camt;
mod finds;
mod given;
mod mappings;
mod mt940;
mod preview;
mod table;

use crate::domain::error::Violation;
use crate::domain::reconciliation::{HeadSoFar, StatementLine};
use std::io::Read;

pub use crate::tabular::stream::{Source, TextEncoding};
pub use camt::NAMESPACES;
pub use given::Given;
pub use mappings::{SHIPPED, mapping, shipped};
pub use preview::{LinePreview, Preview, StatementPreview};
pub use table::{Amounts, Columns, Head, Mapping, MappingDocument, RowWords};

/// Most faults reported in full.
pub const MAX_FAULTS: usize = 100;

/// What comes next in a file. A file may hold several statements, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A statement begins, with what the file has said of it so far.
    Begin(Box<HeadSoFar>),
    /// A line of it.
    Line(Box<StatementLine>),
    /// The statement ends, with all that the file says of it.
    End(Box<HeadSoFar>),
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// ISO 20022 XML.
    Camt,
    /// SWIFT MT940.
    Mt940,
    /// Comma-separated values or the like.
    Csv,
    /// An Excel workbook.
    Xlsx,
}

impl Format {
    /// The code used in the API and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Camt => "camt",
            Self::Mt940 => "mt940",
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }
}

/// Reads the statements of a file.
pub struct Reader {
    format: Format,
    given: Given,
    inner: Inner,
    done: bool,
}

enum Inner {
    Camt(Box<camt::Camt>),
    Mt940(Box<mt940::Mt940>),
    Table(Box<table::Table>),
}

impl Reader {
    /// Begins to read a file. A table needs a mapping; other formats say themselves what they mean.
    ///
    /// # Errors
    ///
    /// A file that is no statement, or a table without a mapping.
    pub fn open(source: Source, mapping: Option<&Mapping>, given: Given) -> Result<Self, Vec<Violation>> {
        let (format, source) = sniff(source)?;
        let inner = match (format, mapping) {
            (Format::Camt, _) => Inner::Camt(Box::new(camt::Camt::new(source)?)),
            (Format::Mt940, _) => Inner::Mt940(Box::new(mt940::Mt940::new(source)?)),
            (Format::Csv | Format::Xlsx, Some(mapping)) => {
                Inner::Table(Box::new(table::Table::new(source, format, mapping.clone())?))
            }
            (Format::Csv | Format::Xlsx, None) => {
                return Err(vec![Violation::new(
                    "mapping",
                    "none",
                    "a mapping, which says what the columns of a table mean: this file is neither XML nor MT940",
                    "须指定映射(说明表格各列含义):该文件既非 XML 也非 MT940",
                )]);
            }
        };
        Ok(Self {
            format,
            given,
            inner,
            done: false,
        })
    }

    /// The format of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The next event; nothing behind the last statement of a file without faults.
    ///
    /// # Errors
    ///
    /// Every fault of the file; it is read to its end first where it can be.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of results would not end at the first error"
    )]
    pub fn next(&mut self) -> Result<Option<Event>, Vec<Violation>> {
        if self.done {
            return Ok(None);
        }
        let event = match &mut self.inner {
            Inner::Camt(reader) => reader.next(),
            Inner::Mt940(reader) => reader.next(),
            Inner::Table(reader) => reader.next(),
        };
        let event = event.and_then(|event| {
            Ok(match event {
                Some(Event::Begin(mut head)) => {
                    self.given.complete(&mut head)?;
                    Some(Event::Begin(head))
                }
                Some(Event::End(mut head)) => {
                    self.given.complete(&mut head)?;
                    Some(Event::End(head))
                }
                other => other,
            })
        });
        self.done = !matches!(event, Ok(Some(_)));
        event.map_err(|faults| faults.into_iter().map(discreet).collect())
    }
}

/// Longest run of digits that a fault repeats: accounts, persons and telephones have more, days and most amounts fewer.
const MAX_DIGITS: usize = 10;

/// The same fault; what was found is left out where it may be personal: a file whose columns or elements have slipped
/// has names and account numbers anywhere.
fn discreet(mut violation: Violation) -> Violation {
    let mut digits = 0;
    let plain = violation.found.chars().all(|character| {
        digits = match character {
            '0'..='9' => digits + 1,
            ' ' | '-' => digits,
            _ => 0,
        };
        character.is_ascii() && digits <= MAX_DIGITS
    });
    if !plain {
        "(not shown)".clone_into(&mut violation.found);
    }
    violation
}

/// Bytes by which a format is told.
const SNIFFED: usize = 1024;

fn sniff(mut source: Source) -> Result<(Format, Source), Vec<Violation>> {
    let mut head = Vec::new();
    if let Err(error) = source.by_ref().take(SNIFFED as u64).read_to_end(&mut head) {
        return Err(vec![crate::tabular::stream::violation(&error)]);
    }
    let format = format_of(&head).map_err(|violation| vec![violation])?;
    Ok((format, Box::new(std::io::Cursor::new(head).chain(source))))
}

/// The format of a file by its first bytes.
fn format_of(head: &[u8]) -> Result<Format, Violation> {
    if head.starts_with(b"PK\x03\x04") {
        return Ok(Format::Xlsx);
    }
    let refused = |found: &str| {
        Violation::new(
            "file",
            found,
            "camt.053 or camt.054 (XML), MT940, CSV, or .xlsx without a password",
            "camt.053、camt.054(XML)、MT940、CSV,或未加密的 .xlsx 文件",
        )
    };
    if head.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(refused("an .xls file or a workbook with a password"));
    }
    // Past byte order marks, and past the zeros of UTF-16.
    let text: Vec<u8> = head
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, 0 | 0xef | 0xbb | 0xbf | 0xfe | 0xff))
        .skip_while(u8::is_ascii_whitespace)
        .collect();
    let lower = text.to_ascii_lowercase();
    if text.is_empty() {
        return Err(refused("an empty file"));
    }
    if lower.starts_with(b"<html") || lower.starts_with(b"<!doctype html") || lower.starts_with(b"<table") {
        return Err(refused("a page of HTML, whatever its name ends with"));
    }
    if text.starts_with(b"<") {
        return Ok(Format::Camt);
    }
    if text.starts_with(b"{1:") || text.starts_with(b":20:") || text.starts_with(b"{4:") {
        return Ok(Format::Mt940);
    }
    Ok(Format::Csv)
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
