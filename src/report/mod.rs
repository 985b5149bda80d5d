//! Results as people and programs read them: one model of a table, five renderings; and reports of simulations.
//!
//! A rendering depends on the table alone: the same table gives the same bytes at any time and place.

mod csv;
pub mod hledger;
mod html;
mod json;
mod markup;
pub mod rows;
pub mod simulation;
mod text;
mod totals;
mod xlsx;

use crate::domain::error::{Error, Violation};
use crate::domain::money::Money;
use std::collections::HashSet;
use std::str::FromStr;

/// What stands before the totals.
const TOTAL_LABEL: &str = "合计 Total";

/// A table ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What the table shows.
    pub title: String,
    /// What its amounts are in, such as `单位:元 (yuan)`; may be empty.
    pub unit: String,
    /// Remarks that stand beneath it.
    pub notes: Vec<String>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with one cell for every column.
    pub rows: Vec<Vec<Cell>>,
    /// Whether a row with the sums of the columns marked [`Column::total`] follows.
    pub totals: bool,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name for programs, in JSON and CSV: English, `snake_case`, unique in the table.
    pub key: String,
    /// Heading for people.
    pub header: String,
    /// Whether the column is summed up.
    pub total: bool,
}

impl Column {
    /// A column that is not summed up.
    pub fn new(key: impl Into<String>, header: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            header: header.into(),
            total: false,
        }
    }

    /// A column that is summed up.
    pub fn summed(key: impl Into<String>, header: impl Into<String>) -> Self {
        Self {
            total: true,
            ..Self::new(key, header)
        }
    }
}

/// One value of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Text; also numbers that are names, such as codes and years, which take no thousands separators.
    Text(String),
    /// A whole number that counts something.
    Integer(i64),
    /// An amount of money.
    Money(Money),
    /// Any other number, as its exact decimal text: an optional minus, digits, and optionally a point and digits.
    Decimal(String),
    /// Nothing.
    Empty,
}

impl Cell {
    /// The number as plain decimal text; `None` for what is no number.
    fn number(&self) -> Option<String> {
        match self {
            Self::Integer(number) => Some(number.to_string()),
            Self::Money(amount) => Some(amount.to_string()),
            Self::Decimal(text) => Some(text.clone()),
            Self::Text(_) | Self::Empty => None,
        }
    }

    /// What people see: numbers with thousands separators.
    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Empty => String::new(),
            Self::Money(amount) => amount.grouped(),
            Self::Integer(number) => grouped(&number.to_string()),
            Self::Decimal(text) => grouped(text),
        }
    }
}

/// How a table is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Aligned text for a terminal
    #[default]
    Table,
    /// JSON for programs
    Json,
    /// CSV for programs, which Excel opens as well
    Csv,
    /// An Excel workbook ready to print
    Xlsx,
    /// A page for a browser, which prints on A4
    Html,
}

impl FromStr for Format {
    type Err = Violation;

    fn from_str(text: &str) -> Result<Self, Violation> {
        match text {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            "xlsx" => Ok(Self::Xlsx),
            "html" => Ok(Self::Html),
            _ => Err(Violation::new(
                "format",
                text,
                "one of table, json, csv, xlsx, html",
                "下列之一:table、json、csv、xlsx、html",
            )),
        }
    }
}

/// Renders a table.
///
/// A table that is not well formed (rows of another length than the columns, keys twice, decimals
/// that are none) is a defect of the caller and an [`Error::Internal`].
pub fn render(table: &Table, format: Format) -> Result<Vec<u8>, Error> {
    check(table)?;
    match format {
        Format::Table => Ok(text::render(table)),
        Format::Json => json::render(table),
        Format::Csv => csv::render(table),
        Format::Xlsx => xlsx::render(std::slice::from_ref(table)),
        Format::Html => Ok(html::render(std::slice::from_ref(table))),
    }
}

/// Renders tables that belong together: as one text, one page, one workbook with a sheet for each, one document.
///
/// # Errors
///
/// [`Error::Invalid`] for CSV, which holds one table.
pub fn render_all(tables: &[Table], format: Format) -> Result<Vec<u8>, Error> {
    if let [table] = tables {
        return render(table, format);
    }
    for table in tables {
        check(table)?;
    }
    match format {
        Format::Table => {
            let texts: Vec<Vec<u8>> = tables.iter().map(text::render).collect();
            Ok(texts.join(&b'\n'))
        }
        Format::Json => json::render_all(tables),
        Format::Csv => Err(Violation::new(
            "format",
            "csv",
            "csv for one table at a time; table, json, xlsx or html for several",
            "csv 只能含一张表;多张表请用 table、json、xlsx 或 html",
        )
        .into()),
        Format::Xlsx => xlsx::render(tables),
        Format::Html => Ok(html::render(tables)),
    }
}

fn check(table: &Table) -> Result<(), Error> {
    let mut keys = HashSet::new();
    for column in &table.columns {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if column.key.is_empty() || !column.key.bytes().all(plain) || !keys.insert(&column.key) {
            return Err(Error::internal(format!(
                "report column key {:?} is not snake_case or there twice",
                column.key
            )));
        }
    }
    if table.columns.is_empty() {
        return Err(Error::internal("report without columns"));
    }
    for (at, row) in table.rows.iter().enumerate() {
        if row.len() != table.columns.len() {
            return Err(Error::internal(format!(
                "report row {at} has {} cells for {} columns",
                row.len(),
                table.columns.len()
            )));
        }
        for cell in row {
            if let Cell::Decimal(text) = cell
                && !is_decimal(text)
            {
                return Err(Error::internal(format!(
                    "report row {at}: {text:?} is no decimal"
                )));
            }
        }
    }
    Ok(())
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, fraction]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A plain decimal with thousands separators.
fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let mut shown = sign.to_owned();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if let Some(fraction) = fraction {
        shown.push('.');
        shown.push_str(fraction);
    }
    shown
}

/// The position of the totals' label: the first column that is not summed up.
fn label_position(table: &Table) -> Option<usize> {
    table.columns.iter().position(|column| !column.total)
}

#[cfg(test)]
mod tests;
