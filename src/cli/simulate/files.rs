//! Files that results are written to beside what is printed.

use crate::cli::output::Failure;
use crate::domain::error::Error;
use crate::report::rows::{CsvRows, Kind, ParquetRows, RowColumn, decimals};
use crate::report::{Cell, Column, Format, Table, render};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// Where results are written; any number of them.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct FileArguments {
    /// Writes all of the result as CSV
    #[arg(long, value_name = "FILE")]
    pub(super) csv: Option<PathBuf>,
    /// Writes all of the result as an Excel workbook
    #[arg(long, value_name = "FILE")]
    pub(super) xlsx: Option<PathBuf>,
    /// Writes all of the result as Parquet
    #[arg(long, value_name = "FILE")]
    pub(super) parquet: Option<PathBuf>,
    /// Writes all of the result as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

/// Most rows of a workbook or JSON file, which are made in memory; CSV and Parquet take any number.
const MOST_IN_MEMORY: u64 = 1_000_000;

/// Takes rows as they come.
pub(super) struct Rows {
    csv: Option<CsvRows<BufWriter<File>>>,
    parquet: Option<ParquetRows<BufWriter<File>>>,
    /// For XLSX and JSON.
    held: Option<Table>,
    files: FileArguments,
}

fn open(path: &Path) -> Result<BufWriter<File>, Failure> {
    File::create(path)
        .map(BufWriter::new)
        .map_err(|error| Failure::file(path, &error))
}

impl Rows {
    /// Begins the files that are asked for; `expected` rows will come.
    pub(super) fn begin(
        files: &FileArguments,
        columns: &[(RowColumn, String)],
        expected: u64,
        title: &str,
        notes: Vec<String>,
    ) -> Result<Self, Failure> {
        let keys: Vec<RowColumn> = columns.iter().map(|(column, _)| column.clone()).collect();
        let holds = files.xlsx.is_some() || files.json.is_some();
        if holds && expected > MOST_IN_MEMORY {
            return Err(Failure::usage(format!(
                "{expected} rows: XLSX and JSON take at most {MOST_IN_MEMORY}, CSV and Parquet any number / \
                 共 {expected} 行:XLSX 和 JSON 至多 {MOST_IN_MEMORY} 行,请改用 CSV 或 Parquet"
            )));
        }
        Ok(Self {
            csv: match &files.csv {
                Some(path) => Some(CsvRows::new(open(path)?, &keys)?),
                None => None,
            },
            parquet: match &files.parquet {
                Some(path) => Some(ParquetRows::new(open(path)?, &keys)?),
                None => None,
            },
            held: holds.then(|| Table {
                title: title.to_owned(),
                unit: crate::cli::tables::UNIT.to_owned(),
                notes,
                columns: columns
                    .iter()
                    .map(|(column, header)| Column::new(&column.key, header))
                    .collect(),
                rows: Vec::new(),
                totals: false,
            }),
            files: files.clone(),
        })
    }

    /// Whether anything is written at all.
    pub(super) const fn wanted(&self) -> bool {
        self.csv.is_some() || self.parquet.is_some() || self.held.is_some()
    }

    /// Writes rows.
    pub(super) fn write(&mut self, rows: Vec<Vec<Cell>>) -> Result<(), Failure> {
        if let Some(csv) = &mut self.csv {
            csv.write(&rows)?;
        }
        if let Some(held) = &mut self.held {
            held.rows.extend(rows.iter().cloned());
        }
        if let Some(parquet) = &mut self.parquet {
            parquet.write(rows)?;
        }
        Ok(())
    }

    /// Ends the files.
    pub(super) fn finish(self) -> Result<(), Failure> {
        if let Some(csv) = self.csv {
            csv.finish()?;
        }
        if let Some(parquet) = self.parquet {
            parquet.finish()?;
        }
        if let Some(table) = self.held {
            for (path, format) in [(&self.files.xlsx, Format::Xlsx), (&self.files.json, Format::Json)] {
                if let Some(path) = path {
                    let bytes = render(&table, format).map_err(Failure::from)?;
                    std::fs::write(path, bytes).map_err(|error| Failure::file(path, &error))?;
                }
            }
        }
        Ok(())
    }
}

/// Writes a whole table to the files that are asked for; what its columns hold is read from its cells.
pub(super) fn write_table(files: &FileArguments, table: &Table) -> Result<(), Failure> {
    let kind = |at: usize| {
        let mut cells = table
            .rows
            .iter()
            .map(|row| &row[at])
            .filter(|cell| **cell != Cell::Empty);
        let first = cells.clone().next();
        match first {
            Some(Cell::Money(_)) => Kind::Money,
            Some(Cell::Integer(_)) => Kind::Integer,
            Some(Cell::Decimal(_)) => {
                let places = |cell: &Cell| match cell {
                    Cell::Decimal(text) => decimals(text),
                    _ => 0,
                };
                Kind::Decimal(cells.by_ref().map(places).max().unwrap_or(0))
            }
            _ => Kind::Text,
        }
    };
    let columns: Vec<(RowColumn, String)> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| (RowColumn::new(&column.key, kind(at)), column.header.clone()))
        .collect();
    let expected = table.rows.len() as u64;
    let mut rows = Rows::begin(files, &columns, expected, &table.title, table.notes.clone())?;
    rows.write(table.rows.clone())?;
    rows.finish()
}

/// Prints a table for people.
pub(super) fn print(table: &Table) -> Result<(), Failure> {
    let text = render(table, Format::Table)?;
    crate::cli::output::text(&String::from_utf8(text).map_err(Error::internal)?)
}
