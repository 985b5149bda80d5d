//! The rows of a table, one by one.

use super::mapping::Mapping;
use crate::domain::error::Violation;
use crate::tabular::stream::{Pieces, Source, Text, violation};
use crate::tabular::{MAX_BYTES, MAX_COLUMNS, Workbook, letters, workbook};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Read};

/// Most bytes of a row.
const MAX_ROW: usize = 256 << 10;
/// Most cells of a workbook: a row of a bank's table has a dozen or two.
const MAX_CELLS: usize = 4_000_000;
/// Closes the text; a quote that is still open swallows it. No text contains it.
const END: &[u8] = b"\n\0\n";
/// Bytes that are looked at for the delimiter.
const LOOKED_AT: usize = 16 << 10;
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// A row.
#[derive(Default)]
pub(super) struct Row {
    /// Line of the file, counted from 1.
    pub(super) line: u64,
    pub(super) cells: Vec<String>,
}

/// Where rows come from.
pub(super) enum Rows {
    Csv(Box<CsvRows>),
    Xlsx(Box<XlsxRows>),
}

pub(super) struct CsvRows {
    reader: csv::Reader<Pieces<Text>>,
    record: csv::StringRecord,
    /// Lines before those that the reader has seen.
    before: u64,
    ended: bool,
}

pub(super) struct XlsxRows {
    rows: std::vec::IntoIter<(u32, Vec<String>)>,
    faults: HashMap<(u32, usize), Violation>,
    formulas: HashSet<(u32, usize)>,
}

impl Rows {
    /// Begins to read CSV.
    pub(super) fn csv(source: Source, mapping: &Mapping) -> Result<Self, Violation> {
        let broken = |error: std::io::Error| violation(&error);
        let mut text = Text::new(source, mapping.encoding, END).map_err(broken)?;
        let window = text.fill_buf().map_err(broken)?;
        let window = &window[..window.len().min(LOOKED_AT)];
        let first = window.split(|byte| *byte == b'\n').next().unwrap_or_default();
        // Excel's `sep=;` in the first line.
        let (delimiter, before) = match separator(first) {
            Some(delimiter) => {
                text.line(LOOKED_AT).map_err(broken)?;
                (delimiter, 1)
            }
            None => {
                let window = String::from_utf8_lossy(window);
                (mapping.delimiter.unwrap_or_else(|| told(&window, mapping)), 0)
            }
        };
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .comment(Some(b'#'))
            .from_reader(Pieces::new(text, MAX_ROW));
        Ok(Self::Csv(Box::new(CsvRows {
            reader,
            record: csv::StringRecord::new(),
            before,
            ended: false,
        })))
    }

    /// Reads a workbook; it is in memory, and so bounded.
    pub(super) fn xlsx(source: Source) -> Result<Self, Vec<Violation>> {
        let mut bytes = Vec::new();
        source
            .take(MAX_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| vec![violation(&error)])?;
        let Workbook {
            rows,
            faults,
            formulas,
        } = workbook(&bytes, MAX_CELLS).map_err(|mut faults| {
            for fault in &mut faults {
                // What stands in a cell may be personal.
                if fault.field.contains("column") {
                    "(not shown)".clone_into(&mut fault.found);
                }
            }
            faults
        })?;
        let faults = faults.into_iter().map(|fault| {
            let (en, zh) = fault.allowed;
            let violation = Violation::new("", "a cell that cannot be read as text", en, zh);
            ((fault.line, fault.column), violation)
        });
        Ok(Self::Xlsx(Box::new(XlsxRows {
            faults: faults.collect(),
            formulas,
            rows: rows.into_iter(),
        })))
    }

    /// Whether rows may be shorter than the header: a workbook does not store empty cells at the end.
    pub(super) const fn may_be_short(&self) -> bool {
        matches!(self, Self::Xlsx(_))
    }

    /// Reads the next row that is not empty into `row`; whether there was one.
    pub(super) fn next(&mut self, row: &mut Row) -> Result<bool, Violation> {
        match self {
            Self::Csv(rows) => rows.next(row),
            Self::Xlsx(rows) => Ok(match rows.rows.next() {
                Some((line, cells)) => {
                    *row = Row {
                        line: u64::from(line),
                        cells,
                    };
                    true
                }
                None => false,
            }),
        }
    }

    /// Why a cell cannot be taken as it stands, other than by its text.
    pub(super) fn cell_fault(
        &self,
        line: u64,
        column: usize,
        field: impl Into<String>,
        formulas_too: bool,
    ) -> Option<Violation> {
        let Self::Xlsx(rows) = self else { return None };
        let at = (u32::try_from(line).ok()?, column);
        if formulas_too && rows.formulas.contains(&at) {
            return Some(Violation::new(
                field,
                "a formula",
                "a value: what a formula gives may change, and is not what the bank wrote",
                "须为数值或文本,不能是公式",
            ));
        }
        let mut fault = rows.faults.get(&at)?.clone();
        fault.field = field.into();
        Some(fault)
    }
}

impl CsvRows {
    fn next(&mut self, row: &mut Row) -> Result<bool, Violation> {
        loop {
            if self.ended {
                return Ok(false);
            }
            self.reader.get_mut().renew();
            let more = self.reader.read_record(&mut self.record).map_err(|error| {
                let line = error.position().map_or(0, csv::Position::line) + self.before;
                match error.into_kind() {
                    csv::ErrorKind::Io(error) => violation(&error),
                    _ => Violation::new(
                        format!("line {line}"),
                        "a row that cannot be read",
                        "a readable row",
                        "可读取的行",
                    ),
                }
            })?;
            if !more || (self.record.len() == 1 && &self.record[0] == "\0") {
                self.ended = true;
                return Ok(false);
            }
            // The reader has counted the line that ends the row and those within its cells.
            let within: usize = self.record.iter().map(|cell| cell.matches('\n').count()).sum();
            let ends = self.reader.position().line() + self.before;
            let line = ends.saturating_sub(1 + within as u64).max(1);
            if self
                .record
                .iter()
                .next_back()
                .is_some_and(|cell| cell.contains('\0'))
            {
                self.ended = true;
                return Err(Violation::new(
                    format!("line {line}"),
                    "a quotation mark that is never closed",
                    "each quoted cell closed with \"",
                    "以引号开始的单元格须以引号结束",
                ));
            }
            if self.record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            if self.record.len() > MAX_COLUMNS {
                return Err(Violation::new(
                    format!("line {line}, column {}", letters(MAX_COLUMNS)),
                    format!("{} cells", self.record.len()),
                    format!("at most {MAX_COLUMNS} columns"),
                    format!("至多 {MAX_COLUMNS} 列"),
                ));
            }
            row.line = line;
            row.cells.truncate(self.record.len());
            let known = row.cells.len();
            for (cell, text) in row.cells.iter_mut().zip(&self.record) {
                cell.clear();
                cell.push_str(text);
            }
            row.cells
                .extend(self.record.iter().skip(known).map(str::to_owned));
            return Ok(true);
        }
    }
}

/// The delimiter that a first line `sep=;` names.
fn separator(line: &[u8]) -> Option<u8> {
    let line = std::str::from_utf8(line).ok()?.trim().trim_matches('"');
    let start = line.get(..4)?;
    match (start.eq_ignore_ascii_case("sep="), line.as_bytes().get(4..)?) {
        (true, &[delimiter]) if DELIMITERS.contains(&delimiter) => Some(delimiter),
        _ => None,
    }
}

/// The delimiter by which a line is a header; a comma where none is.
fn told(window: &str, mapping: &Mapping) -> u8 {
    let is_header = |delimiter: &u8| {
        window
            .lines()
            .take(mapping.skip_rows + mapping.header_within)
            .any(|line| {
                let cells: Vec<String> = line
                    .split(char::from(*delimiter))
                    .map(|cell| cell.trim_matches('"').to_owned())
                    .collect();
                super::header::Header::find(&cells, mapping).is_ok()
            })
    };
    DELIMITERS.into_iter().find(is_header).unwrap_or(b',')
}
