//! Rows written as they come, for results that no table in memory should hold: CSV and Parquet.
//!
//! Parquet as <https://parquet.apache.org/docs/file-format/> has it. Money is an INT64 of whole fen with the
//! logical type DECIMAL(18, 2), so that every reader gets yuan exactly; other decimals are DECIMAL(38, scale).
//! The bytes depend on the rows alone.

use super::Cell;
use super::csv::inert;
use crate::domain::error::Error;
use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use std::io::Write;
use std::sync::Arc;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// [`Cell::Text`].
    Text,
    /// [`Cell::Integer`].
    Integer,
    /// [`Cell::Money`].
    Money,
    /// [`Cell::Decimal`] with at most so many decimals.
    Decimal(u32),
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowColumn {
    /// Its name: English, `snake_case`, unique.
    pub key: String,
    /// What it holds.
    pub kind: Kind,
}

impl RowColumn {
    /// A column.
    pub fn new(key: impl Into<String>, kind: Kind) -> Self {
        Self {
            key: key.into(),
            kind,
        }
    }
}

/// Writes rows of CSV.
pub struct CsvRows<W: Write>(csv::Writer<W>);

impl<W: Write> CsvRows<W> {
    /// Begins a file with its header.
    pub fn new(mut out: W, columns: &[RowColumn]) -> Result<Self, Error> {
        out.write_all("\u{feff}".as_bytes()).map_err(Error::internal)?;
        let mut writer = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(out);
        writer
            .write_record(columns.iter().map(|column| &column.key))
            .map_err(Error::internal)?;
        Ok(Self(writer))
    }

    /// Writes rows.
    pub fn write(&mut self, rows: &[Vec<Cell>]) -> Result<(), Error> {
        for row in rows {
            let cells = row.iter().map(|cell| match cell {
                Cell::Text(text) => inert(text),
                cell => cell.number().unwrap_or_default(),
            });
            self.0.write_record(cells).map_err(Error::internal)?;
        }
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<(), Error> {
        self.0.flush().map_err(Error::internal)
    }
}

/// Rows in one row group: what is in memory at a time.
const GROUP: usize = 50_000;
/// Bytes of a decimal of 38 digits.
const DECIMAL_BYTES: i32 = 16;

/// Writes rows of Parquet, a group at a time.
pub struct ParquetRows<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<RowColumn>,
    waiting: Vec<Vec<Cell>>,
}

impl<W: Write + Send> ParquetRows<W> {
    /// Begins a file.
    pub fn new(out: W, columns: &[RowColumn]) -> Result<Self, Error> {
        let fields = columns
            .iter()
            .map(|column| field(column).map(Arc::new))
            .collect::<Result<Vec<_>, Error>>()?;
        let schema = Type::group_type_builder("rows")
            .with_fields(fields)
            .build()
            .map_err(Error::internal)?;
        let properties = WriterProperties::builder()
            .set_created_by("incentive-fund".to_owned())
            .build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties));
        Ok(Self {
            writer: writer.map_err(Error::internal)?,
            columns: columns.to_vec(),
            waiting: Vec::new(),
        })
    }

    /// Writes rows.
    pub fn write(&mut self, rows: Vec<Vec<Cell>>) -> Result<(), Error> {
        self.waiting.extend(rows);
        if self.waiting.len() >= GROUP {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let rows = std::mem::take(&mut self.waiting);
        let mut group = self.writer.next_row_group().map_err(Error::internal)?;
        for (at, column) in self.columns.iter().enumerate() {
            let Some(mut writer) = group.next_column().map_err(Error::internal)? else {
                return Err(Error::internal("a Parquet file lacks a column"));
            };
            write_column(&mut writer, column, rows.iter().map(|row| &row[at]))?;
            writer.close().map_err(Error::internal)?;
        }
        group.close().map_err(Error::internal)?;
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<(), Error> {
        if !self.waiting.is_empty() {
            self.flush()?;
        }
        self.writer.close().map_err(Error::internal)?;
        Ok(())
    }
}

fn field(column: &RowColumn) -> Result<Type, Error> {
    let builder =
        |physical| Type::primitive_type_builder(&column.key, physical).with_repetition(Repetition::OPTIONAL);
    let places = |scale: u32| i32::try_from(scale).unwrap_or(i32::MAX);
    match column.kind {
        Kind::Text => builder(Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)),
        Kind::Integer => builder(Physical::INT64),
        Kind::Money => builder(Physical::INT64)
            .with_logical_type(Some(LogicalType::decimal(2, 18)))
            .with_precision(18)
            .with_scale(2),
        Kind::Decimal(scale) => builder(Physical::FIXED_LEN_BYTE_ARRAY)
            .with_length(DECIMAL_BYTES)
            .with_logical_type(Some(LogicalType::decimal(places(scale), 38)))
            .with_precision(38)
            .with_scale(places(scale)),
    }
    .build()
    .map_err(Error::internal)
}

fn write_column<'c>(
    writer: &mut SerializedColumnWriter<'_>,
    column: &RowColumn,
    cells: impl Iterator<Item = &'c Cell> + Clone,
) -> Result<(), Error> {
    let levels: Vec<i16> = cells
        .clone()
        .map(|cell| i16::from(!matches!(cell, Cell::Empty)))
        .collect();
    let present = cells.filter(|cell| !matches!(cell, Cell::Empty));
    let other = |cell: &Cell| Error::internal(format!("{cell:?} in the column {}", column.key));
    let written = match column.kind {
        Kind::Text => {
            let texts = present.map(|cell| match cell {
                Cell::Text(text) => Ok(ByteArray::from(text.as_str())),
                cell => Err(other(cell)),
            });
            let texts = texts.collect::<Result<Vec<_>, Error>>()?;
            writer
                .typed::<ByteArrayType>()
                .write_batch(&texts, Some(&levels), None)
        }
        Kind::Integer | Kind::Money => {
            let numbers = present.map(|cell| match cell {
                Cell::Integer(number) => Ok(*number),
                Cell::Money(amount) => Ok(amount.fen()),
                cell => Err(other(cell)),
            });
            let numbers = numbers.collect::<Result<Vec<_>, Error>>()?;
            writer
                .typed::<Int64Type>()
                .write_batch(&numbers, Some(&levels), None)
        }
        Kind::Decimal(scale) => {
            let numbers = present.map(|cell| match cell {
                Cell::Decimal(text) => scaled(text, scale)
                    .map(|number| FixedLenByteArray::from(number.to_be_bytes().to_vec()))
                    .ok_or_else(|| other(cell)),
                cell => Err(other(cell)),
            });
            let numbers = numbers.collect::<Result<Vec<_>, Error>>()?;
            writer
                .typed::<FixedLenByteArrayType>()
                .write_batch(&numbers, Some(&levels), None)
        }
    };
    written.map(drop).map_err(Error::internal)
}

/// A plain decimal as a whole number of `10^-scale`.
fn scaled(text: &str, scale: u32) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let missing = usize::try_from(scale).ok()?.checked_sub(fraction.len())?;
    format!("{whole}{fraction}{}", "0".repeat(missing)).parse().ok()
}

/// Decimals of a plain decimal.
pub fn decimals(text: &str) -> u32 {
    text.split_once('.').map_or(0, |(_, fraction)| {
        u32::try_from(fraction.len()).unwrap_or(u32::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Money;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    #[test]
    fn parquet_reads_back_and_is_the_same_every_time() {
        let columns = [
            RowColumn::new("region", Kind::Text),
            RowColumn::new("point", Kind::Integer),
            RowColumn::new("amount", Kind::Money),
            RowColumn::new("weight", Kind::Decimal(3)),
        ];
        let row = |at: i64| {
            vec![
                Cell::Text("禹州市".to_owned()),
                Cell::Integer(at),
                Money::from_fen(at * 100 - 5).map_or(Cell::Empty, Cell::Money),
                if at == 1 {
                    Cell::Empty
                } else {
                    Cell::Decimal("-0.5".to_owned())
                },
            ]
        };
        let written = || {
            let mut bytes = Vec::new();
            let mut rows = ParquetRows::new(&mut bytes, &columns).unwrap();
            rows.write((0..3).map(row).collect()).unwrap();
            rows.finish().unwrap();
            bytes
        };
        let bytes = written();
        assert_eq!(bytes, written());
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let rows: Vec<String> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| row.unwrap().to_string())
            .collect();
        assert_eq!(
            rows[0],
            "{region: \"禹州市\", point: 0, amount: -0.05, weight: -0.500}"
        );
        assert_eq!(
            rows[1],
            "{region: \"禹州市\", point: 1, amount: 0.95, weight: null}"
        );
    }

    #[test]
    fn decimals_are_scaled_exactly() {
        assert_eq!(scaled("-1.5", 3), Some(-1_500));
        assert_eq!(scaled("7", 0), Some(7));
        assert_eq!(scaled("0.125", 2), None);
        assert_eq!(decimals("0.125"), 3);
    }
}
