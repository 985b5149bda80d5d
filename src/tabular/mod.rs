//! Reading the tables that offices keep: CSV in the encodings that Chinese Excel writes, and XLSX.
//!
//! [`read`] turns a file into text cells with their lines; what the text means is decided by
//! [`observation_rows`], [`regions`], [`indicators`] and [`quota`], and beyond that by the domain. A file is
//! taken whole or not at all: every fault is reported with its line and column.

mod archive;
mod claims;
mod csv;
mod encoding;
mod layout;
pub(crate) mod number;
mod payments;
mod quota;
mod rows;
pub(crate) mod stream;
mod xlsx;

pub use claims::{ClaimRow, claim_rows};
pub use payments::{PaymentRow, payment_rows};
pub use quota::{QuotaRow, quota};
pub use rows::{indicators, observation_rows, regions};

use crate::domain::error::{Faults, Violation};
use layout::Layout;
use std::borrow::Cow;
use std::collections::HashSet;

/// Most bytes in a file.
pub const MAX_BYTES: usize = 64 << 20;
/// Most rows that are not empty, header and title rows included.
pub const MAX_ROWS: usize = 1_000_000;
/// Most columns.
pub const MAX_COLUMNS: usize = 256;
/// Most bytes of UTF-8 in one cell.
pub const MAX_CELL_BYTES: usize = 32 << 10;
/// Most cells in all: a file of nothing but commas would otherwise take gigabytes of memory.
const MAX_CELLS: usize = 16_000_000;
/// Most bytes of UTF-8 in all cells: many cells of a workbook can share one long text.
const MAX_TEXT_BYTES: usize = 256 << 20;
/// Among how many rows from the top the header is looked for; above it stand titles and units.
const HEADER_ROWS: usize = 20;

/// A table as text, with the lines its rows stood on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The column headings as written.
    pub header: Vec<String>,
    /// Line of the header, counted from 1.
    pub header_line: u32,
    /// Line, counted from 1, and cells of every row below the header that is not empty. Each row has
    /// as many cells as the header.
    pub rows: Vec<(u32, Vec<String>)>,
}

/// Reads a CSV or XLSX file; which of the two is told by its first bytes and by the end of `file_name`.
pub fn read(file_name: &str, bytes: &[u8]) -> Result<Sheet, Vec<Violation>> {
    read_as(layout::CATALOG, file_name, bytes)
}

/// Reads a file that is one of these kinds.
fn read_as(kinds: &[&Layout], file_name: &str, bytes: &[u8]) -> Result<Sheet, Vec<Violation>> {
    check_size(bytes).map_err(|violation| vec![violation])?;
    let name = file_name.to_lowercase();
    let named_workbook = [".xlsx", ".xlsm"].iter().any(|end| name.ends_with(end));
    if bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        // Both the .xls of old and an .xlsx with a password have this container.
        return Err(vec![file_violation(
            "an .xls file or a workbook with a password",
            "CSV, or .xlsx without a password",
            "CSV 文件,或未加密的 .xlsx 文件",
        )]);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        let (rows, faults) = xlsx::rows(bytes)?;
        return assemble(kinds, rows, faults, Width::UpToHeader);
    }
    if named_workbook {
        return Err(vec![xlsx::unreadable("no zip archive")]);
    }
    let text = encoding::decode(bytes).map_err(|violation| vec![violation])?;
    assemble(kinds, csv::rows(&text)?, Vec::new(), Width::Exact)
}

/// Decodes a file that is no table but text, within the same limit.
pub(crate) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Violation> {
    check_size(bytes)?;
    encoding::decode(bytes)
}

fn check_size(bytes: &[u8]) -> Result<(), Violation> {
    if bytes.len() > MAX_BYTES {
        return Err(file_violation(
            format!("more than {MAX_BYTES} bytes"),
            format!("at most {MAX_BYTES} bytes"),
            format!("至多 {MAX_BYTES} 字节"),
        ));
    }
    Ok(())
}

/// A row that is not empty, with its line.
type Row = (u32, Vec<String>);

/// A cell whose content cannot stand for text; what is wrong is told once the column's heading is known.
pub(crate) struct CellFault {
    pub(crate) line: u32,
    pub(crate) column: usize,
    pub(crate) found: String,
    pub(crate) allowed: (&'static str, &'static str),
}

/// The first visible worksheet of a workbook.
pub(crate) struct Workbook {
    /// The rows that are not empty, with their lines.
    pub(crate) rows: Vec<(u32, Vec<String>)>,
    /// Cells that cannot be read as text.
    pub(crate) faults: Vec<CellFault>,
    /// Line, counted from 1, and column, counted from 0, of every formula.
    pub(crate) formulas: HashSet<(u32, usize)>,
}

/// Reads a workbook whose meaning the caller knows, of at most `most_cells` cells.
pub(crate) fn workbook(bytes: &[u8], most_cells: usize) -> Result<Workbook, Vec<Violation>> {
    check_size(bytes).map_err(|violation| vec![violation])?;
    let budget = Budget {
        most_cells,
        ..Budget::default()
    };
    xlsx::workbook(bytes, budget)
}

/// How long a row may be.
#[derive(Clone, Copy)]
enum Width {
    /// Exactly as long as the header: in CSV any other length means a comma too many or too few.
    Exact,
    /// At most as long: a workbook does not store the empty cells at the end of a row.
    UpToHeader,
}

/// Finds the header and holds every row below against it.
fn assemble(
    kinds: &[&Layout],
    mut rows: Vec<Row>,
    cell_faults: Vec<CellFault>,
    width: Width,
) -> Result<Sheet, Vec<Violation>> {
    let Some(at) = layout::header_position(&rows[..rows.len().min(HEADER_ROWS)], kinds) else {
        return Err(vec![file_violation(
            "no rows",
            "a header and rows",
            "含表头和数据行",
        )]);
    };
    let mut body = rows.split_off(at + 1);
    let Some((header_line, mut header)) = rows.pop() else {
        return Err(vec![file_violation(
            "no header",
            "a header and rows",
            "含表头和数据行",
        )]);
    };
    if matches!(width, Width::UpToHeader) {
        let used = header.iter().rposition(|cell| !cell.trim().is_empty());
        header.truncate(used.map_or(0, |last| last + 1));
    }
    let mut faults = Faults::default();
    for (line, cells) in &mut body {
        match width {
            Width::Exact if cells.len() != header.len() => faults.add(|| {
                Violation::new(
                    format!("line {line}"),
                    format!("{} cells", cells.len()),
                    format!("{} cells, as in the header on line {header_line}", header.len()),
                    format!("{} 个单元格,与第 {header_line} 行的表头一致", header.len()),
                )
            }),
            Width::Exact => {}
            Width::UpToHeader => {
                if let Some(column) = cells
                    .iter()
                    .skip(header.len())
                    .position(|cell| !cell.trim().is_empty())
                {
                    let column = column + header.len();
                    faults.add(|| {
                        Violation::new(
                            format!("line {line}, column {}", letters(column)),
                            &cells[column],
                            format!("nothing right of the header on line {header_line}"),
                            format!("第 {header_line} 行表头右侧不得有内容"),
                        )
                    });
                }
                cells.resize(header.len(), String::new());
            }
        }
    }
    // A cell that nobody reads may hold anything where another's program wrote the file.
    let read = |fault: &&CellFault| {
        let heading = header.get(fault.column).map_or("", String::as_str);
        fault.line > header_line && kinds.iter().any(|kind| !kind.is_foreign() || kind.reads(heading))
    };
    for fault in cell_faults.iter().filter(read) {
        faults.add(|| {
            let heading = header
                .get(fault.column)
                .map(|text| text.trim())
                .unwrap_or_default();
            let column = if heading.is_empty() {
                letters(fault.column)
            } else {
                heading.to_owned()
            };
            Violation::new(
                format!("line {}, column {column}", fault.line),
                &fault.found,
                fault.allowed.0,
                fault.allowed.1,
            )
        });
    }
    faults.finish()?;
    Ok(Sheet {
        header,
        header_line,
        rows: body,
    })
}

/// Counts what is read, so that a small file cannot fill the memory.
struct Budget {
    most_cells: usize,
    rows: usize,
    cells: usize,
    text_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            most_cells: MAX_CELLS,
            rows: 0,
            cells: 0,
            text_bytes: 0,
        }
    }
}

impl Budget {
    /// Admits one more row.
    fn admit(&mut self, (line, cells): &Row) -> Result<(), Violation> {
        let over = |what: &str, what_zh: &str, limit: usize| {
            Violation::new(
                format!("line {line}"),
                format!("more than {limit} {what}"),
                format!("at most {limit} {what} in a file"),
                format!("文件至多 {limit} {what_zh}"),
            )
        };
        if cells.len() > MAX_COLUMNS {
            return Err(Violation::new(
                format!("line {line}"),
                format!("{} cells", cells.len()),
                format!("at most {MAX_COLUMNS} columns"),
                format!("至多 {MAX_COLUMNS} 列"),
            ));
        }
        for (column, cell) in cells.iter().enumerate() {
            if cell.len() > MAX_CELL_BYTES {
                return Err(Violation::new(
                    format!("line {line}, column {}", letters(column)),
                    format!("{} bytes", cell.len()),
                    format!("at most {MAX_CELL_BYTES} bytes in a cell"),
                    format!("单元格至多 {MAX_CELL_BYTES} 字节"),
                ));
            }
            self.text_bytes += cell.len();
        }
        self.rows += 1;
        self.cells += cells.len();
        if self.rows > MAX_ROWS {
            return Err(over("rows", "行", MAX_ROWS));
        }
        if self.cells > self.most_cells {
            return Err(over("cells", "个单元格", self.most_cells));
        }
        if self.text_bytes > MAX_TEXT_BYTES {
            return Err(over("bytes of text", "字节文本", MAX_TEXT_BYTES));
        }
        Ok(())
    }
}

/// A violation of the file as a whole.
fn file_violation(found: impl AsRef<str>, en: impl Into<String>, zh: impl Into<String>) -> Violation {
    Violation::new("file", found, en, zh)
}

/// Violations that name cells, without what stands in them.
fn veiled(mut violations: Vec<Violation>) -> Vec<Violation> {
    for violation in &mut violations {
        if violation.field.contains(", column ") {
            "(not shown)".clone_into(&mut violation.found);
        }
    }
    violations
}

/// Whether there is nothing to read in a row.
fn is_blank(cells: &[String]) -> bool {
    cells.iter().all(|cell| cell.trim().is_empty())
}

/// The letters that a spreadsheet shows above a column.
pub(crate) fn letters(column: usize) -> String {
    let mut rest = column + 1;
    let mut reversed = Vec::new();
    while rest > 0 {
        rest -= 1;
        reversed.push(char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    reversed.iter().rev().collect()
}

#[cfg(test)]
mod tests;
