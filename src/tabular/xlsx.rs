//! XLSX workbooks: the first visible worksheet, cell by cell.
//!
//! A spreadsheet stores a number as a double and shows it through a format. Where the two could be
//! read differently (lost digits, percentages, hidden thousands) the cell is refused rather than guessed.

use super::archive::{self, Refusal};
use super::{Budget, CellFault, MAX_COLUMNS, Row, Workbook, file_violation, is_blank, letters, number};
use crate::domain::error::Violation;
use calamine::{DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx, XlsxError};
use std::collections::HashSet;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Most faulty cells remembered; no more than the first hundred are shown.
const MAX_FAULTS: usize = 10_000;

/// The rows that are not empty, and the cells that cannot be read as text.
pub(super) fn rows(bytes: &[u8]) -> Result<(Vec<Row>, Vec<CellFault>), Vec<Violation>> {
    weigh(bytes)?;
    guarded(|| read(bytes, Budget::default()))
}

/// The same within a budget, and where there are formulas: line and column, as in [`CellFault`].
pub(super) fn workbook(bytes: &[u8], budget: Budget) -> Result<Workbook, Vec<Violation>> {
    weigh(bytes)?;
    guarded(|| {
        let (rows, faults) = read(bytes, budget)?;
        Ok(Workbook {
            rows,
            faults,
            formulas: formulas(bytes)?,
        })
    })
}

fn weigh(bytes: &[u8]) -> Result<(), Vec<Violation>> {
    archive::weigh(bytes).map_err(|refusal| {
        vec![match refusal {
            Refusal::Unreadable(detail) => unreadable(&detail),
            Refusal::TooLarge(found) => file_violation(
                found,
                "a workbook that unpacks to at most 512 MiB, 128 MiB of texts and 8 MiB of styles",
                "解压后至多 512 MiB,其中文本至多 128 MiB、样式至多 8 MiB 的工作簿",
            ),
        }]
    })
}

/// The reader is known to panic on some malformed cells; a file must not take the caller down.
fn guarded<T>(read: impl FnOnce() -> Result<T, Vec<Violation>>) -> Result<T, Vec<Violation>> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(vec![unreadable("malformed cells")]))
}

/// A file that is no workbook.
pub(super) fn unreadable(detail: &str) -> Violation {
    file_violation(detail, "a readable .xlsx workbook", "可读取的 .xlsx 工作簿")
}

fn broken(error: XlsxError) -> Vec<Violation> {
    vec![unreadable(&error.to_string())]
}

/// The first visible worksheet.
fn first_sheet(workbook: &Xlsx<Cursor<&[u8]>>) -> Result<String, Vec<Violation>> {
    workbook
        .sheets_metadata()
        .iter()
        .find(|sheet| sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible)
        .map(|sheet| sheet.name.clone())
        .ok_or_else(|| vec![unreadable("no visible worksheet")])
}

fn formulas(bytes: &[u8]) -> Result<HashSet<(u32, usize)>, Vec<Violation>> {
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let sheet = first_sheet(&workbook)?;
    let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(broken)?;
    let mut formulas = HashSet::new();
    while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(broken)? {
        if cell.formula.is_some() {
            formulas.insert((cell.pos.0.saturating_add(1), cell.pos.1 as usize));
        }
    }
    Ok(formulas)
}

fn read(bytes: &[u8], mut budget: Budget) -> Result<(Vec<Row>, Vec<CellFault>), Vec<Violation>> {
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let sheet = first_sheet(&workbook)?;
    let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(broken)?;
    let scaled: Vec<bool> = cells
        .styles()
        .iter()
        .map(|style| {
            style
                .number_format
                .as_ref()
                .is_some_and(|format| shows_another_number(&format.format_code))
        })
        .collect();

    let mut rows: Vec<Row> = Vec::new();
    let mut faults = Vec::new();
    let mut row: Row = (0, Vec::new());
    while let Some((cell, style)) = cells.next_cell_with_style_id().map_err(broken)? {
        let (line, column) = cell.get_position();
        let (line, column) = (line.saturating_add(1), column as usize);
        let text = match text(cell.get_value(), scaled.get(style).copied().unwrap_or(false)) {
            Ok(text) => text,
            Err((found, allowed)) => {
                if faults.len() < MAX_FAULTS {
                    faults.push(CellFault {
                        line,
                        column,
                        found: found.clone(),
                        allowed,
                    });
                }
                found
            }
        };
        if text.trim().is_empty() {
            continue;
        }
        if line != row.0 {
            let full = std::mem::replace(&mut row, (line, Vec::new()));
            push(&mut rows, full, &mut budget)?;
        }
        let misplaced = rows.last().is_some_and(|(last, _)| *last >= line) || column < row.1.len();
        if misplaced || column >= MAX_COLUMNS {
            return Err(vec![Violation::new(
                format!("line {line}, column {}", letters(column)),
                text,
                format!("cells in ascending order, in at most {MAX_COLUMNS} columns"),
                format!("单元格按行列顺序排列,至多 {MAX_COLUMNS} 列"),
            )]);
        }
        row.1.resize(column, String::new());
        row.1.push(text);
    }
    push(&mut rows, row, &mut budget)?;
    Ok((rows, faults))
}

fn push(rows: &mut Vec<Row>, row: Row, budget: &mut Budget) -> Result<(), Vec<Violation>> {
    if !is_blank(&row.1) {
        budget.admit(&row).map_err(|violation| vec![violation])?;
        rows.push(row);
    }
    Ok(())
}

/// What was found in a cell, and what is allowed instead, in English and Chinese.
type Refused = (String, (&'static str, &'static str));

fn text(value: &DataRef<'_>, scaled: bool) -> Result<String, Refused> {
    match value {
        DataRef::Empty => Ok(String::new()),
        DataRef::String(text) => Ok(text.clone()),
        DataRef::SharedString(text) => Ok((*text).to_owned()),
        DataRef::DateTimeIso(text) => Ok(text.clone()),
        DataRef::DateTime(moment) if moment.is_datetime() => Ok(iso(*moment)),
        DataRef::Int(number) => plain(*number as f64, number.to_string(), scaled),
        DataRef::Float(number) => plain(*number, number.to_string(), scaled),
        DataRef::Bool(value) => Err((
            if *value { "TRUE" } else { "FALSE" }.to_owned(),
            ("text or a number, not a truth value", "文本或数字,不能是逻辑值"),
        )),
        DataRef::Error(error) => Err((
            error.to_string(),
            (
                "text or a number, not an error of a formula",
                "文本或数字,不能是公式错误值",
            ),
        )),
        DataRef::DateTime(moment) => Err((moment.as_f64().to_string(), DURATION)),
        DataRef::DurationIso(text) => Err((text.clone(), DURATION)),
    }
}

const DURATION: (&str, &str) = ("text or a number, not a duration", "文本或数字,不能是时长");

fn plain(value: f64, found: String, scaled: bool) -> Result<String, Refused> {
    if scaled && value != 0.0 {
        return Err((
            found,
            (
                "a number shown as it is stored, not as a percentage or in thousands: change the cell format",
                "显示值与存储值一致的数字,不能使用百分比或千位缩放格式:请修改单元格格式",
            ),
        ));
    }
    number::to_text(value).ok_or((
        found,
        (
            "a number of at most 15 digits; round it, or store it as text to keep all digits",
            "至多 15 位数字;请四舍五入,或以文本形式存储以保留全部数字",
        ),
    ))
}

fn iso(moment: ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    match (hour, minute, second, milli) {
        (0, 0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
        (_, _, _, 0) => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"),
        _ => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}"),
    }
}

/// Whether a number format shows another number than is stored: a percentage, or one divided by
/// thousands with commas behind the digits (`0!.0,` is a common way to show yuan as 万元).
fn shows_another_number(format: &str) -> bool {
    let mut characters = format.chars().peekable();
    let mut digit = false;
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                characters.by_ref().find(|c| *c == '"');
            }
            '[' => {
                characters.by_ref().find(|c| *c == ']');
            }
            // The next character is a literal, or only takes up room.
            '\\' | '!' | '_' | '*' => {
                characters.next();
            }
            '%' | '‰' => return true,
            '0' | '#' | '?' => digit = true,
            ',' if digit => {
                while characters.next_if_eq(&',').is_some() {}
                if !matches!(characters.peek(), Some('0' | '#' | '?')) {
                    return true;
                }
            }
            _ => digit = false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_formats_that_show_another_number() {
        for format in [
            "0%",
            "0.00%",
            "0.0,",
            "#,##0,",
            "0!.0,",
            "#,##0.0,,",
            "0,;-0,",
            "[Red]0%",
            "0.00,\"千\"",
        ] {
            assert!(shows_another_number(format), "{format}");
        }
        for format in [
            "General",
            "0.00",
            "#,##0.00",
            "#,##0 ;[Red](#,##0)",
            "_(* #,##0_);_(* (#,##0);_(* \"-\"_);_(@_)",
            "0\"%\"",
            "0\\%",
            "@",
            "[$¥-804]#,##0.00",
            "yyyy\"年\"m\"月\"",
        ] {
            assert!(!shows_another_number(format), "{format}");
        }
    }
}
