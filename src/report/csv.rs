//! CSV for programs, with the byte order mark by which Excel knows UTF-8.

use super::{Cell, Table};
use crate::domain::error::Error;

pub(super) fn render(table: &Table) -> Result<Vec<u8>, Error> {
    let mut writer = csv::WriterBuilder::new()
        // A first cell that looks like a comment to our own reader is put in quotes.
        .comment(Some(b'#'))
        .from_writer("\u{feff}".as_bytes().to_vec());
    writer
        .write_record(table.columns.iter().map(|column| &column.key))
        .map_err(Error::internal)?;
    for row in &table.rows {
        writer
            .write_record(row.iter().map(|cell| match cell {
                Cell::Text(text) => inert(text),
                cell => cell.number().unwrap_or_default(),
            }))
            .map_err(Error::internal)?;
    }
    writer.into_inner().map_err(Error::internal)
}

/// Text that a spreadsheet takes for text: what could begin a formula gets an apostrophe before it.
/// Chinese editions take the full-width characters for their ASCII twins.
pub(super) fn inert(text: &str) -> String {
    let begins_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if begins_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
