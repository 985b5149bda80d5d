//! Tables that banks and treasury centres export, CSV or XLSX, through a mapping.
//!
//! Every fault of a row is reported with its line and the heading of its column. A running balance, where there is
//! one, is checked row by row, whichever way the rows are ordered.

mod above;
mod balances;
mod cells;
mod document;
mod header;
mod mapping;
mod movement;
mod rows;

#[cfg(test)]
mod tests;

use self::rows::{Row, Rows};
use super::{Event, Format, MAX_FAULTS, Source};
use crate::domain::error::{Faults, Violation};
use crate::domain::money::Money;
use crate::domain::reconciliation::HeadSoFar;
use crate::domain::statistics::half_width;
use balances::{Running, Sums};
use cells::clean;
use header::Header;
use mapping::{Field, begins_with_one_of, canonical, is_one_of};
use std::collections::VecDeque;
use std::sync::Arc;
use time::Date;

pub use document::{Amounts, Columns, Head, MappingDocument, Rows as RowWords};
pub use mapping::Mapping;

/// Longest text of a cell, in bytes.
const MAX_CELL: usize = 32 << 10;
/// What banks write for renminbi.
const RENMINBI: [&str; 7] = ["cny", "rmb", "人民币", "人民币元", "人民币(cny)", "156", "01"];

/// Reads the one statement of a table.
pub(super) struct Table {
    mapping: Arc<Mapping>,
    rows: Rows,
    row: Row,
    faults: Faults,
    queue: VecDeque<Event>,
    header: Option<Header>,
    head: HeadSoFar,
    begun: bool,
    done: bool,
    sums: Sums,
    /// The line of the row with the sums.
    totals: Option<u64>,
    running: Running,
    days: Option<(Date, Date)>,
}

impl Table {
    pub(super) fn new(source: Source, format: Format, mapping: Mapping) -> Result<Self, Vec<Violation>> {
        let rows = match format {
            Format::Xlsx => Rows::xlsx(source)?,
            _ => Rows::csv(source, &mapping).map_err(|violation| vec![violation])?,
        };
        Ok(Self {
            mapping: Arc::new(mapping),
            rows,
            row: Row::default(),
            faults: Faults::up_to(MAX_FAULTS),
            queue: VecDeque::new(),
            header: None,
            head: HeadSoFar::default(),
            begun: false,
            done: false,
            sums: Sums::default(),
            totals: None,
            running: Running::default(),
            days: None,
        })
    }

    /// The next event; nothing at the end of a whole table without faults.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Vec<Violation>> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                if self.faults.is_empty() {
                    return Ok(Some(event));
                }
                continue;
            }
            // A file with that many faults is another file; reading on would only count them.
            if self.done || self.faults.is_full() {
                self.done = true;
                return std::mem::take(&mut self.faults).finish().map(|()| None);
            }
            if self.header.is_none() {
                if let Err(violation) = self.find_header() {
                    self.done = true;
                    self.faults.add(|| violation);
                }
                continue;
            }
            let mut row = std::mem::take(&mut self.row);
            match self.rows.next(&mut row) {
                Ok(true) => {
                    self.take(&row);
                    self.row = row;
                }
                Ok(false) => {
                    self.done = true;
                    self.end();
                }
                Err(violation) => {
                    self.done = true;
                    self.faults.add(|| violation);
                }
            }
        }
    }

    /// Takes a row below the header.
    fn take(&mut self, row: &Row) {
        let Some(header) = self.header.take() else { return };
        if let Some(first) = row
            .cells
            .iter()
            .map(|cell| clean(cell))
            .find(|cell| !cell.is_empty())
        {
            let begins = |words: &[String]| begins_with_one_of(first, words);
            let words = &self.mapping.rows;
            if begins(&words.totals) {
                self.totals = Some(row.line);
                self.check_totals(row, &header);
            } else if begins(&words.ignored) {
            } else if begins(&words.opening) || self.says(row, &header, &words.opening) {
                self.boundary(row, &header, true);
            } else if begins(&words.closing) || self.says(row, &header, &words.closing) {
                self.boundary(row, &header, false);
            } else if let Some(totals) = self.totals {
                self.faults.add(|| {
                    Violation::new(
                        format!("line {}", row.line),
                        "a row",
                        format!("nothing below the sums on line {totals}"),
                        format!("第 {totals} 行合计之后不得有数据行"),
                    )
                });
            } else if self.fits(row, &header) {
                self.movement(row, &header);
            } else {
                self.sums.unread += 1;
                self.running.lose();
            }
        }
        self.header = Some(header);
    }

    /// Whether a text column has nothing but one of the words.
    fn says(&self, row: &Row, header: &Header, words: &[String]) -> bool {
        header.columns(Field::Text).any(|(column, _)| {
            let cell = row.cells.get(column).map(|cell| clean(cell));
            cell.is_some_and(|cell| is_one_of(cell, words))
        })
    }

    /// Whether a row has as many cells as the header.
    fn fits(&mut self, row: &Row, header: &Header) -> bool {
        let (length, width) = (row.cells.len(), header.width);
        let beyond = row.cells.iter().skip(width).any(|cell| !clean(cell).is_empty());
        if beyond || (length < width && !self.rows.may_be_short()) {
            self.faults.add(|| {
                Violation::new(
                    format!("line {}", row.line),
                    format!("{length} cells"),
                    format!("{width} cells, as in the header on line {}", header.line),
                    format!("{width} 个单元格,与第 {} 行的表头一致", header.line),
                )
            });
            return false;
        }
        if let Some(column) = row.cells.iter().position(|cell| cell.len() > MAX_CELL) {
            self.faults.add(|| {
                Violation::new(
                    format!("line {}, column {}", row.line, crate::tabular::letters(column)),
                    format!("{} bytes", row.cells[column].len()),
                    format!("at most {MAX_CELL} bytes in a cell"),
                    format!("单元格至多 {MAX_CELL} 字节"),
                )
            });
            return false;
        }
        true
    }

    /// The cell of a field, without what is around it; a cell that cannot be read is a fault.
    fn cell<'r, 'h>(
        &mut self,
        row: &'r Row,
        header: &'h Header,
        field: Field,
    ) -> Option<(Place<'h>, &'r str)> {
        let (column, heading) = header.column(field)?;
        self.cell_at(row, column, heading, true)
    }

    fn cell_at<'r, 'h>(
        &mut self,
        row: &'r Row,
        column: usize,
        heading: &'h str,
        no_formula: bool,
    ) -> Option<(Place<'h>, &'r str)> {
        let at = Place {
            line: row.line,
            heading,
        };
        if let Some(fault) = self.rows.cell_fault(row.line, column, at, no_formula) {
            self.faults.add(|| fault);
            return None;
        }
        let text = row.cells.get(column).map_or("", |cell| clean(cell));
        Some((at, text))
    }

    fn money(&mut self, row: &Row, header: &Header, field: Field) -> Option<Option<Money>> {
        let (at, text) = self.cell(row, header, field)?;
        self.faults.keep(self.mapping.amounts.read(at, text))
    }

    /// Says what is known before the first line.
    fn begin(&mut self) {
        if self.begun {
            return;
        }
        self.begun = true;
        let running = self.running.first;
        if self.mapping.newest_first {
            self.head.closing = self.head.closing.or(running);
        } else {
            self.head.opening = self.head.opening.or(running);
        }
        self.queue.push_back(Event::Begin(Box::new(self.head.clone())));
    }

    fn end(&mut self) {
        if self.header.is_none() {
            return;
        }
        if self.sums.beyond {
            self.faults.add(|| {
                Violation::new(
                    "file",
                    "a sum beyond 10^15 yuan",
                    "sums of at most 10^15 yuan",
                    "合计金额不超过 10^15 元",
                )
            });
        }
        self.begin();
        let last = self.running.next.filter(|_| self.running.seen);
        if self.mapping.newest_first {
            self.head.opening = self.head.opening.or(last);
        } else {
            self.head.closing = self.head.closing.or(last);
        }
        let (first, last) = self.days.unzip();
        self.head.from = self.head.from.or(first);
        self.head.to = self.head.to.or(last);
        self.queue.push_back(Event::End(Box::new(self.head.clone())));
    }
}

/// Where a cell is; put into words only where it has a fault.
#[derive(Clone, Copy)]
struct Place<'a> {
    line: u64,
    heading: &'a str,
}

impl From<Place<'_>> for String {
    fn from(place: Place<'_>) -> Self {
        format!("line {}, column {}", place.line, place.heading)
    }
}

fn date(mapping: &Mapping, field: impl Into<String>, text: &str) -> Result<Date, Violation> {
    let found = mapping.dates.iter().find_map(|format| format.read(text));
    found.ok_or_else(|| {
        let forms = mapping.document().dates.join(", ");
        let telling = text.len() <= 20
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'/' | b'.' | b':' | b' '));
        Violation::new(
            field,
            match telling {
                true => text,
                false => "another text",
            },
            format!("a day in one of the forms {forms}"),
            format!("日期,格式为 {forms}"),
        )
    })
}

fn check_currency(field: impl Into<String>, text: &str, faults: &mut Faults) {
    if !RENMINBI.contains(&canonical(text).as_str()) {
        let code = half_width(text.trim());
        let telling = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        let found = if telling { code } else { "another text".to_owned() };
        faults.add(|| Violation::new(field, found, "CNY, RMB, 人民币", "币种须为人民币"));
    }
}
