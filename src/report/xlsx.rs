//! An Excel workbook as a clerk would make it: title, unit, header, rows, totals that are formulas, notes.

use super::totals::totals;
use super::{Cell, TOTAL_LABEL, Table, label_position};
use crate::domain::error::Error;
use crate::tabular::number;
use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Formula, Workbook, Worksheet,
    XlsxError, utility,
};
use std::collections::HashMap;
use unicode_width::UnicodeWidthStr;

/// Rows of the worksheet, counted from 0.
const TITLE_ROW: u32 = 0;
const UNIT_ROW: u32 = 1;
const HEADER_ROW: u32 = 2;
const FIRST_ROW: u32 = 3;
/// What a worksheet holds.
const MAX_ROWS: usize = 1_048_576;
const MAX_COLUMNS: usize = 16_384;
/// The narrowest and the widest column, in characters; longer text is wrapped.
const COLUMN_WIDTHS: (usize, usize) = (8, 60);
/// Height of one line of text, in points.
const LINE_HEIGHT: u32 = 15;
/// Longest name of a worksheet, in UTF-16 code units.
const MAX_SHEET_NAME: usize = 31;
const A4: u8 = 9;

/// A workbook with one sheet for each table.
pub(super) fn render(tables: &[Table]) -> Result<Vec<u8>, Error> {
    for table in tables {
        for (what, found, limit) in [
            (
                "rows of a worksheet",
                table.rows.len() + table.notes.len() + FIRST_ROW as usize + 1,
                MAX_ROWS,
            ),
            ("columns of a worksheet", table.columns.len(), MAX_COLUMNS),
        ] {
            if found > limit {
                return Err(Error::TooLarge {
                    what,
                    found: found as u64,
                    limit: limit as u64,
                });
            }
        }
    }
    write(tables).map_err(Error::internal)
}

fn write(tables: &[Table]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // Nothing but the tables may decide the bytes, so the time of making is a fixed one.
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    let title = tables
        .first()
        .map(|table| table.title.as_str())
        .unwrap_or_default();
    workbook.set_properties(&DocProperties::new().set_title(title).set_creation_datetime(&made));
    let mut names: Vec<String> = Vec::with_capacity(tables.len());
    for (number, table) in (1..).zip(tables) {
        let mut name = sheet_name(&table.title);
        // Excel tells names apart by more than their case.
        if names.iter().any(|taken| taken.eq_ignore_ascii_case(&name)) {
            name = format!("Sheet{number}");
        }
        let sheet = workbook.add_worksheet();
        sheet.set_name(&name)?;
        write_sheet(sheet, table)?;
        names.push(name);
    }
    workbook.save_to_buffer()
}

fn write_sheet(sheet: &mut Worksheet, table: &Table) -> Result<(), XlsxError> {
    let totals = totals(table);
    let widths = widths(table, totals.as_deref());
    let last = u16::try_from(table.columns.len() - 1).unwrap_or(u16::MAX);
    for (column, width) in (0_u16..).zip(&widths) {
        sheet.set_column_width(column, *width as u32)?;
    }

    let title = Format::new()
        .set_bold()
        .set_font_size(16)
        .set_align(FormatAlign::Center)
        .set_align(FormatAlign::VerticalCenter);
    across(sheet, TITLE_ROW, last, &table.title, &title)?;
    sheet.set_row_height(TITLE_ROW, 2 * LINE_HEIGHT)?;
    let unit = Format::new().set_align(FormatAlign::Right);
    across(sheet, UNIT_ROW, last, &table.unit, &unit)?;

    let mut formats = Formats::default();
    let heading = bordered()
        .set_bold()
        .set_text_wrap()
        .set_align(FormatAlign::Center)
        .set_align(FormatAlign::VerticalCenter)
        .set_background_color(Color::RGB(0x00DD_EBF7));
    for (column, spec) in (0_u16..).zip(&table.columns) {
        sheet.write_string_with_format(HEADER_ROW, column, &spec.header, &heading)?;
    }
    let mut row = FIRST_ROW;
    for cells in &table.rows {
        for (column, cell) in (0_u16..).zip(cells) {
            formats.write(sheet, (row, column), cell, false)?;
        }
        row += 1;
    }
    if let Some(totals) = &totals {
        write_totals(sheet, row, table, totals, &mut formats)?;
        row += 1;
    }
    let note = Format::new()
        .set_text_wrap()
        .set_align(FormatAlign::Left)
        .set_align(FormatAlign::Top);
    let whole_width = widths.iter().sum::<usize>().max(1);
    for text in &table.notes {
        across(sheet, row, last, text, &note)?;
        // Merged cells do not grow with their text.
        let lines: usize = text
            .lines()
            .map(|line| line.width().div_ceil(whole_width).max(1))
            .sum();
        sheet.set_row_height(row, u32::try_from(lines.clamp(1, 27)).unwrap_or(1) * LINE_HEIGHT)?;
        row += 1;
    }

    sheet.set_freeze_panes(FIRST_ROW, 0)?;
    sheet.set_repeat_rows(HEADER_ROW, HEADER_ROW)?;
    sheet
        .set_paper_size(A4)
        .set_landscape()
        .set_print_fit_to_pages(1, 0);
    sheet.set_footer("&C第 &P 页 共 &N 页");
    Ok(())
}

/// The totals as formulas over the rows above, each with the exact sum as its result.
fn write_totals(
    sheet: &mut Worksheet,
    row: u32,
    table: &Table,
    totals: &[Cell],
    formats: &mut Formats,
) -> Result<(), XlsxError> {
    let label = label_position(table);
    for (at, (column, total)) in (0_u16..).zip(totals).enumerate() {
        // A formula leaves out numbers that had to be stored as text: then the sum is written itself.
        let all_stored = table
            .rows
            .iter()
            .filter_map(|cells| cells[at].number())
            .all(|text| number::from_text(&text).is_some());
        match total.number() {
            Some(sum) if all_stored && number::from_text(&sum).is_some() => {
                let range = utility::cell_range(FIRST_ROW, column, row - 1, column);
                let formula = Formula::new(format!("=SUM({range})")).set_result(sum);
                sheet.write_formula_with_format(row, column, formula, formats.of(total, true))?;
            }
            None if Some(at) == label => {
                formats.write(sheet, (row, column), &Cell::Text(TOTAL_LABEL.to_owned()), true)?;
            }
            _ => formats.write(sheet, (row, column), total, true)?,
        }
    }
    Ok(())
}

/// One text across all columns.
fn across(
    sheet: &mut Worksheet,
    row: u32,
    last_column: u16,
    text: &str,
    format: &Format,
) -> Result<(), XlsxError> {
    if last_column == 0 {
        sheet.write_string_with_format(row, 0, text, format)?;
    } else {
        sheet.merge_range(row, 0, row, last_column, text, format)?;
    }
    Ok(())
}

fn bordered() -> Format {
    Format::new().set_border(FormatBorder::Thin)
}

/// The cell formats in use, by number format, weight and whether they are aligned like numbers.
#[derive(Default)]
struct Formats(HashMap<(String, bool, bool), Format>);

impl Formats {
    /// The format that shows every decimal of a cell.
    fn of(&mut self, cell: &Cell, bold: bool) -> &Format {
        let code = match cell {
            Cell::Text(_) | Cell::Empty => "@".to_owned(),
            Cell::Integer(_) => "#,##0".to_owned(),
            Cell::Money(_) => "#,##0.00".to_owned(),
            Cell::Decimal(text) => match text.split_once('.') {
                Some((_, decimals)) => format!("#,##0.{}", "0".repeat(decimals.len())),
                None => "#,##0".to_owned(),
            },
        };
        self.get(code, bold, cell.number().is_some())
    }

    fn get(&mut self, code: String, bold: bool, number: bool) -> &Format {
        self.0
            .entry((code, bold, number))
            .or_insert_with_key(|(code, bold, number)| {
                let format = bordered()
                    .set_num_format(code)
                    .set_align(FormatAlign::VerticalCenter);
                let format = if *number {
                    format.set_align(FormatAlign::Right)
                } else {
                    format.set_text_wrap()
                };
                if *bold { format.set_bold() } else { format }
            })
    }

    /// Writes a cell; a number that a double would not give back goes in as text.
    fn write(
        &mut self,
        sheet: &mut Worksheet,
        (row, column): (u32, u16),
        cell: &Cell,
        bold: bool,
    ) -> Result<(), XlsxError> {
        match (cell, cell.number()) {
            (Cell::Text(text), _) => {
                sheet.write_string_with_format(row, column, text, self.of(cell, bold))?;
            }
            (_, None) => {
                sheet.write_blank(row, column, self.of(cell, bold))?;
            }
            (_, Some(text)) => match number::from_text(&text) {
                Some(value) => {
                    sheet.write_number_with_format(row, column, value, self.of(cell, bold))?;
                }
                None => {
                    let format = self.get("@".to_owned(), bold, true);
                    sheet.write_string_with_format(row, column, text, format)?;
                }
            },
        }
        Ok(())
    }
}

/// Widths that fit what is shown, in characters of the default font.
fn widths(table: &Table, totals: Option<&[Cell]>) -> Vec<usize> {
    let label = label_position(table).filter(|_| totals.is_some());
    table
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = table.rows.iter().map(|row| &row[at]);
            let widest = cells
                .chain(totals.and_then(|totals| totals.get(at)))
                .map(|cell| {
                    cell.shown()
                        .lines()
                        .map(UnicodeWidthStr::width)
                        .max()
                        .unwrap_or(0)
                })
                .chain([column.header.width()])
                .chain((label == Some(at)).then(|| TOTAL_LABEL.width()))
                .max()
                .unwrap_or(0);
            // Room for the margins of the cell and for the wider digits of bold type.
            (widest + 3).clamp(COLUMN_WIDTHS.0, COLUMN_WIDTHS.1)
        })
        .collect()
}

/// A name that Excel admits for a worksheet, from the title.
fn sheet_name(title: &str) -> String {
    let mut name = String::new();
    for character in title.chars() {
        if matches!(character, '[' | ']' | ':' | '*' | '?' | '/' | '\\') || character.is_control() {
            continue;
        }
        if name.encode_utf16().count() + character.len_utf16() > MAX_SHEET_NAME {
            // Not in the middle of a word, where there is another end.
            if character.is_ascii_alphanumeric()
                && let Some((words, _)) = name.rsplit_once(' ')
            {
                name.truncate(words.len());
            }
            break;
        }
        name.push(character);
    }
    let name = name.trim_matches(['\'', ' ']);
    // Excel keeps this name for itself.
    if name.is_empty() || name.eq_ignore_ascii_case("history") {
        "Sheet1".to_owned()
    } else {
        name.to_owned()
    }
}
